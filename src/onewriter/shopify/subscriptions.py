"""Webhook subscriptions: which there are, making those that are missing, and the API versions that deliveries come in.

Shopify deletes a subscription made by the Admin API after eight failed deliveries in a row, without a word to the shop.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from onewriter.errors import ScopeMissing, ShopifyRefused
from onewriter.shopify import queries
from onewriter.shopify.client import AdminClient

VERSIONS_READ = ("2026-07", "2026-10")
"""The API versions whose deliveries onewriter is known to read."""

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


def lacking(there: Iterable[Subscription], callback_url: str, topics: Mapping[str, str]) -> dict[str, str]:
    """The topics, of those wanted (header name to enum), that no subscription brings to `callback_url`."""
    known = {subscription.topic for subscription in there if subscription.uri == callback_url}
    return {topic: word for topic, word in topics.items() if word not in known}


def ensure(client: AdminClient, callback_url: str, topics: Mapping[str, str]) -> SubscriptionReport:
    """Subscribe `callback_url` to the topics (header name to enum) that it misses; twice does no harm."""
    missing = lacking(listed(client), callback_url, topics)
    report = make(client, callback_url, missing)
    present = tuple(topic for topic in topics if topic not in missing or topic in report.present)
    return replace(report, present=present)


def make(client: AdminClient, callback_url: str, topics: Mapping[str, str]) -> SubscriptionReport:
    """Subscribe `callback_url` to topics that it lacks; one that somebody else made since we looked counts as present.

    A refusal of one topic, as for a scope that is missing, does not keep the others from being made.
    """
    made: list[str] = []
    present: list[str] = []
    refused: list[tuple[str, str]] = []
    for topic, word in topics.items():
        reason = _subscribe(client, callback_url, word)
        if reason is None:
            made.append(topic)
        elif "already been taken" in reason:
            present.append(topic)
        else:
            refused.append((topic, reason))
    return SubscriptionReport(tuple(made), tuple(present), tuple(refused))


def unread_versions(versions: Iterable[str | None]) -> list[str]:
    """Those of the API versions that onewriter is not known to read; one that was not told is passed over."""
    return sorted({version for version in versions if version is not None} - set(VERSIONS_READ))


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
