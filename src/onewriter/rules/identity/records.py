"""Records of people: raw, as some system holds them, and prepared, as they are compared."""

import re
from dataclasses import dataclass

from onewriter.rules.identity.emails import NO_EMAIL, Email, read_email
from onewriter.rules.identity.ids import scoped
from onewriter.rules.identity.people import NO_NAME, Name, name_of
from onewriter.rules.identity.phones import NO_PHONE, Phone, read_phone
from onewriter.rules.identity.regions import region_of

SHOPIFY = "shopify"
LIVE_KINDS = frozenset({"account", "enabled", "registered", "active", "member", "login", "user"})
"""Words for a record that somebody can sign in to."""

_DATE = re.compile(
    r"(\d{4})[-/.年]\s?(\d{1,2})[-/.月]\s?(\d{1,2})日?(?:[T ].*)?|(\d{8})|"
    r"(\d{1,2})([-/.])\s?(\d{1,2})\6\s?(\d{4})(?:[T ].*)?"
)
_NO_DATES = frozenset(
    {(1900, 1, 1), (1970, 1, 1), (1901, 1, 1), (1800, 1, 1), (9999, 12, 31), (1899, 12, 30), (2000, 1, 1)}
)
"""What systems write where there is no date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What some system says of one person; every value raw."""

    record_id: str
    system: str | None = None
    account: str | None = None
    """What kind of record it is: account, guest, crm, pos ..."""
    shopify_id: str | None = None
    system_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    address1: str | None = None
    city: str | None = None
    zip: str | None = None
    country: str | None = None
    dob: str | None = None
    created_at: str | None = None
    region: str | None = None
    """The country of numbers without one, where the address says none."""
    live: bool | None = None
    """Whether somebody can sign in to it; None to tell it by `account`."""
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record as it is compared: keys in canonical form, and what can speak against a link."""

    record_id: str
    ids: tuple[str, ...] = ()
    """Each with its scope, the record's own first."""
    email: Email = NO_EMAIL
    phone: Phone = NO_PHONE
    name: Name = NO_NAME
    dob: frozenset[tuple[int, int, int]] = frozenset()
    """The days that the date of birth can mean; none if it is not known."""
    is_live: bool = False
    redacted: bool = False


def prepare(person: Person, region: str | None = None) -> Prepared:
    """The record as it is compared; `region` is the shop's country, for numbers of whom nothing nearer is known."""
    country = region_of(person.country) or region_of(person.region) or region_of(region)
    live = person.live
    if live is None:
        live = (person.account or "").strip().lower() in LIVE_KINDS
    return Prepared(
        person.record_id,
        _ids(person),
        read_email(person.email) if person.email else NO_EMAIL,
        read_phone(person.phone, country) if person.phone else NO_PHONE,
        name_of(person.first_name, person.last_name),
        birth_days(person.dob) if person.dob else frozenset(),
        live,
        person.redacted,
    )


def _ids(person: Person) -> tuple[str, ...]:
    system = (person.system or "").strip().lower()
    of_shopify = scoped(SHOPIFY, person.shopify_id) if person.shopify_id else None
    own = scoped(system, person.system_id) if person.system_id and system else None
    if system == SHOPIFY and of_shopify is not None:
        return (of_shopify,)
    return tuple(each for each in (own, of_shopify) if each is not None)


def birth_days(raw: str) -> frozenset[tuple[int, int, int]]:
    """The days that a date can mean: 03/04/1980 is one of two, and a default date is none."""
    found = _DATE.fullmatch(raw.strip())
    if found is None:
        return frozenset()
    if found[1]:
        days = [(int(found[1]), int(found[2]), int(found[3]))]
    elif found[4]:
        days = [(int(raw.strip()[:4]), int(raw.strip()[4:6]), int(raw.strip()[6:]))]
    else:
        one, other, year = int(found[5]), int(found[7]), int(found[8])
        # A point stands between day and month in every country that writes one; a stroke in some the other way round.
        days = [(year, other, one)] if found[6] == "." else [(year, other, one), (year, one, other)]
    fine = frozenset(day for day in days if 1 <= day[1] <= 12 and 1 <= day[2] <= 31)
    return frozenset() if fine & _NO_DATES else fine
