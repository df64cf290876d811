"""Traits at their edges: of what a share is a share, and what is left out where it is not known."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.evidence import Hand, Seen, Side
from onewriter.rules.diagnosis.facts import FieldCounts, Relation, Row, Verdict, Why
from tests.support.judging import compared, evidence, pair, row, rows, rules, wrote

CONNECTOR, PERSON = wrote("connector", Hand.CONNECTOR, run="c1"), wrote("user:ann", Hand.PERSON)


def of(some: Sequence[Row], *, count: int = 40, counts: FieldCounts | None = None, **known: Any) -> Traits:
    """The traits of these rows of one field; `counts` is how the field fares over all pairs."""
    found = compared(some, count=count)
    if counts is not None:
        found.counts = {"phone": counts}
    return Traits(some, evidence(**known), found, "phone")


def said(*pairs: tuple[Any, Any]) -> Traits:
    """Rows of the origin's value and the copy's."""
    return of([row(at, origin_value=one, copy_value=other) for at, (one, other) in enumerate(pairs)])


# ---- Shares ---------------------------------------------------------------------------------------------------------


def test_a_share_is_of_those_of_which_it_is_known_if_these_are_a_quarter_of_all() -> None:
    def share(*older: bool | None) -> float:
        return of([row(at, copy_is_older=each) for at, each in enumerate(older)]).share(lambda one: one.copy_is_older)

    assert share(True, False) == 0.5
    assert share(True, None, None, None) == 1.0
    assert share(True, *[None] * 7) == 0.5
    assert share(None, None) == 0.0
    assert share() == 0.0


def test_how_many_are_known_is_a_share_of_all() -> None:
    some = of([row(1, age=0.0), row(2), row(3), row(4)])
    assert some.known(lambda each: each.age) == 0.25
    assert of([]).known(lambda each: each.age) == 0.0


def test_records_and_customers_are_counted_in_words() -> None:
    several = of([*rows(3), row(3, of=rules("note"))])
    assert several.records(0.5) == "2 of 4 records"
    assert several.customers(2 / 3) == "2 of 3 customers"
    many = of(rows(2_000))
    assert (many.records(0.6), many.customers(0.6)) == ("1,200 of 2,000 records", "1,200 of 2,000 customers")


def test_the_commonest_detail_of_a_likeness_is_told_with_its_share() -> None:
    cut = [row(at, relations={Relation.PREFIX: length}) for at, length in enumerate(("20", "30", "20"))]
    assert of([*cut, row(4)]).detail(Relation.PREFIX) == ("20", 0.5)
    assert of([*cut, row(4)]).related(Relation.PREFIX) == 0.75
    assert of(cut).detail(Relation.LOSSY) == (None, 0.0)


def test_who_wrote_is_a_share_of_what_is_told() -> None:
    some = of([row(1, copy_write=CONNECTOR), row(2, copy_write=PERSON), row(3), row(4)])
    assert (some.told, some.hand(Hand.PERSON), some.hand(Hand.PERSON, Hand.CONNECTOR)) == (0.5, 0.5, 1.0)
    assert some.run == ("c1", 0.25)
    assert of(rows(2)).run == (None, 0.0)
    assert (of(rows(1), writes=[CONNECTOR]).is_logged, of(rows(1), writes=[]).is_logged) == (True, False)


@pytest.mark.parametrize("moved", [{"copy_moved": 3.0}, {"origin_moved": 3.0}, {"copy_moved": 0.0}])
def test_most_rows_must_have_moved_for_the_past_to_be_known(moved: dict[str, Any]) -> None:
    assert not of([*rows(2, **moved), *rows(2)]).is_dated
    assert of([*rows(3, **moved), *rows(2)]).is_dated


def test_what_a_field_comes_to_is_of_all_that_were_compared() -> None:
    some = rows(10)
    assert of(some).reach == 0.25
    assert of(some, count=0).reach == 0.0
    other = Traits(some, evidence(), compared(some), "note")
    assert (other.counts, other.reach) == (FieldCounts(), 0.0)


def test_a_pair_counts_once_and_what_is_not_known_of_it_is_left_out() -> None:
    shared = pair(1, key_held=False)
    some = of([row(with_pair=shared), row(with_pair=shared, of=rules("note")), row(2), row(3)])
    assert len(some.pairs) == 3
    assert some.of_pairs(lambda one: one.key_held) == 2 / 3
    assert some.of_pairs(lambda one: one.newer_twin) == 0.0
    assert some.of_pairs(lambda one: True if one is shared else None) == 1.0


def test_form_and_reports_are_told_from_what_differs() -> None:
    assert of(rows(2, verdict=Verdict.FORMAT)).is_form()
    assert not of([row(1, verdict=Verdict.FORMAT), row(2)]).is_form()
    assert not of([]).is_form()
    assert of([row(1, why=Why.REPORTED), row(2, why=Why.REVERTED), *rows(3)]).reported() == 0.4


def test_the_copy_is_on_the_other_side_of_the_origin() -> None:
    there, back = of(rows(1)), of(rows(1, origin=Side.TARGET))
    assert (there.copy_side, there.copy_name, there.origin_name) == (Side.TARGET, "crm", "shopify")
    assert (back.copy_side, back.copy_name, back.origin_name) == (Side.SOURCE, "shopify", "crm")
    assert of([]).copy_side is Side.TARGET


# ---- Values ---------------------------------------------------------------------------------------------------------


def test_values_are_the_same_but_for_case_and_space_and_nothing_is_no_value() -> None:
    some = said((" Red", "ROT"), ("red", "rot "), ("blue", "rot"), ("green", ""), ("green", None), ("", "x"), (None, 5))
    assert {copy: dict(origins) for copy, origins in some.values.items()} == {"rot": {"red": 2, "blue": 1}}
    assert some.origins == 2


def test_a_constant_stands_for_several_others() -> None:
    assert said(("a", "x"), ("b", "x"), ("c", "x"), ("d", "y")).constant == 0.75
    assert said(("d", "y"), ("a", "x"), ("b", "x"), ("c", "x")).constant == 0.75
    assert said(("a", "x"), ("a", "x"), ("a", "x"), ("d", "y")).constant == 0.0
    assert said(("a", "x"), ("b", "x"), ("c", ""), ("d", None)).constant == 0.5
    assert said(("", "x"), (None, "x")).constant == 0.0


def test_a_filler_stands_in_the_copies_whatever_the_origins_say() -> None:
    assert said(("", "X"), (None, "x "), ("a", "y"), ("a", "")).filler == 0.5
    assert said(("a", ""), ("a", None)).filler == 0.0


def test_words_are_paired_where_one_always_becomes_the_same_and_is_seen_again() -> None:
    assert said(("a", "x"), ("a", "x"), ("b", "y"), ("b", "y")).paired == 1.0
    assert said(("a", "x"), ("a", "y"), ("b", "y"), ("b", "y")).paired == 0.5
    assert said(("a", "x"), ("a", "x"), ("b", "y"), ("c", "z")).paired == 0.5
    assert of([]).paired == 0.0


@pytest.mark.parametrize(("said_of", "is_open"), [(7, True), (6, False)])
def test_more_than_six_different_values_are_no_list_of_words(said_of: int, is_open: bool) -> None:
    assert said(*((f"word {at}", "x") for at in range(said_of))).is_open_ended is is_open


def test_more_than_six_in_ten_different_values_are_no_list_of_words() -> None:
    def repeated(different: int) -> Traits:
        return said(*((f"word {at % different}", "x") for at in range(20)), ("", "x"), (None, "x"))

    assert repeated(13).is_open_ended
    assert not repeated(12).is_open_ended


# ---- Whether the copies of others still follow ----------------------------------------------------------------------

STUCK = rows(2, onset=2.0, copy_moved=1.0)


def look(cycle: int, value: Any, id_: str = "t9", side: Side = Side.TARGET, name: str = "x_phone") -> Seen:
    return Seen(cycle, side, id_, {name: value})


@pytest.mark.parametrize(
    ("looks", "follow"),
    [
        ([look(3, "a"), look(4, "b")], True),
        ([look(1, "a"), look(3, "b")], False),
        ([look(3, "a"), look(4, "a")], False),
        ([look(4, "a")], False), ([], False),
        ([look(3, "a", "t1"), look(4, "b", "t1")], False),
        ([look(3, "a", "s9", Side.SOURCE), look(4, "b", "s9", Side.SOURCE)], False),
        ([look(3, "a", name="x_note"), look(4, "b", name="x_note")], False),
        ([look(3, "a", "t8"), look(4, "b", "t9")], False),
        ([look(3, "a"), look(4, "a"), look(5, "b")], True),
        ([look(3, "a", name="x_note"), look(4, "c", "t1"), look(4, "a"), look(5, "b")], True),
    ],
)  # fmt: skip
def test_others_follow_if_one_of_their_copies_moved_a_cycle_after_the_first_differed(
    looks: Sequence[Seen], follow: bool
) -> None:
    assert of(STUCK, history=looks).others_follow is follow


def test_one_value_alone_may_have_stopped_to_follow() -> None:
    assert of(STUCK[:1], history=[look(3, "a"), look(4, "b")]).others_follow is True
    assert of(STUCK[:1], history=[look(3, "a"), look(4, "a")]).others_follow is False


def test_copies_on_the_other_side_are_looked_for_there() -> None:
    back = [replace(each, origin=Side.TARGET) for each in STUCK]
    theirs = [look(3, "a", "s9", Side.SOURCE, "phone"), look(4, "b", "s9", Side.SOURCE, "phone")]
    assert of(back, history=theirs).others_follow is True
    mine = [look(3, "a", "s1", Side.SOURCE, "phone"), look(4, "b", "s1", Side.SOURCE, "phone")]
    assert of(back, history=mine).others_follow is False


def test_nobody_can_see_whether_others_follow_without_a_past() -> None:
    moving = [look(3, "a"), look(4, "b")]
    assert of(STUCK).others_follow is None
    assert of(rows(2, copy_moved=1.0), history=moving).others_follow is None
    assert of(rows(2, onset=2.0), history=moving).others_follow is None
