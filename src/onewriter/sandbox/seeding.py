"""Makes a shop's customers from a seed: the same seed and number give the same customers, in the order of their ids."""

from collections.abc import Iterator
from random import Random
from typing import TypeVar

from onewriter.sandbox.customer import NEVER_ASKED, UNDECIDED, Address, Consent, Customer, Metafield
from onewriter.sandbox.names import AREA_CODES, COMPANIES, COUNTRIES, MAIL_DOMAINS, NOTES, TAGS, Country, Name

OPENED = 1_546_300_800  # 2019-01-01
SEEDED_UNTIL = 1_790_812_800  # 2026-10-01

# Shopify's ids are above 2^31 everywhere and above 2^53 in newer shops; a shop that grew up holds both.
OLD_IDS = 5_064_055_069_300
NEW_IDS = 7_064_055_069_303_700_000
ID_STEP = 32_769
OLD_SHARE = 0.7

LINES_AN_AREA = 10_000
T = TypeVar("T")
_DECKS = tuple(country for country in COUNTRIES for _ in range(country.weight))
_ODD_PHONES = ("{} {}-{}", "({}) {}-{}", "{}.{}.{}", "1-{}-{}-{}")


def customer_id(index: int, total: int) -> int:
    """The id of a seeded customer. Ids rise with the index."""
    old = int(total * OLD_SHARE)
    return OLD_IDS + index * ID_STEP if index < old else NEW_IDS + (index - old) * ID_STEP


def fictional_phone(index: int) -> tuple[str, str, str]:
    """The three parts of a number that nobody else in this shop has."""
    area = AREA_CODES[(index // LINES_AN_AREA) % len(AREA_CODES)]
    # A shop larger than all area codes together goes on with the exchanges after 555.
    exchange = 555 + index // (LINES_AN_AREA * len(AREA_CODES))
    return str(area), str(exchange), f"{index % LINES_AN_AREA:04d}"


def seeded(total: int, seed: int) -> Iterator[Customer]:
    rng = Random(f"{seed}/customers")
    for index in range(total):
        yield _customer(rng, index, total)


def _pick(rng: Random, items: tuple[T, ...]) -> T:
    # Much faster than Random.choice, and a large shop makes a dozen of these for each customer.
    return items[int(rng.random() * len(items))]


def _customer(rng: Random, index: int, total: int) -> Customer:
    country = _pick(rng, _DECKS)
    given, surname = _pick(rng, country.given), _pick(rng, country.surnames)
    number = customer_id(index, total)
    created = OPENED + (SEEDED_UNTIL - OPENED) * index // max(1, total)
    updated = created + int((SEEDED_UNTIL - created) * rng.random() ** 2)
    email = _email(rng, given, surname, index) if rng.random() < 0.97 else None
    phone = _phone(rng, index) if rng.random() < 0.6 or email is None else None
    orders = int(rng.random() ** 3 * 12)
    return Customer(
        id=number,
        created_at=created,
        updated_at=updated,
        first_name=given[0] if rng.random() < 0.96 else None,
        last_name=surname[0] if rng.random() < 0.94 else None,
        email=email,
        phone=phone,
        note=_pick(rng, NOTES) if rng.random() < 0.15 else None,
        locale=country.locale,
        state=_state(rng),
        tags=_tags(rng),
        addresses=_addresses(rng, country, given, surname, number, phone),
        metafields=_metafields(rng, number, created),
        verified_email=rng.random() < 0.9,
        tax_exempt=rng.random() < 0.02,
        orders=orders,
        spent_cents=orders * int(1_000 + rng.random() * 9_000),
        email_consent=_email_consent(rng, updated) if email else NEVER_ASKED,
        sms_consent=_phone_consent(rng, updated) if phone else NEVER_ASKED,
        whatsapp_consent=NEVER_ASKED,
    )


def _email(rng: Random, given: Name, surname: Name, index: int) -> str:
    local = f"{given[1]}.{surname[1]}{index}"
    chance = rng.random()
    if chance < 0.05:
        local = local.title()
    elif chance < 0.09:
        local = f"{local}+shop"
    return f"{local}@{_pick(rng, MAIL_DOMAINS)}"


def _phone(rng: Random, index: int) -> str:
    """Nine of ten are plain E.164; the rest were taken over from other systems as somebody once typed them."""
    area, exchange, line = fictional_phone(index)
    if rng.random() < 0.9:
        return f"+1{area}{exchange}{line}"
    return _pick(rng, _ODD_PHONES).format(area, exchange, line)


def _state(rng: Random) -> str:
    chance = rng.random()
    if chance < 0.55:
        return "DISABLED"
    if chance < 0.93:
        return "ENABLED"
    return "INVITED" if chance < 0.985 else "DECLINED"


def _tags(rng: Random) -> tuple[str, ...]:
    if rng.random() < 0.6:
        return ()
    picked = {_pick(rng, TAGS) for _ in range(1 + int(rng.random() * 3))}
    return tuple(sorted(picked))


def _addresses(
    rng: Random, country: Country, given: Name, surname: Name, number: int, phone: str | None
) -> tuple[Address, ...]:
    chance = rng.random()
    count = 0 if chance < 0.2 else 1 if chance < 0.8 else 2 if chance < 0.95 else 3
    return tuple(_address(rng, country, given, surname, number + 1 + place, phone) for place in range(count))


def _address(rng: Random, country: Country, given: Name, surname: Name, number: int, phone: str | None) -> Address:
    city, province, province_code = _pick(rng, country.cities)
    return Address(
        id=number,
        first_name=given[0],
        last_name=surname[0],
        company=_pick(rng, COMPANIES) if rng.random() < 0.08 else None,
        address1=f"{1 + int(rng.random() * 180)} {_pick(rng, country.streets)}",
        address2=f"Apt {1 + int(rng.random() * 40)}" if rng.random() < 0.2 else None,
        city=city,
        province=province,
        province_code=province_code,
        country=country.name,
        country_code=country.code,
        zip=_zip(rng, country.zip),
        phone=phone if rng.random() < 0.3 else None,
    )


def _zip(rng: Random, pattern: str) -> str | None:
    digits = iter(f"{int(rng.random() * 10_000_000):07d}")
    return "".join(next(digits) if letter == "#" else letter for letter in pattern) or None


def _metafields(rng: Random, number: int, created: int) -> tuple[Metafield, ...]:
    if rng.random() < 0.85:
        return ()
    birthday = f"{1950 + int(rng.random() * 55)}-{1 + int(rng.random() * 12):02d}-{1 + int(rng.random() * 28):02d}"
    tier = Metafield(number + 11, "loyalty", "tier", "single_line_text_field", "gold", created, created)
    return (Metafield(number + 10, "facts", "birth_date", "date", birthday, created, created), tier)


def _email_consent(rng: Random, updated: int) -> Consent:
    chance = rng.random()
    if chance < 0.45:
        return UNDECIDED
    if chance < 0.85:
        return Consent("SUBSCRIBED", "SINGLE_OPT_IN", updated, None)
    if chance < 0.93:
        return Consent("SUBSCRIBED", "CONFIRMED_OPT_IN", updated, None)
    return Consent("UNSUBSCRIBED" if chance < 0.98 else "PENDING", "CONFIRMED_OPT_IN", updated, None)


def _phone_consent(rng: Random, updated: int) -> Consent:
    if rng.random() < 0.8:
        return UNDECIDED
    return Consent("SUBSCRIBED", "SINGLE_OPT_IN", updated, "SHOPIFY")
