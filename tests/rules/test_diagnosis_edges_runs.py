"""Causes that runs tell, at their edges: what never came, what broke off, what was refused, emptied or only waits."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from onewriter.rules.diagnosis.causes import writers
from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.causes.weighing import CLEAR, HINT, STRONG, Told
from onewriter.rules.diagnosis.evidence import Clean, Hand, LinkOf, RunOf, Seen, Side
from onewriter.rules.diagnosis.facts import FieldCounts, Relation, Row
from tests.rules.test_diagnosis_edges_traits import of
from tests.support.judging import pair, row, rows, rules, wrote

Known = dict[str, Any]


CONNECTOR, PERSON = wrote("connector", Hand.CONNECTOR), wrote("user:ann", Hand.PERSON)
REFUSED = wrote("connector", Hand.CONNECTOR, accepted=False, reason="no right to write")
LOG = [CONNECTOR]
WITHOUT_LOG = ("A log of who wrote would settle it.",)

STALE: Known = {"copy_is_older": True, "copy_had_it": False}
BACK: Known = {"copy_is_older": True, "copy_had_it": True}
EMPTY: Known = {"relations": {Relation.EMPTY_COPY: None}}
UNLIKE: Known = {"relations": {Relation.OTHER_VALUE: None}}
YOUNG: Known = {"age": 0.5}

Cause = Callable[[Traits], Told | None]


def points(cause: Cause, some: Sequence[Row], **known: Any) -> float | None:
    told = cause(of(some, **known))
    return None if told is None else told.points


def mixed(one: dict[str, Any], count: int, other: dict[str, Any], others: int) -> list[Row]:
    """So many rows of the one kind, and so many of the other."""
    return [*rows(count, **one), *(row(count + at, **other) for at in range(1, others + 1))]


def linked(count: int) -> list[LinkOf]:
    return [LinkOf(f"s{at}", f"t{at}") for at in range(1, count + 1)]


def of_run(kind: str, state: str | None) -> dict[str, RunOf]:
    return {"r1": RunOf(id="r1", kind="cycle", state="done"), "r2": RunOf(id="r2", kind=kind, state=state)}


# ---- What only waits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "waiting"),
    [
        ({}, None), ({"age": 0.0}, True), ({"age": 0.9}, True), ({"age": 1.0}, False),
        ({**YOUNG, "last_refused": REFUSED}, False), ({**YOUNG, "copy_moved": 5.0, "origin_moved": 4.0}, False),
        ({**YOUNG, "copy_moved": 4.0, "origin_moved": 4.0}, True), ({**YOUNG, "copy_moved": 3.0}, True),
        ({**YOUNG, "origin_moved": 3.0}, True),
    ],
)  # fmt: skip
def test_what_is_younger_than_a_cycle_waits_unless_it_was_refused_or_written_over(
    known: dict[str, Any], waiting: bool | None
) -> None:
    assert writers.waits(row(**known)) is waiting


def test_three_of_five_that_wait_are_in_flight() -> None:
    old = {"age": 2.0}
    assert writers.in_flight(of(rows(1_200, **YOUNG))) == Told(
        STRONG, ("All 1,200 edits are younger than one cycle.",)
    )  # fmt: skip
    assert points(writers.in_flight, mixed(YOUNG, 3, old, 2)) == STRONG
    assert writers.in_flight(of(mixed(YOUNG, 3, old, 3))) is None


# ---- What never came ------------------------------------------------------------------------------------------------


def test_what_stayed_behind_without_a_write_was_missed() -> None:
    told = writers.missed_webhook(of(rows(3, **STALE)))
    assert told == Told(CLEAR + HINT, ("3 of 3 records: shopify moved on, and nothing was written in crm.",))
    some = mixed(STALE, 3, BACK, 2)
    assert writers.missed_webhook(of(some)) is not None
    assert writers.missed_webhook(of([*some, row(9, **BACK)])) is None
    assert writers.missed_webhook(of(rows(3, copy_is_older=False, copy_had_it=False))) is None
    assert writers.missed_webhook(of(rows(3, **STALE, **YOUNG))) is None


STILL = [Seen(cycle, Side.TARGET, "t9", {"x_phone": "a"}) for cycle in (3, 4)]
MOVING = [*STILL, Seen(5, Side.TARGET, "t9", {"x_phone": "b"})]
STUCK: Known = {**STALE, "onset": 2.0, "origin_moved": 2.0}


@pytest.mark.parametrize(
    ("known", "counted", "more"),
    [
        ({}, {"count": 9}, HINT), ({}, {"count": 8}, 0.0), ({}, {"writes": LOG}, 2 * HINT),
        ({"last_refused": REFUSED}, {"writes": LOG}, HINT - STRONG), ({"last_refused": REFUSED}, {}, HINT - STRONG),
        ({"with_pair": pair(twins=("t9",))}, {}, HINT - CLEAR),
        ({}, {"runs": of_run("import", "partial")}, HINT - CLEAR),
        (STUCK, {"history": STILL}, HINT - CLEAR), (STUCK, {"history": MOVING}, HINT), (STUCK, {}, HINT),
    ],
)  # fmt: skip
def test_what_speaks_for_a_missed_edit_and_against_it(
    known: dict[str, Any], counted: dict[str, Any], more: float
) -> None:
    some = rows(4, **{**STALE, **known})
    assert points(writers.missed_webhook, some, **{"links": linked(40), **counted}) == CLEAR + more


def test_what_follows_a_cut_was_not_missed() -> None:
    assert points(writers.missed_webhook, [row(at, **STALE) for at in range(9, 13)], links=linked(12)) == (
        CLEAR + HINT - CLEAR
    )


def test_few_refusals_and_few_twins_do_not_speak_against_a_missed_edit() -> None:
    refused = {**STALE, "last_refused": REFUSED}
    known: dict[str, Any] = {"writes": LOG, "links": linked(40)}
    assert points(writers.missed_webhook, mixed(refused, 3, STALE, 7), **known) == CLEAR + HINT
    assert points(writers.missed_webhook, mixed(refused, 4, STALE, 6), **known) == CLEAR + HINT - STRONG
    doubled = [row(at, with_pair=pair(at, twins=("t9",)), **STALE) for at in (1, 2, 3)]
    assert (
        points(writers.missed_webhook, [*doubled, row(4, **STALE), row(5, **STALE)], links=linked(40)) == CLEAR + HINT
    )
    assert points(writers.missed_webhook, rows(3, **STUCK), history=STILL) == CLEAR + HINT


# ---- What broke off -------------------------------------------------------------------------------------------------


def from_to(first: int, last: int, **known: Any) -> list[Row]:
    return [row(at, **{**STALE, **known}) for at in range(first, last + 1)]


PARTIAL: Known = {"runs": of_run("import", "partial")}
ENDED = "A run ended before it was done."


def of_cut(count: int) -> str:
    return f"The {count} records that are behind follow one another; those before the cut are right."


@pytest.mark.parametrize(
    ("kind", "state", "is_told"),
    [
        ("import", "partial", True), ("import", "failed", True), ("backfill", "partial", True),
        ("import", "done", False), ("import", None, False), ("cycle", "failed", False),
    ],
)  # fmt: skip
def test_an_import_that_ended_before_it_was_done_left_the_rest_behind(kind: str, state: str, is_told: bool) -> None:
    told = writers.partial_import(of(rows(3, **STALE), runs=of_run(kind, state)))
    assert told == (Told(CLEAR, (ENDED,)) if is_told else None)


def test_what_follows_a_cut_was_left_behind() -> None:
    wanted = ("A list of runs would tell which one broke off.",)
    assert writers.partial_import(of(from_to(9, 12), links=linked(12))) == Told(CLEAR + HINT, (of_cut(4),), wanted)
    both = writers.partial_import(of(from_to(9, 12), links=linked(12), **PARTIAL))
    assert both == Told(CLEAR + CLEAR + HINT, (ENDED, of_cut(4)))


def test_three_of_five_must_be_behind_or_empty_or_unexplained() -> None:
    def is_told(one: dict[str, Any], count: int, other: dict[str, Any], others: int) -> bool:
        kinds = [*[one] * count, *[other] * others]
        some = [row(20 + at, **known) for at, known in enumerate(kinds)]
        return writers.partial_import(of(some, links=linked(19 + len(some)))) is not None

    assert is_told(STALE, 3, BACK, 2)
    assert not is_told(STALE, 3, BACK, 3)
    assert is_told(EMPTY, 3, {}, 2)
    assert not is_told(EMPTY, 3, {}, 3)
    assert is_told(UNLIKE, 4, {}, 1)
    assert not is_told(UNLIKE, 3, {}, 3)


@pytest.mark.parametrize(
    ("some", "links", "count"),
    [
        (from_to(10, 12), 12, 40), (from_to(1, 4), 12, 40), (from_to(9, 12), 12, 4),
        ([*from_to(2, 2), *from_to(10, 12)], 12, 40), (from_to(5, 10), 12, 40), (from_to(9, 12), 13, 40),
        (from_to(60, 97), 100, 400), ([*from_to(2, 15), *from_to(19, 21)], 21, 40),
    ],
)  # fmt: skip
def test_few_or_all_or_scattered_records_follow_no_cut(some: list[Row], links: int, count: int) -> None:
    assert writers.partial_import(of(some, links=linked(links), count=count)) is None


@pytest.mark.parametrize(
    ("some", "links", "count"),
    [
        (from_to(9, 12), 12, 5), (from_to(2, 20), 20, 20), (from_to(60, 98), 100, 400), (from_to(8, 12), 12, 40),
        ([*from_to(2, 12), *from_to(15, 20)], 20, 40),
    ],
)  # fmt: skip
def test_a_cut_may_have_gaps_and_a_few_new_records_after_it(some: list[Row], links: int, count: int) -> None:
    assert writers.partial_import(of(some, links=linked(links), count=count)) is not None


def test_records_follow_one_another_by_their_numbers_and_numbers_come_before_names() -> None:
    def named(*names: str) -> list[Row]:
        return [row(with_pair=replace(pair(), link=LinkOf(name, f"t{name}")), **STALE) for name in names]

    numbers = [LinkOf(str(at), f"t{at}") for at in range(1, 13)]
    assert writers.partial_import(of(named("9", "10", "11", "12"), links=numbers)) is not None
    assert writers.partial_import(of(named("6", "7", "8", "9"), links=numbers)) is None
    mixed_up = [*linked(4), *numbers]
    assert writers.partial_import(of(named("s1", "s2", "s3", "s4"), links=mixed_up)) is not None
    assert writers.partial_import(of(named("9", "10", "11", "12"), links=mixed_up)) is None
    words = [LinkOf(name, f"t{name}") for name in ("b", "a", "d", "c", "aa", "ab", "ac", "ad")]
    assert writers.partial_import(of(named("aa", "ab", "ac", "ad"), links=words)) is not None


def test_refusals_speak_against_a_run_that_broke_off() -> None:
    refused = {**STALE, "last_refused": REFUSED}
    assert points(writers.partial_import, rows(3, **refused), **PARTIAL) == CLEAR - STRONG
    known: dict[str, Any] = {**PARTIAL, "links": linked(40)}
    assert points(writers.partial_import, mixed(refused, 3, STALE, 7), **known) == CLEAR + HINT
    assert points(writers.partial_import, mixed(refused, 4, STALE, 6), **known) == CLEAR + HINT - STRONG


# ---- What is refused ------------------------------------------------------------------------------------------------

NEWEST = "the newest write of crm was refused."


def test_three_of_ten_refused_writes_are_a_want_of_rights() -> None:
    some = mixed({"last_refused": REFUSED}, 3, {}, 7)
    assert writers.permission_missing(of(some, writes=LOG)) == Told(
        CLEAR + CLEAR * 0.3, (f"3 of 10 records: {NEWEST}",)
    )
    assert writers.permission_missing(of([*some, row(11)], writes=LOG)) is None
    assert writers.permission_missing(of(some)) is None


@pytest.mark.parametrize(
    ("reason", "is_right"),
    [
        ("no right to write", True), (None, True), ("", True), ("The email has already another owner", False),
        ("Duplicate value", False), ("must be UNIQUE", False), ("is taken", False),
    ],
)  # fmt: skip
def test_a_value_that_another_record_has_is_no_want_of_rights(reason: str | None, is_right: bool) -> None:
    refused = rows(4, last_refused=replace(REFUSED, reason=reason))
    assert points(writers.permission_missing, refused, writes=LOG) == (2 * CLEAR if is_right else None)


@pytest.mark.parametrize("right", ["read", "none"])
def test_a_right_that_the_connector_has_not_is_told(right: str) -> None:
    without = {"of": rules(permission=right)}
    told = ("The connector has no right to write phone there.",)
    assert writers.permission_missing(of(rows(4, **without))) == Told(STRONG, told, WITHOUT_LOG)
    with_it = {"of": rules(permission="write")}
    assert writers.permission_missing(of(mixed(without, 3, with_it, 2), writes=LOG)) == Told(STRONG * 0.6, told)
    assert writers.permission_missing(of(mixed(without, 3, with_it, 3), writes=LOG)) is None
    both = writers.permission_missing(of(rows(4, last_refused=REFUSED, **without), writes=LOG))
    assert both == Told(2 * CLEAR + STRONG, (f"4 of 4 records: {NEWEST}", *told))


def test_few_refused_writes_beside_a_missing_right_are_told_and_count_for_less() -> None:
    without = {"of": rules(permission="read")}
    some = mixed({**without, "last_refused": REFUSED}, 1, without, 3)
    told = writers.permission_missing(of(some, writes=LOG))
    assert told is not None
    assert told.points == CLEAR / 4 + STRONG
    assert told.evidence[0] == f"1 of 4 records: {NEWEST}"


def test_what_is_only_behind_may_be_a_want_of_rights_where_no_log_tells() -> None:
    behind = rows(4, copy_is_older=True)
    assert writers.permission_missing(of(behind)) == Told(HINT, ("4 records are behind.",), WITHOUT_LOG)
    assert points(writers.permission_missing, behind, count=7) == 2 * HINT
    assert points(writers.permission_missing, behind, count=8) == HINT
    assert points(writers.permission_missing, rows(4, **EMPTY)) == HINT
    assert points(writers.permission_missing, rows(4, **STUCK), history=STILL) == HINT + CLEAR
    assert points(writers.permission_missing, rows(4, **STUCK), history=MOVING) == HINT
    some = mixed({"copy_is_older": True}, 2, EMPTY, 2)
    assert points(writers.permission_missing, some) == HINT


def test_what_a_log_or_the_past_explains_is_no_want_of_rights() -> None:
    behind = {"copy_is_older": True}
    assert writers.permission_missing(of(rows(4, **behind), writes=LOG)) is None
    assert writers.permission_missing(of(rows(4, **behind, **YOUNG))) is None
    assert writers.permission_missing(of(mixed(behind, 3, {"copy_is_older": False}, 2))) is None
    assert writers.permission_missing(of(rows(4, **EMPTY, copy_moved=2.0))) is None
    assert writers.permission_missing(of(rows(4))) is None


# ---- What was emptied -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("was", [{"copy_was_filled": True}, {"copy_was_filled": False, "copy_had_it": True}])
def test_what_was_filled_and_is_empty_was_emptied(was: dict[str, Any]) -> None:
    emptied, never = {**EMPTY, **was, "copy_moved": 2.0}, {**EMPTY, "copy_was_filled": False, "copy_had_it": False}
    told = writers.null_overwrite(of(rows(4, **emptied)))
    assert told == Told(STRONG + HINT, ("4 of 4 records: crm was filled, and was emptied.",))
    assert points(writers.null_overwrite, mixed(emptied, 3, never, 2)) == STRONG * 0.6 + HINT
    assert writers.null_overwrite(of(mixed(emptied, 4, {**never, "copy_moved": 2.0}, 3))) is None
    assert points(writers.null_overwrite, rows(4, **emptied, copy_write=PERSON)) == STRONG + HINT - CLEAR
    half = mixed({**emptied, "copy_write": PERSON}, 2, {**emptied, "copy_write": CONNECTOR}, 2)
    assert points(writers.null_overwrite, half) == STRONG + HINT - CLEAR / 2


@pytest.mark.parametrize(
    ("filled", "of_all", "sure"), [(6, 100, CLEAR), (5, 100, HINT), (1, 0, CLEAR), (0, 0, HINT), (1, 15, CLEAR)]
)
def test_without_a_past_others_that_are_filled_speak_for_it(filled: int, of_all: int, sure: float) -> None:
    counted = FieldCounts(compared=100, origin_filled=of_all, copy_filled=filled)
    assert writers.null_overwrite(of(rows(4, **EMPTY), counts=counted)) == Told(
        sure, ("4 of 4 records: crm is empty.",), ("Earlier looks would tell whether it was filled.",)
    )


def test_three_of_five_must_be_empty() -> None:
    assert points(writers.null_overwrite, mixed(EMPTY, 3, {}, 2)) == HINT
    assert writers.null_overwrite(of(mixed(EMPTY, 3, {}, 3))) is None
    assert writers.null_overwrite(of(rows(4, copy_was_filled=True, copy_moved=2.0))) is None


def test_where_the_records_that_are_right_were_not_opened_nobody_sees_a_cut() -> None:
    scattered = [row(at, **STALE) for at in (3, 7, 12, 20)]
    opened = [each.pair.link for each in scattered]
    assert writers.partial_import(of(scattered)) is None
    assert writers.partial_import(of(scattered, links=opened, clean={"phone": Clean(36, 36)})) is None
    assert points(writers.missed_webhook, scattered) == CLEAR + HINT
