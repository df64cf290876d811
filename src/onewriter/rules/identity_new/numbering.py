"""The phone library: the one place that knows which one is there.

`rphonenumbers` is the same library in Rust, an optional extra (`onewriter[fast]`) that answers alike and several times
faster. Where it is missing, or answers by other metadata, the one in Python answers.
"""

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import phonenumbers


def _fastest() -> ModuleType:
    try:
        import rphonenumbers
    except ImportError:
        return phonenumbers
    return rphonenumbers


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

    @property
    def written(self) -> str:
        """The key, as what nobody had to repair is written."""
        return self.key


def is_supported(region: str | None) -> bool:
    """True for a country whose numbers are known."""
    return region in phonenumbers.SUPPORTED_REGIONS


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
