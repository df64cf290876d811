"""Weighing: how much a signature counts, and what a cause says of a group.

Points are natural logarithms of odds: what a signature makes a cause more likely than any of the others. A group of a
hundred rows is no hundred times as certain as a single one, so that shares count, and never numbers of rows.
"""

from dataclasses import dataclass

CONCLUSIVE = 7.0
"""What hardly anything else leaves behind."""
STRONG = 5.0
CLEAR = 3.0
HINT = 1.0
TELLING = 0.6
"""The share of a group's rows that must look alike before their likeness is a signature."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one cause says of a group."""

    points: float
    evidence: tuple[str, ...]
    missing: tuple[str, ...] = ()


def told(points: float, *evidence: str, missing: str | None = None) -> Told:
    """One cause, with its sentences."""
    return Told(points, evidence, () if missing is None else (missing,))
