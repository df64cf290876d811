"""Carrying out customers/redact on arrival: everything of the customer goes at once, and waits for no 90 days."""

from sqlalchemy import Connection

from onewriter.customers import erasing, find, shops
from onewriter.customers.erasing import Asked
from onewriter.customers.inbox import DONE, Ending, Row
from onewriter.errors import NotUnderstood
from onewriter.intake.apply import lock
from onewriter.records import Instant
from onewriter.shopify.payloads import REDACT_TOPIC, redacted
from onewriter.vault.vault import ShopVault


def redact(db: Connection, vault: ShopVault, row: Row, body: bytes, now: Instant) -> Ending:
    """Erase whom the delivery names, and all who were merged into that customer, in the caller's transaction.

    `erasing.end` must follow once it is committed. Raises NotUnderstood where a person must say who is meant: another
    shop's body, one that names nobody, an email address that no customer has, or that several have.
    """
    number, email = redacted(body, shops.by_id(db, row.shop_id).domain)
    if number is None:
        number = _by_email(db, vault, email)
    asked_at = row.triggered_at if row.triggered_at is not None else row.received_at
    erased = erase_all(db, vault, number, Asked(REDACT_TOPIC, asked_at, row.position), now)
    return Ending(row.position, DONE, f"erased: {erased}" if erased else "nobody to erase")


def erase_all(db: Connection, vault: ShopVault, number: int, asked: Asked, now: Instant) -> int:
    """Erase a customer and all who were merged into it, in the caller's transaction; how many there were.

    `erasing.end` must follow once it is committed.
    """
    lock(db, vault, [number])
    # Whoever was merged into it is found once nobody can merge into it any more.
    whom = erasing.with_merged(db, vault, number)
    lock(db, vault, whom)
    return erasing.erase(db, vault, whom, asked, now)


def _by_email(db: Connection, vault: ShopVault, email: str | None) -> int:
    """The one customer with that address, hidden ones too."""
    found = find.ids_with_email(db, vault, email)
    if len(found) != 1:
        who = "several customers" if found else "no customer"
        raise NotUnderstood(f"{REDACT_TOPIC}: it names only an email address, and {who} here would answer to it.")
    return found[0]
