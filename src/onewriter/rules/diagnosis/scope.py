"""Scope: how many are affected, and the row that a case opens with, by counts alone.

The counts say where to look first; what the cause is, the evidence says, and a case shows both (decisions D1 and D2).
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from onewriter.rules.diagnosis.evidence import Hand
from onewriter.rules.diagnosis.facts import Relation, Row, Verdict, Why
from onewriter.rules.diagnosis.judgement import ScopeRow

SYSTEMIC_MIN = 5
"""From so many customers on, the first question is who owns the field (requirement M5)."""
SHARE_MIN = 0.5
"""The share of the values of a case that must look alike before the case is called after it; one stray value is not."""
FUNCTIONS = (
    Relation.PREFIX, Relation.OTHER_FIELD, Relation.LOSSY, Relation.DAY_SHIFT, Relation.DAY_MONTH, Relation.MOJIBAKE,
    Relation.ZEROS_LOST, Relation.NUMBER,
)  # fmt: skip
"""What can be made of the right value by a rule."""


@dataclass(frozen=True, slots=True)
class Scope:
    """How far it reaches."""

    customers: int
    fields: int
    systems: int
    cycles: int | None
    """Completed cycles through which it stood; None where nothing tells."""

    @property
    def told(self) -> str:
        """The first line of every diagnosis (requirement M2)."""
        known = (
            _many(self.customers, "customer"), _many(self.fields, "field"), _many(self.systems, "system"),
            "cycles not known" if self.cycles is None else _many(self.cycles, "cycle"),
        )  # fmt: skip
        return " x ".join(known)


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def scope_of(rows: Sequence[Row], systems: Sequence[str], now: float | None) -> Scope:
    """The scope of some rows; `now` is the present on the line of time."""
    begun = [began for row in rows if (began := begun_at(row)) is not None]
    cycles = None if now is None or not begun else max(0, math.floor(now - min(begun)))
    return Scope(len(customers(rows)), len({row.rules.name for row in rows}), len({*systems}), cycles)


def begun_at(row: Row) -> float | None:
    """Since when it is wrong; of a value that came back, and may be right just now, since it was first moved."""
    if row.onset is not None or not came_back(row):
        return row.onset
    moved = [each.at for track in (row.origin_track, row.copy_track) for each in track.changes[1:]]
    return min(moved, default=None)


def customers(rows: Iterable[Row]) -> tuple[str, ...]:
    """The customers concerned, by their ids in the source, each once, in their order."""
    return tuple(dict.fromkeys(row.pair.link.source for row in rows))


def row_of(rows: Sequence[Row], *, is_boundary: bool = False) -> ScopeRow:
    """The row that a case opens with (requirements M3 to M7, M29, M41).

    What can be seen goes before what can only be counted: two records of one person before a value that comes back, and
    that before the counts (M6).
    """
    if is_boundary:
        return ScopeRow.BOUNDARY
    if rows and all(row.verdict is Verdict.FORMAT for row in rows):
        return ScopeRow.PHANTOM
    for named, holds in ((ScopeRow.IDENTITY, is_doubled), (ScopeRow.REVERSION, came_back), (ScopeRow.IMPORT, imported)):
        if share(rows, holds) >= SHARE_MIN:
            return named
    return _by_count(rows)


def _by_count(rows: Sequence[Row]) -> ScopeRow:
    count = len(customers(rows))
    if count <= 1:
        return ScopeRow.RECORD
    return ScopeRow.MAPPING if count < SYSTEMIC_MIN else ScopeRow.OWNERSHIP


def share(rows: Sequence[Row], holds: Callable[[Row], bool]) -> float:
    """The share of the values of which something holds."""
    return sum(map(holds, rows)) / len(rows) if rows else 0.0


def is_doubled(row: Row) -> bool:
    """Whether two records of one side stand for the customer, or share an address or a number with it (M7)."""
    pair = row.pair
    return bool(pair.twins or pair.other_sources or pair.other_targets or pair.key_holders)


def came_back(row: Row) -> bool:
    """Whether a wrong value stood there again after it was gone (M6)."""
    return row.flips > 0 or row.edit_undone is True or row.why is Why.REVERTED


def imported(row: Row) -> bool:
    """Whether an import wrote the value that stands there (M29)."""
    return row.copy_write is not None and row.copy_write.hand is Hand.IMPORT


def is_mapped_wrong(rows: Sequence[Row]) -> bool:
    """Whether the field has exactly one owner, and the wrong value is made of the right one by a rule (D1, M71)."""
    owned = all(row.rules.owner is not None and len({*(row.rules.writers or ())}) <= 1 for row in rows)
    found = Counter(each for row in rows for each in row.relations if each in FUNCTIONS)
    return bool(rows) and owned and max(found.values(), default=0) / len(rows) > SHARE_MIN
