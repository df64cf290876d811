"""Statements: a ledger as people read it, and what a merge does to the days on which points end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onewriter.loyalty import merges, points, statement
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.books import Book, open_books
from onewriter.loyalty.statement import Ending, Line, next_end, pending
from onewriter.records import DAY, HOUR, Entry, EntryKind, Instant
from onewriter.rules.earning import Item
from onewriter.rules.lots import NO_LAPSE, Lapse
from onewriter.rules.merging import Ledger
from onewriter.rules.replaying import Join
from tests.support.ledgers import day, entries_from
from tests.support.loyal import RULES, Loyal, refunds

LEDGER = """
    2026-03-01  signup              +50
    2026-03-02  order  #1001       +120  opens 2026-03-16  ends 2026-06-01
    2026-03-04  refund #1001/1      -40
    2026-03-05  redeem tea          -50
    2026-03-06  back   tea          +50
    2026-03-07  adjust kind          +5
    2026-03-08  adjust wrong         -3
"""


def lines_of(loyal: Loyal, number: int) -> list[Line]:
    return statement.statement(loyal.entries(number, dropped=True))


# ---- Lines


def test_a_statement_reads_like_that_of_a_bank() -> None:
    told = [(line.what, line.entry.points, line.running) for line in statement.statement(entries_from(LEDGER))]
    assert told == [
        ("earned", 50, 50),
        ("earned", 120, 170),
        ("taken back", -40, 130),
        ("redeemed", -50, 80),
        ("redemption given back", 50, 130),
        ("given by hand", 5, 135),
        ("taken by hand", -3, 132),
    ]
    assert statement.statement([]) == []


def test_every_kind_has_its_words() -> None:
    [one] = entries_from("2026-03-01 signup +50")
    assert all(statement.in_words(replace(one, kind=kind)) for kind in EntryKind)


def test_lines_are_in_the_order_of_posting_and_not_of_happening() -> None:
    early, late = entries_from("2026-03-01 event one +1\n2026-03-02 event two +2")
    found = statement.statement(
        [replace(early, posted_at=day("2026-03-05")), replace(late, posted_at=day("2026-03-04"))]
    )
    assert [(line.entry.reference, line.running) for line in found] == [("two", 2), ("one", 3)]


def test_a_line_says_until_when_its_points_were_pending() -> None:
    found = statement.statement([replace(each, posted_at=each.occurred_at) for each in entries_from(LEDGER)])
    assert [line.pending_until for line in found if line.pending_until is not None] == [day("2026-03-16")]


@pytest.mark.req("K43", "K44")
def test_what_a_receipt_drops_is_shown_and_does_not_count() -> None:
    first, second = entries_from("2026-03-01 signup +50\n2026-03-02 order #1 +7")
    brought = replace(first, id=b"other", origin_id=b"bob", dropped_by=b"receipt")
    found = statement.statement([first, brought, second])
    assert [(line.counts, line.brought_by, line.running) for line in found] == [
        (True, None, 50),
        (False, b"bob", 50),
        (True, None, 57),
    ]


# ---- What the account says


def agrees(lines: Sequence[Line], account: Account) -> bool:
    """The statement comes to what the account has."""
    return (lines[-1].running if lines else 0) == account.balance + account.pending


@pytest.mark.req("K40", "K42", "K45")
def test_a_statement_comes_to_what_the_account_has_through_a_life(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + "[expiry]\nafter_days = 30\n", now - HOUR)
    loyal.customer(101, now)
    loyal.customer(102, now - HOUR)
    order = loyal.order(7001, 101, 120)
    loyal.post(order, loyal.order(7002, 102, 10))
    loyal.redeem(101, 100, "k1")
    loyal.post(replace(order, version=now + HOUR, refunds=tuple(refunds((9001, 110, now + HOUR)))), at=now + HOUR)
    assert agrees(lines_of(loyal, 101), loyal.account(101))
    loyal.merge(101, 102, now + 2 * HOUR)
    assert agrees(lines_of(loyal, 102), loyal.account(102, now + 3 * HOUR))
    assert lines_of(loyal, 101) == []
    with loyal.write() as db:
        at = now + 40 * DAY
        points.adjust(db, loyal.tea.vault, loyal.id(102), 5, "sorry", "user:test", at)
    assert agrees(lines_of(loyal, 102), loyal.account(102, at))
    assert lines_of(loyal, 102)[-1].running == 5


@dataclass(frozen=True)
class Act:
    """Something that happens to one of two customers."""

    who: bytes
    day: int
    kind: EntryKind
    points: int
    pending_days: int
    keeps_days: int | None
    once: bool


ANN, BOB = b"ann", b"bob"
DAYS = st.integers(0, 20)
ACTS = st.builds(
    Act, st.sampled_from([ANN, BOB]), DAYS, st.sampled_from([EntryKind.EARN, EntryKind.REDEEM, EntryKind.ADJUST]),
    st.integers(1, 9), st.sampled_from([0, 0, 4]), st.sampled_from([None, 3, 6]), st.booleans(),
)  # fmt: skip


def book_of(who: bytes, own_days: int | None, entries: Sequence[Entry] = (), joins: Sequence[Join] = ()) -> Book:
    account = Account(who, 1, own_days=own_days)
    return Book(1, who, 1, None, False, account, False, list(entries), list(joins), {}, {}, (), frozenset())


def perform(book: Book, act: Act) -> None:
    at = act.day * DAY
    credit = act.kind is EntryKind.EARN
    available = at + act.pending_days * DAY if credit else at
    item = Item(
        kind=act.kind, points=act.points if credit else -act.points, rule=act.kind.value, occurred_at=at,
        available_at=available, once_key="signup" if credit and act.once else None,
        expires_at=available + act.keeps_days * DAY if credit and act.keeps_days else None,
    )  # fmt: skip
    if item.once_key is None or all(each.once_key is None for each in book.entries):
        book.post(item, act.who, at)


@given(st.lists(ACTS, max_size=12), st.sampled_from([None, 0, 3, 7]), st.integers(0, 20))
def test_a_statement_comes_to_what_the_account_has_whatever_happens(
    acts: list[Act], own_days: int | None, joined: int
) -> None:
    books = {who: book_of(who, own_days) for who in (ANN, BOB)}
    for act in sorted(acts, key=lambda act: act.day):
        if act.day <= joined:
            perform(books[act.who], act)
            books[act.who].settle(act.day * DAY)
            assert agrees(statement.statement(books[act.who].entries), books[act.who].account)
    for book in books.values():
        book.settle(joined * DAY)
    moved = [replace(entry, customer_id=ANN) for who in (ANN, BOB) for entry in books[who].entries]
    both = book_of(ANN, own_days, moved, [Join(b"receipt", BOB, ANN, joined * DAY)])
    both.settle(joined * DAY)
    for act in sorted(acts, key=lambda act: act.day):
        if act.day > joined:
            perform(both, act)
            both.settle(act.day * DAY)
    both.settle(40 * DAY)
    lines = statement.statement(both.entries)
    assert agrees(lines, both.account)
    for before, line in pairwise(lines):
        assert line.running - before.running == (line.entry.points if line.counts else 0)


# ---- What comes next


def test_pending_points_are_told_by_the_day_on_which_they_open() -> None:
    ledger = Ledger(entries_from("2026-03-01 order #1 +5 opens 2026-03-16\n2026-03-01 event one +2 opens 2026-03-10"))
    today = day("2026-03-02")
    found = pending(ledger.standing(today, NO_LAPSE), today)
    assert list(found.items()) == [(day("2026-03-10"), 2), (day("2026-03-16"), 5)]


@pytest.mark.req("K48")
@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (NO_LAPSE, Ending(30, day("2026-03-20"), by_inactivity=False)),
        (Lapse(30), Ending(30, day("2026-03-20"), by_inactivity=False)),
        (Lapse(10), Ending(80, day("2026-03-13"), by_inactivity=True)),
        (Lapse(10, day("2026-03-09")), Ending(80, day("2026-03-19"), by_inactivity=True)),
    ],
)
def test_what_ends_next_is_what_will_be_posted_then(policy: Lapse, told: Ending) -> None:
    text = (
        "2026-03-01 event one +50 ends 2026-04-01\n2026-03-01 event two +40 ends 2026-03-20\n2026-03-03 redeem tea -10"
    )
    ledger, today = Ledger(entries_from(text)), day("2026-03-04")
    assert next_end(ledger, ledger.standing(today, policy), policy, today) == told
    assert sum(each.points for each in ledger.standing(told.at, policy).ended.values()) == told.points
    assert sum(each.points for each in ledger.standing(told.at - 1, policy).ended.values()) == 0


def test_nothing_ends_where_nothing_is_left_or_no_rule_says_so() -> None:
    for text in ("2026-03-01 event one +5", "2026-03-01 event one +5 ends 2026-04-01\n2026-03-02 redeem tea -5"):
        ledger, today = Ledger(entries_from(text)), day("2026-03-03")
        assert next_end(ledger, ledger.standing(today, NO_LAPSE), NO_LAPSE, today) is None


def test_points_that_a_debt_will_take_do_not_end() -> None:
    text = "2026-03-01 order #1 +9 opens 2026-03-10 ends 2026-03-20\n2026-03-02 adjust wrong -4"
    ledger, today = Ledger(entries_from(text)), day("2026-03-03")
    found = next_end(ledger, ledger.standing(today, NO_LAPSE), NO_LAPSE, today)
    assert found == Ending(5, day("2026-03-20"), by_inactivity=False)


# ---- Days of inactivity after a merge

LAPSING = RULES + "[expiry]\ninactivity_days = 30\n[expiry.inactivity_by_tag]\nvip = 730\n"


def a_long_lasting_and_a_busy_one(loyal: Loyal, now: Instant, *, tagged: bool) -> Instant:
    """101's 40 points last; 102 has 30 days, and bought 100 days later. Returns that moment."""
    loyal.set_programme(LAPSING, now - 2 * HOUR)
    loyal.customer(101, now - HOUR, tags=["VIP"] if tagged else None)
    loyal.customer(102, now)
    loyal.post(loyal.order(7001, 101, 40))
    if not tagged:
        with loyal.write() as db:
            points.set_days(db, loyal.tea.vault, loyal.id(101), 0, now)
    at = now + 100 * DAY
    loyal.post(loyal.order(7002, 102, 10, processed=at, version=at), at=at)
    assert (loyal.figures(101, at)[0], loyal.figures(102, at)[0]) == (90, 10)
    return at


@pytest.mark.req("K47", "K48")
@pytest.mark.parametrize("tagged", [True, False], ids=["by a tag", "by a person"])
def test_a_merge_ends_no_points_in_hindsight(loyal: Loyal, now: Instant, tagged: bool) -> None:
    at = a_long_lasting_and_a_busy_one(loyal, now, tagged=tagged)
    loyal.merge(101, 102, at + HOUR)
    assert loyal.figures(102, at + 2 * HOUR)[0] == 100
    figures = loyal.receipt(101).figures
    assert (figures["deleted"]["balance"], figures["kept"]["balance"]) == (90, 10)
    assert figures["after"]["balance"] == 100
    ends = loyal.account(102, at + 2 * HOUR).valid_until
    if tagged:
        assert ends is not None
        assert ends > at + 30 * DAY, "they are counted from the merge on at the earliest"
        assert loyal.figures(102, ends)[0] == 0
    else:
        assert ends is None, "what a person decided for one of them counts for both"


@pytest.mark.req("K47")
@pytest.mark.parametrize("tagged", [True, False], ids=["by a tag", "by a person"])
def test_a_plan_says_what_the_merge_then_does(loyal: Loyal, now: Instant, tagged: bool) -> None:
    at = a_long_lasting_and_a_busy_one(loyal, now, tagged=tagged)
    with loyal.tea.runtime.database.read() as db:
        books = open_books(db, loyal.tea.vault, [loyal.id(101), loyal.id(102)])
        books.settle(at)
        source, target = books.of(loyal.id(101)), books.of(loyal.id(102))
        assert source is not None
        assert target is not None
        join = Join(b"planned", loyal.id(101), loyal.id(102), at)
        planned = merges.figures_of(merges.plan_of(source, target, join, at))
        after = merges.joined_account(source, target, at, at)
    loyal.merge(101, 102, at)
    assert loyal.receipt(101).figures == planned
    account = loyal.account(102, at + HOUR)
    assert (account.lapse_days, account.own_days) == (after.lapse_days, after.own_days)
