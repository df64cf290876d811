"""What a file would do and did, as people and programs are shown it: counts and rows, and never a value."""

from collections.abc import Mapping
from typing import Any

from onewriter.cli.output import plain, say, table
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
TOLD = (
    ("overwrites", ("field", "owner"), "Would be overwritten"),
    ("emptied", ("field",), "Of these would be emptied"),
    ("refused", ("field", "owner"), "Would be refused and parked, since the file does not own them"),
    ("unfit", ("field", "reason"), "Do not fit"),
    ("consents", ("field", "from", "to", "outcome"), "Consents"),
    ("phantoms", ("field", "form"), "The same in another form, and left alone"),
    ("damage", ("column", "what"), "Damage by a spreadsheet"),
    ("repaired", ("column", "what"), "Written by a spreadsheet in its own way, and read as it was meant"),
    ("duplicates", ("field",), "Told apart by nothing: the same value as an earlier row"),
    ("collisions", ("what",), "Rows that meet in one customer"),
)


def check_document(checked: Checked, rows: Rows, policy: Policy, limit: int) -> dict[str, Any]:
    """What a file would do, as one JSON document; rows are numbers in the file."""
    places = {name: _listed(getattr(checked, name), columns) for name, columns, _title in TOLD if name != "repaired"}
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


def tell_check(document: Mapping[str, Any]) -> None:
    """Show what a file would do."""
    signs = {"\t": "tab"}
    delimiter = signs.get(document["delimiter"], document["delimiter"])
    say(f"{document['rows']:,} rows in {document['encoding']}, parted by {delimiter}.")
    rows = [(each["column"], each["field"], each["owner"] or "-", each["way"]) for each in document["columns"]]
    table(("COLUMN", "FIELD", "OWNER", "VALUES ARE"), [[plain(each) for each in row] for row in rows])
    if document["ignored"]:
        say(f"Left out: {', '.join(plain(each) for each in document['ignored'])}.")
    people = document["customers"]
    say()
    say(
        f"{people.get('known', 0):,} rows are customers of the shop, {people.get('new', 0):,} are of nobody's and are "
        f"not made, {people.get('review', 0):,} need a person."
    )
    for name, _columns, title in TOLD:
        if document[name]:
            say()
            say(f"{title}:")
            table(("WHAT", "COUNT", "ROWS"), [_row(each) for each in document[name]])
    say()
    _tell_share(document)


def _row(each: Mapping[str, Any]) -> tuple[str, int, str]:
    what = ", ".join(plain(value) for name, value in each.items() if name not in ("count", "rows") and value)
    more = " ..." if each["count"] > len(each["rows"]) else ""
    return what, each["count"], ", ".join(str(number) for number in each["rows"]) + more


def _tell_share(document: Mapping[str, Any]) -> None:
    share = document["share"]
    say(f"It would change {share['changed']:,} of {share['known']:,} customers ({share['percent']} %).")
    if share["stops"]:
        say(f"That is more than {share['limit']} %: only an owner can import it, with --allow-share PERCENT --why WHY.")
    if not document["system_there"]:
        name = document["system"]
        say(f"Nothing is owned by {name} yet: onewriter systems add {name} --kind file --by-hand")


def import_document(run: Run) -> dict[str, Any]:
    """What an import did, by field; of an undo, what it put back."""
    kept = run.checkpoint
    document: dict[str, Any] = {"system": kept.get(SYSTEM), "counts": dict(run.counts)}
    if family(run.kind) == FILE:
        document |= {"wrote": kept.get(WROTE), "troubles": kept.get(TROUBLES), "share": kept.get(SHARE)}
    return document


def tell_import(run: Run) -> None:
    """Show what an import did."""
    told = import_document(run)
    wrote = told.get("wrote")
    if wrote:
        say("It wrote:")
        table(("FIELD", "VALUES"), sorted(wrote.items()))
    elif wrote is not None:
        say("It wrote nothing.")
    refused = run.counts.get("refused", 0)
    if refused:
        say(f"{refused:,} values of others were refused; `onewriter parked list` shows them.")
    for what, count in sorted((told.get("troubles") or {}).items()):
        say(f"{count:,} times: {what}.")
    if run.over and family(run.kind) == FILE and wrote:
        say(f"To take it back: onewriter csv undo {run.id}")
