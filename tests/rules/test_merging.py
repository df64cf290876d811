"""Merging, as pure rules: which entries stay, why the others do not count, and what the merge comes to."""

import itertools
from dataclasses import replace

import pytest

from onewriter.records import SECOND
from onewriter.rules.lots import Lapse
from onewriter.rules.merging import FOLLOWS, ONCE, SAME, SAME_ORDER, Ledger, Plan, duplicates, joined_by, plan
from onewriter.rules.replaying import Join, Standing
from tests.support.ledgers import day, ended, entries_from, ledger, left, merge, open_lots, spent

AT = "2026-04-01"
NOW = day("2026-04-02")


def planned(ann: str, bob: str, policy: Lapse = Lapse()) -> Plan:  # noqa: B008
    return plan(ledger(ann), ledger(bob, "bob"), merge("bob", "ann", AT), NOW, policy)


def dropped(found: Plan) -> dict[str, str]:
    """What is dropped, and what stays in its place."""
    return {each.decode(): twin.stays.decode() for each, twin in found.dropped.items()}


ANN = """
    2026-03-02  signup      +50
    2026-03-03  order  #1   +50
    """
BOB = """
    2026-03-01  signup      +50
    2026-03-04  order  #2   +50
    """


@pytest.mark.req("K40", "K41", "K44", "K45")
def test_100_and_100_with_a_signup_of_50_on_each_side_are_150() -> None:
    found = planned(ANN, BOB)
    assert (found.kept.balance, found.deleted.balance, found.after.balance) == (100, 100, 150)
    assert (found.kept.earned, found.deleted.earned, found.after.earned) == (100, 100, 150)
    assert found.points_dropped == 50
    ((entry_id, twin),) = found.dropped.items()
    assert (entry_id, twin.why, twin.stays, twin.stays_origin) == (b"ann signup", ONCE, b"bob signup", b"bob")


@pytest.mark.req("K42")
def test_all_entries_of_the_deleted_one_move_and_nothing_of_them_changes() -> None:
    bob = ledger(BOB + "2026-03-05 order #3 +20 opens 2026-05-01 ends 2026-06-01", "bob")
    found = plan(ledger(ANN), bob, merge("bob", "ann", AT), NOW, Lapse())
    assert found.moves == tuple(bob.entries)
    assert open_lots(found.after)[-1] == (day("2026-05-01"), day("2026-06-01"), 20)
    assert (found.after.balance, found.after.pending) == (150, 20)


def test_the_reasons_are_told_in_words() -> None:
    assert (ONCE, SAME, SAME_ORDER, FOLLOWS) == (
        "given once in a life",
        "the same event on both sides",
        "the same order on both sides",
        "follows from an entry that was dropped",
    )


def test_each_side_is_planned_by_its_own_days_of_inactivity() -> None:
    sides = ledger("2026-03-01 event x +50"), ledger("2026-03-02 event y +50", "bob")
    join, never = merge("bob", "ann", AT), Lapse(900)
    alike = plan(*sides, join, NOW, Lapse(10))
    assert (alike.kept.balance, alike.deleted.balance, alike.after.balance) == (0, 0, 0)
    apart = plan(*sides, join, NOW, Lapse(10), of_deleted=never, after=Lapse(20))
    assert (apart.kept.balance, apart.deleted.balance, apart.after.balance) == (0, 50, 0)
    assert plan(*sides, join, NOW, Lapse(10), after=never).after.balance == 100


def test_a_merge_with_nobody_changes_nothing() -> None:
    found = planned(ANN, "")
    assert (found.after, found.moves, dict(found.dropped), found.points_dropped) == (found.kept, (), {}, 0)
    assert (found.deleted.balance, found.deleted.earned) == (0, 0)


# ---- What is one and the same


@pytest.mark.req("K43", "K44")
@pytest.mark.parametrize(
    ("ann", "bob", "gone", "why"),
    [
        ("2026-03-01 signup +50", "2026-03-02 signup +80", "bob signup", ONCE),
        ("2026-03-02 signup +50", "2026-03-01 signup +80", "ann signup", ONCE),
        ("2026-03-01 signup +50", "2026-03-01 signup +80", "bob signup", ONCE),
        ("2026-03-02 newsletter +5", "2026-03-01 newsletter +5", "ann newsletter", ONCE),
        ("2026-03-01 event review-7 +5", "2026-03-02 event review-7 +5", "bob event review-7", SAME),
        ("2026-03-02 order #7 +5", "2026-03-01 order #7 +5", "bob order #7", SAME_ORDER),
        ("2026-03-01 order #7 +5", "2026-03-01 order #7 +6 read 2026-03-03", "ann order #7", SAME_ORDER),
        ("2026-03-01 order #7 +5", "2026-03-01 order #7 +6", "bob order #7", SAME_ORDER),
    ],
)
def test_what_is_one_and_the_same_stays_once(ann: str, bob: str, gone: str, why: str) -> None:
    both = entries_from(ann) + entries_from(bob, "bob")
    for entries in (both, both[::-1]):
        found = duplicates(entries)
        assert {each.decode(): twin.why for each, twin in found.items()} == {gone: why}
        (twin,) = found.values()
        assert (twin.stays, twin.stays_origin) == next((e.id, e.origin_id) for e in both if e.id.decode() != gone)


@pytest.mark.req("K43")
@pytest.mark.parametrize(
    ("ann", "bob"),
    [
        ("2026-03-01 signup +50", "2026-03-01 newsletter +50"),
        ("2026-03-01 event review-7 +5", "2026-03-01 event review-8 +5"),
        ("2026-03-01 order #7 +5", "2026-03-01 order #8 +5"),
        ("2026-03-01 order #7 +5", "2026-03-01 event 7 +5"),
        ("2026-03-01 redeem tea -5", "2026-03-01 redeem tea -5"),
        ("2026-03-01 adjust gift +5", "2026-03-01 adjust gift +5"),
        ("2026-03-01 refund #7/1 -5", "2026-03-01 refund #7/2 -5"),
        ("2026-03-01 order #7 +5\n2026-03-01 refund #7/1 -5", ""),
    ],
)
def test_what_is_not_the_same_stays_on_both_sides(ann: str, bob: str) -> None:
    assert duplicates(entries_from(ann) + entries_from(bob, "bob")) == {}


def test_an_event_of_another_rule_is_another_event() -> None:
    (one,), (two,) = entries_from("2026-03-01 event 7 +5"), entries_from("2026-03-01 event 7 +5", "bob")
    assert duplicates([one, replace(two, rule="custom:survey")]) == {}


# ---- The same order on both sides


@pytest.mark.req("K43")
@pytest.mark.parametrize(
    ("ann", "bob", "stays", "balance"),
    [
        # A refund that both have heard of counts once.
        ("order #7 +50 / refund #7/1 -20", "order #7 +50 / refund #7/1 -20", ["ann order #7", "ann refund #7/1"], 30),
        # One that only the other has heard of is kept.
        ("order #7 +50 read 2026-03-09", "order #7 +50 / refund #7/1 -20", ["ann order #7", "bob refund #7/1"], 30),
        ("order #7 +50 / refund #7/1 -20", "order #7 +50 read 2026-03-09", ["bob order #7", "ann refund #7/1"], 30),
        # Each has heard of one.
        (
            "order #7 +50 read 2026-03-09 / refund #7/1 -20",
            "order #7 +50 / refund #7/2 -30",
            ["ann order #7", "ann refund #7/1", "bob refund #7/2"],
            0,
        ),
        # Nothing is left that the other's refund could take back.
        (
            "order #7 +50 read 2026-03-09 / refund #7/1 -40",
            "order #7 +50 / refund #7/2 -20",
            ["ann order #7", "ann refund #7/1"],
            10,
        ),
        # What the newer read made of it stays, and the edit of the older one goes with its order.
        ("order #7 +50 / edit #7 +10", "order #7 +45 read 2026-03-09", ["bob order #7"], 45),
        ("order #7 +50 / edit #7 +10 read 2026-03-09", "order #7 +45", ["ann edit #7", "ann order #7"], 60),
        # Only one side has earned.
        ("refund #7/1 -20", "order #7 +50", ["ann refund #7/1", "bob order #7"], 30),
    ],
)
def test_of_an_order_on_both_sides_the_newest_read_stays(ann: str, bob: str, stays: list[str], balance: int) -> None:
    sides = ["\n".join(f"2026-03-01 {line}" for line in side.split(" / ")) for side in (ann, bob)]
    found = planned(sides[0], sides[1])
    kept = [each for side, who in zip(sides, ("ann", "bob"), strict=True) for each in entries_from(side, who)]
    assert sorted(each.id.decode() for each in kept if each.id not in found.dropped) == sorted(stays)
    assert (found.after.balance, found.after.earned) == (balance, balance)
    assert {twin.why for twin in found.dropped.values()} <= {SAME_ORDER}
    assert {twin.stays for twin in found.dropped.values()} <= {each.encode() for each in stays if "order" in each}


def test_what_was_told_without_a_read_is_older_than_any_read() -> None:
    told = [replace(each, version=None) for each in entries_from("2026-03-01 order #7 +50")]
    (read,) = entries_from("2026-03-01 order #7 +50", "bob")
    assert set(duplicates([*told, replace(read, version=1)])) == {b"ann order #7"}
    assert set(duplicates([*told, replace(read, version=0)])) == {b"bob order #7"}


def test_what_becomes_known_after_the_merge_stays_with_the_side_that_stays() -> None:
    ann = "2026-03-01 order #7 +50 read 2026-03-05"
    bob = "2026-03-01 order #7 +60 read 2026-03-06"
    both = ledger(ann).joined(ledger(bob, "bob"), merge("bob", "ann", AT))
    later = entries_from("2026-04-03 refund #7/1 -30\n2026-04-03 edit #7 -10", "bob")
    found = Ledger([*both.entries, *later], both.joins).standing(day("2026-04-04"), Lapse())
    assert (found.balance, found.earned, left(found)) == (20, 20, {"bob order #7": 20})


# ---- What was spent, has expired, or is pending


@pytest.mark.req("K45")
def test_dropped_points_that_were_spent_are_owed_and_the_floor_lifts_them_visibly() -> None:
    found = planned(
        "2026-03-02 signup +50\n2026-03-03 redeem tea -50",
        "2026-03-01 signup +50\n2026-03-03 redeem cup -50\n2026-03-04 order #2 +20",
    )
    assert (found.kept.balance, found.deleted.balance) == (0, 20)
    assert (found.after.floor, found.after.balance, found.after.debt) == (30, 0, 0)
    assert (found.points_dropped, found.after.earned) == (50, 70)


@pytest.mark.req("K47")
def test_the_dates_of_what_stays_are_its_own() -> None:
    found = planned(
        "2026-03-02 signup +50 ends 2026-09-01",
        "2026-03-01 signup +50 ends 2026-08-01 opens 2026-05-01\n2026-03-02 order #2 +20 ends 2026-07-01",
    )
    assert (found.after.balance, found.after.pending) == (20, 50)
    assert open_lots(found.after) == sorted(
        [(day("2026-03-02"), day("2026-07-01"), 20), (day("2026-05-01"), day("2026-08-01"), 50)]
    )


def test_an_expiry_goes_with_the_points_that_are_dropped() -> None:
    found = planned(
        "2026-03-02 signup +50 ends 2026-03-20\n2026-03-20 expire signup -50\n2026-03-21 order #1 +10",
        "2026-03-01 signup +50",
    )
    assert dropped(found) == {"ann signup": "bob signup", "ann expire signup": "ann signup"}
    assert {each.decode(): twin.why for each, twin in found.dropped.items()}["ann expire signup"] == FOLLOWS
    assert found.dropped[b"ann expire signup"].stays_origin == b"ann"
    assert (found.after.balance, found.points_dropped, ended(found.after)) == (60, 0, {})


def test_an_expiry_of_what_stays_stays() -> None:
    found = planned("2026-03-02 signup +50 ends 2026-03-20\n2026-03-20 expire signup -50", "2026-03-03 signup +50")
    assert dropped(found) == {"bob signup": "ann signup"}
    assert (found.after.balance, ended(found.after)) == (0, {"ann signup": 50})


def test_what_was_spent_of_a_dropped_lot_brings_back_nothing_that_has_expired_of_its_twin() -> None:
    # A refund of another order had been paid from the signup: it is not the signup's own.
    found = planned(
        "2026-03-01 signup +50 ends 2026-03-20",
        "2026-03-01 order #5 +20\n2026-03-02 signup +50\n2026-03-04 redeem cup -20\n2026-03-05 refund #5/1 -20",
    )
    assert spent(found.after, "bob refund #5/1") == {}
    assert (ended(found.after), found.after.floor, found.after.balance) == ({"ann signup": 50}, 20, 0)


def test_what_is_dropped_together_is_never_spent_in_its_place() -> None:
    # The signup was spent; the order, which ends sooner than all else, is dropped by the same merge.
    found = planned(
        "2026-03-03 signup +50\n2026-03-04 redeem tea -50\n2026-03-05 order #7 +40 ends 2026-05-01",
        "2026-03-01 signup +10\n2026-03-01 order #7 +40 ends 2026-06-01 read 2026-03-09\n"
        "2026-03-01 order #8 +40 ends 2026-05-15",
    )
    assert spent(found.after, "ann redeem tea") == {"bob signup": 10, "bob order #8": 40}
    assert left(found.after) == {"bob order #7": 40}


# ---- Awards that were taken back


def test_an_award_that_was_taken_back_is_nobodys_twin() -> None:
    taken = [replace(each, dropped_by=b"award") for each in entries_from("2026-03-01 signup +50")]
    ann = Ledger(taken, (), {b"award": day("2026-03-05")})
    found = plan(ann, ledger("2026-03-02 signup +50", "bob"), merge("bob", "ann", AT), NOW, Lapse())
    assert (dict(found.dropped), found.after.balance, found.points_dropped) == ({}, 50, 0)
    assert ann.drops()[0][b"ann signup"].at == day("2026-03-05")
    assert ann.drops()[1] == {}


def test_what_a_merge_dropped_is_worked_out_anew_and_never_taken_as_given() -> None:
    both = ledger(ANN).joined(ledger(BOB, "bob"), merge("bob", "ann", AT))
    said = [replace(each, dropped_by=b"bob into ann") for each in both.entries]
    assert Ledger(said, both.joins).drops() == both.drops()
    assert set(both.drops()[0]) == {b"ann signup"}


# ---- Chains


A = "2026-03-03 signup +50\n2026-03-05 order #7 +30 ends 2026-06-01\n2026-03-06 event x +5"
B = "2026-03-02 signup +50\n2026-03-05 order #7 +30 ends 2026-06-01\n2026-03-09 refund #7/1 -10"
C = "2026-03-04 signup +50\n2026-03-05 order #7 +25 ends 2026-06-01 read 2026-03-20\n2026-03-07 event x +5"
SIDES = {"ann": A, "bob": B, "cat": C}
GROUPINGS = [
    [("ann", "bob"), ("bob", "cat")],
    [("bob", "cat"), ("ann", "cat")],
    [("ann", "cat"), ("bob", "cat")],
    [("bob", "ann"), ("ann", "cat")],
    [("cat", "bob"), ("bob", "ann")],
]


def chained(merges: list[tuple[str, str]]) -> tuple[set[bytes], Standing]:
    held = {who: ledger(text, who) for who, text in SIDES.items()}
    for number, (deleted, kept) in enumerate(merges):
        join = merge(deleted, kept, f"2026-04-0{number + 1}")
        held[kept] = held[kept].joined(held[deleted], join)
    end = held[merges[-1][1]]
    return {each.id for each in end.entries} - end.drops()[0].keys(), end.standing(day("2026-05-01"), Lapse())


@pytest.mark.req("K40", "K41", "K43", "K44")
@pytest.mark.parametrize("merges", GROUPINGS)
def test_a_chain_of_merges_ends_the_same_however_it_is_grouped(merges: list[tuple[str, str]]) -> None:
    counts, found = chained(merges)
    assert counts == {b"bob signup", b"cat order #7", b"bob refund #7/1", b"ann event x"}
    assert (found.balance, found.earned, found.pending, found.debt) == (70, 70, 0, 0)
    assert open_lots(found) == open_lots(chained(GROUPINGS[0])[1])


def test_a_plan_names_only_what_this_merge_drops() -> None:
    first = merge("ann", "bob", "2026-04-01")
    both = ledger(B, "bob").joined(ledger(A), first)
    found = plan(ledger(C, "cat"), both, merge("bob", "cat", "2026-04-02"), day("2026-04-03"), Lapse())
    # Of the order the newest read stays: first that which told the refund, then a newer one.
    assert set(both.drops()[0]) == {b"ann signup", b"ann order #7"}
    assert dropped(found) == {
        "cat signup": "bob signup", "cat event x": "ann event x", "bob order #7": "cat order #7",
    }  # fmt: skip
    assert found.points_dropped == 85
    assert {twin.stays_origin for twin in found.dropped.values()} == {b"ann", b"bob", b"cat"}


@pytest.mark.parametrize(
    ("one", "other", "receipt"),
    [("ann", "bob", "ann into bob"), ("bob", "cat", "bob into cat"), ("ann", "cat", "bob into cat")],
)
def test_the_merge_that_made_two_one(one: str, other: str, receipt: str) -> None:
    joins = [merge("ann", "bob", "2026-04-01"), merge("bob", "cat", "2026-04-02"), merge("dan", "cat", "2026-04-03")]
    for order in itertools.permutations(joins):
        assert joined_by(one.encode(), other.encode(), order).receipt == receipt.encode()
        assert joined_by(other.encode(), one.encode(), order).receipt == receipt.encode()


def test_of_two_that_no_merge_made_one_the_last_merge_is_named() -> None:
    joins = [merge("ann", "bob", "2026-04-01"), merge("cat", "dan", "2026-04-02")]
    assert joined_by(b"ann", b"dan", joins).receipt == b"cat into dan"


def test_merges_of_one_second_are_taken_in_the_order_of_their_receipts() -> None:
    joins = [Join(b"2", b"bob", b"cat", SECOND), Join(b"1", b"ann", b"bob", SECOND)]
    assert joined_by(b"ann", b"cat", joins).receipt == b"2"


def test_dropped_entries_are_dropped_by_the_merge_that_made_the_two_one() -> None:
    joins = [merge("ann", "bob", "2026-04-01"), merge("bob", "cat", "2026-04-02")]
    entries = [each for who, text in SIDES.items() for each in entries_from(text, who)]
    drops = Ledger(entries, joins).drops()[0]
    assert {each.decode(): (drop.receipt.decode(), drop.at) for each, drop in drops.items()} == {
        "ann signup": ("ann into bob", day("2026-04-01")),
        "cat signup": ("bob into cat", day("2026-04-02")),
        "cat event x": ("bob into cat", day("2026-04-02")),
        "ann order #7": ("bob into cat", day("2026-04-02")),
        "bob order #7": ("bob into cat", day("2026-04-02")),
    }
    assert drops[b"ann signup"].twin == b"bob signup"
