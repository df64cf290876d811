"""What Shopify asks of us in law: the bodies of customers/data_request, customers/redact and shop/redact.

The header that names a topic is not signed, so that each body must have the very shape of its topic, and name its shop:
another topic's body, or another shop's, is not taken for it. NotUnderstood names keys and never a value.
"""

from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from onewriter.errors import NotUnderstood
from onewriter.shopify import canonical
from onewriter.shopify.payloads import why
from onewriter.shopify.topics import DATA_REQUEST_TOPIC, REDACT_TOPIC, SHOP_REDACT_TOPIC


class NamedCustomer(msgspec.Struct):
    """Whom a request names: by id, or by what else Shopify knows."""

    id: int | str | None = None
    email: str | None = None
    phone: str | None = None


class ShopBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of shop/redact, and what the other two begin with."""

    shop_id: int
    shop_domain: str


class RedactionBody(ShopBody):
    """The body of customers/redact."""

    customer: NamedCustomer
    orders_to_redact: list[int | str] = []


class DataRequest(msgspec.Struct):
    """The number that Shopify gives a request for data."""

    id: int | str


class DataRequestBody(ShopBody):
    """The body of customers/data_request."""

    customer: NamedCustomer
    data_request: DataRequest
    orders_requested: list[int | str] = []


Body = TypeVar("Body", bound=ShopBody)

_redaction_body = msgspec.json.Decoder(RedactionBody)
_request_body = msgspec.json.Decoder(DataRequestBody)
_shop_body = msgspec.json.Decoder(ShopBody)


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a request means, as far as it says so: by Shopify's id, or else by an address or a number."""

    id: int | None
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)


def redacted(body: bytes, domain: str) -> Named:
    """Whom a customers/redact for the shop of that domain names; raises NotUnderstood for another shop's."""
    return _named(_read(_redaction_body, REDACT_TOPIC, body, domain).customer)


def data_requested(body: bytes, domain: str) -> Named:
    """Whose data a customers/data_request for the shop of that domain asks for; NotUnderstood for another shop's."""
    return _named(_read(_request_body, DATA_REQUEST_TOPIC, body, domain).customer)


def check_shop_redacted(body: bytes, domain: str) -> None:
    """Raise NotUnderstood unless this is the body of shop/redact for the shop of that domain."""
    _read(_shop_body, SHOP_REDACT_TOPIC, body, domain)


def _read(decoder: msgspec.json.Decoder[Body], topic: str, body: bytes, domain: str) -> Body:
    try:
        told = decoder.decode(body)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"{topic}: {why(error)}") from None
    if told.shop_domain != domain:
        raise NotUnderstood(f"{topic}: shop_domain is another shop's.")
    return told


def _named(customer: NamedCustomer) -> Named:
    number = None if customer.id is None else canonical.record_number(customer.id, key="customer.id")
    return Named(number, customer.email or None, customer.phone or None)
