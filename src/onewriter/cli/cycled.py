"""What a cycle came to, as people are shown it: its plan, what it wrote, and what was refused."""

from collections.abc import Mapping
from typing import Any

from onewriter.cli.output import say, table
from onewriter.customers.runs import Run
from onewriter.desk.cycles import cycle_document

WAYS = {"in": "taken from it", "out": "written to it", "make": "written to a new record of it"}


def tell_cycle(run: Run, most: int) -> None:
    """Show a cycle: by field and way what it would write, or has written."""
    told = cycle_document(run)
    if not told:
        return
    plan, wrote = told["plan"], told["wrote"]
    if wrote is not None:
        _tell_fields("It wrote", wrote.get("in", {}), wrote.get("out", {}), 0, told["refused"] or {}, told)
    elif plan is not None:
        _tell_fields("It would write", plan["in"], plan["out"], plan["make"], plan["parked"], told)
        _tell_lines(told["lines"], most)


def _tell_fields(
    began: str,
    taken: Mapping[str, int],
    sent: Mapping[str, int],
    made: int,
    refused: Mapping[str, int],
    told: Mapping[str, Any],
) -> None:
    rows = [(name, WAYS["in"], count) for name, count in sorted(taken.items())]
    rows += [(name, WAYS["out"], count) for name, count in sorted(sent.items())]
    rows += [(name, "parked", count) for name, count in sorted(refused.items())]
    if made:
        rows.append(("*", "made as new records there", made))
    if not rows:
        say(f"{began} nothing.")
        return
    say(f"{began}, for {told['system']}:")
    table(("FIELD", "WAY", "VALUES"), rows)


def _tell_lines(lines: list[dict[str, Any]], most: int) -> None:
    if not lines:
        return
    say()
    rows = (
        (each["customer"], each["field"], WAYS.get(each["way"], each["way"]), each["owner"]) for each in lines[:most]
    )
    table(("CUSTOMER", "FIELD", "WAY", "OWNER"), rows)
    if len(lines) > most:
        say(f"and {len(lines) - most} more; --limit shows more of them, and --json all that were kept.")
