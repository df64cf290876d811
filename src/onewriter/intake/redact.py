"""Carrying out customers/redact on arrival: everything of the customer goes at once, and waits for no 90 days."""

from sqlalchemy import Connection

from onewriter.customers import erasing, shops
from onewriter.customers.erasing import Asked, Erased
from onewriter.customers.inbox import DONE, Ending, Row
from onewriter.intake.apply import lock
from onewriter.records import Instant
from onewriter.shopify.payloads import redacted
from onewriter.shopify.topics import REDACT_TOPIC
from onewriter.vault.vault import ShopVault


def redact(db: Connection, vault: ShopVault, row: Row, body: bytes, now: Instant) -> Ending:
    """Erase whom the delivery names, and all who were merged into that customer, in the caller's transaction.

    `erasing.end` must follow once it is committed. Raises NotUnderstood where a person must say who is meant: another
    shop's body, or one without an id.
    """
    number = redacted(body, shops.by_id(db, row.shop_id).domain)
    asked_at = row.triggered_at if row.triggered_at is not None else row.received_at
    erased = erase_all(db, vault, number, Asked(REDACT_TOPIC, asked_at, row.position), now)
    return Ending(row.position, DONE, f"erased: {erased.customers}" if erased.customers else "nobody to erase")


def erase_all(db: Connection, vault: ShopVault, number: int, asked: Asked, now: Instant) -> Erased:
    """Erase a customer and all who were merged into it, in the caller's transaction.

    `erasing.end` must follow once it is committed.
    """
    locked: list[int] = []
    whom = [number]
    # Whoever is merged in while we wait for the locks is found by looking again.
    while set(whom) - set(locked):
        lock(db, vault, whom)
        locked, whom = whom, erasing.with_merged(db, vault, number)
    return erasing.erase(db, vault, whom, asked, now)
