"""Canonical values: the same fact gives the same value, whether a delivery, a bulk line or a read told it.

Text loses the white space around it and its NUL characters (PostgreSQL cannot hold one), and empty text is None.
Messages name keys and never values.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from onewriter.errors import NotUnderstood
from onewriter.records import DAY, SECOND, Instant

ID_MAX = 2**63 - 1
"""Both databases hold ids as signed 64-bit integers."""

CUSTOMER = "gid://shopify/Customer/"
ADDRESS = "gid://shopify/MailingAddress/"

TEXT_MAX = 65_536
"""Characters. Shopify's longest customer text, the note, ends at 5,000; anything near this is not a customer's text."""

ADDRESS_TEXTS = (
    "first_name",
    "last_name",
    "company",
    "address1",
    "address2",
    "city",
    "province_code",
    "country_code",
    "zip",
    "phone",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = "never_subscribed"


def record_number(value: int | str, prefix: str = CUSTOMER, key: str = "id") -> int:
    """The number in an id: a JSON number, digits, or digits behind `prefix`; NotUnderstood for anything else.

    Shopify writes some ids with a tail (`?model_name=CustomerAddress`), which is not part of the identity.
    """
    if isinstance(value, str):
        digits = value.removeprefix(prefix)
        if "?" in digits and digits is not value:
            digits = digits.partition("?")[0]
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
            raise NotUnderstood(f"{key} is not an id of the expected kind.")
        value = int(digits)
    if not 1 <= value <= ID_MAX:
        raise NotUnderstood(f"{key} is outside the range of Shopify's ids.")
    return value


def moment(value: datetime) -> Instant:
    """The instant of an aware datetime; several times faster than by way of a float, and exact."""
    since = value - _EPOCH
    return since.days * DAY + since.seconds * SECOND + since.microseconds


def text(value: str | None, key: str) -> str | None:
    """Text without NUL characters and outer white space, or None if nothing is left.

    NotUnderstood above TEXT_MAX characters, and for a lone surrogate, which no database and no digest can hold.
    """
    if value is None:
        return None
    if len(value) > TEXT_MAX:
        raise NotUnderstood(f"{key} is longer than {TEXT_MAX} characters.")
    if not value.isascii():
        _no_lone_surrogate(value, key)
    if "\0" in value:
        value = value.replace("\0", "")
    return value.strip() or None


def _no_lone_surrogate(value: str, key: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotUnderstood(f"{key} holds half a character (a lone surrogate).") from None


@lru_cache(maxsize=256)
def lower(value: str | None, key: str) -> str | None:
    """A word of an enum; deliveries write it in lower case and the API in upper case.

    Remembered, since a file of a million customers has a dozen such words.
    """
    word = text(value, key)
    return None if word is None else word.lower()


def tags(values: Iterable[str]) -> list[str] | None:
    """The tags, each once and sorted by code point; None if there are none."""
    found = {tag for value in values if (tag := text(value, "tags")) is not None}
    return sorted(found) or None


def consent(state: str | None, level: str | None, at: datetime | None, key: str) -> dict[str, Any] | None:
    """What a customer agreed to on one channel: `state`, `level` (or None) and `at` (an instant or None).

    The newer consent blocks say NEVER_SUBSCRIBED where the older fields say NOT_SUBSCRIBED; here both are the latter.
    """
    word = lower(state, key)
    if word is None:
        return None
    return {
        "state": "not_subscribed" if word == _NEVER else word,
        "level": lower(level, key),
        "at": None if at is None else moment(at),
    }


def address(number: int, texts: Sequence[str | None], default: bool) -> dict[str, Any]:
    """One address: `id`, the filled ones of ADDRESS_TEXTS (whose order `texts` has), and `default`."""
    together = "".join(filter(None, texts))
    if len(together) > TEXT_MAX or "\0" in together or not together.isascii():
        texts = [text(value, "addresses") for value in texts]
    entry: dict[str, Any] = {"id": number}
    # One look at all texts together has shown that stripping is all that is left to do.
    for key, value in zip(ADDRESS_TEXTS, texts, strict=True):
        if value and (stripped := value.strip()):
            entry[key] = stripped
    entry["default"] = default
    return entry


def addresses(entries: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """The addresses sorted by id, since neither a delivery nor a read promises an order; None if there are none."""
    if len(entries) > 1:
        entries.sort(key=lambda entry: entry["id"])
    return entries or None
