"""Webhooks: the signature over the raw bytes, the headers, the topics subscribed to, and the compliance topics."""

import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onewriter.errors import NotUnderstood
from onewriter.records import DAY, Instant, parse_instant
from onewriter.shopify.queries import API_VERSION
from onewriter.shopify.topics import COMPLIANCE_TOPICS as COMPLIANCE_TOPICS

TOPICS = {
    "customers/create": "CUSTOMERS_CREATE",
    "customers/update": "CUSTOMERS_UPDATE",
    "customers/delete": "CUSTOMERS_DELETE",
    "customers/enable": "CUSTOMERS_ENABLE",
    "customers/disable": "CUSTOMERS_DISABLE",
    "customers/merge": "CUSTOMERS_MERGE",
    "customer.tags_added": "CUSTOMER_TAGS_ADDED",
    "customer.tags_removed": "CUSTOMER_TAGS_REMOVED",
    "customers_email_marketing_consent/update": "CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE",
    "customers_marketing_consent/update": "CUSTOMERS_MARKETING_CONSENT_UPDATE",
    "customers_whats_app_marketing_consent/update": "CUSTOMERS_WHATS_APP_MARKETING_CONSENT_UPDATE",
    "orders/paid": "ORDERS_PAID",
    "orders/fulfilled": "ORDERS_FULFILLED",
    "orders/updated": "ORDERS_UPDATED",
    "orders/cancelled": "ORDERS_CANCELLED",
    "refunds/create": "REFUNDS_CREATE",
    "app/uninstalled": "APP_UNINSTALLED",
    "app/scopes_update": "APP_SCOPES_UPDATE",
    "bulk_operations/finish": "BULK_OPERATIONS_FINISH",
}
"""The topics that onewriter subscribes to, as a delivery's header and as the GraphQL enum write them."""

_SCOPE_OF_KIND = (
    ("customers/merge", "read_customer_merge"),
    ("customer", "read_customers"),
    ("orders/", "read_orders"),
    ("refunds/", "read_orders"),
)
TOPIC_SCOPES = {
    topic: next((scope for head, scope in _SCOPE_OF_KIND if topic.startswith(head)), None) for topic in TOPICS
}
"""The scope without which Shopify refuses the subscription; None where any token will do."""

SHOP_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*\.myshopify\.com")
HEADER_MAX = 255
LATE_MAX: Instant = 2 * DAY
"""Shopify retries for hours and mentions deliveries a day late, so nothing true is triggered longer ago than this."""


def sign(body: bytes, secret: str) -> str:
    """The signature that Shopify puts in X-Shopify-Hmac-Sha256: base64 of the HMAC-SHA256 of the raw body."""
    return b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def is_signed(body: bytes, signature: str | bytes, secrets: Iterable[str]) -> bool:
    """True if one of the secrets signed these exact bytes; an empty secret signs nothing.

    Several secrets are live while one is being replaced. Compared as bytes, since comparing text that is not ASCII
    raises.
    """
    given = signature.encode("utf-8", "replace") if isinstance(signature, str) else signature
    return any(hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets if secret)


@dataclass(frozen=True, slots=True)
class DeliveryHeaders:
    """What the headers of a delivery claim. None of it is signed; only the body is."""

    topic: str
    shop_domain: str
    webhook_id: str
    triggered: Instant | None = None
    event_id: str | None = None
    api_version: str | None = None


def read_headers(headers: Mapping[str, str], received: Instant) -> DeliveryHeaders:
    """The headers of one delivery; NotUnderstood if the topic, shop or webhook id is missing or malformed.

    `triggered` is held between two days before `received` and `received`, so that an unsigned header can neither
    antedate a deletion nor date it into the future.
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    domain = _required(given, "x-shopify-shop-domain").lower()
    if SHOP_DOMAIN.fullmatch(domain) is None:
        raise NotUnderstood("The header X-Shopify-Shop-Domain is not a myshopify.com domain.")
    return DeliveryHeaders(
        topic=_required(given, "x-shopify-topic"),
        shop_domain=domain,
        webhook_id=_required(given, "x-shopify-webhook-id"),
        triggered=_triggered(given.get("x-shopify-triggered-at"), received),
        event_id=_optional(given, "x-shopify-event-id"),
        api_version=_optional(given, "x-shopify-api-version"),
    )


def _required(given: Mapping[str, str], name: str) -> str:
    value = given.get(name, "")
    if not _fits(value):
        raise NotUnderstood(f"The header {name.title()} is missing, too long or not plain text.")
    return value


def _optional(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(name, "")
    return value if _fits(value) else None


def _fits(value: str) -> bool:
    return 0 < len(value) <= HEADER_MAX and value.isascii() and value.isprintable()


def _triggered(value: str | None, received: Instant) -> Instant | None:
    try:
        claimed = parse_instant(value or "")
    except (ValueError, OverflowError):
        return None
    return min(max(claimed, received - LATE_MAX), received)


def compliance_toml(uri: str) -> str:
    """The lines for `shopify.app.toml` that subscribe to the privacy topics; `uri` is the door's public address."""
    topics = ", ".join(f'"{topic}"' for topic in COMPLIANCE_TOPICS)
    quoted = uri.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'[webhooks]\napi_version = "{API_VERSION}"\n\n'
        f'[[webhooks.subscriptions]]\ncompliance_topics = [{topics}]\nuri = "{quoted}"\n'
    )
