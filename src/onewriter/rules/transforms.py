"""Transforms: the few ways in which a system writes a value otherwise than we do, each with its inverse or lossy.

A transform is named in a mapping. What is not lossy leads back: `inward(outward(value))` is the value. Nothing is ever
cut: a value that a transform cannot write in full does not fit, and says why without telling the value.
"""

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import phonenumbers

from onewriter.records import Value
from onewriter.rules import dates
from onewriter.rules.identity import E164, canonical_phone

RemoteValue = Any
Options = Mapping[str, Any]

TEXT_MAX = 65_536
OPTION_MAX = 60
STATES = ("not_subscribed", "pending", "subscribed", "unsubscribed", "redacted", "invalid")
"""What a consent can be."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value that does not fit, with the reason in words for a merchant, which never hold the value."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """One named way to write a value. `inward` is None where nothing leads back."""

    name: str
    help: str
    outward: Callable[[Value, Options], RemoteValue | Unfit]
    inward: Callable[[RemoteValue, Options], Value | Unfit] | None
    lossy: bool = False
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """The options that must be given."""
    makes: str | None = None
    """The type of what it writes; None is whatever it was."""
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The words that an option takes, where it takes only certain ones."""


# ---- Numbers and truth ----------------------------------------------------------------------------------------------


def _same(value: Any, options: Options) -> Any:
    return value


def _to_text(value: Value, options: Options) -> RemoteValue | Unfit:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else Unfit("not a whole number")


def _from_text(remote: RemoteValue, options: Options) -> Value | Unfit:
    whole = _whole(remote)
    return Unfit("not a whole number") if whole is None else whole


def _to_integer(value: Value, options: Options) -> RemoteValue | Unfit:
    whole = _whole(value)
    if whole is not None:
        return whole
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        return Unfit("begins with zeros, which a number loses")
    return Unfit("not a whole number")


def _from_integer(remote: RemoteValue, options: Options) -> Value | Unfit:
    whole = _whole(remote)
    return Unfit("not a whole number") if whole is None else str(whole)


def _whole(value: Any) -> int | None:
    """The whole number that a value is, if writing it again gives the same."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        digits = text.removeprefix("-")
        # Python refuses numbers of more than 4,300 digits, and no database holds any near it.
        if len(digits) > 19 or not (digits.isascii() and digits.isdigit()) or str(int(text)) != text:
            return None
        return int(text)
    return value if isinstance(value, int) else None


def truth(value: Any) -> bool | None:
    """What a value says as yes or no, where it can only mean that."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return value == 1
    return {"true": True, "false": False}.get(value.strip().lower()) if isinstance(value, str) else None


def _to_words(value: Value, options: Options) -> RemoteValue | Unfit:
    said = truth(value)
    if said is None:
        return Unfit("neither true nor false")
    return str(options.get("yes", "yes")) if said else str(options.get("no", "no"))


def _from_words(remote: RemoteValue, options: Options) -> Value | Unfit:
    word = str(remote).strip().casefold()
    for said, name in ((True, "yes"), (False, "no")):
        if word == str(options.get(name, name)).strip().casefold():
            return said
    return Unfit("neither of the two words for yes and no")


# ---- Letters --------------------------------------------------------------------------------------------------------

_SPELT = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "đ": "d", "Đ": "D",
     "þ": "th", "Þ": "Th", "ð": "d", "ı": "i", "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"}
)  # fmt: skip


def _on_text(change: Callable[[str], str | Unfit]) -> Callable[[Value, Options], RemoteValue | Unfit]:
    def outward(value: Value, options: Options) -> RemoteValue | Unfit:
        return change(value) if isinstance(value, str) else Unfit("not a text")

    return outward


def _ascii(text: str) -> str | Unfit:
    opened = unicodedata.normalize("NFKD", text.translate(_SPELT))
    plain = "".join(letter for letter in opened if not unicodedata.combining(letter))
    return plain if plain.isascii() else Unfit("holds letters that cannot be written in ASCII")


def _first_word(text: str) -> str | Unfit:
    return next(iter(text.split()), "")


def _digits(text: str) -> str | Unfit:
    found = "".join(str(unicodedata.decimal(letter)) for letter in text if letter.isdecimal())
    return found or Unfit("holds no digit")


# ---- Phones ---------------------------------------------------------------------------------------------------------


def _e164(value: Any, options: Options) -> str | Unfit:
    number = canonical_phone(str(value), options.get("country")) if isinstance(value, str | int) else None
    if number is None:
        return Unfit("not a phone number that can be told for sure")
    return number if E164.fullmatch(number) else Unfit("a phone number with an extension, which has no place there")


def _to_bare_e164(value: Value, options: Options) -> RemoteValue | Unfit:
    number = _e164(value, options)
    return number if isinstance(number, Unfit) else number.removeprefix("+")


def _from_bare_e164(remote: RemoteValue, options: Options) -> Value | Unfit:
    text = str(remote).strip()
    return _e164(text if text.startswith("+") else f"+{text}", options)


def _to_national(value: Value, options: Options) -> RemoteValue | Unfit:
    """As it is dialled within the country; a number of another country stays as it is, since it leads back only so."""
    number = _e164(value, {})
    if isinstance(number, Unfit):
        return number
    country = options.get("country")
    parsed = phonenumbers.parse(number)
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return national if _e164(national, {"country": country}) == number else number


# ---- Dates ----------------------------------------------------------------------------------------------------------


def _to_date(value: Value, options: Options) -> RemoteValue | Unfit:
    day = dates.sure_date(value) if isinstance(value, str) else None
    if day is None:
        return Unfit("not a date that can be told for sure")
    return dates.written(day, str(options.get("format", dates.FORMATS[0])))


def _from_date(remote: RemoteValue, options: Options) -> Value | Unfit:
    day = dates.read_date(str(remote), str(options.get("format", dates.FORMATS[0])))
    return Unfit("not a date in the format of the mapping") if day is None else day.isoformat()


def _to_seconds(value: Value, options: Options) -> RemoteValue | Unfit:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        return Unfit("not a time with its zone")
    if moment.microsecond or moment.year < 1970:
        return Unfit("a time before 1970, or finer than a second")
    return int(moment.timestamp())


def _from_seconds(remote: RemoteValue, options: Options) -> Value | Unfit:
    seconds = _whole(remote)
    if seconds is None or not 0 <= seconds < 10**11:
        return Unfit("not a time in seconds since 1970")
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- Lists and JSON -------------------------------------------------------------------------------------------------


def _separator(options: Options) -> tuple[str, str]:
    """What stands between two of a list, and what is looked for when it is read."""
    between = str(options.get("separator", ", "))
    return between, between.strip() or between


def _to_joined(value: Value, options: Options) -> RemoteValue | Unfit:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return Unfit("not a list of words")
    between, mark = _separator(options)
    if any(mark in each or each != each.strip() or not each for each in value):
        return Unfit("one of them holds what separates them there")
    return between.join(value)


def _from_joined(remote: RemoteValue, options: Options) -> Value | Unfit:
    if isinstance(remote, list):
        return sorted({str(each).strip() for each in remote} - {""})
    if not isinstance(remote, str) or len(remote) > TEXT_MAX:
        return Unfit("not a list in one text")
    return sorted({each.strip() for each in remote.split(_separator(options)[1])} - {""})


def _to_json(value: Value, options: Options) -> RemoteValue | Unfit:
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return Unfit("not plain JSON")


def _from_json(remote: RemoteValue, options: Options) -> Value | Unfit:
    if not isinstance(remote, str):
        return remote
    try:
        return json.loads(remote) if len(remote) <= TEXT_MAX else Unfit("JSON that is too long")
    except (ValueError, RecursionError):
        return Unfit("not JSON")


# ---- Consent --------------------------------------------------------------------------------------------------------


def _state(value: Value) -> str | None:
    state = value.get("state") if isinstance(value, dict) else None
    return state if state in STATES else None


def _to_state(value: Value, options: Options) -> RemoteValue | Unfit:
    return _state(value) or Unfit("not a consent")


def _from_state(remote: RemoteValue, options: Options) -> Value | Unfit:
    word = str(remote).strip().lower()
    word = "not_subscribed" if word == "never_subscribed" else word
    return undated(word) if word in STATES else Unfit("not one of the words for a consent")


def _to_flag(value: Value, options: Options) -> RemoteValue | Unfit:
    state = _state(value)
    return Unfit("not a consent") if state is None else state == "subscribed"


def _from_flag(remote: RemoteValue, options: Options) -> Value | Unfit:
    said = truth(remote)
    return Unfit("neither true nor false") if said is None else undated("subscribed" if said else "unsubscribed")


def undated(state: str) -> dict[str, Any]:
    """A consent of which only the state was told."""
    return {"state": state, "level": None, "at": None}


# ---- All of them ----------------------------------------------------------------------------------------------------

_ALL = (
    Transform(name="same", help="As it is.", outward=_same, inward=_same),
    Transform(name="text", help="A whole number as a text.", outward=_to_text, inward=_from_text, makes="text"),
    Transform(
        name="integer", help="A text of digits as a whole number; not one that begins with zeros.",
        outward=_to_integer, inward=_from_integer, makes="integer",
    ),
    Transform(
        name="words", help="True and false as two words, `yes` and `no` if nothing else is said.",
        outward=_to_words, inward=_from_words, makes="text", options=("yes", "no"),
    ),
    Transform(
        name="lower", help="In small letters.", outward=_on_text(str.lower), inward=None, lossy=True, makes="text"
    ),
    Transform(name="upper", help="In capitals.", outward=_on_text(str.upper), inward=None, lossy=True, makes="text"),
    Transform(
        name="ascii", help="Without accents; what has no such form does not fit.",
        outward=_on_text(_ascii), inward=None, lossy=True, makes="text",
    ),
    Transform(
        name="first_word", help="The first word alone.",
        outward=_on_text(_first_word), inward=None, lossy=True, makes="text",
    ),
    Transform(
        name="digits", help="The digits alone.", outward=_on_text(_digits), inward=None, lossy=True, makes="text"
    ),
    Transform(
        name="e164", help="A phone number as +14155552671; numbers without a country code are read as of `country`.",
        outward=_e164, inward=_e164, makes="text", options=("country",),
    ),
    Transform(
        name="bare_e164", help="A phone number as 14155552671, without its plus.",
        outward=_to_bare_e164, inward=_from_bare_e164, makes="text",
    ),
    Transform(
        name="national_phone", help="A phone number as it is dialled in `country`; those of other countries with +.",
        outward=_to_national, inward=_e164, makes="text", options=("country",), needs=("country",),
    ),
    Transform(
        name="date", help="A date in `format`, YYYY-MM-DD if nothing else is said.",
        outward=_to_date, inward=_from_date, makes="date", options=("format",), choices={"format": dates.FORMATS},
    ),
    Transform(
        name="seconds", help="A time as seconds since 1970 in UTC.",
        outward=_to_seconds, inward=_from_seconds, makes="integer",
    ),
    Transform(
        name="joined", help="A list in one text, with `separator` between them, a comma if nothing else is said.",
        outward=_to_joined, inward=_from_joined, makes="text", options=("separator",),
    ),
    Transform(name="json", help="As JSON in one text.", outward=_to_json, inward=_from_json, makes="text"),
    Transform(
        name="consent_state", help="The state of a consent as one word; its time, level and source are not told.",
        outward=_to_state, inward=_from_state, lossy=True, makes="text",
    ),
    Transform(
        name="consent_flag", help="True for subscribed, false for everything else.",
        outward=_to_flag, inward=_from_flag, lossy=True, makes="boolean",
    ),
)  # fmt: skip

TRANSFORMS: Mapping[str, Transform] = {each.name: each for each in _ALL}
"""Every transform by its name."""
