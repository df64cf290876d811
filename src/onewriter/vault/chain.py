"""A chain over the lines of a log: each line's MAC covers the line before, by a key that is only in the key store.

So whoever has the main database alone can change, remove or add lines, but never make the chain fit again. The end of
the log stands in the key store too, its head, so that lines cut off at the end are missed. The head may lag behind the
log, by as many lines as processes died between the two databases: it is no proof of more than it says.
"""

import hashlib
import hmac
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from onewriter.db.keytables import log_heads
from onewriter.records import Instant
from onewriter.vault.keystore import KeyStore
from onewriter.vault.seal import KEY_BYTES, Cipher

ACCESS = "access"
NOTHING = bytes(32)
"""What the first line is chained to."""

_encode = msgspec.msgpack.Encoder().encode
_HEAD = select(log_heads.c.master_id, log_heads.c.wrapped, log_heads.c.position, log_heads.c.mac).where(
    log_heads.c.log == bindparam("name")
)
_MOVE = update(log_heads).where(log_heads.c.log == bindparam("name"))
_MOVE = _MOVE.values(position=bindparam("new_position"), mac=bindparam("new_mac"))
_MOVE_UP = _MOVE.where(log_heads.c.position < bindparam("new_position"))


class ChainKey(Cipher):
    """The key of a log: makes the MACs of its lines, and seals what belongs to no shop and to no customer."""

    __slots__ = ("_mac_key",)

    def __init__(self, secret: bytes) -> None:
        super().__init__(secret[:KEY_BYTES])
        self._mac_key = secret[KEY_BYTES:]

    def mac(self, values: Sequence[Any], previous: bytes) -> bytes:
        """The MAC of a line, which is all its values in their order, and of the MAC of the line before."""
        return hmac.digest(self._mac_key, _encode(values) + previous, hashlib.sha256)


@dataclass(frozen=True, slots=True)
class Head:
    """The newest line that is known to be written; position 0 before the first."""

    position: int
    mac: bytes


def key_name(log: str) -> bytes:
    """What the wrapped key of a log is bound to; who wraps it anew must name it the same."""
    return f"log|{log}".encode()


def opened(keys: KeyStore, log: str) -> tuple[ChainKey, Head] | None:
    """The key and the head of a log; None before its first line."""
    with keys.database.read() as db:
        row = db.execute(_HEAD, {"name": log}).first()
    return None if row is None else (ChainKey(keys.unwrap(row, key_name(log))), Head(row.position, bytes(row.mac)))


def opened_for_writing(keys: KeyStore, log: str, now: Instant) -> tuple[ChainKey, Head]:
    """The key and the head of a log; they are made for its first line."""
    known = opened(keys, log)
    while known is None:
        # Another process may make it at the same moment; then its key is the one that counts.
        with suppress(IntegrityError), keys.database.write() as db:
            master = keys.hold(db, now)
            wrapped = master.wrap(os.urandom(2 * KEY_BYTES), key_name(log))
            row = {"log": log, "master_id": master.id, "wrapped": wrapped, "position": 0, "mac": NOTHING}
            db.execute(insert(log_heads).values(**row))
        known = opened(keys, log)
    return known


def move_up(keys: KeyStore, log: str, head: Head) -> None:
    """Record how far the log is written; a head that is further already stays."""
    _execute(keys, _MOVE_UP, log, head)


def move(keys: KeyStore, log: str, head: Head) -> None:
    """Record how far the log is written, even if that is less than before: for a log that came out of a backup."""
    _execute(keys, _MOVE, log, head)


def _execute(keys: KeyStore, statement: Any, log: str, head: Head) -> None:
    with keys.database.write() as db:
        db.execute(statement, {"name": log, "new_position": head.position, "new_mac": head.mac})
