"""Customers whose key is lost: nothing of theirs can be opened, so they begin anew under their own ids.

Our id, the points, the links and the state stay. What a key had sealed is emptied, and a mark has Shopify read again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from onewriter.customers.profiles import customer_binding
from onewriter.db.bulk import in_chunks
from onewriter.db.privacytables import name_tokens
from onewriter.db.tables import customers, field_log, parked_values, sides
from onewriter.records import SHOPIFY, Instant, Path
from onewriter.vault.seal import SubjectKey, bound_to
from onewriter.vault.vault import ShopVault

PAGE = 1000

_PAGE = (
    select(customers.c.id, customers.c.shopify_id, customers.c.state)
    .where(customers.c.shop_id == bindparam("shop_id"), customers.c.id > bindparam("behind"))
    .order_by(customers.c.id)
    .limit(PAGE)
)
# A record that belongs to no customer has a key of its own.
_ALONE = (
    select(sides.c.key_id)
    .outerjoin(customers, customers.c.id == sides.c.key_id)
    .where(sides.c.shop_id == bindparam("shop_id"), customers.c.id.is_(None))
    .distinct()
)
_NAMED = (
    select(customers.c.id).where(customers.c.id.in_(bindparam("ids", expanding=True))),
    select(sides.c.key_id).where(sides.c.customer_id.in_(bindparam("ids", expanding=True))),
)
_THEIRS = select(sides.c.shop_id, sides.c.system, sides.c.record_id, sides.c.key_id).where(
    sides.c.shop_id == bindparam("shop_id"), sides.c.key_id.in_(bindparam("ids", expanding=True))
)
_RENEW_CUSTOMER = (
    update(customers)
    .where(customers.c.id == bindparam("b_id"))
    .values(box=bindparam("b_box"), email_token=None, phone_token=None, changed_at=bindparam("b_now"))
)
_RENEW_SIDE = (
    update(sides)
    .where(
        sides.c.shop_id == bindparam("b_shop_id"),
        sides.c.system == bindparam("b_system"),
        sides.c.record_id == bindparam("b_record_id"),
    )
    .values(
        box=bindparam("b_box"), raw_digest=None, field_digests=bindparam("b_digests"), version=0, heard_at=0,
        path=Path.WEBHOOK.value, read_began=None, changed_at=bindparam("b_now"),
    )
)  # fmt: skip


def page(db: Connection, shop_id: int, behind: bytes) -> Sequence[Any]:
    """The next customers of a shop behind that id: `id`, `shopify_id`, `state`."""
    return db.execute(_PAGE, {"shop_id": shop_id, "behind": behind}).all()


def keys_alone(db: Connection, shop_id: int) -> list[bytes]:
    """The keys of sides that belong to no customer."""
    return [bytes(each) for each in db.execute(_ALONE, {"shop_id": shop_id}).scalars()]


def named(db: Connection, ids: Sequence[bytes]) -> set[bytes]:
    """Those of these keys that some row of a customer names."""
    return {bytes(each) for query in _NAMED for each in db.execute(query, {"ids": ids}).scalars()}


def renew(db: Connection, vault: ShopVault, secrets: Mapping[bytes, SubjectKey], now: Instant) -> None:
    """Empty what the lost keys had sealed, and seal the emptiness with new ones, in the caller's transaction."""
    ids = list(secrets)
    boxes = [
        {"b_id": each, "b_box": key.seal_fields({}, customer_binding(vault.shop_id, each)), "b_now": now}
        for each, key in secrets.items()
    ]
    db.execute(_RENEW_CUSTOMER, boxes)
    forget_records(db, vault.shop_id, ids)
    found = db.execute(_THEIRS, {"shop_id": vault.shop_id, "ids": ids}).all()
    if found:
        db.execute(_RENEW_SIDE, [_side(row, secrets[bytes(row.key_id)], now) for row in found])
    for table in (name_tokens, parked_values):
        db.execute(delete(table).where(table.c.customer_id.in_(ids)))
    db.execute(update(field_log).where(field_log.c.customer_id.in_(ids)).values(digests=None, box=None))


def forget_records(db: Connection, shop_id: int, keys: Sequence[bytes]) -> None:
    """Forget the records of connected systems that these keys sealed: nobody can tell any more which they were.

    The next full reading brings them again, and their links say whose they are.
    """
    for some in in_chunks(keys):
        theirs = (sides.c.shop_id == shop_id, sides.c.system != SHOPIFY, sides.c.key_id.in_(some))
        db.execute(delete(sides).where(*theirs))


def _side(row: Any, key: SubjectKey, now: Instant) -> dict[str, Any]:
    names = {"b_shop_id": row.shop_id, "b_system": row.system, "b_record_id": row.record_id}
    box = key.seal_fields({}, bound_to("sides", row.shop_id, f"{row.system}|{row.record_id}"))
    return names | {"b_box": box, "b_digests": key.digests({}), "b_now": now}
