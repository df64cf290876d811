"""What a foreign database says when it says no, in a few words of ours. A driver's own message can hold values."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from sqlalchemy.exc import DBAPIError, NoSuchTableError
from sqlalchemy.exc import TimeoutError as NoConnection

from onewriter.errors import SystemChanged, SystemRefused, SystemThrottled, SystemUnreachable

BUSY_S = 5.0
"""Seconds until what was locked is tried again."""


class Trouble(StrEnum):
    """What sort of no it is."""

    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    CHANGED = "changed"
    BUSY = "busy"
    GONE = "gone"
    FULL = "full"
    DATA = "data"
    OTHER = "other"


_POSTGRES = {
    "42501": Trouble.PERMISSION,
    "25006": Trouble.PERMISSION,
    "42P01": Trouble.CHANGED,
    "42703": Trouble.CHANGED,
    "42883": Trouble.CHANGED,
    "3D000": Trouble.CREDENTIALS,
    "55P03": Trouble.BUSY,
    "57014": Trouble.BUSY,
}
_POSTGRES_CLASSES = {
    "28": Trouble.CREDENTIALS,
    "40": Trouble.BUSY,
    "53": Trouble.FULL,
    "08": Trouble.GONE,
    "57": Trouble.GONE,
    "22": Trouble.DATA,
    "23": Trouble.DATA,
    "44": Trouble.DATA,
    "P0": Trouble.DATA,
}
_MYSQL = {
    **dict.fromkeys((1044, 1045, 1049, 1698, 1251), Trouble.CREDENTIALS),
    **dict.fromkeys((1142, 1143, 1227, 1288, 1290, 1792, 1836), Trouble.PERMISSION),
    **dict.fromkeys((1146, 1054), Trouble.CHANGED),
    **dict.fromkeys((1205, 1213, 3572, 1040, 1203), Trouble.BUSY),
    **dict.fromkeys((1021, 1114, 1041), Trouble.FULL),
    **dict.fromkeys((2002, 2003, 2006, 2013, 2014, 2055, 1053, 1927), Trouble.GONE),
    **dict.fromkeys((1048, 1062, 1169, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1644, 3819, 4025), Trouble.DATA),
}
_SQLITE = {
    5: Trouble.BUSY,
    6: Trouble.BUSY,
    3: Trouble.PERMISSION,
    8: Trouble.PERMISSION,
    13: Trouble.FULL,
    10: Trouble.GONE,
    14: Trouble.GONE,
    11: Trouble.CHANGED,
    26: Trouble.CHANGED,
    19: Trouble.DATA,
    20: Trouble.DATA,
}
# What PostgreSQL says while a connection is made comes without a code.
_REFUSED = re.compile(r"authentication failed|no pg_hba\.conf entry|(role|database) \".*\" does not exist|no password")
_MISSING = re.compile(r"no such (table|column)|Could not decode")


def trouble(error: DBAPIError) -> Trouble:
    """What sort of no a driver's error is."""
    orig = error.orig
    # MySQL's own numbers say more than the states of the standard, which its driver tells too.
    number = orig.args[0] if orig is not None and orig.args else None
    if isinstance(number, int) and number in _MYSQL:
        return _MYSQL[number]
    state = getattr(orig, "sqlstate", None)
    if isinstance(state, str):
        return _POSTGRES.get(state) or _POSTGRES_CLASSES.get(state[:2], Trouble.OTHER)
    code = getattr(orig, "sqlite_errorcode", None)
    said = str(orig)
    if isinstance(code, int):
        other = Trouble.CHANGED if _MISSING.search(said) else Trouble.OTHER
        return _SQLITE.get(code & 0xFF, other)
    if _REFUSED.search(said):
        return Trouble.CREDENTIALS
    if _MISSING.search(said):
        return Trouble.CHANGED
    if error.connection_invalidated or type(orig).__name__ in ("OperationalError", "InterfaceError"):
        return Trouble.GONE
    return Trouble.DATA if type(orig).__name__ in ("DataError", "IntegrityError") else Trouble.OTHER


@contextmanager
def translated() -> Iterator[None]:
    """The one place where what concerns a whole call becomes an error of ours."""
    try:
        yield
    except NoSuchTableError:
        raise SystemChanged(
            "The database has no such table; name it, and its schema, in the system's settings."
        ) from None
    except NoConnection:
        raise SystemUnreachable("The database lets nobody in at the moment; another try may work.") from None
    except DBAPIError as error:
        raise as_ours(trouble(error)) from None


def as_ours(found: Trouble) -> Exception:
    """The error that says so."""
    match found:
        case Trouble.CREDENTIALS:
            return SystemRefused(
                "The database refuses the user, the password or the name of the database; check the url."
            )
        case Trouble.PERMISSION:
            return SystemRefused(
                "The database does not allow this user to do that; ask its administrator for the right."
            )
        case Trouble.CHANGED:
            return SystemChanged("The table or a column is gone or cannot be read; compare it with the mapping.")
        case Trouble.BUSY:
            return SystemThrottled("Somebody holds a lock in the database; it is tried again later.", BUSY_S)
        case Trouble.FULL:
            return SystemUnreachable("The database has no room left; its administrator must make some.")
        case Trouble.GONE:
            return SystemUnreachable("The database does not answer; is its server running, and the url right?")
        case _:
            return SystemRefused("The database refuses the statement; its own log says why.")


def refusal(error: DBAPIError, columns: tuple[str, ...]) -> tuple[str | None, str]:
    """Which column is at fault, where the database says so, and why; never with a value."""
    said, diagnosis = str(error.orig), getattr(error.orig, "diag", None)
    field = getattr(diagnosis, "column_name", None)
    named = " ".join(filter(None, (getattr(diagnosis, "constraint_name", None), _constraint(said))))
    if field is None:
        found = [name for name in columns if re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", named)]
        field = found[0] if len(found) == 1 else None
    return field, _reason(getattr(error.orig, "sqlstate", None), said)


_CONSTRAINT = re.compile(
    r"constraint failed: ([\w., ]+)$|for key '([^']+)'|[Cc]olumn '([^']+)'|Field '([^']+)'|CONSTRAINT `([^`]+)`"
)


def _constraint(said: str) -> str:
    """The names in a message of SQLite's or MySQL's, and nothing that could be a value."""
    found = _CONSTRAINT.search(said)
    return next((group for group in found.groups() if group), "") if found else ""


def _reason(state: str | None, said: str) -> str:
    low = said.lower()
    if state == "23505" or "unique constraint" in low or "duplicate entry" in low:
        return "another record has this value already"
    if state == "23502" or "not null constraint" in low or "cannot be null" in low or "doesn't have a default" in low:
        return "the column must not be empty"
    if state == "23503" or "foreign key" in low:
        return "it names something that is not there"
    if state == "22001" or "too long" in low:
        return "value too long"
    if state == "23514" or "check constraint" in low or "constraint" in low:
        return "a rule of the table forbids it"
    return "the database does not take this value"
