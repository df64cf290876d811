"""Motion: what the tracks of both sides tell of one field of one pair.

A fact is True or False only where the past that it is about is known; else it is None.
"""

from bisect import bisect_right
from collections.abc import Sequence
from statistics import median
from typing import Any

from onewriter.rules.comparing import is_empty
from onewriter.rules.diagnosis.evidence import Hand, Side, Write
from onewriter.rules.diagnosis.facts import Change, Row
from onewriter.rules.diagnosis.sameness import Form
from onewriter.rules.diagnosis.tracks import Past, Told

NEXT = 5
"""Writes of the other side that a stamp is held against."""
JITTER = 5_000_000
AHEAD = 30_000_000
"""Microseconds by which two stamps may go against the order of the log, within one field and against the other side."""


class Motion:
    """Both tracks of one row, and the questions that are asked of them."""

    def __init__(self, row: Row, form: Form, origin: Told, copy: Told, past: Past) -> None:
        self.row, self.form, self.past = row, form, past
        self.known = {row.origin: origin, row.origin.other: copy}
        self.origin, self.copy = origin.changes, copy.changes
        self.present = {
            row.origin: self.origin[-1].value if origin.is_token else row.origin_value,
            row.origin.other: self.copy[-1].value if copy.is_token else row.copy_value,
        }
        # A digest is held against digests alone.
        self.comparable = origin.is_token == copy.is_token

    def alike(self, one: Any, at: Side, other: Any, other_at: Side) -> bool:
        return self.form.alike(one, at, other, other_at)

    def is_known(self, side: Side) -> bool:
        """Whether enough of the past of a side is known to say that something was never there."""
        known = self.known[side]
        return bool(known.changes) and (known.track.is_whole or bool(self.past.seen[side]))

    def says_older(self, side: Side) -> bool | None:
        """Whether a side says now what the other said before."""
        other = side.other
        if not self.known[other].changes or not self.comparable:
            return None
        left = self.known[other].changes[:-1]
        if any(self.alike(self.present[side], side, each.value, other) for each in left):
            return True
        return False if self.is_known(other) else None

    def was_filled(self, side: Side) -> bool | None:
        known = self.known[side]
        if not known.changes:
            return None
        if any(not is_empty(each.value) for each in known.changes[:-1]):
            return True
        return False if self.is_known(side) else None

    def moved(self, side: Side) -> float | None:
        changes = self.known[side].changes
        return changes[-1].at if len(changes) > 1 or (changes and changes[-1].write is not None) else None

    def returns(self, side: Side) -> list[int]:
        """Which changes of a side came back to a value that it had left."""
        changes = self.known[side].changes
        return [
            place
            for place in range(2, len(changes))
            if any(self.alike(changes[place].value, side, each.value, side) for each in changes[: place - 1])
        ]

    # ---- Edits of the origin's that were taken back ----

    def origin_taken_back(self) -> bool:
        """Whether the origin came to say what the copy had said before it did."""
        side = self.row.origin
        if len(self.origin) < 2 or not self.copy or not self.comparable:
            return False
        held = self.copy[-1]
        return held.at < self.origin[-1].at and self.alike(self.present[side], side, held.value, side.other)

    def edit_undone(self) -> bool | None:
        side, unsure = self.row.origin, False
        for place, change in enumerate(self.origin[1:], 1):
            write, edit = change.write, self.origin[place - 1].write
            if not self._is_old(change, place):
                # A copy without a past says what it says since nobody knows when.
                unsure = unsure or (write is not None and self.past.carries(write) and self._is_copys(change))
                continue
            if write is None:
                unsure = True
            elif self.past.carries(write):
                if edit is not None and not self.past.carries(edit):
                    return True
                unsure = unsure or edit is None
            elif write.hand is Hand.UNKNOWN:
                unsure = True
        return None if unsure or not self.is_known(side) else False

    def _is_copys(self, change: Change) -> bool:
        side = self.row.origin
        return not self.copy and self.alike(change.value, side, self.present[side.other], side.other)

    def _is_old(self, change: Change, place: int) -> bool:
        """Whether what the origin came to say was said before by either side, and before the edit that it replaced."""
        side, edited = self.row.origin, self.origin[place - 1]
        if any(self.alike(change.value, side, each.value, side) for each in self.origin[: place - 1]):
            return True
        if not self.comparable:
            return False
        # An edit of which no line tells may be as young as what replaced it.
        before = edited.at if edited.write is not None else change.at
        return any(each.at <= before and self.alike(change.value, side, each.value, side.other) for each in self.copy)

    # ---- The order of what was carried ----

    def order_broken(self) -> bool | None:
        if not self.copy:
            return None
        last = self.copy[-1].write
        if last is None or last.hand in (Hand.PERSON, Hand.IMPORT, Hand.MERGE, Hand.REDACTION):
            return None if last is None else False
        before = [each.write.caused_by for each in self.copy[:-1] if each.write is not None]
        told = [each for each in before if each is not None]
        if last.caused_by is not None and any(each > last.caused_by for each in told):
            return True
        carried = [place for each in self.copy if (place := self._carried_from(each)) is not None]
        latest = self._carried_from(self.copy[-1])
        if latest is None:
            return None if last.caused_by is None else False
        if any(place > latest for place in carried):
            return True
        return False if len(carried) == len(self.copy) or last.caused_by is not None else None

    def _carried_from(self, copied: Change) -> int | None:
        """The newest change of the origin's with that value, and not younger than the copy of it."""
        if not self.comparable:
            return None
        side = self.row.origin
        places = [
            place
            for place, each in enumerate(self.origin)
            if each.at <= copied.at + 0.01 and self.alike(each.value, side, copied.value, side.other)
        ]
        return max(places, default=None)

    def stamp_against_order(self) -> bool | None:
        stamped = sorted(
            (each.seq, each.at)
            for known in self.known.values()
            for each in _writes(known)
            if each.seq is not None and each.at is not None
        )
        if any(
            later[1] + JITTER < max(at for _, at in stamped[:place]) for place, later in enumerate(stamped) if place
        ):
            return True
        side = self.row.origin.other
        found = [self._is_ahead(each, side) for each in _writes(self.known[side])]
        if True in found:
            return True
        return False if False in found or len(stamped) > 1 else None

    def _is_ahead(self, write: Write, side: Side) -> bool | None:
        """Whether the next writes of the other side in the log bear earlier times."""
        if write.seq is None or write.at is None:
            return None
        order, times = self.past.stamps[side.other]
        place = bisect_right(order, write.seq)
        following = times[place : place + NEXT]
        return bool(median(following) + AHEAD < write.at) if len(following) >= 2 else None

    # ---- Since when ----

    def age(self) -> float | None:
        line, known = self.past.line, self.known[self.row.origin]
        if line.now is None or not line.in_cycles or not known.changes:
            return None
        last = known.changes[-1]
        age = line.now - last.at
        # Where a lost line may lie on either side of a cycle, nobody knows.
        if last.write is None and age - known.wide / 2 < 1 < age + known.wide / 2 and known.wide > 1:
            return None
        return max(age, 0.0)

    def onset(self) -> float | None:
        """Where the two last went apart; their oldest known place where they never agreed."""
        if not (self.origin or self.copy) or not self.comparable:
            return None
        side = self.row.origin
        one = self.origin or [Change(self.present[side], self.past.line.start)]
        other = self.copy or [Change(self.present[side.other], self.past.line.start)]
        places = sorted({each.at for each in (*one, *other)})
        since: float | None = None
        for place in places:
            if self.alike(_at(one, place), side, _at(other, place), side.other):
                since = None
            elif since is None:
                since = place
        return since


def tell(motion: Motion) -> None:
    """Fill a row with everything that its tracks tell."""
    row, side, other = motion.row, motion.row.origin, motion.row.origin.other
    row.origin_track, row.copy_track = motion.known[side].track, motion.known[other].track
    row.copy_is_older = motion.says_older(other)
    row.copy_had_it = motion.says_older(side)
    row.origin_is_older = True if motion.origin_taken_back() else row.copy_had_it
    row.copy_was_filled, row.origin_was_filled = motion.was_filled(other), motion.was_filled(side)
    row.copy_moved, row.origin_moved = motion.moved(other), motion.moved(side)
    row.flips = max(len(motion.returns(side)), len(motion.returns(other)))
    row.copy_write = motion.copy[-1].write if motion.copy else None
    row.origin_write = motion.origin[-1].write if motion.origin else None
    row.edit_undone = motion.edit_undone()
    row.order_broken, row.stamp_against_order = motion.order_broken(), motion.stamp_against_order()
    row.age, row.onset = motion.age(), motion.onset()
    _writers(motion)


def _writers(motion: Motion) -> None:
    row = motion.row
    side = row.origin.other
    names = frozenset(motion.form.logged[side])
    record = row.pair.target if side is Side.TARGET else row.pair.source
    writes = motion.past.of(side, record.id, names) if record is not None else []
    row.copy_writers = tuple(
        dict.fromkeys(each.writer for each in writes if each.accepted is not False and each.writer is not None)
    )
    refused = row.copy_track.refused
    if not refused:
        return
    newest = refused[-1]
    at = motion.past.line.of_write(newest)
    same = motion.comparable and motion.alike(newest.new, side, motion.present[row.origin], row.origin)
    if same or row.origin_moved is None or at is None or at >= row.origin_moved:
        row.last_refused = newest


def was_fought_over(motion: Motion) -> bool:
    """Whether, though both agree now, an edit was undone or a value went to and fro by more than one hand."""
    if motion.row.edit_undone:
        return True
    for side in (motion.row.origin, motion.row.origin.other):
        back = motion.returns(side)
        changes, others = motion.known[side].changes, motion.known[side.other].changes
        unknown = sum(changes[place].write is None for place in back)
        # What went to and fro on both sides alike was carried; on one side alone, something fought there.
        alone = len(back) > len(motion.returns(side.other))
        if alone and (unknown > 1 or (unknown and len(others) <= 1)):
            return True
        if any(_is_forced(motion, changes[place], others, side) for place in back):
            return True
    return False


def _is_forced(motion: Motion, change: Change, others: Sequence[Change], side: Side) -> bool:
    """Whether a machine brought a value back that the other side did not say before."""
    write = change.write
    if write is None or not (write.hand.is_machine or write.hand is Hand.IMPORT):
        return False
    if write.caused_by is not None and side is not motion.row.origin:
        return False
    if side is motion.row.origin:
        # What a carrier brings back to the origin is an edit undone, and judged as such.
        return not motion.past.carries(write)
    told = [each for each in others if each.at <= change.at]
    return bool(others) and not (told and motion.alike(told[-1].value, side.other, change.value, side))


def _writes(known: Told) -> list[Write]:
    return [each.write for each in known.changes if each.write is not None] + known.track.refused


def _at(changes: Sequence[Change], place: float) -> Any:
    """What a side said at a place; before its oldest change, the oldest value."""
    held = changes[0].value
    for each in changes:
        if each.at > place:
            break
        held = each.value
    return held
