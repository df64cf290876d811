"""The replay of a ledger, as statements: what is left, spent, owed and expired, from what happened alone."""

import pytest

from onewriter.records import Entry, EntryKind
from onewriter.rules.lots import Ended, Lapse, lapse_at
from onewriter.rules.replaying import Drop, counts_as_earned, is_fact, replay, takes_redemption_back
from tests.support.ledgers import day, ended, entries_from, ledger, left, merge, spent, standing


@pytest.mark.req("K19")
def test_before_anything_happened_the_balance_is_zero_and_the_ledger_empty() -> None:
    found = replay([], day("2026-03-01"), Lapse(30))
    assert (found.balance, found.pending, found.earned, found.debt, found.floor) == (0, 0, 0, 0, 0)
    assert (found.lots, dict(found.ended), dict(found.uses), found.activity_at, found.due_at) == (
        (),
        {},
        {},
        None,
        None,
    )


@pytest.mark.parametrize(
    ("kind", "lot", "fact", "earned", "back"),
    [
        (EntryKind.EARN, None, True, True, False),
        (EntryKind.REDEEM, None, True, False, False),
        (EntryKind.ADJUST, None, True, False, False),
        (EntryKind.REVERSE, None, True, True, False),
        (EntryKind.REVERSE, b"spent", True, False, True),
        (EntryKind.CORRECT, None, True, True, False),
        (EntryKind.CORRECT, b"lot", False, False, False),
        (EntryKind.EXPIRE, b"lot", False, False, False),
        (EntryKind.MERGE_FLOOR, None, False, False, False),
    ],
)
def test_what_happened_and_what_only_follows(
    kind: EntryKind, lot: bytes | None, fact: bool, earned: bool, back: bool
) -> None:
    entry = Entry(
        id=b"1", customer_id=b"ann", origin_id=b"ann", kind=kind, points=1, rule="any",
        occurred_at=0, available_at=0, lot_id=lot,
    )  # fmt: skip
    assert (is_fact(entry), counts_as_earned(entry), takes_redemption_back(entry)) == (fact, earned, back)


# ---- Spending


def test_what_ends_first_is_spent_first_then_what_came_first() -> None:
    found = standing(
        """
        2026-03-01  order  #1      +10
        2026-03-02  event  late    +10  ends 2027-05-01
        2026-03-03  event  soon    +10  ends 2027-04-01
        2026-03-03  signup         +10
        2026-03-05  redeem tea     -25
        """,
        "2026-03-06",
    )
    assert spent(found, "ann redeem tea") == {"ann event soon": 10, "ann event late": 10, "ann order #1": 5}
    assert left(found) == {"ann order #1": 5, "ann signup": 10}
    assert (found.balance, found.earned) == (15, 40)


@pytest.mark.parametrize(("on", "balance", "pending"), [("2026-03-14", 0, 100), ("2026-03-15", 100, 0)])
def test_points_can_be_spent_from_their_moment_on(on: str, balance: int, pending: int) -> None:
    found = standing("2026-03-01 order #1 +100 opens 2026-03-15", on)
    assert (found.balance, found.pending, found.earned) == (balance, pending, 100)


def test_pending_points_are_not_spent() -> None:
    found = standing(
        """
        2026-03-01  order  #1   +100  opens 2026-03-15
        2026-03-01  signup       +50
        2026-03-05  redeem tea   -60
        """,
        "2026-03-06",
    )
    assert spent(found, "ann redeem tea") == {"ann signup": 50}
    assert (found.balance, found.pending, found.debt) == (-10, 100, 10)


def test_what_opens_in_the_moment_of_a_redemption_can_be_spent_and_what_ends_then_cannot() -> None:
    found = standing(
        """
        2026-03-01  order  #1   +30  opens 2026-03-05
        2026-03-01  order  #2   +30  ends 2026-03-05
        2026-03-05  redeem tea  -30
        """,
        "2026-03-05",
    )
    assert spent(found, "ann redeem tea") == {"ann order #1": 30}
    assert ended(found) == {"ann order #2": 30}


def test_a_redemption_taken_back_never_happened() -> None:
    lines = """
        2026-03-01  order  #1   +30  ends 2026-03-10
        2026-03-02  signup      +30
        2026-03-05  redeem tea  -40
        2026-03-12  back   tea  +40
        """
    assert left(standing(lines, "2026-03-13")) == {"ann signup": 30}
    assert ended(standing(lines, "2026-03-13")) == {"ann order #1": 30}
    assert standing(lines, "2026-03-13").earned == 60
    assert standing(lines, "2026-03-13").activity_at == day("2026-03-05"), "but somebody was there"


# ---- Expiry by age


@pytest.mark.parametrize(("on", "balance"), [("2026-03-30", 70), ("2026-03-31", 0), ("2026-04-30", 0)])
def test_only_what_was_not_spent_expires(on: str, balance: int) -> None:
    lines = """
        2026-03-01  order  #1   +100  ends 2026-03-31
        2026-03-05  redeem tea   -30
        """
    assert standing(lines, on).balance == balance
    if balance == 0:
        assert standing(lines, on).ended == {b"ann order #1": Ended(70, day("2026-03-31"), None)}


def test_a_lot_that_ends_before_it_opens_is_never_spent() -> None:
    lines = "2026-03-01 order #1 +10 opens 2026-03-09 ends 2026-03-05\n2026-03-10 redeem tea -5"
    found = standing(lines, "2026-03-11")
    assert (found.balance, found.pending, ended(found)) == (-5, 0, {"ann order #1": 10})


# ---- Refunds, and what they leave owed


def test_a_refund_takes_its_own_points_first() -> None:
    found = standing(
        """
        2026-03-01  signup        +50  ends 2026-04-01
        2026-03-02  order  #1     +40
        2026-03-03  order  #2     +40  opens 2026-05-01
        2026-03-04  refund #1/1   -40
        2026-03-04  cancel #2     -40
        """,
        "2026-03-05",
    )
    assert left(found) == {"ann signup": 50}
    assert (found.balance, found.pending, found.earned) == (50, 0, 50)


def test_a_refund_of_what_has_expired_takes_nothing_else() -> None:
    lines = """
        2026-03-01  signup        +50
        2026-03-02  order  #1     +40  ends 2026-03-10
        2026-03-12  refund #1/1   -30
        """
    found = standing(lines, "2026-03-13")
    assert (found.balance, ended(found), spent(found, "ann refund #1/1")) == (
        50, {"ann order #1": 10}, {"ann order #1": 30},
    )  # fmt: skip


def test_a_refund_of_spent_points_takes_others_and_then_leaves_a_debt_that_the_next_lots_pay() -> None:
    lines = """
        2026-03-01  order  #1     +40
        2026-03-02  redeem tea    -40
        2026-03-03  event  a      +10
        2026-03-04  refund #1/1   -40
        2026-03-06  event  b      +25  opens 2026-03-08
        2026-03-07  event  c      +20
        """
    assert standing(lines, "2026-03-05").debt == 30
    assert standing(lines, "2026-03-05").balance == -30
    assert left(standing(lines, "2026-03-07")) == {"ann event b": 25}
    assert (standing(lines, "2026-03-07").balance, standing(lines, "2026-03-07").pending) == (-10, 25)
    assert (standing(lines, "2026-03-08").balance, standing(lines, "2026-03-08").debt) == (15, 0)
    assert spent(standing(lines, "2026-03-08"), "ann refund #1/1") == {
        "ann event a": 10, "ann event c": 20, "ann event b": 10,
    }  # fmt: skip


def test_of_lots_that_open_at_once_the_one_that_ends_first_pays_the_debt() -> None:
    found = standing(
        """
        2026-03-01  adjust owed   -10
        2026-03-02  event  a      +10
        2026-03-02  event  b      +10  ends 2026-04-01
        """,
        "2026-03-03",
    )
    assert left(found) == {"ann event a": 10}


def test_an_edit_that_adds_is_a_lot_of_the_order() -> None:
    found = standing(
        """
        2026-03-01  order  #1     +40  ends 2026-04-01
        2026-03-01  edit   #1     +20  ends 2026-04-01  read 2026-03-03
        2026-03-02  signup        +50  ends 2026-03-20
        2026-03-04  refund #1/1   -55
        """,
        "2026-03-05",
    )
    assert (sum(spent(found, "ann refund #1/1").values()), left(found)["ann signup"], found.earned) == (55, 50, 55)


# ---- Expiry by inactivity


@pytest.mark.parametrize(
    ("activity", "policy", "at"),
    [
        (None, Lapse(30), None),
        ("2026-03-01", Lapse(None), None),
        ("2026-03-01", Lapse(30), "2026-03-31"),
        ("2026-03-01", Lapse(30, day("2026-03-02")), "2026-04-01"),
        ("2026-03-03", Lapse(30, day("2026-03-02")), "2026-04-02"),
    ],
)
def test_when_points_end_for_want_of_activity(activity: str | None, policy: Lapse, at: str | None) -> None:
    assert lapse_at(None if activity is None else day(activity), policy) == (None if at is None else day(at))


LAPSING = """
    2026-03-01  order  #1   +100
    2026-03-02  order  #2    +40  opens 2026-04-20
    """


@pytest.mark.req("K48")
@pytest.mark.parametrize(
    ("more", "on", "balance"),
    [
        ("", "2026-03-31", 100),
        ("", "2026-04-01", 0),
        ("2026-03-31 redeem tea -10", "2026-04-01", 90),
        ("2026-04-01 redeem tea -10", "2026-04-02", 90),
        ("2026-04-01 newsletter +10", "2026-04-02", 110),
        ("2026-04-02 newsletter +10", "2026-04-02", 10),
        ("2026-03-30 adjust gift +10", "2026-04-01", 0),
        ("2026-03-30 refund #1/1 -10", "2026-04-01", 0),
    ],
)
def test_all_that_can_be_spent_ends_after_too_long_without_activity(more: str, on: str, balance: int) -> None:
    found = standing(LAPSING + more, on, Lapse(30))
    assert (found.balance, found.pending) == (balance, 40)
    if balance == 0:
        assert found.ended[b"ann order #1"] == Ended(90 if "refund" in more else 100, day("2026-04-01"), 30)


def test_activity_between_two_lapses_does_not_bring_back_the_first() -> None:
    found = standing(LAPSING + "2026-04-05 newsletter +10", "2026-05-06", Lapse(30))
    assert ended(found) == {"ann order #1": 100, "ann newsletter": 10, "ann order #2": 40}
    assert [each.at for each in found.ended.values()].count(day("2026-05-05")) == 2


EXPIRED = LAPSING + "2026-04-01 expire order_#1 -100 days 30".replace("_", " ")


@pytest.mark.parametrize(
    ("policy", "more", "balance"),
    [
        (Lapse(30), "", 0),
        (Lapse(), "", 0),
        (Lapse(60), "", 0),
        (Lapse(30), "2026-03-20 redeem tea -10", 90),
        (Lapse(), "2026-04-02 redeem tea -10", -10),
        (Lapse(), "2026-03-02 event late +10", 0),
        (Lapse(), "2026-03-03 event late +10", 110),
        (Lapse(), "2026-04-03 unexpire order_#1 +60", 0),
        (Lapse(), "2026-04-03 unexpire order_#1 +100", 100),
    ],
)
def test_what_has_expired_stays_so_until_late_news_contradict_it(policy: Lapse, more: str, balance: int) -> None:
    assert standing(EXPIRED + "\n" + more.replace("_", " "), "2026-04-05", policy).balance == balance


@pytest.mark.req("K48")
@pytest.mark.parametrize(("on", "balance"), [("2026-04-03", 100), ("2026-04-04", 0)])
def test_another_rule_never_ends_points_in_hindsight(on: str, balance: int) -> None:
    assert standing(LAPSING, on, Lapse(5, day("2026-03-30"))).balance == balance


# ---- When something changes next


@pytest.mark.parametrize(
    ("lines", "policy", "due"),
    [
        ("2026-03-01 order #1 +10", Lapse(), None),
        ("2026-03-01 order #1 +10 opens 2026-03-15", Lapse(), "2026-03-15"),
        ("2026-03-01 order #1 +10 ends 2026-03-20", Lapse(), "2026-03-20"),
        ("2026-03-01 order #1 +10 opens 2026-03-15 ends 2026-03-12", Lapse(), "2026-03-12"),
        ("2026-03-01 order #1 +10 ends 2026-03-20", Lapse(12), "2026-03-13"),
        ("2026-03-01 order #1 +10 ends 2026-03-02", Lapse(12), None),
        ("2026-03-01 order #1 +10\n2026-03-01 redeem tea -10", Lapse(12), None),
    ],
)
def test_when_anything_changes_by_itself(lines: str, policy: Lapse, due: str | None) -> None:
    assert standing(lines, "2026-03-05", policy).due_at == (None if due is None else day(due))


# ---- Merges


BOB = """
    2026-03-01  order  #5   +50  ends 2026-04-01
    2026-03-02  redeem cup  -20
    """
ANN = """
    2026-03-01  order  #1   +50  ends 2026-03-25
    2026-03-10  redeem tea  -60
    """


@pytest.mark.req("K42", "K47")
def test_a_merge_never_changes_what_was_spent_of_which_lot() -> None:
    entries = entries_from(ANN) + entries_from(BOB, "bob")
    apart = replay(entries, day("2026-03-12"), joins=[merge("bob", "ann", "2026-03-11")])
    assert (spent(apart, "bob redeem cup"), spent(apart, "ann redeem tea")) == (
        {"bob order #5": 20}, {"ann order #1": 50, "bob order #5": 10},
    )  # fmt: skip
    before = replay(entries, day("2026-03-12"), joins=[merge("bob", "ann", "2026-03-09")])
    assert spent(before, "ann redeem tea") == {"ann order #1": 50, "bob order #5": 10}
    assert [lot.expires_at for lot in apart.lots] == [day("2026-04-01")]


@pytest.mark.req("K47")
def test_the_later_activity_counts_for_both_from_the_merge_on() -> None:
    entries = entries_from("2026-03-01 order #1 +50") + entries_from("2026-03-20 order #5 +50", "bob")
    joins = [merge("bob", "ann", "2026-03-25")]
    assert replay(entries, day("2026-04-18"), Lapse(30), joins).balance == 100
    assert replay(entries, day("2026-04-19"), Lapse(30), joins).balance == 0
    late = [merge("bob", "ann", "2026-04-01")]
    assert replay(entries, day("2026-04-02"), Lapse(30), late).balance == 50
    assert replay(entries, day("2026-04-02"), Lapse(30), late).activity_at == day("2026-03-20")


def test_what_was_spent_of_a_dropped_lot_is_spent_of_its_twin_and_else_owed() -> None:
    bob = "2026-03-01 signup +50\n2026-03-02 redeem cup -50"
    joins = [merge("bob", "ann", "2026-03-11")]
    drops = {b"bob signup": Drop(joins[0].receipt, joins[0].at, b"ann signup")}
    ann = "2026-02-01 signup +50\n2026-02-02 redeem tea -20\n2026-03-12 newsletter +15"
    entries = entries_from(ann) + entries_from(bob, "bob")
    found = replay(entries, day("2026-03-11"), Lapse(), joins, drops)
    assert (spent(found, "bob redeem cup"), found.floor, found.balance) == ({"ann signup": 30}, 20, 0)
    assert replay(entries, day("2026-03-12"), Lapse(), joins, drops).balance == 15
    assert replay(entries, day("2026-03-10"), Lapse(), [], {}).balance == 30


@pytest.mark.parametrize(
    ("owed", "floor", "balance"), [(0, 0, 30), (30, 0, 0), (50, 20, 0), (80, 50, 0), (81, 50, -1), (200, 50, -120)]
)
def test_a_merge_lifts_a_sum_below_zero_by_the_points_it_dropped_at_most(owed: int, floor: int, balance: int) -> None:
    ann = f"2026-02-01 signup +50\n2026-02-02 redeem tea -50\n2026-02-03 adjust owed {-owed:+}"
    bob = "2026-03-01 signup +50\n2026-03-02 order #5 +30 opens 2026-04-01"
    both = ledger(ann).joined(ledger(bob, "bob"), merge("bob", "ann", "2026-03-11"))
    found = both.standing(day("2026-03-12"), Lapse())
    assert (found.floor, found.balance + found.pending) == (floor, balance)


def test_the_floor_is_worked_out_anew_at_the_later_merge() -> None:
    ann = "2026-02-01 signup +50\n2026-02-02 redeem tea -50\n2026-02-03 adjust owed -20"
    both = ledger(ann).joined(ledger("2026-03-01 signup +50", "bob"), merge("bob", "ann", "2026-03-11"))
    assert both.standing(day("2026-03-12"), Lapse()).floor == 20
    three = both.joined(ledger("2026-03-01 order #5 +15", "cat"), merge("ann", "cat", "2026-03-20"))
    found = three.standing(day("2026-03-21"), Lapse())
    assert (found.floor, found.balance) == (5, 0)


def test_an_award_taken_back_takes_its_points_from_then_on() -> None:
    entries = entries_from(
        "2026-03-01 event award +50 ends 2026-06-01\n2026-03-01 signup +50\n2026-03-05 redeem tea -60"
    )
    taken = {b"ann event award": Drop(b"receipt", day("2026-03-10"))}
    found = replay(entries, day("2026-03-11"), Lapse(), (), taken)
    assert (found.balance, found.debt, found.earned, found.floor) == (-10, 10, 50, 0)
    assert ended(replay(entries, day("2026-06-02"), Lapse(), (), taken)) == {}


def test_what_is_dropped_from_its_own_moment_on_was_never_there() -> None:
    entries = entries_from("2026-03-01 event award +50")
    found = replay(entries, day("2026-03-05"), Lapse(), (), {b"ann event award": Drop(b"r", day("2026-03-01"))})
    assert (found.balance, found.earned, found.activity_at) == (0, 0, None)


def test_a_refund_of_a_dropped_order_takes_what_has_expired_of_its_twin() -> None:
    ann = "2026-03-01 order #7 +50 ends 2026-03-20 read 2026-03-09"
    bob = "2026-03-01 order #7 +50\n2026-03-09 refund #7/1 -20"
    both = ledger(ann).joined(ledger(bob, "bob"), merge("bob", "ann", "2026-04-01"))
    found = both.standing(day("2026-04-02"), Lapse())
    assert (ended(found), spent(found, "bob refund #7/1")) == ({"ann order #7": 30}, {"ann order #7": 20})


def test_what_had_expired_of_a_dropped_lot_is_not_lifted() -> None:
    ann = "2026-02-01 signup +50\n2026-02-02 redeem tea -50\n2026-02-03 adjust owed -90"
    bob = "2026-03-01 signup +50 ends 2026-03-20\n2026-03-02 redeem cup -10"
    both = ledger(ann).joined(ledger(bob, "bob"), merge("bob", "ann", "2026-04-01"))
    found = both.standing(day("2026-04-02"), Lapse())
    assert (found.floor, found.balance) == (10, -90)
