"""What a run found: by our ids only, and never a value."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from onewriter.audit.settle import ILLS
from onewriter.customers import findings
from onewriter.customers.runs import Run
from onewriter.records import id_text, iso

Document = dict[str, Any]


def found_documents(db: Connection, run: Run) -> list[Document]:
    """Everything that a run found, each as one JSON document: our ids only, and never a value."""
    return [_document(row) for row in findings.of_run(db, run.id)]


def count_found(db: Connection, run: Run) -> int:
    """How many differences a reconcile found."""
    return sum(findings.count_of_run(db, run.id, ILLS).values())


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
