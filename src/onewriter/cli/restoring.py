"""`onewriter customers restore`: bring a deleted customer back, or move its points to the person's new account."""

from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, say
from onewriter.customers import find, shops
from onewriter.customers.find import Found
from onewriter.customers.shops import Shop
from onewriter.desk.merged import receipt_document
from onewriter.intake.restore import CannotRestore, restore, restore_into
from onewriter.loyalty import points
from onewriter.records import DAY, id_text, iso
from onewriter.rules.retention import DAYS_MAX, DAYS_MIN
from onewriter.runtime import Runtime, now

RESTORE = "restore"


@click.command("restore")
@click.argument("text", metavar="ID|EMAIL|PHONE")
@shop_option
@click.option("--why", metavar="TEXT", required=True, help="The reason; it is kept with the customer and logged.")
@click.option(
    "--days", type=click.IntRange(DAYS_MIN, DAYS_MAX), help="How long to keep it; else as long as a deleted one."
)
@click.option("--into", metavar="NEW_ID", help="Move its points to this customer instead, whom Shopify knows.")
@as_json
def restore_customer(
    text: str, domain: str | None, why: str, days: int | None, into: str | None, as_json: bool
) -> None:
    """Bring a deleted customer back as it was at the deletion, with its points.

    Shopify knows nothing of it: nothing is written there, and reconciling leaves it alone. It is kept for so many days
    from now, and purged then; restore it again to change that. With --into its points go to the account that the
    person has now, by a receipt that `onewriter merge undo` takes back, and it stays deleted. Once a customer was
    purged, nothing brings it back.
    """
    if into is not None and days is not None:
        raise click.UsageError("--days goes without --into: what stays deleted is purged in its time")
    with session.opened() as runtime:
        with runtime.database.read() as db:
            shop = session.choose_shop(db, domain)
            vault = runtime.vault(shop.id)
            found = find.show(db, vault, text)
            other = None if into is None else find.show(db, vault, into)
        permit(runtime, Role.STAFF, RESTORE, [About(found.id)], shop_id=shop.id, why=why)
        if other is None:
            document = _restored(runtime, shop, found, days, why)
        else:
            document = _moved(runtime, shop, found, other)
    answer(as_json, document, lambda: _tell(document))


def _restored(runtime: Runtime, shop: Shop, found: Found, days: int | None, why: str) -> dict[str, Any]:
    moment, vault = now(), runtime.vault(shop.id)
    number = _number(found)
    with runtime.database.write() as db:
        # By default as long as a deletion of now would be; Shopify's clock may be a little ahead of ours.
        keeps = shops.by_id(db, shop.id).retention_days * DAY
        until = moment + days * DAY if days is not None else max(moment, found.deleted_at or 0) + keeps
        done = restore(db, vault, number, until, session.actor(), why, moment)
        balance = points.account_of(db, vault, done.id, moment).balance
    return {
        "shop": shop.domain,
        "id": id_text(done.id),
        "shopify_id": done.shopify_id,
        "state": "kept",
        "deleted_at": iso(done.deleted_at),
        "keep_until": iso(done.keep_until),
        "restored_before": done.again,
        "balance": balance,
    }


def _moved(runtime: Runtime, shop: Shop, found: Found, other: Found) -> dict[str, Any]:
    vault = runtime.vault(shop.id)
    with runtime.database.write() as db:
        receipt = restore_into(db, vault, _number(found), _number(other), session.actor(), now())
        return {"moved_to": other.id_text, "receipt": receipt_document(db, vault, shop.domain, receipt)}


def _number(found: Found) -> int:
    if found.shopify_id is None:
        raise CannotRestore("That customer has no id of Shopify's, so it was never deleted there.")
    return found.shopify_id


def _tell(document: dict[str, Any]) -> None:
    if "receipt" in document:
        receipt = document["receipt"]
        balance = receipt["after"]["balance"]
        say(f"Moved the points to {document['moved_to']}, who has {balance} now. Receipt {receipt['id']}.")
        return
    again = "Kept on" if document["restored_before"] else "Restored"
    until = document["keep_until"]
    say(f"{again}: customer {document['shopify_id']}, with {document['balance']} points, until {until}.")
