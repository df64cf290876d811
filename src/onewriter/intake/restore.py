"""Restoring a customer that Shopify has deleted: as it was then, or its points to the account it has now."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from onewriter.customers import find, shops
from onewriter.customers.profiles import DELETED, KEPT, LIVE, MERGED
from onewriter.customers.retention import kept_binding
from onewriter.db.tables import customers
from onewriter.errors import Permanent, UnknownCustomer
from onewriter.intake.apply import lock
from onewriter.loyalty import merges, receipts
from onewriter.loyalty.books import open_books
from onewriter.loyalty.merges import Pair
from onewriter.loyalty.receipts import Receipt
from onewriter.records import Instant, iso
from onewriter.rules.retention import purge_at
from onewriter.vault.vault import ShopVault

REASON_LENGTH_MAX = 500

_ROW: Select[Any] = select(customers.c.id, customers.c.state, customers.c.deleted_at)


class CannotRestore(Permanent):
    """The customer is not one that can be restored, and why."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A customer that lives on here without Shopify."""

    id: bytes
    shopify_id: int
    deleted_at: Instant
    keep_until: Instant
    again: bool
    """It was restored before, and only the time is another."""


def restore(
    db: Connection, vault: ShopVault, shopify_id: int, until: Instant, by: str, reason: str, now: Instant
) -> Restored:
    """Bring a deleted customer back as it was, to be kept until then, in the caller's transaction.

    Its profile, balance and history are as at the deletion, with what became known since of the time before it; what
    has fallen due meanwhile is posted. Shopify knows nothing of it. Raises CannotRestore, or UnknownCustomer for one
    that was purged.
    """
    if until <= now:
        raise CannotRestore("The day until which it is kept must be still to come.")
    if not reason.strip() or len(reason) > REASON_LENGTH_MAX:
        raise CannotRestore(f"The reason is empty, or longer than {REASON_LENGTH_MAX} letters.")
    lock(db, vault, [shopify_id])
    row = _hidden(db, vault, shopify_id)
    anyway = purge_at(row.deleted_at, shops.by_id(db, vault.shop_id).retention_days)
    if until < anyway:
        raise CannotRestore(f"It is kept until {iso(anyway)} anyway; give more days.")
    identity = bytes(row.id)
    # People may put anything into a reason.
    box = vault.keys.subject_keys([identity])[identity].seal(reason.encode(), kept_binding(vault.shop_id, identity))
    db.execute(
        update(customers)
        .where(customers.c.id == row.id)
        .values(state=KEPT, keep_until=until, kept_reason=f"restored by {by}", kept_box=box, changed_at=now)
    )
    # Time goes on for it: what expired since is posted now.
    books = open_books(db, vault, [identity])
    books.settle(now)
    books.save(db)
    return Restored(identity, shopify_id, row.deleted_at, until, row.state == KEPT)


def restore_into(db: Connection, vault: ShopVault, shopify_id: int, other: int, by: str, now: Instant) -> Receipt:
    """Move a deleted customer's points to the account that the person has now, by a receipt that can be undone.

    Nothing is counted twice that a customer gets once. The deleted one stays deleted, and is purged in its time.
    """
    if shopify_id == other:
        raise CannotRestore("That is the same customer; leave --into away to restore it as it was.")
    lock(db, vault, [shopify_id, other])
    source, target = _hidden(db, vault, shopify_id), _row(db, vault, other)
    if target.state not in LIVE:
        raise CannotRestore("The customer that the points shall go to is deleted itself.")
    receipt = merges.merge(db, vault, Pair(bytes(source.id), bytes(target.id), now), now, by)
    if receipt is None:
        raise CannotRestore(
            "Its points were moved before; `onewriter merge show` tells where to, and whether that was undone."
        )
    return receipt


def _hidden(db: Connection, vault: ShopVault, shopify_id: int) -> Row[Any]:
    row = _row(db, vault, shopify_id)
    if row.state == MERGED and receipts.holders(db, [bytes(row.id)])[bytes(row.id)] != bytes(row.id):
        raise CannotRestore(
            "That customer was not deleted but merged into another one, which has its points; "
            "`onewriter merge show` shows the receipt, and `onewriter merge undo` gives them back."
        )
    if row.state not in (DELETED, KEPT, MERGED):
        raise CannotRestore("That customer is not deleted, so there is nothing to restore.")
    return row


def _row(db: Connection, vault: ShopVault, shopify_id: int) -> Row[Any]:
    query = _ROW.where(customers.c.shop_id == vault.shop_id, customers.c.shopify_id == shopify_id)
    row: Row[Any] | None = db.execute(query).first()
    if row is None:
        find.refuse_erased(db, vault, shopify_id)
        raise UnknownCustomer("No customer of this shop has that id; `onewriter customers find` looks for it.")
    return row
