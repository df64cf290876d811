"""Orders: read by id and by pages, and what Shopify's bodies tell of them.

An order is read as far as points depend on it and no further; nothing of it is a person's but the customer's id. What
a delivery tells is the order's id, and of a refund or a cancellation just enough to stand for an order that cannot be
read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from onewriter.errors import NotUnderstood
from onewriter.records import Instant, Order, Refund, iso
from onewriter.shopify import canonical, nodes, queries
from onewriter.shopify.client import AdminClient
from onewriter.shopify.money import money
from onewriter.shopify.nodes import ORDER, Node
from onewriter.shopify.payloads import why
from onewriter.shopify.shapes import GraphMoneyBag, GraphOrder, WebhookOrder, WebhookRefund
from onewriter.shopify.topics import ORDER_CANCELLED, ORDER_TOPICS, REFUND_CREATED

PREFIX = "gid://shopify/Order/"
REFUND = "gid://shopify/Refund/"
REFUNDS_MAX = 250
"""Refunds that are read of an order; one that has as many is not understood, since there may be more."""
PAID = frozenset(("PAID", "PARTIALLY_REFUNDED", "REFUNDED"))
NOT_UNDERSTOOD = "NOT_UNDERSTOOD"

# ---- Reads ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class OrdersRead:
    """What a read of some orders found."""

    orders: list[Order] = field(default_factory=list)
    none: set[int] = field(default_factory=set)
    """The ids that read null without an error. That is no word on the order: it may be older than the token may see."""
    unread: dict[int, str] = field(default_factory=dict)
    """By id, the code of the error that hid it or part of it, or NOT_UNDERSTOOD. They say nothing."""


@dataclass(frozen=True, slots=True)
class OrderPage:
    """One page of orders, those that changed longest ago first."""

    orders: list[Order]
    unread: dict[int, str]
    """The orders that an error hid in part, by id and as in a read; these can be read again."""
    hidden: int
    """How many an error hid altogether."""
    after: str | None
    newest: Instant | None
    """When the last of the page was changed."""
    began: Instant
    """When the reading began, by Shopify's clock."""


def read_orders(client: AdminClient, ids: Sequence[int], began: Instant) -> OrdersRead:
    """Read orders by id, as many at a time as Shopify lets one query cost; `began` is not later than the reading."""
    read = OrdersRead()
    for batch, _date in nodes.by_id(client, queries.ORDERS, ORDER, ids):
        for node in batch:
            if node.value is not None:
                _take(read, node)
            elif node.hidden_by is not None:
                read.unread[node.number] = node.hidden_by
            else:
                read.none.add(node.number)
    return read


def read_order_page(
    client: AdminClient, most: int, began: Instant, *, since: Instant | None = None, after: str | None = None
) -> OrderPage:
    """Read up to `most` orders in the order of their last change, from those of the second `since` on.

    A cursor that Shopify does not take is a ShopifyRefused.
    """
    search = None if since is None else f"updated_at:>='{iso(since)}'"
    page = nodes.listed(client, queries.ORDER_PAGE, ORDER, most, search=search, after=after)
    above, inside = nodes.errors_by_place(page.errors, 2)
    read, hidden = OrdersRead(), 0
    for place, value in enumerate(page.nodes):
        number = _number_of(value)
        if number is None:
            hidden += 1
        else:
            _take(read, Node(number, value, tuple(inside.get(place, ())), tuple(above)))
    asked = nodes.by_shopify(began, page.date, client.now())
    return OrderPage(read.orders, read.unread, hidden, page.after, page.newest, asked)


def _number_of(value: Any) -> int | None:
    try:
        return canonical.record_number(value["id"], PREFIX)
    except (NotUnderstood, TypeError, KeyError):
        return None


def _take(read: OrdersRead, node: Node) -> None:
    """Take an order that is shown whole. One with a hidden customer would pass for an order of nobody."""
    try:
        order = order_from_node(node.value)
    except NotUnderstood:
        read.unread[node.number] = node.inside[0].code if node.inside else NOT_UNDERSTOOD
        return
    if node.inside:
        read.unread[node.number] = node.inside[0].code
    elif order.customer is None and node.above:
        read.unread[node.number] = node.above[0].code
    elif order.id != node.number:
        read.unread[node.number] = NOT_UNDERSTOOD
    else:
        read.orders.append(order)


def order_from_node(node: Any) -> Order:
    """The order that an Order node tells; NotUnderstood, which names a key and no value, if it has another shape."""
    try:
        told = msgspec.convert(node, GraphOrder)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"Order node: {why(error)}") from None
    if len(told.refunds) >= REFUNDS_MAX:
        raise NotUnderstood(f"Order node: it has {REFUNDS_MAX} refunds or more.")
    currency = told.total_price_set.shop_money.currency_code
    processed = canonical.moment(told.processed_at)
    refunds = [
        Refund(
            canonical.record_number(refund.id, REFUND, "refunds.id"),
            _amount(refund.total_refunded_set, currency, "refunds.totalRefundedSet"),
            processed if refund.created_at is None else canonical.moment(refund.created_at),
        )
        for refund in told.refunds
    ]
    return Order(
        id=canonical.record_number(told.id, PREFIX),
        customer=None if told.customer is None else canonical.record_number(told.customer.id, key="customer.id"),
        version=canonical.moment(told.updated_at),
        processed=processed,
        currency=currency,
        total=_amount(told.total_price_set, currency, "totalPriceSet"),
        # Shopify leaves it out of an order without goods.
        subtotal=0 if told.subtotal_price_set is None else _amount(told.subtotal_price_set, currency, "subtotal"),
        paid=told.display_financial_status in PAID,
        fulfilled=_fulfilled(told),
        cancelled=None if told.cancelled_at is None else canonical.moment(told.cancelled_at),
        refunds=tuple(sorted(refunds, key=lambda refund: (refund.at, refund.id))),
        test=told.test,
    )


def _amount(bag: GraphMoneyBag, currency: str, key: str) -> int:
    if bag.shop_money.currency_code != currency:
        raise NotUnderstood(f"Order node: {key} is in another currency than the total.")
    return money(bag.shop_money.amount, key)


def _fulfilled(told: GraphOrder) -> Instant | None:
    """When the last fulfilment that succeeded was made, of an order that is fulfilled as a whole."""
    if told.display_fulfillment_status != "FULFILLED":
        return None
    made = [canonical.moment(one.created_at) for one in told.fulfillments if one.status == "SUCCESS"]
    return max(made, default=None)


# ---- Deliveries -----------------------------------------------------------------------------------------------------

_order_body = msgspec.json.Decoder(WebhookOrder)
_refund_body = msgspec.json.Decoder(WebhookRefund)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OrderRung:
    """What a delivery tells of an order: that it must be read, and what stands for it if it cannot be."""

    order: int
    refund: Refund | None = None
    currencies: frozenset[str] = frozenset()
    """The currencies that the refund's amount is in, as far as the body names them."""
    cancelled: Instant | None = None


def order_rung(topic: str, body: bytes) -> OrderRung:
    """What the body of one of ORDER_TOPICS tells; NotUnderstood, which names topic and key, for another shape.

    The topic is a header that nobody signs, so that each body must say itself that it is of an order or of a refund.
    """
    if topic not in ORDER_TOPICS:
        raise NotUnderstood("This topic does not tell of an order.")
    try:
        if topic == REFUND_CREATED:
            return _refunded(_refund_body.decode(body))
        told = _order_body.decode(body)
        number = _same(told.id, told.admin_graphql_api_id, PREFIX)
        if topic != ORDER_CANCELLED:
            return OrderRung(number)
        if told.cancelled_at is None:
            raise NotUnderstood("cancelled_at is empty in the order of a cancellation.")
        return OrderRung(number, cancelled=canonical.moment(told.cancelled_at))
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"{topic}: {why(error)}") from None
    except NotUnderstood as error:
        raise NotUnderstood(f"{topic}: {error}") from None


def _refunded(told: WebhookRefund) -> OrderRung:
    number = _same(told.id, told.admin_graphql_api_id, REFUND)
    given = [one for one in told.transactions if (one.status, one.kind) == ("success", "refund")]
    amount = sum(money(one.amount, "transactions.amount") for one in given)
    return OrderRung(
        canonical.record_number(told.order_id, PREFIX, "order_id"),
        Refund(number, amount, canonical.moment(told.created_at)),
        frozenset(one.currency for one in given if one.currency is not None),
    )


def _same(identity: int | str, gid: str, prefix: str) -> int:
    """The number in an id, which the body's gid must repeat: it says what kind of record the body is of."""
    if not gid.startswith(prefix):
        raise NotUnderstood("admin_graphql_api_id is of another kind of record.")
    number = canonical.record_number(identity, prefix)
    if number != canonical.record_number(gid, prefix, "admin_graphql_api_id"):
        raise NotUnderstood("id and admin_graphql_api_id are of two records.")
    return number


def customers_of(orders: Iterable[Order]) -> set[int]:
    """The Shopify ids of the customers that these orders are of."""
    return {order.customer for order in orders if order.customer is not None}
