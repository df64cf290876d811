"""The key store: every key that seals personal data, wrapped by a master key, in a database of its own.

Write order is key before row, purge order row before key: so a crash leaves at worst a key that seals nothing, never a
row that nobody can open.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError

from onewriter.db import keytables
from onewriter.db.bulk import insert_rows
from onewriter.db.engine import Database
from onewriter.errors import KeyDestroyed, KeyMissing, MasterKeyWrong
from onewriter.records import Instant, iso, sortable_id
from onewriter.vault.master import MasterKey, MasterKeys
from onewriter.vault.seal import KEY_BYTES, Cipher, ShopKey, SubjectKey

PROOF = b"onewriter"
SUBJECT_BYTES = 2 * KEY_BYTES
SHOP_BYTES = 3 * KEY_BYTES
READ_CHUNK = 500
SHOP_FRESH_S = 2.0

_masters = keytables.master_keys
_subjects = keytables.subject_keys
_shops = keytables.shop_keys
_days = keytables.day_keys
_erased = keytables.erased_ids

# Locked where rows can be: nobody retires a master key between this look and what is wrapped with it.
_HOLD = select(_masters.c.id, _masters.c.retired_at).order_by(_masters.c.id).with_for_update(read=True)
_SUBJECTS = select(_subjects.c.id, _subjects.c.shop_id, _subjects.c.master_id, _subjects.c.wrapped).where(
    _subjects.c.id.in_(bindparam("ids", expanding=True))
)
_SHOP = (
    select(_shops.c.version, _shops.c.master_id, _shops.c.wrapped)
    .where(_shops.c.shop_id == bindparam("shop_id"))
    .order_by(_shops.c.version.desc())
    .limit(1)
)
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

    def __init__(
        self,
        database: Database,
        masters: Sequence[MasterKey],
        source: Callable[[], Sequence[MasterKey]] | None = None,
    ) -> None:
        """`source` gives the master keys as they are by then, when one is met that was added since."""
        self.database = database
        self.masters = MasterKeys(masters, source)
        self._lock = threading.Lock()
        self._shop_cache: dict[int, tuple[int, ShopKey, float]] = {}
        self._day_cache: dict[tuple[int, int], Cipher] = {}

    @property
    def current(self) -> MasterKey:
        """The master key that new keys are wrapped with, unless another has replaced it: see `hold`."""
        return self.masters.current

    @staticmethod
    def is_new(database: Database) -> bool:
        """True while no master key was ever recorded: only then may one be made up."""
        with database.read() as db:
            return db.execute(select(_masters.c.id).limit(1)).first() is None

    def prove(self, now: Instant) -> None:
        """Make sure that our master keys are those the key store was made with; record the current one if it is new.

        Raises MasterKeyWrong, and changes nothing, when the key store is not empty and none of ours opens it, or when
        our current one was retired.
        """
        with self.database.read() as db:
            rows = db.execute(select(_masters.c.id, _masters.c.proof, _masters.c.retired_at)).all()
        known = {row.id: row.retired_at for row in rows}
        ours = self.masters.ids
        if rows and not known.keys() & ours:
            raise MasterKeyWrong(
                "The master key is not the one this key store was made with. Put the right one back; nothing changed."
            )
        for row in rows:
            if row.id in ours and (master := self.masters.find(row.id)) is not None:
                master.cipher.open(row.proof, _proof_name(row.id))
        current = self.current
        _refuse_retired(current, known.get(current.id))
        if current.id not in known:
            with self.database.write() as db:
                _record(db, current, now)

    def hold(self, db: Connection, now: Instant) -> MasterKey:
        """The master key to wrap keys with in this transaction of the key store; nobody retires it until that ends.

        The settings are read again where the key store knows of a newer one. Raises MasterKeyWrong when ours was
        retired and the settings still name no other: what it wrapped now, nobody might open later.
        """
        known = {row.id: row.retired_at for row in db.execute(_HOLD)}
        in_use = {master_id for master_id, retired_at in known.items() if retired_at is None}
        if in_use - self.masters.ids or known.get(self.current.id) is not None:
            # Settings that cannot be read at this moment keep nobody from working with the key that is here.
            with suppress(MasterKeyWrong):
                self.masters.read_again()
        current = self.current
        _refuse_retired(current, known.get(current.id))
        if current.id not in known:
            _record(db, current, now)
        return current

    def hold_this(self, db: Connection, master: MasterKey) -> None:
        """The same of one master key that was chosen before; raises MasterKeyWrong when it was retired since."""
        _refuse_retired(master, {row.id: row.retired_at for row in db.execute(_HOLD)}.get(master.id))

    def make_subject_keys(self, shop_id: int, count: int, now: Instant) -> list[tuple[bytes, SubjectKey]]:
        """New keys for customers, each with its id, committed before this returns."""
        if not count:
            return []
        secrets = os.urandom(SUBJECT_BYTES * count)
        chance = os.urandom(10 * count)
        made = []
        for n in range(count):
            identity = sortable_id(now, chance[10 * n : 10 * n + 10])
            made.append((identity, secrets[SUBJECT_BYTES * n : SUBJECT_BYTES * (n + 1)]))
        made.sort()
        with self.database.write() as db:
            master = self.hold(db, now)
            rows = [
                (identity, shop_id, master.id, master.wrap(secret, subject_name(shop_id, identity)), None)
                for identity, secret in made
            ]
            insert_rows(db, _subjects, rows)
        return [(identity, SubjectKey(secret)) for identity, secret in made]

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
                    keys[identity] = SubjectKey(self.unwrap(row, subject_name(row.shop_id, identity)))
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

    def remember_erased(self, shop_id: int, hashes: Sequence[bytes], now: Instant) -> None:
        """Write down who was erased, by the keyed hash of the id: the main database may be restored from a backup."""
        # Several may end the same erasure at once; in one order, so that none waits for another.
        add = (sqlite_insert if self.database.is_sqlite else postgres_insert)(_erased).on_conflict_do_nothing()
        rows = [{"shop_id": shop_id, "id_hash": name, "erased_at": now} for name in sorted(set(hashes))]
        if rows:
            with self.database.write() as db:
                db.execute(add, rows)

    def make_shop_key(self, shop_id: int, now: Instant) -> ShopKey:
        """The key of a new shop, or of one that was erased; the one that is there is kept."""
        with suppress(IntegrityError), self.database.write() as db:
            known = db.execute(_SHOP, {"shop_id": shop_id}).first()
            if known is None or known.wrapped is None:
                version = 1 if known is None else known.version + 1
                # The days of an erased shop are over: what arrives from now on is sealed with keys of its own.
                db.execute(delete(_days).where(_days.c.shop_id == shop_id, _days.c.wrapped.is_(None)))
                master = self.hold(db, now)
                wrapped = master.wrap(os.urandom(SHOP_BYTES), shop_name(shop_id))
                row = {"shop_id": shop_id, "version": version, "master_id": master.id, "wrapped": wrapped}
                db.execute(insert(_shops), row | {"made_at": now})
                self.forget_shop(shop_id)
        return self.shop_key(shop_id)

    def shop_key(self, shop_id: int) -> ShopKey:
        """The newest key of a shop, the same object for as long as it is; raises KeyDestroyed for an erased shop's.

        Another process may erase the shop, and connect it again, so that it is looked at every two seconds.
        """
        known = self._shop_cache.get(shop_id)
        if known is not None and time.monotonic() < known[2]:
            return known[1]
        with self.database.read() as db:
            row = db.execute(_SHOP, {"shop_id": shop_id}).first()
        if row is None:
            raise KeyMissing("The shop's key is not in the key store; restore the newest copy of the key store.")
        if known is None or known[0] != row.version or row.wrapped is None:
            self.forget_shop(shop_id)
            key = ShopKey(self.unwrap(row, shop_name(shop_id)))
        else:
            key = known[1]
        self._shop_cache[shop_id] = (row.version, key, time.monotonic() + SHOP_FRESH_S)
        return key

    def forget_shop(self, shop_id: int) -> None:
        """Forget the keys of a shop that are open here, as they were destroyed."""
        self._shop_cache.pop(shop_id, None)
        self._day_cache = {name: key for name, key in self._day_cache.items() if name[0] != shop_id}

    def day_key(self, shop_id: int, day: int) -> Cipher:
        """The key of a day that was made before. Raises KeyDestroyed once its time is over."""
        cached = self._day_cache.get((shop_id, day))
        if cached is not None:
            return cached
        with self.database.read() as db:
            row = db.execute(_DAY, {"shop_id": shop_id, "day": day}).first()
        if row is None:
            raise KeyMissing("The key of that day is not in the key store; restore the newest copy of the key store.")
        return self._cache_day(shop_id, day, Cipher(self.unwrap(row, day_name(shop_id, day))))

    def day_key_for_writing(self, shop_id: int, day: int, now: Instant) -> Cipher:
        """The key that seals what arrives today, made with the day's first delivery."""
        cached = self._day_cache.get((shop_id, day))
        if cached is not None:
            return cached
        # Another process may make it at the same moment; then its key is the one that counts.
        with self._lock, suppress(IntegrityError), self.database.write() as db:
            row: Any = db.execute(_DAY, {"shop_id": shop_id, "day": day}).first()
            if row is None:
                master = self.hold(db, now)
                wrapped = master.wrap(os.urandom(KEY_BYTES), day_name(shop_id, day))
                made = {"shop_id": shop_id, "day": day, "master_id": master.id, "wrapped": wrapped}
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

    def unwrap(self, row: Any, name: bytes) -> bytes:
        """The key in a row of any table here (`master_id`, `wrapped`); raises KeyDestroyed or MasterKeyWrong."""
        if row.wrapped is None:
            raise KeyDestroyed("That value was destroyed on purpose and cannot be opened any more.")
        return self.master(row.master_id).cipher.open(bytes(row.wrapped), name)

    def master(self, master_id: str) -> MasterKey:
        """That master key, which is looked for in the settings again where it is not here; raises MasterKeyWrong."""
        master = self.masters.find(master_id)
        if master is None:
            raise MasterKeyWrong(
                f"The master key {master_id} is missing; add it to the master keys in the settings again."
            )
        return master


def _proof_name(master_id: str) -> bytes:
    return b"master|" + master_id.encode()


def _record(db: Connection, master: MasterKey, now: Instant) -> None:
    """Write a master key down, with what proves it later; another process may do so at the same moment."""
    proof = master.cipher.seal(PROOF, _proof_name(master.id))
    with suppress(IntegrityError), db.begin_nested():
        db.execute(insert(_masters).values(id=master.id, made_at=now, proof=proof))


def _refuse_retired(master: MasterKey, retired_at: Instant | None) -> None:
    if retired_at is not None:
        raise MasterKeyWrong(
            f"The first master key in the settings ({master.id}) was replaced at {iso(retired_at)}; put the newer one "
            "first and start this process again. Nothing changed."
        )


def subject_name(shop_id: int, identity: bytes) -> bytes:
    """What a customer's key is bound to."""
    return f"subject|{shop_id}|".encode() + identity


def shop_name(shop_id: int) -> bytes:
    """What a shop's key is bound to."""
    return f"shop|{shop_id}".encode()


def day_name(shop_id: int, day: int) -> bytes:
    """What the key of a day is bound to."""
    return f"day|{shop_id}|{day}".encode()
