"""The programme as a file: TOML in, rules out, and back.

Nothing is guessed: an unknown key, a number out of its bounds or a word that is not known refuses the whole file, in
one sentence that names the key and what it must be. A section that is absent is off.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from onewriter.errors import BadSetting
from onewriter.records import Money
from onewriter.rules.earning import UNIT, Basis, Expiry, Gift, OrderRule, Programme, Rounding, When
from onewriter.rules.toml_text import CONTROL, document, listed, quoted, shown, unknown

FILE_BYTES_MAX = 65_536
POINTS_MAX = 1_000_000
DAYS_MAX = 3_650
CUSTOM_MAX = 50
TAGS_MAX = 50
TAG_LENGTH_MAX = 255
"""Shopify's own limit of a tag's length."""
TAG_SHAPE = f"1 to {TAG_LENGTH_MAX} letters without a comma"
PER_UNIT_MAX = Decimal(1_000_000)
MINIMUM_MAX = Decimal(1_000_000_000)
SMALLEST = Decimal("0.000001")
"""What a decimal may not be finer than: the ledger counts money in millionths."""

CURRENCY = re.compile(r"[A-Z]{3}")
CUSTOM_NAME = re.compile(r"[a-z0-9_-]{1,40}")
PLAIN_DECIMAL = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?")

TOP = ("currency", "signup", "newsletter", "order", "custom", "expiry", "exclude")
GIFT = ("points", "pending_days")
ORDER = ("on", "points_per_unit", "amount", "rounding", "minimum", "pending_days")
EXPIRY = ("after_days", "inactivity_days", "inactivity_by_tag")

Word = TypeVar("Word", bound=StrEnum)


class BadProgramme(BadSetting):
    """The file of a programme cannot be read; the message names the key and what it must be."""


def parse(text: str) -> Programme:
    """The programme that a TOML text sets; raises BadProgramme for whatever is not right in it."""
    top = _Section("", document(text, "A programme", FILE_BYTES_MAX, BadProgramme), TOP)
    return Programme(
        currency=_currency(top),
        signup=_gift(top.section("signup", (*GIFT, "requires_account"))),
        newsletter=_gift(top.section("newsletter", GIFT)),
        order=_order(top.section("order", ORDER)),
        custom=_custom(top.section("custom", None)),
        expiry=_expiry(top.section("expiry", EXPIRY)),
        excluded_tags=_excluded(top.section("exclude", ("tags",))),
    )


def to_toml(programme: Programme) -> str:
    """The file that sets just these rules; reading it gives them back."""
    return "\n".join(_lines(programme)) + "\n"


# ---- Reading --------------------------------------------------------------------------------------------------------


class _Section:
    """One section of the file; its values are taken by name, each with a check."""

    def __init__(self, path: str, given: Any, known: Collection[str] | None) -> None:
        if not isinstance(given, dict):
            raise BadProgramme(f"{path} must be a section, which begins with a line [{path}].")
        self.path = path
        self.values: dict[str, Any] = given
        for name in given:
            if known is not None and name not in known:
                raise BadProgramme(unknown(self.key(name), name, known, "a programme"))

    def key(self, name: str) -> str:
        """The name of a value as a person finds it in the file."""
        written = shown(name, CUSTOM_NAME)
        return f"{self.path}.{written}" if self.path else written

    def refuse(self, name: str, expected: str) -> BadProgramme:
        """The error that says what a value must be."""
        return BadProgramme(f"{self.key(name)} must be {expected}.")

    def section(self, name: str, known: Collection[str] | None) -> "_Section | None":
        """A section within; None when it is absent."""
        return _Section(self.key(name), self.values[name], known) if name in self.values else None

    def number(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number within bounds; without a default it must be there."""
        value = self.values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.refuse(name, f"a whole number from {least:,} to {most:,}")
        return value

    def days(self, name: str) -> int | None:
        """A number of days until something ends; None when it is absent."""
        return self.number(name, 1, DAYS_MAX) if name in self.values else None

    def flag(self, name: str) -> bool:
        """True or false; false when it is absent."""
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise self.refuse(name, "true or false")
        return value

    def word(self, name: str, words: type[Word], default: Word) -> Word:
        """One of some words."""
        value = self.values.get(name, default.value)
        if not isinstance(value, str) or value not in {word.value for word in words}:
            raise self.refuse(name, listed([word.value for word in words], "or"))
        return words(value)

    def decimal(self, name: str, most: Decimal, default: str | None = None) -> Decimal:
        """A number that is kept exactly as it is written, given as one or in quotes; never below zero."""
        value = _exact(self.values.get(name, default))
        within = value is not None and 0 <= value <= most and (value > 0 or default is not None)
        if value is None or not within or value != value.quantize(SMALLEST):
            least = "above 0 and up to" if default is None else "from 0 to"
            raise self.refuse(name, f'a number {least} {most:,} with at most 6 decimals, such as "1.5"')
        return value


def _exact(value: Any) -> Decimal | None:
    if isinstance(value, str):
        return Decimal(value) if PLAIN_DECIMAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() else None


def _currency(top: _Section) -> str:
    currency = top.values.get("currency")
    if not isinstance(currency, str) or CURRENCY.fullmatch(currency) is None:
        raise top.refuse("currency", 'three capital letters, such as "EUR"')
    return currency


def _gift(section: _Section | None) -> Gift | None:
    if section is None:
        return None
    return Gift(
        points=section.number("points", 1, POINTS_MAX),
        pending_days=section.number("pending_days", 0, DAYS_MAX, 0),
        requires_account=section.flag("requires_account"),
    )


def _order(section: _Section | None) -> OrderRule | None:
    if section is None:
        return None
    per_unit = section.decimal("points_per_unit", PER_UNIT_MAX)
    return OrderRule(
        points_per_unit=per_unit,
        on=section.word("on", When, When.PAID),
        basis=section.word("amount", Basis, Basis.TOTAL),
        rounding=section.word("rounding", Rounding, Rounding.DOWN),
        minimum=int(section.decimal("minimum", MINIMUM_MAX, "0") * UNIT),
        pending_days=section.number("pending_days", 0, DAYS_MAX, 0),
    )


def _custom(section: _Section | None) -> dict[str, Gift]:
    if section is None:
        return {}
    if len(section.values) > CUSTOM_MAX:
        raise BadProgramme(f"custom must be at most {CUSTOM_MAX} rules.")
    rules: dict[str, Gift] = {}
    for name in section.values:
        if CUSTOM_NAME.fullmatch(name) is None:
            raise section.refuse(name, "named with 1 to 40 of the letters a to z, digits, - and _")
        gift = _gift(section.section(name, GIFT))
        assert gift is not None
        rules[name] = gift
    return rules


def _expiry(section: _Section | None) -> Expiry:
    if section is None:
        return Expiry()
    by_tag = section.section("inactivity_by_tag", None)
    return Expiry(
        after_days=section.days("after_days"),
        inactivity_days=section.days("inactivity_days"),
        inactivity_by_tag={} if by_tag is None else _by_tag(by_tag),
    )


def _by_tag(section: _Section) -> dict[str, int]:
    if len(section.values) > TAGS_MAX:
        raise BadProgramme(f"{section.path} must be at most {TAGS_MAX} tags.")
    days: dict[str, int] = {}
    for name in section.values:
        tag = _tag(name)
        if tag is None:
            raise section.refuse(name, f"a tag of {TAG_SHAPE}")
        if tag in days:
            raise section.refuse(name, "there once: tags are the same in capitals and small letters")
        days[tag] = section.number(name, 1, DAYS_MAX)
    return days


def _excluded(section: _Section | None) -> frozenset[str]:
    if section is None:
        return frozenset()
    given = section.values.get("tags", [])
    tags = [_tag(each) for each in given] if isinstance(given, list) else [None]
    if None in tags or len(tags) > TAGS_MAX:
        raise section.refuse("tags", f'a list of at most {TAGS_MAX} tags such as ["staff"], each of {TAG_SHAPE}')
    return frozenset(tag for tag in tags if tag is not None)


def _tag(value: Any) -> str | None:
    """A tag in lower case, without blanks around it; None for what cannot be one."""
    tag = value.strip().lower() if isinstance(value, str) else ""
    return tag if tag and len(tag) <= TAG_LENGTH_MAX and "," not in tag and not CONTROL.search(tag) else None


# ---- Writing --------------------------------------------------------------------------------------------------------


def _lines(programme: Programme) -> Iterator[str]:
    yield f"currency = {quoted(programme.currency)}"
    if programme.signup is not None:
        yield from ("", "[signup]", *_of_gift(programme.signup))
        yield f"requires_account = {str(programme.signup.requires_account).lower()}"
    if programme.newsletter is not None:
        yield from ("", "[newsletter]", *_of_gift(programme.newsletter))
    if programme.order is not None:
        yield from ("", "[order]", *_of_order(programme.order))
    for name, gift in programme.custom.items():
        yield from ("", f"[custom.{name}]", *_of_gift(gift))
    if programme.expiry != Expiry():
        yield from ("", "[expiry]", *_of_expiry(programme.expiry))
    if programme.excluded_tags:
        yield from ("", "[exclude]", f"tags = [{', '.join(map(quoted, sorted(programme.excluded_tags)))}]")


def _of_gift(gift: Gift) -> Iterator[str]:
    yield f"points = {gift.points}"
    yield f"pending_days = {gift.pending_days}"


def _of_order(rule: OrderRule) -> Iterator[str]:
    yield f'on = "{rule.on.value}"'
    yield f'points_per_unit = "{decimal_text(rule.points_per_unit)}"'
    yield f'amount = "{rule.basis.value}"'
    yield f'rounding = "{rule.rounding.value}"'
    yield f'minimum = "{money_text(rule.minimum)}"'
    yield f"pending_days = {rule.pending_days}"


def _of_expiry(expiry: Expiry) -> Iterator[str]:
    if expiry.after_days is not None:
        yield f"after_days = {expiry.after_days}"
    if expiry.inactivity_days is not None:
        yield f"inactivity_days = {expiry.inactivity_days}"
    if expiry.inactivity_by_tag:
        yield from ("", "[expiry.inactivity_by_tag]", *_of_tags(expiry.inactivity_by_tag))


def _of_tags(days: Mapping[str, int]) -> Iterator[str]:
    for tag in sorted(days):
        yield f"{quoted(tag)} = {days[tag]}"


def decimal_text(number: Decimal) -> str:
    """A decimal without an exponent and without zeros at its end."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def money_text(amount: Money) -> str:
    """An amount with at least two decimals."""
    text = format(Decimal(amount) / UNIT, ".6f").rstrip("0")
    whole, _, part = text.partition(".")
    return f"{whole}.{part.ljust(2, '0')}"
