"""Webhook subscriptions: which there are, and making those that are missing.

Shopify deletes a subscription made by the Admin API after eight failed deliveries in a row, without a word to the shop.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onewriter.errors import ScopeMissing, ShopifyRefused
from onewriter.shopify import queries
from onewriter.shopify.client import AdminClient

PAGES_MAX = 40
"""Pages of 250. A shop has a few dozen subscriptions for each app."""

REASON_MAX = 200
"""Characters of Shopify's reason that are kept; it speaks of the address and the topic."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription of our app. `topic` is the GraphQL enum's word; `api_version` is that of its deliveries."""

    id: str
    topic: str
    uri: str
    api_version: str | None


@dataclass(frozen=True, slots=True)
class SubscriptionReport:
    """The topics that were subscribed to now, that were already, and that Shopify refused, with its reason."""

    made: tuple[str, ...]
    present: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


def listed(client: AdminClient) -> list[Subscription]:
    """Every subscription that our app has made in the shop, at any address."""
    found: list[Subscription] = []
    after: str | None = None
    for _ in range(PAGES_MAX):
        page = client.query(queries.SUBSCRIPTIONS, {"after": after}).part("webhookSubscriptions")
        found += [_subscription(node) for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
    raise ShopifyRefused(f"There are more than {PAGES_MAX} pages of subscriptions; delete those that nobody uses.")


def ensure(client: AdminClient, callback_url: str, topics: Mapping[str, str]) -> SubscriptionReport:
    """Subscribe `callback_url` to the topics (header name to enum) that it misses; twice does no harm.

    A refusal of one topic, as for a scope that is missing, does not keep the others from being made.
    """
    there = {(subscription.topic, subscription.uri) for subscription in listed(client)}
    present = [topic for topic, word in topics.items() if (word, callback_url) in there]
    made: list[str] = []
    refused: list[tuple[str, str]] = []
    for topic in topics:
        if topic in present:
            continue
        reason = _subscribe(client, callback_url, topics[topic])
        if reason is None:
            made.append(topic)
        elif "already been taken" in reason:
            # Somebody else made it since we looked.
            present.append(topic)
        else:
            refused.append((topic, reason))
    return SubscriptionReport(tuple(made), tuple(present), tuple(refused))


def _subscribe(client: AdminClient, callback_url: str, word: str) -> str | None:
    """Why Shopify refused, or None if it is subscribed now."""
    try:
        answer = client.query(queries.SUBSCRIBE, {"topic": word, "uri": callback_url})
    except (ScopeMissing, ShopifyRefused) as error:
        return str(error)
    payload = answer.part("webhookSubscriptionCreate")
    if payload["userErrors"]:
        return str(payload["userErrors"][0]["message"])[:REASON_MAX]
    return None


def _subscription(node: Any) -> Subscription:
    version = node.get("apiVersion") or {}
    return Subscription(node["id"], node["topic"], node["uri"], version.get("handle"))
