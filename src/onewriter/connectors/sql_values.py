"""How a value of a column is told to us, and how one of ours is written to it: of the column's type, or not at all.

Databases turn one type into another by rules of their own: SQLite keeps a word in a column of numbers, MySQL makes a
zero of it, PostgreSQL rounds what has too many decimals. So whatever is not of the column's type is refused here,
before anything is sent.
"""

import json
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from onewriter.connectors.interface import RemoteField, RemoteValue

TEXT_MAX = 1_000_000
"""Characters of the longest text that is written, whatever the column takes."""


class Unfit(Exception):
    """The column does not take the value; the message says why, without the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One column: its description, and what its values look like."""

    field: RemoteField
    zone: tzinfo = UTC
    """In which times without a zone are meant."""
    aware: bool = False
    """Whether the column's times carry a zone."""
    bits: int = 64
    """Of whole numbers."""
    decimals: int | None = None
    rough: bool = False
    """Whether numbers are kept only as nearly as a binary fraction can be."""
    padded: bool = False
    """Whether the database fills texts up with blanks."""
    plain: bool = False
    """SQLite: whatever stands there is told as it is, since the type of a column binds nobody."""
    blank: bool = False
    """Whether empty is an empty text, where the column does not take NULL."""
    identity: bool = False
    """Whether values are UUIDs."""

    def sent(self, value: RemoteValue) -> Any:
        """The value as the driver takes it; raises Unfit."""
        return _SENT[self.field.type](self, value)

    def told(self, held: Any) -> RemoteValue:
        """The value as it is told: None for nothing and for an empty text."""
        if held is None or held == "":
            return None
        return _TOLD[self.field.type](self, held)

    def empty(self) -> Any:
        """What is written to empty it; raises Unfit."""
        if self.blank:
            return ""
        if not self.field.clearable:
            raise Unfit("the column must not be empty")
        return None


def _sent_text(form: Form, value: RemoteValue) -> Any:
    if not isinstance(value, str):
        raise Unfit("not a text")
    if value == "":
        return form.empty()
    if "\x00" in value or not _is_whole(value):
        raise Unfit("holds a character that the database cannot keep")
    if len(value) > min(form.field.max_length or TEXT_MAX, TEXT_MAX):
        raise Unfit("value too long")
    if form.field.enum is not None and value not in form.field.enum:
        raise Unfit("not one of the words that the column takes")
    if form.padded and value.endswith(" "):
        raise Unfit("ends with a blank, which the column does not keep")
    return _as_uuid(value) if form.identity else value


def _as_uuid(value: str) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except ValueError:
        raise Unfit("not a UUID") from None


def _is_whole(text: str) -> bool:
    """False for half a character, which no encoding can write."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _sent_integer(form: Form, value: RemoteValue) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("not a whole number")
    if not -(2 ** (form.bits - 1)) <= value < 2 ** (form.bits - 1):
        raise Unfit("a number that is too large for the column")
    return value


def _sent_number(form: Form, value: RemoteValue) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unfit("not a number")
    exact = Decimal(str(value))
    exponent = exact.normalize().as_tuple().exponent
    if form.decimals is not None and isinstance(exponent, int) and -exponent > form.decimals:
        raise Unfit("has more decimals than the column keeps")
    return value if form.plain or form.decimals is None else exact


def _sent_boolean(form: Form, value: RemoteValue) -> Any:
    if not isinstance(value, bool):
        raise Unfit("neither true nor false")
    return int(value) if form.plain else value


def _sent_date(form: Form, value: RemoteValue) -> Any:
    try:
        found = date.fromisoformat(value)
    except (TypeError, ValueError):
        raise Unfit("not a date like 2026-03-02") from None
    return found.isoformat() if form.plain else found


def _sent_datetime(form: Form, value: RemoteValue) -> Any:
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise Unfit("not a time like 2026-03-02T10:00:00+00:00") from None
    placed = found if found.tzinfo is not None else found.replace(tzinfo=form.zone)
    if form.aware:
        try:
            return placed.astimezone(UTC)
        except OverflowError:
            raise Unfit("a time that is out of reach") from None
    try:
        local = placed.astimezone(form.zone).replace(tzinfo=None)
    except OverflowError:
        raise Unfit("a time that is out of reach") from None
    return local.isoformat(sep=" ") if form.plain else local


def _sent_list(form: Form, value: RemoteValue) -> Any:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Unfit("not a list of texts")
    if any("\x00" in each or not _is_whole(each) for each in value):
        raise Unfit("holds a character that the database cannot keep")
    return value


def _sent_json(form: Form, value: RemoteValue) -> Any:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise Unfit("not plain JSON") from None
    if "\\u0000" in text:
        raise Unfit("holds a character that the database cannot keep")
    return text if form.plain else value


def _told_text(form: Form, held: Any) -> RemoteValue:
    if isinstance(held, bytes):
        return held.decode("utf-8", "replace")
    if isinstance(held, set | frozenset | list | tuple):
        return ",".join(sorted(map(str, held)))
    text = held if isinstance(held, str) or (form.plain and isinstance(held, int | float)) else str(held)
    return text.rstrip(" ") if form.padded and isinstance(text, str) else text


def _told_number(form: Form, held: Any) -> RemoteValue:
    if isinstance(held, Decimal):
        return int(held) if held == held.to_integral_value() else float(held)
    return held


def _told_boolean(form: Form, held: Any) -> RemoteValue:
    if isinstance(held, bytes):
        return any(held)
    return bool(held) if isinstance(held, int) and held in (0, 1) else held


def _told_date(form: Form, held: Any) -> RemoteValue:
    return held.isoformat() if isinstance(held, date) else held


def _told_datetime(form: Form, held: Any) -> RemoteValue:
    if isinstance(held, str):
        try:
            held = datetime.fromisoformat(held)
        except ValueError:
            return held
    if not isinstance(held, datetime):
        return held
    placed = held if held.tzinfo is not None else held.replace(tzinfo=form.zone)
    try:
        return placed.astimezone(UTC).isoformat()
    except OverflowError:
        # The first and the last day of all: they stand for never.
        return placed.isoformat()


def _told_list(form: Form, held: Any) -> RemoteValue:
    return [str(each) for each in held] if isinstance(held, list | tuple) else held


def _told_json(form: Form, held: Any) -> RemoteValue:
    if form.plain and isinstance(held, str):
        try:
            return json.loads(held)
        except ValueError:
            return held
    return held


_SENT: dict[str, Callable[[Form, RemoteValue], Any]] = {
    "text": _sent_text,
    "integer": _sent_integer,
    "number": _sent_number,
    "boolean": _sent_boolean,
    "date": _sent_date,
    "datetime": _sent_datetime,
    "list": _sent_list,
    "json": _sent_json,
}
_TOLD: dict[str, Callable[[Form, Any], RemoteValue]] = {
    "text": _told_text,
    "integer": _told_number,
    "number": _told_number,
    "boolean": _told_boolean,
    "date": _told_date,
    "datetime": _told_datetime,
    "list": _told_list,
    "json": _told_json,
}
