"""What the sandbox itself holds, in the canonical words of our fields: the truth, and never by our own client."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from onewriter.records import SECOND
from onewriter.sandbox import Delivery, Shop
from onewriter.sandbox.control import truth
from onewriter.sandbox.customer import Customer
from onewriter.shopify.canonical import ADDRESS_TEXTS

PLAIN = ("first_name", "last_name", "email", "phone", "note", "locale")
EXISTENCE = "existence"
"""What differs of a customer that only one of the two has, or that was merged otherwise than we say."""
COMPLETED = "COMPLETED"
FAILED = b'"status":"failed"'
GID = re.compile(rb'"gid://shopify/Customer/(\d+)"')
REDACT = "customers/redact"
DELETED = re.compile(rb'customer_deleted_id":"gid://shopify/Customer/(\d+)"')


def fields_of(record: Customer) -> dict[str, Any]:
    """What the shop holds of a customer, in the canonical values of our fields."""
    return fields_shown(truth(record))


def fields_shown(shown: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a customer as the sandbox shows it over HTTP."""
    consents, email, phone = shown["consents"], shown["email"], shown["phone"]
    return {
        **{name: shown[name] for name in PLAIN},
        "state": shown["state"].lower(),
        "tags": sorted(shown["tags"]) or None,
        "addresses": _addresses(shown["addresses"]),
        "email_consent": _consent(consents["email"]) if email else None,
        "sms_consent": _consent(consents["sms"]) if phone else None,
        "whatsapp_consent": _consent(consents["whatsapp"]) if phone else None,
    }


def _addresses(shown: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    listed = [
        {"id": each["id"], "default": place == 0} | {name: each[name] for name in ADDRESS_TEXTS if each.get(name)}
        for place, each in enumerate(shown)
    ]
    return sorted(listed, key=lambda entry: int(entry["id"] or 0)) or None


def _consent(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": shown["state"].lower(),
        "level": shown["level"].lower() if shown["level"] else None,
        "at": None if shown["at"] is None else shown["at"] * SECOND,
    }


def named(sent: Delivery) -> set[int]:
    """The customers that a delivery is about; a merge is about two."""
    if sent.topic != "customers/merge":
        return set() if sent.customer_id is None else {sent.customer_id}
    return {int(number) for number in GID.findall(sent.body)}


def redactions(shop: Shop) -> dict[int, Delivery]:
    """The customers whose redaction we were told and took, with the delivery that told it.

    One that never came leaves a customer who was merely deleted, as far as anybody can see.
    """
    told = (sent for sent in shop.deliveries if sent.topic == REDACT and sent.status == "acknowledged")
    return {sent.customer_id: sent for sent in told if sent.customer_id is not None}


def merged_on(shop: Shop, number: int) -> list[int]:
    """The customers that one which was merged away has become, one merge after the other; empty for any other."""
    into = {merge.deleted: merge.kept for merge in shop.merges.all() if merge.status == COMPLETED}
    chain: list[int] = []
    while number in into:
        number = into[number]
        chain.append(number)
    return chain


def merges_heard(shop: Shop) -> set[int]:
    """The merged-away customers of whose merge we were told, and took it."""
    away = {merge.deleted for merge in shop.merges.all() if merge.status == COMPLETED}
    told = [sent for sent in shop.deliveries if sent.topic == "customers/merge" and sent.status == "acknowledged"]
    bodies = [sent.body for sent in told if FAILED not in sent.body]
    return away & {int(number) for body in bodies for number in DELETED.findall(body)}
