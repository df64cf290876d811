"""What merging two customers comes to for their points, the receipts of merges, and giving points back.

Customers are merged in Shopify, and never from here.
"""

import uuid
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import owned
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import choose_shop
from onewriter.desk.merged import planned_document, receipt_document, receipt_line, refuse_plan
from onewriter.desk.pointing import Document, account_document, entries_text, meant, name_of
from onewriter.desk.points_by_hand import WHY_MAX, line
from onewriter.errors import Unknown
from onewriter.loyalty import merges, points, receipts
from onewriter.loyalty.books import open_books
from onewriter.loyalty.receipts import MERGE, Receipt
from onewriter.records import id_text
from onewriter.vault.vault import ShopVault


class UnknownReceipt(Unknown):
    """No such receipt of a merge in that shop."""


class Planned(TypedDict):
    """What a merge would come to, and how the two are called."""

    document: Document
    gone: str
    stays: str
    notes: list[str]


# ---- Looking --------------------------------------------------------------------------------------------------------


def plan(caller: Caller, named: str | None, deleted: str, kept: str) -> Planned:
    """What merging the first customer into the second in Shopify would come to for their points; nothing is changed."""
    runtime, moment = caller.runtime, caller.now
    with runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        gone, stays = meant(runtime, db, named, deleted), meant(runtime, db, named, kept)
        books = open_books(db, gone.vault, (gone.holder, stays.holder))
        source, target = refuse_plan(gone, books.of(gone.holder), stays, books.of(stays.holder))
        books.settle(moment)
        document = planned_document(gone, source, stays, target, moment)
    notes = [note for note in (gone.note, stays.note) if note is not None]
    return {"document": document, "gone": gone.name, "stays": stays.name, "notes": notes}


def shown(caller: Caller, named: str | None, text: str, limit: int) -> list[Document]:
    """Receipts in full: one by its id, or those of the merges that a customer was on either side of."""
    runtime = caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        one = _receipt(db, shop, text)
        found = [one] if one is not None else _of_customer(caller, db, shop, text)[:limit]
        return [receipt_document(db, runtime.vault(shop.id), shop.domain, receipt) for receipt in found]


def of_id(caller: Caller, named: str | None, text: str) -> Document:
    """One receipt in full; raises UnknownReceipt."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        return receipt_document(db, caller.runtime.vault(shop.id), shop.domain, _needed(db, shop, text))


def listed(caller: Caller, named: str | None, limit: int) -> tuple[str, list[Document]]:
    """The shop, and the newest receipts of its merges without their entries."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        return shop.domain, _listed(db, shop, receipts.newest(db, shop.id, MERGE, limit))


def _receipt(db: Connection, shop: Shop, text: str) -> Receipt | None:
    """The receipt of a merge of that id."""
    try:
        wanted = uuid.UUID(text.strip()).bytes
    except ValueError:
        return None
    found = receipts.of_ids(db, [wanted]).get(wanted)
    return found if found is not None and (found.shop_id, found.kind) == (shop.id, MERGE) else None


def _of_customer(caller: Caller, db: Connection, shop: Shop, text: str) -> list[Receipt]:
    return receipts.of_customer(db, meant(caller.runtime, db, shop.domain, text).found.id)


def _listed(db: Connection, shop: Shop, found: Sequence[Receipt]) -> list[Document]:
    sides = {each for receipt in found for each in (receipt.kept_customer_id, receipt.deleted_customer_id) if each}
    names = owned.numbers(db, shop.id, sides)
    return [receipt_line(shop.domain, receipt, names) for receipt in found]


# ---- Giving back ----------------------------------------------------------------------------------------------------


def question(caller: Caller, named: str | None, text: str) -> str:
    """What is asked before points are given back, with what stays where it is."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
        return _question(db, caller.runtime.vault(shop.id), _needed(db, shop, text))


def undo(caller: Caller, named: str | None, text: str, why: str) -> Document:
    """Give the points of a merged-away customer back to it, as far as they were its own then."""
    said, runtime = line(why, WHY_MAX, "why"), caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
        receipt = _needed(db, shop, text)
    vault = runtime.vault(shop.id)
    with runtime.database.write() as db:
        merges.undo(db, vault, receipt, caller.who, said, caller.now)
        document = _undone(caller, db, vault, shop, receipt)
    log = structlog.get_logger(__name__)
    log.warning("merge undone", actor=caller.who, shop=shop.domain, receipt=id_text(receipt.id))
    return document


def _needed(db: Connection, shop: Shop, text: str) -> Receipt:
    receipt = _receipt(db, shop, text)
    if receipt is None:
        raise UnknownReceipt(f"{shop.domain} has no receipt of a merge of that id; `onewriter merge list` shows them.")
    return receipt


def _question(db: Connection, vault: ShopVault, receipt: Receipt) -> str:
    join = merges.undoable(receipt)
    names = owned.numbers(db, vault.shop_id, [join.deleted, join.kept])
    deleted, kept = (name_of(each, names.get(each)) for each in (join.deleted, join.kept))
    book = open_books(db, vault, [join.kept]).of(join.kept)
    since = [each for each in book.counting if each.posted_at > receipt.made_at] if book is not None else []
    stays = f"What was posted since stays with {kept}: {entries_text(len(since))}." if since else ""
    return f"{stays} Give {deleted} its points back from {kept}, although Shopify keeps them merged?".strip()


def _undone(caller: Caller, db: Connection, vault: ShopVault, shop: Shop, receipt: Receipt) -> Document:
    """The receipt as it stands then, and both accounts."""
    document = receipt_document(db, vault, shop.domain, receipts.of_ids(db, [receipt.id])[receipt.id])
    accounts = {
        side: account_document(points.account_of(db, vault, customer_id, caller.now))
        for side, customer_id in (("deleted", receipt.join.deleted), ("kept", receipt.join.kept))
    }
    return document | {"accounts": accounts}
