"""The conformance suite on the writing back to Shopify, against the sandbox shop."""

import pytest

from onewriter.connectors import conformance
from tests.support.shopping import ShopBench, ShopifyHere, opened

pytestmark = pytest.mark.contract


def test_shopify_passes_the_conformance_suite() -> None:
    stall = opened()
    configuration = {"token": stall.shop.access.token}
    results = list(conformance.run(ShopifyHere(stall), configuration, ShopBench(stall)))
    assert {each.name: each.detail for each in results if each.verdict == "failed"} == {}
    passed = [each.name for each in results if each.verdict == "passed"]
    assert len(passed) >= 30, [(each.name, each.detail) for each in results if each.verdict == "not applicable"]
