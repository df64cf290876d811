"""The keys of the index that customers are searched by: one a shop and version, so that it can be replaced.

A token says only whether two values of a shop are equal. The first version is a part of the shop's own key and lives as
long as that; each later one is a key of its own in the key store, destroyed once no token is left that it made.
"""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from onewriter.db import keytables
from onewriter.errors import KeyMissing
from onewriter.records import Instant
from onewriter.rules.names import joined, keys_of, words_in
from onewriter.vault.keystore import KeyStore
from onewriter.vault.seal import KEY_BYTES, TOKEN_BYTES, ShopKey

FIRST = 1
"""The version whose key is a part of the shop's."""
NAME_BYTES = 8
NAMES_KEPT = 50_000
"""Names whose tokens a key remembers: most customers share theirs with others."""

_keys = keytables.index_keys
_THIS = (_keys.c.shop_id == bindparam("shop_id"), _keys.c.version == bindparam("version"))
_KEY = select(_keys.c.master_id, _keys.c.wrapped).where(*_THIS)
_VERSIONS = select(_keys.c.version, _keys.c.destroyed_at).where(_keys.c.shop_id == bindparam("shop_id"))
_DESTROY = (
    update(_keys)
    .where(
        _keys.c.shop_id == bindparam("b_shop_id"),
        _keys.c.version < bindparam("b_before"),
        _keys.c.destroyed_at.is_(None),
    )
    .values(wrapped=None, destroyed_at=bindparam("b_now"))
)


class IndexKey:
    """One version of a shop's key for tokens. Its `repr` shows nothing of the key."""

    __slots__ = ("_known", "_secret", "version")

    def __init__(self, version: int, secret: bytes) -> None:
        self.version = version
        self._secret = secret
        self._known: dict[str, tuple[int, ...]] = {}

    def token(self, kind: str, canonical: str) -> bytes:
        """The blind index of a canonical email address or phone number."""
        return self._hashed(kind, canonical, TOKEN_BYTES)

    def name_token(self, key: str) -> int:
        """The blind index of a key of a name, as a number that both databases hold in eight bytes."""
        return int.from_bytes(self._hashed("name", key, NAME_BYTES), signed=True)

    def name_tokens(self, first: str | None, last: str | None) -> list[int]:
        """The blind indexes that a customer of that name is found by, in order."""
        found = {*self._known.get(first or "", ()), *self._known.get(last or "", ())}
        for name in (first, last):
            if name and name not in self._known:
                found.update(self._remember(name))
        together = joined(first, last)
        if together is not None:
            found.update(map(self.name_token, keys_of((together,))))
        return sorted(found)

    def _remember(self, name: str) -> tuple[int, ...]:
        if len(self._known) >= NAMES_KEPT:
            self._known.clear()
        made = self._known[name] = tuple(map(self.name_token, keys_of(words_in(name))))
        return made

    def _hashed(self, kind: str, text: str, size: int) -> bytes:
        return hashlib.blake2b(text.encode(), digest_size=size, key=self._secret, person=kind.encode()[:16]).digest()


class IndexKeys:
    """The index keys of one shop, by version, each opened once."""

    def __init__(self, keys: KeyStore, shop_id: int, shop_key: ShopKey) -> None:
        self._keys, self._shop_id = keys, shop_id
        self._opened = {FIRST: IndexKey(FIRST, shop_key.first_index_secret)}

    def of(self, version: int) -> IndexKey:
        """The key of that version; raises KeyMissing or KeyDestroyed."""
        known = self._opened.get(version)
        if known is not None:
            return known
        with self._keys.database.read() as db:
            row: Any = db.execute(_KEY, {"shop_id": self._shop_id, "version": version}).first()
        if row is None:
            raise KeyMissing("The key of the index is not in the key store; restore the newest copy of the key store.")
        key = self._opened[version] = IndexKey(version, self._keys.unwrap(row, key_name(self._shop_id, version)))
        return key

    def live(self, most: int) -> list[IndexKey]:
        """The keys up to that version that are not destroyed, the oldest first: any of them may have made a token."""
        with self._keys.database.read() as db:
            there = [version for version, destroyed in self._versions(db) if destroyed is None and version <= most]
        return [self.of(version) for version in (FIRST, *sorted(there))]

    def make_next(self, version: int, now: Instant) -> int:
        """Make a key for a version after that one, committed before this returns; the version that it is of.

        One that was made before and is not destroyed is taken: whoever made it never came to use it.
        """
        while True:
            # Another process may make it at the same moment; then its key is the one that counts.
            with suppress(IntegrityError), self._keys.database.write() as db:
                known = dict(self._versions(db))
                unused = [each for each, destroyed in known.items() if each > version and destroyed is None]
                return min(unused) if unused else self._make(db, max(version, FIRST, *known) + 1, now)

    def _make(self, db: Connection, version: int, now: Instant) -> int:
        master = self._keys.hold(db, now)
        wrapped = master.wrap(os.urandom(KEY_BYTES), key_name(self._shop_id, version))
        row = {"shop_id": self._shop_id, "version": version, "master_id": master.id, "wrapped": wrapped}
        db.execute(insert(_keys), row | {"made_at": now})
        return version

    def destroy_before(self, version: int, now: Instant) -> int:
        """Destroy the keys of all versions before that one, for good; returns how many there were to destroy.

        No token that they made may be left. The first version stays, as a part of the shop's key: it opens nothing.
        """
        with self._keys.database.write() as db:
            return db.execute(_DESTROY, {"b_shop_id": self._shop_id, "b_before": version, "b_now": now}).rowcount

    def _versions(self, db: Connection) -> Iterable[tuple[int, Instant | None]]:
        return [(row.version, row.destroyed_at) for row in db.execute(_VERSIONS, {"shop_id": self._shop_id})]


def key_name(shop_id: int, version: int) -> bytes:
    """What the wrapped key of an index is bound to; who wraps it anew must name it the same."""
    return f"index|{shop_id}|{version}".encode()
