"""Passwords of people who log in: set, and checked without a word of what was wrong.

A password is kept as its argon2id hash (RFC 9106). After five failures in a row each try must wait, at most a minute:
guessing becomes hopeless, and nobody is locked out of their own account by somebody else for longer than that.
"""

from dataclasses import dataclass
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, func, insert, select, update

from onewriter.customers.people import PREFIX
from onewriter.db.engine import Database
from onewriter.db.webtables import logins
from onewriter.errors import BadInput
from onewriter.records import SECOND, Instant

LENGTH_MIN, LENGTH_MAX = 12, 256
"""Letters of a password: length is what counts (NIST SP 800-63B, 3.1.1.2), so nothing else is asked of it."""
FREE_FAILURES = 5
WAIT_MAX_S = 60
COMMON = frozenset(
    ("password1234", "passwordpassword", "123456789012", "1234567890123", "qwertyuiop123", "onewriteronewriter")
)

_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password is somebody's."""

    ok: bool
    wait_s: int = 0
    """Seconds until another try is looked at; 0 when this one was."""


def anybody(db: Connection) -> bool:
    """True once somebody can log in."""
    return bool(db.execute(select(func.count()).select_from(logins)).scalar_one())


def hash_of(name: str, password: str) -> str:
    """The hash to keep of a password; raises BadInput for one that is too short, too long or the first to be guessed.

    It takes a twentieth of a second on purpose, so no transaction may be open.
    """
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise BadInput(
            f"A password has {LENGTH_MIN} to {LENGTH_MAX} letters; several words make a good one.", "password"
        )
    folded = password.casefold()
    if folded in COMMON or folded.replace(name.removeprefix(PREFIX).casefold(), "") == "" or len(set(folded)) < 4:
        raise BadInput("That password is one of the first that somebody would guess; choose another.", "password")
    return _hasher.hash(password)


def set_password(db: Connection, name: str, password_hash: str, now: Instant) -> None:
    """Keep the hash of somebody's password in place of the one before."""
    db.execute(delete(logins).where(logins.c.name == name))
    db.execute(insert(logins).values(name=name, password_hash=password_hash, set_at=now, failures=0, failed_at=None))


def remove(db: Connection, name: str) -> None:
    """Let somebody log in no more."""
    db.execute(delete(logins).where(logins.c.name == name))


def check(database: Database, name: str, password: str, now: Instant) -> Checked:
    """Whether that is the password of that name. It takes as long for a name that nobody has."""
    with database.read() as db:
        row = db.execute(select(logins).where(logins.c.name == name)).first()
    wait_s = 0 if row is None else _wait_s(row.failures, row.failed_at, now)
    if wait_s:
        return Checked(False, wait_s)
    ok = _verify(_nobodys() if row is None else row.password_hash, password) and row is not None
    if row is not None:
        _write_down(database, name, row.password_hash, password, now, ok=ok, failures=row.failures)
    return Checked(ok)


def _wait_s(failures: int, failed_at: Instant | None, now: Instant) -> int:
    """Seconds that are still to be waited: 1 after five failures, twice as long after each more, at most a minute."""
    if failures < FREE_FAILURES or failed_at is None:
        return 0
    wait = min(WAIT_MAX_S, 2 ** min(failures - FREE_FAILURES, 10)) * SECOND
    left = failed_at + wait - now
    # A clock that was put back must not keep anybody waiting for longer than that.
    return -(-left // SECOND) if 0 < left <= wait else 0


def _write_down(
    database: Database, name: str, known: str, password: str, now: Instant, *, ok: bool, failures: int
) -> None:
    if not ok:
        failed = update(logins).where(logins.c.name == name).values(failures=logins.c.failures + 1, failed_at=now)
        with database.write() as db:
            db.execute(failed)
        return
    newer = _hasher.hash(password) if _hasher.check_needs_rehash(known) else known
    if failures or newer != known:
        with database.write() as db:
            these = (logins.c.name == name, logins.c.password_hash == known)
            db.execute(update(logins).where(*these).values(password_hash=newer, failures=0, failed_at=None))


def _verify(known: str, password: str) -> bool:
    try:
        return _hasher.verify(known, password[:LENGTH_MAX])
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(1)
def _nobodys() -> str:
    """A hash to check against for a name that nobody has, so that it takes as long."""
    return _hasher.hash("a password that nobody has chosen")
