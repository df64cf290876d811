"""Comparing: when two values say the same, whichever way each is written.

What differs in form only (the case of an email address, blanks, brackets in a phone number, NFC and NFD, 1 and "1") is
the same here. Zeros before a number, a name in other letters and a date that is not sure are real differences.
"""

import re
import unicodedata
from decimal import Decimal
from typing import Any

from onewriter.records import Value
from onewriter.rules.dates import sure_date
from onewriter.rules.identity import canonical_email, canonical_phone
from onewriter.rules.identity.text import visible
from onewriter.rules.policy import CUSTOM
from onewriter.rules.tags import is_tags
from onewriter.rules.transforms import truth

_PHONES = ("phone", "address.phone")
_CODES = ("state", "locale", "address.country_code", "address.province_code")
"""Words that mean the same in capitals and small letters."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,12})?")


def is_empty(value: Any) -> bool:
    """True for what says nothing: None, blanks, and a list or a document without anything in it."""
    if isinstance(value, str):
        return not visible(value).strip()
    return value is None or (isinstance(value, list | dict | tuple) and not value)


def canonical(name: str, value: Value, region: str | None) -> Any:
    """A form of a field's value that is equal for all that say the same; it is for comparing only, never for keeping.

    An empty name compares what a system holds, of which nothing is known but its form.
    """
    if is_empty(value):
        return None
    if is_tags(name) and isinstance(value, list):
        return sorted({tidy(str(each)).casefold() for each in value})
    if isinstance(value, list):
        return [canonical("", each, region) for each in value]
    if isinstance(value, dict):
        return {key: canonical("", each, region) for key, each in value.items() if not is_empty(each)}
    if isinstance(value, bool):
        # Python counts true as 1.
        return ("truth", value)
    return _text(name, value, region) if isinstance(value, str) else value


def same(name: str, one: Value, other: Value, region: str | None) -> bool:
    """Whether two values of a field say the same: 1 and "1" do, and true and 1, but not 7 and "007"."""
    if isinstance(one, bool) != isinstance(other, bool):
        said = truth(one), truth(other)
        return said[0] is not None and said[0] == said[1]
    if _is_number(one) != _is_number(other):
        numbers = _number(one), _number(other)
        return numbers[0] is not None and numbers[0] == numbers[1]
    return bool(canonical(name, one, region) == canonical(name, other, region))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> Decimal | None:
    """The number that a value is; a text only where a number would be written so."""
    text = value.strip() if isinstance(value, str) else repr(value)
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def same_consent(own: Value, told: Value) -> bool:
    """Whether two consents say the same, as far as both say anything; a time alone is no difference."""
    if not (isinstance(own, dict) and isinstance(told, dict)):
        return False
    levels = {own.get("level"), told.get("level")} - {None}
    return bool(own.get("state") == told.get("state")) and len(levels) <= 1


def tidy(text: str) -> str:
    """The text as somebody sees it: composed letters, single blanks, and nothing invisible."""
    return " ".join(visible(unicodedata.normalize("NFC", text)).split())


def _text(name: str, value: str, region: str | None) -> Any:
    seen = tidy(value)
    if name == "email":
        return canonical_email(value) or seen.casefold()
    if name in _PHONES:
        return canonical_phone(value, region) or seen
    if name in _CODES:
        return seen.casefold().replace("_", "-")
    return _free(seen) if name.startswith(CUSTOM) or not name else seen


def _free(seen: str) -> Any:
    """A text of which nobody said what it means: a date where it can be nothing else."""
    day = None if seen.isdigit() else sure_date(seen)
    return seen if day is None else ("date", day)
