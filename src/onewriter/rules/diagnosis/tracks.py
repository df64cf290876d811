"""Tracks: how one field of one record came to its present value, by the log and by earlier looks.

The log is the spine, in its own order. Where a line or a look shows a value that no line explains, a line is missing:
the change is put in without a write, at about its time, and nobody is said to have made it.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from onewriter.rules.diagnosis.evidence import Evidence, Hand, Seen, Side, Write
from onewriter.rules.diagnosis.facts import Change, Track
from onewriter.rules.diagnosis.sameness import Form
from onewriter.rules.diagnosis.timeline import Line, line_of

SLACK = 1.0
"""By how much the place of a write and of a look may be wrong against each other, in cycles."""
_DIGEST = re.compile(r"(?:[a-z0-9_-]{1,12}:)?[A-Za-z0-9+/_=-]{16,}")
_SAMPLE = 200
WRITES_MAX = 200
"""The newest writes of one field of one record that are looked at."""


@dataclass(slots=True)
class Told:
    """A track, and how sure its end is."""

    track: Track
    wide: float = 0.0
    """The span in which the last change lies, where no line of the log tells it."""
    is_token: bool = False
    """Whether its values are digests, which are like no value of a record."""

    @property
    def changes(self) -> list[Change]:
        """The changes, oldest first."""
        return self.track.changes


@dataclass(slots=True)
class Past:
    """The log and the earlier looks, by record."""

    line: Line
    log: bool
    """Whether there is a log at all."""
    writes: dict[Side, dict[str, list[Write]]]
    seen: dict[Side, dict[str, list[Seen]]]
    digests: bool = False
    cycles: frozenset[str] = frozenset()
    """The runs that carry values."""
    stamps: dict[Side, tuple[list[int], list[int]]] = field(default_factory=dict)
    """By side: the places of its writes in the log, and the times of their clocks."""

    def of(self, side: Side, id_: str, names: frozenset[str]) -> list[Write]:
        """The writes of one field of one record, in their order; some logs know it by its name in the policy."""
        return [write for write in self.writes[side].get(id_, ()) if write.field in names]

    def carries(self, write: Write) -> bool:
        """Whether a write carried a value from one side to the other."""
        if write.hand is Hand.CONNECTOR:
            return True
        told = write.caused_by is not None or (write.run is not None and write.run in self.cycles)
        return write.hand in (Hand.UNKNOWN, Hand.APP) and told


def past_of(evidence: Evidence) -> Past:
    """What is known of the past."""
    writes: dict[Side, dict[str, list[Write]]] = {Side.SOURCE: {}, Side.TARGET: {}}
    seen: dict[Side, dict[str, list[Seen]]] = {Side.SOURCE: {}, Side.TARGET: {}}
    for write in sorted(evidence.writes or (), key=_in_order):
        writes[write.side].setdefault(write.id, []).append(write)
    for look in sorted(evidence.history or (), key=lambda each: each.cycle):
        seen[look.side].setdefault(look.id, []).append(look)
    cycles = frozenset(run.id for run in (evidence.runs or {}).values() if run.kind in ("cycle", "resync"))
    past = Past(line_of(evidence), evidence.writes is not None, writes, seen, _is_digested(evidence), cycles)
    for side in Side:
        stamped = [
            (each.seq, each.at)
            for each in evidence.writes or ()
            if each.side is side and each.seq is not None and each.at is not None
        ]
        stamped.sort()
        past.stamps[side] = [seq for seq, _ in stamped], [at for _, at in stamped]
    return past


def _in_order(write: Write) -> tuple[bool, int, int]:
    return write.seq is None, write.seq or 0, write.at or 0


def _is_digested(evidence: Evidence) -> bool:
    """Whether the log holds digests: all of one form, and none of them equal to what its record says."""
    sample = [each for each in evidence.writes or () if each.new is not None and each.accepted is not False][:_SAMPLE]
    if not sample:
        return False
    for write in sample:
        record = evidence.records[write.side].get(write.id)
        if record is not None and write.field in record.fields and record.fields[write.field] == write.new:
            return False
    texts = [each.new for each in sample if isinstance(each.new, str)]
    if not texts:
        return not any(isinstance(each.new, int | float | list | dict) for each in sample)
    one_form = len({len(text) for text in texts}) == 1 and all(map(_DIGEST.fullmatch, texts))
    return len(texts) == len(sample) and one_form


def track_of(past: Past, form: Form, side: Side, id_: str, present: Any) -> Told:
    """How a field of a record came to what it says now."""
    name = form.names[side]
    writes = past.of(side, id_, form.logged[side])[-WRITES_MAX:]
    accepted = [write for write in writes if write.accepted is not False]
    looks = [
        (past.line.of_cycle(seen.cycle), seen.fields[name])
        for seen in past.seen[side].get(id_, ())
        if name in seen.fields
    ]
    builder = _Builder(past.line, form, side)
    builder.take(accepted)
    is_token = past.digests and bool(accepted)
    if not is_token:
        builder.look(looks)
        builder.end(present, looks[-1][0] if looks else None)
    changes = builder.changes
    is_whole = past.log and bool(changes) and not any(each.write is None for each in changes[1:])
    refused = [write for write in writes if write.accepted is False]
    return Told(Track(changes=changes, refused=refused, is_whole=is_whole), builder.wide, is_token)


class _Builder:
    """The changes of one field of one record, put together."""

    def __init__(self, line: Line, form: Form, side: Side) -> None:
        self.line, self.form, self.side = line, form, side
        self.changes: list[Change] = []
        self.wide = 0.0

    def same(self, one: Any, other: Any) -> bool:
        return self.form.alike(one, self.side, other, self.side)

    def take(self, writes: Sequence[Write]) -> None:
        """The changes that the log tells; an old value that is not the last new one follows a line that was lost."""
        last = self.line.start
        for write in writes:
            at = self.line.of_write(write)
            at = last if at is None else max(at, last)
            # Nothing tells an old value that is empty from one that was not told.
            if write.old is not None and not (self.changes and self.same(write.old, self.changes[-1].value)):
                between = (last + at) / 2 if self.changes else self.line.start
                self.changes.append(Change(write.old, between))
            if not self.changes or not self.same(write.new, self.changes[-1].value):
                self.changes.append(Change(write.new, at, write))
            last = at

    def look(self, looks: Sequence[tuple[float, Any]]) -> None:
        """Earlier looks: what they show is either told by the log about that time, or a line is missing."""
        before: float | None = None
        for at, value in looks:
            if not self._is_told(at, value):
                self._put(at, before, value)
            before = at

    def _is_told(self, at: float, value: Any) -> bool:
        places = [each.at for each in self.changes]
        for index, change in enumerate(self.changes):
            ends = places[index + 1] if index + 1 < len(places) else float("inf")
            begins = change.at if index else min(change.at, self.line.start)
            if index == 0 and change.write is not None:
                begins = change.at
            if begins <= at + SLACK and ends >= at - SLACK and self.same(change.value, value):
                return True
        return False

    def _put(self, at: float, before: float | None, value: Any) -> None:
        place = bisect_right([each.at for each in self.changes], at)
        if place < len(self.changes) and self.same(self.changes[place].value, value):
            if place == 0:
                # The value was there before the first line of it: the line wrote again what stood there.
                self.changes.insert(0, Change(value, at))
                del self.changes[1]
            return
        if place == 0 and before is None:
            self.changes.insert(0, Change(value, at))
            return
        low = max([each for each in (before, self.changes[place - 1].at if place else None) if each is not None])
        if place == len(self.changes):
            self.wide = at - low
        self.changes.insert(place, Change(value, (low + at) / 2))

    def end(self, present: Any, looked: float | None) -> None:
        """What it says now, where nothing known ends in that."""
        if not self.changes or self.same(present, self.changes[-1].value):
            return
        now = self.line.now if self.line.now is not None else self.changes[-1].at
        low = max(self.changes[-1].at, looked if looked is not None else self.changes[-1].at)
        self.wide = now - low
        self.changes.append(Change(present, (low + now) / 2))
