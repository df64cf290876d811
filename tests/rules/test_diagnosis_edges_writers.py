"""Causes that the past tells, at their edges: by whose hand, to and fro, against the direction, out of order."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from onewriter.rules.diagnosis.causes import writers
from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.causes.weighing import CLEAR, HINT, STRONG, Told
from onewriter.rules.diagnosis.evidence import Hand, Side
from onewriter.rules.diagnosis.facts import Change, Relation, Row, Track, Why
from tests.rules.test_diagnosis_edges_traits import of
from tests.support.judging import row, rows, rules, track, wrote

Known = dict[str, Any]


CONNECTOR, APP = wrote("connector", Hand.CONNECTOR), wrote("app:x", Hand.APP)
PERSON, IMPORT = wrote("user:ann", Hand.PERSON), wrote("file", Hand.IMPORT)
LOG = [CONNECTOR]
WITHOUT_LOG = ("A log of who wrote would settle it.",)

FOREIGN: Known = {"copy_is_older": False, "copy_had_it": True}
STALE: Known = {"copy_is_older": True, "copy_had_it": False}
BACK: Known = {"copy_is_older": True, "copy_had_it": True}
UNLIKE: Known = {"relations": {Relation.OTHER_VALUE: None}}
EMPTY: Known = {"relations": {Relation.EMPTY_COPY: None}}
STAMPED: Known = {"stamp_against_order": True}

Cause = Callable[[Traits], Told | None]


def points(cause: Cause, some: Sequence[Row], **known: Any) -> float | None:
    told = cause(of(some, **known))
    return None if told is None else told.points


def mixed(one: dict[str, Any], count: int, other: dict[str, Any], others: int) -> list[Row]:
    """So many rows of the one kind, and so many of the other."""
    return [*rows(count, **one), *(row(count + at, **other) for at in range(1, others + 1))]


# ---- By hand, or by an import ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "line", "told"),
    [
        (writers.manual_edit, PERSON, "a person wrote it last in crm."),
        (writers.import_collision, IMPORT, "an import wrote it last in crm."),
    ],
)
def test_a_hand_is_a_cause_from_three_of_five_on(cause: Cause, line: Any, told: str) -> None:
    some = mixed({"copy_write": line}, 3, {"copy_write": CONNECTOR}, 2)
    assert cause(of(some)) == Told(STRONG * 0.6, (f"3 of 5 records: {told}",))
    assert cause(of([*some, *some[3:]])) is None
    assert points(cause, [*some[:3], row(9), row(10)]) == STRONG


def test_times_that_go_against_the_order_speak_against_a_hand() -> None:
    by_hand = {"copy_write": PERSON}
    assert points(writers.manual_edit, rows(3, **by_hand, **STAMPED)) == STRONG - CLEAR
    some = mixed({**by_hand, **STAMPED}, 3, {**by_hand, "stamp_against_order": False}, 2)
    assert points(writers.manual_edit, some) == STRONG


def test_an_import_of_one_run_speaks_for_itself_and_what_is_only_old_or_empty_against_it() -> None:
    line = wrote("file", Hand.IMPORT, run="file")

    def weigh(some: list[Row]) -> float | None:
        return points(writers.import_collision, some)

    assert weigh(rows(5, copy_write=line)) == STRONG + HINT
    assert weigh(mixed({"copy_write": line}, 3, {"copy_write": IMPORT}, 2)) == STRONG + HINT
    assert weigh(mixed({"copy_write": line}, 1, {"copy_write": IMPORT}, 1)) == STRONG
    assert weigh(rows(5, copy_write=IMPORT, **STALE)) == STRONG - CLEAR
    assert weigh(rows(5, copy_write=IMPORT, **BACK)) == STRONG
    assert weigh(rows(5, copy_write=IMPORT, **EMPTY)) == STRONG - CLEAR
    assert weigh(mixed({"copy_write": IMPORT, **EMPTY}, 3, {"copy_write": IMPORT}, 2)) == STRONG


@pytest.mark.parametrize(
    ("count", "by_hand", "by_import"),
    [
        (1, HINT, -HINT), (3, HINT, -HINT), (4, -HINT, HINT), (6, -HINT, HINT), (7, -2 * HINT, HINT),
    ],
)  # fmt: skip
def test_without_a_line_of_them_few_point_to_a_person_and_many_to_an_import(
    count: int, by_hand: float, by_import: float
) -> None:
    some = rows(count, **FOREIGN)
    told = (f"{count} records hold what shopify never said.",)
    assert writers.manual_edit(of(some)) == Told(CLEAR + by_hand, told, WITHOUT_LOG)
    assert writers.import_collision(of(some)) == Told(CLEAR + by_import, told, WITHOUT_LOG)
    assert points(writers.manual_edit, some, writes=LOG) == CLEAR + by_hand - HINT
    at_once = rows(count, **FOREIGN, onset=3.2)
    assert points(writers.import_collision, at_once) == CLEAR + by_import + (HINT if count >= 4 else 0.0)


def written(*lines: tuple[Any, Any]) -> Track:
    """A copy that became these values one after the other, each by a line of the log or by nobody knows whom."""
    return Track(changes=[Change(value, float(at), line) for at, (value, line) in enumerate(lines)])


RIGHT, ELSE = written(("a", CONNECTOR), ("b", None)), written(("c", CONNECTOR), ("b", None))


@pytest.mark.parametrize(
    ("kept", "is_altered"),
    [
        (RIGHT, True), (written(("c", APP), ("a", CONNECTOR), ("b", None)), True), (ELSE, False),
        (written(("a", APP), ("b", None)), False), (written(("a", CONNECTOR), ("c", APP), ("b", None)), False),
        (written(("a", None), ("b", None)), False),
    ],
)  # fmt: skip
def test_where_the_connector_wrote_what_is_right_the_system_itself_made_another_value_of_it(
    kept: Track, is_altered: bool
) -> None:
    some = rows(3, **FOREIGN, copy_track=kept)
    less = CLEAR if is_altered else 0.0
    assert points(writers.manual_edit, some) == CLEAR + HINT - less
    assert points(writers.import_collision, some) == CLEAR - HINT - less


def test_three_of_five_that_the_system_altered_do_not_speak_against_a_hand_yet() -> None:
    altered, other = {**FOREIGN, "copy_track": RIGHT}, {**FOREIGN, "copy_track": ELSE}
    for cause, base in ((writers.manual_edit, CLEAR - HINT), (writers.import_collision, CLEAR + HINT)):
        assert points(cause, mixed(altered, 3, other, 2)) == base
        assert points(cause, mixed(altered, 4, other, 2)) == base - CLEAR
        assert points(cause, mixed(altered, 3, FOREIGN, 2)) == base - CLEAR, "the log knows no write of two of them"


@pytest.mark.parametrize("cause", [writers.manual_edit, writers.import_collision])
def test_what_the_origin_said_before_or_what_never_was_right_is_no_hand(cause: Cause) -> None:
    assert cause(of(mixed(FOREIGN, 3, STALE, 2))) is not None
    assert cause(of(mixed(FOREIGN, 3, STALE, 3))) is None
    for known in (BACK, {"copy_is_older": False, "copy_had_it": False}, {"copy_is_older": False}, {}):
        assert cause(of(rows(3, **known))) is None


@pytest.mark.parametrize("cause", [writers.manual_edit, writers.import_collision])
def test_what_differed_from_the_first_look_on_is_guessed_at(cause: Cause) -> None:
    for relation in (Relation.OTHER_VALUE, Relation.OTHER_RECORD):
        told = cause(of(rows(3, relations={relation: None})))
        assert told is not None
        assert told.points == pytest.approx(CLEAR * 0.4 + (HINT if cause is writers.manual_edit else -HINT))
    assert cause(of(mixed(UNLIKE, 3, {"relations": {Relation.OTHER_RECORD: None}}, 2))) is not None
    assert cause(of(mixed(UNLIKE, 3, {}, 2))) is None
    assert cause(of(rows(3, **UNLIKE, copy_moved=2.0))) is None
    assert cause(of([*rows(2, **UNLIKE), row(3, copy_write=CONNECTOR, **UNLIKE)])) is None


def test_more_than_four_in_five_must_begin_in_one_cycle_to_be_at_once() -> None:
    def weigh(*onsets: float | None) -> float | None:
        some = [row(at, onset=each, **FOREIGN) for at, each in enumerate(onsets)]
        return points(writers.import_collision, some)

    assert weigh(3.0, 3.9, 3.1, 3.2, 3.3, 4.0) == CLEAR + 2 * HINT
    assert weigh(3.0, 3.9, 3.1, 3.2, 4.0) == CLEAR + HINT
    assert weigh(3.0, None, None, None) == CLEAR + 2 * HINT


# ---- Two writers ----------------------------------------------------------------------------------------------------

TURNS: Known = {"copy_writers": ("connector", "app:x"), "copy_track": track(CONNECTOR, APP)}


def test_what_goes_to_and_fro_or_has_two_machines_has_two_writers() -> None:
    def told(some: list[Row]) -> Told | None:
        return writers.two_writers(of(some))

    by_turns = "two machines write it by turns in crm."
    assert told(rows(4, flips=1)) == Told(CLEAR, (f"4 of 4 records: {by_turns}",))
    assert told(mixed({"flips": 2}, 3, {}, 7)) == Told(CLEAR * 0.3, (f"3 of 10 records: {by_turns}",))
    assert told(mixed({"flips": 1}, 2, {}, 5)) is None
    assert told(mixed(TURNS, 3, {}, 2)) == Told(CLEAR * 0.6, (f"3 of 5 records: {by_turns}",))
    assert told(mixed(TURNS, 3, {}, 3)) is None
    both = told(mixed({**TURNS, "flips": 1}, 4, {}, 1))
    assert both is not None
    assert both.points == CLEAR * 0.8 + CLEAR * 0.8


@pytest.mark.parametrize(
    "known",
    [
        {"copy_writers": ("connector",), "copy_track": track(CONNECTOR, APP)},
        {"copy_writers": ("connector", "user:ann"), "copy_track": track(CONNECTOR, PERSON)},
        {"copy_writers": ("connector", "app:x"), "copy_track": track(CONNECTOR)},
    ],
)
def test_one_machine_beside_people_does_not_write_by_turns(known: dict[str, Any]) -> None:
    assert writers.two_writers(of(rows(4, **known))) is None
    undated = {**known, "copy_track": track(CONNECTOR, APP, wrote("", Hand.UNKNOWN))}
    undated["copy_writers"] = ("connector", "app:x")
    assert writers.two_writers(of(rows(4, **undated))) is not None


@pytest.mark.parametrize(
    ("flips", "known", "more"),
    [
        (1, {"copy_write": APP}, HINT), (1, {"copy_write": wrote("api", Hand.UNKNOWN)}, HINT),
        (1, {"copy_write": CONNECTOR}, 0.0), (1, {"copy_write": PERSON}, -CLEAR), (1, {"copy_write": IMPORT}, -CLEAR),
        (1, {"edit_undone": True}, -CLEAR), (1, {"order_broken": True}, 0.0), (1, EMPTY, 0.0),
        (0, EMPTY, -CLEAR), (0, {"order_broken": True}, -HINT),
        (1, {"of": rules(writers=("crm", "shopify"))}, HINT), (1, {"of": rules(writers=("crm",))}, 0.0),
    ],
)  # fmt: skip
def test_what_speaks_for_two_writers_and_against_them(flips: int, known: dict[str, Any], more: float) -> None:
    plain = {"flips": 1} if flips else TURNS
    assert points(writers.two_writers, rows(5, **plain, **known)) == CLEAR + more


@pytest.mark.parametrize(
    ("known", "other"),
    [
        (EMPTY, {}),
        ({"edit_undone": True}, {"edit_undone": False}),
        ({"order_broken": True}, {"order_broken": False}),
        ({"copy_write": PERSON}, {"copy_write": CONNECTOR}),
    ],
)
def test_three_of_five_do_not_speak_against_two_writers_yet(known: dict[str, Any], other: dict[str, Any]) -> None:
    assert points(writers.two_writers, mixed({**TURNS, **known}, 3, {**TURNS, **other}, 2)) == CLEAR


def test_what_mostly_goes_to_and_fro_may_be_empty_and_three_of_five_are_most() -> None:
    some = mixed({"flips": 1, **EMPTY}, 3, EMPTY, 2)
    assert points(writers.two_writers, some) == CLEAR * 0.6
    assert points(writers.two_writers, [*some, row(9, **EMPTY)]) == CLEAR / 2 - CLEAR


# ---- The wrong direction --------------------------------------------------------------------------------------------

UNDONE: Known = {"edit_undone": True}
KEPT: Known = {"edit_undone": False}
REPORTED: Known = {"why": Why.REPORTED, "is_reported": True}
TAKEN_BACK = "an edit in shopify was taken back."


def test_an_edit_that_was_taken_back_went_the_wrong_way() -> None:
    told = writers.wrong_direction(of(mixed(UNDONE, 2, KEPT, 2)))
    assert told == Told(STRONG / 2, (f"2 of 4 records: {TAKEN_BACK}",), WITHOUT_LOG)
    logged = writers.wrong_direction(of(rows(2, **UNDONE), writes=LOG))
    assert logged == Told(STRONG, (f"2 of 2 records: {TAKEN_BACK}",))
    assert writers.wrong_direction(of(mixed(UNDONE, 3, KEPT, 7))) is None
    assert writers.wrong_direction(of(mixed(UNDONE, 4, KEPT, 6))) is not None
    assert writers.wrong_direction(of(rows(3))) is None


def test_what_people_say_is_wrong_in_both_systems_went_the_wrong_way() -> None:
    told = writers.wrong_direction(of(rows(1_200, **REPORTED)))
    assert told == Told(CLEAR, ("1,200 values are wrong in both systems, as people say.",), WITHOUT_LOG)
    older = writers.wrong_direction(of(rows(2, **REPORTED, origin_is_older=True)))
    assert older == Told(STRONG, (f"2 of 2 records: {TAKEN_BACK}",), WITHOUT_LOG)
    assert writers.wrong_direction(of(mixed(REPORTED, 3, {}, 2))) is None
    assert writers.wrong_direction(of(rows(3, why=Why.REVERTED))) is None


def test_an_origin_that_says_what_the_copy_said_before_was_taken_back_if_it_was_reported_or_fought_over() -> None:
    older, newer = {"origin_is_older": True}, {"origin_is_older": False}
    told = writers.wrong_direction(of(rows(2, **REPORTED, **older)))
    assert told == Told(STRONG, (f"2 of 2 records: {TAKEN_BACK}",), WITHOUT_LOG)
    reverted = {"why": Why.REVERTED}
    assert points(writers.wrong_direction, rows(2, **reverted, **older)) == STRONG
    assert writers.wrong_direction(of(rows(2, **reverted, **older, edit_undone=False))) is None
    assert writers.wrong_direction(of(rows(2, **older))) is None
    assert writers.wrong_direction(of(mixed({**reverted, **older}, 3, {}, 2))) is None
    assert points(writers.wrong_direction, mixed({**reverted, **older}, 4, newer, 1)) == STRONG


@pytest.mark.parametrize(
    ("owner", "direction", "more"),
    [
        ("shopify", "target_to_source", CLEAR), ("crm", "source_to_target", CLEAR),
        ("shopify", "source_to_target", 0.0), ("crm", "target_to_source", 0.0), ("shopify", "both", 0.0),
        ("shopify", None, 0.0), ("erp", "source_to_target", 0.0), (None, "target_to_source", 0.0),
    ],
)  # fmt: skip
def test_a_direction_against_the_owner_speaks_for_it(owner: Any, direction: Any, more: float) -> None:
    told = writers.wrong_direction(of(rows(5, **UNDONE, of=rules(owner=owner, direction=direction))))
    assert told is not None
    assert told.points == STRONG + more
    against = ("The field is carried against the direction that its owner needs.",)
    assert told.evidence[1:] == (against if more else ())


def test_more_than_three_of_five_must_go_against_the_owner() -> None:
    wrong = {**UNDONE, "of": rules(direction="target_to_source")}
    assert points(writers.wrong_direction, mixed(wrong, 3, UNDONE, 2)) == STRONG
    assert points(writers.wrong_direction, mixed(wrong, 4, UNDONE, 2)) == STRONG + CLEAR


def test_clocks_and_machines_that_fight_speak_against_the_direction() -> None:
    def weigh(some: list[Row]) -> float | None:
        return points(writers.wrong_direction, some)

    assert weigh(rows(5, **UNDONE, **STAMPED)) == 0.0
    assert weigh(mixed({**UNDONE, **STAMPED}, 3, {**UNDONE, "stamp_against_order": False}, 7)) == STRONG
    assert weigh(mixed({**UNDONE, **STAMPED}, 4, {**UNDONE, "stamp_against_order": False}, 6)) == 0.0
    fought = {**UNDONE, "flips": 2, "copy_write": APP}
    assert weigh(rows(5, **fought)) == STRONG - CLEAR
    assert weigh(rows(5, **{**fought, "flips": 1})) == STRONG
    assert weigh(rows(5, **{**fought, "copy_write": CONNECTOR})) == STRONG
    assert weigh(mixed(fought, 3, {**fought, "flips": 0}, 2)) == STRONG
    assert weigh(mixed(fought, 3, {**fought, "copy_write": CONNECTOR}, 2)) == STRONG


# ---- Out of order, and by wrong clocks ------------------------------------------------------------------------------


def test_a_copy_that_went_back_was_written_out_of_order() -> None:
    broken = {"order_broken": True, **BACK}
    told = "crm went back to an older value of shopify's."
    assert writers.stale_out_of_order(of(rows(4, **broken), writes=LOG)) == Told(
        CLEAR + CLEAR + HINT, (f"4 of 4 records: {told}",)
    )
    assert writers.stale_out_of_order(of(mixed(BACK, 3, STALE, 2))) == Told(
        CLEAR * 0.6 + HINT, (f"3 of 5 records: {told}",), WITHOUT_LOG
    )
    some = mixed({"order_broken": True, **STALE}, 3, {"order_broken": False, **STALE}, 2)
    assert points(writers.stale_out_of_order, some) == CLEAR * 0.6 + HINT
    assert writers.stale_out_of_order(of(mixed(BACK, 3, STALE, 3))) is None
    assert writers.stale_out_of_order(of(rows(3, **FOREIGN))) is None


def test_clocks_or_another_hand_speak_against_the_order() -> None:
    def weigh(one: dict[str, Any], other: dict[str, Any], others: int = 0) -> float | None:
        return points(writers.stale_out_of_order, mixed({**BACK, **one}, 3, {**BACK, **other}, others))

    assert weigh(STAMPED, {}) == HINT
    assert weigh(STAMPED, {"stamp_against_order": False}, 2) == CLEAR + HINT
    assert weigh({"copy_write": PERSON}, {}) == weigh({"copy_write": IMPORT}, {}) == HINT
    assert weigh({"copy_write": PERSON}, {"copy_write": CONNECTOR}, 2) == CLEAR + HINT


PAST_WANTED = ("Earlier looks, or a log, would tell how it came to this.",)


@pytest.mark.parametrize(
    ("cause", "count", "sure"),
    [
        (writers.stale_out_of_order, 3, HINT), (writers.missed_webhook, 3, 2 * HINT),
        (writers.missed_webhook, 1_200, HINT),
    ],
)  # fmt: skip
def test_of_what_differed_from_the_first_look_on_the_past_is_wanted(cause: Cause, count: int, sure: float) -> None:
    told = cause(of(rows(count, **UNLIKE)))
    assert told == Told(sure, (f"{count:,} records differed when they were first seen.",), PAST_WANTED)


LOST: Known = {"copy_had_it": False, "origin_moved": 3.0}


def test_times_that_go_against_the_order_come_of_wrong_clocks() -> None:
    against = "the times of the writes go against the order in which they came."
    ahead = "The clocks of both systems are 1,800 seconds apart."
    some = mixed(STAMPED, 3, {"stamp_against_order": False}, 7)
    assert writers.clock_skew(of(some)) == Told(STRONG * 0.3, (f"3 of 10 records: {against}",))
    assert writers.clock_skew(of(some[1:])) is None
    assert writers.clock_skew(of(rows(3))) is None
    assert writers.clock_skew(of(rows(4, **STAMPED), clock_skew_s=60)) == Told(STRONG, (f"4 of 4 records: {against}",))
    for skew in (1_800, -1_800):
        told = writers.clock_skew(of(rows(4, **LOST), clock_skew_s=skew))
        assert told is not None
        assert (told.points, told.evidence[-1]) == (CLEAR, ahead)
    assert points(writers.clock_skew, rows(4, **UNDONE), clock_skew_s=61) == CLEAR
    assert writers.clock_skew(of(rows(4, **UNDONE), clock_skew_s=60)) is None


def test_clocks_apart_tell_nothing_unless_three_of_five_edits_were_lost() -> None:
    def weigh(some: list[Row]) -> float | None:
        return points(writers.clock_skew, some, clock_skew_s=90)

    assert weigh(mixed(LOST, 3, {}, 2)) == CLEAR * 0.6
    assert weigh(mixed(LOST, 3, {}, 3)) is None
    assert weigh(rows(4, copy_had_it=None, origin_moved=3.0)) is None
    assert weigh(rows(4, copy_had_it=True, origin_moved=3.0)) is None
    assert weigh(rows(4, copy_had_it=False)) is None
    assert weigh(mixed(STAMPED, 3, {"stamp_against_order": False}, 7)) == STRONG * 0.3
    assert weigh(rows(4, **LOST, **STAMPED)) == STRONG + CLEAR
    assert weigh(rows(4, **LOST, **STAMPED, age=0.5)) == CLEAR


def test_the_other_side_is_named_where_it_follows() -> None:
    told = writers.stale_out_of_order(of(rows(2, **BACK, origin=Side.TARGET)))
    assert told is not None
    assert told.evidence == ("2 of 2 records: shopify went back to an older value of crm's.",)
