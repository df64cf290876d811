"""Direct reads: customers by id, how many there are, and what the shop and the token are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from onewriter.errors import NotUnderstood, ShopifyRefused
from onewriter.records import Change, Instant, Kind, Path
from onewriter.shopify import queries
from onewriter.shopify.client import AdminClient, Answer, CostTooHigh, QueryError
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
        _collect(read, batch, answer, began, position)
        wanted = wanted[len(batch) :]
    return read


def _collect(read: Read, batch: list[int], answer: Answer, began: Instant, position: int) -> None:
    nodes = answer.data.get("nodes")
    if not isinstance(nodes, list) or len(nodes) != len(batch):
        raise ShopifyRefused("Shopify answered another number of customers than was asked for.")
    blanket, by_index = _errors_by_index(answer.errors)
    for index, (number, node) in enumerate(zip(batch, nodes, strict=True)):
        errors = by_index.get(index, [])
        if node is None and (hidden := errors or blanket):
            read.unread[number] = hidden[0].code
        elif node is None:
            read.changes.append(_absent(number, began, position))
        else:
            _present(read, number, node, errors, began, position)


def _errors_by_index(errors: Sequence[QueryError]) -> tuple[list[QueryError], dict[int, list[QueryError]]]:
    """The errors that may concern any node, and those of each node by its place in the list."""
    blanket: list[QueryError] = []
    by_index: dict[int, list[QueryError]] = {}
    for error in errors:
        if len(error.path) >= 2 and isinstance(error.path[1], int):
            by_index.setdefault(error.path[1], []).append(error)
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
