"""How far a run is, in the words and figures that people are shown."""

from typing import Any

from onewriter.customers.runs import Run
from onewriter.records import Instant, SizeClass, iso

SIZES = {
    SizeClass.SMALL: "small shop (fewer than 1,000 customers)",
    SizeClass.MEDIUM: "medium shop (1,000 to 10,000 customers)",
    SizeClass.LARGE: "large shop (more than 10,000 customers)",
}


def run_document(run: Run, domain: str, moment: Instant) -> dict[str, Any]:
    """A run as one JSON document."""
    eta_s = run.eta_s(moment)
    return {
        "id": run.id,
        "shop": domain,
        "kind": run.kind,
        "state": run.state.value,
        "done": run.done,
        "total": run.total,
        "size_class": run.size.value if run.size else None,
        "rate_per_s": round(run.rate(moment), 1),
        "eta_s": None if eta_s is None else round(eta_s, 1),
        "attempt": run.attempt,
        "requested_at": iso(run.requested_at),
        "requested_by": run.requested_by,
        "started_at": iso(run.started_at),
        "moved_at": iso(run.moved_at),
        "finished_at": iso(run.finished_at),
        "reason": run.reason,
        "counts": dict(run.counts),
    }


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


def span(seconds: float) -> str:
    """A span of time in its two largest units."""
    whole = round(seconds)
    for unit, size, smaller, step in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // step} {smaller}"
    return f"{whole} s"
