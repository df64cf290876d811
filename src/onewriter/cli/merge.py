"""`onewriter merge`: what merging two customers comes to for their points, its receipts, and undoing it."""

import click

from onewriter.cli import session
from onewriter.cli.inputs import as_json, confirm, limit_option, shop_option, yes_option
from onewriter.cli.merged import tell_plan, tell_receipt
from onewriter.cli.output import answer, say, table
from onewriter.cli.pointed import OneLine
from onewriter.desk import merging
from onewriter.desk.pointing import Document, entries_text, points_text
from onewriter.desk.points_by_hand import WHY_MAX


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
    with session.opened() as runtime:
        planned = merging.plan(session.caller(runtime), session.shop_named(runtime, domain), deleted, kept)

    def tell() -> None:
        for note in planned["notes"]:
            say(note)
        tell_plan(planned["document"], planned["gone"], planned["stays"])

    answer(as_json, planned["document"], tell)


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
    with session.opened() as runtime:
        documents = merging.shown(session.caller(runtime), session.shop_named(runtime, domain), text, limit)

    def tell() -> None:
        if not documents:
            say("That customer was on neither side of a merge of points.")
        for place, document in enumerate(documents):
            if place:
                say()
            tell_receipt(document)

    answer(as_json, documents, tell)


@group.command("list")
@shop_option
@limit_option
@as_json
def list_receipts(domain: str | None, limit: int, as_json: bool) -> None:
    """List the receipts of merges, the newest first."""
    with session.opened() as runtime:
        name, documents = merging.listed(session.caller(runtime), session.shop_named(runtime, domain), limit)

    def tell() -> None:
        if not documents:
            say(f"No points were merged in {name} yet.")
            return
        names = ("RECEIPT", "MERGED", "DELETED", "KEPT", "BALANCE AFTER", "MOVED", "DROPPED", "FLOOR", "UNDONE")
        table(names, map(_row, documents))

    answer(as_json, documents, tell)


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
        caller, shop = session.caller(runtime), session.shop_named(runtime, domain)
        confirm(merging.question(caller, shop, text), yes)
        document = merging.undo(caller, shop, text, why)
    answer(as_json, document, lambda: _tell_undone(document))


def _tell_undone(document: Document) -> None:
    dropped = entries_text(document["entries_dropped"])
    again = f"; what it dropped counts again, {dropped}" if document["entries_dropped"] else ""
    say(f"Undone: receipt {document['id']} does not stand any more{again}. In Shopify the two stay merged.")
    for side in ("deleted", "kept"):
        who = document[side]["shopify_id"] or document[side]["id"]
        say(f"Customer {who} has {points_text(document['accounts'][side]['balance'])}.")
