"""`onewriter points`: an account and its statement, and what people do with the points."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from onewriter.cli.frame import FAILED, USAGE
from onewriter.cli.session import actor
from onewriter.customers.erasing import Asked
from onewriter.intake.redact import erase_all
from onewriter.records import DAY, HOUR, Instant, id_text
from tests.faces.conftest import Onewriter
from tests.support.counter import at_counter, set_clock
from tests.support.loyal import RULES, Loyal
from tests.support.shops import gone

EXPIRING = RULES.replace("points_per_unit = 1", "points_per_unit = 1\npending_days = 14")
EXPIRING += "[expiry]\nafter_days = 30\n"


class Terminal(io.StringIO):
    """Standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def counter(
    loyal: Loyal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str, keys_url: str
) -> Onewriter:
    """The commands, an hour after customer 101 got 50 points for signing up."""
    loyal.customer(101, loyal.now, email="Mia.Canary@example.com", first_name="Mia", last_name="Canary")
    return at_counter(monkeypatch, tmp_path, database_url, keys_url, loyal.now + HOUR)


def balance(counter: Onewriter, customer: str = "101") -> int:
    found: int = counter.json("points", "show", customer)["account"]["balance"]
    return found


# ---- Show


@pytest.mark.req("K19", "K20")
def test_an_account_says_what_there_is_and_what_comes_next(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(EXPIRING, now - HOUR)
    loyal.customer(102, now)
    loyal.post(loyal.order(7001, 102, 40))
    shown = counter.json("points", "show", "102")
    assert (shown["shop"], shown["shopify_id"], shown["customer"]) == ("tea.myshopify.com", 102, id_text(loyal.id(102)))
    account = shown["account"]
    assert (account["balance"], account["pending"], account["earned"]) == (50, 40, 90)
    assert account["pending_next"] == [{"points": 40, "at": "2026-03-16T10:00:00Z"}]
    assert account["ends_next"] == {"points": 50, "at": "2026-04-01T10:00:00Z", "by": "age"}
    told = counter("points", "show", "102").out
    for sentence in (
        "balance        50 points",
        "pending        40 points: 40 until 2026-03-16T10:00:00Z",
        "ends next      50 points on 2026-04-01T10:00:00Z, by age",
        "inactivity     never, since the programme says nothing of it",
        "excluded       no",
    ):
        assert sentence in told


def test_a_statement_is_read_line_by_line(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.post(loyal.order(7001, 101, 120))
    counter("points", "redeem", "101", "70", "--key", "till-1", "--why", "tea")
    lines = counter.json("points", "show", "101")["statement"]
    assert [(line["what"], line["reason"], line["points"], line["running"]) for line in lines] == [
        ("earned", "new customer", 50, 50),
        ("earned", "order 7001", 120, 170),
        ("redeemed", "tea", -70, 100),
    ]
    assert [(line["rule"], line["rule_version"], line["source"]) for line in lines] == [
        ("signup", 1, "shopify"),
        ("order", 1, "shopify"),
        ("redeem", None, actor()),
    ]
    told = counter("points", "show", "101").out
    assert "signup v1" in told
    assert "key till-1" in told
    short = counter.json("points", "show", "101", "--limit", "1")
    assert (len(short["statement"]), short["earlier"]) == (1, {"lines": 2, "running": 170})
    assert "2 earlier lines come to 170 points" in counter("points", "show", "101", "--limit", "1").out


def test_nobody_has_points_yet(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.customer(102, now - 40 * HOUR)
    shown = counter.json("points", "show", "102")
    assert (shown["account"]["balance"], shown["statement"]) == (0, [])
    assert "No points have ever been posted." in counter("points", "show", "102").out


@pytest.mark.req("K48")
def test_what_has_ended_is_due_and_nothing_is_written(
    counter: Onewriter, loyal: Loyal, now: Instant, monkeypatch: pytest.MonkeyPatch
) -> None:
    loyal.set_programme(EXPIRING, now - HOUR)
    loyal.customer(102, now)
    set_clock(monkeypatch, now + 31 * DAY)
    shown = counter.json("points", "show", "102")
    line = shown["statement"][-1]
    assert (line["what"], line["points"], line["running"], line["due"]) == ("expired", -50, 0, True)
    assert (line["id"], line["posted_at"]) == (None, None)
    assert shown["account"]["balance"] == 0
    assert loyal.lines(102) == [("new customer", 50)]
    counter("points", "adjust", "102", "--give", "1", "--why", "sorry")
    assert [points for _why, points in loyal.lines(102)] == [50, -50, 1]
    assert not any(line["due"] for line in counter.json("points", "show", "102")["statement"])


def test_the_open_lots_are_shown_in_the_order_in_which_they_are_spent(
    counter: Onewriter, loyal: Loyal, now: Instant
) -> None:
    counter("points", "give", "101", "review", "--reference", "r1")
    counter("points", "redeem", "101", "60", "--key", "k1")
    [lot] = counter.json("points", "show", "101", "--lots")["lots"]
    assert (lot["reason"], lot["left"], lot["of"]) == ("r1", 20, 30)
    assert "SPENDABLE FROM" in counter("points", "show", "101", "--lots").out
    assert "lots" not in counter.json("points", "show", "101")


@pytest.mark.req("K39", "K42")
def test_a_merged_away_customer_stands_for_the_kept_one(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.customer(102, now - HOUR)
    loyal.merge(101, 102, now)
    shown = counter.json("points", "show", "101")
    assert (shown["shopify_id"], shown["merged_away"]["shopify_id"]) == (102, 101)
    dropped = [line for line in shown["statement"] if not line["counts"]]
    assert [(line["dropped_why"], line["brought_by"]["shopify_id"]) for line in dropped] == [
        ("given once in a life", 101)
    ]
    assert dropped[0]["dropped_by"] == id_text(loyal.receipt(101).id)
    told = counter("points", "redeem", "101", "20", "--key", "k").out
    assert "Customer 101 was merged into customer 102" in told
    assert "of customer 102 under the key k. The balance is 30 points." in told
    assert balance(counter, "102") == 30


def test_time_stands_still_for_a_deleted_customer(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.tea.apply(gone(101, now), now=now)
    shown = counter.json("points", "show", "101")
    assert (shown["account"]["balance"], shown["deleted_at"]) == (50, "2026-03-02T10:00:00Z")
    assert "time stands still" in counter("points", "show", "101").out
    error = counter.json("points", "redeem", "101", "10", "--key", "k", code=FAILED)["error"]
    assert error["kind"] == "NoAccount"


def test_customers_are_found_by_whatever_names_them(counter: Onewriter, loyal: Loyal) -> None:
    for text in ("gid://shopify/Customer/101", id_text(loyal.id(101)), "mia.canary@example.com"):
        assert counter.json("points", "show", text)["shopify_id"] == 101
    assert "No customer" in counter("points", "show", "999", code=FAILED).err


def test_one_address_of_two_that_were_merged_is_that_of_one(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.customer(102, now, email="mia.canary@example.com")
    assert "Several customers" in counter("points", "show", "mia.canary@example.com", code=FAILED).err
    loyal.merge(101, 102, now)
    shown = counter.json("points", "show", "mia.canary@example.com")
    assert (shown["shopify_id"], shown["merged_away"]) == (102, None)


def test_an_erased_customer_has_no_statement(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    with loyal.write() as db:
        erase_all(db, loyal.tea.vault, 101, Asked("by user:test", now), now)
    assert "was erased at" in counter("points", "show", "101", code=FAILED).err


# ---- Redeem


def test_points_are_redeemed_once_for_each_key(counter: Onewriter) -> None:
    words = ("points", "redeem", "101", "30", "--key", "till-1")
    assert counter(*words).out == (
        "Redeemed 30 points of customer 101 under the key till-1. The balance is 20 points.\n"
    )
    again = counter.json(*words)
    assert (again["again"], again["account"]["balance"], again["entry"]["points"]) == (True, 20, -30)
    assert "nothing was done now" in counter(*words).out
    assert "20 points to spend, and 30" in counter("points", "redeem", "101", "30", "--key", "till-2", code=FAILED).err
    assert "use a new one" in counter("points", "redeem", "101", "10", "--key", "till-1", code=FAILED).err
    assert balance(counter) == 20


def test_a_redemption_is_given_back_by_its_key(counter: Onewriter) -> None:
    counter("points", "redeem", "101", "30", "--key", "till-1")
    words = ("points", "redeem", "--undo", "till-1")
    assert counter(*words).out == "Gave 30 points back to customer 101. The balance is 50 points.\n"
    assert counter.json(*words)["again"] is True
    assert balance(counter) == 50
    assert "given back since" in counter("points", "redeem", "101", "30", "--key", "till-1", code=FAILED).err
    assert "No redemption" in counter("points", "redeem", "--undo", "till-2", code=FAILED).err


def test_a_program_must_name_its_redemptions(counter: Onewriter) -> None:
    assert "add --key KEY" in counter("points", "redeem", "101", "30", code=USAGE).err
    assert balance(counter) == 50


def test_at_a_terminal_a_key_is_made_up_and_told(counter: Onewriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    told = counter("points", "redeem", "101", "10").out
    key = told.split("under the key ")[1].split(".")[0]
    assert counter.json("points", "redeem", "--undo", key)["account"]["balance"] == 50


@pytest.mark.parametrize(
    "words",
    [
        ("redeem",),
        ("redeem", "101", "--key", "k"),
        ("redeem", "101", "0", "--key", "k"),
        ("redeem", "101", "--", "-5"),
        ("redeem", "101", "5", "--key", " "),
        ("redeem", "101", "5", "--key", "k" * 201),
        ("redeem", "101", "5", "--key", "a\nb"),
        ("redeem", "101", "5", "--undo", "k"),
        ("adjust", "101", "--why", "sorry"),
        ("adjust", "101", "--give", "1", "--take", "1", "--why", "sorry"),
        ("adjust", "101", "--give", "1"),
        ("adjust", "101", "--give", "1000000001", "--why", "sorry"),
        ("give", "101", "review"),
        ("exclude", "101"),
        ("exclude", "101", "--why", ""),
        ("days", "101", "0"),
        ("days", "101", "ever"),
        ("days", "101", "3651"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(onewriter: Onewriter, words: tuple[str, ...]) -> None:
    told = onewriter("points", *words, code=USAGE)
    assert told.err.startswith("Error: ")
    assert len(told.err.splitlines()) == 1


# ---- Adjust, give, decide


def test_points_are_given_and_taken_by_hand_with_a_reason(counter: Onewriter, loyal: Loyal) -> None:
    given = counter.json("points", "adjust", "101", "--give", "5", "--why", "late parcel", "--key", "a1")
    assert (given["entry"]["points"], given["entry"]["source"], given["account"]["balance"]) == (5, actor(), 55)
    again = counter.json("points", "adjust", "101", "--give", "5", "--why", "late parcel", "--key", "a1")
    assert (again["again"], again["account"]["balance"]) == (True, 55)
    taken = counter("points", "adjust", "101", "--take", "50", "--why", "misuse").out
    assert taken == "Took 50 points from customer 101. The balance is 5 points.\n"
    assert "so 6 cannot be taken" in counter("points", "adjust", "101", "--take", "6", "--why", "x", code=FAILED).err
    assert sorted(loyal.lines(101)) == [("late parcel", 5), ("misuse", -50), ("new customer", 50)]


def test_a_custom_rule_gives_once_for_each_event(counter: Onewriter) -> None:
    told = counter("points", "give", "101", "review", "--reference", "r-1").out
    assert told == "Gave customer 101 30 points by the rule review. The balance is 80 points.\n"
    assert counter.json("points", "give", "101", "review", "--reference", "r-1")["again"] is True
    assert counter.json("points", "give", "101", "review", "--reference", "r-2")["account"]["balance"] == 110
    assert "programme show" in counter("points", "give", "101", "birthday", "--reference", "b", code=FAILED).err


@pytest.mark.req("K47")
def test_an_excluded_customer_keeps_what_it_has_and_earns_nothing(counter: Onewriter) -> None:
    told = counter("points", "exclude", "101", "--why", "misuse")
    assert told.out == "Customer 101 earns nothing from now on. The balance is 50 points.\n"
    assert actor() in told.err, "who decided it is logged"
    shown = counter.json("points", "show", "101")["account"]
    assert (shown["excluded_by"], shown["excluded_why"]) == ("person", "misuse")
    assert "yes, since 2026-03-02T11:00:00Z: misuse" in counter("points", "show", "101").out
    counter("points", "give", "101", "review", "--reference", "r-1", code=FAILED)
    counter("points", "redeem", "101", "20", "--key", "k")
    assert counter.json("points", "include", "101")["account"]["excluded_at"] is None
    assert counter.json("points", "give", "101", "review", "--reference", "r-1")["account"]["balance"] == 60


def test_who_has_an_excluded_tag_stays_excluded(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + '[exclude]\ntags = ["staff-canary"]\n', now - HOUR)
    loyal.customer(102, now - 2 * HOUR, tags=["staff-canary"])
    told = counter("points", "include", "102")
    assert "It still earns nothing" in told.out
    assert "staff-canary" not in told.all
    assert counter.json("points", "show", "102")["account"]["excluded_by"] == "tag"


@pytest.mark.req("K48")
def test_days_of_inactivity_are_the_customers_over_the_tags_over_the_shops(
    counter: Onewriter, loyal: Loyal, now: Instant
) -> None:
    rules = RULES + "[expiry]\ninactivity_days = 30\n[expiry.inactivity_by_tag]\nvip-canary = 60\n"
    loyal.set_programme(rules, now - HOUR)
    loyal.customer(102, now, tags=["VIP-canary"])
    found = {}
    for number in ("101", "102"):
        account = counter.json("points", "show", number)["account"]
        found[number] = (account["inactivity_days"], account["inactivity_from"])
    assert found == {"101": (30, "shop"), "102": (60, "tag")}
    assert "canary" not in counter("points", "show", "102").all
    assert "after 10 days" in counter("points", "days", "102", "10").out
    assert "Now: never, as a person decided" in counter("points", "days", "102", "never").out
    account = counter.json("points", "show", "102")["account"]
    assert (account["inactivity_days"], account["own_days"], account["inactivity_from"]) == (None, 0, "customer")
    assert account["ends_next"] is None
    assert "after 60 days" in counter("points", "days", "102", "default").out


def test_nothing_personal_is_told(counter: Onewriter, loyal: Loyal, now: Instant) -> None:
    person = "mia.canary@example.com"
    commands: list[Any] = [("show", person, "--lots"), ("redeem", person, "1", "--key", "k"), ("redeem", "--undo", "k")]
    commands += [("adjust", person, "--give", "1", "--why", "sorry"), ("give", person, "review", "--reference", "r")]
    commands += [("exclude", person, "--why", "misuse"), ("include", person), ("days", person, "9"), ("show", person)]
    for words in commands:
        for told in (counter("points", *words).all, counter("points", *words, "--json").all):
            assert "canary" not in told.lower()
            assert "Mia" not in told
