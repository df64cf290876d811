"""Figures: what a measurement found, as JSON lines for machines and as a table for people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Cost:
    """A part of the work, and its share of the time."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. A rate is per second; the baseline was measured in the same run, on the same machine."""

    bench: str
    database: str
    n: int
    rate: float
    baseline: float | None = None
    peak_mb: float | None = None
    p99_ms: float | None = None
    refused: int | None = None
    """Answers of the door other than 200."""
    took_s: float | None = None
    """How long one takes: one audit, one merge, one look at a balance."""
    largest_costs: Sequence[Cost] = ()

    @property
    def ratio(self) -> float | None:
        """The rate as a share of the baseline's: it says more than the rate, since it hardly depends on the machine."""
        return self.rate / self.baseline if self.baseline else None

    def values(self) -> dict[str, Any]:
        """The figure for JSON; what does not apply to it is left out."""
        rounded = {"rate": self.rate, "baseline": self.baseline, "peak_mb": self.peak_mb, "p99_ms": self.p99_ms}
        values: dict[str, Any] = {"bench": self.bench, "database": self.database, "n": self.n}
        values |= {name: round(value, 1) for name, value in rounded.items() if value is not None}
        if self.ratio is not None:
            values["ratio"] = round(self.ratio, 3)
        if self.refused is not None:
            values["refused"] = self.refused
        if self.took_s is not None:
            values["took_s"] = round(self.took_s, 6)
        costs = [{"name": cost.name, "share": round(cost.share, 3)} for cost in self.largest_costs]
        return values | {"largest_costs": costs}


def table(figures: Iterable[Figure]) -> Table:
    """All figures, a row each."""
    made = Table("measured", "database", title="Figures of this machine")
    for heading in ("n", "rate/s", "baseline/s", "ratio", "peak MB", "p99 ms", "refused", "one takes"):
        made.add_column(heading, justify="right")
    made.add_column("largest costs")
    for figure in figures:
        made.add_row(*_cells(figure))
    return made


def _cells(figure: Figure) -> list[str]:
    numbers = (
        (figure.n, ",.0f"), (figure.rate, ",.0f"), (figure.baseline, ",.0f"), (figure.ratio, ".2f"),
        (figure.peak_mb, ",.0f"), (figure.p99_ms, ",.1f"), (figure.refused, ",.0f"),
    )  # fmt: skip
    shown = ["" if number is None else format(number, form) for number, form in numbers]
    costs = ", ".join(f"{cost.name} {cost.share:.0%}" for cost in figure.largest_costs)
    return [figure.bench, figure.database, *shown, _duration(figure.took_s), costs]


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds >= 1:
        return f"{seconds:,.2f} s"
    return f"{seconds * 1_000:,.1f} ms" if seconds >= 0.001 else f"{seconds * 1_000_000:,.0f} us"
