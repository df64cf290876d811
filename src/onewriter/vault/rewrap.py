"""Wrapping keys anew: every key of the key store under the current master key, so that an older one can be laid aside.

The keys themselves stay as they are, and so does everything that they sealed. A key that is destroyed meanwhile stays
destroyed. No master key is ever deleted here: one that wraps nothing any more is marked as retired, after which no
process wraps anything with it, and a person may take it out of the settings.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, func, select, update

from onewriter.db import keytables
from onewriter.errors import KeyMissing
from onewriter.records import Instant
from onewriter.vault import chain, indexkeys
from onewriter.vault.keystore import KeyStore, day_name, shop_name, subject_name
from onewriter.vault.master import MasterKey

BATCH = 4_000
LOG = "log"

_masters = keytables.master_keys
_heads = keytables.log_heads

_LOCK_MASTER = select(_masters.c.retired_at).where(_masters.c.id == bindparam("id")).with_for_update()
_HEADS = select(_heads).where(_heads.c.master_id != bindparam("to")).order_by(_heads.c.log).with_for_update()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of keys that belong to a shop: its table, what tells them apart in the shop, and what they are bound to.

    `first` is less than whatever tells a key apart.
    """

    name: str
    table: Table
    mark: Column[Any]
    first: Any
    bound_to: Callable[[int, Any], bytes]


KINDS = (
    Kind("subject", keytables.subject_keys, keytables.subject_keys.c.id, b"", subject_name),
    Kind("shop", keytables.shop_keys, keytables.shop_keys.c.version, 0, lambda shop_id, _version: shop_name(shop_id)),
    Kind("day", keytables.day_keys, keytables.day_keys.c.day, -1, day_name),
    Kind("index", keytables.index_keys, keytables.index_keys.c.version, 0, indexkeys.key_name),
)
NAMES = (*(kind.name for kind in KINDS), LOG)
"""Every kind of keys, those of logs too, which belong to no shop."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of one batch: where the next begins, None at the end; how many were wrapped, and how many not."""

    after: Any
    wrapped: int
    not_opened: int


def wrap_batch(keys: KeyStore, to: MasterKey, shop_id: int, kind: Kind, after: Any, most: int = BATCH) -> Batch:
    """Wrap the next keys of a shop, committed before this returns; those that are wrapped by `to` are passed over.

    A key that does not open stays as it is and is counted. Raises MasterKeyWrong, with nothing changed, when a key is
    wrapped by a master key that nobody here has, or when `to` was retired.
    """
    with keys.database.write() as db:
        keys.hold_this(db, to)
        chosen = db.execute(_next(kind), {"shop_id": shop_id, "after": after, "to": to.id, "most": most})
        rows = chosen.all()
        changes, not_opened = _wrapped(keys, to, rows, partial(kind.bound_to, shop_id))
        _write(db, kind, to, shop_id, changes)
    return Batch(rows[-1][0] if rows else None, len(changes), not_opened)


def wrap_all(keys: KeyStore, to: MasterKey, shop_id: int) -> None:
    """Wrap every key of a shop at once, for one that is not in the main database and so can have no run."""
    for kind in KINDS:
        after = kind.first
        while after is not None:
            after = wrap_batch(keys, to, shop_id, kind, after).after


def wrap_logs(keys: KeyStore, to: MasterKey) -> int:
    """Wrap the keys of the logs, in one transaction; returns how many that were."""
    with keys.database.write() as db:
        keys.hold_this(db, to)
        rows = db.execute(_HEADS, {"to": to.id}).all()
        for row in rows:
            name = chain.key_name(row.log)
            values = {"master_id": to.id, "wrapped": to.wrap(keys.unwrap(row, name), name)}
            db.execute(update(_heads).where(_heads.c.log == row.log).values(**values))
    return len(rows)


def retire_older(keys: KeyStore, than: MasterKey, now: Instant) -> list[str]:
    """Mark the master keys that were made before that one and wrap nothing any more as retired; returns their ids."""
    with keys.database.read() as db:
        made_at = select(_masters.c.made_at).where(_masters.c.id == than.id).scalar_subquery()
        older = select(_masters.c.id).where(_masters.c.retired_at.is_(None), _masters.c.made_at < made_at)
        asked = [each for each in db.execute(older.order_by(_masters.c.made_at)).scalars() if not _is_needed(db, each)]
    return [each for each in asked if each != keys.current.id and _retire(keys, each, now)]


def _retire(keys: KeyStore, master_id: str, now: Instant) -> bool:
    with keys.database.write() as db:
        # Whoever wraps with it holds this row: either its key is seen here, or it sees that the key is retired.
        retired_at = db.execute(_LOCK_MASTER, {"id": master_id}).scalar()
        if retired_at is not None or _is_needed(db, master_id):
            return False
        db.execute(update(_masters).where(_masters.c.id == master_id).values(retired_at=now))
    return True


# ---- Counting -------------------------------------------------------------------------------------------------------


def counts(db: Connection) -> dict[str, Counter[str]]:
    """How many keys of each kind each master key wraps; destroyed ones count nowhere."""
    found: dict[str, Counter[str]] = {}
    for name, table in _tables():
        rows = select(table.c.master_id, func.count()).where(table.c.wrapped.is_not(None)).group_by(table.c.master_id)
        for master_id, number in db.execute(rows):
            found.setdefault(master_id, Counter())[name] = number
    return found


def left(db: Connection, to: MasterKey) -> Counter[int]:
    """How many keys of each shop another master key wraps; shops without such a key are left out."""
    found: Counter[int] = Counter()
    for kind in KINDS:
        table = kind.table
        others = (table.c.master_id != to.id, table.c.wrapped.is_not(None))
        counted = select(table.c.shop_id, func.count()).where(*others).group_by(table.c.shop_id)
        for shop_id, number in db.execute(counted):
            found[shop_id] += number
    return found


def _is_needed(db: Connection, master_id: str) -> bool:
    return any(
        db.execute(
            select(table.c.master_id).where(table.c.master_id == master_id, table.c.wrapped.is_not(None)).limit(1)
        ).first()
        for _name, table in _tables()
    )


def _tables() -> Iterable[tuple[str, Table]]:
    yield from ((kind.name, kind.table) for kind in KINDS)
    yield LOG, _heads


# ---- Statements -----------------------------------------------------------------------------------------------------


@cache
def _next(kind: Kind) -> Any:
    """The next keys that another master key wraps, locked: nobody destroys one between this and its new wrapping.

    One that somebody is destroying at this moment is passed over, so that nobody waits for us who waits for another.
    """
    table = kind.table
    wanted = (table.c.shop_id == bindparam("shop_id"), kind.mark > bindparam("after"))
    other = (table.c.master_id != bindparam("to"), table.c.wrapped.is_not(None))
    columns = (kind.mark.label("mark"), table.c.master_id, table.c.wrapped)
    chosen = select(*columns).where(*wanted, *other).order_by(kind.mark).limit(bindparam("most"))
    return chosen.with_for_update(skip_locked=True)


def _wrapped(
    keys: KeyStore, to: MasterKey, rows: Sequence[Any], bound_to: Callable[[Any], bytes]
) -> tuple[list[tuple[Any, bytes]], int]:
    """The new wrapping of each key that opens, and how many do not."""
    changes: list[tuple[Any, bytes]] = []
    for mark, master_id, wrapped in rows:
        name = bound_to(mark)
        try:
            changes.append((mark, to.wrap(keys.master(master_id).cipher.open(wrapped, name), name)))
        except KeyMissing:
            continue
    return changes, len(rows) - len(changes)


def _write(db: Connection, kind: Kind, to: MasterKey, shop_id: int, changes: Sequence[tuple[Any, bytes]]) -> None:
    """The hot statement goes to the driver: `executemany` on SQLite, and one statement for all on PostgreSQL."""
    if not changes:
        return
    if db.dialect.name == "sqlite":
        db.exec_driver_sql(_sqlite(kind), [(to.id, wrapped, shop_id, mark) for mark, wrapped in changes])
        return
    marks, wrapped = [mark for mark, _wrapped in changes], [each for _mark, each in changes]
    # The range keeps the planner from reading the whole table for a few thousand rows.
    db.exec_driver_sql(_postgres(kind), (to.id, marks, wrapped, shop_id, marks[0], marks[-1]))


def _sqlite(kind: Kind) -> str:
    name = kind.mark.name
    return f"UPDATE {kind.table.name} SET master_id = ?, wrapped = ? WHERE shop_id = ? AND {name} = ?"


def _postgres(kind: Kind) -> str:
    name = kind.mark.name
    array = "bytea[]" if isinstance(kind.first, bytes) else "int[]"
    return (
        f"UPDATE {kind.table.name} AS k SET master_id = %s, wrapped = n.wrapped "
        f"FROM unnest(%s::{array}, %s::bytea[]) AS n({name}, wrapped) "
        f"WHERE k.shop_id = %s AND k.{name} BETWEEN %s AND %s AND k.{name} = n.{name}"
    )
