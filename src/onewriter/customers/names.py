"""The index that customers are searched by, as rows: which key makes tokens now, and those that names have."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from onewriter.db.bulk import insert_rows
from onewriter.db.privacytables import name_tokens
from onewriter.db.tables import customers, shops
from onewriter.errors import KeyDestroyed
from onewriter.records import Instant, Value
from onewriter.vault.indexkeys import IndexKey
from onewriter.vault.vault import ShopVault

FIELDS = ("first_name", "last_name")
"""The fields that a customer's name is made of."""

_VERSION = select(shops.c.index_version).where(shops.c.id == bindparam("shop_id"))
_RAISE = (
    update(shops)
    .where(shops.c.id == bindparam("b_shop_id"), shops.c.index_version < bindparam("b_version"))
    .values(index_version=bindparam("b_version"))
)
_STALE = (
    select(customers.c.index_version)
    .where(customers.c.shop_id == bindparam("shop_id"), customers.c.index_version < bindparam("version"))
    .order_by(customers.c.index_version)
    .limit(1)
)
_REMOVE = delete(name_tokens).where(name_tokens.c.customer_id == bindparam("b_id"))


def version_of(db: Connection, shop_id: int) -> int:
    """The version of the key that a shop's new tokens are made with."""
    version: int = db.execute(_VERSION, {"shop_id": shop_id}).scalar_one()
    return version


def raise_version(db: Connection, shop_id: int, version: int) -> None:
    """Have new tokens made with that version from now on; whatever was made with an earlier one is stale."""
    db.execute(_RAISE, {"b_shop_id": shop_id, "b_version": version})


def current_key(db: Connection, vault: ShopVault, now: Instant) -> IndexKey:
    """The key that new tokens are made with, read in the transaction that writes them.

    A database that was restored from a backup may name one that was destroyed since. Then a new one takes its place,
    and what the backup brought back is stale.
    """
    version = version_of(db, vault.shop_id)
    try:
        return vault.index.of(version)
    except KeyDestroyed:
        version = vault.index.make_next(version, now)
        raise_version(db, vault.shop_id, version)
        return vault.index.of(version)


def is_stale(db: Connection, shop_id: int, version: int) -> bool:
    """True while tokens of some customer were made with an earlier version, or before names had any."""
    return db.execute(_STALE, {"shop_id": shop_id, "version": version}).first() is not None


def named(fields: Mapping[str, Value]) -> tuple[str | None, str | None]:
    """The first and the last name among a customer's fields."""
    first, last = map(fields.get, FIELDS)
    return first, last


def write(db: Connection, key: IndexKey, ids: Iterable[tuple[bytes, Mapping[str, Value]]]) -> None:
    """Write the tokens of the names of customers that have none, by id, with the fields of each."""
    rows: list[tuple[Any, ...]] = []
    for identity, fields in ids:
        rows.extend((identity, token) for token in key.name_tokens(*named(fields)))
    insert_rows(db, name_tokens, rows)


def remove(db: Connection, ids: Sequence[bytes]) -> None:
    """Remove the tokens of the names of these customers."""
    if ids:
        db.execute(_REMOVE, [{"b_id": identity} for identity in ids])
