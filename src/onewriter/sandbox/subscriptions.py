"""Webhook subscriptions of the app, with the refusals that Shopify words."""

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from onewriter.sandbox.deliveries import Subscription
from onewriter.sandbox.faults import Faults
from onewriter.sandbox.normalise import Mistake, Refused

# The enum's names against the header's, for the topics that the schema knows.
TOPICS = {
    "APP_SCOPES_UPDATE": "app/scopes_update",
    "APP_UNINSTALLED": "app/uninstalled",
    "BULK_OPERATIONS_FINISH": "bulk_operations/finish",
    "CUSTOMERS_CREATE": "customers/create",
    "CUSTOMERS_DELETE": "customers/delete",
    "CUSTOMERS_DISABLE": "customers/disable",
    "CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE": "customers_email_marketing_consent/update",
    "CUSTOMERS_ENABLE": "customers/enable",
    "CUSTOMERS_MARKETING_CONSENT_UPDATE": "customers_marketing_consent/update",
    "CUSTOMERS_MERGE": "customers/merge",
    "CUSTOMERS_PURCHASING_SUMMARY": "customers/purchasing_summary",
    "CUSTOMERS_UPDATE": "customers/update",
    "CUSTOMERS_WHATS_APP_MARKETING_CONSENT_UPDATE": "customers_whats_app_marketing_consent/update",
    "CUSTOMER_TAGS_ADDED": "customer.tags_added",
    "CUSTOMER_TAGS_REMOVED": "customer.tags_removed",
    "ORDERS_CANCELLED": "orders/cancelled",
    "ORDERS_CREATE": "orders/create",
    "ORDERS_EDITED": "orders/edited",
    "ORDERS_FULFILLED": "orders/fulfilled",
    "ORDERS_PAID": "orders/paid",
    "ORDERS_PARTIALLY_FULFILLED": "orders/partially_fulfilled",
    "ORDERS_UPDATED": "orders/updated",
    "REFUNDS_CREATE": "refunds/create",
    "SHOP_UPDATE": "shop/update",
}
ENUM_NAMES = {topic: name for name, topic in TOPICS.items()}
# Topics that begin so are about people, and need a scope.
SCOPES = {"CUSTOMERS_MERGE": "read_customer_merge", "CUSTOMER": "read_customers"}
SCOPES |= dict.fromkeys(("ORDERS_", "REFUNDS_"), "read_orders")
PROTECTED_MESSAGE = (
    "This app is not approved to subscribe to webhook topics containing protected customer data. "
    "See https://shopify.dev/docs/apps/launch/protected-customer-data for more details."
)


def scope_of(topic: str) -> str | None:
    """The scope that a subscription to a topic needs; None for what is not about people."""
    return next((scope for start, scope in SCOPES.items() if topic.startswith(start)), None)


class Subscriptions:
    def __init__(self, faults: Faults, clock: Callable[[], float]) -> None:
        self._faults, self._clock = faults, clock
        self._held: dict[int, Subscription] = {}
        self._left: list[str] = []
        self._lock = threading.Lock()
        self._next_id = count(1_205_000_000_001, 32)

    def all(self) -> list[Subscription]:
        with self._lock:
            return list(self._held.values())

    def of(self, topic: str) -> list[Subscription]:
        return [each for each in self.all() if each.topic == topic]

    def configured(self, topic: str) -> Subscription | None:
        """As if there were a subscription to a topic that only the app's configuration can name; None without one.

        The configuration is not played: such a delivery goes where the app's other subscriptions lead, and once the app
        is removed, where they led.
        """
        addresses = [each.uri for each in self.all()] or self._left
        now = int(self._clock())
        return Subscription(0, topic, addresses[0], now, now) if addresses else None

    def get(self, number: int) -> Subscription | None:
        return self._held.get(number)

    def create(self, topic: str, given: dict[str, Any]) -> Subscription:
        """Subscribe to a topic, by its enum name. `given` is the GraphQL input."""
        uri = given.get("uri") or given.get("callbackUrl")
        self._check(topic, uri, given.get("name"), None)
        now = int(self._clock())
        fields = tuple(given.get("includeFields") or ())
        with self._lock:
            made = Subscription(next(self._next_id), TOPICS[topic], str(uri), now, now, given.get("name"), fields)
            self._held[made.id] = made
        return made

    def update(self, number: int, given: dict[str, Any]) -> Subscription:
        held = self._held.get(number)
        if held is None:
            raise Refused(Mistake(("id",), "Webhook subscription does not exist"))
        uri = given.get("uri") or given.get("callbackUrl") or held.uri
        name = given.get("name", held.name)
        self._check(ENUM_NAMES[held.topic], uri, name, held)
        fields = tuple(given["includeFields"] or ()) if "includeFields" in given else held.include_fields
        made = replace(held, uri=uri, name=name, include_fields=fields, updated_at=int(self._clock()))
        with self._lock:
            self._held[number] = made
        return made

    def delete(self, number: int) -> None:
        with self._lock:
            if self._held.pop(number, None) is None:
                raise Refused(Mistake(("id",), "Webhook subscription does not exist"))

    def drop(self, subscription: Subscription) -> None:
        with self._lock:
            self._held.pop(subscription.id, None)

    def clear(self) -> None:
        with self._lock:
            self._left = [each.uri for each in self._held.values()][:1] or self._left
            self._held.clear()

    def _check(self, topic: str, uri: str | None, name: str | None, itself: Subscription | None) -> None:
        where = ("webhookSubscription", "uri")
        if not uri:
            raise Refused(Mistake(where, "Address can't be blank"))
        scheme = urlsplit(uri).scheme
        if scheme != "https" and not (scheme == "http" and self._faults.allow_http):
            raise Refused(Mistake(where, f"Address protocol {scheme}:// is not supported"))
        if self._faults.topics_refused and scope_of(topic):
            raise Refused(Mistake(("topic",), PROTECTED_MESSAGE))
        self._check_unique(topic, uri, name, itself)

    def _check_unique(self, topic: str, uri: str, name: str | None, itself: Subscription | None) -> None:
        others = [each for each in self.all() if itself is None or each.id != itself.id]
        if any((each.topic, each.uri) == (TOPICS[topic], uri) for each in others):
            raise Refused(Mistake(("webhookSubscription", "uri"), "Address for this topic has already been taken"))
        if name and any(each.name == name for each in others):
            raise Refused(Mistake(("webhookSubscription", "name"), "Name already exists, no duplicate allowed"))
