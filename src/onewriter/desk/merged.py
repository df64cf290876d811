"""How merges of points look, planned or done, as documents."""

import os
from collections.abc import Mapping

from sqlalchemy import Connection

from onewriter.customers import owned
from onewriter.desk.pointing import Document, Meant, account_document
from onewriter.errors import Permanent
from onewriter.loyalty import merges
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.books import Book, open_books
from onewriter.loyalty.receipts import Receipt
from onewriter.loyalty.statement import next_end
from onewriter.records import Entry, Instant, id_text, iso, sortable_id
from onewriter.rules.lots import Lapse
from onewriter.rules.merging import FOLLOWS, Plan, Twin
from onewriter.rules.replaying import Join
from onewriter.vault.vault import ShopVault


class CannotMerge(Permanent):
    """Shopify cannot merge these two customers."""


def refuse_plan(gone: Meant, source: Book | None, stays: Meant, target: Book | None) -> tuple[Book, Book]:
    """The two books; raises CannotMerge for two customers that Shopify cannot merge."""
    if gone.holder == stays.holder:
        raise CannotMerge(f"Both are {stays.name}, whose points are one already; name two customers.")
    return _there(gone, source), _there(stays, target)


def _there(whose: Meant, book: Book | None) -> Book:
    if book is None or book.deleted_at is not None:
        raise CannotMerge(f"{whose.name.capitalize()} is gone from the shop, so it cannot be merged with anybody.")
    return book


def planned_document(gone: Meant, source: Book, stays: Meant, target: Book, now: Instant) -> Document:
    """What merging two customers would come to now. Their books are settled, and neither is changed further."""
    join = Join(sortable_id(now, os.urandom(10)), gone.holder, stays.holder, now)
    planned = merges.plan_of(source, target, join, now)
    entries = {entry.id: entry for book in (source, target) for entry in book.entries}
    names = {gone.holder: gone.number, stays.holder: stays.number}
    figures = merges.figures_of(planned)
    return {
        "shop": gone.shop.domain,
        "deleted": _side(gone.holder, gone.number, figures["deleted"]) | _decided(source.account),
        "kept": _side(stays.holder, stays.number, figures["kept"]) | _decided(target.account),
        "after": figures["after"] | _after(planned, source, target, join),
        "moved": figures["moved"],
        "points_dropped": figures["points_dropped"],
        "floor": figures["floor"],
        "dropped": dropped_documents(planned.dropped, entries, names),
    }


def _side(customer_id: bytes | None, number: int | None, totals: Mapping[str, int]) -> Document:
    return {"id": None if customer_id is None else id_text(customer_id), "shopify_id": number} | dict(totals)


def _decided(account: Account) -> Document:
    """What counts for an account, and what was decided for it."""
    shown = account_document(account)
    return {name: shown[name] for name in ("inactivity_days", "excluded_at", "excluded_why")}


def _after(planned: Plan, source: Book, target: Book, join: Join) -> Document:
    """What counts for both together, and what of the points ends next."""
    account = merges.joined_account(source, target, join.at, join.at)
    ledger, policy = target.ledger.joined(source.ledger, join), Lapse(account.lapse_days, account.lapse_since or 0)
    end = next_end(ledger, planned.after, policy, join.at)
    return _decided(account) | {"ends_next": None if end is None else {"points": end.points, "at": iso(end.at)}}


def dropped_documents(
    dropped: Mapping[bytes, Twin], entries: Mapping[bytes, Entry], names: Mapping[bytes, int | None]
) -> list[Document]:
    """The entries that a merge drops, with why, and which one stays in the place of each."""
    found = sorted((entries[each] for each in dropped), key=lambda entry: (entry.occurred_at, entry.id))
    return [_dropped(entry, dropped[entry.id], names) for entry in found]


def _dropped(entry: Entry, twin: Twin, names: Mapping[bytes, int | None]) -> Document:
    # What only follows from a dropped entry goes with it, and nothing stays in its place.
    follows = twin.why == FOLLOWS
    return {
        "id": id_text(entry.id),
        "kind": entry.kind.value,
        "rule": entry.rule,
        "points": entry.points,
        "reference": entry.reference,
        "occurred_at": iso(entry.occurred_at),
        "of": names.get(entry.origin_id) or id_text(entry.origin_id),
        "why": twin.why,
        "stays": None if follows else id_text(twin.stays),
        "stays_of": None if follows else names.get(twin.stays_origin) or id_text(twin.stays_origin),
        "follows": id_text(twin.stays) if follows else None,
    }


def receipt_document(db: Connection, vault: ShopVault, domain: str, receipt: Receipt) -> Document:
    """A receipt with the entries that it drops, as they stand now."""
    dropped, entries = _dropped_by(db, vault, receipt)
    who = {entry.origin_id for entry in entries.values()} | {twin.stays_origin for twin in dropped.values()}
    sides = [each for each in (receipt.kept_customer_id, receipt.deleted_customer_id) if each is not None]
    names = owned.numbers(db, vault.shop_id, {*who, *sides})
    return receipt_line(domain, receipt, names) | {"dropped": dropped_documents(dropped, entries, names)}


def receipt_line(domain: str, receipt: Receipt, names: Mapping[bytes, int]) -> Document:
    """A receipt without its entries."""
    figures = receipt.figures
    kept, deleted = receipt.kept_customer_id, receipt.deleted_customer_id
    return {
        "id": id_text(receipt.id),
        "shop": domain,
        "deleted": _side(deleted, names.get(deleted or b""), figures["deleted"]),
        "kept": _side(kept, names.get(kept or b""), figures["kept"]),
        "after": figures["after"],
        "moved": figures["moved"],
        "entries_dropped": figures["dropped"],
        "points_dropped": figures["points_dropped"],
        "floor": figures["floor"],
        "merged_at": iso(receipt.at),
        "made_at": iso(receipt.made_at),
        "made_by": receipt.made_by,
        "undone_at": iso(receipt.undone_at),
        "undone_by": receipt.undone_by,
        "undone_why": receipt.undone_why,
    }


def _dropped_by(
    db: Connection, vault: ShopVault, receipt: Receipt
) -> tuple[Mapping[bytes, Twin], Mapping[bytes, Entry]]:
    """What a receipt drops, by entry, and those entries; nothing once it is undone, or the customer was erased."""
    kept = receipt.kept_customer_id
    book = None if kept is None or receipt.undone_at is not None else open_books(db, vault, [kept]).of(kept)
    if book is None:
        return {}, {}
    drops, twins = book.ledger.drops()
    mine = {entry_id: twin for entry_id, twin in twins.items() if drops[entry_id].receipt == receipt.id}
    return mine, {entry.id: entry for entry in book.entries if entry.id in mine}
