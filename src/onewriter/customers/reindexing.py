"""Making the tokens of customers anew, a piece at a time, with the key that their shop has for them now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from onewriter.customers import names
from onewriter.customers.profiles import customer_binding
from onewriter.db.bulk import STRIPES, lock_stripes, stripe_of
from onewriter.db.tables import customers
from onewriter.records import Instant
from onewriter.vault.indexkeys import IndexKey
from onewriter.vault.vault import ShopVault

PIECE = 200
START = b""

_SHOP = customers.c.shop_id == bindparam("shop_id")
_OLDER = customers.c.index_version < bindparam("version")
# In the order of the ids, a piece is found where the last one ended. SQLite would rather take all that are stale by
# their index, and sort them for each piece, if it saw that it could; hence the sums. PostgreSQL must see that it can.
_IN_SHOP = customers.c.shop_id + 0 == bindparam("shop_id")
_PIECE = select(customers.c.id, customers.c.shopify_id).order_by(customers.c.id).limit(PIECE)
_BEHIND = customers.c.id > bindparam("after")
_NEXT = _PIECE.where(_BEHIND, _SHOP, _OLDER)
_NEXT_SQLITE = _PIECE.where(_BEHIND, _IN_SHOP, customers.c.index_version + 0 < bindparam("version"))
_STALE = select(customers.c.id, customers.c.box).where(
    customers.c.id.in_(bindparam("ids", expanding=True)), _IN_SHOP, customers.c.index_version + 0 < bindparam("version")
)
_COUNT = select(func.count()).select_from(customers).where(_SHOP, _OLDER)
_WRITE = (
    update(customers)
    .where(customers.c.id == bindparam("b_id"))
    .values(
        email_token=bindparam("b_email"), phone_token=bindparam("b_phone"), index_version=bindparam("b_version")
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """What became of one piece."""

    after: bytes
    """Our id of the last customer that was looked at."""
    seen: int
    indexed: int
    unopened: int = 0
    """Customers whose key is destroyed: nobody can open them, so nobody may find them either."""


def count_stale(db: Connection, shop_id: int, version: int) -> int:
    """How many customers of the shop have tokens of an earlier version."""
    counted: int = db.execute(_COUNT, {"shop_id": shop_id, "version": version}).scalar_one()
    return counted


def lock_all(db: Connection, shop_id: int) -> None:
    """Wait for all who write customers of the shop, and keep everybody from it until the transaction ends."""
    lock_stripes(db, shop_id, range(STRIPES))


def reindex(db: Connection, vault: ShopVault, after: bytes, now: Instant) -> Piece | None:
    """Make the tokens of the next stale customers behind `after`, by our ids; None when there are no more."""
    key = names.current_key(db, vault, now)
    wanted = {"shop_id": vault.shop_id, "version": key.version}
    rows = db.execute(_NEXT_SQLITE if db.dialect.name == "sqlite" else _NEXT, wanted | {"after": after}).all()
    if not rows:
        return None
    numbers = (row.shopify_id for row in rows if row.shopify_id is not None)
    lock_stripes(db, vault.shop_id, {stripe_of(vault.key.id_hash(number)) for number in numbers})
    # Somebody may have written one of them while we waited for it, and its tokens then.
    stale = db.execute(_STALE, wanted | {"ids": [bytes(row.id) for row in rows]}).all()
    unopened = _write(db, vault, key, stale)
    return Piece(bytes(rows[-1].id), len(rows), len(stale) - unopened, unopened)


def _write(db: Connection, vault: ShopVault, index: IndexKey, rows: Sequence[Any]) -> int:
    """Write the tokens of these customers in place of those they have; how many could not be opened."""
    if not rows:
        return 0
    ids = [bytes(row.id) for row in rows]
    keys = vault.keys.subject_keys(ids, leave_destroyed=True)
    opened = {
        identity: keys[identity].open_fields(bytes(row.box), customer_binding(vault.shop_id, identity))
        for identity, row in zip(ids, rows, strict=True)
        if identity in keys
    }
    names.remove(db, ids)
    names.write(db, index, opened.items())
    db.execute(_WRITE, [_tokens(vault, index, identity, opened.get(identity, {})) for identity in ids])
    return len(ids) - len(opened)


def _tokens(vault: ShopVault, index: IndexKey, identity: bytes, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "b_id": identity,
        "b_email": vault.email_token(index, fields.get("email")),
        "b_phone": vault.phone_token(index, fields.get("phone")),
        "b_version": index.version,
    }
