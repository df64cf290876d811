"""Copies of the key store, of which only the newest is kept; and what a restored backup asks of the keys.

A key that was destroyed would come back from an older copy, and open what an older backup of the database holds. So
each copy takes the place of the one before, all at once, and one is made right after keys were destroyed.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hmac import compare_digest
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from onewriter.db import dump, keytables, migrate
from onewriter.db.bulk import in_chunks
from onewriter.db.engine import Database
from onewriter.errors import KeyMissing, MasterKeyWrong
from onewriter.records import HOUR, SECOND, Instant
from onewriter.vault import chain, sealedfile
from onewriter.vault.keystore import SUBJECT_BYTES, KeyStore, subject_name
from onewriter.vault.seal import SubjectKey
from onewriter.vault.sealedfile import Draft, SealedFile, Trailer

KIND = "copy of the key store"
LEFT_OUT = ("copies",)
AGAIN: Instant = HOUR
"""How often a copy is made for the sake of keys that are only new."""
SLACK: Instant = 60 * SECOND
"""A transaction that a copy did not see yet may carry an earlier time than the copy."""
CHUNK = 500

_subjects = keytables.subject_keys
_shops = keytables.shop_keys
_days = keytables.day_keys
_index = keytables.index_keys
_masters = keytables.master_keys
_erased = keytables.erased_ids
_copies = keytables.copies
_heads = keytables.log_heads

_MADE = tuple(
    select(func.max(column))
    for column in (
        _shops.c.made_at, _days.c.made_at, _index.c.made_at, _masters.c.made_at, _masters.c.retired_at,
    )
)  # fmt: skip
_ENDED = tuple(
    select(func.max(column)) for column in (_shops.c.destroyed_at, _days.c.destroyed_at, _index.c.destroyed_at)
)
_STATES = select(_subjects.c.id, _subjects.c.wrapped.is_not(None).label("lives")).where(
    _subjects.c.id.in_(bindparam("ids", expanding=True))
)
_ERASED_AMONG = select(_erased.c.id_hash).where(
    _erased.c.shop_id == bindparam("shop_id"), _erased.c.id_hash.in_(bindparam("ids", expanding=True))
)
_ERASED_AFTER = (
    select(_erased.c.id_hash, _erased.c.erased_at)
    .where(_erased.c.shop_id == bindparam("shop_id"), _erased.c.id_hash > bindparam("behind"))
    .order_by(_erased.c.id_hash)
    .limit(CHUNK)
)
_LIVING_AFTER = (
    select(_subjects.c.id, _subjects.c.shop_id)
    .where(_subjects.c.id > bindparam("behind"), _subjects.c.wrapped.is_not(None))
    .order_by(_subjects.c.id)
    .limit(CHUNK)
)
_DROP = delete(_subjects).where(_subjects.c.id.in_(bindparam("ids", expanding=True)))
_DESTROY = (
    update(_subjects)
    .where(_subjects.c.id == bindparam("b_id"))
    .values(wrapped=None, destroyed_at=bindparam("b_destroyed_at"))
)


@dataclass(frozen=True, slots=True)
class News:
    """When the key store last changed; 0 for never. The keys of erased customers are not looked at here."""

    made_at: Instant
    ended_at: Instant


@dataclass(frozen=True, slots=True)
class _Marks:
    """What was ended for good: it stays so, whatever copy is restored."""

    destroyed: Mapping[bytes, Any]
    erased: Sequence[Any]
    shops: Sequence[Any]
    heads: Mapping[str, tuple[bytes, chain.Head]]
    """The key and the end of each log."""


# ---- Making a copy --------------------------------------------------------------------------------------------------


def write_copy(keys: KeyStore, path: Path, now: Instant) -> int:
    """Write the newest copy, in the place of the one that is there; returns how many rows it has.

    Every key in it is wrapped by a master key, as in the key store itself; the file is sealed besides.
    """
    # A copy without it could never prove the access log, whose first line may be written after this.
    chain.opened_for_writing(keys, chain.ACCESS, now)
    columns = dump.columns_of("keys", LEFT_OUT)
    counted: dict[str, int] = dict.fromkeys(columns, 0)
    with keys.database.exclusive("copy"), keys.database.snapshot() as db:
        draft = Draft(KIND, now, migrate.revision_of(db) or "", columns)

        def pieces() -> Iterator[bytes]:
            for name, rows, piece in dump.pieces(db, "keys", columns):
                counted[name] += rows
                yield piece

        sealedfile.write(path, keys, draft, pieces(), lambda: Trailer(counted, {}), force=True)
    with keys.database.write() as db:
        _record_copy(db, now)
    return sum(counted.values())


def copied_at(database: Database) -> Instant | None:
    """When the newest copy was made; None if there never was one."""
    with database.read() as db:
        made_at: Instant | None = db.execute(select(func.max(_copies.c.made_at))).scalar()
    return made_at


def news(database: Database) -> News:
    """When keys were last made, and ended."""
    with database.read() as db:
        newest: bytes | None = db.execute(select(_subjects.c.id).order_by(_subjects.c.id.desc()).limit(1)).scalar()
        # The id of a key begins with the millisecond in which it was made.
        subject = 0 if newest is None else int.from_bytes(bytes(newest)[:6], "big") * 1000
        made = max([subject, *(db.execute(query).scalar() or 0 for query in _MADE)])
        ended = max(db.execute(query).scalar() or 0 for query in _ENDED)
    return News(made, ended)


def made_at(path: Path) -> Instant | None:
    """When the copy in that file was made, as its header says; None if there is no copy there."""
    try:
        return SealedFile(path, KIND).header.made_at
    except sealedfile.FileUnusable:
        return None


def is_due(database: Database, copied: Instant | None, erased_since: Callable[[Instant], bool], now: Instant) -> bool:
    """True when keys were destroyed since that copy was made, or if they were only made and it is an hour old.

    `erased_since` says whether customers were erased since a time: the key store has no such index.
    """
    if copied is None:
        return True
    changed = news(database)
    if changed.ended_at >= copied - SLACK or erased_since(copied - SLACK):
        return True
    # What a copy may have missed is copied once more, an hour later, and then it is well behind the copy.
    return changed.made_at >= copied - AGAIN and not copied <= now < copied + AGAIN


def _record_copy(db: Connection, made_at: Instant) -> None:
    db.execute(delete(_copies))
    db.execute(insert(_copies).values(made_at=made_at))


# ---- Restoring one --------------------------------------------------------------------------------------------------


def restore_copy(keys: KeyStore, file: SealedFile) -> bool:
    """Put a copy that was checked in the place of the key store, in one transaction.

    What was destroyed in the key store that is there stays destroyed, and who was erased stays erased. Returns True
    when the head of the access log stays too; else it is the older one of the copy.
    """
    header = file.header
    with keys.database.write() as db:
        marks = _marks(db, keys)
        dump.replace(db, "keys", header.revision, header.columns, file.pieces(keys), {})
        _mark(db, marks)
        kept = _keep_heads(db, keys, marks)
        _record_copy(db, header.made_at)
    return chain.ACCESS in kept


def _marks(db: Connection, keys: KeyStore) -> _Marks:
    ended = select(_subjects).where(_subjects.c.destroyed_at.is_not(None))
    destroyed = {bytes(row.id): row for row in db.execute(ended)}
    shops = db.execute(select(_shops).where(_shops.c.destroyed_at.is_not(None))).all()
    return _Marks(destroyed, db.execute(select(_erased)).all(), shops, _read_heads(db, keys))


def _read_heads(db: Connection, keys: KeyStore) -> dict[str, tuple[bytes, chain.Head]]:
    """The key and the end of each log, of those that open here."""
    found = {}
    for row in db.execute(select(_heads)):
        with suppress(KeyMissing, MasterKeyWrong):
            secret = keys.unwrap(row, chain.key_name(row.log))
            found[row.log] = (secret, chain.Head(row.position, bytes(row.mac)))
    return found


def _keep_heads(db: Connection, keys: KeyStore, marks: _Marks) -> set[str]:
    """Keep how far each log is written; by the older head, its newest lines could be cut off and nobody would see it.

    Returns the logs whose head was kept: those whose key is the same in the copy.
    """
    kept = set()
    for name, (secret, _head) in _read_heads(db, keys).items():
        before = marks.heads.get(name)
        if before is not None and compare_digest(before[0], secret):
            values = {"position": before[1].position, "mac": before[1].mac}
            db.execute(update(_heads).where(_heads.c.log == name).values(**values))
            kept.add(name)
    return kept


def _mark(db: Connection, marks: _Marks) -> None:
    names = list(marks.destroyed)
    for some in in_chunks(names):
        there = {bytes(row.id) for row in db.execute(_STATES, {"ids": some})}
        gone = [marks.destroyed[name] for name in some]
        if there:
            ended = [{"b_id": row.id, "b_destroyed_at": row.destroyed_at} for row in gone if bytes(row.id) in there]
            db.execute(_DESTROY, ended)
        if fresh := [dict(row._mapping) for row in gone if bytes(row.id) not in there]:
            db.execute(insert(_subjects), fresh)
    for row in marks.erased:
        known = (_erased.c.shop_id == row.shop_id, _erased.c.id_hash == row.id_hash)
        if db.execute(select(_erased.c.shop_id).where(*known)).first() is None:
            db.execute(insert(_erased).values(**row._mapping))
    for row in marks.shops:
        this = (_shops.c.shop_id == row.shop_id, _shops.c.version == row.version)
        db.execute(update(_shops).where(*this).values(wrapped=None, destroyed_at=row.destroyed_at))


# ---- What a restored backup asks ------------------------------------------------------------------------------------


def states(keys: KeyStore, ids: Sequence[bytes]) -> dict[bytes, bool]:
    """Which customers' keys there are: True for one that lives, False for one that was destroyed."""
    found: dict[bytes, bool] = {}
    with keys.database.read() as db:
        for some in in_chunks(ids):
            found |= {bytes(row.id): bool(row.lives) for row in db.execute(_STATES, {"ids": some})}
    return found


def knows_shop(keys: KeyStore, shop_id: int) -> bool:
    """True if there is a key of that shop, or the mark of one that was destroyed."""
    with keys.database.read() as db:
        return db.execute(select(_shops.c.shop_id).where(_shops.c.shop_id == shop_id).limit(1)).first() is not None


def shop_ended_at(keys: KeyStore, shop_id: int) -> Instant | None:
    """When a key of the shop was last destroyed, though it may have been connected anew since; None for never."""
    with keys.database.read() as db:
        ended: Instant | None = db.execute(
            select(func.max(_shops.c.destroyed_at)).where(_shops.c.shop_id == shop_id)
        ).scalar()
    return ended


def living_days(keys: KeyStore, shop_id: int) -> set[int]:
    """The days whose key can still be opened."""
    lives = (_days.c.shop_id == shop_id, _days.c.wrapped.is_not(None))
    with keys.database.read() as db:
        return set(db.execute(select(_days.c.day).where(*lives)).scalars())


def living_index(keys: KeyStore, shop_id: int) -> set[int]:
    """The versions of a shop's index key that can still be opened, but for the first, which is a part of its own."""
    lives = (_index.c.shop_id == shop_id, _index.c.wrapped.is_not(None))
    with keys.database.read() as db:
        return set(db.execute(select(_index.c.version).where(*lives)).scalars())


def erased_among(keys: KeyStore, shop_id: int, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of these customers that were erased, by the hash of the id."""
    found: set[bytes] = set()
    with keys.database.read() as db:
        for some in in_chunks(hashes):
            found.update(bytes(each) for each in db.execute(_ERASED_AMONG, {"shop_id": shop_id, "ids": some}).scalars())
    return found


def every_erased(keys: KeyStore, shop_id: int) -> Iterator[dict[bytes, Instant]]:
    """Everybody of a shop who was erased, by the hash of the id, some at a time; and when."""
    behind = b""
    while True:
        with keys.database.read() as db:
            rows = db.execute(_ERASED_AFTER, {"shop_id": shop_id, "behind": behind}).all()
        if not rows:
            return
        yield {bytes(row.id_hash): row.erased_at for row in rows}
        behind = bytes(rows[-1].id_hash)


def new_secrets(ids: Iterable[bytes]) -> dict[bytes, tuple[bytes, SubjectKey]]:
    """New keys under ids that had one; nothing knows of them before `keep_secrets`."""
    made = ((identity, os.urandom(SUBJECT_BYTES)) for identity in ids)
    return {identity: (secret, SubjectKey(secret)) for identity, secret in made}


def keep_secrets(keys: KeyStore, shop_id: int, secrets: Mapping[bytes, bytes], now: Instant) -> None:
    """Write these keys down, under ids that have none.

    Here the rows come first: if a process dies in between, their keys are missing again, and are made once more.
    """
    with keys.database.write() as db:
        master = keys.hold(db, now)
        rows = [
            {"id": identity, "shop_id": shop_id, "master_id": master.id}
            | {"wrapped": master.wrap(secret, subject_name(shop_id, identity))}
            for identity, secret in secrets.items()
        ]
        db.execute(insert(_subjects), rows)


def drop_unnamed(keys: KeyStore, named: Callable[[Sequence[bytes]], set[bytes]], shop_ids: set[int]) -> int:
    """Remove the customers' keys of these shops that no row of the main database names; returns how many.

    They came back with a copy that was made before they were destroyed. No mark is left, since nobody says of them that
    they were: should a backup name one after all, its customer is read again from Shopify, unless it was erased.
    """
    dropped, behind = 0, b""
    while True:
        with keys.database.read() as db:
            rows = db.execute(_LIVING_AFTER, {"behind": behind}).all()
        if not rows:
            return dropped
        behind = bytes(rows[-1].id)
        ours = [bytes(row.id) for row in rows if row.shop_id in shop_ids]
        unnamed = list(set(ours) - named(ours))
        if unnamed:
            with keys.database.write() as db:
                dropped += db.execute(_DROP, {"ids": unnamed}).rowcount
