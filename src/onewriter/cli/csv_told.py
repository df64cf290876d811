"""What a file would do and did, as people are shown it at a terminal: counts and rows, and never a value."""

from collections.abc import Mapping
from typing import Any

from onewriter.cli.output import plain, say, table
from onewriter.customers.runs import FILE, Run, family
from onewriter.desk.imported import TOLD, import_document


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
    for name, (title, _columns) in TOLD.items():
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
