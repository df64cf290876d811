"""Groups at their edges: which story each row tells, what goes before what, and which stories are told apart."""

from typing import Any

import pytest

from onewriter.rules.diagnosis.evidence import Hand
from onewriter.rules.diagnosis.facts import Pair, Relation, Row, Verdict, Why
from onewriter.rules.diagnosis.groups import grouped, story
from onewriter.rules.diagnosis.judgement import Group
from tests.support.judging import compared, evidence, pair, row, rows, rules, wrote

Known = dict[str, Any]


BY_PERSON: Known = {"copy_write": wrote("user:ann", Hand.PERSON), "copy_had_it": True}
BY_IMPORT: Known = {"copy_write": wrote("file", Hand.IMPORT), "copy_had_it": True}
YOUNG: Known = {"age": 0.5}
FOUGHT: Known = {"why": Why.REPORTED}
CUT: Known = {"relations": {Relation.PREFIX: "20"}}
LOST: Known = {"relations": {Relation.ZEROS_LOST: None}}
BEHIND: Known = {"copy_is_older": True}


def of(*rows_of: Row) -> list[Group]:
    return grouped(evidence(), compared(rows_of))


def sizes(*rows_of: Row) -> list[int]:
    return [len(each.rows) for each in of(*rows_of)]


# ---- Stories --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ("fought over", {"why": Why.REPORTED}), ("fought over", {"why": Why.REVERTED}),
        ("fought over", {**FOUGHT, **YOUNG}),
        ("young", YOUNG), ("young", {**YOUNG, **BY_PERSON}),
        ("by person", BY_PERSON), ("by import", BY_IMPORT), ("by person", {**BY_PERSON, **CUT}),
        ("by import", {**BY_IMPORT, "relations": {Relation.EMPTY_COPY: None}}),
        ("other", {**BY_PERSON, "copy_had_it": None}),
        ("moved away", {"copy_write": wrote("connector", Hand.CONNECTOR), "copy_had_it": True}),
        ("emptied", {"relations": {Relation.EMPTY_COPY: None}, "copy_was_filled": True}),
        ("empty", {"relations": {Relation.EMPTY_COPY: None}, "copy_was_filled": False}),
        ("empty", {"relations": {Relation.EMPTY_COPY: None}, "flips": 2}),
        ("to and fro", {"flips": 1}), ("to and fro", {"flips": 1, **BEHIND}),
        ("behind", BEHIND), ("behind", {**BEHIND, **CUT}), ("went back", {**BEHIND, "copy_had_it": True}),
        ("prefix", CUT), ("prefix", {**CUT, "copy_had_it": True}),
        ("other field", {"relations": {Relation.PREFIX: "3", Relation.OTHER_FIELD: "city"}}),
        ("lossy", {"relations": {Relation.PREFIX: "3", Relation.LOSSY: "digits"}}),
        ("moved away", {"copy_had_it": True}),
        ("other", {"relations": {Relation.OTHER_VALUE: None}}), ("other", {}),
    ],
)  # fmt: skip
def test_each_row_tells_one_story_and_what_is_seen_goes_before_what_is_alike(told: str, known: dict[str, Any]) -> None:
    assert story(row(**known)) == told


# ---- Whole customers ------------------------------------------------------------------------------------------------

MERGED: Known = {"merged_into": "s9"}
ERASED: Known = {"is_redacted": True}
LEFT: Known = {"key_held": False, "key_holders": ("s9",)}
SHARED: Known = {"other_sources": ("s9",)}
TWINS: Known = {"twins": ("t9",)}


@pytest.mark.parametrize(
    "odd", [MERGED, {"merged_from": ("s9",)}, ERASED, {"deleted": 5}, LEFT, SHARED, TWINS, {"other_targets": ("t9",)}]
)
def test_what_is_odd_about_a_link_makes_one_group_of_all_its_fields(odd: dict[str, Any]) -> None:
    mine = pair(1, **odd)
    found = of(row(with_pair=mine), row(with_pair=mine, of=rules("note")), row(2), row(3, of=rules("note")))
    assert [(each.fields, len(each.rows)) for each in found] == [
        (("note", "phone"), 2), (("phone",), 1), (("note",), 1),
    ]  # fmt: skip


@pytest.mark.parametrize("odd", [{"key_held": False}, {"key_holders": ("s9",)}, {"key_held": None}])
def test_a_key_that_was_only_left_or_is_only_shared_makes_no_group_of_its_own(odd: dict[str, Any]) -> None:
    assert sizes(row(with_pair=pair(1, **odd)), row(2)) == [2]


def test_one_oddity_explains_the_next_and_each_customer_is_in_one_group() -> None:
    order = [MERGED, ERASED, LEFT, SHARED, TWINS]
    pairs: list[Pair] = []
    for number, (first, second) in enumerate(zip(order, [*order[1:], {}], strict=True)):
        pairs.append(pair(number, **{**second, **first}))
    found = of(*(row(with_pair=each) for each in reversed(pairs)))
    assert [[each.pair for each in one.rows] for one in found] == [[each] for each in pairs]


def test_a_group_is_called_after_the_field_that_differs_most_often() -> None:
    mine = [pair(1, **MERGED), pair(2, **MERGED)]
    several = [row(with_pair=mine[0]), *(row(with_pair=each, of=rules("note")) for each in mine)]
    [found] = of(*several)
    assert (found.name, found.fields) == ("note", ("note", "phone"))
    [other] = of(*several, *(row(with_pair=pair(number, **MERGED)) for number in (3, 4)))
    assert (other.name, other.fields) == ("phone", ("note", "phone"))


def test_each_field_and_the_phantoms_of_each_field_are_apart() -> None:
    known = compared([*rows(2), *rows(3, of=rules("note"))])
    known.phantoms = [*rows(4, verdict=Verdict.FORMAT), row(verdict=Verdict.FORMAT, of=rules("note"))]
    assert [(each.name, len(each.rows)) for each in grouped(evidence(), known)] == [
        ("phone", 2), ("note", 3), ("phone", 4), ("note", 1),
    ]  # fmt: skip


# ---- The stories of one field ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("apart", [YOUNG, BY_PERSON, BY_IMPORT, FOUGHT])
def test_what_nobody_could_take_for_another_story_is_apart_however_small(apart: dict[str, Any]) -> None:
    assert sizes(*rows(40), row(41, **apart)) == [40, 1]
    assert sizes(*rows(40, **apart), row(41)) == [40, 1]


def test_another_story_is_apart_from_more_than_fifteen_in_a_hundred_on() -> None:
    assert sizes(*rows(17), *rows(3, **LOST)) == [20]
    assert sizes(*rows(16), *rows(4, **LOST)) == [16, 4]


@pytest.mark.parametrize("count", [1, 3])
def test_the_largest_part_comes_first_and_takes_what_is_too_small(count: int) -> None:
    lost = [row(number, **LOST) for number in range(10 + count)]
    found = of(*rows(8), *lost, row(99, **BEHIND))
    assert [story(each.rows[0]) for each in found] == ["zeros lost", "other"]
    assert sizes(*rows(8), *lost, row(99, **BEHIND)) == [11 + count, 8]


ALIKE = [
    CUT, {"relations": {Relation.LOSSY: "digits"}}, {}, {"copy_had_it": True}, {"flips": 1}, BEHIND,
    {**BEHIND, "copy_had_it": True}, {"relations": {Relation.EMPTY_COPY: None}},
]  # fmt: skip


@pytest.mark.parametrize("one", ALIKE)
def test_stories_that_chance_takes_for_another_are_one_and_others_are_not(one: dict[str, Any]) -> None:
    for other in ALIKE:
        assert sizes(*rows(4, **one), *rows(3, **other)) == [7]
    assert sizes(*rows(4, **one), *rows(3, **LOST)) == [4, 3]
    assert sizes(*rows(4, **LOST), *rows(3, **one)) == [4, 3]
