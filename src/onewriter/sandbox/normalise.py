"""What the shop makes of a value before it keeps it, and what it refuses."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from onewriter.sandbox.customer import Address, number_of
from onewriter.sandbox.names import COUNTRY_NAMES

TAGS_MAX = 250
NOTE_MAX = 5_000
TEXT_MAX = 255
STATES = ("DECLINED", "DISABLED", "ENABLED", "INVITED")

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_NOT_DIGITS = re.compile(r"[\s().\-/]")
_E164 = re.compile(r"\+[1-9]\d{6,14}")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One user error: where in the input, and in Shopify's words what is wrong."""

    field: tuple[str, ...] | None
    message: str
    code: str | None = None


class Refused(Exception):
    """The shop did not take a write. `mistakes` says why."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("; ".join(mistake.message for mistake in mistakes))
        self.mistakes = mistakes


def email(value: str | None) -> str | None:
    """Blanks go, case stays; empty is none."""
    text = re.sub(r"\s", "", value or "")
    if not text:
        return None
    if len(text) > TEXT_MAX:
        raise Refused(Mistake(("email",), f"Email is too long (maximum is {TEXT_MAX} characters)"))
    if not _EMAIL.fullmatch(text):
        raise Refused(Mistake(("email",), "Email is invalid"))
    return text


def email_key(value: str) -> str:
    """Two emails that differ in case alone are one to the shop."""
    return value.casefold()


def phone(value: str | None) -> str | None:
    """E.164, where ten digits without a country are taken as a number of the shop's own country."""
    text = _NOT_DIGITS.sub("", value or "")
    if not text:
        return None
    if not text.startswith("+"):
        text = f"+1{text}" if len(text) == 10 else f"+{text}"
    if not _E164.fullmatch(text):
        raise Refused(Mistake(("phone",), "Phone is invalid"))
    return text


def phone_key(value: str) -> str:
    """Compares numbers that older imports left in other forms than E.164."""
    digits = re.sub(r"\D", "", value)
    return f"1{digits}" if len(digits) == 10 else digits


def tags(values: Iterable[str]) -> tuple[str, ...]:
    """Split at commas, trimmed, once each whatever the case (the first spelling stays), sorted."""
    kept = all_tags(values)
    if len(kept) > TAGS_MAX:
        raise Refused(Mistake(("tags",), f"Customers must have {TAGS_MAX} tags or less."))
    return kept


def all_tags(values: Iterable[str]) -> tuple[str, ...]:
    """The same, however many they are."""
    kept: dict[str, str] = {}
    for value in values:
        for tag in value.split(","):
            if tag.strip():
                kept.setdefault(tag.strip().casefold(), tag.strip())
    return tuple(sorted(kept.values()))


def note(value: str | None) -> str | None:
    if value and len(value) > NOTE_MAX:
        raise Refused(Mistake(("note",), f"Note is too long (maximum is {NOTE_MAX} characters)"))
    return value or None


def name(field: str, value: str | None) -> str | None:
    text = (value or "").strip()
    if len(text) > TEXT_MAX:
        title = "First name" if field == "first_name" else "Last name"
        raise Refused(Mistake((camel(field),), f"{title} is too long (maximum is {TEXT_MAX} characters)"))
    return text or None


def state(value: str) -> str:
    if value.upper() not in STATES:
        raise Refused(Mistake(("state",), "State is invalid"))
    return value.upper()


def addresses(
    values: Iterable[Mapping[str, Any] | Address], present: tuple[Address, ...], ids: Any
) -> tuple[Address, ...]:
    """Address inputs as addresses. One that names the id of a present address keeps it; the others get new ids."""
    known = {address.id for address in present}
    return tuple(each if isinstance(each, Address) else _address(each, known, ids) for each in values)


def _address(value: Mapping[str, Any], known: set[int], ids: Any) -> Address:
    fields = {snake(key): text for key, text in value.items()}
    asked = number_of("MailingAddress", str(fields.pop("id", None) or "").partition("?")[0])
    number = asked if asked in known and asked is not None else next(ids)
    texts = {key: fields.get(key) or None for key in Address.__slots__ if key != "id"}
    # The API takes a code and answers with a name too; a country that the sandbox has no name for keeps its code.
    code = texts["country_code"]
    return Address(id=number, **texts | {"country": texts["country"] or COUNTRY_NAMES.get(code or "", code)})


CLEANERS: dict[str, Callable[[Any], Any]] = {
    "email": email,
    "phone": phone,
    "note": note,
    "tags": tags,
    "state": state,
    "first_name": lambda value: name("first_name", value),
    "last_name": lambda value: name("last_name", value),
    "locale": lambda value: value or "en",
    "tax_exempt": bool,
    "verified_email": bool,
    "orders": int,
}


def clean(fields: Mapping[str, Any], present: tuple[Address, ...], ids: "count[int]") -> dict[str, Any]:
    """Every given field as the shop keeps it. All mistakes make one Refused; an unknown field is a KeyError."""
    cleaned: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for field, value in fields.items():
        try:
            cleaned[field] = addresses(value, present, ids) if field == "addresses" else CLEANERS[field](value)
        except Refused as refused:
            mistakes.extend(refused.mistakes)
    if mistakes:
        raise Refused(*mistakes)
    return cleaned


def snake(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", text).lower()


def camel(text: str) -> str:
    head, *rest = text.split("_")
    return head + "".join(part.title() for part in rest)
