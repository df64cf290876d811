"""The statement of a customer's points: the account with what comes next, each line with its total, and the lots."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from onewriter.customers import owned
from onewriter.customers.people import Role
from onewriter.desk.caller import Caller
from onewriter.desk.pointing import (
    Document,
    Meant,
    account_document,
    book_of,
    entry_document,
    excluded_by,
    lapse_from,
    lapse_text,
    meant,
    still_since,
)
from onewriter.loyalty import receipts
from onewriter.loyalty.books import Book
from onewriter.loyalty.statement import Line, next_end, pending, statement
from onewriter.records import Instant, id_text, iso
from onewriter.rules.merging import Twin
from onewriter.rules.replaying import Standing

TAKEN_BACK = "an award that was taken back"


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


def shown(caller: Caller, named: str | None, text: str, limit: int) -> Document:
    """The points of a customer, by whatever it is known by; of one that was merged away, those of the kept one."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        return look(db, meant(caller.runtime, db, named, text), limit, caller.now, lots=True)
