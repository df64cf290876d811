"""What a file would do and did, as documents: counts and rows, and never a value."""

from collections.abc import Mapping
from typing import Any

from onewriter.connectors.csv_given import Rows
from onewriter.customers.runs import FILE, Run, family
from onewriter.intake.csv_check import Checked, Found
from onewriter.rules.csv_cells import APOSTROPHE, SPOILT, WRAPPED
from onewriter.rules.policy import Direction, Policy
from onewriter.workflows.files import SHARE, SYSTEM, TROUBLES, WROTE

WAYS = {Direction.IN: "written", Direction.BOTH: "written", Direction.OUT: "refused", Direction.NONE: "compared"}
BAD = ("damage", "duplicates", "collisions", "unfit", "emptied", "refused", "consents")
"""What a person should look at before the file is imported."""
REPAIRED = (APOSTROPHE, WRAPPED)
TOLD: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "overwrites": ("Would be overwritten", ("field", "owner")),
    "emptied": ("Of these would be emptied", ("field",)),
    "refused": ("Would be refused and parked, since the file does not own them", ("field", "owner")),
    "unfit": ("Do not fit", ("field", "reason")),
    "consents": ("Consents", ("field", "from", "to", "outcome")),
    "phantoms": ("The same in another form, and left alone", ("field", "form")),
    "damage": ("Damage by a spreadsheet", ("column", "what")),
    "repaired": ("Written by a spreadsheet in its own way, and read as it was meant", ("column", "what")),
    "duplicates": ("Told apart by nothing: the same value as an earlier row", ("field",)),
    "collisions": ("Rows that meet in one customer", ("what",)),
}
"""What is told of a file, as people read it, and by what each is counted; in the order in which it is told."""


def check_document(checked: Checked, rows: Rows, policy: Policy, limit: int) -> dict[str, Any]:
    """What a file would do, as one JSON document; rows are numbers in the file."""
    places = {
        name: _listed(getattr(checked, name), columns) for name, (_title, columns) in TOLD.items() if name != "repaired"
    }
    places["repaired"] = []
    for (what, column), trouble in rows.troubles.items():
        head = {"column": column, "what": what}
        where = "repaired" if what in REPAIRED else "damage" if what == SPOILT else "collisions"
        places[where].append(head | {"count": trouble.count, "rows": list(trouble.rows)})
    known = {each.heading for each in rows.columns}
    share: dict[str, Any] = {"changed": checked.customers["changed"], "known": checked.customers["known"]}
    share |= {"percent": round(checked.percent, 1), "limit": limit, "stops": checked.percent > limit}
    document = {
        "encoding": rows.shape.encoding,
        "delimiter": rows.shape.delimiter,
        "rows": rows.rows,
        "columns": [
            {"column": each.heading, "field": each.field, "owner": policy.owner_of(each.field),
             "way": WAYS[each.map.direction]}
            for each in rows.columns
        ],
        "ignored": [name for name in rows.shape.header if name not in known],
        "customers": dict(checked.customers),
        "share": share,
    }  # fmt: skip
    findings = share["stops"] or any(places[name] for name in BAD)
    return document | places | {"findings": bool(findings)}


def _listed(found: Found, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        dict(zip(columns, key, strict=True)) | {"count": seen.count, "rows": list(seen.rows)}
        for key, seen in sorted(found.items())
    ]


def import_document(run: Run) -> dict[str, Any]:
    """What an import did, by field; of an undo, what it put back."""
    kept = run.checkpoint
    document: dict[str, Any] = {"system": kept.get(SYSTEM), "counts": dict(run.counts)}
    if family(run.kind) == FILE:
        document |= {"wrote": kept.get(WROTE), "troubles": kept.get(TROUBLES), "share": kept.get(SHARE)}
    return document
