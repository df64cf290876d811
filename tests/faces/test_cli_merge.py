"""`onewriter merge`: what a merge would come to, what it came to, and undoing it."""

import io
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onewriter.cli.frame import FAILED, USAGE
from onewriter.cli.session import actor
from onewriter.customers.erasing import Asked
from onewriter.intake.redact import erase_all
from onewriter.loyalty import points
from onewriter.records import HOUR, SECOND, Instant, id_text
from tests.faces.conftest import Onewriter
from tests.support.counter import at_counter
from tests.support.loyal import RULES, Loyal, refunds
from tests.support.shops import gone

MINUTE: Instant = 60 * SECOND
WHY = ("--why", "another person after all")


@pytest.fixture
def counter(
    loyal: Loyal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str, keys_url: str
) -> Onewriter:
    """The commands, an hour after 101 and 102 got 50 points each for signing up; 101 did first."""
    loyal.customer(101, loyal.now - HOUR, first_name="Mia", last_name="Canary", email="mia.canary@example.com")
    loyal.customer(102, loyal.now)
    return at_counter(monkeypatch, tmp_path, database_url, keys_url, loyal.now + HOUR)


def hundred_each(loyal: Loyal) -> None:
    loyal.post(loyal.order(7001, 101, 50), loyal.order(7002, 102, 50))


def merged(counter: Onewriter, loyal: Loyal) -> str:
    """Merge 101 into 102 half an hour ago; the receipt."""
    loyal.merge(101, 102, loyal.now + 30 * MINUTE)
    found: str = counter.json("merge", "list")[0]["id"]
    return found


def totals(side: dict[str, Any]) -> tuple[int, int, int]:
    return side["balance"], side["pending"], side["earned"]


# ---- Plan


@pytest.mark.req("K40", "K41", "K44", "K45")
def test_a_plan_tells_before_anybody_merges_and_changes_nothing(counter: Onewriter, loyal: Loyal) -> None:
    hundred_each(loyal)
    before = [loyal.entries(number, dropped=True) for number in (101, 102)]
    plan = counter.json("merge", "plan", "101", "102")
    assert [totals(plan[side]) for side in ("deleted", "kept", "after")] == [
        (100, 0, 100),
        (100, 0, 100),
        (150, 0, 150),
    ]
    assert (plan["moved"], plan["points_dropped"], plan["floor"]) == (2, 50, 0)
    [dropped] = plan["dropped"]
    assert (dropped["rule"], dropped["points"], dropped["why"]) == ("signup", 50, "given once in a life")
    assert (dropped["of"], dropped["stays_of"]) == (102, 101), "the earlier one stays, whoever is kept"
    stays = loyal.entries(101)[0]
    assert (dropped["id"], dropped["stays"]) == (id_text(loyal.entries(102)[0].id), id_text(stays.id))
    assert [loyal.entries(number, dropped=True) for number in (101, 102)] == before
    assert counter.json("merge", "list") == []


def test_a_plan_says_in_words_what_is_not_known(counter: Onewriter, loyal: Loyal) -> None:
    hundred_each(loyal)
    told = counter("merge", "plan", "101", "102").out
    assert "Which of the two it keeps, Shopify decides" in told
    assert "2 entries of the first go over to the second." in told
    assert "One too many, and not counting any more: 1 entry of both, of 50 points." in told
    assert "given once in a life" in told
    assert "canary" not in told.lower() + counter("merge", "plan", "mia.canary@example.com", "102").all.lower()


@pytest.mark.req("K42", "K45")
def test_the_merge_does_what_was_planned_whichever_is_kept(counter: Onewriter, loyal: Loyal) -> None:
    hundred_each(loyal)
    planned, other = counter.json("merge", "plan", "101", "102"), counter.json("merge", "plan", "102", "101")
    assert totals(planned["after"]) == totals(other["after"])
    assert planned["dropped"] == other["dropped"]
    [receipt] = counter.json("merge", "show", merged(counter, loyal))
    assert totals(receipt["after"]) == totals(planned["after"])
    for name in ("moved", "points_dropped", "floor", "dropped"):
        assert receipt[name] == planned[name]


@pytest.mark.req("K43")
def test_an_order_on_both_sides_counts_once_with_what_either_heard(
    counter: Onewriter, loyal: Loyal, now: Instant
) -> None:
    loyal.post(loyal.order(7001, 101, 40))
    loyal.post(
        replace(loyal.order(7001, 102, 40), version=now + 1, refunds=tuple(refunds((9001, 10, now)))), insist=True
    )
    plan = counter.json("merge", "plan", "101", "102")
    assert {(each["rule"], each["why"], each["reference"]) for each in plan["dropped"]} == {
        ("signup", "given once in a life", None),
        ("order", "the same order on both sides", "7001"),
    }
    assert totals(plan["after"]) == (80, 0, 80)


@pytest.mark.req("K45")
def test_dropped_points_that_were_spent_are_lifted_and_it_is_said(counter: Onewriter, loyal: Loyal) -> None:
    for number in (101, 102):
        loyal.redeem(number, 50, f"k{number}")
    plan = counter.json("merge", "plan", "101", "102")
    assert (plan["floor"], plan["after"]["balance"]) == (50, 0)
    assert "the balance is lifted by 50 points" in counter("merge", "plan", "101", "102").out


@pytest.mark.req("K47")
def test_a_plan_says_who_is_excluded_and_when_points_end(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + "[expiry]\ninactivity_days = 30\n", now - 2 * HOUR)
    with loyal.write() as db:
        points.exclude(db, loyal.tea.vault, loyal.id(101), "misuse", now)
        points.set_days(db, loyal.tea.vault, loyal.id(101), 90, now)
    plan = counter.json("merge", "plan", "101", "102")
    days = [plan[side]["inactivity_days"] for side in ("deleted", "kept", "after")]
    assert days == [90, 30, 90], "what a person decided for one of them counts for both"
    assert (plan["after"]["excluded_at"], plan["after"]["excluded_why"]) == ("2026-03-02T11:00:00Z", "misuse")
    assert plan["after"]["ends_next"] == {"points": 50, "at": "2026-05-31T11:00:00Z"}
    told = counter("merge", "plan", "101", "102").out
    assert "customer 102 earns nothing by what happened from 2026-03-02T11:00:00Z on" in told
    assert "end after 90 days, counted from now at the earliest" in told
    loyal.merge(101, 102, now + HOUR)
    account = counter.json("points", "show", "102")["account"]
    assert (account["inactivity_days"], account["excluded_why"]) == (90, "misuse")


def test_what_shopify_cannot_merge_is_not_planned(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.customer(103, now)
    assert "name two customers" in counter("merge", "plan", "101", "101", code=FAILED).err
    loyal.tea.apply(gone(103, now), now=now)
    assert "Customer 103 is gone" in counter("merge", "plan", "101", "103", code=FAILED).err
    merged(counter, loyal)
    assert "are customer 102" in counter("merge", "plan", "101", "102", code=FAILED).err


# ---- Receipts


@pytest.mark.req("K43", "K44")
def test_a_receipt_is_found_by_its_id_and_by_either_customer(counter: Onewriter, loyal: Loyal) -> None:
    hundred_each(loyal)
    assert counter.json("merge", "show", "101") == []
    assert "on neither side" in counter("merge", "show", "101").out
    receipt = merged(counter, loyal)
    for text in (receipt, "101", "102"):
        [shown] = counter.json("merge", "show", text)
        assert (shown["id"], shown["made_by"], shown["undone_at"]) == (receipt, "shopify", None)
        assert (shown["deleted"]["shopify_id"], shown["kept"]["shopify_id"]) == (101, 102)
        [dropped] = shown["dropped"]
        assert set(dropped) >= {"id", "rule", "points", "reference", "why", "stays"}
    told = counter("merge", "show", receipt).out
    assert "given once in a life" in told
    assert receipt in counter("merge", "list").out
    assert counter.json("merge", "show", str(uuid.uuid4()), code=FAILED)["error"]["kind"] == "UnknownCustomer"


@pytest.mark.req("K46")
def test_each_merge_of_a_chain_has_its_receipt(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.customer(103, now - MINUTE)
    loyal.merge(101, 102, now + 10 * MINUTE)
    loyal.merge(102, 103, now + 20 * MINUTE)
    newest, oldest = counter.json("merge", "show", "102")
    assert (newest["kept"]["shopify_id"], oldest["kept"]["shopify_id"]) == (103, 102)
    assert [len(each["dropped"]) for each in (newest, oldest)] == [1, 1]
    assert len(counter.json("merge", "list", "--limit", "1")) == 1


def test_nothing_was_merged_yet(counter: Onewriter) -> None:
    assert counter("merge", "list").out == "No points were merged in tea.myshopify.com yet.\n"
    assert counter.json("merge", "list") == []


# ---- Undo


@pytest.mark.req("K46")
def test_a_merge_is_undone_exactly_and_stays_so(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    hundred_each(loyal)
    before = [loyal.entries(number, dropped=True) for number in (101, 102)]
    receipt = merged(counter, loyal)
    undone = counter.json("merge", "undo", receipt, *WHY, "--yes")
    assert (undone["undone_by"], undone["undone_why"]) == (actor(), WHY[1])
    assert [undone["accounts"][side]["balance"] for side in ("deleted", "kept")] == [100, 100]
    assert [loyal.entries(number, dropped=True) for number in (101, 102)] == before
    loyal.merge(101, 102, now + 30 * MINUTE)
    assert [loyal.entries(number, dropped=True) for number in (101, 102)] == before
    assert "It was undone" in counter("merge", "show", receipt).out
    assert "its points were given back to it" in counter("points", "show", "101").out
    assert "undone already, by" in counter("merge", "undo", receipt, *WHY, "--yes", code=FAILED).err


def test_an_undo_asks_first_and_says_what_stays(
    counter: Onewriter, loyal: Loyal, now: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = merged(counter, loyal)
    loyal.post(loyal.order(7001, 101, 5, version=now + HOUR), at=now + HOUR)
    assert "add --yes" in counter("merge", "undo", receipt, *WHY, code=USAGE).err
    terminal = io.StringIO("n\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    told = counter("merge", "undo", receipt, *WHY, code=FAILED)
    assert "What was posted since stays with customer 102: 1 entry." in told.err
    assert "Nothing was changed." in told.err
    assert counter.json("merge", "show", receipt)[0]["undone_at"] is None


@pytest.mark.req("K46")
def test_an_undo_is_refused_with_the_reason_and_leaves_all_as_it_was(
    counter: Onewriter, loyal: Loyal, now: Instant
) -> None:
    hundred_each(loyal)
    receipt = merged(counter, loyal)
    loyal.redeem(102, 140, "k", at=now + HOUR)
    before = loyal.entries(102, dropped=True)
    told = counter("merge", "undo", receipt, *WHY, "--yes", code=FAILED)
    assert "Points have been spent since" in told.err
    assert loyal.entries(102, dropped=True) == before
    assert counter.json("merge", "show", receipt)[0]["undone_at"] is None
    loyal.customer(103, now)
    loyal.merge(102, 103, now + 40 * MINUTE)
    assert "undo that merge first" in counter("merge", "undo", receipt, *WHY, "--yes", code=FAILED).err


@pytest.mark.req("K46")
def test_a_merge_with_an_erased_customer_is_not_undone(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    receipt = merged(counter, loyal)
    with loyal.write() as db:
        erase_all(db, loyal.tea.vault, 102, Asked("by user:test", now), now)
    assert "was erased" in counter("merge", "undo", receipt, *WHY, "--yes", code=FAILED).err
    [shown] = counter.json("merge", "show", receipt)
    assert (shown["dropped"], shown["points_dropped"]) == ([], 50)


def test_only_a_receipt_is_undone(counter: Onewriter) -> None:
    for text in ("101", str(uuid.uuid4())):
        error = counter.json("merge", "undo", text, *WHY, "--yes", code=FAILED)["error"]
        assert error["kind"] == "UnknownReceipt"
        assert "merge list" in error["message"]
