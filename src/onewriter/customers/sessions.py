"""Sessions: who is logged in, by a cookie of which only the hash is kept.

A session ends after twelve hours without a look at a page, after fourteen days whatever happens, when somebody logs
out, everywhere when they say so, and when their password or their role changes.
"""

from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from onewriter.customers import secrets_given
from onewriter.db.engine import Database
from onewriter.db.webtables import logins, sessions
from onewriter.records import DAY, HOUR, SECOND, Instant

IDLE: Instant = 12 * HOUR
WHOLE: Instant = 14 * DAY
SEEN_EACH: Instant = 300 * SECOND
"""How often it is written down that somebody is there."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is logged in."""

    name: str
    csrf: str
    """What a form that belongs to it must bring along."""
    made_at: Instant
    ends_at: Instant
    shop_id: int | None
    """The shop that they chose to look at."""


def begin(db: Connection, name: str, now: Instant) -> str:
    """Begin a session; what its cookie holds, which nobody can ask for again."""
    cookie = secrets_given.make()
    values = {"hash": secrets_given.hash_of(cookie), "name": name, "made_at": now, "seen_at": now}
    db.execute(insert(sessions).values(**values, ends_at=now + WHOLE))
    return cookie


def resume(database: Database, cookie: str, now: Instant) -> Session | None:
    """The session of a cookie, which goes on; None when there is none, or it has ended."""
    known = secrets_given.hash_of(cookie)
    with database.read() as db:
        # Who can log in no more is not logged in any more either.
        query = select(sessions).join(logins, logins.c.name == sessions.c.name).where(sessions.c.hash == known)
        row = db.execute(query).first()
    if row is None or _is_over(row, now):
        return None
    if now - row.seen_at >= SEEN_EACH:
        with database.write() as db:
            db.execute(update(sessions).where(sessions.c.hash == known).values(seen_at=now))
    return Session(row.name, csrf_of(cookie), row.made_at, row.ends_at, row.shop_id)


def _is_over(row: Row[tuple[object, ...]], now: Instant) -> bool:
    return bool(now >= row.ends_at or now - row.seen_at >= IDLE)


def csrf_of(cookie: str) -> str:
    """What a form of the session must bring along: it follows from the cookie, and the cookie does not from it."""
    return blake2b(b"form", key=secrets_given.hash_of(cookie), person=b"onewriter-csrf", digest_size=24).hexdigest()


def is_csrf(session: Session, given: str) -> bool:
    """True for what a form of that session brings along."""
    return compare_digest(session.csrf.encode(), given.encode())


def choose_shop(db: Connection, cookie: str, shop_id: int) -> None:
    """Look at that shop from now on."""
    db.execute(update(sessions).where(sessions.c.hash == secrets_given.hash_of(cookie)).values(shop_id=shop_id))


def end(db: Connection, cookie: str) -> None:
    """End one session."""
    db.execute(delete(sessions).where(sessions.c.hash == secrets_given.hash_of(cookie)))


def end_every(db: Connection, name: str) -> int:
    """End every session of somebody; how many there were."""
    return db.execute(delete(sessions).where(sessions.c.name == name)).rowcount


def drop_ended(db: Connection, now: Instant) -> int:
    """Drop the sessions that are over."""
    return db.execute(delete(sessions).where(or_(sessions.c.ends_at <= now, sessions.c.seen_at <= now - IDLE))).rowcount
