"""Proving the access log: every line is there, in its place, and says what it said when it was written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

from sqlalchemy import Connection, bindparam, select

from onewriter.customers.access import RESTORED, end_after_restore
from onewriter.db.engine import Database
from onewriter.db.privacytables import access_log
from onewriter.errors import KeyMissing
from onewriter.vault import chain
from onewriter.vault.chain import ACCESS, ChainKey, Head
from onewriter.vault.keystore import KeyStore

CHUNK = 1_000
CHANGED, MISSING, INSERTED, CUT_OFF = "changed", "missing", "inserted", "cut off at the end"

_columns = [column for column in access_log.columns if column.name != "mac"]
_FIRST = select(*_columns, access_log.c.mac).order_by(access_log.c.position).limit(CHUNK)
_LINES = _FIRST.where(access_log.c.position > bindparam("behind"))


@dataclass(frozen=True, slots=True)
class Restored:
    """A place where the log came out of a backup of the main database: what was written after the backup is gone."""

    position: int
    subject: str


@dataclass(slots=True)
class Proof:
    """What came of proving the log."""

    lines: int = 0
    """How many were proved."""
    wrong_at: int | None = None
    """The first position that is wrong; None when all is well."""
    how: str | None = None
    restored: list[Restored] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Line:
    values: tuple[Any, ...]
    mac: bytes

    @property
    def position(self) -> int:
        # SQLite keeps whatever somebody put there.
        position = self.values[0]
        return position if isinstance(position, int) else 0

    def fits(self, key: ChainKey, previous: bytes, *, at: int | None = None) -> bool:
        """True when the line is chained to the one before, at its own place or at another."""
        values = self.values if at is None else (at, *self.values[1:])
        return compare_digest(key.mac(values, previous), self.mac)


def prove(database: Database, keys: KeyStore) -> Proof:
    """Walk the whole log, a thousand lines in memory at a time, up to the first that is wrong."""
    # The head first: what is written after it is looked at too, and no harm.
    known = chain.opened(keys, ACCESS)
    proof = Proof()
    previous = Head(0, chain.NOTHING)
    with database.snapshot() as db:
        if known is None:
            return _without_key(db, proof)
        key, head = known
        # A process may have died in a restore before the head had followed.
        head = end_after_restore(db, key, head) or head
        for line, after in _pairs(db):
            proof.how = _wrong(key, head, previous, line, after)
            if proof.how is not None:
                proof.wrong_at = previous.position + 1
                return proof
            proof.lines += 1
            previous = Head(line.position, line.mac)
            if line.values[_ACTION] == RESTORED:
                proof.restored.append(Restored(line.position, line.values[_SUBJECT]))
    if previous.position < head.position:
        proof.wrong_at, proof.how = previous.position + 1, CUT_OFF
    return proof


def _without_key(db: Connection, proof: Proof) -> Proof:
    if next(_every(db), None) is not None:
        raise KeyMissing("The key of the access log is not in the key store; restore the newest copy of the key store.")
    return proof


_names = [column.name for column in _columns]
_ACTION, _SUBJECT = _names.index("action"), _names.index("subject")


def _wrong(key: ChainKey, head: Head, previous: Head, line: _Line, after: "_Line | None") -> str | None:
    """How the line is wrong; None when it stands where it was written, as it was written."""
    place = previous.position + 1
    if line.position > place:
        return MISSING
    if not line.fits(key, previous.mac):
        if after is not None and after.fits(key, previous.mac, at=place):
            return INSERTED
        if after is not None and after.fits(key, line.mac, at=after.position + 1):
            return MISSING
        return INSERTED if place > head.position else CHANGED
    return CHANGED if place == head.position and not compare_digest(line.mac, head.mac) else None


def _pairs(db: Connection) -> Iterator[tuple[_Line, _Line | None]]:
    """Every line with the one after it."""
    before: _Line | None = None
    for line in _every(db):
        if before is not None:
            yield before, line
        before = line
    if before is not None:
        yield before, None


def _every(db: Connection) -> Iterator[_Line]:
    # No line has a position below 1, but one that somebody put there must be seen too, however low it is.
    rows = db.execute(_FIRST).all()
    while rows:
        yield from (_Line(tuple(row[:-1]), bytes(row[-1])) for row in rows)
        rows = db.execute(_LINES, {"behind": rows[-1][0]}).all()
