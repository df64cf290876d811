"""The survivor: whose value will stand in both systems after the next cycle (requirement M14).

What was seen goes before what is written down: a connector that has carried a field one way will carry it that way
again, whatever its settings are said to be. The prediction is scored after the cycle.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Hand, Side, Write
from onewriter.rules.diagnosis.facts import Row
from onewriter.rules.diagnosis.judgement import Survivor

SURE = 0.6
"""The share of what was seen that must agree; otherwise nobody can tell."""
SEEN_MIN = 2
"""Fewer writes of the connector tell no habit."""
LATEST_MAX = 200
"""So many of the newest writes are looked at: what was usual before a change of the settings is no habit any more."""

Way = tuple[Side | None, str]


def survivor_of(rows: Sequence[Row], evidence: Evidence) -> Survivor:
    """Who is predicted to win the next cycle, by most of the rows."""
    if not rows:
        return Survivor(side=None, why="Nothing of it is looked at.")
    ways: tuple[Callable[[Sequence[Row], Evidence], Way | None], ...] = (
        _erased, _unwritten, _undone, _habit, _pending, _direction, _owned,
    )  # fmt: skip
    for way in ways:
        found = way(rows, evidence)
        if found is not None:
            side, why = found
            return Survivor(side=None if side is None else name_of(evidence, side), why=why)
    return Survivor(side=None, why="Nothing says which way the field goes, and no log tells who writes last.")


def name_of(evidence: Evidence, side: Side) -> str:
    """What the system on that side is called."""
    return evidence.source if side is Side.SOURCE else evidence.target


def scored(predicted: str | None, kept: str | None) -> bool | None:
    """Whether a prediction held; None where neither system took the other's value, so that nothing is to be scored."""
    return None if kept is None else predicted == kept


def kept_by(source: str, target: str, *, source_changed: bool, target_changed: bool, agree: bool) -> str | None:
    """Whose value stood after a cycle: of the system that kept its own, and whose value the other one now has."""
    if not agree or source_changed == target_changed:
        return None
    return target if source_changed else source


# ---- One way to tell each, the surest first -------------------------------------------------------------------------


def _erased(rows: Sequence[Row], evidence: Evidence) -> Way | None:
    if any(row.pair.is_erased for row in rows):
        return None, "A customer of it was redacted or deleted, and nothing of theirs may be written back."
    return None


def _unwritten(rows: Sequence[Row], evidence: Evidence) -> Way | None:
    """Nothing gets across, so that each system keeps what it has."""
    if _most(rows, lambda row: _never_goes(row.rules)):
        return None, "Nothing carries the field, or may write it, so that each system keeps what it has."
    if _most(rows, lambda row: row.last_refused is not None):
        return None, "The writes of it are refused, so that each system keeps what it has."
    return None


def _never_goes(rules: FieldRules) -> bool:
    return rules.covered is False or rules.direction == "none" or rules.permission in ("read", "none")


def _undone(rows: Sequence[Row], evidence: Evidence) -> Way | None:
    """An edit of the origin's was overwritten by the connector: it carries from the copy to the origin."""
    undone = [row.origin.other for row in rows if row.edit_undone]
    side = _agreed(undone) if len(undone) / len(rows) > 1 - SURE else None
    if side is None:
        return None
    winner, loser = name_of(evidence, side), name_of(evidence, side.other)
    return side, f"An edit in {loser} was overwritten with what {winner} says, and will be again."


def _habit(rows: Sequence[Row], evidence: Evidence) -> Way | None:
    """Who writes last: a machine that is not the connector, or the connector, which writes on the side that loses."""
    machines = [each for each in last_writes(rows) if each.hand in (Hand.CONNECTOR, Hand.APP)]
    if len(machines) < SEEN_MIN:
        return None
    carried = [each for each in machines if each.hand is Hand.CONNECTOR]
    if len(carried) / len(machines) < SURE:
        return _app(machines, evidence)
    side = _agreed([each.side.other for each in carried])
    if side is None:
        return None
    winner, loser = name_of(evidence, side), name_of(evidence, side.other)
    return side, f"The connector writes it last, into {loser}, from what {winner} says."


def _app(machines: Sequence[Write], evidence: Evidence) -> Way:
    """Another machine writes at least as often: if it writes last most times, its system's value stands there."""
    apps = [each for each in machines if each.hand is Hand.APP]
    side = _agreed([each.side for each in apps]) if len(apps) / len(machines) >= SURE else None
    if side is None:
        return None, "Two machines write it by turns: whoever writes last wins, until the other one writes again."
    other = Counter(each.writer or "a machine without a name" for each in apps).most_common(1)[0][0]
    return side, f"{other} writes it last, in {name_of(evidence, side)}."


def _pending(rows: Sequence[Row], evidence: Evidence) -> Way | None:
    """A field that goes both ways: the newer edit wins."""
    if not _most(rows, lambda row: row.rules.direction == "both"):
        return None
    newer = [
        row.origin if row.origin_moved > row.copy_moved else row.origin.other
        for row in rows
        if row.origin_moved is not None and row.copy_moved is not None
    ]
    side = _agreed(newer)
    if side is None:
        return None, "The field goes both ways, and nothing tells which edit is the newer one."
    return side, f"The field goes both ways, and the newer edit is that of {name_of(evidence, side)}."


def _direction(rows: Sequence[Row], evidence: Evidence) -> Way | None:
    ways = {"source_to_target": Side.SOURCE, "target_to_source": Side.TARGET}
    side = _agreed([ways[str(row.rules.direction)] for row in rows if row.rules.direction in ways])
    if side is None:
        return None
    winner, loser = name_of(evidence, side), name_of(evidence, side.other)
    return side, f"The field goes from {winner} to {loser}, so that {winner} overwrites {loser}."


def _owned(rows: Sequence[Row], evidence: Evidence) -> Way | None:
    sides = {evidence.source: Side.SOURCE, evidence.target: Side.TARGET}
    side = _agreed([sides[str(row.rules.owner)] for row in rows if row.rules.owner in sides])
    return None if side is None else (side, f"{name_of(evidence, side)} owns the field.")


# ---- Counting -------------------------------------------------------------------------------------------------------


def last_writes(rows: Sequence[Row]) -> list[Write]:
    """The last write of each value in each run, or by itself where it was in none; the newest last.

    On both sides: what the connector wrote in reply to an edit comes after it, and so is the last.
    """
    found: dict[object, tuple[float, Write]] = {}
    for row in rows:
        told = [each for track in (row.origin_track, row.copy_track) for each in track.changes]
        for each in sorted(told, key=lambda one: one.at):
            if each.write is not None:
                key = (row.key, each.write.run if each.write.run is not None else (each.write.side, each.at))
                found[key] = (each.at, each.write)
    return [write for _, write in sorted(found.values(), key=lambda one: one[0])[-LATEST_MAX:]]


def _most(rows: Sequence[Row], holds: Callable[[Row], bool]) -> bool:
    return sum(map(holds, rows)) / len(rows) >= SURE


def _agreed(sides: Sequence[Side]) -> Side | None:
    """The side that most of them name; None where they do not agree, or there is none."""
    if not sides:
        return None
    side, count = Counter(sides).most_common(1)[0]
    return side if count / len(sides) >= SURE else None
