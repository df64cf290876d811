"""Relations: what a copy is to its origin, told from the two values alone.

Several may hold at once. What is empty or very short is never said to be a part of another value, or another field's:
it is so by chance too often.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from onewriter.rules.comparing import is_empty, tidy
from onewriter.rules.dates import sure_date
from onewriter.rules.diagnosis.facts import Relation
from onewriter.rules.diagnosis.losses import loss
from onewriter.rules.diagnosis.sameness import moment_of

LENGTH_MIN = 3
"""Characters of a value that can be a part of another, or another field's."""
HOURS_MAX = 14
_SCIENTIFIC = re.compile(r"\+?[0-9](?:[.,][0-9]+)?[eE]\+?[0-9]{1,3}")
_FLOAT = re.compile(r"\+?([0-9]+)[.,]0+")
_EXACT_DIGITS = 15
"""Digits of a number that a spreadsheet keeps; the rest become zeros."""
_DAY_ZERO = date(1899, 12, 30)
"""From which spreadsheets count their days."""
Elsewhere = Callable[[str], str | None]


def fold(value: Any) -> str | None:
    """A form in which values of different fields are compared; None for what is empty, and for yes and no."""
    if value is None or isinstance(value, bool | Mapping):
        return None
    if isinstance(value, list | tuple):
        parts = sorted(tidy(str(each)).casefold() for each in value)
        return ",".join(parts) or None
    text = tidy(str(value))
    if "@" in text:
        return text.lower()
    if text[:1] == "+" and not any(map(str.isalpha, text)):
        return "+" + "".join(filter(str.isdigit, text))
    if text[:1].isdigit() and not text.isdigit() and (day := sure_date(text)) is not None:
        return day.isoformat()
    return text or None


def relate(
    origin: Any,
    copy: Any,
    *,
    field: str = "",
    fields: Mapping[str, Any] | None = None,
    elsewhere: Elsewhere | None = None,
) -> dict[Relation, str | None]:
    """Every relation of a copy to its origin, with its detail.

    `fields` is the origin's whole record and `field` its own name for the field; `elsewhere` names another record of
    the origin's side that has a value (as `fold` writes it) in this field.
    """
    empty = is_empty(origin), is_empty(copy)
    if all(empty):
        return {Relation.OTHER_VALUE: None}
    found: dict[Relation, str | None] = {}
    if empty[1]:
        return {Relation.EMPTY_COPY: None}
    if empty[0]:
        found[Relation.EMPTY_ORIGIN] = None
    else:
        _of_text(origin, copy, found)
    _of_others(origin, copy, found, field, fields or {}, elsewhere)
    if not found:
        found[Relation.OTHER_VALUE] = None
    return found


def _of_others(
    origin: Any, copy: Any, found: dict[Relation, str | None], field: str, fields: Mapping[str, Any],
    elsewhere: Elsewhere | None,
) -> None:  # fmt: skip
    key = fold(copy)
    if key is None or len(key) < LENGTH_MIN or key == fold(origin):
        return
    for name, value in fields.items():
        if name != field and fold(value) == key:
            found[Relation.OTHER_FIELD] = name
            break
    if elsewhere is not None and (other := elsewhere(key)) is not None:
        found[Relation.OTHER_RECORD] = other


def _of_text(origin: Any, copy: Any, found: dict[Relation, str | None]) -> None:
    if isinstance(origin, Mapping) or isinstance(copy, Mapping) or isinstance(origin, bool) or isinstance(copy, bool):
        return
    if (name := loss(origin, copy)) is not None:
        found[Relation.LOSSY] = name
    whole, part = as_text(origin), as_text(copy)
    if (length := cut_at(whole, part)) is not None:
        found[Relation.PREFIX] = str(length)
    if (encoding := misread(whole, part)) is not None:
        found[Relation.MOJIBAKE] = encoding
    if any(map(str.isdigit, whole)) and any(map(str.isdigit, part)):
        _of_numbers(whole.strip(), part.strip(), found)


def _of_numbers(whole: str, part: str, found: dict[Relation, str | None]) -> None:
    if (shift := shifted_by(whole, part)) is not None:
        found[Relation.DAY_SHIFT] = shift
    days = sure_date(whole), sure_date(part)
    if days[0] is not None and days[1] is not None and _is_swapped(days[0], days[1]):
        found[Relation.DAY_MONTH] = None
    if whole[0] == "0" and whole.isdigit() and part.isdigit() and whole != part and whole.lstrip("0") == part:
        found[Relation.ZEROS_LOST] = str(len(whole) - len(part))
    if (damage := damaged(whole, part)) is not None:
        found[Relation.NUMBER] = damage


def as_text(value: Any) -> str:
    """A value in one text; a list with commas between."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def cut_at(whole: str, part: str) -> int | None:
    """The length at which a text was cut; None where the other is no beginning of it."""
    if len(part) < LENGTH_MIN:
        return None
    if len(part) < len(whole) and whole.startswith(part):
        return len(part)
    one, other = tidy(whole), tidy(part)
    if len(other) >= LENGTH_MIN and len(other) < len(one) and one.startswith(other):
        return len(part)
    for mark in ("...", "…"):
        if other.endswith(mark) and len(other) - len(mark) >= LENGTH_MIN and len(other) < len(one) + len(mark):
            return len(part) if one.startswith(other.removesuffix(mark).rstrip()) else None
    return None


def misread(origin: str, copy: str) -> str | None:
    """How one of the two was read in the wrong encoding to give the other."""
    # Bytes beyond ASCII never become ASCII, so that what is plain in both is the same.
    if (origin.isascii() and copy.isascii()) or _plain_part(origin) != _plain_part(copy):
        return None
    for before, after, way in ((origin, copy, ""), (copy, origin, ", mended")):
        if before.isascii():
            continue
        if (name := _misread_as(before, after)) is not None:
            return name + way
    return None


def _plain_part(text: str) -> str:
    return "".join(each for each in text if each.isascii() and not each.isspace())


def _misread_as(before: str, after: str) -> str | None:
    for form in dict.fromkeys((before, tidy(before))):
        for name, read in (("latin-1", _latin), ("cp1252", _windows), ("mac_roman", _mac)):
            once = read(form.encode("utf-8", "surrogatepass"))
            if _looks(once, after):
                return name
            if _looks(read(once.encode("utf-8")), after):
                return f"{name}, twice"
        if "\ufffd" in after and _looks(_replaced(form), after):
            return "replaced"
    return None


def _looks(made: str, seen: str) -> bool:
    return made == seen or (not seen.isascii() and tidy(made) == tidy(seen))


def _latin(raw: bytes) -> str:
    return raw.decode("latin-1")


def _windows(raw: bytes) -> str:
    """As browsers read Windows-1252: the five bytes that it lacks are those of Latin-1."""
    made = []
    for each in raw:
        one = bytes((each,))
        try:
            made.append(one.decode("cp1252"))
        except UnicodeDecodeError:
            made.append(one.decode("latin-1"))
    return "".join(made)


def _mac(raw: bytes) -> str:
    return raw.decode("mac_roman")


def _replaced(text: str) -> str:
    """What is left of bytes of Latin-1 that are read as UTF-8."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def shifted_by(origin: str, copy: str) -> str | None:
    """By how much the same date or moment was shifted: a day, or whole and half hours."""
    days = sure_date(origin), sure_date(copy)
    if days[0] is not None and days[1] is not None:
        lost = (days[1] - days[0]).days
        return f"{lost:+d} day" if abs(lost) == 1 else None
    moments = _moment(origin, days[0]), _moment(copy, days[1])
    if moments[0] is None or moments[1] is None:
        return None
    seconds = (moments[1] - moments[0]).total_seconds()
    if not seconds or seconds % 1800 or abs(seconds) > HOURS_MAX * 3600:
        return None
    return f"{seconds / 3600:+g} h"


def _moment(text: str, day: date | None) -> datetime | None:
    """The hands of the clock, in UTC where the zone is told; a date is its midnight."""
    if day is not None:
        return datetime(day.year, day.month, day.day)  # noqa: DTZ001
    moment = moment_of(text)
    if moment is None or moment.tzinfo is None:
        return moment
    offset = moment.utcoffset()
    naive = moment.replace(tzinfo=None)
    with suppress(OverflowError):
        return naive if offset is None else naive - offset
    return None


def _is_swapped(one: date, other: date) -> bool:
    return one != other and one.year == other.year and (one.month, one.day) == (other.day, other.month)


def damaged(origin: str, copy: str) -> str | None:
    """What a spreadsheet made of a number or a date: scientific, a point and zeros, zeros at its end, or a serial."""
    if copy.isdigit() and 4 <= len(copy) <= 6:
        day = sure_date(origin)
        return "serial of a date" if day is not None and int(copy) == (day - _DAY_ZERO).days else None
    digits = "".join(filter(str.isdigit, origin)).lstrip("0")
    if not digits or any(map(str.isalpha, origin)):
        return None
    if _SCIENTIFIC.fullmatch(copy):
        return "scientific" if _is_shortened(digits, copy) else None
    if (found := _FLOAT.fullmatch(copy)) is not None and "." not in origin and "," not in origin:
        return "a point and zeros" if found[1].lstrip("0") == digits else None
    kept = copy.lstrip("+")
    if len(digits) > _EXACT_DIGITS and kept.isdigit() and len(kept) == len(digits) and kept != digits:
        return "digits lost" if kept[:_EXACT_DIGITS] == digits[:_EXACT_DIGITS] else None
    return None


def _is_shortened(digits: str, copy: str) -> bool:
    try:
        number = Decimal(copy.replace(",", "."))
    except InvalidOperation:
        return False
    shown = len(re.split("[eE]", copy)[0].replace(",", ".").replace(".", "").lstrip("+"))
    if number.adjusted() != len(digits) - 1:
        return False
    return abs(number - Decimal(digits)) <= Decimal(10) ** (len(digits) - shown)
