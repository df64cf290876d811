"""Direct reads: customers by id and by pages, how many there are, and what the shop and the token are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from onewriter.errors import NotUnderstood, ShopifyRefused
from onewriter.records import SECOND, Change, Instant, Kind, Path, iso, parse_instant
from onewriter.shopify import queries
from onewriter.shopify.client import AdminClient, Answer, CostTooHigh, QueryError
from onewriter.shopify.payloads import change_from_node

CLOCK_APART: Instant = 2 * SECOND
"""How far our clock and Shopify's may seem apart and be the same: its Date header ticks in whole seconds."""


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
    wanted = list(dict.fromkeys(ids))
    while wanted:
        batch = wanted[: client.nodes_at_once]
        try:
            answer = client.query(queries.NODES, {"ids": [f"gid://shopify/Customer/{number}" for number in batch]})
        except CostTooHigh:
            if len(batch) == 1:
                raise
            client.nodes_at_once = len(batch) // 2
            continue
        _collect(read, batch, answer, _by_shopify(began, answer.date, client.now()), position)
        wanted = wanted[len(batch) :]
    return read


def _by_shopify(began: Instant, date: Instant | None, now: Instant) -> Instant:
    """When a read began, by Shopify's clock where ours is off.

    Reads are ordered among themselves and with bulk operations, whose times are Shopify's; ours may be moved between.
    """
    if date is None or abs(now - date) <= CLOCK_APART:
        return began
    return began + date - now


def _collect(read: Read, batch: list[int], answer: Answer, began: Instant, position: int) -> None:
    nodes = answer.data.get("nodes")
    if not isinstance(nodes, list) or len(nodes) != len(batch):
        raise ShopifyRefused("Shopify answered another number of customers than was asked for.")
    blanket, by_index = _errors_by_index(answer.errors, 1)
    for index, (number, node) in enumerate(zip(batch, nodes, strict=True)):
        errors = by_index.get(index, [])
        if node is None and (hidden := errors or blanket):
            read.unread[number] = hidden[0].code
        elif node is None:
            read.changes.append(_absent(number, began, position))
        else:
            _present(read, number, node, errors, began, position)


def _errors_by_index(errors: Sequence[QueryError], at: int) -> tuple[list[QueryError], dict[int, list[QueryError]]]:
    """The errors that may concern any node, and those of each node by its place in the list, told at `at` in a path."""
    blanket: list[QueryError] = []
    by_index: dict[int, list[QueryError]] = {}
    for error in errors:
        place = error.path[at] if len(error.path) > at else None
        if isinstance(place, int):
            by_index.setdefault(place, []).append(error)
        else:
            blanket.append(error)
    return blanket, by_index


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
    first = min(most, client.nodes_at_once)
    while True:
        try:
            answer = client.query(queries.PAGE, {"first": first, "after": after, "search": search})
        except CostTooHigh:
            if first == 1:
                raise
            first = client.nodes_at_once = first // 2
            continue
        return _page(answer, after)


def _page(answer: Answer, before: str | None) -> Page:
    connection = answer.part("customers")
    nodes, info = connection.get("nodes"), connection.get("pageInfo")
    if not isinstance(nodes, list) or not isinstance(info, dict):
        raise ShopifyRefused("Shopify answered a page of customers in a form that we cannot read.")
    after = info.get("endCursor") if info.get("hasNextPage") else None
    if info.get("hasNextPage") and (not after or after == before):
        raise ShopifyRefused("Shopify says that there are more customers but not where they begin.")
    # What the token may not see is refused in every customer; any other error is a mishap of one customer.
    everywhere = _inner_paths([error for error in answer.errors if error.code == "ACCESS_DENIED"], 3)
    _blanket, by_index = _errors_by_index(answer.errors, 2)
    rows: dict[frozenset[str], list[bytes]] = {}
    for index, node in enumerate(nodes):
        if node is not None:
            rows.setdefault(everywhere | _inner_paths(by_index.get(index, ()), 3), []).append(_encoded(node))
    return Page(rows, nodes.count(None), after, _newest(nodes))


def _encoded(node: Any) -> bytes:
    """A node as a line of a bulk file would have it; half a character stays what it is, to be refused by itself."""
    try:
        return msgspec.json.encode(node)
    except UnicodeEncodeError:
        return json.dumps(node).encode()


def _newest(nodes: Sequence[Any]) -> Instant | None:
    told = [node["updatedAt"] for node in nodes if isinstance(node, dict) and isinstance(node.get("updatedAt"), str)]
    try:
        return parse_instant(told[-1]) if told else None
    except ValueError:
        return None


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
