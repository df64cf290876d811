"""What a run found, as people and programs are shown it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from onewriter.audit.settle import ILLS
from onewriter.cli.output import say, table
from onewriter.customers import findings
from onewriter.customers.runs import Run
from onewriter.records import id_text, iso

SHOWN = 50
"""Findings that are printed one by one for people; --json has all."""

Document = dict[str, Any]


def found_documents(db: Connection, run: Run) -> list[Document]:
    """Everything that a run found, each as one JSON document: our ids only, and never a value."""
    return [_document(row) for row in findings.of_run(db, run.id)]


def count_found(db: Connection, run: Run) -> int:
    """How many differences a reconcile found."""
    return sum(findings.count_of_run(db, run.id, ILLS).values())


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


def _document(row: Mapping[str, Any]) -> Document:
    customer_id = row["customer_id"]
    return {
        "id": id_text(bytes(row["id"])),
        "customer": None if customer_id is None else id_text(bytes(customer_id)),
        "kind": row["kind"],
        "field": row["field"],
        "reason": row["reason"],
        "evidence": row["evidence"],
        "found_at": iso(row["found_at"]),
        "healed_at": iso(row["healed_at"]),
    }
