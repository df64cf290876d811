"""What a customer of Shopify's is made of as far as it is written: fields, how each is read, and what each refuses.

Remote values are those that deliveries and reads give us, so that what comes back from a write compares with what is
kept. Points and custom attributes are metafields; a namespace that begins with `$app:` is our app's own, and Shopify
lets no other app write it.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from onewriter.connectors.interface import Record, Rejected, RemoteField, RemoteValue
from onewriter.errors import NotUnderstood
from onewriter.records import SECOND, iso
from onewriter.rules.consent import LEVELS, writable_to_shopify
from onewriter.rules.policy import CONSENTS, CUSTOM, POINTS, TAGS, is_namespace, prefix_of
from onewriter.rules.tags import split_tags
from onewriter.rules.transforms import Unfit
from onewriter.shopify.canonical import record_number
from onewriter.shopify.payloads import change_from_node

POINTS_NAMESPACE = "$app:onewriter"
METAFIELD_NAME = re.compile(r"[A-Za-z0-9_-]{2,64}")
METAFIELD_MAX = 65_536
TAG_MAX = 255
ADDRESSES_MAX = 10
"""How many addresses of a customer are read. A longer list is not written, since the rest of it would be lost."""

TEXTS = {
    "first_name": ("firstName", 255),
    "last_name": ("lastName", 255),
    "email": ("email", 255),
    "phone": ("phone", 255),
    "note": ("note", 5_000),
    "locale": ("locale", 35),
}
"""What `customerUpdate` calls each text, and how many characters it takes."""

_CONSENT = "marketingState marketingOptInLevel marketingUpdatedAt"
_ADDRESS = "id firstName lastName company address1 address2 city provinceCode countryCodeV2 zip phone"
SELECTED = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "defaultEmailAddress { emailAddress }",
    "phone": "defaultPhoneNumber { phoneNumber }",
    "note": "note",
    "locale": "locale",
    "state": "state",
    "tags": "tags",
    "addresses": f"defaultAddress {{ id }} addresses(first: {ADDRESSES_MAX}) {{ {_ADDRESS} }}",
    "email_consent": f"defaultEmailAddress {{ emailAddress {_CONSENT} }}",
    "sms_consent": f"defaultPhoneNumber {{ phoneNumber {_CONSENT} }}",
    "whatsapp_consent": "defaultPhoneNumber { phoneNumber whatsAppMarketingConsent { state optInLevel updatedAt } }",
}
"""What is asked for of a customer to learn each field, and nothing of a person besides."""

_EMPTY = {
    **dict.fromkeys(("firstName", "lastName", "note", "state", "locale", "tags", "addresses")),
    **dict.fromkeys(("defaultAddress", "defaultEmailAddress", "defaultPhoneNumber")),
}
_ADDRESS_KEYS = {
    "first_name": "firstName",
    "last_name": "lastName",
    "company": "company",
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "zip": "zip",
    "phone": "phone",
    "province_code": "provinceCode",
    "country_code": "countryCode",
}


def is_known(name: str) -> bool:
    """True for a field that Shopify can hold."""
    return name in SELECTED or name == POINTS or is_namespace(name) or is_custom(name)


def is_custom(name: str) -> bool:
    """True for the name of a custom attribute that Shopify takes."""
    return name.startswith(CUSTOM) and METAFIELD_NAME.fullmatch(name.removeprefix(CUSTOM)) is not None


def is_plain(name: str) -> bool:
    """True for what is written as one value, and is the same when written again; a consent would be dated anew."""
    return name in TEXTS or name == POINTS or is_custom(name)


def described(name: str, *, writable: bool) -> RemoteField:
    """A field as Shopify would describe it, if it described customers."""
    if name in TEXTS:
        return RemoteField(name=name, writable=writable, clearable=name != "locale", max_length=TEXTS[name][1])
    if name == "state":
        words = ("declined", "disabled", "enabled", "invited")
        return RemoteField(name=name, writable=False, clearable=False, enum=words)
    if name == TAGS or is_namespace(name):
        return RemoteField(name=name, type="list", writable=writable)
    if name == POINTS:
        return RemoteField(name=name, type="integer", writable=writable)
    if name in CONSENTS:
        return RemoteField(name=name, type="json", writable=writable, clearable=False)
    if name == "addresses":
        return RemoteField(name=name, type="json", writable=writable)
    return RemoteField(name=name, writable=writable, max_length=METAFIELD_MAX)


# ---- Reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Selection:
    """Some fields of a customer: what to ask for them, and what an answer says of them."""

    names: tuple[str, ...]
    namespaces: tuple[str, ...] = ()
    """The tag namespaces that have a rule of their own; a tag that is in none belongs to `tags`."""
    points: str = POINTS_NAMESPACE

    @cached_property
    def metafields(self) -> dict[str, tuple[str, str, str]]:
        """Of each field that is a metafield: its alias in the query, its namespace and its key."""
        names = [name for name in self.names if name == POINTS or name.startswith(CUSTOM)]
        return {name: (f"m{place}", *self.metafield(name)) for place, name in enumerate(names)}

    def metafield(self, name: str) -> tuple[str, str]:
        """The namespace and key under which a field is a metafield."""
        return (self.points, POINTS) if name == POINTS else (CUSTOM.rstrip("."), name.removeprefix(CUSTOM))

    def text(self, names: Collection[str] | None = None) -> str:
        """The selection in GraphQL, of some of the fields or all."""
        wanted = [name for name in self.names if names is None or name in names]
        asked = {SELECTED[TAGS if is_namespace(name) else name] for name in wanted if name not in self.metafields}
        asked |= {
            f"{alias}: metafield(namespace: {json.dumps(namespace)}, key: {json.dumps(key)}) {{ type value }}"
            for name, (alias, namespace, key) in self.metafields.items()
            if name in wanted
        }
        return " ".join(("id createdAt updatedAt", *sorted(asked)))

    def record(self, node: Mapping[str, Any], denied: frozenset[str] = frozenset()) -> Record:
        """The record that a Customer node tells; NotUnderstood if it is none. What was denied is left out."""
        change = change_from_node({**_EMPTY, **node}, began=0, position=0, denied=denied)
        parts = split_tags(change.fields.get(TAGS), self.namespaces)
        fields: dict[str, RemoteValue] = {}
        for name in self.names:
            if name in self.metafields:
                alias = self.metafields[name][0]
                if alias not in denied:
                    fields[name] = told(node.get(alias))
            elif name == TAGS or is_namespace(name):
                if TAGS in change.fields:
                    fields[name] = parts[name]
            elif name in change.fields:
                fields[name] = change.fields[name]
        return Record(id=str(change.record_id), fields=fields, changed=change.version, created=change.created)

    def values(self, node: Mapping[str, Any], names: Collection[str]) -> dict[str, RemoteValue]:
        """What an answer that holds only some fields says of those."""
        dated = {"createdAt": "2000-01-01T00:00:00Z", "updatedAt": "2000-01-01T00:00:00Z"}
        fields = self.record(dated | dict(node)).fields
        return {name: fields[name] for name in names if name in fields}


def told(metafield: Any) -> RemoteValue:
    """The value of a metafield by its type, or None where there is none."""
    if not isinstance(metafield, dict):
        return None
    kind, value = metafield.get("type"), metafield.get("value")
    if not isinstance(kind, str) or not isinstance(value, str):
        raise NotUnderstood("A metafield has neither type nor value.")
    try:
        if kind == "number_integer":
            return int(value)
        if kind == "json" or kind.startswith("list."):
            return json.loads(value)
    except (ValueError, RecursionError):
        raise NotUnderstood("A metafield's value is not of its type.") from None
    return value == "true" if kind == "boolean" else value


# ---- Writing --------------------------------------------------------------------------------------------------------


def metafield_type(value: RemoteValue) -> str:
    """The type that a metafield is made with that is not there yet."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "number_integer"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "list.single_line_text_field"
    return "json" if isinstance(value, list | dict) else "single_line_text_field"


def metafield_text(value: RemoteValue) -> str:
    """The value as a metafield holds it, which is always text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def unfit(field: RemoteField, value: RemoteValue, namespaces: Sequence[str]) -> Rejected | None:
    """Why Shopify would not take a value; None if nothing speaks against it here."""
    name = field.name
    if name in CONSENTS:
        return _unfit_consent(name, value)
    if field.type == "list":
        return _unfit_tags(name, value, namespaces)
    if name == "addresses":
        fits = isinstance(value, list) and all(isinstance(each, dict) for each in value)
        return None if fits else Rejected(name, "not a whole list of addresses")
    if name == POINTS:
        fits = isinstance(value, int) and not isinstance(value, bool)
        return None if fits else Rejected(name, "not a whole number")
    if name in TEXTS and not isinstance(value, str):
        return Rejected(name, "not a text")
    text = metafield_text(value)
    if "\0" in text:
        return Rejected(name, "a sign that no text of a customer's can hold (NUL)")
    if field.max_length is not None and len(text) > field.max_length:
        return Rejected(name, f"longer than the {field.max_length:,} characters that Shopify takes")
    if name.startswith(CUSTOM) and not text.strip():
        return Rejected(name, "empty, which a metafield cannot be; clear it instead")
    return None


def _unfit_consent(name: str, value: RemoteValue) -> Rejected | None:
    fit = writable_to_shopify(value)
    if isinstance(fit, Unfit):
        return Rejected(name, fit.reason)
    if value.get("level") not in (None, *LEVELS):
        return Rejected(name, "not a level of an opt-in that Shopify knows")
    return None


def _unfit_tags(name: str, value: RemoteValue, namespaces: Sequence[str]) -> Rejected | None:
    if not isinstance(value, list) or not all(isinstance(tag, str) and tag.strip() for tag in value):
        return Rejected(name, "not a list of tags")
    if any("," in tag for tag in value):
        return Rejected(name, "a tag with a comma, at which Shopify would split it")
    if any(len(tag) > TAG_MAX for tag in value):
        return Rejected(name, f"a tag longer than the {TAG_MAX} characters that Shopify takes")
    if split_tags(value, [*namespaces, *([name] if is_namespace(name) else [])])[name] != (sorted(set(value)) or None):
        begin = f"does not begin with {prefix_of(name)}" if is_namespace(name) else "belongs to a part of its own"
        return Rejected(name, f"a tag {begin}, so that writing it here would change another field")
    return None


def consent_input(value: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    """State, level and time of a consent in Shopify's words."""
    level, at = value.get("level"), value.get("at")
    return value["state"].upper(), None if level is None else level.upper(), iso(at)


def addresses_input(value: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The whole list of addresses, the default one first, which Shopify makes the default."""
    listed = sorted(value, key=lambda each: not each.get("default"))
    return [
        ({"id": f"gid://shopify/MailingAddress/{each['id']}"} if each.get("id") else {})
        | {theirs: each.get(ours) for ours, theirs in _ADDRESS_KEYS.items()}
        for each in listed
    ]


def same(name: str, held: RemoteValue, wanted: RemoteValue) -> bool:
    """True if nothing would change: of a consent what is named counts, of tags not the spelling, of an address its id
    only where one is given.
    """
    if name in CONSENTS and isinstance(held, dict) and isinstance(wanted, dict):
        whole = [None if each.get("at") is None else each["at"] // SECOND for each in (held, wanted)]
        return (
            held.get("state") == wanted.get("state")
            and wanted.get("level") in (None, held.get("level"))
            and whole[1] in (None, whole[0])
        )
    if name == "addresses" and held and wanted:
        with_ids = all(each.get("id") for each in wanted)
        return _plain(held, with_ids) == _plain(wanted, with_ids)
    if name == POINTS or not isinstance(held, bool | int):
        return bool(held == wanted)
    return type(held) is type(wanted) and held == wanted


def _plain(addresses: Sequence[Mapping[str, Any]], with_ids: bool) -> list[list[tuple[str, Any]]]:
    """Addresses without what is empty in them, in an order of their own: Shopify promises none."""
    named = [
        sorted((key, value) for key, value in each.items() if value not in (None, False) and (with_ids or key != "id"))
        for each in addresses
    ]
    return sorted(named, key=repr)


def customer_number(key: str) -> int | None:
    """The number in the id of a record, or None for what is no id of Shopify's."""
    try:
        return record_number(key)
    except NotUnderstood:
        return None
