"""The access scopes that onewriter wants, and what it costs to be without each."""

from collections.abc import Collection
from dataclasses import dataclass

from onewriter.errors import ScopeMissing
from onewriter.shopify.webhooks import TOPIC_SCOPES, TOPICS

ORDERS = "read_orders"
ALL_ORDERS = "read_all_orders"
"""With it, orders that are older than 60 days can be read too. Not asked for: Shopify grants it to few."""

WRITE = "write_customers"

REQUIRED = {
    "read_customers": "no customer can be imported, heard of or read",
}

OPTIONAL = {
    "read_customer_merge": "merges are not heard as merges; the merged-away customer only shows as deleted",
    ORDERS: "orders earn no points: order rules are refused",
    WRITE: "nothing is written to Shopify: no points, and no field that another system owns",
}


@dataclass(frozen=True, slots=True)
class MissingScope:
    """A scope that the token lacks, what that costs, and whether onewriter works at all without it."""

    scope: str
    cost: str
    required: bool


def missing(granted: Collection[str]) -> list[MissingScope]:
    """The scopes that are not granted, required ones first; a write scope includes the read scope of its name."""
    return [
        MissingScope(scope, cost, wanted is REQUIRED)
        for wanted in (REQUIRED, OPTIONAL)
        for scope, cost in wanted.items()
        if not grants(granted, scope)
    ]


def require(granted: Collection[str], next_step: str) -> list[MissingScope]:
    """The optional scopes that are not granted; raises ScopeMissing for a required one, with what to do then."""
    lacking = missing(granted)
    for one in lacking:
        if one.required:
            raise ScopeMissing(f"The token lacks the scope {one.scope}: {one.cost}. {next_step}", one.scope)
    return lacking


def require_orders(granted: Collection[str]) -> None:
    """Raise ScopeMissing, with what to do then, if orders cannot be read with these scopes."""
    if not grants(granted, ORDERS):
        raise ScopeMissing(
            f"The token lacks the scope {ORDERS}, so {OPTIONAL[ORDERS]}. Grant it in the app and connect again.", ORDERS
        )


def topics_allowed(granted: Collection[str]) -> dict[str, str]:
    """The topics (header name to enum) that these scopes allow; asking for another would only be refused."""
    allowed = {topic for topic, scope in TOPIC_SCOPES.items() if scope is None or grants(granted, scope)}
    return {topic: word for topic, word in TOPICS.items() if topic in allowed}


def grants(granted: Collection[str], scope: str) -> bool:
    """True if the scope is granted; a write scope includes the read scope of its name."""
    return scope in granted or (scope.startswith("read_") and f"write_{scope[5:]}" in granted)
