"""Invitations: one-time links by which somebody chooses a password, and gets the role that an owner gave.

A link is looked at as often as somebody likes, since mail programs do so by themselves; only a chosen password uses it.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from onewriter.customers import logins, people, secrets_given, sessions
from onewriter.customers.people import Role
from onewriter.db.engine import Database
from onewriter.db.turns import take_turns
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
    """Invite somebody; what the link holds. One that the same name had before is void.

    Without a name it is for the first person, who chooses one.
    """
    link = secrets_given.make()
    same = invitations.c.name.is_(None) if name is None else invitations.c.name == name
    db.execute(delete(invitations).where(same, invitations.c.used_at.is_(None)))
    values = {"hash": secrets_given.hash_of(link), "name": name, "role": role.value, "made_by": made_by}
    db.execute(insert(invitations).values(**values, made_at=now, ends_at=now + KEEP))
    return link


def look(db: Connection, link: str, now: Instant) -> Invitation | None:
    """The invitation of a link; None when it was used, is over, or counts no more. To look at it does not use it."""
    these = (invitations.c.hash == secrets_given.hash_of(link), invitations.c.used_at.is_(None))
    row = db.execute(select(invitations).where(*these, invitations.c.ends_at > now)).first()
    found = None if row is None else Invitation(row.name, Role(row.role), row.made_by, row.ends_at)
    return found if found is not None and _counts(db, found) else None


def _counts(db: Connection, invitation: Invitation) -> bool:
    """Whether whoever made it may still give a role. That for the first person counts until somebody can log in."""
    if invitation.name is None and logins.anybody(db):
        return False
    try:
        return people.role_of(db, invitation.made_by).covers(Role.OWNER)
    except Forbidden:  # a token that was revoked
        return False


def accept(database: Database, link: str, name: str, password: str, now: Instant) -> None:
    """Use a link, once: keep the password and give the role; every session that the name had ends.

    Raises Forbidden for a link that counts no more, and BadInput for another's name and for a password that is none.
    """
    password_hash = logins.hash_of(name, password)
    with database.write() as db:
        take_turns(db, "people")
        invited = look(db, link, now)
        if invited is None:
            raise Forbidden(USED)
        if name != (invited.name or name):
            raise BadInput("This link is for somebody else.", "name")
        db.execute(update(invitations).where(invitations.c.hash == secrets_given.hash_of(link)).values(used_at=now))
        people.give(db, invited.made_by, name, invited.role, now)
        logins.set_password(db, name, password_hash, now)
        sessions.end_every(db, name)


def drop_ended(db: Connection, now: Instant) -> int:
    """Drop the invitations that are over."""
    return db.execute(delete(invitations).where(invitations.c.ends_at <= now)).rowcount
