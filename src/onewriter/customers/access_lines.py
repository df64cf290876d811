"""Reading the access log: its lines by who, whom, what and when, and their reasons for those who may see them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from onewriter.customers.access import binding
from onewriter.db.privacytables import access_log
from onewriter.errors import KeyDestroyed, KeyMissing
from onewriter.records import Instant
from onewriter.vault import chain
from onewriter.vault.chain import ACCESS
from onewriter.vault.keystore import KeyStore
from onewriter.vault.seal import Cipher

CHUNK = 1_000
GONE, GONE_WITH_SHOP = "(gone with the customer)", "(gone with the shop)"
SHUT = "(cannot be opened)"

_columns = [column for column in access_log.columns if column.name != "mac"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are asked for; None asks for any."""

    actor: str | None = None
    customer_id: bytes | None = None
    action: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    """Up to, and not at, this moment."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the access log, its reason sealed."""

    position: int
    at: Instant
    shop_id: int | None
    actor: str
    role: str
    action: str
    customer_id: bytes | None
    subject: str | None
    fields: str
    allowed: bool
    key_id: bytes | None
    box: bytes | None


def newest(db: Connection, wanted: Wanted, most: int, behind: int | None = None) -> list[Line]:
    """The newest lines that are asked for, the newest first; of those before a position."""
    query = _matching(wanted).order_by(access_log.c.position.desc()).limit(most)
    if behind is not None:
        query = query.where(access_log.c.position < behind)
    return [_line(row) for row in db.execute(query)]


def every(db: Connection, wanted: Wanted) -> Iterator[list[Line]]:
    """All lines that are asked for, the oldest first, a thousand at a time."""
    query = _matching(wanted).order_by(access_log.c.position).limit(CHUNK)
    behind = 0
    while lines := [_line(row) for row in db.execute(query.where(access_log.c.position > behind))]:
        yield lines
        behind = lines[-1].position


def reasons(keys: KeyStore, lines: Sequence[Line]) -> list[str | None]:
    """The reason of each line, opened; what cannot be opened any more says so."""
    opener = _Opener(keys, lines)
    return [None if line.box is None else opener.opened(line, line.box) for line in lines]


class _Opener:
    """Opens the boxes of some lines, each key asked for once."""

    def __init__(self, keys: KeyStore, lines: Sequence[Line]) -> None:
        self._keys = keys
        sealed = [line for line in lines if line.box is not None]
        self._subjects = _subject_keys(keys, {line.key_id for line in sealed if line.key_id is not None})
        self._chain: Cipher | None = None

    def opened(self, line: Line, box: bytes) -> str:
        """The reason in the box of a line."""
        try:
            cipher = self._cipher(line)
            return GONE if cipher is None else cipher.open(box, binding(line.shop_id, line.position)).decode()
        except KeyDestroyed:
            return GONE_WITH_SHOP
        except KeyMissing:
            return SHUT

    def _cipher(self, line: Line) -> Cipher | None:
        if line.key_id is not None:
            return self._subjects[line.key_id]
        if line.shop_id is not None:
            return self._keys.shop_key(line.shop_id)
        if self._chain is None:
            known = chain.opened(self._keys, ACCESS)
            if known is None:
                raise KeyMissing("The key of the access log is not in the key store; restore the newest copy of it.")
            self._chain = known[0]
        return self._chain


def _subject_keys(keys: KeyStore, ids: set[bytes]) -> dict[bytes, Cipher | None]:
    """The keys under these ids; None for one that is there no more, whether it was destroyed or lost."""
    found: dict[bytes, Cipher | None] = dict.fromkeys(ids)
    try:
        found.update(keys.subject_keys(ids, leave_destroyed=True))
    except KeyMissing:
        # One of them was lost with the key store; the others must still be seen.
        for identity in ids:
            found[identity] = _subject_key(keys, identity)
    return found


def _subject_key(keys: KeyStore, identity: bytes) -> Cipher | None:
    try:
        return keys.subject_keys([identity])[identity]
    except (KeyDestroyed, KeyMissing):
        return None


def _matching(wanted: Wanted) -> Select[Any]:
    query = select(*_columns)
    for column, value in (
        (access_log.c.actor, wanted.actor),
        (access_log.c.customer_id, wanted.customer_id),
        (access_log.c.action, wanted.action),
    ):
        query = query if value is None else query.where(column == value)
    if wanted.since is not None:
        query = query.where(access_log.c.at >= wanted.since)
    return query if wanted.until is None else query.where(access_log.c.at < wanted.until)


def _line(row: Any) -> Line:
    values = dict(row._mapping)
    for name in ("customer_id", "key_id", "box"):
        values[name] = None if values[name] is None else bytes(values[name])
    return Line(**values)
