"""What `onewriter points show` shows: an account with what comes next, its statement and its lots."""

from collections.abc import Sequence
from typing import Any

from onewriter.cli.output import details, say, table
from onewriter.cli.pointed import in_columns, signed
from onewriter.desk.pointing import Document, Meant, points_text
from onewriter.records import EntryKind

KEYED = (EntryKind.REDEEM.value, EntryKind.ADJUST.value)
"""Kinds of entries whose reference is the key that names them."""


# ---- For people


def tell_statement(whose: Meant, document: Document) -> None:
    """Tell people what is shown."""
    say(f"Points of {whose.name} of {whose.shop.domain}")
    if whose.note is not None:
        say(whose.note)
    if document["deleted_at"] is not None:
        say(f"Gone from the shop since {document['deleted_at']}: time stands still for its points, and none are moved.")
    if document["merge_undone"] is not None:
        say(f"It was merged away, and its points were given back to it: receipt {document['merge_undone']} was undone.")
    say()
    details(_account_told(document))
    say()
    _tell_lines(document)
    if "lots" in document:
        say()
        _tell_lots(document["lots"])


def _account_told(document: Document) -> dict[str, Any]:
    account = document["account"]
    waiting = ", ".join(f"{each['points']:,} until {each['at']}" for each in account["pending_next"])
    end = account["ends_next"]
    by = {None: "no", "tag": "yes, by a tag", "person": f"yes, since {account['excluded_at']}: "}[
        account["excluded_by"]
    ]
    return {
        "balance": points_text(account["balance"]),
        "pending": points_text(account["pending"]) + (f": {waiting}" if waiting else ""),
        "earned": points_text(account["earned"]),
        "ends next": f"{points_text(end['points'])} on {end['at']}, by {end['by']}" if end else "nothing",
        "inactivity": document["inactivity"],
        "last activity": account["activity_at"],
        "excluded": by + account["excluded_why"] if account["excluded_by"] == "person" else by,
    }


def _tell_lines(document: Document) -> None:
    lines, earlier = document["statement"], document["earlier"]
    if not lines:
        say("No points have ever been posted.")
        return
    if earlier["lines"]:
        say(f"{earlier['lines']:,} earlier lines come to {points_text(earlier['running'])}; --limit shows more.")
    names = ("POSTED", "HAPPENED", "WHAT", "REASON", "RULE", "SOURCE", "POINTS", "TOTAL", "NOTE")
    table(names, in_columns([_told(line) for line in lines], 6, 7))


def _told(line: Document) -> list[Any]:
    version = "" if line["rule_version"] is None else f" v{line['rule_version']}"
    amount = signed(line["points"]) if line["counts"] else f"({signed(line['points'])})"
    told = (line["posted_at"] or "due", line["occurred_at"], line["what"], line["reason"], line["rule"] + version)
    return [*told, line["source"], amount, f"{line['running']:,}", "; ".join(_notes(line)) or None]


def _notes(line: Document) -> list[str]:
    notes = []
    if not line["counts"]:
        notes.append(f"does not count: {line['dropped_why']}, receipt {line['dropped_by']}")
    if line["reference"] is not None and line["kind"] in KEYED:
        notes.append(f"key {line['reference']}")
    if line["pending"]:
        notes.append(f"pending until {line['available_at']}")
    if line["expires_at"] is not None and line["points"] > 0:
        notes.append(f"ends {line['expires_at']}")
    if line["brought_by"] is not None:
        notes.append(f"brought by customer {line['brought_by']['shopify_id'] or line['brought_by']['id']}")
    return notes


def _tell_lots(lots: Sequence[Document]) -> None:
    names = ("LEFT", "OF", "REASON", "SPENDABLE FROM", "ENDS")
    rows = (
        [f"{lot['left']:,}", f"{lot['of']:,}", *(lot[n] for n in ("reason", "available_at", "expires_at"))]
        for lot in lots
    )
    table(names, in_columns(list(rows), 0, 1))
