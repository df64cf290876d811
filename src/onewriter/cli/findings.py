"""What a run found, as people are shown it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from onewriter.cli.output import say, table

SHOWN = 50
"""Findings that are printed one by one for people; --json has all."""

Document = dict[str, Any]


def tell_found(documents: Sequence[Document]) -> None:
    """Print what was found: counted by kind, field and reason, and then one by one."""
    if not documents:
        say("\nNothing differs.")
        return
    say("\nFound")
    counted = Counter(_group(one) for one in documents)
    healed = Counter(_group(one) for one in documents if one["healed_at"])
    table(
        ("WHAT", "FIELD", "REASON", "FOUND", "HEALED"),
        ((*group, number, healed[group]) for group, number in counted.most_common()),
    )
    say()
    columns = ("customer", "kind", "field", "reason", "found_at", "healed_at")
    rows = ([one[name] for name in columns] for one in documents[:SHOWN])
    table(("CUSTOMER", "WHAT", "FIELD", "REASON", "FOUND", "HEALED"), rows)
    if len(documents) > SHOWN:
        say(f"... and {len(documents) - SHOWN} more; --json has all.")


def _group(one: Document) -> tuple[Any, ...]:
    return one["kind"], one["field"], one["reason"]
