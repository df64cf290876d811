"""What Shopify's bodies, bulk lines and nodes say, as changes.

Shapes are those of Shopify's payload reference for 2026-07 and its Admin schema of 2026-07 and 2026-10. A delivery
has snake_case keys and numeric ids, GraphQL has camelCase keys and gids; both become the same canonical values.
NotUnderstood names the topic and the key, never a value.
"""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple

from onewriter.errors import NotUnderstood
from onewriter.records import Change, Instant, Kind, Path
from onewriter.shopify import canonical
from onewriter.shopify.shapes import (
    GraphAddress,
    GraphCustomer,
    GraphDefault,
    GraphEmail,
    GraphPhone,
    WebhookAddress,
    WebhookCustomer,
    WebhookDeletion,
    WebhookMerge,
    denied_fields,
)
from onewriter.shopify.topics import DELETE_TOPIC, DOORBELLS, FULL_TOPICS, MERGE_TOPIC, customer_ids

# ---- Deliveries -----------------------------------------------------------------------------------------------------

_TEXT_KEYS = ("first_name", "last_name", "email", "phone", "note")
PERSONAL = frozenset(canonical.ADDRESS_TEXTS) - {"province_code", "country_code"}
"""The parts of an address that an app without access to protected data sees as null."""
_customer_body = msgspec.json.Decoder(WebhookCustomer)
_deletion_body = msgspec.json.Decoder(WebhookDeletion)
_merge_body = msgspec.json.Decoder(WebhookMerge)


def change_from_delivery(topic: str, body: bytes, *, heard: Instant, position: int) -> Change:
    """The change that the body of one of CUSTOMER_TOPICS tells; NotUnderstood for another topic or another shape.

    customers/delete gives Kind.DELETED without fields or version, since its body holds only the id; a doorbell gives
    Kind.RUNG, and a merge that failed Kind.NOT_MERGED.
    """
    try:
        if topic == MERGE_TOPIC:
            return _merge(_merge_body.decode(body), heard, position)
        if topic in DOORBELLS:
            return _doorbell(topic, body, heard, position)
        if topic == DELETE_TOPIC:
            return _deletion(_deletion_body.decode(body), heard, position)
        if topic in FULL_TOPICS:
            return _told(_customer_body.decode(body), heard, position)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"{topic}: {why(error)}") from None
    except NotUnderstood as error:
        raise NotUnderstood(f"{topic}: {error}") from None
    raise NotUnderstood("This topic does not carry a customer that we can read.")


def _deletion(body: WebhookDeletion, heard: Instant, position: int) -> Change:
    return Change(
        record_id=canonical.record_number(body.id),
        kind=Kind.DELETED,
        path=Path.WEBHOOK,
        fields={},
        version=None,
        heard=heard,
        position=position,
    )


def _merge(body: WebhookMerge, heard: Instant, position: int) -> Change:
    kept = canonical.record_number(body.admin_graphql_api_customer_kept_id, key="admin_graphql_api_customer_kept_id")
    deleted = canonical.record_number(
        body.admin_graphql_api_customer_deleted_id, key="admin_graphql_api_customer_deleted_id"
    )
    if kept == deleted:
        raise NotUnderstood("nobody can be merged into itself.")
    # The word for success is undocumented, so any other than this one is settled by reading.
    kind = Kind.NOT_MERGED if body.status.lower() == "failed" else Kind.MERGED
    return Change(deleted, kind, Path.WEBHOOK, {}, None, heard, position=position, into=kept)


def _doorbell(topic: str, body: bytes, heard: Instant, position: int) -> Change:
    ids = customer_ids(topic, body)
    if not ids:
        raise NotUnderstood("the customer's id is missing or no id.")
    return Change(ids[0], Kind.RUNG, Path.WEBHOOK, {}, None, heard, position=position)


def _told(body: WebhookCustomer, heard: Instant, position: int) -> Change:
    fields = _said(body)
    # An address without a single text of a person is what an app sees that may not see them: only a read can tell.
    veiled = any(not PERSONAL & entry.keys() for entry in fields.get("addresses") or ())
    if veiled:
        del fields["addresses"]
    return Change(
        record_id=canonical.record_number(body.id),
        kind=Kind.PRESENT,
        path=Path.WEBHOOK,
        fields=fields,
        version=canonical.moment(body.updated_at),
        heard=heard,
        created=None if body.created_at is None else canonical.moment(body.created_at),
        position=position,
        denied=frozenset({"addresses"}) if veiled else frozenset(),
    )


def _said(body: WebhookCustomer) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key in _TEXT_KEYS:
        value = getattr(body, key)
        if value is not UNSET:
            fields[key] = canonical.text(value, key)
    if body.state is not UNSET:
        fields["state"] = canonical.lower(body.state, "state")
    if body.addresses is not UNSET:
        # Shopify's own sample has an empty list beside a default address, so that one counts as the list.
        listed = body.addresses or ([body.default_address] if body.default_address else [])
        fields["addresses"] = _addresses(listed, body.default_address)
    return fields


# ---- GraphQL: bulk lines and nodes ----------------------------------------------------------------------------------

_bulk_line = msgspec.json.Decoder(GraphCustomer)


def change_from_bulk_line(
    line: bytes,
    *,
    began: Instant,
    position: int,
    raw_digest: bytes | None,
    denied: frozenset[str] = frozenset(),
) -> Change:
    """The change that one line of a bulk file tells; NotUnderstood if it is not one whole customer.

    A bulk file has no place for errors, so `denied` carries what the same selection was refused in a direct read.
    """
    try:
        customer = _bulk_line.decode(line)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"Bulk line: {why(error)}") from None
    return _read(customer, Path.BULK, began, position, raw_digest, denied)


def change_from_node(node: Any, *, began: Instant, position: int, denied: frozenset[str]) -> Change:
    """The change that a Customer node tells; NotUnderstood if it has another shape.

    `denied` holds the paths inside the node that the answer's errors name, joined by dots, as in
    `defaultPhoneNumber.phoneNumber` or `addresses.0.phone`; the fields behind them are not said.
    """
    try:
        customer = msgspec.convert(node, GraphCustomer)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"Customer node: {why(error)}") from None
    return _read(customer, Path.READ, began, position, None, denied)


def _read(
    customer: GraphCustomer,
    path: Path,
    began: Instant,
    position: int,
    raw_digest: bytes | None,
    denied: frozenset[str],
) -> Change:
    fields = _all_fields(customer)
    unknown = denied_fields(denied) if denied else denied
    for field in unknown:
        del fields[field]
    return Change(
        record_id=canonical.record_number(customer.id),
        kind=Kind.PRESENT,
        path=path,
        fields=fields,
        version=canonical.moment(customer.updated_at),
        heard=began,
        created=canonical.moment(customer.created_at),
        position=position,
        raw_digest=raw_digest,
        denied=unknown,
    )


def _all_fields(customer: GraphCustomer) -> dict[str, Any]:
    text = canonical.text
    email, phone = customer.default_email_address, customer.default_phone_number
    return {
        "first_name": text(customer.first_name, "firstName"),
        "last_name": text(customer.last_name, "lastName"),
        "email": None if email is None else text(email.email_address, "emailAddress"),
        "phone": None if phone is None else text(phone.phone_number, "phoneNumber"),
        "note": text(customer.note, "note"),
        "state": canonical.lower(customer.state, "state"),
        "locale": text(customer.locale, "locale"),
        "addresses": _addresses(customer.addresses or (), customer.default_address),
        "tags": canonical.tags(customer.tags or ()),
        "email_consent": None if email is None else _email_consent(email),
        "sms_consent": None if phone is None else _sms_consent(phone),
        "whatsapp_consent": None if phone is None else _whatsapp_consent(phone),
    }


def _email_consent(email: GraphEmail) -> dict[str, Any] | None:
    if not email.email_address:
        return None
    return canonical.consent(
        email.marketing_state, email.marketing_opt_in_level, email.marketing_updated_at, "defaultEmailAddress"
    )


def _sms_consent(phone: GraphPhone) -> dict[str, Any] | None:
    if not phone.phone_number:
        return None
    return canonical.consent(
        phone.marketing_state, phone.marketing_opt_in_level, phone.marketing_updated_at, "defaultPhoneNumber"
    )


def _whatsapp_consent(phone: GraphPhone) -> dict[str, Any] | None:
    told = phone.whats_app_marketing_consent
    if told is None or not phone.phone_number:
        return None
    return canonical.consent(told.state, told.opt_in_level, told.updated_at, "whatsAppMarketingConsent")


# ---- Both -----------------------------------------------------------------------------------------------------------


def _addresses(
    entries: Iterable[WebhookAddress | GraphAddress], default: WebhookAddress | GraphDefault | None
) -> list[dict[str, Any]] | None:
    default_id = None if default is None else _address_number(default.id)
    listed = []
    for entry in entries:
        identity, *texts = astuple(entry)
        number = _address_number(identity)
        listed.append(canonical.address(number, texts, number == default_id))
    return canonical.addresses(listed)


def _address_number(identity: int | str) -> int:
    return canonical.record_number(identity, canonical.ADDRESS, "addresses.id")


_AT = re.compile(r"at `\$\.?([^`]*)`")
_MISSING = re.compile(r"required field `([^`]*)`")
_UNEXPECTED = re.compile(r"unknown field `([^`]*)`")


def why(error: Exception) -> str:
    """What is wrong with a body, without a word of the body: keys are named only if they are keys that we know.

    `error` is what msgspec raised.
    """
    said = str(error)
    place, missing = _AT.search(said), _MISSING.search(said)
    if place or missing:
        key = ".".join(found[1] for found in (place, missing) if found and found[1])
        return f"{key or 'the whole'} is missing or has another type than expected."
    if found := _UNEXPECTED.search(said):
        known = found[1] in WebhookCustomer.__struct_fields__
        return f"it holds {found[1] if known else 'a key'}, which does not belong in this topic."
    return "it is not the JSON that this should be."


# ---- The shop's own topics ------------------------------------------------------------------------------------------


def check_scopes_changed(body: bytes) -> None:
    """Raise NotUnderstood unless this is the body of app/scopes_update."""
    try:
        told = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise NotUnderstood("app/scopes_update: the body is not JSON that we can read.") from None
    if not isinstance(told, dict) or not {"previous", "current"} <= told.keys():
        raise NotUnderstood("app/scopes_update: the body does not tell scopes.")


def check_uninstalled(body: bytes, domain: str) -> None:
    """Raise NotUnderstood unless this is the body of app/uninstalled for the shop of that domain.

    The topic's header is not signed, so another topic's body must not pass for this one; `myshopify_domain` can be
    null.
    """
    try:
        shop = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise NotUnderstood("app/uninstalled: the body is not JSON that we can read.") from None
    if not isinstance(shop, dict) or not {"id", "name", "currency", "plan_name", "shop_owner"} <= shop.keys():
        raise NotUnderstood("app/uninstalled: the body does not describe a shop.")
    if shop.get("myshopify_domain") not in (None, domain):
        raise NotUnderstood("app/uninstalled: myshopify_domain is another shop's.")
