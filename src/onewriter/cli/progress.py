"""How far a run is, in the words and figures that a terminal shows."""

from onewriter.customers.runs import Run
from onewriter.desk.runs import SIZES
from onewriter.desk.spans import span
from onewriter.records import Instant


def line_of(run: Run, moment: Instant) -> str:
    """How far a run is, in one line."""
    parts = [run.state.value]
    if run.total is not None and run.size is not None:
        parts += [SIZES[run.size], f"{run.done:,} of {run.total:,}"]
    rate = run.rate(moment)
    if rate:
        parts.append(f"{rate:,.0f} a second")
    left = run.eta_s(moment)
    if left is not None:
        parts.append(f"{span(left)} left")
    return ", ".join(parts)


def short_line_of(run: Run, moment: Instant) -> str:
    """How far a run is, in the few words that leave room for a bar on a narrow terminal."""
    if run.total is None or run.size is None:
        return run.state.value
    rate, left = run.rate(moment), run.eta_s(moment)
    parts = [f"{run.done:,}/{run.total:,}", run.size.value]
    parts += [f"{rate:,.0f}/s"] if rate else []
    parts += [f"{span(left)} left"] if left is not None else []
    return " ".join(parts)
