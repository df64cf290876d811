"""What a cycle came to: its plan, what it wrote, and what was refused."""

from typing import Any

from onewriter.customers.runs import CYCLE, Run, family
from onewriter.workflows.cycling import DRY, LINES, PLAN, REFUSED, SYSTEM, WROTE


def is_cycle(run: Run) -> bool:
    """True for a cycle of a connected system."""
    return family(run.kind) == CYCLE


def cycle_document(run: Run) -> dict[str, Any]:
    """What a cycle would do and did, by field. Customers stand there by our id, and no value does."""
    if not is_cycle(run):
        return {}
    kept = run.checkpoint
    lines = [dict(zip(("customer", "field", "way", "owner"), each, strict=True)) for each in kept.get(LINES, ())]
    return {
        "system": kept.get(SYSTEM),
        "dry_run": bool(kept.get(DRY)),
        "plan": kept.get(PLAN),
        "wrote": kept.get(WROTE),
        "refused": kept.get(REFUSED),
        "lines": lines,
    }
