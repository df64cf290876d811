"""`onewriter fields fit` as it is typed."""

import pytest

from tests.faces.conftest import Onewriter
from tests.faces.test_cli_fields import shop as shop


@pytest.mark.req("M55")
@pytest.mark.req("M81")
def test_the_figures_and_the_advice_of_each_field_are_told(shop: Onewriter) -> None:
    found = shop.json("fields", "fit", "--weeks", "2")
    assert found["weeks"] == 2
    assert found["editable_pairs"] == sum(len(one["writers"]) for one in found["fields"])
    note = next(one for one in found["fields"] if one["field"] == "note")
    assert (note["owner"], note["by_hand"], note["cost_minutes"], len(note["weeks"])) == ("shopify", 0, 0, 2)
    assert "pairs of a field and a system" in shop("fields", "fit").out


@pytest.mark.req("M20")
def test_what_one_more_writer_changes_is_told_before_it_is_done(shop: Onewriter) -> None:
    pairs = shop.json("fields", "fit")["editable_pairs"]
    assert f"{pairs} editable pairs become {pairs + 1}" in shop("fields", "fit", "--add", "phone=erp").out


@pytest.mark.parametrize("given", ["phone", "phone=", "=erp", "nonsense=erp"])
def test_a_pair_is_a_field_and_a_system(shop: Onewriter, given: str) -> None:
    told = shop("fields", "fit", "--add", given, code=2)
    assert "name a field and a system" in told.err
