"""What becomes of deleted customers on the command line: kept, restored, and purged when their time is over."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from onewriter import settings
from onewriter.cli.frame import FAILED, USAGE
from onewriter.customers import shops
from onewriter.db.tables import customers
from onewriter.records import DAY, parse_instant
from onewriter.runtime import Runtime, now
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, carry_out, deliver


def deleted(onewriter: Onewriter, sandbox: RunningSandbox, days_ago: int) -> int:
    """A customer that Shopify deleted so many days ago, and was seen to be without."""
    onewriter.imported(sandbox)
    number: int = sandbox.shop.ids[0]
    deliver("customers/delete", {"id": number})
    then = now() - days_ago * DAY
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        gone = {"deleted_at": then, "confirmed_at": then + 60_000_000}
        db.execute(update(customers).where(customers.c.shopify_id == number).values(**gone))
        shop = shops.every(db)[0]
        shops.change(db, shop.id, {"shopify_date": now(), "shopify_date_heard": now()})
    return number


def days_from_now(moment: str) -> int:
    return round((parse_instant(moment) - now()) / DAY)


@pytest.mark.req("K35", "K36")
def test_a_deleted_customer_says_until_when_it_is_kept_and_can_be_restored(
    installed: Onewriter, sandbox: RunningSandbox
) -> None:
    number = str(deleted(installed, sandbox, 10))
    shown = installed.json("customers", "show", number)
    assert (shown["state"], days_from_now(shown["kept_until"])) == ("deleted", 80)
    assert "can be restored" in shown["kept_because"]
    assert "until" in installed("customers", "restore", number, "--why", "she called").out
    shown = installed.json("customers", "show", number)
    assert (shown["state"], days_from_now(shown["kept_until"])) == ("kept", 90)
    again = installed.json("customers", "restore", number, "--why", "longer", "--days", "200")
    assert (again["restored_before"], days_from_now(again["keep_until"])) == (True, 200)
    log = installed.json("privacy", "access", "list")
    assert [line["action"] for line in log].count("restore") == 2


@pytest.mark.req("K36")
def test_what_cannot_be_restored_is_said_in_one_sentence(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    number, other = (str(each) for each in sandbox.shop.ids[:2])
    told = installed("customers", "restore", number, "--why", "a mistake", code=FAILED)
    assert told.err.splitlines()[-1] == "Error: That customer is not deleted, so there is nothing to restore."
    words = ("customers", "restore", number, "--why", "a mistake", "--into", other)
    installed(*words, "--days", "3", code=USAGE)
    installed("customers", "restore", number, code=USAGE)


@pytest.mark.req("K36")
def test_the_points_of_a_deleted_customer_are_moved_to_another(installed: Onewriter, sandbox: RunningSandbox) -> None:
    number = str(deleted(installed, sandbox, 10))
    other = str(sandbox.shop.ids[1])
    moved = installed.json("customers", "restore", number, "--why", "a new account", "--into", other)
    assert moved["receipt"]["kept"]["shopify_id"] == int(other)
    assert installed.json("customers", "show", number)["state"] == "deleted"
    installed("merge", "undo", moved["receipt"]["id"], "--why", "the wrong one", "--yes")


@pytest.mark.req("K32", "K34")
def test_who_is_due_is_shown_and_purged_with_a_receipt(installed: Onewriter, sandbox: RunningSandbox) -> None:
    number = deleted(installed, sandbox, 91)
    due = installed.json("privacy", "due")
    assert (due["hidden"], due["due"], due["retention_days"]) == (1, 1, 90)
    installed("privacy", "purge", code=USAGE)
    told = installed.json("privacy", "purge", "--yes")
    carry_out(told["run"])
    assert not installed.heard(number)
    assert installed.json("privacy", "receipts")[0]["cause"] == "retention"
    told = installed("customers", "restore", str(number), "--why", "she called", code=FAILED)
    assert "cannot be brought back" in told.err
    assert "No deleted customer" in installed("privacy", "purge", "--yes").out


@pytest.mark.req("K34")
def test_a_shop_may_keep_them_for_other_days(installed: Onewriter, sandbox: RunningSandbox) -> None:
    deleted(installed, sandbox, 31)
    assert installed.json("privacy", "due")["due"] == 0
    domain = sandbox.info.domain
    installed("shop", "retention", domain, "30", code=USAGE)
    assert installed.json("shop", "retention", domain, "30", "--yes")["due"] == 1
    assert installed.json("privacy", "due")["due"] == 1
    installed("shop", "retention", domain, "120")
    assert list(installed.json("privacy", "due")["upcoming"].values()) == [1]


def test_a_viewer_purges_and_restores_nobody(
    installed: Onewriter, sandbox: RunningSandbox, become: Callable[[str], None]
) -> None:
    number = str(deleted(installed, sandbox, 91))
    installed("people", "set", "vera", "viewer")
    become("vera")
    for words in (
        ("privacy", "purge", "--yes"),
        ("customers", "restore", number, "--why", "curious"),
        ("shop", "retention", sandbox.info.domain, "1", "--yes"),
    ):
        assert "needs the role" in installed(*words, code=FAILED).err
    assert installed.json("privacy", "due")["due"] == 1
