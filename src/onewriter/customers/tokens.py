"""API tokens: programs that may ask, each with a role of its own; only the hash of a token is kept."""

from dataclasses import dataclass

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from onewriter.customers import secrets_given
from onewriter.customers.people import Role
from onewriter.customers.token_names import PREFIX, full_name
from onewriter.db.engine import Database
from onewriter.db.webtables import tokens
from onewriter.errors import BadInput, Unknown
from onewriter.records import DAY, SECOND, Instant

MARK = "ow_"
"""What a token begins with, so that whoever finds one knows what it is."""
DAYS_MAX = 3650
USED_EACH: Instant = 300 * SECOND
"""How often it is written down that a token is in use."""


class UnknownToken(Unknown):
    """There is no such token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret."""

    name: str
    role: Role
    made_by: str
    made_at: Instant
    ends_at: Instant | None
    used_at: Instant | None
    revoked_at: Instant | None

    @property
    def who(self) -> str:
        """As it is recorded everywhere: token:NAME."""
        return PREFIX + self.name

    def lives(self, now: Instant) -> bool:
        """True while it lets somebody in."""
        return self.revoked_at is None and (self.ends_at is None or now < self.ends_at)


def make(db: Connection, name: str, role: Role, made_by: str, now: Instant, days: int | None) -> str:
    """Make a token; its secret, which nobody can ask for again. Raises BadInput for a name that is taken or none."""
    chosen = full_name(name).removeprefix(PREFIX)
    secret = secrets_given.make(MARK)
    ends_at = None if days is None else now + days * DAY
    values = {"name": chosen, "hash": secrets_given.hash_of(secret), "role": role.value, "made_by": made_by}
    try:
        with db.begin_nested():
            db.execute(insert(tokens).values(**values, made_at=now, ends_at=ends_at))
    except IntegrityError:
        told = "A token of that name was made before, and a name is never used twice; choose another."
        raise BadInput(told, "name") from None
    return secret


def resume(database: Database, secret: str, now: Instant) -> Token | None:
    """The token of a secret; None when there is none, or it lives no more."""
    known = secrets_given.hash_of(secret)
    with database.read() as db:
        row = db.execute(select(tokens).where(tokens.c.hash == known)).first()
    if row is None or not (found := _token(row)).lives(now):
        return None
    if found.used_at is None or now - found.used_at >= USED_EACH:
        with database.write() as db:
            db.execute(update(tokens).where(tokens.c.hash == known).values(used_at=now))
    return found


def every(db: Connection) -> list[Token]:
    """Every token that was ever made, by name."""
    return [_token(row) for row in db.execute(select(tokens).order_by(tokens.c.name))]


def revoke(db: Connection, name: str, now: Instant) -> Token:
    """Let nobody in by that token any more; raises UnknownToken. To revoke it again changes nothing."""
    these = tokens.c.name == name.removeprefix(PREFIX)
    db.execute(update(tokens).where(these, tokens.c.revoked_at.is_(None)).values(revoked_at=now))
    row = db.execute(select(tokens).where(these)).first()
    if row is None:
        raise UnknownToken("There is no token of that name; `onewriter tokens list` shows those that there are.")
    return _token(row)


def _token(row: Row[tuple[object, ...]]) -> Token:
    times = (row.made_at, row.ends_at, row.used_at, row.revoked_at)
    return Token(row.name, Role(row.role), row.made_by, *times)
