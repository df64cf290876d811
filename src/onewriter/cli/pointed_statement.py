"""What `onewriter points show` shows: an account with what comes next, its statement and its lots."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from onewriter.cli.output import details, say, table
from onewriter.cli.pointed import (
    Document,
    Meant,
    account_document,
    book_of,
    entry_document,
    excluded_by,
    in_columns,
    lapse_from,
    lapse_text,
    points_text,
    signed,
    still_since,
)
from onewriter.customers import owned
from onewriter.loyalty import receipts
from onewriter.loyalty.books import Book
from onewriter.loyalty.statement import Line, next_end, pending, statement
from onewriter.records import EntryKind, Instant, id_text, iso
from onewriter.rules.merging import Twin
from onewriter.rules.replaying import Standing

TAKEN_BACK = "an award that was taken back"
KEYED = (EntryKind.REDEEM.value, EntryKind.ADJUST.value)
"""Kinds of entries whose reference is the key that names them."""


def look(db: Connection, whose: Meant, limit: int, now: Instant, *, lots: bool) -> Document:
    """All that is shown, for JSON. What is due by now is worked out, and nothing is written."""
    book = book_of(db, whose)
    standing = book.settle(now)
    lines = statement(book.entries)
    earlier, shown = lines[: max(0, len(lines) - limit)], lines[max(0, len(lines) - limit) :]
    numbers = owned.numbers(db, whose.shop.id, {each.brought_by for each in shown if each.brought_by is not None})
    document = whose.document | {
        "deleted_at": iso(book.deleted_at),
        "merge_undone": _undone(db, whose.holder),
        "account": _account(book, standing, now),
        "inactivity": lapse_text(book),
        "earlier": {"lines": len(earlier), "running": earlier[-1].running if earlier else 0},
        "statement": _lines(book, shown, numbers, still_since(book, now)),
    }
    return document | ({"lots": _lots(book, standing)} if lots else {})


def _undone(db: Connection, customer_id: bytes) -> str | None:
    """The receipt of the merge that took this customer away, if it was undone."""
    receipt = receipts.of_merge(db, customer_id)
    return id_text(receipt.id) if receipt is not None and receipt.undone_at is not None else None


def _account(book: Book, standing: Standing, now: Instant) -> Document:
    until = still_since(book, now)
    end = next_end(book.ledger, standing, book.policy, until) if book.deleted_at is None else None
    ends_next = None
    if end is not None:
        ends_next = {"points": end.points, "at": iso(end.at), "by": "inactivity" if end.by_inactivity else "age"}
    return account_document(book.account) | {
        "pending_next": [{"points": many, "at": iso(at)} for at, many in pending(standing, until).items()],
        "ends_next": ends_next,
        "inactivity_from": lapse_from(book),
        "excluded_by": excluded_by(book, now),
    }


def _lines(book: Book, lines: Sequence[Line], numbers: Mapping[bytes, int], until: Instant) -> list[Document]:
    twins, fresh = book.ledger.drops()[1], {entry.id for entry in book.fresh}
    return [_line(line, twins.get(line.entry.id), numbers, until, due=line.entry.id in fresh) for line in lines]


def _line(line: Line, twin: Twin | None, numbers: Mapping[bytes, int], until: Instant, *, due: bool) -> Document:
    entry = line.entry
    brought_by = None
    if line.brought_by is not None:
        brought_by = {"id": id_text(line.brought_by), "shopify_id": numbers.get(line.brought_by)}
    dropped_by = None if entry.dropped_by is None else id_text(entry.dropped_by)
    why = None if line.counts else TAKEN_BACK if twin is None else twin.why
    is_pending = line.counts and line.pending_until is not None and line.pending_until > until
    # What is only due has no id yet, and no moment of posting.
    own = entry_document(entry) | ({"id": None, "posted_at": None} if due else {})
    return own | {
        "what": line.what,
        "running": line.running,
        "due": due,
        "pending": is_pending,
        "brought_by": brought_by,
        "counts": line.counts,
        "dropped_by": dropped_by,
        "dropped_why": why,
    }


def _lots(book: Book, standing: Standing) -> list[Document]:
    by_id = {entry.id: entry for entry in book.entries}
    return [
        {
            "entry": id_text(lot.entry_id),
            "reason": by_id[lot.entry_id].reason or by_id[lot.entry_id].rule,
            "left": lot.points,
            "of": by_id[lot.entry_id].points,
            "available_at": iso(lot.available_at),
            "expires_at": iso(lot.expires_at),
        }
        for lot in standing.lots
    ]


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
