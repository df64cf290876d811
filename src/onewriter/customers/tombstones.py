"""Tombstones: ids that were deleted before we ever knew them, or purged since. Only a keyed hash of the id is kept."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from onewriter.db.tables import tombstones
from onewriter.records import Instant
from onewriter.vault.vault import ShopVault

_EXISTING = select(tombstones).where(
    tombstones.c.shop_id == bindparam("shop_id"), tombstones.c.id_hash.in_(bindparam("hashes", expanding=True))
)
_THIS = (tombstones.c.shop_id == bindparam("b_shop_id"), tombstones.c.id_hash == bindparam("b_id_hash"))
_CHANGE = (
    update(tombstones).where(*_THIS).values(deleted_at=bindparam("b_deleted_at"), confirmed_at=bindparam("b_confirmed"))
)
_PURGE = update(tombstones).where(*_THIS, tombstones.c.purged_at.is_(None)).values(purged_at=bindparam("b_now"))
_REMOVE = delete(tombstones).where(*_THIS)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A deletion that has no customer."""

    deleted_at: Instant
    confirmed_at: Instant | None = None
    purged_at: Instant | None = None
    """When all that we held of the customer was erased; nothing is taken up of it ever again."""


def load(db: Connection, shop_id: int, hashes: Iterable[bytes]) -> dict[bytes, Tombstone]:
    """The tombstones under these hashes."""
    rows = db.execute(_EXISTING, {"shop_id": shop_id, "hashes": list(hashes)})
    return {bytes(row.id_hash): Tombstone(row.deleted_at, row.confirmed_at, row.purged_at) for row in rows}


def purged_at(db: Connection, shop_id: int, hashes: Collection[bytes]) -> dict[bytes, Instant]:
    """When those of these customers were erased that were, by the hash of the id."""
    stones = load(db, shop_id, hashes) if hashes else {}
    return {name: stone.purged_at for name, stone in stones.items() if stone.purged_at is not None}


def purged(db: Connection, vault: ShopVault, shopify_ids: Iterable[int]) -> frozenset[int]:
    """Those of these customers that were erased."""
    hashes = {vault.key.id_hash(number): number for number in shopify_ids}
    return frozenset(hashes[name] for name in purged_at(db, vault.shop_id, hashes))


def purge(db: Connection, shop_id: int, deleted: Mapping[bytes, Instant], now: Instant) -> None:
    """Remember that these were erased, by the hash of the id and the time of the deletion."""
    there = load(db, shop_id, deleted)
    if there:
        db.execute(_PURGE, [{"b_shop_id": shop_id, "b_id_hash": name, "b_now": now} for name in there])
    fresh = [
        {"shop_id": shop_id, "id_hash": name, "deleted_at": at, "heard_at": now, "purged_at": now}
        for name, at in deleted.items()
        if name not in there
    ]
    if fresh:
        db.execute(insert(tombstones), fresh)


def save(db: Connection, shop_id: int, before: Iterable[bytes], after: Mapping[bytes, Tombstone], now: Instant) -> None:
    """Write tombstones down: those that `before` names were there and are changed, the others are new."""
    known = set(before)
    changed = [_row(shop_id, name, stone) for name, stone in after.items() if name in known]
    if changed:
        db.execute(_CHANGE, changed)
    fresh = [
        {"shop_id": shop_id, "id_hash": name, "deleted_at": stone.deleted_at, "confirmed_at": stone.confirmed_at}
        | {"heard_at": now}
        for name, stone in after.items()
        if name not in known
    ]
    if fresh:
        db.execute(insert(tombstones), fresh)


def remove(db: Connection, shop_id: int, hashes: Sequence[bytes]) -> None:
    """Take tombstones away: their customer turned up, and carries the deletion itself from now on."""
    if hashes:
        db.execute(_REMOVE, [{"b_shop_id": shop_id, "b_id_hash": name} for name in hashes])


def _row(shop_id: int, name: bytes, stone: Tombstone) -> dict[str, object]:
    return {
        "b_shop_id": shop_id,
        "b_id_hash": name,
        "b_deleted_at": stone.deleted_at,
        "b_confirmed": stone.confirmed_at,
    }
