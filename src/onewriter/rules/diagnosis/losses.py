"""Losses: the known functions that lose a part of a value, each by the name that a merchant reads."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from onewriter.rules.comparing import tidy
from onewriter.rules.dates import sure_date
from onewriter.rules.diagnosis.sameness import is_national_of, moment_of
from onewriter.rules.transforms import TRANSFORMS, Unfit

_LISTED = re.compile(r"\s*[,;|]\s*")
_STARRED = re.compile(r"[*x•X]{2,}(.{1,6})|(.{1,6}?)[*•]{2,}(.{0,6})")


def _ascii(text: str) -> str | None:
    made = TRANSFORMS["ascii"].outward(text, {})
    return None if isinstance(made, Unfit) or text.isascii() else str(made)


def _bare_accents(text: str) -> str | None:
    """Without accents, and with the letters that have none as they are."""
    if text.isascii():
        return None
    opened = unicodedata.normalize("NFKD", text)
    return "".join(each for each in opened if not unicodedata.combining(each))


def _only_ascii(text: str) -> str | None:
    return None if text.isascii() else text.encode("ascii", "ignore").decode()


def _questioned(text: str) -> str | None:
    return None if text.isascii() else text.encode("ascii", "replace").decode()


def _first_word(text: str) -> str | None:
    words = text.split()
    return words[0] if len(words) > 1 else None


def _last_word(text: str) -> str | None:
    words = text.split()
    return words[-1] if len(words) > 1 else None


def _initial(text: str) -> str | None:
    return text[0] if len(text) > 2 and text[0].isalpha() else None


def _initial_dot(text: str) -> str | None:
    return f"{text[0]}." if len(text) > 2 and text[0].isalpha() else None


def _domain(text: str) -> str | None:
    return text.rpartition("@")[2] if "@" in text else None


def _local(text: str) -> str | None:
    return text.rpartition("@")[0] or None


def _untagged(text: str) -> str | None:
    local, sign, domain = text.rpartition("@")
    return f"{local.partition('+')[0]}@{domain}" if sign and "+" in local else None


def _digits(text: str) -> str | None:
    digits = "".join(filter(str.isdigit, text))
    return digits if len(digits) >= 3 else None


def _letters(text: str) -> str | None:
    letters = "".join(filter(str.isalpha, text))
    return letters if len(letters) >= 2 else None


def _blankless(text: str) -> str | None:
    return text.replace(" ", "") if " " in text else None


def _unmarked(text: str) -> str | None:
    """Without marks such as hyphens and apostrophes."""
    return tidy("".join(each for each in text if each.isalnum() or each == " ")) or None


def _spaced(text: str) -> str | None:
    """With a blank for each mark."""
    return tidy("".join(each if each.isalnum() else " " for each in text)) or None


def _slug(text: str) -> str | None:
    plain = (_bare_accents(text) or text).lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or None


def _year(text: str) -> str | None:
    day = sure_date(text)
    return None if day is None else str(day.year)


def _month(text: str) -> str | None:
    day = sure_date(text)
    return None if day is None else f"{day.year:04}-{day.month:02}"


def _first_of_month(text: str) -> str | None:
    day = sure_date(text)
    return None if day is None else day.replace(day=1).isoformat()


def _month_and_day(text: str) -> str | None:
    day = sure_date(text)
    return None if day is None else f"{day.month:02}-{day.day:02}"


def _timeless(text: str) -> str | None:
    moment = moment_of(text)
    return None if moment is None else moment.date().isoformat()


def _whole(text: str) -> str | None:
    found = re.fullmatch(r"(-?[0-9]{1,15})\.[0-9]+", text)
    return None if found is None else found[1]


def _rounded(text: str) -> str | None:
    return None if _whole(text) is None else str(round(float(text)))


def _last_four(text: str) -> str | None:
    digits = _digits(text)
    return digits[-4:] if digits is not None and len(digits) > 6 else None


FUNCTIONS: Sequence[tuple[str, Callable[[str], str | None]]] = (
    ("accents dropped", _ascii),
    ("accents dropped", _bare_accents),
    ("letters beyond ASCII dropped", _only_ascii),
    ("letters beyond ASCII replaced", _questioned),
    ("lower", str.lower),
    ("upper", str.upper),
    ("title", str.title),
    ("capitalised", str.capitalize),
    ("accents and capitals dropped", lambda text: (_ascii(text) or "").lower() or None),
    ("first of a list", lambda text: _LISTED.split(text)[0] if _LISTED.search(text) else None),
    ("last of a list", lambda text: _LISTED.split(text)[-1] if _LISTED.search(text) else None),
    ("first word", _first_word),
    ("last word", _last_word),
    ("initial", _initial),
    ("initial", _initial_dot),
    ("domain only", _domain),
    ("local part only", _local),
    ("plus tag dropped", _untagged),
    ("digits only", _digits),
    ("letters only", _letters),
    ("blanks dropped", _blankless),
    ("marks dropped", _unmarked),
    ("marks dropped", _spaced),
    ("slug", _slug),
    ("year only", _year),
    ("month only", _month),
    ("first of the month", _first_of_month),
    ("month and day only", _month_and_day),
    ("time dropped", _timeless),
    ("decimals dropped", _whole),
    ("rounded", _rounded),
    ("last digits", _last_four),
)
"""Each by its name, the likelier first; it gives None where it has nothing to lose."""


def loss(origin: Any, copy: Any) -> str | None:
    """The name of the function that makes the copy of the origin and loses something; None if none does."""
    if isinstance(origin, list | tuple):
        return _of_list([tidy(str(each)) for each in origin], copy)
    if isinstance(origin, bool) or isinstance(copy, bool | list | tuple | dict) or isinstance(origin, dict):
        return None
    whole, part = tidy(str(origin)), tidy(str(copy))
    if not part or whole == part:
        return None
    if is_national_of(part, whole) and whole.lstrip().startswith(("+", "00")):
        return "country code dropped"
    for name, function in FUNCTIONS:
        if function(whole) == part:
            return name
    return _by_letters(whole, part)


def _by_letters(whole: str, part: str) -> str | None:
    listed = _LISTED.split(whole)
    if len(listed) > 1 and (found := _of_list(listed, part)) is not None:
        return found
    masked = _STARRED.fullmatch(part)
    if masked is not None and len(whole) >= 5:
        tail, head = masked[1] or masked[3] or "", masked[2] or ""
        return "masked" if whole.endswith(tail) and whole.startswith(head) else None
    return None


def _of_list(whole: Sequence[str], copy: Any) -> str | None:
    parts = [tidy(str(each)) for each in copy] if isinstance(copy, list | tuple) else _LISTED.split(tidy(str(copy)))
    held, kept = {each.casefold() for each in whole}, {each.casefold() for each in parts}
    if not kept or not kept < held:
        return None
    if len(kept) == 1:
        only = next(iter(kept))
        if only == whole[0].casefold():
            return "first of a list"
        return "last of a list" if only == whole[-1].casefold() else "some of a list"
    return "some of a list"
