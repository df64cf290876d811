"""Trying a parked delivery again; once its body cannot be opened any more, its customer is read instead."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, select

from onewriter.customers import inbox
from onewriter.customers.inbox import DONE, PARKED, Ending
from onewriter.db.tables import aliases, customers
from onewriter.errors import KeyDestroyed, KeyMissing, Permanent
from onewriter.intake.apply import read_again
from onewriter.records import Instant
from onewriter.shopify.topics import CUSTOMER_TOPICS, ORDER_TOPICS
from onewriter.vault.vault import ShopVault

READ_INSTEAD = "the body cannot be opened any more, so the customer is read"
RETRY = "retry"
"""The reason to read a customer of whom a delivery cannot be opened any more."""
ROWS_AT_ONCE = 5_000


class BodyGone(Permanent):
    """The body of a delivery cannot be opened any more, and nothing can be read in its place."""


def try_again(db: Connection, vault: ShopVault, position: int, now: Instant) -> str:
    """Try a parked delivery again, or read its customer if the key of its day has ended; the delivery's new state.

    A row without a body names its customer by a hash alone, so that every customer of the shop is tried. Raises
    UnknownDelivery for one that is not parked, and BodyGone where nobody can be read either.
    """
    row = inbox.get(db, position)
    if row["state"] != PARKED or _opens(vault, row):
        inbox.retry(db, position)
        return inbox.WAITING
    if row["topic"] in ORDER_TOPICS:
        raise BodyGone(
            f"The body of delivery {position} cannot be opened any more, and nothing else says which order it told of. "
            "`onewriter sync orders` reads every order that changed lately; "
            f"run it, then `onewriter inbox drop {position}`."
        )
    if row["topic"] not in CUSTOMER_TOPICS:
        raise BodyGone(
            f"The body of delivery {position} cannot be opened any more, and no read can take its place; "
            f"do by hand what it asked for, then run `onewriter inbox drop {position}`."
        )
    found = set(_named(db, vault, {bytes(name) for name in (row["subject_hash"], row["other_hash"]) if name}))
    if not found:
        raise BodyGone(
            f"The body of delivery {position} cannot be opened any more, and we hold no customer that it can mean. The "
            f"next full reconcile reads everybody; run `onewriter inbox drop {position}`."
        )
    read_again(db, vault, dict.fromkeys(found, frozenset({RETRY})), now)
    inbox.end(db, [Ending(position, DONE, READ_INSTEAD, row["attempts"])], now)
    return DONE


def _opens(vault: ShopVault, row: Mapping[str, Any]) -> bool:
    if row["box"] is None:
        return False
    try:
        vault.keys.day_key(vault.shop_id, row["day"])
    except (KeyDestroyed, KeyMissing):
        return False
    return True


def _named(db: Connection, vault: ShopVault, hashes: Collection[bytes]) -> Iterator[int]:
    """The Shopify ids, of all that we hold, that these hashes stand for."""
    queries = (
        select(customers.c.shopify_id).where(customers.c.shop_id == vault.shop_id),
        select(aliases.c.deleted_id).where(aliases.c.shop_id == vault.shop_id),
        select(aliases.c.kept_id).where(aliases.c.shop_id == vault.shop_id),
    )
    for query in queries if hashes else ():
        for shopify_id in db.execute(query.execution_options(yield_per=ROWS_AT_ONCE)).scalars():
            if shopify_id is not None and vault.key.id_hash(shopify_id) in hashes:
                yield shopify_id
