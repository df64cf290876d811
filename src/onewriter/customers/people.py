"""People: who may see what and change what here, by one name each, whether they give a command or log in to a page.

Roles guard against mistakes and make misuse visible. They are no wall: whoever can read the master key and both
databases can open everything without asking us, so the files and the commands are guarded by the operating system.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, func, insert, select, update

from onewriter.customers import token_names
from onewriter.db.privacytables import people
from onewriter.db.turns import take_turns
from onewriter.db.webtables import invitations, logins, sessions, tokens
from onewriter.errors import Forbidden, Unknown
from onewriter.records import Instant

PREFIX = "user:"
NAME_MAX = 64


class UnknownPerson(Unknown):
    """Nobody of that name has a role."""


class Role(StrEnum):
    """What somebody may do; each may do what those after it may."""

    OWNER = "owner"
    STAFF = "staff"
    VIEWER = "viewer"

    def covers(self, needed: "Role") -> bool:
        """True when this role may do what needs that one."""
        ranks = list(Role)
        return ranks.index(self) <= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a role."""

    name: str
    """As it is recorded everywhere: user:NAME."""
    role: Role
    since: Instant
    set_by: str


def role_of(db: Connection, actor: str) -> Role:
    """The role of an actor: who is not listed is a viewer, and an owner as long as nobody is listed at all.

    A program has the role of its token; raises Forbidden for a token that lets nobody in any more.
    """
    if actor.startswith(token_names.PREFIX):
        return _role_of_token(db, actor.removeprefix(token_names.PREFIX))
    role = db.execute(select(people.c.role).where(people.c.name == actor)).scalar()
    if role is not None:
        return Role(role)
    return Role.VIEWER if _anybody(db) else Role.OWNER


def _role_of_token(db: Connection, name: str) -> Role:
    role = db.execute(select(tokens.c.role).where(tokens.c.name == name, tokens.c.revoked_at.is_(None))).scalar()
    if role is None:
        raise Forbidden("This token lets nobody in any more; an owner makes another by `onewriter tokens create`.")
    return Role(role)


def every(db: Connection) -> list[Person]:
    """Everybody with a role, by name."""
    rows = db.execute(select(people.c.name, people.c.role, people.c.since, people.c.set_by).order_by(people.c.name))
    return [Person(row.name, Role(row.role), row.since, row.set_by) for row in rows]


def full_name(given: str) -> str:
    """The name as it is recorded, of a name that somebody typed; raises ValueError for what can be none."""
    name = given.strip().removeprefix(PREFIX)
    if not 0 < len(name) <= NAME_MAX or not name.isprintable() or any(letter.isspace() for letter in name):
        raise ValueError(f"give the name of an operating-system user: 1 to {NAME_MAX} letters without a space")
    return PREFIX + name


def give(db: Connection, actor: str, name: str, role: Role, now: Instant) -> None:
    """Give somebody a role, in place of the one they have.

    With the first person, whoever gives the command becomes an owner too; else nobody could give the second role. A
    link that they have not used yet is void: it would give them another one.
    """
    take_turns(db, "people")
    if not _anybody(db) and name != actor:
        db.execute(insert(people).values(name=actor, role=Role.OWNER.value, since=now, set_by=actor))
    if role is not Role.OWNER:
        _keep_an_owner(db, name)
    values = {"role": role.value, "since": now, "set_by": actor}
    if db.execute(update(people).where(people.c.name == name).values(**values)).rowcount == 0:
        db.execute(insert(people).values(name=name, **values))
    _void_links(db, name)


def remove(db: Connection, name: str) -> None:
    """Take somebody's role away: they are a viewer from then on, are logged out everywhere, and log in no more."""
    take_turns(db, "people")
    if db.execute(select(people.c.name).where(people.c.name == name)).first() is None:
        raise UnknownPerson("Nobody of that name has a role; `onewriter people list` shows who has one.")
    _keep_an_owner(db, name)
    for each in (people, sessions, logins):
        db.execute(delete(each).where(each.c.name == name))
    _void_links(db, name)


def _void_links(db: Connection, name: str) -> None:
    db.execute(delete(invitations).where(invitations.c.name == name, invitations.c.used_at.is_(None)))


def _keep_an_owner(db: Connection, leaving: str) -> None:
    others = select(func.count()).select_from(people)
    if not db.execute(others.where(people.c.role == Role.OWNER.value, people.c.name != leaving)).scalar_one():
        raise Forbidden("There must be an owner: make somebody else one first, with `onewriter people set NAME owner`.")


def _anybody(db: Connection) -> bool:
    return db.execute(select(people.c.name).limit(1)).first() is not None
