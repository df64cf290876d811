"""The key store: every key that seals personal data, wrapped by a master key, in a database of its own.

Write order is key before row, purge order row before key: so a crash leaves at worst a key that seals nothing, never a
row that nobody can open.
"""

import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from onewriter.db import keytables
from onewriter.db.bulk import insert_rows
from onewriter.db.engine import Database
from onewriter.errors import KeyDestroyed, KeyMissing, MasterKeyWrong
from onewriter.records import Instant, sortable_id
from onewriter.vault.master import MasterKey
from onewriter.vault.seal import KEY_BYTES, Cipher, ShopKey, SubjectKey

PROOF = b"onewriter"
SUBJECT_BYTES = 2 * KEY_BYTES
SHOP_BYTES = 3 * KEY_BYTES
READ_CHUNK = 500

_masters = keytables.master_keys
_subjects = keytables.subject_keys
_shops = keytables.shop_keys
_days = keytables.day_keys

_SUBJECTS = select(_subjects.c.id, _subjects.c.shop_id, _subjects.c.master_id, _subjects.c.wrapped).where(
    _subjects.c.id.in_(bindparam("ids", expanding=True))
)
_SHOP = select(_shops.c.master_id, _shops.c.wrapped).where(_shops.c.shop_id == bindparam("shop_id"))
_DAY = select(_days.c.master_id, _days.c.wrapped).where(
    _days.c.shop_id == bindparam("shop_id"), _days.c.day == bindparam("day")
)
_DESTROY = (
    update(_subjects)
    .where(_subjects.c.id.in_(bindparam("ids", expanding=True)), _subjects.c.destroyed_at.is_(None))
    .values(wrapped=None, destroyed_at=bindparam("now"))
)
_END_DAYS = (
    update(_days)
    .where(_days.c.day < bindparam("before"), _days.c.destroyed_at.is_(None))
    .values(wrapped=None, destroyed_at=bindparam("now"))
)


class KeyStore:
    """Makes, opens and destroys keys. Each method is a transaction of its own in the key store."""

    def __init__(self, database: Database, masters: Sequence[MasterKey]) -> None:
        self.database = database
        self._masters = {master.id: master for master in masters}
        self.current = masters[0]
        self._lock = threading.Lock()
        self._shop_cache: dict[int, ShopKey] = {}
        self._day_cache: dict[tuple[int, int], Cipher] = {}

    @staticmethod
    def is_new(database: Database) -> bool:
        """True while no master key was ever recorded: only then may one be made up."""
        with database.read() as db:
            return db.execute(select(_masters.c.id).limit(1)).first() is None

    def prove(self, now: Instant) -> None:
        """Make sure that our master keys are those the key store was made with; record the current one if it is new.

        Raises MasterKeyWrong, and changes nothing, when the key store is not empty and none of ours opens it.
        """
        with self.database.read() as db:
            rows = db.execute(select(_masters.c.id, _masters.c.proof)).all()
        known = {row.id for row in rows}
        if rows and not known & self._masters.keys():
            raise MasterKeyWrong(
                "The master key is not the one this key store was made with. Put the right one back; nothing changed."
            )
        for row in rows:
            if row.id in self._masters:
                self._masters[row.id].cipher.open(row.proof, b"master|" + row.id.encode())
        if self.current.id not in known:
            self._record_current(now)

    def _record_current(self, now: Instant) -> None:
        proof = self.current.cipher.seal(PROOF, b"master|" + self.current.id.encode())
        # Another process may prove the same key at the same moment.
        with suppress(IntegrityError), self.database.write() as db:
            db.execute(insert(_masters).values(id=self.current.id, made_at=now, proof=proof))

    def make_subject_keys(self, shop_id: int, count: int, now: Instant) -> list[tuple[bytes, SubjectKey]]:
        """New keys for customers, each with its id, committed before this returns."""
        if not count:
            return []
        secrets = os.urandom(SUBJECT_BYTES * count)
        chance = os.urandom(10 * count)
        made, rows = [], []
        for n in range(count):
            identity = sortable_id(now, chance[10 * n : 10 * n + 10])
            secret = secrets[SUBJECT_BYTES * n : SUBJECT_BYTES * (n + 1)]
            rows.append(
                (identity, shop_id, self.current.id, self.wrap(secret, _subject_name(shop_id, identity)), None)
            )
            made.append((identity, SubjectKey(secret)))
        rows.sort(key=lambda row: row[0])
        made.sort(key=lambda pair: pair[0])
        with self.database.write() as db:
            insert_rows(db, _subjects, rows)
        return made

    def subject_keys(self, ids: Iterable[bytes], *, leave_destroyed: bool = False) -> dict[bytes, SubjectKey]:
        """The keys under these ids. Raises KeyDestroyed or KeyMissing when one is not there to be opened.

        With `leave_destroyed`, keys that were destroyed are left out: for who reads without a lock, and may meet a
        customer that is erased at this moment.
        """
        wanted = list(dict.fromkeys(ids))
        keys: dict[bytes, SubjectKey] = {}
        destroyed = 0
        with self.database.read() as db:
            for start in range(0, len(wanted), READ_CHUNK):
                for row in db.execute(_SUBJECTS, {"ids": wanted[start : start + READ_CHUNK]}):
                    identity = bytes(row.id)
                    if row.wrapped is None and leave_destroyed:
                        destroyed += 1
                        continue
                    keys[identity] = SubjectKey(self.unwrap(row, _subject_name(row.shop_id, identity)))
        if len(keys) + destroyed < len(wanted):
            raise KeyMissing("A customer's key is not in the key store; restore the newest copy of the key store.")
        return keys

    def destroy_subjects(self, ids: Sequence[bytes], now: Instant) -> int:
        """Destroy customers' keys for good; the mark stays that they were. Returns how many were there to destroy.

        The rows that they sealed must be gone already, and committed: a row whose key is destroyed opens for nobody.
        """
        with self.database.write() as db:
            return sum(
                db.execute(_DESTROY, {"ids": ids[start : start + READ_CHUNK], "now": now}).rowcount
                for start in range(0, len(ids), READ_CHUNK)
            )

    def make_shop_key(self, shop_id: int, now: Instant) -> ShopKey:
        """The key of a new shop; the one that is there is kept."""
        with suppress(IntegrityError), self.database.write() as db:
            if db.execute(_SHOP, {"shop_id": shop_id}).first() is None:
                wrapped = self.wrap(os.urandom(SHOP_BYTES), _shop_name(shop_id))
                row = {"shop_id": shop_id, "version": 1, "master_id": self.current.id, "wrapped": wrapped}
                db.execute(insert(_shops), row | {"made_at": now})
        return self.shop_key(shop_id)

    def shop_key(self, shop_id: int) -> ShopKey:
        """The key of a shop, opened once a process."""
        if shop_id not in self._shop_cache:
            with self.database.read() as db:
                row = db.execute(_SHOP, {"shop_id": shop_id}).first()
            if row is None:
                raise KeyMissing("The shop's key is not in the key store; restore the newest copy of the key store.")
            self._shop_cache[shop_id] = ShopKey(self.unwrap(row, _shop_name(shop_id)))
        return self._shop_cache[shop_id]

    def day_key(self, shop_id: int, day: int) -> Cipher:
        """The key of a day that was made before. Raises KeyDestroyed once its time is over."""
        cached = self._day_cache.get((shop_id, day))
        if cached is not None:
            return cached
        with self.database.read() as db:
            row = db.execute(_DAY, {"shop_id": shop_id, "day": day}).first()
        if row is None:
            raise KeyMissing("The key of that day is not in the key store; restore the newest copy of the key store.")
        return self._cache_day(shop_id, day, Cipher(self.unwrap(row, _day_name(shop_id, day))))

    def day_key_for_writing(self, shop_id: int, day: int, now: Instant) -> Cipher:
        """The key that seals what arrives today, made with the day's first delivery."""
        cached = self._day_cache.get((shop_id, day))
        if cached is not None:
            return cached
        # Another process may make it at the same moment; then its key is the one that counts.
        with self._lock, suppress(IntegrityError), self.database.write() as db:
            row: Any = db.execute(_DAY, {"shop_id": shop_id, "day": day}).first()
            if row is None:
                wrapped = self.wrap(os.urandom(KEY_BYTES), _day_name(shop_id, day))
                made = {"shop_id": shop_id, "day": day, "master_id": self.current.id, "wrapped": wrapped}
                db.execute(insert(_days), made | {"made_at": now})
        return self.day_key(shop_id, day)

    def end_days(self, before: int, now: Instant) -> int:
        """Destroy the keys of all days before `before`: what they sealed is gone. Returns how many ended."""
        with self._lock, self.database.write() as db:
            ended = db.execute(_END_DAYS, {"before": before, "now": now}).rowcount
        self._day_cache = {name: key for name, key in self._day_cache.items() if name[1] >= before}
        return ended

    def _cache_day(self, shop_id: int, day: int, key: Cipher) -> Cipher:
        self._day_cache[(shop_id, day)] = key
        return key

    def wrap(self, secret: bytes, name: bytes) -> bytes:
        """A key, sealed by the current master key and bound to its name."""
        return self.current.cipher.seal(secret, name)

    def unwrap(self, row: Any, name: bytes) -> bytes:
        """The key in a row of any table here (`master_id`, `wrapped`); raises KeyDestroyed or MasterKeyWrong."""
        if row.wrapped is None:
            raise KeyDestroyed("That value was destroyed on purpose and cannot be opened any more.")
        master = self._masters.get(row.master_id)
        if master is None:
            raise MasterKeyWrong(
                f"The master key {row.master_id} is missing; add it to the master keys in the settings again."
            )
        return master.cipher.open(bytes(row.wrapped), name)


def _subject_name(shop_id: int, identity: bytes) -> bytes:
    return f"subject|{shop_id}|".encode() + identity


def _shop_name(shop_id: int) -> bytes:
    return f"shop|{shop_id}".encode()


def _day_name(shop_id: int, day: int) -> bytes:
    return f"day|{shop_id}|{day}".encode()
