"""The phone library: the one place that knows which one is there.

`rphonenumbers` is the same library in Rust, an optional extra (`onewriter[fast]`) and several times faster. It answers
only if its metadata are of the very version that the library in Python has: a number that is valid by one version and
not by another would have two keys, and what is kept under one is not found under the other.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

import phonenumbers


def _fastest() -> ModuleType:
    try:
        found = import_module("rphonenumbers")
    except ImportError:
        return phonenumbers
    return found if is_the_same(found) else phonenumbers


def is_the_same(other: ModuleType) -> bool:
    """True if the other library knows numbers as the one in Python does."""
    return getattr(other, "__phonenumbers_version__", None) == phonenumbers.__version__


library: Any = _fastest()
"""What answers here."""

_SHARED = frozenset(
    int(getattr(library.PhoneNumberType, name))
    for name in ("TOLL_FREE", "PREMIUM_RATE", "SHARED_COST", "UAN", "PAGER", "VOICEMAIL")
)
_UNKNOWN = int(library.PhoneNumberType.UNKNOWN)
_E164 = library.PhoneNumberFormat.E164


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was read, by its E.164 form without extension."""

    e164: str
    extension: str | None
    is_valid: bool = False
    is_possible: bool = False
    is_shared: bool = False
    """Whether it belongs to a service rather than to somebody: toll-free, premium, a company's one number."""
    national: str = field(default="", compare=False)
    """The digits after the country code, without zeros before them."""

    @property
    def key(self) -> str:
        """The number and its extension, which is part of it."""
        return f"{self.e164};ext={self.extension}" if self.extension else self.e164


def is_supported(region: str | None) -> bool:
    """True for a country whose numbers are known."""
    return region in phonenumbers.SUPPORTED_REGIONS


@lru_cache(maxsize=512)
def own_code(region: str) -> str | None:
    """The country code of a country whose national numbers begin with a 0, so that digits without one can have lost a
    plus; None for any other country."""
    known = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if known is None or known.national_prefix != "0":
        return None
    return str(phonenumbers.country_code_for_region(region))


def parsed(text: str, region: str | None) -> Number | None:
    """The number by the library; None where it cannot read one."""
    try:
        number = library.parse(text, region)
    except library.NumberParseException:
        return None
    kind = int(library.number_type(number))
    is_valid = kind != _UNKNOWN
    return Number(
        library.format_number(number, _E164),
        number.extension or None,
        is_valid,
        is_valid or library.is_possible_number(number),
        kind in _SHARED,
        str(number.national_number),
    )


def example(region: str | None) -> tuple[str, str] | None:
    """A made-up mobile number of a country, as it is dialled there and in E.164; None for a country without one."""
    if not is_supported(region):
        return None
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if number is None:
        return None
    dialled = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return dialled, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
