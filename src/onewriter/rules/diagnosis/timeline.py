"""The line of time: one order for runs, snapshots and writes, counted in cycles.

Cycle k begins at k and ends at k + .1; what happens before the next one begins lies between that and k + .95, and the
present is at .96 after the last cycle that was completed. So what is one or more old has seen a whole cycle. The place
of a write is told by its `seq` wherever it has one, since clocks can be wrong; times serve where there is none.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from onewriter.records import Instant
from onewriter.rules.diagnosis.evidence import Evidence, Hand, RunOf, Seen, Side, Write

RUN = 0.1
"""The length of a cycle's own run."""
WRONG_MAX = 0.02
"""The share of stamps that may go against the order of the log while all clocks still count as right."""
LAST = 0.95
"""Where what follows the newest cycle ends."""
PRESENT = 0.96
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})")
Anchor = tuple[float, float]


@dataclass(slots=True)
class Line:
    """Places on the line of time."""

    now: float | None
    in_cycles: bool
    """Whether it is known how long a cycle is; else the places say what came before what, and no more."""
    by_seq: Sequence[Anchor]
    by_time: Sequence[Anchor]
    ahead: Instant
    """By how much the target's clock is known to be ahead."""

    @property
    def start(self) -> float:
        """The oldest place of all."""
        begun = [anchors[0][1] for anchors in (self.by_seq, self.by_time) if anchors]
        return min((0.0, *begun))

    def of_write(self, write: Write) -> float | None:
        """Where a write is; None where nothing tells."""
        if write.seq is not None and self.by_seq:
            return _between(self.by_seq, write.seq)
        if write.at is not None and self.by_time:
            return _between(self.by_time, write.at - (self.ahead if write.side is Side.TARGET else 0))
        return None

    def of_cycle(self, cycle: int) -> float:
        """Where the look at the end of a cycle is."""
        return cycle + RUN + 0.001


def line_of(evidence: Evidence) -> Line:
    """The line of time of some evidence."""
    runs = _cycles(evidence)
    last = _last(evidence, runs)
    writes = evidence.writes or ()
    ahead = round((evidence.clock_skew_s or 0) * 1_000_000)
    end = (1 if last is None else last) + LAST
    by_time = _by_time(evidence, runs, end, ahead)
    by_seq = _by_seq(evidence, runs, writes, end, last)
    now = None if last is None and not writes else end - LAST + PRESENT
    return Line(now, last is not None, by_seq, by_time, ahead)


def _cycles(evidence: Evidence) -> list[tuple[int, RunOf]]:
    """The cycles with their numbers; where none is numbered, they count up to the last one that was completed."""
    runs = [run for run in (evidence.runs or {}).values() if run.kind == "cycle"]
    if any(run.cycle is not None for run in runs):
        return sorted(((run.cycle, run) for run in runs if run.cycle is not None), key=lambda each: each[0])
    runs.sort(key=lambda run: (run.started is None, run.started or 0, run.id))
    first = 1 if evidence.cycles is None else evidence.cycles - len(runs) + 1
    return [(number, run) for number, run in enumerate(runs, first)]


def _last(evidence: Evidence, runs: Sequence[tuple[int, RunOf]]) -> int | None:
    known = [number for number, run in runs if run.state != "failed"]
    if evidence.history:
        known.append(max(seen.cycle for seen in evidence.history))
    if evidence.cycles is not None:
        known.append(evidence.cycles)
    return max(known, default=None)


def _by_time(evidence: Evidence, runs: Sequence[tuple[int, RunOf]], end: float, ahead: Instant) -> list[Anchor]:
    anchors: list[Anchor] = []
    for number, run in runs:
        if run.started is not None:
            anchors.append((run.started, float(number)))
            anchors.append((max(run.finished or 0, run.started + 1), number + RUN))
    times = [
        each.at - (ahead if each.side is Side.TARGET else 0) for each in evidence.writes or () if each.at is not None
    ]
    newest = max((*times, *((evidence.taken_at,) if evidence.taken_at is not None else ())), default=None)
    if not anchors and times and newest is not None:
        anchors.append((min(times) - 1, 0.0))
    if newest is not None and anchors:
        anchors.append((max(newest, max(anchors)[0]) + 1, end))
    if times and anchors:
        _begin(anchors, min(times))
    return _rising(anchors)


def _by_seq(
    evidence: Evidence, runs: Sequence[tuple[int, RunOf]], writes: Sequence[Write], end: float, last: int | None
) -> list[Anchor]:
    numbered = [write.seq for write in writes if write.seq is not None]
    if not numbered:
        return []
    spans = _spans(writes)
    cycles = {run.id: number for number, run in runs} or ({} if evidence.runs else _named(spans, writes, last))
    anchors: list[Anchor] = []
    for name, (first, final) in spans.items():
        if name in cycles:
            anchors += [(first - 0.5, float(cycles[name])), (final + 0.5, cycles[name] + RUN)]
    anchors += _by_clock(runs, writes, anchors)
    if not anchors and evidence.history:
        anchors += _by_looks(evidence.history, writes)
    if not anchors:
        anchors.append((min(numbered) - 1, 0.0))
    anchors.append((max(max(numbered), max(anchors)[0]) + 1, end))
    _begin(anchors, min(numbered))
    return _rising(anchors)


def _spans(writes: Iterable[Write]) -> dict[str, tuple[int, int]]:
    """The first and the last write of each run."""
    spans: dict[str, tuple[int, int]] = {}
    for write in writes:
        if write.run is not None and write.seq is not None:
            first, final = spans.get(write.run, (write.seq, write.seq))
            spans[write.run] = min(first, write.seq), max(final, write.seq)
    return spans


def _named(spans: dict[str, tuple[int, int]], writes: Sequence[Write], last: int | None) -> dict[str, int]:
    """The numbers of runs of which nothing is told but what they wrote: by their names, else by their order."""
    own = {write.run for write in writes if write.hand is Hand.CONNECTOR}
    names = sorted((name for name in spans if name in own), key=lambda name: spans[name])
    found = [_NUMBERED.fullmatch(name) for name in names]
    numbers = [int(each[2]) for each in found if each is not None]
    stems = {each[1] for each in found if each is not None}
    rises = all(one < other for one, other in pairwise(numbers))
    if numbers and len(numbers) == len(names) and len(stems) == 1 and rises and (last is None or numbers[-1] <= last):
        return dict(zip(names, numbers, strict=True))
    first = 1 if last is None else last - len(names) + 1
    return {name: first + place for place, name in enumerate(names)}


def _by_clock(runs: Sequence[tuple[int, RunOf]], writes: Sequence[Write], told: Sequence[Anchor]) -> list[Anchor]:
    """Where cycles began that wrote nothing: between the writes that are older by their stamps and the newer ones.

    How many are older counts, and not which, so that a few wrong stamps move it by a few places only; and where the
    stamps of all go to and fro in the order of the log, those of the target are left out.
    """
    stamped = sorted((each.seq, each.at, each.side) for each in writes if each.seq is not None and each.at is not None)
    back = sum(later[1] < earlier[1] for earlier, later in pairwise(stamped))
    if back > len(stamped) * WRONG_MAX:
        stamped = [each for each in stamped if each[2] is Side.SOURCE]
    if not stamped:
        return []
    order, times = [each[0] for each in stamped], sorted(each[1] for each in stamped)
    around = [order[0] - 1, *order, order[-1] + 1]
    known = {int(position) for _, position in told}
    anchors: list[Anchor] = []
    for number, run in runs:
        if number in known or run.started is None:
            continue
        before = bisect_right(times, run.started)
        place = (around[before] + around[before + 1]) / 2
        # What runs wrote tells surely where they are; a quiet one lies between them.
        place = max([place, *(each + 0.01 for each, position in told if position < number)])
        if all(place + 0.05 < each for each, position in told if position > number):
            anchors += [(place, float(number)), (place + 0.05, number + RUN)]
            told = [*told, *anchors[-2:]]
    return anchors


def _by_looks(history: Sequence[Seen], writes: Sequence[Write]) -> list[Anchor]:
    """Where cycles ended in a log that tells of no runs: by the first look that shows what was written."""
    looks: dict[tuple[Side, str], list[Seen]] = {}
    for seen in history:
        looks.setdefault((seen.side, seen.id), []).append(seen)
    for each in looks.values():
        each.sort(key=lambda seen: seen.cycle)
    told: list[tuple[int, int]] = []
    for write in writes:
        if write.seq is None or write.accepted is False or write.new is None:
            continue
        before: object = None
        for seen in looks.get((write.side, write.id), ()):
            value = seen.fields.get(write.field)
            if value == write.new and before is not None and before != value:
                told.append((write.seq, seen.cycle))
                break
            before = value
    order, cycles = sorted(seq for seq, _ in told), sorted(cycle for _, cycle in told)
    ends = [(order[bisect_right(cycles, each) - 1] + 0.5, each + RUN) for each in dict.fromkeys(cycles)]
    return [(place, end) for place, end in ends if end <= cycles[-1]]


def _begin(anchors: list[Anchor], oldest: float) -> None:
    """What lies before the first anchor lies within the cycle before."""
    place, position = min(anchors)
    if oldest < place:
        anchors.append((oldest - 1, max(position - 1 + RUN, min(0.0, position - RUN))))


def _rising(anchors: Iterable[Anchor]) -> list[Anchor]:
    """The anchors in their order, without those that go back."""
    kept: list[Anchor] = []
    for place, position in sorted(anchors):
        if not kept or (place > kept[-1][0] and position > kept[-1][1]):
            kept.append((place, position))
    return kept


def _between(anchors: Sequence[Anchor], place: float) -> float:
    at = bisect_right(anchors, (place, float("inf")))
    if at == 0:
        return anchors[0][1]
    if at == len(anchors):
        return anchors[-1][1]
    (left, low), (right, high) = anchors[at - 1], anchors[at]
    return low + (high - low) * (place - left) / (right - left)
