"""The line of time, the tracks that lie on it, and what they tell of one difference."""

from typing import Any

import pytest

from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.evidence import Hand, Report, RunOf, Write
from onewriter.rules.diagnosis.facts import Row
from onewriter.rules.diagnosis.timeline import line_of
from tests.support.two_systems import (
    HOUR,
    SECOND,
    SOURCE,
    TARGET,
    compared,
    cycles,
    evidence,
    row,
    ruled,
    seen,
    wrote,
)


def told(origin: Any, copy: Any, *log: Write, looks: Any = None, **said: Any) -> Row:
    """The row of one note, with a log if there is one, and three cycles that were completed."""
    said.setdefault("runs", cycles(3))
    return row(compared(origin, copy, writes=list(log) or None, history=looks, cycles=3, **said))


# ---- The line of time -----------------------------------------------------------------------------------------------


def places(*log: Write, **said: Any) -> list[float]:
    line = line_of(evidence(({"note": "x"}, {"note": "x"}), writes=log, **said))
    found = [line.of_write(each) for each in log]
    assert None not in found
    return [each for each in found if each is not None]


def test_writes_lie_in_the_cycle_whose_run_they_follow() -> None:
    log = [
        wrote(5, SOURCE, "a", "b"), wrote(11, TARGET, "a", "b", run="run1"), wrote(14, SOURCE, "b", "c"),
        wrote(21, TARGET, "b", "c", run="run2"), wrote(27, SOURCE, "c", "d"), wrote(29, SOURCE, "d", "e"),
    ]  # fmt: skip
    found = places(*log, runs=cycles(2), cycles=2)
    assert found == sorted(found)
    assert [int(each) for each in found] == [0, 1, 1, 2, 2, 2]
    assert 1.1 < found[2] < 2.0 < found[3] < 2.1 < found[4] < found[5] < 2.95


def test_a_wrong_clock_moves_nothing_that_has_its_place_in_the_log() -> None:
    log = [
        wrote(5, SOURCE, "a", "b"), wrote(11, TARGET, "a", "b", run="run1", at=99 * HOUR),
        wrote(21, TARGET, "b", "c", run="run2", at=HOUR),
    ]  # fmt: skip
    assert [int(each) for each in places(*log, runs=cycles(2), cycles=2)] == [0, 1, 2]


def test_a_cycle_that_wrote_nothing_is_found_between_the_times_of_the_source() -> None:
    log = [wrote(5, SOURCE, "a", "b"), wrote(15, SOURCE, "b", "c"), wrote(25, SOURCE, "c", "d")]
    assert [int(each) for each in places(*log, runs=cycles(2), cycles=2)] == [0, 1, 2]


def test_without_runs_the_names_of_runs_tell_the_cycles() -> None:
    log = [wrote(1, TARGET, "a", "b", run="sync4"), wrote(2, SOURCE, "b", "c"), wrote(3, TARGET, "b", "c", run="sync6")]
    assert [round(each) for each in places(*log, cycles=7)] == [4, 5, 6]
    named = [wrote(1, TARGET, "a", "b", run="x"), wrote(2, SOURCE, "b", "c"), wrote(3, TARGET, "b", "c", run="k")]
    assert [round(each) for each in places(*named, cycles=7)] == [6, 7, 7]


def test_without_runs_and_names_the_log_is_spread_over_the_cycles_or_fitted_to_earlier_looks() -> None:
    log = [wrote(place, SOURCE, f"v{place - 1}", f"v{place}") for place in range(1, 12)]
    spread = places(*log, cycles=4)
    assert spread == sorted(spread)
    assert 0 < spread[0] < 1 < spread[5] < 3 < spread[-1] < 4.95
    looks = [seen(1, SOURCE, "v0"), seen(2, SOURCE, "v8"), seen(3, SOURCE, "v9")]
    fitted = places(*log, cycles=4, history=looks)
    assert fitted[7] < 2.1 < fitted[8]


def test_without_places_in_the_log_times_tell_less_what_the_target_is_ahead() -> None:
    log = [
        wrote(None, SOURCE, "a", "b", at=15 * HOUR),
        wrote(None, TARGET, "a", "b", at=25 * HOUR),
        wrote(None, TARGET, "a", "b", at=25 * HOUR, run="x"),
    ]
    found = places(*log, runs=cycles(3), cycles=3)
    assert [int(each) for each in found] == [1, 2, 2]
    assert int(places(*log, runs=cycles(3), cycles=3, clock_skew_s=10 * 3600)[1]) == 1


def test_the_present_is_after_everything_and_not_known_without_any_past() -> None:
    assert compared("a", "b").now is None
    assert compared("a", "b", cycles=3).now == pytest.approx(3.96)
    assert compared("a", "b", history=[seen(2, SOURCE, "a")]).now == pytest.approx(2.96)
    unnumbered = {"r": RunOf(id="r", kind="cycle", started=HOUR), "s": RunOf(id="s", kind="cycle", started=2 * HOUR)}
    assert compared("a", "b", runs=unnumbered).now == pytest.approx(2.96)


# ---- Tracks ---------------------------------------------------------------------------------------------------------


def test_a_track_is_every_change_that_the_log_tells() -> None:
    log = [wrote(5, SOURCE, "a", "b", Hand.PERSON), wrote(15, SOURCE, "b", "c", Hand.PERSON)]
    refused = wrote(21, TARGET, "a", "b", run="run2", accepted=False)
    found = told("c", "a", *log, refused)
    assert [change.value for change in found.origin_track.changes] == ["a", "b", "c"]
    assert [change.write for change in found.origin_track.changes] == [None, *log]
    assert (found.origin_track.is_whole, found.copy_track.changes, found.copy_track.refused) == (True, [], [refused])
    assert found.origin_write == log[1]


def test_a_line_that_is_lost_is_a_change_that_nobody_is_said_to_have_made() -> None:
    between = told("c", "a", wrote(5, SOURCE, "a", "b", Hand.PERSON), wrote(15, SOURCE, "x", "c", Hand.PERSON))
    assert [change.value for change in between.origin_track.changes] == ["a", "b", "x", "c"]
    assert between.origin_track.changes[2].write is None
    assert not between.origin_track.is_whole
    last = told("c", "a", wrote(5, SOURCE, "a", "b", Hand.PERSON))
    assert [change.value for change in last.origin_track.changes] == ["a", "b", "c"]
    assert (last.origin_write, last.origin_track.is_whole) == (None, False)


def test_looks_that_the_log_explains_add_nothing() -> None:
    looks = [seen(1, SOURCE, "a"), seen(2, SOURCE, "b"), seen(3, SOURCE, "b")]
    found = told(
        "b", "a", wrote(15, SOURCE, "a", "b", Hand.PERSON), wrote(21, TARGET, "z", "a", run="run2"), looks=looks
    )
    assert [change.value for change in found.origin_track.changes] == ["a", "b"]
    assert (found.origin_track.is_whole, found.flips) == (True, 0)


def test_a_look_shows_what_a_lost_line_would_have_told() -> None:
    looks = [seen(1, SOURCE, "a"), seen(2, SOURCE, "b"), seen(3, SOURCE, "b")]
    found = told("b", "a", wrote(1, TARGET, "z", "a"), looks=looks)
    assert [(change.value, change.write) for change in found.origin_track.changes] == [("a", None), ("b", None)]
    assert not found.origin_track.is_whole
    assert 1 < (found.origin_moved or 0) < 2.2


def test_forms_of_one_value_are_no_change() -> None:
    found = told("B b", "a", wrote(5, SOURCE, "a", "B  b", Hand.PERSON), looks=[seen(1, SOURCE, " B b")])
    assert [change.value for change in found.origin_track.changes] == ["a", "B  b"]


def test_a_log_of_digests_is_held_against_itself_alone() -> None:
    old, new = "h:" + "a" * 32, "h:" + "b" * 32
    log = [
        wrote(3, SOURCE, None, old, Hand.PERSON), wrote(11, TARGET, None, old, run="run1", caused_by=3),
        wrote(15, SOURCE, old, new, Hand.PERSON),
    ]  # fmt: skip
    found = told("Ann", "Bob", *log)
    assert (found.copy_is_older, found.copy_had_it, found.origin_track.is_whole) == (True, False, True)
    assert found.origin_write == log[2]
    half = told("Ann", "Bob", log[0], log[2])
    assert (half.copy_is_older, half.onset) == (None, None)


# ---- Older, filled, moved -------------------------------------------------------------------------------------------


def test_a_copy_that_was_left_behind_says_what_the_origin_said_before() -> None:
    found = told("new", "old", wrote(15, SOURCE, "old", "new", Hand.PERSON))
    assert (found.copy_is_older, found.copy_had_it, found.copy_moved) == (True, None, None)
    assert 1 < (found.onset or 0) < 2
    assert 1.9 < (found.age or 0) < 2.9
    other = told("new", "else", wrote(15, SOURCE, "old", "new", Hand.PERSON))
    assert other.copy_is_older is False


def test_looks_alone_tell_as_much() -> None:
    looks = [seen(1, SOURCE, "old"), seen(1, TARGET, "old"), seen(2, SOURCE, "new"), seen(2, TARGET, "old")]
    found = told("new", "old", looks=looks, runs=None)
    assert (found.copy_is_older, found.copy_had_it, found.copy_moved) == (True, False, None)
    assert (found.origin_track.is_whole, found.copy_writers) == (False, ())


def test_a_copy_that_moved_away_had_what_the_origin_says() -> None:
    mine = wrote(15, TARGET, "right", "wrong", Hand.PERSON)
    found = told("right", "wrong", mine)
    assert (found.copy_had_it, found.origin_is_older, found.copy_write) == (True, True, mine)
    assert 1 < (found.copy_moved or 0) < 2
    assert found.copy_writers == ("user:ann",)


def test_nothing_is_said_of_a_past_that_nobody_knows() -> None:
    found = told("one", "other")
    facts = (found.copy_is_older, found.origin_is_older, found.copy_had_it, found.copy_was_filled, found.copy_moved)
    assert facts == (None,) * 5
    assert (found.age, found.onset, found.edit_undone, found.order_broken, found.stamp_against_order) == (None,) * 5
    assert (found.copy_write, found.last_refused, found.flips) == (None, None, 0)
    lost = told("one", "other", wrote(5, SOURCE, "x", "y"), wrote(5, TARGET, "x", "y"))
    assert (lost.copy_is_older, lost.copy_had_it) == (None, None)


def test_an_empty_copy_was_filled_or_never() -> None:
    assert told("x", None, wrote(11, TARGET, "x", None, run="run1")).copy_was_filled is True
    assert told("x", None, looks=[seen(1, TARGET, None)]).copy_was_filled is False
    assert told("x", None).copy_was_filled is None
    assert told(None, "x", wrote(11, SOURCE, "x", None)).origin_was_filled is True


# ---- Edits, flips, order --------------------------------------------------------------------------------------------


def undone(*, back: Hand = Hand.CONNECTOR, edit: Hand = Hand.PERSON, **said: Any) -> Row:
    """An edit that was taken back, with a copy that differs by now."""
    return told("old", "third", wrote(3, SOURCE, "old", "new", edit), wrote(11, SOURCE, "new", "old", back, **said))


def test_an_edit_is_undone_by_whatever_carries_values() -> None:
    assert undone().edit_undone is True
    assert undone(back=Hand.UNKNOWN, run="run1").edit_undone is True
    assert undone(back=Hand.UNKNOWN, caused_by=2).edit_undone is True
    assert undone(back=Hand.UNKNOWN).edit_undone is None
    assert undone(back=Hand.PERSON).edit_undone is False
    assert undone(edit=Hand.CONNECTOR).edit_undone is False
    newer = told("x", "y", wrote(3, SOURCE, "old", "new", Hand.PERSON), wrote(11, SOURCE, "new", "x"))
    assert newer.edit_undone is False


def test_an_edit_is_undone_with_what_the_copy_said_before() -> None:
    log = [
        wrote(2, TARGET, "z", "theirs", Hand.PERSON),
        wrote(3, SOURCE, None, "mine", Hand.PERSON),
        wrote(11, SOURCE, "mine", "theirs", run="run1", caused_by=2),
    ]
    found = told("theirs", "third", *log)
    assert (found.edit_undone, found.origin_is_older) == (True, True)


def test_flips_are_counted_where_a_value_comes_back() -> None:
    log = [wrote(place, TARGET, *(("a", "b") if place % 2 else ("b", "a"))) for place in range(5, 10)]
    assert told("a", "b", *log).flips == 4
    rising = [wrote(place, TARGET, f"v{place}", f"v{place + 1}") for place in range(5, 10)]
    assert told("a", "v10", *rising).flips == 0


def carried(*places: int, **said: Any) -> Row:
    """Two edits, and what was carried of them, in that order."""
    values = {3: "one", 5: "two"}
    edits = [wrote(3, SOURCE, "zero", "one", Hand.PERSON), wrote(5, SOURCE, "one", "two", Hand.PERSON)]
    before, log = "zero", []
    for place, cause in enumerate(places):
        log.append(wrote(11 + place, TARGET, before, values[cause], run="run1", caused_by=cause, **said))
        before = values[cause]
    return told("two", before, *edits, *log) if before != "two" else told("three", before, *edits, *log)


def test_an_older_value_that_was_carried_after_a_newer_one_breaks_the_order() -> None:
    assert carried(5, 3).order_broken is True
    assert carried(3).order_broken is False
    assert carried(3, 5).order_broken is False
    by_values = told(
        "two", "one",
        wrote(3, SOURCE, "zero", "one", Hand.PERSON), wrote(5, SOURCE, "one", "two", Hand.PERSON),
        wrote(11, TARGET, "zero", "two", Hand.UNKNOWN), wrote(12, TARGET, "two", "one", Hand.UNKNOWN),
    )  # fmt: skip
    assert by_values.order_broken is True
    by_hand = told("two", "one", wrote(3, SOURCE, "one", "two"), wrote(12, TARGET, "two", "one", Hand.PERSON))
    assert by_hand.order_broken is False


def test_stamps_that_go_against_the_order_of_the_log() -> None:
    early = wrote(15, TARGET, "b", "c", at=3 * HOUR)
    assert told("x", "c", wrote(12, TARGET, "a", "b"), early).stamp_against_order is True
    assert told("x", "c", wrote(12, TARGET, "a", "b"), wrote(15, TARGET, "b", "c")).stamp_against_order is False
    jitter = wrote(15, TARGET, "b", "c", at=12 * HOUR - SECOND)
    assert told("x", "c", wrote(12, TARGET, "a", "b"), jitter).stamp_against_order is False
    assert told("x", "c", wrote(12, TARGET, "a", "c", at=None)).stamp_against_order is None


def test_a_copy_whose_stamps_run_ahead_of_the_log() -> None:
    others = [wrote(place, SOURCE, "q", f"r{place}", id="9") for place in range(20, 26)]
    ahead = told("x", "c", wrote(19, TARGET, "a", "c", at=40 * HOUR), *others)
    assert ahead.stamp_against_order is True
    assert told("x", "c", wrote(19, TARGET, "a", "c"), *others).stamp_against_order is False


def test_the_newest_refusal_counts_while_it_is_newer_than_the_origin() -> None:
    refused = wrote(21, TARGET, "a", "b", run="run2", accepted=False, reason="ACCESS_DENIED")
    assert told("b", "a", wrote(15, SOURCE, "a", "b", Hand.PERSON), refused).last_refused == refused
    assert told("c", "a", wrote(25, SOURCE, "b", "c", Hand.PERSON), refused).last_refused is None
    assert told("b", "a", refused).last_refused == refused


# ---- Age and onset --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seq", "is_young"), [(39, True), (33, True), (28, False), (15, False)])
def test_what_is_younger_than_a_cycle_has_not_seen_a_whole_one(seq: int, *, is_young: bool) -> None:
    others = [wrote(10 * number, TARGET, "q", f"r{number}", id="c9", run=f"run{number}") for number in (1, 2, 3)]
    found = told("b", "a", wrote(seq, SOURCE, "a", "b", Hand.PERSON), *others, taken_at=40 * HOUR)
    assert found.age is not None
    assert (found.age < 1) is is_young


def test_a_change_that_only_looks_show_is_young_after_the_last_of_them() -> None:
    stale = [seen(1, SOURCE, "a"), seen(2, SOURCE, "b"), seen(3, SOURCE, "b")]
    young = [seen(1, SOURCE, "a"), seen(2, SOURCE, "a"), seen(3, SOURCE, "a")]
    assert (told("b", "a", looks=stale).age or 0) > 1
    assert 0 < (told("b", "a", looks=young).age or 0) < 1
    # It came at any time since the first look, and nobody knows whether before a cycle.
    assert told("b", "a", looks=[seen(1, SOURCE, "a")]).age is None


def test_the_onset_is_where_they_last_went_apart() -> None:
    log = [
        wrote(3, SOURCE, "a", "b", Hand.PERSON), wrote(11, TARGET, "a", "b", run="run1"),
        wrote(25, TARGET, "b", "x", Hand.PERSON),
    ]  # fmt: skip
    found = told("b", "x", *log)
    assert 2 < (found.onset or 0) < 3
    assert found.onset == found.copy_moved
    never = told("b", "x", wrote(3, SOURCE, "a", "b", Hand.PERSON), wrote(4, TARGET, "y", "x", Hand.PERSON))
    assert never.onset == 0


def test_the_owner_may_be_the_target_and_all_of_it_holds_the_other_way() -> None:
    log = [wrote(15, TARGET, "old", "new", Hand.PERSON)]
    found = row(compared("old", "new", rules=ruled(owner="right"), writes=log, runs=cycles(3), cycles=3))
    assert (found.origin, found.copy_is_older, found.origin_write) == (TARGET, True, log[0])
    known = evidence(({"note": "old"}, {"note": "old"}), fields=[ruled(owner="right")], runs=cycles(3), cycles=3)
    known.writes = [wrote(3, TARGET, "old", "new", Hand.PERSON), wrote(11, TARGET, "new", "old", run="run1")]
    assert row(compare(known)).edit_undone is True


def test_what_went_to_and_fro_on_both_sides_alike_was_carried() -> None:
    def looked(*values: tuple[str, str]) -> int:
        looks = [
            seen(cycle, side, value)
            for cycle, both in enumerate(values, 1)
            for side, value in zip((SOURCE, TARGET), both, strict=True)
        ]
        return len(compared("a", "a", history=looks, cycles=len(values)).rows)

    assert looked(("a", "a"), ("b", "b"), ("a", "a"), ("b", "b"), ("a", "a")) == 0
    assert looked(("a", "a"), ("a", "b"), ("a", "a"), ("a", "b"), ("a", "a")) == 1
    assert looked(("a", "a"), ("b", "a"), ("a", "a")) == 1


def test_a_connector_that_wrote_over_nobody_knows_what_is_not_said_to_have_undone_an_edit() -> None:
    assert told("theirs", "third", wrote(11, SOURCE, "mine", "theirs")).edit_undone is False
    found = told("theirs", "Theirs", wrote(11, SOURCE, "mine", "Theirs"), wrote(12, SOURCE, "Theirs", "theirs"))
    assert found.edit_undone is None


def test_what_caused_a_write_tells_the_order_where_the_values_do_not() -> None:
    edits = [wrote(3, SOURCE, "zero", "one", Hand.PERSON), wrote(5, SOURCE, "one", "two", Hand.PERSON)]
    newer, older = wrote(11, TARGET, "q", "2nd", caused_by=5), wrote(12, TARGET, "2nd", "1st", caused_by=3)
    assert told("two", "1st", *edits, newer, older).order_broken is True
    assert told("two", "2nd", *edits, wrote(10, TARGET, "q", "1st", caused_by=3), newer).order_broken is False


def test_what_both_say_now_is_older_on_neither_side() -> None:
    found = told("b", "b", wrote(15, SOURCE, "a", "b", Hand.PERSON), reports=[Report("1", "note", "c")])
    assert (found.copy_is_older, found.copy_had_it) == (False, None)


def test_a_quiet_cycle_lies_between_those_that_wrote() -> None:
    log = [wrote(3, SOURCE, "a", "b"), wrote(31, TARGET, "a", "b", run="run3"), wrote(35, TARGET, "b", "c")]
    found = places(*log, runs=cycles(4), cycles=4)
    assert [int(each) for each in found] == [0, 3, 3]
    assert found[1] < found[2] < 4


def test_a_target_whose_clock_is_wrong_does_not_move_quiet_cycles() -> None:
    mine = [wrote(place, SOURCE, "a", "b") for place in (4, 8, 12, 16, 24, 28)]
    theirs = [wrote(place, TARGET, "a", "b", at=(place + 90) * HOUR) for place in (5, 9, 13, 17, 25)]
    log = sorted([*mine, *theirs], key=lambda each: each.seq or 0)
    assert [int(each) for each in places(*log, runs=cycles(2), cycles=2)] == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
