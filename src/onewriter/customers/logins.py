"""Passwords of people who log in: set, and checked without a word of what was wrong.

A password is kept as its argon2id hash (RFC 9106). After five failures in a row each try must wait, at most a minute:
guessing becomes hopeless, and nobody is locked out of their own account by somebody else for longer than that. A name
that nobody has is answered in the same way and takes as long, so that no answer tells which names there are.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from threading import BoundedSemaphore, Lock
from typing import NamedTuple
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, insert, select, update

from onewriter.customers.people import PREFIX
from onewriter.db.engine import Database
from onewriter.db.webtables import logins
from onewriter.errors import BadInput
from onewriter.records import SECOND, Instant

LENGTH_MIN, LENGTH_MAX = 12, 256
"""Letters of a password: length is what counts (NIST SP 800-63B, 3.1.1.2), so nothing else is asked of it."""
FREE_FAILURES = 5
WAIT_MAX_S = 60
STRANGERS_MAX = 10_000
"""Names that nobody has whose failures are remembered at a time."""
HASHES_AT_ONCE = 2
"""Each takes 64 MiB and a core while it lasts, and the pages and the door need theirs."""
COMMON = frozenset(
    ("password1234", "passwordpassword", "123456789012", "1234567890123", "qwertyuiop123", "onewriteronewriter")
)

_hasher = PasswordHasher()
_turn = BoundedSemaphore(HASHES_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password is somebody's."""

    ok: bool
    wait_s: int = 0
    """Seconds until another try is looked at; 0 when this one was."""


class Tries(NamedTuple):
    """Failures in a row."""

    failures: int = 0
    failed_at: Instant | None = None


class Strangers:
    """Failures of names that nobody has, in memory alone: what stands there may be a password in the wrong field."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, Tries] = OrderedDict()
        self._lock = Lock()

    def tried(self, name: str, now: Instant) -> int:
        """Count a try; the seconds that it must wait in place of being counted."""
        with self._lock:
            known = self._tries.pop(name, Tries())
            wait_s = _wait_s(known, now)
            self._tries[name] = known if wait_s else Tries(known.failures + 1, now)
            if len(self._tries) > STRANGERS_MAX:
                self._tries.popitem(last=False)
        return wait_s


_strangers = Strangers()


def anybody(db: Connection) -> bool:
    """True once somebody can log in."""
    return db.execute(select(logins.c.name).limit(1)).first() is not None


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
    return _hash(password)


def set_password(db: Connection, name: str, password_hash: str, now: Instant) -> None:
    """Keep the hash of somebody's password in place of the one before."""
    db.execute(delete(logins).where(logins.c.name == name))
    db.execute(insert(logins).values(name=name, password_hash=password_hash, set_at=now, failures=0, failed_at=None))


def remove(db: Connection, name: str) -> None:
    """Let somebody log in no more."""
    db.execute(delete(logins).where(logins.c.name == name))


def check(database: Database, name: str, password: str, now: Instant) -> Checked:
    """Whether that is the password of that name."""
    nobodys = _nobodys()
    # A try counts before it is looked at, so that many at once are no more tries than one after another.
    with database.write() as db:
        known, wait_s = _tried(db, name, now)
    if wait_s:
        return Checked(False, wait_s)
    if not _verify(known or nobodys, password) or known is None:
        return Checked(False)
    _let_in(database, name, known, password)
    return Checked(True)


def _tried(db: Connection, name: str, now: Instant) -> tuple[str | None, int]:
    """Count a try; the hash of the name that somebody has, and the seconds that the try must wait instead."""
    row = db.execute(select(logins).where(logins.c.name == name).with_for_update()).first()
    if row is None:
        return None, _strangers.tried(name, now)
    wait_s = _wait_s(Tries(row.failures, row.failed_at), now)
    if not wait_s:
        db.execute(update(logins).where(logins.c.name == name).values(failures=row.failures + 1, failed_at=now))
    return row.password_hash, wait_s


def _wait_s(tries: Tries, now: Instant) -> int:
    """Seconds that are still to be waited: 1 after five failures, twice as long after each more, at most a minute."""
    if tries.failures < FREE_FAILURES or tries.failed_at is None:
        return 0
    wait = min(WAIT_MAX_S, 2 ** min(tries.failures - FREE_FAILURES, 10)) * SECOND
    left = tries.failed_at + wait - now
    # A clock that was put back must not keep anybody waiting for longer than that.
    return -(-left // SECOND) if 0 < left <= wait else 0


def _let_in(database: Database, name: str, known: str, password: str) -> None:
    """Forget the failures, and keep the password by today's cost, unless it was changed meanwhile."""
    newer = _hash(password) if _hasher.check_needs_rehash(known) else known
    with database.write() as db:
        these = (logins.c.name == name, logins.c.password_hash == known)
        db.execute(update(logins).where(*these).values(password_hash=newer, failures=0, failed_at=None))


def _hash(password: str) -> str:
    with _turn:
        return _hasher.hash(_one_form(password))


def _verify(known: str, password: str) -> bool:
    try:
        with _turn:
            return _hasher.verify(known, _one_form(password[:LENGTH_MAX]))
    except (VerificationError, InvalidHashError):
        return False


def _one_form(password: str) -> str:
    """The password as any keyboard gives it: letters with marks come in several forms that look the same."""
    return normalize("NFKC", password)


@lru_cache(1)
def _nobodys() -> str:
    """A hash to check against for a name that nobody has, so that it takes as long."""
    return _hash("a password that nobody has chosen")
