"""Invitations: one-time links by which somebody chooses a password, and gets the role that an owner gave.

A link is looked at as often as somebody likes, since mail programs do so by themselves; only a chosen password uses it.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from onewriter.customers import logins, people, secrets_given, sessions
from onewriter.customers.people import Role
from onewriter.db.engine import Database
from onewriter.db.webtables import invitations
from onewriter.errors import BadInput, Forbidden
from onewriter.records import DAY, Instant

KEEP: Instant = DAY
USED = "This link was used or has ended; an owner makes another by `onewriter people invite NAME ROLE`, or in Settings."


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that can be used still."""

    name: str | None
    """None where whoever opens the link chooses a name."""
    role: Role
    made_by: str
    ends_at: Instant


def make(db: Connection, name: str | None, role: Role, made_by: str, now: Instant) -> str:
    """Invite somebody; what the link holds. One that the same name had before is void."""
    link = secrets_given.make()
    same = invitations.c.name.is_(None) if name is None else invitations.c.name == name
    db.execute(delete(invitations).where(same, invitations.c.used_at.is_(None)))
    values = {"hash": secrets_given.hash_of(link), "name": name, "role": role.value, "made_by": made_by}
    db.execute(insert(invitations).values(**values, made_at=now, ends_at=now + KEEP))
    return link


def look(db: Connection, link: str, now: Instant) -> Invitation | None:
    """The invitation of a link; None when it was used or is over. To look at it does not use it."""
    these = (invitations.c.hash == secrets_given.hash_of(link), invitations.c.used_at.is_(None))
    row = db.execute(select(invitations).where(*these, invitations.c.ends_at > now)).first()
    return None if row is None else Invitation(row.name, Role(row.role), row.made_by, row.ends_at)


def accept(database: Database, link: str, name: str, password: str, now: Instant) -> None:
    """Use a link, once: keep the password and give the role; every session that the name had ends.

    Raises Forbidden for a link that was used meanwhile, BadInput for a name that is taken and a password that is none.
    """
    password_hash = logins.hash_of(name, password)
    with database.write() as db:
        invited = look(db, link, now)
        these = (invitations.c.hash == secrets_given.hash_of(link), invitations.c.used_at.is_(None))
        if invited is None or db.execute(update(invitations).where(*these).values(used_at=now)).rowcount != 1:
            raise Forbidden(USED)
        if invited.name is None and logins.anybody(db):
            # The first link is for the first person: once somebody is in, they invite the others.
            raise Forbidden(USED)
        if name != (invited.name or name):
            raise BadInput("This link is for somebody else.", "name")
        people.give(db, invited.made_by, name, invited.role, now)
        logins.set_password(db, name, password_hash, now)
        sessions.end_every(db, name)


def drop_ended(db: Connection, now: Instant) -> int:
    """Drop the invitations that are over."""
    return db.execute(delete(invitations).where(invitations.c.ends_at <= now)).rowcount
