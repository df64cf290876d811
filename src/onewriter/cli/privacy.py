"""`onewriter privacy`: erase a customer, and see what was erased and when."""

from collections.abc import Mapping
from typing import Any

import click
import structlog
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit
from onewriter.cli.exported import export
from onewriter.cli.inputs import as_json, confirm, limit_option, shop_option, yes_option
from onewriter.cli.output import answer, say, table
from onewriter.cli.privacy_access import access
from onewriter.cli.privacy_requests import group as requests
from onewriter.cli.retaining import due, purge
from onewriter.customers import erasing, find, findings, shops
from onewriter.customers.erasing import Asked
from onewriter.intake.redact import erase_all
from onewriter.records import id_text, iso
from onewriter.runtime import now
from onewriter.vault.vault import ShopVault

ERASE = "erase"


@click.group("privacy")
def group() -> None:
    """Do what the law asks: export, erase and purge customers, and see who saw what."""


@group.command("erase")
@click.argument("customer", metavar="ID")
@shop_option
@click.option(
    "--why", metavar="TEXT", required=True, help="The reason; it is logged with your name, and goes with the customer."
)
@yes_option
@as_json
def erase(customer: str, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Erase a customer and all who were merged into it, for good.

    ID is Shopify's number or gid, or our id. Every row and the key that sealed it go, and nothing of that id is ever
    taken up again. Shopify's own customers/redact does this by itself on arrival; this is for one that a person must
    decide. Copies in other systems and in Shopify stay: erase them there. It cannot be undone.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            shop = session.choose_shop(db, domain)
            vault = runtime.vault(shop.id)
            number = find.shopify_id_meant(db, shop.id, customer)
            find.refuse_erased(db, vault, number)
            whom = _told(db, vault, number)
            about = _about(db, vault, number)
        confirm(f"Erase {whom} of {shop.domain}, for good?", yes)
        permit(runtime, Role.OWNER, ERASE, about, shop_id=shop.id, why=why)
        moment = now()
        with runtime.database.write() as db:
            erased = erase_all(db, vault, number, Asked(f"by {session.actor()}", moment), moment)
        receipt = id_text(erased.receipt)
        log = structlog.get_logger(__name__)
        log.warning("customer erased", actor=session.actor(), shop=shop.domain, receipt=receipt)
        erasing.end(runtime.database, runtime.keys, moment)
    document = {"shop": shop.domain, "erased": erased.customers, "erased_at": iso(moment), "receipt": receipt}
    held = "" if erased.customers else " Nothing was held of that id, and nothing will be."
    answer(as_json, document, lambda: say(f"Erased of {shop.domain}: {erased.customers}. Receipt {receipt}.{held}"))


def _told(db: Connection, vault: ShopVault, number: int) -> str:
    """Whom an erasure takes, in words for the one who must confirm it."""
    if findings.customer_id_of(db, vault.shop_id, number) is None:
        return f"customer {number}, of whom nothing is held (is that the right id?),"
    others = len(erasing.with_merged(db, vault, number)) - 1
    return f"customer {number}" + (f" and {others} merged into it" if others else "")


def _about(db: Connection, vault: ShopVault, number: int) -> list[About]:
    """Whom an erasure takes, for the access log."""
    numbers = erasing.with_merged(db, vault, number)
    return [About(each) for each in findings.customer_ids_of(db, vault.shop_id, numbers).values()] or [About()]


@group.command("receipts")
@limit_option
@as_json
def receipts(limit: int, as_json: bool) -> None:
    """List the receipts of erasures, the newest first.

    A receipt holds hashes of ids, counts and times, and nothing of a person. Its keys are destroyed right after the
    rows; where a process died in between, within five minutes by any worker. Until then what they sealed could still
    be opened from a backup.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        domains = {shop.id: shop.domain for shop in shops.every(db)}
        documents = [_document(receipt, domains[receipt["shop_id"]]) for receipt in erasing.receipts(db, limit)]

    def tell() -> None:
        if not documents:
            say("Nothing was erased yet.")
            return
        names = ("ERASED", "SHOP", "CAUSE", "DELIVERY", "IDS", "ROWS", "KEYS DESTROYED")
        columns = ("erased_at", "shop", "cause", "delivery", "ids", "rows", "keys_destroyed_at")
        table(names, ([_shown(one[column]) for column in columns] for one in documents))

    answer(as_json, documents, tell)


def _shown(value: Any) -> Any:
    """Hashes are counted for people, and so are rows of tables."""
    if isinstance(value, list):
        return len(value)
    return sum(value.values()) if isinstance(value, dict) else value


def _document(receipt: Mapping[str, Any], domain: str) -> dict[str, Any]:
    return {
        "id": id_text(bytes(receipt["id"])),
        "shop": domain,
        "cause": receipt["cause"],
        "delivery": receipt["position"],
        "asked_at": iso(receipt["asked_at"]),
        "erased_at": iso(receipt["erased_at"]),
        "ids": receipt["id_hashes"],
        "rows": receipt["counts"],
        "keys_destroyed_at": iso(receipt["ended_at"]),
    }


group.add_command(export)
group.add_command(requests)
group.add_command(due)
group.add_command(purge)
group.add_command(access)
