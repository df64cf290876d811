"""What Shopify tells of orders, in deliveries and in reads: exactly, strictly, and without a value in any message."""

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onewriter.customers.order_marks import Told
from onewriter.errors import NotUnderstood
from onewriter.intake.orders import told_by
from onewriter.records import Refund, parse_instant
from onewriter.shopify.money import money
from onewriter.shopify.orders import OrderRung, order_from_node, order_rung
from onewriter.shopify.topics import ORDER_TOPICS, customer_ids

NODE: dict[str, Any] = {
    "id": "gid://shopify/Order/4500",
    "updatedAt": "2026-10-05T10:00:00Z",
    "processedAt": "2026-10-01T08:00:00Z",
    "test": False,
    "cancelledAt": None,
    "displayFinancialStatus": "PARTIALLY_REFUNDED",
    "displayFulfillmentStatus": "FULFILLED",
    "totalPriceSet": {"shopMoney": {"amount": "120.0", "currencyCode": "EUR"}},
    "subtotalPriceSet": {"shopMoney": {"amount": "99.95", "currencyCode": "EUR"}},
    "customer": {"id": "gid://shopify/Customer/77"},
    "refunds": [
        {
            "id": "gid://shopify/Refund/9",
            "createdAt": "2026-10-04T10:00:00Z",
            "totalRefundedSet": {"shopMoney": {"amount": "20.00", "currencyCode": "EUR"}},
        },
        {
            "id": "gid://shopify/Refund/8",
            "createdAt": "2026-10-03T10:00:00Z",
            "totalRefundedSet": {"shopMoney": {"amount": "0.005", "currencyCode": "EUR"}},
        },
    ],
    "fulfillments": [
        {"createdAt": "2026-10-02T10:00:00Z", "status": "SUCCESS"},
        {"createdAt": "2026-10-02T12:00:00Z", "status": "SUCCESS"},
        {"createdAt": "2026-10-02T13:00:00Z", "status": "CANCELLED"},
    ],
}


def node(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(NODE) | changes


def at(text: str) -> int:
    return parse_instant(text)


def test_a_node_tells_an_order_with_its_refunds_in_their_order() -> None:
    order = order_from_node(node())
    assert (order.id, order.customer, order.currency, order.test) == (4500, 77, "EUR", False)
    assert (order.total, order.subtotal, order.paid) == (120_000_000, 99_950_000, True)
    assert (order.version, order.processed) == (at("2026-10-05T10:00:00Z"), at("2026-10-01T08:00:00Z"))
    assert order.fulfilled == at("2026-10-02T12:00:00Z"), "the last that succeeded"
    assert order.refunds == (
        Refund(8, 5_000, at("2026-10-03T10:00:00Z")),
        Refund(9, 20_000_000, at("2026-10-04T10:00:00Z")),
    )


@pytest.mark.parametrize(
    ("status", "paid"),
    [
        ("PAID", True),
        ("PARTIALLY_REFUNDED", True),
        ("REFUNDED", True),
        ("PARTIALLY_PAID", False),
        ("PENDING", False),
        ("AUTHORIZED", False),
        ("VOIDED", False),
        ("EXPIRED", False),
        (None, False),
    ],
)
def test_what_counts_as_paid(status: str | None, paid: bool) -> None:
    assert order_from_node(node(displayFinancialStatus=status)).paid is paid


def test_only_a_whole_fulfilment_counts_and_a_guest_is_nobody() -> None:
    assert order_from_node(node(displayFulfillmentStatus="PARTIALLY_FULFILLED")).fulfilled is None
    assert order_from_node(node(fulfillments=[])).fulfilled is None
    assert order_from_node(node(customer=None)).customer is None
    assert order_from_node(node(subtotalPriceSet=None)).subtotal == 0
    assert order_from_node(node(cancelledAt="2026-10-05T10:00:00Z")).cancelled == at("2026-10-05T10:00:00Z")


CANARY = "canary@example.com"


@pytest.mark.parametrize(
    "changes",
    [
        {"id": f"gid://shopify/Order/{CANARY}"},
        {"totalPriceSet": {"shopMoney": {"amount": CANARY, "currencyCode": "EUR"}}},
        {"totalPriceSet": {"shopMoney": {"amount": "-1.0", "currencyCode": "EUR"}}},
        {"totalPriceSet": None},
        {"subtotalPriceSet": {"shopMoney": {"amount": "1.0", "currencyCode": CANARY}}},
        {"updatedAt": CANARY},
        {"updatedAt": "2026-10-05T10:00:00"},
        {"customer": {"id": f"gid://shopify/Order/{CANARY}"}},
        {"test": CANARY},
        {"refunds": [NODE["refunds"][0]] * 250},
        {"refunds": None},
    ],
)
def test_another_shape_is_not_understood_and_quotes_nothing(changes: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood) as raised:
        order_from_node(node(**changes))
    assert CANARY not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "millionths"),
    [
        ("0", 0),
        ("12.3", 12_300_000),
        ("0.000001", 1),
        ("12.340000000000", 12_340_000),
        ("999999999999.99", 10**18 - 10**4),
    ],
)
def test_money_is_exact(text: str, millionths: int) -> None:
    assert money(text, "amount") == millionths


@pytest.mark.parametrize("text", ["", ".5", "1.", "-1", "+1", "1e3", "1,5", "0.0000001", "٣", "NaN", " 1", "1" * 13])
def test_what_is_no_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(NotUnderstood, match=r"^price "):
        money(text, "price")


# ---- Deliveries -----------------------------------------------------------------------------------------------------

ORDER_BODY: dict[str, Any] = {
    "id": 4500,
    "admin_graphql_api_id": "gid://shopify/Order/4500",
    "email": CANARY,
    "cancelled_at": None,
    "customer": {"id": 77, "email": CANARY},
}
REFUND_BODY: dict[str, Any] = {
    "id": 9,
    "admin_graphql_api_id": "gid://shopify/Refund/9",
    "order_id": 4500,
    "created_at": "2026-10-04T12:00:00+02:00",
    "note": CANARY,
    "transactions": [
        {"kind": "refund", "status": "success", "amount": "20.00", "currency": "EUR"},
        {"kind": "refund", "status": "success", "amount": "1.50", "currency": "EUR"},
        {"kind": "refund", "status": "failure", "amount": "7.00", "currency": "EUR"},
        {"kind": "void", "status": "success", "amount": "7.00", "currency": "EUR"},
    ],
}


def body(given: dict[str, Any], **changes: Any) -> bytes:
    return msgspec.json.encode({**given, **changes})


@pytest.mark.parametrize("topic", ["orders/paid", "orders/fulfilled", "orders/updated"])
def test_a_doorbell_tells_which_order_and_no_more(topic: str) -> None:
    assert order_rung(topic, body(ORDER_BODY, cancelled_at="2026-10-05T10:00:00Z")) == OrderRung(4500)
    assert customer_ids(topic, body(ORDER_BODY)) == (77,)
    assert customer_ids(topic, body(ORDER_BODY, customer=None)) == ()


def test_a_cancellation_tells_when_and_a_refund_how_much() -> None:
    told = order_rung("orders/cancelled", body(ORDER_BODY, cancelled_at="2026-10-05T10:00:00Z"))
    assert told == OrderRung(4500, cancelled=at("2026-10-05T10:00:00Z"))
    told = order_rung("refunds/create", body(REFUND_BODY))
    assert told == OrderRung(4500, Refund(9, 21_500_000, at("2026-10-04T10:00:00Z")), frozenset({"EUR"}))
    assert customer_ids("refunds/create", body(REFUND_BODY)) == ()


def test_an_amount_in_another_currency_stands_for_nothing() -> None:
    told = order_rung("refunds/create", body(REFUND_BODY))
    assert told_by(told, "EUR").refunds == (told.refund,)
    assert told_by(told, "USD") == Told()


@pytest.mark.req("K15")
@pytest.mark.parametrize(
    ("topic", "given"),
    [
        ("orders/cancelled", body(ORDER_BODY)),
        ("orders/paid", body(REFUND_BODY)),
        ("refunds/create", body(ORDER_BODY)),
        ("orders/paid", body(ORDER_BODY, admin_graphql_api_id=f"gid://shopify/Customer/{CANARY}")),
        ("orders/paid", body(ORDER_BODY, id=4501)),
        ("orders/paid", body({"id": 4500, "email": CANARY})),
        ("refunds/create", body(REFUND_BODY, created_at=CANARY)),
        ("refunds/create", body(REFUND_BODY, transactions=[{"kind": "refund", "status": "success", "amount": CANARY}])),
        ("refunds/create", body(REFUND_BODY, order_id=CANARY)),
        ("orders/create", body(ORDER_BODY)),
        ("orders/paid", b"[1]"),
        ("orders/paid", b"\xff"),
    ],
)
def test_a_body_of_another_shape_is_refused_by_topic_and_key(topic: str, given: bytes) -> None:
    with pytest.raises(NotUnderstood) as raised:
        order_rung(topic, given)
    assert CANARY not in str(raised.value)


@given(st.sampled_from(ORDER_TOPICS), st.binary())
def test_no_body_raises_anything_else(topic: str, given: bytes) -> None:
    with pytest.raises(NotUnderstood):
        order_rung(topic, given)


# ---- What is kept of them -------------------------------------------------------------------------------------------

refunds = st.builds(Refund, st.integers(1, 4), st.integers(0, 3), st.integers(0, 3))
tolds = st.builds(Told, st.lists(refunds, max_size=2).map(tuple), st.none() | st.integers(0, 3)).map(
    lambda told: Told().and_also(told)
)


@pytest.mark.req("K15")
@given(tolds, tolds, tolds)
def test_what_was_told_is_the_same_in_any_order_and_however_often(one: Told, two: Told, three: Told) -> None:
    assert one.and_also(two) == two.and_also(one)
    assert one.and_also(two).and_also(three) == one.and_also(two.and_also(three))
    assert one.and_also(one) == one
    assert Told.of(one.as_json()) == one
