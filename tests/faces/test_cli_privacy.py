"""`onewriter privacy`: erase a customer by hand, and see what was erased."""

import json

import pytest

from onewriter.cli.frame import FAILED, USAGE
from onewriter.cli.session import actor
from onewriter.sandbox import RunningSandbox
from onewriter.shopify.topics import REDACT_TOPIC
from tests.faces.conftest import Onewriter, deliver


@pytest.mark.req("K37")
def test_a_customer_is_erased_by_hand_and_the_receipt_names_nobody(
    installed: Onewriter, sandbox: RunningSandbox
) -> None:
    installed.imported(sandbox)
    number = str(sandbox.shop.ids[0])
    words = ("privacy", "erase", number, "--why", "asked for by post")
    installed(*words, code=USAGE)
    assert installed.heard(int(number)), "nobody is erased who was not confirmed"
    told = installed(*words, "--yes", "--json")
    assert told.document["erased"] == 1
    assert actor() in told.err
    assert "asked for by post" not in told.err, "a reason may name the person: no ordinary log keeps it"
    [line] = installed.json("privacy", "access", "list", "--action", "erase")
    assert (line["actor"], line["reason"]) == (actor(), "(gone with the customer)")
    assert not installed.heard(int(number))
    [receipt] = installed.json("privacy", "receipts")
    assert receipt["cause"] == f"by {actor()}"
    assert (len(receipt["ids"]), receipt["rows"]["customers"]) == (1, 1)
    assert receipt["keys_destroyed_at"] is not None
    assert number not in json.dumps(receipt) + installed("privacy", "receipts").all


@pytest.mark.req("K37")
def test_whoever_asks_for_an_erased_customer_is_told_so(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    record = sandbox.shop.snapshot()[0]
    body = {"shop_id": 1, "shop_domain": sandbox.info.domain, "customer": {"id": record.id}}
    deliver(REDACT_TOPIC, body, "w-redact")
    for words in (
        ("customers", "show", str(record.id)),
        ("sync", "customer", str(record.id)),
        ("privacy", "erase", str(record.id), "--why", "again", "--yes"),
    ):
        assert "was erased at" in installed(*words, code=FAILED).err
    installed("sync", "import")
    assert installed.json("privacy", "receipts")[0]["cause"] == REDACT_TOPIC


def test_nothing_was_erased_yet(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.connect(sandbox)
    assert installed("privacy", "receipts").out == "Nothing was erased yet.\n"
    assert installed.json("privacy", "receipts") == []
