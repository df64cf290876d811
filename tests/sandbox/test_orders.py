"""Orders: what each verb does to them and to their customer, what it refuses, and what it tells."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from onewriter.sandbox import Refused, Shop
from tests.sandbox.stage import VirtualShop

TOPICS = (
    *("ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_PAID", "ORDERS_FULFILLED", "ORDERS_PARTIALLY_FULFILLED"),
    *("ORDERS_EDITED", "ORDERS_CANCELLED", "REFUNDS_CREATE", "CUSTOMERS_PURCHASING_SUMMARY"),
)
# What an app reads of an order in a delivery, as far as it is a matter of Shopify's REST resource.
ORDER_KEYS = {
    *("id", "admin_graphql_api_id", "name", "number", "order_number", "email", "contact_email", "customer", "test"),
    *("created_at", "updated_at", "processed_at", "cancelled_at", "closed_at", "cancel_reason", "confirmed", "tags"),
    *("currency", "presentment_currency", "financial_status", "fulfillment_status", "source_name", "note", "phone"),
    *("total_price", "subtotal_price", "total_tax", "total_discounts", "total_line_items_price", "total_outstanding"),
    *("current_total_price", "current_subtotal_price", "current_total_tax", "current_total_price_set"),
    *("total_price_set", "subtotal_price_set", "current_subtotal_price_set", "total_shipping_price_set"),
    *("billing_address", "shipping_address", "line_items", "shipping_lines", "fulfillments", "refunds", "tax_lines"),
}
REFUND_KEYS = {
    *("id", "admin_graphql_api_id", "order_id", "created_at", "processed_at", "note", "user_id", "restock"),
    *("transactions", "refund_line_items", "order_adjustments"),
}
SHOP_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-05:00")


class Counter:
    """A shop with one customer who buys, and all that is told of it."""

    def __init__(self) -> None:
        self.virtual = VirtualShop(3)
        self.shop: Shop = self.virtual.shop
        address = {"address1": "1 Elm Street", "country_code": "CA"}
        self.buyer = self.shop.create(first_name="Bob", email="bob@example.com", addresses=[address]).id
        self.virtual.subscribe(*TOPICS)
        self.later()

    def later(self, seconds: float = 60.0) -> None:
        self.virtual.now += seconds

    def heard(self) -> dict[str, Any]:
        """The topics since the last time, with their bodies, in the order in which they were told."""
        return dict(self.virtual.told())

    def figures(self) -> tuple[int, int]:
        record = self.shop.customers[self.buyer]
        return record.orders, record.spent_cents


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_an_order_is_placed_and_counted(counter: Counter) -> None:
    before = counter.shop.customers[counter.buyer]
    made = counter.shop.place_order(counter.buyer, 12_990, 12_500)
    assert (made.total_cents, made.current_total_cents, made.subtotal_cents) == (12_990, 12_990, 12_500)
    assert (made.created_at, made.processed_at, made.updated_at) == (int(counter.virtual.now),) * 3
    assert (made.financial_status, made.fulfilment_status, made.email) == ("PAID", "UNFULFILLED", "bob@example.com")
    assert counter.figures() == (1, 12_990)
    assert counter.shop.customers[counter.buyer].updated_at == before.updated_at, "which is not documented to move"
    told = counter.heard()
    assert list(told) == ["orders/create", "orders/paid", "customers/purchasing_summary"]
    assert told["orders/create"] == told["orders/paid"]
    summary = told["customers/purchasing_summary"]
    assert list(summary) == ["customerId", "numberOfOrders", "amountSpent", "lastOrderId", "occurredAt"]
    assert (summary["numberOfOrders"], summary["amountSpent"]["amount"]) == (1, "129.90")


def test_the_payload_is_the_order_of_the_rest_resource(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 12_990, 12_500)
    body = counter.heard()["orders/create"]
    assert body.keys() >= ORDER_KEYS
    assert (body["id"], body["admin_graphql_api_id"]) == (made.id, f"gid://shopify/Order/{made.id}")
    for name in ("created_at", "updated_at", "processed_at"):
        assert SHOP_TIME.fullmatch(body[name])
    assert (body["total_price"], body["subtotal_price"], body["current_total_price"]) == ("129.90", "125.00", "129.90")
    assert body["total_price_set"]["shop_money"] == {"amount": "129.90", "currency_code": "USD"}
    assert body["total_shipping_price_set"]["presentment_money"]["amount"] == "4.90"
    assert (body["financial_status"], body["fulfillment_status"], body["test"]) == ("paid", None, False)
    assert (body["name"], body["order_number"], body["number"]) == ("#1001", 1001, 1)
    buyer = body["customer"]
    assert (buyer["id"], buyer["email"], buyer["first_name"]) == (counter.buyer, "bob@example.com", "Bob")
    assert "addresses" not in buyer
    assert buyer["default_address"]["address1"] == body["shipping_address"]["address1"] == "1 Elm Street"
    assert sum(float(line["price"]) for line in body["line_items"]) == 125.0
    assert (body["refunds"], body["fulfillments"], body["cancelled_at"]) == ([], [], None)


def test_a_guest_has_no_customer(counter: Counter) -> None:
    made = counter.shop.place_order(None, 500)
    told = counter.heard()
    assert list(told) == ["orders/create", "orders/paid"]
    assert (told["orders/create"]["customer"], told["orders/create"]["email"]) == (None, None)
    assert (made.customer_id, made.subtotal_cents, counter.figures()) == (None, 500, (0, 0))
    assert {each.customer_id for each in counter.shop.deliveries} == {None}


def test_an_order_is_paid_later(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 1_000, paid=False)
    assert (made.financial_status, counter.figures()) == ("PENDING", (1, 0))
    assert list(counter.heard()) == ["orders/create", "customers/purchasing_summary"]
    counter.later()
    after = counter.shop.pay_order(made.id)
    assert (after.financial_status, after.processed_at) == ("PAID", made.processed_at)
    assert (after.updated_at, counter.figures()) == (int(counter.virtual.now), (1, 1_000))
    assert list(counter.heard())[:2] == ["orders/paid", "orders/updated"]
    with pytest.raises(Refused, match="cannot be marked as paid"):
        counter.shop.pay_order(made.id)


def test_what_costs_nothing_is_paid(counter: Counter) -> None:
    assert counter.shop.place_order(counter.buyer, 0, paid=False).financial_status == "PAID"
    assert "orders/paid" in counter.heard()


def test_an_order_is_sent_in_part_and_then_wholly(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 1_001)
    counter.heard()
    counter.later()
    assert counter.shop.fulfil_order(made.id, partly=True).fulfilment_status == "PARTIALLY_FULFILLED"
    told = counter.heard()
    assert list(told) == ["orders/partially_fulfilled", "orders/updated"]
    assert told["orders/updated"]["fulfillment_status"] == "partial"
    assert [line["fulfillment_status"] for line in told["orders/updated"]["line_items"]] == ["fulfilled", None]
    first = counter.virtual.now
    counter.later()
    after = counter.shop.fulfil_order(made.id)
    assert [each.created_at for each in after.fulfilments] == [int(first), int(counter.virtual.now)]
    assert after.closed_at == after.updated_at
    told = counter.heard()
    assert list(told) == ["orders/fulfilled", "orders/updated"]
    sent = told["orders/fulfilled"]["fulfillments"]
    assert [each["name"] for each in sent] == ["#1001.1", "#1001.2"]
    lines = [line["id"] for each in sent for line in each["line_items"]]
    assert lines == [line["id"] for line in told["orders/fulfilled"]["line_items"]], "each line was sent once"
    with pytest.raises(Refused, match="closed"):
        counter.shop.fulfil_order(made.id)


def test_a_refund_gives_back_at_most_what_is_left(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 10_490, 10_000)
    counter.heard()
    counter.later()
    after = counter.shop.refund_order(made.id, 1_200)
    assert (after.financial_status, after.kept_cents, counter.figures()) == ("PARTIALLY_REFUNDED", 9_290, (1, 9_290))
    assert (after.total_cents, after.current_total_cents, after.current_subtotal_cents) == (10_490, 9_290, 8_800)
    told = counter.heard()
    assert list(told) == ["refunds/create", "orders/updated", "customers/purchasing_summary"]
    body = told["refunds/create"]
    assert body.keys() >= REFUND_KEYS
    assert (body["order_id"], body["admin_graphql_api_id"]) == (made.id, f"gid://shopify/Refund/{body['id']}")
    paid_back = body["transactions"][0]
    assert (paid_back["kind"], paid_back["status"], paid_back["amount"]) == ("refund", "success", "12.00")
    assert (paid_back["order_id"], paid_back["currency"]) == (made.id, "USD")
    assert body["order_adjustments"][0]["amount"] == "-12.00"
    assert told["orders/updated"]["refunds"] == [body]
    with pytest.raises(Refused, match="greater than the amount that is left"):
        counter.shop.refund_order(made.id, 9_291)
    with pytest.raises(Refused, match="greater than zero"):
        counter.shop.refund_order(made.id, 0)
    after = counter.shop.refund_order(made.id, 9_290)
    assert (after.financial_status, after.current_total_cents, after.current_subtotal_cents) == ("REFUNDED", 0, 0)
    assert len({each.id for each in after.refunds}) == 2


def test_a_refund_may_leave_the_subtotal_as_it_is(counter: Counter) -> None:
    counter.shop.set_faults({"refund_lowers_subtotal": False})
    made = counter.shop.place_order(counter.buyer, 10_490, 10_000)
    after = counter.shop.refund_order(made.id, 1_200)
    assert (after.current_total_cents, after.current_subtotal_cents) == (9_290, 10_000)


def test_what_was_never_paid_cannot_be_given_back(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 1_000, paid=False)
    with pytest.raises(Refused, match="amount that is left"):
        counter.shop.refund_order(made.id, 1)


def test_an_edit_upwards_is_owed_and_one_downwards_is_owed_back(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 10_000)
    counter.heard()
    after = counter.shop.edit_order(made.id, 12_000, 12_000)
    assert (after.financial_status, after.owed_cents, after.total_cents) == ("PARTIALLY_PAID", 2_000, 12_000)
    told = counter.heard()
    assert list(told) == ["orders/edited", "orders/updated"]
    edit = told["orders/edited"]["order_edit"]
    assert (edit["order_id"], len(edit["line_items"]["additions"]), edit["line_items"]["removals"]) == (made.id, 1, [])
    assert counter.shop.pay_order(made.id).received_cents == 12_000
    after = counter.shop.edit_order(made.id, 8_000)
    assert (after.total_cents, after.current_total_cents) == (12_000, 8_000), "what is taken away was there before"
    assert (after.financial_status, after.owed_cents) == ("PAID", -4_000)
    counter.heard()
    after = counter.shop.refund_order(made.id, 5_000)
    assert (after.current_total_cents, after.owed_cents) == (7_000, 0), "only a thousand of it was a return"
    assert counter.heard()["refunds/create"]["order_adjustments"][0]["amount"] == "-10.00"


def test_what_is_taken_off_may_make_a_refund_without_money(counter: Counter) -> None:
    counter.shop.set_faults({"empty_refunds": True})
    made = counter.shop.place_order(counter.buyer, 10_000)
    counter.heard()
    after = counter.shop.edit_order(made.id, 8_000)
    assert (after.financial_status, len(after.refunds), after.refunded_cents) == ("PAID", 1, 0)
    told = counter.heard()
    assert list(told) == ["refunds/create", "orders/edited", "orders/updated"]
    assert (told["refunds/create"]["transactions"], told["refunds/create"]["order_adjustments"]) == ([], [])
    after = counter.shop.cancel_order(made.id, refund=False)
    assert (after.financial_status, len(after.refunds), after.kept_cents) == ("PAID", 2, 10_000)
    assert list(counter.heard()) == ["refunds/create", "orders/cancelled", "orders/updated"]


def test_an_edit_that_changes_nothing_is_no_news(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 10_000)
    counter.heard()
    counter.later()
    assert counter.shop.edit_order(made.id, 10_000) == made
    assert counter.heard() == {}


def test_a_cancellation_gives_all_of_it_back(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 10_000)
    counter.shop.refund_order(made.id, 1_000)
    counter.heard()
    counter.later()
    after = counter.shop.cancel_order(made.id, reason="CUSTOMER")
    assert (after.cancelled_at, after.cancel_reason) == (int(counter.virtual.now), "CUSTOMER")
    assert (after.financial_status, after.current_total_cents) == ("REFUNDED", 0)
    assert after.closed_at is not None
    assert counter.figures() == (1, 0)
    told = counter.heard()
    assert list(told)[:3] == ["refunds/create", "orders/cancelled", "orders/updated"]
    assert told["refunds/create"]["transactions"][0]["amount"] == "90.00"
    assert told["orders/cancelled"]["cancel_reason"] == "customer"
    assert SHOP_TIME.fullmatch(told["orders/cancelled"]["cancelled_at"])
    assert {line["current_quantity"] for line in told["orders/cancelled"]["line_items"]} == {0}


@pytest.mark.parametrize(("paid", "status", "kept"), [(True, "PAID", 10_000), (False, "VOIDED", 0)])
def test_a_cancellation_without_a_refund_keeps_the_money(counter: Counter, paid: bool, status: str, kept: int) -> None:
    made = counter.shop.place_order(counter.buyer, 10_000, paid=paid)
    counter.heard()
    after = counter.shop.cancel_order(made.id, refund=False)
    assert (after.financial_status, after.kept_cents, after.current_total_cents) == (status, kept, 0)
    assert list(counter.heard()) == ["orders/cancelled", "orders/updated"]
    if paid:
        after = counter.shop.refund_order(made.id, 10_000)
        assert (after.financial_status, after.current_total_cents) == ("REFUNDED", 0)


def test_what_is_cancelled_or_gone_cannot_be_changed(counter: Counter) -> None:
    number = counter.shop.place_order(counter.buyer, 10_000, paid=False).id
    counter.shop.cancel_order(number)
    verbs: tuple[Callable[[], Any], ...] = (
        lambda: counter.shop.pay_order(number),
        lambda: counter.shop.fulfil_order(number),
        lambda: counter.shop.edit_order(number, 1),
        lambda: counter.shop.cancel_order(number),
    )
    counter.heard()
    for verb in verbs:
        with pytest.raises(Refused, match="has been cancelled"):
            verb()
    with pytest.raises(Refused, match="Order does not exist"):
        counter.shop.pay_order(7)
    with pytest.raises(Refused, match="Customer does not exist"):
        counter.shop.place_order(7, 100)
    assert counter.heard() == {}


def test_what_is_paid_and_sent_is_refunded_before_it_is_cancelled(counter: Counter) -> None:
    number = counter.shop.place_order(counter.buyer, 10_000).id
    counter.shop.fulfil_order(number)
    with pytest.raises(Refused, match="Cannot cancel a paid and fulfilled order"):
        counter.shop.cancel_order(number)
    with pytest.raises(Refused, match="cannot be edited"):
        counter.shop.edit_order(number, 11_000)
    counter.shop.refund_order(number, 10_000)
    assert counter.shop.cancel_order(number).cancelled_at is not None


@pytest.mark.parametrize(
    "given",
    [
        {"total_cents": -1},
        {"total_cents": 100, "subtotal_cents": 101},
        {"total_cents": 10.5},
        {"total_cents": 100, "processed_at": 4_000_000_000},
    ],
)
def test_impossible_orders_are_refused(counter: Counter, given: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        counter.shop.place_order(counter.buyer, **given)
    assert (dict(counter.shop.orders), counter.heard()) == ({}, {})


def test_test_orders_count_nowhere_but_keep_their_customer(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 10_000, test=True)
    told = counter.heard()
    assert (told["orders/create"]["test"], list(told)) == (True, ["orders/create", "orders/paid"])
    assert counter.figures() == (0, 0)
    with pytest.raises(Refused, match="associated orders"):
        counter.shop.delete(counter.buyer)
    assert made.test


def test_customers_with_orders_can_be_neither_deleted_nor_redacted(counter: Counter) -> None:
    counter.shop.place_order(counter.buyer, 10_000)
    for verb in (counter.shop.delete, counter.shop.redact):
        with pytest.raises(Refused, match="associated orders"):
            verb(counter.buyer)


def test_an_order_may_have_been_processed_before_it_was_made(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 100, processed_at=1_700_000_000)
    assert (made.processed_at, made.created_at) == (1_700_000_000, int(counter.virtual.now))


def test_time_never_runs_backwards_for_an_order(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 1_000, paid=False)
    counter.virtual.now -= 3_600.0
    assert counter.shop.pay_order(made.id).updated_at == made.updated_at


def test_one_action_shares_an_event(counter: Counter) -> None:
    made = counter.shop.place_order(counter.buyer, 1_000)
    counter.shop.cancel_order(made.id)
    events = [each.event_id for each in counter.shop.deliveries]
    assert len(events) == 7
    assert (len(set(events[:3])), len(set(events[3:])), len(set(events))) == (1, 1, 2)


def test_an_app_without_protected_data_gets_no_person(counter: Counter) -> None:
    counter.shop.set_faults({"protected_denied": True})
    made = counter.shop.place_order(counter.buyer, 1_000)
    counter.shop.fulfil_order(made.id)
    for body in counter.heard().values():
        assert "bob@example.com" not in str(body)
        assert "1 Elm Street" not in str(body)


def test_a_merge_moves_the_orders(counter: Counter) -> None:
    shop = counter.shop
    other = shop.create(first_name="Robert", email="robert@example.com").id
    moving = [shop.place_order(counter.buyer, cents).id for cents in (1_000, 2_000)]
    staying = shop.place_order(other, 4_000)
    counter.virtual.subscribe("CUSTOMERS_MERGE")
    counter.heard()
    counter.later()
    assert shop.merge(counter.buyer, other).kept == other
    assert [shop.orders[number].customer_id for number in (*moving, staying.id)] == [other] * 3
    assert {shop.orders[number].email for number in moving} == {"robert@example.com"}
    assert {shop.orders[number].updated_at for number in moving} == {int(counter.virtual.now)}
    assert shop.orders[staying.id] == staying
    told = counter.virtual.told()
    assert [topic for topic, _ in told] == ["customers/merge", "orders/updated", "orders/updated"]
    assert [(body["id"], body["customer"]["id"]) for _, body in told[1:]] == [(number, other) for number in moving]
    assert len({each.event_id for each in shop.deliveries[-3:]}) == 1
    assert (shop.customers[other].orders, shop.customers[other].spent_cents) == (3, 7_000)
    shop.refund_order(moving[0], 500)
    assert shop.customers[other].spent_cents == 6_500


def test_a_merge_may_move_orders_without_a_word(counter: Counter) -> None:
    shop = counter.shop
    other = shop.create(first_name="Robert", email="robert@example.com").id
    number = shop.place_order(counter.buyer, 1_000).id
    counter.heard()
    shop.set_faults({"merge_tells_orders": False})
    shop.merge(counter.buyer, other)
    assert shop.orders[number].customer_id == other
    assert counter.heard() == {}


def test_an_order_that_comes_while_its_customer_is_merged_moves_too(counter: Counter) -> None:
    shop = counter.shop
    other = shop.create(first_name="Robert", email="robert@example.com").id
    shop.set_faults({"merge_seconds": 20.0})
    shop.merge(counter.buyer, other)
    number = shop.place_order(counter.buyer, 1_000).id
    counter.later()
    assert shop.orders[number].customer_id == other
