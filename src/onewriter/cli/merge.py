"""`onewriter merge`: what merging two customers comes to for their points, its receipts, and undoing it."""

import uuid
from collections.abc import Sequence

import click
import structlog
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.inputs import as_json, confirm, limit_option, shop_option, yes_option
from onewriter.cli.merged import planned_document, receipt_document, receipt_line, refuse_plan, tell_plan, tell_receipt
from onewriter.cli.output import answer, say, table
from onewriter.cli.pointed import WHY_MAX, OneLine, meant
from onewriter.customers import owned
from onewriter.customers.shops import Shop
from onewriter.desk.pointing import Document, account_document, entries_text, name_of, points_text
from onewriter.errors import Unknown
from onewriter.loyalty import merges, points, receipts
from onewriter.loyalty.books import open_books
from onewriter.loyalty.receipts import MERGE, Receipt
from onewriter.records import id_text
from onewriter.runtime import Runtime, now
from onewriter.vault.vault import ShopVault


class UnknownReceipt(Unknown):
    """No such receipt of a merge in that shop."""


@click.group("merge")
def group() -> None:
    """See what merging two customers comes to, and undo it for points.

    Customers are merged in Shopify, and never from here. Their points follow as soon as it is sure that they are one,
    and a receipt says what came of it. A customer is Shopify's number or gid, our id, an email address or a phone
    number.
    """


@group.command("plan")
@click.argument("deleted", metavar="A")
@click.argument("kept", metavar="B")
@shop_option
@as_json
def plan(deleted: str, kept: str, domain: str | None, as_json: bool) -> None:
    """Show what merging customer A into customer B in Shopify would come to for their points; nothing is changed.

    Shopify decides which of the two it keeps, and that is not known before: this takes B. The same entries stay either
    way; what follows from tags and settings is then that of the other one.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        moment = now()
        gone, stays = meant(runtime, db, domain, deleted), meant(runtime, db, domain, kept)
        books = open_books(db, gone.vault, (gone.holder, stays.holder))
        source, target = refuse_plan(gone, books.of(gone.holder), stays, books.of(stays.holder))
        books.settle(moment)
        document = planned_document(gone, source, stays, target, moment)

    def tell() -> None:
        for note in (gone.note, stays.note):
            if note is not None:
                say(note)
        tell_plan(document, gone.name, stays.name)

    answer(as_json, document, tell)


# ---- Receipts


@group.command("show")
@click.argument("text", metavar="RECEIPT|CUSTOMER")
@shop_option
@limit_option
@as_json
def show(text: str, domain: str | None, limit: int, as_json: bool) -> None:
    """Show receipts in full: one, or those of the merges that a customer was on either side of, the newest first.

    What a receipt drops is shown as it stands now: a later merge can let another entry stay.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        vault = runtime.vault(shop.id)
        one = _receipt(db, shop, text)
        found = [one] if one is not None else _of_customer(runtime, db, domain, text)[:limit]
        documents = [receipt_document(db, vault, shop.domain, receipt) for receipt in found]

    def tell() -> None:
        if not documents:
            say("That customer was on neither side of a merge of points.")
        for place, document in enumerate(documents):
            if place:
                say()
            tell_receipt(document)

    answer(as_json, documents, tell)


def _receipt(db: Connection, shop: Shop, text: str) -> Receipt | None:
    """The receipt of a merge of that id."""
    try:
        wanted = uuid.UUID(text.strip()).bytes
    except ValueError:
        return None
    found = receipts.of_ids(db, [wanted]).get(wanted)
    return found if found is not None and (found.shop_id, found.kind) == (shop.id, MERGE) else None


def _of_customer(runtime: Runtime, db: Connection, domain: str | None, text: str) -> list[Receipt]:
    whose = meant(runtime, db, domain, text)
    return receipts.of_customer(db, whose.found.id)


@group.command("list")
@shop_option
@limit_option
@as_json
def list_receipts(domain: str | None, limit: int, as_json: bool) -> None:
    """List the receipts of merges, the newest first."""
    with session.opened() as runtime, runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        found = receipts.newest(db, shop.id, MERGE, limit)
        documents = _listed(db, shop, found)

    def tell() -> None:
        if not documents:
            say(f"No points were merged in {shop.domain} yet.")
            return
        names = ("RECEIPT", "MERGED", "DELETED", "KEPT", "BALANCE AFTER", "MOVED", "DROPPED", "FLOOR", "UNDONE")
        table(names, map(_row, documents))

    answer(as_json, documents, tell)


def _listed(db: Connection, shop: Shop, found: Sequence[Receipt]) -> list[Document]:
    sides = {each for receipt in found for each in (receipt.kept_customer_id, receipt.deleted_customer_id) if each}
    names = owned.numbers(db, shop.id, sides)
    return [receipt_line(shop.domain, receipt, names) for receipt in found]


def _row(document: Document) -> list[object]:
    sides = [document[side]["shopify_id"] or document[side]["id"] for side in ("deleted", "kept")]
    after = document["after"]["balance"]
    counts = (document["moved"], document["entries_dropped"], document["floor"])
    return [document["id"], document["merged_at"], *sides, after, *counts, document["undone_at"]]


# ---- Undo


@group.command("undo")
@click.argument("text", metavar="RECEIPT")
@shop_option
@click.option("--why", type=OneLine(WHY_MAX), metavar="TEXT", required=True, help="The reason; it is kept and logged.")
@yes_option
@as_json
def undo(text: str, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Give the points of a merged-away customer back to it, as far as they were its own then.

    Of the points alone: in Shopify the two stay merged, and Shopify's news of it changes nothing any more. What was
    posted since stays with the kept customer, and so do days of inactivity and an exclusion that it took over. Refused
    if the kept one was merged on, either was erased, or a balance would fall below zero.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
            receipt = _needed(db, shop, text)
            vault = runtime.vault(shop.id)
            question = _question(db, vault, receipt)
        confirm(question, yes)
        moment = now()
        with runtime.database.write() as db:
            merges.undo(db, vault, receipt, session.actor(), why, moment)
            document = _undone(db, vault, shop, receipt)
    log = structlog.get_logger(__name__)
    log.warning("merge undone", actor=session.actor(), shop=shop.domain, receipt=id_text(receipt.id))
    answer(as_json, document, lambda: _tell_undone(document))


def _needed(db: Connection, shop: Shop, text: str) -> Receipt:
    receipt = _receipt(db, shop, text)
    if receipt is None:
        raise UnknownReceipt(f"{shop.domain} has no receipt of a merge of that id; `onewriter merge list` shows them.")
    return receipt


def _question(db: Connection, vault: ShopVault, receipt: Receipt) -> str:
    """What is asked before, with what stays where it is."""
    join = merges.undoable(receipt)
    names = owned.numbers(db, vault.shop_id, [join.deleted, join.kept])
    deleted, kept = (name_of(each, names.get(each)) for each in (join.deleted, join.kept))
    book = open_books(db, vault, [join.kept]).of(join.kept)
    since = [each for each in book.counting if each.posted_at > receipt.made_at] if book is not None else []
    stays = f"What was posted since stays with {kept}: {entries_text(len(since))}." if since else ""
    return f"{stays} Give {deleted} its points back from {kept}, although Shopify keeps them merged?".strip()


def _undone(db: Connection, vault: ShopVault, shop: Shop, receipt: Receipt) -> Document:
    """The receipt as it stands then, and both accounts."""
    document = receipt_document(db, vault, shop.domain, receipts.of_ids(db, [receipt.id])[receipt.id])
    moment = now()
    accounts = {
        side: account_document(points.account_of(db, vault, customer_id, moment))
        for side, customer_id in (("deleted", receipt.join.deleted), ("kept", receipt.join.kept))
    }
    return document | {"accounts": accounts}


def _tell_undone(document: Document) -> None:
    dropped = entries_text(document["entries_dropped"])
    again = f"; what it dropped counts again, {dropped}" if document["entries_dropped"] else ""
    say(f"Undone: receipt {document['id']} does not stand any more{again}. In Shopify the two stay merged.")
    for side in ("deleted", "kept"):
        who = document[side]["shopify_id"] or document[side]["id"]
        say(f"Customer {who} has {points_text(document['accounts'][side]['balance'])}.")
