"""What was answered to writes that brought a key, so that one that is sent again is answered so, and done once.

The answer is sealed by the secret of the token that asked, which is kept nowhere: nobody but that program can have it
again, and after a day it is dropped.
"""

from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from onewriter.db.engine import Database
from onewriter.db.webtables import replies
from onewriter.errors import KeyMissing, Permanent
from onewriter.records import DAY, Instant
from onewriter.vault.seal import Cipher

KEEP: Instant = DAY


class KeyTaken(Permanent):
    """The key goes with another request, or its request is still being answered."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One write with a key: by whom, under which key, and what."""

    caller: str
    key: str
    request: bytes
    """A digest of the request."""
    secret: str
    """Of the token."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was answered."""

    status: int
    body: bytes


def begin(database: Database, asking: Asking, now: Instant) -> Reply | None:
    """None where it is to be done now; what was answered where it was done before.

    Raises KeyTaken where the key goes with another request, or nobody can say what became of this one.
    """
    with database.write() as db:
        db.execute(delete(replies).where(*_of(asking), replies.c.made_at <= now - KEEP))
        try:
            with db.begin_nested():
                values = {"caller": asking.caller, "key": asking.key, "request": asking.request, "made_at": now}
                db.execute(insert(replies).values(**values))
            return None
        except IntegrityError:
            row = db.execute(select(replies).where(*_of(asking))).one()
    if not compare_digest(bytes(row.request), asking.request):
        raise KeyTaken("This Idempotency-Key went with another request; choose a new one for each write.")
    if row.status is None:
        raise KeyTaken(
            "This very request is being answered, or was cut off; look at what it was for before you send it with "
            "another key."
        )
    return Reply(row.status, _opened(asking, bytes(row.box)))


def finish(database: Database, asking: Asking, reply: Reply) -> None:
    """Keep what was answered."""
    box = _cipher(asking).seal(reply.body, asking.request)
    with database.write() as db:
        db.execute(update(replies).where(*_of(asking)).values(status=reply.status, box=box))


def forget(database: Database, asking: Asking) -> None:
    """Drop a write that came to nothing, so that it can be sent again."""
    with database.write() as db:
        db.execute(delete(replies).where(*_of(asking), replies.c.status.is_(None)))


def drop_ended(db: Connection, now: Instant) -> int:
    """Drop what nobody can ask for any more."""
    return db.execute(delete(replies).where(replies.c.made_at <= now - KEEP)).rowcount


def _of(asking: Asking) -> tuple[ColumnElement[bool], ...]:
    return replies.c.caller == asking.caller, replies.c.key == asking.key


def _opened(asking: Asking, box: bytes) -> bytes:
    try:
        return _cipher(asking).open(box, asking.request)
    except KeyMissing:
        raise KeyTaken("This Idempotency-Key went with another token; choose a new one.") from None


def _cipher(asking: Asking) -> Cipher:
    secret = blake2b(b"reply", key=asking.secret.encode()[:64], person=b"onewriter-reply", digest_size=32)
    return Cipher(secret.digest())
