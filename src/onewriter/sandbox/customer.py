"""What a shop holds of a customer. Records are frozen: a write makes a new one, and a snapshot is a list of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

# The shop keeps one offset all year, so that a payload's offset never depends on a time zone database.
SHOP_ZONE = timezone(timedelta(hours=-5))
SHOP_ZONE_NAME = "America/Panama"


class Consent(NamedTuple):
    """One marketing channel. `at` is in seconds since 1970, None when nobody ever decided."""

    state: str
    level: str | None
    at: int | None
    collected_from: str | None


NEVER_ASKED = Consent("NOT_SUBSCRIBED", None, None, None)
UNDECIDED = Consent("NOT_SUBSCRIBED", "SINGLE_OPT_IN", None, "OTHER")


@dataclass(frozen=True, slots=True)
class Address:
    id: int
    first_name: str | None
    last_name: str | None
    company: str | None
    address1: str | None
    address2: str | None
    city: str | None
    province: str | None
    province_code: str | None
    country: str | None
    country_code: str | None
    zip: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Metafield:
    id: int
    namespace: str
    key: str
    type: str
    value: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer. Times are whole seconds since 1970; the first address is the default one."""

    id: int
    created_at: int
    updated_at: int
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    note: str | None = None
    locale: str = "en"
    state: str = "DISABLED"
    tags: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    metafields: tuple[Metafield, ...] = ()
    verified_email: bool = True
    tax_exempt: bool = False
    orders: int = 0
    spent_cents: int = 0
    email_consent: Consent = NEVER_ASKED
    sms_consent: Consent = NEVER_ASKED
    whatsapp_consent: Consent = NEVER_ASKED

    @property
    def display_name(self) -> str:
        name = " ".join(part for part in (self.first_name, self.last_name) if part)
        return name or self.email or self.phone or ""


def gid(kind: str, number: object) -> str:
    return f"gid://shopify/{kind}/{number}"


def number_of(kind: str, identifier: int | str) -> int | None:
    """The number in `gid://shopify/<kind>/<number>`; a bare number is taken as it is. None for any other text."""
    text = str(identifier).removeprefix(f"gid://shopify/{kind}/")
    return int(text) if text.isascii() and text.isdigit() else None


@lru_cache(maxsize=8192)
def _day(days: int) -> str:
    return datetime.fromtimestamp(days * 86_400, UTC).strftime("%Y-%m-%dT")


def utc_text(seconds: int) -> str:
    """A time as the Admin API writes it; the date is remembered, since bulk files hold millions of times."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    return f"{_day(days)}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}Z"


def shop_text(seconds: int) -> str:
    """A time as webhook payloads write it: whole seconds and the shop's offset."""
    return datetime.fromtimestamp(seconds, SHOP_ZONE).isoformat()


def consent_text(seconds: int | None) -> str | None:
    return None if seconds is None else shop_text(seconds)
