"""Direct reads: customers by id and by pages, how many there are, and what the shop and the token are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from onewriter.errors import NotUnderstood
from onewriter.records import Change, Instant, Kind, Path, iso
from onewriter.shopify import nodes, queries
from onewriter.shopify.client import AdminClient, QueryError
from onewriter.shopify.nodes import CUSTOMER
from onewriter.shopify.payloads import change_from_node


@dataclass(frozen=True, slots=True)
class Read:
    """A change for each customer that is there or is certainly not, and why each other is unread."""

    changes: list[Change] = field(default_factory=list)
    unread: dict[int, str] = field(default_factory=dict)
    """By id, the code of the error that hid it, or NOT_UNDERSTOOD. Nothing may be concluded about these."""


def read_customers(client: AdminClient, ids: Sequence[int], *, began: Instant, position: int) -> Read:
    """Read customers by id, as many at a time as Shopify lets one query cost; the client remembers that number.

    A customer that is null without an error is Kind.ABSENT. An error anywhere above or inside a null leaves it unread.
    """
    read = Read()
    for batch, date in nodes.by_id(client, queries.NODES, CUSTOMER, ids):
        asked = nodes.by_shopify(began, date, client.now())
        for node in batch:
            if node.value is not None:
                _present(read, node.number, node.value, node.inside, asked, position)
            elif node.hidden_by is not None:
                read.unread[node.number] = node.hidden_by
            else:
                read.changes.append(_absent(node.number, asked, position))
    return read


def _absent(number: int, began: Instant, position: int) -> Change:
    return Change(
        record_id=number, kind=Kind.ABSENT, path=Path.READ, fields={}, version=None, heard=began, position=position
    )


def _present(read: Read, number: int, node: Any, errors: Sequence[QueryError], began: Instant, position: int) -> None:
    try:
        change = change_from_node(node, began=began, position=position, denied=_inner_paths(errors, 2))
    except NotUnderstood:
        read.unread[number] = "NOT_UNDERSTOOD"
        return
    if change.record_id == number:
        read.changes.append(change)
    else:
        read.unread[number] = "NOT_UNDERSTOOD"


def _inner_paths(errors: Sequence[QueryError], depth: int) -> frozenset[str]:
    """The paths inside a customer that errors name; `depth` is how many steps lead to the customer."""
    return frozenset(".".join(map(str, error.path[depth:])) for error in errors)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of customers, those that changed longest ago first."""

    rows: Mapping[frozenset[str], list[bytes]]
    """Each customer as JSON of our selection, by the paths inside it that the token was refused."""
    unread: int
    """How many customers an error hid altogether."""
    after: str | None
    """The cursor behind the page; None when it was the last."""
    newest: Instant | None
    """When the last customer of the page was changed."""


def read_page(client: AdminClient, most: int, *, since: Instant | None = None, after: str | None = None) -> Page:
    """Read up to `most` customers in the order of their last change, or as many as Shopify lets one query cost.

    `since` leaves out those that were changed before that second; `after` goes on behind a page of the same `since`.
    A cursor that Shopify does not take is a ShopifyRefused.
    """
    search = None if since is None else f"updated_at:>='{iso(since)}'"
    answered = nodes.listed(client, queries.PAGE, CUSTOMER, most, search=search, after=after)
    # What the token may not see is refused in every customer; any other error is a mishap of one customer.
    everywhere = _inner_paths([error for error in answered.errors if error.code == "ACCESS_DENIED"], 3)
    _above, inside = nodes.errors_by_place(answered.errors, 2)
    rows: dict[frozenset[str], list[bytes]] = {}
    for place, node in enumerate(answered.nodes):
        if node is not None:
            rows.setdefault(everywhere | _inner_paths(inside.get(place, ()), 3), []).append(_encoded(node))
    return Page(rows, answered.nodes.count(None), answered.after, answered.newest)


def _encoded(node: Any) -> bytes:
    """A node as a line of a bulk file would have it; half a character stays what it is, to be refused by itself."""
    try:
        return msgspec.json.encode(node)
    except UnicodeEncodeError:
        return json.dumps(node).encode()


def denied_paths(client: AdminClient) -> frozenset[str]:
    """The paths inside a customer that this token is refused, learnt from the ten that changed last.

    A bulk file shows what is refused as null and cannot say so; hand these to `change_from_bulk_line`. One customer
    would not do: an address that is not there is not refused either.
    """
    return _inner_paths(client.query(queries.PROBE).errors, 3)


def count_customers(client: AdminClient) -> int:
    """How many customers the shop has. The count may lag behind writes by seconds."""
    return int(client.query(queries.COUNT).part("customersCount")["count"])


@dataclass(frozen=True, slots=True)
class ShopSurvey:
    """What a shop says of itself and of our app in it."""

    scopes: frozenset[str]
    """The scopes that are granted now."""
    name: str
    currency: str
    timezone: str
    """An IANA name."""
    domain: str
    """The myshopify.com domain."""
    date: Instant | None
    """Shopify's clock when it answered."""
    webhook_version: str | None = None
    """The API version in which deliveries are written; the app's setting, whatever version subscribes."""


def survey(client: AdminClient) -> ShopSurvey:
    """Ask the shop who it is and what the token may do."""
    answer = client.query(queries.SURVEY)
    shop, installation = answer.part("shop"), answer.part("currentAppInstallation")
    return ShopSurvey(
        scopes=frozenset(scope["handle"] for scope in installation["accessScopes"]),
        name=shop["name"],
        currency=shop["currencyCode"],
        timezone=shop["ianaTimezone"],
        domain=shop["myshopifyDomain"],
        date=answer.date,
        webhook_version=installation["app"]["webhookApiVersion"],
    )
