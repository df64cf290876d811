"""Strangers: records of connected systems as they are compared with customers, and the tokens they are found by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import names
from onewriter.customers.remote import Remote
from onewriter.records import SHOPIFY, Instant, Value, iso
from onewriter.rules import mapping
from onewriter.rules.identity import Person, Prepared, prepare
from onewriter.rules.mapping import Unfit
from onewriter.rules.policy import SHOPIFY_ID, Policy
from onewriter.vault.indexkeys import IndexKey
from onewriter.vault.vault import ShopVault

BIRTHDAYS = ("custom.birthday", "custom.birth_date", "custom.date_of_birth", "custom.dob")
"""Custom attributes that hold a date of birth, which can only speak against a link."""
_COUNTRY = "address.country_code"
_WRITTEN = frozenset({"email", "phone", "first_name", "last_name"})
"""What is compared as it is written, so that it can be told when a difference is one of format alone."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A record that belongs to nobody yet."""

    name: str
    """The id's keyed name."""
    id: str
    told: Mapping[str, Any]
    """What it says, by our names of the fields, in the system's own form."""
    created: Instant | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A record or a customer as it is compared, with the values that are told apart by how they are written."""

    name: str
    prepared: Prepared
    number: int | None
    """The id of the Shopify customer that it is, or says that it is."""
    written: Mapping[str, str | None]


def of_remote(policy: Policy, one: Remote) -> Stranger:
    """A side that we hold, as a stranger."""
    told = {
        name: one.fields[each.remote] for name, each in policy.maps(one.system).items() if each.remote in one.fields
    }
    return Stranger(one.name, one.id, told, one.created)


def of_side(policy: Policy, one: Remote, region: str | None) -> Known:
    """A side that we hold, as it is compared."""
    return known(policy, one.system, of_remote(policy, one), region)


def known(policy: Policy, system: str, stranger: Stranger, region: str | None) -> Known:
    """A stranger as it is compared. `region` is the shop's country."""
    told = {name: _value(policy, system, name, remote, region) for name, remote in stranger.told.items()}
    number = _text(told.get(SHOPIFY_ID))
    person = _person(stranger.name, system, number, told, iso(stranger.created))
    return _known(person, region, told)


def of_customer(identity: bytes, number: int | None, own: Mapping[str, Value], region: str | None) -> Known:
    """A customer as it is compared, by the owner's value of each field."""
    names = (*_WRITTEN, _COUNTRY, *BIRTHDAYS)
    told = {name: mapping.own_value(name, own) for name in names}
    person = _person(identity.hex(), SHOPIFY, None if number is None else str(number), told, None)
    return _known(person, region, told)


def index(db: Connection, vault: ShopVault, policy: Policy, remotes: Iterable[Remote], now: Instant) -> None:
    """Have records found by the address and the number that they have now; the caller saves them.

    Those that are linked too: by them is counted how many share a value.
    """
    key = names.current_key(db, vault, now)
    for each in remotes:
        put_tokens(key, each, of_side(policy, each, vault.region))


def put_tokens(key: IndexKey, one: Remote, known: Known) -> None:
    """Have a record found by its address and its number; of a value that is nobody's there is no token."""
    email, phone = known.prepared.email, known.prepared.phone
    one.email_token = _token(key, "email", email.tight, email.strength)
    one.phone_token = _token(key, "phone", phone.tight, phone.strength)
    one.index_version = key.version


def _token(key: IndexKey, kind: str, tight: str | None, strength: str) -> bytes | None:
    return None if tight is None or strength == "blocked" else key.token(kind, tight)


def _value(policy: Policy, system: str, name: str, remote: Any, region: str | None) -> Any:
    """What a record says in a field: as it stands there, unless only its transform can tell what that means."""
    each = policy.maps(system).get(name)
    if each is None or (each.transform == "same" and each.enum is None):
        return remote
    value = mapping.inward(name, each, remote, region=region, namespaces=policy.namespaces)
    return remote if isinstance(value, Unfit) else value


def _person(name: str, system: str, number: str | None, told: Mapping[str, Any], created: str | None) -> Person:
    born = next((text for each in BIRTHDAYS if (text := _text(told.get(each))) is not None), None)
    return Person(
        record_id=name,
        system=system,
        shopify_id=number,
        email=_text(told.get("email")),
        phone=_text(told.get("phone")),
        first_name=_text(told.get("first_name")),
        last_name=_text(told.get("last_name")),
        country=_text(told.get(_COUNTRY)),
        dob=born,
        created_at=created,
        live=False,
    )


def _known(person: Person, region: str | None, told: Mapping[str, Any]) -> Known:
    prepared = prepare(person, region)
    own = [each.partition(":")[2] for each in prepared.ids if each.startswith(f"{SHOPIFY}:")]
    number = int(own[0]) if own and own[0].isascii() and own[0].isdecimal() and len(own[0]) <= 18 else None
    return Known(person.record_id, prepared, number, {name: _text(told.get(name)) for name in _WRITTEN})


def _text(value: Any) -> str | None:
    """What stands in a field, as text; lists and the like say nothing of who somebody is."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)
