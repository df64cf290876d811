"""The schema with its resolvers: our SDL, joined to the table of fields and to what the roots can do."""

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
)

from onewriter.sandbox import reads, writes
from onewriter.sandbox.bulk import Operation
from onewriter.sandbox.call import Call
from onewriter.sandbox.customer import Customer, Metafield, gid, utc_text
from onewriter.sandbox.deliveries import Subscription
from onewriter.sandbox.fields import CONNECTIONS, FIELDS, PROTECTED, Getter
from onewriter.sandbox.merges import ERROR_FIELDS
from onewriter.sandbox.normalise import snake
from onewriter.sandbox.order import Fulfilment, Order, Refund
from onewriter.sandbox.paging import Page, listed
from onewriter.sandbox.shop import API_VERSION
from onewriter.sandbox.subscriptions import ENUM_NAMES

Resolver = Callable[..., Any]
Info = GraphQLResolveInfo[Any]
PROTECTED_PAGE = "https://shopify.dev/docs/apps/launch/protected-customer-data"
PAGED = ("first", "last", "after")
# A connection under a record is short, so that an answer without a size is all of it.
ALL_OF_IT = 250

TYPE_NAMES = {
    Customer: "Customer",
    Fulfilment: "Fulfillment",
    Metafield: "Metafield",
    Operation: "BulkOperation",
    Order: "Order",
    Refund: "Refund",
    Subscription: "WebhookSubscription",
}


def sdl() -> str:
    return (files("onewriter.sandbox") / "schema.graphql").read_text(encoding="utf-8")


@cache
def schema() -> GraphQLSchema:
    """The executable schema; one for all shops, since a shop comes with each call."""
    built = build_schema(sdl())
    _attach(built, "QueryRoot", {name: _root(resolve) for name, resolve in reads.QUERIES.items()})
    _attach(built, "Mutation", {name: _root(resolve) for name, resolve in writes.MUTATIONS.items()})
    for kind, getters in FIELDS.items():
        denied = PROTECTED.get(kind, frozenset())
        _attach(built, kind, {name: _field(kind, name, get, name in denied) for name, get in getters.items()})
    for kind, lists in CONNECTIONS.items():
        _attach(built, kind, {name: _connection(get) for name, get in lists.items()})
    for kind, resolvers in _PLAIN.items():
        _attach(built, kind, resolvers)
    for each in built.type_map.values():
        _finish(each)
    return built


def _attach(built: GraphQLSchema, kind: str, resolvers: dict[str, Resolver]) -> None:
    owner = built.type_map[kind]
    if not isinstance(owner, GraphQLObjectType):
        raise TypeError(f"{kind} is no object type")
    for name, resolve in resolvers.items():
        owner.fields[name].resolve = resolve


def _finish(kind: Any) -> None:
    """What follows from a type's name alone: pages for connections, and whose type an interface stands for."""
    if isinstance(kind, GraphQLInterfaceType):
        kind.resolve_type = lambda value, info, abstract: TYPE_NAMES[type(value)]
    elif isinstance(kind, GraphQLObjectType) and kind.name.endswith("Connection"):
        kind.fields["edges"].resolve = lambda page, info: page.edges
        kind.fields["nodes"].resolve = lambda page, info: [edge.node for edge in page.edges]
        kind.fields["pageInfo"].resolve = lambda page, info: page.info


def _root(resolve: Resolver) -> Resolver:
    def resolved(root: Any, info: Info, **arguments: Any) -> Any:
        return resolve(info.context, **{snake(key): value for key, value in arguments.items()})

    return resolved


def _field(kind: str, name: str, get: Getter, protected: bool) -> Resolver:
    if not protected:
        return lambda record, info, **arguments: get(record, **arguments)

    def resolved(record: Any, info: Info, **arguments: Any) -> Any:
        call: Call = info.context
        if call.shop.faults.protected_denied:
            message = f"This app is not approved to use the {name} field. See {PROTECTED_PAGE} for more details."
            raise GraphQLError(message, extensions={"code": "ACCESS_DENIED"})
        return get(record, **arguments)

    return resolved


def _connection(get: Getter) -> Resolver:
    def resolved(record: Any, info: Info, **arguments: Any) -> Page:
        paged = {key: arguments[key] for key in PAGED if key in arguments}
        if "first" not in paged and "last" not in paged:
            paged["first"] = ALL_OF_IT
        items = get(record, **{key: arguments[key] for key in ("namespace", "keys") if key in arguments})
        return listed(items[::-1] if arguments.get("reverse") else items, **paged)

    return resolved


def _buyer(order: Order, info: Info) -> Customer | None:
    """Whoever the order belongs to now; that takes the scope for customers."""
    call: Call = info.context
    call.need("read_customers", "customer")
    return None if order.customer_id is None else call.shop.customers.get(order.customer_id)


def _refunded(refund: Refund, info: Info) -> Order:
    call: Call = info.context
    return call.shop.orders[refund.order_id]


def _of(get: Callable[[Any], Any]) -> Resolver:
    return lambda record, info: get(record)


def _time(name: str) -> Resolver:
    def resolved(record: Any, info: Info) -> str | None:
        seconds = getattr(record, name)
        return None if seconds is None else utc_text(seconds)

    return resolved


def _file_link(partial: bool) -> Resolver:
    """The link to a finished operation's file: `url`, or `partialDataUrl` where it failed. None without rows."""
    status = "FAILED" if partial else "COMPLETED"

    def resolved(operation: Operation, info: Info) -> str | None:
        call: Call = info.context
        if operation.status != status or operation.file is None or not operation.file.lines:
            return None
        return f"{call.base_url}/bulk/{operation.id}.jsonl"

    return resolved


_PLAIN: dict[str, dict[str, Resolver]] = {
    "PageInfo": {
        "endCursor": _of(lambda info: info.end),
        "hasNextPage": _of(lambda info: info.has_next),
        "hasPreviousPage": _of(lambda info: info.has_previous),
        "startCursor": _of(lambda info: info.start),
    },
    "BulkOperation": {
        "completedAt": _time("completed_at"),
        "createdAt": _time("created_at"),
        "errorCode": _of(lambda operation: operation.error_code),
        "fileSize": _of(
            lambda operation: str(operation.file.size) if operation.completed_at and operation.file else None
        ),
        "id": _of(lambda operation: gid("BulkOperation", operation.id)),
        "objectCount": _of(lambda operation: str(operation.object_count)),
        "partialDataUrl": _file_link(partial=True),
        "query": _of(lambda operation: operation.query),
        "rootObjectCount": _of(lambda operation: str(operation.root_object_count)),
        "status": _of(lambda operation: operation.status),
        "type": _of(lambda operation: "QUERY"),
        "url": _file_link(partial=False),
    },
    "Job": {
        "done": _of(lambda merge: merge.done),
        "id": _of(lambda merge: merge.job_id),
    },
    "CustomerMergeRequest": {
        "customerMergeErrors": _of(lambda merge: merge.problems),
        "jobId": _of(lambda merge: merge.job_id),
        "resultingCustomerId": _of(lambda merge: gid("Customer", merge.kept)),
        "status": _of(lambda merge: merge.status),
    },
    "CustomerMergeError": {
        "errorFields": _of(lambda problem: [each for each in ERROR_FIELDS if each == problem.field.upper()]),
        "message": _of(lambda problem: problem.message),
    },
    "Order": {"customer": _buyer},
    "Refund": {"order": _refunded},
    "WebhookSubscription": {
        "apiVersion": _of(lambda subscription: reads.version(API_VERSION)),
        "createdAt": _time("created_at"),
        "filter": _of(lambda subscription: None),
        "format": _of(lambda subscription: "JSON"),
        "id": _of(lambda subscription: gid("WebhookSubscription", subscription.id)),
        "includeFields": _of(lambda subscription: list(subscription.include_fields)),
        "legacyResourceId": _of(lambda subscription: str(subscription.id)),
        "name": _of(lambda subscription: subscription.name),
        "topic": _of(lambda subscription: ENUM_NAMES[subscription.topic]),
        "updatedAt": _time("updated_at"),
        "uri": _of(lambda subscription: subscription.uri),
    },
}
