"""Orders on played days and by the control endpoint, their ids and amounts, and their deliveries among faults."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from onewriter.sandbox import Player, Refused
from onewriter.sandbox.acts import ORDER_ACTIONS, act
from onewriter.sandbox.order import Order, decimal_text, money_text
from tests.sandbox.stage import SUBSCRIBE, Api, Receiver, VirtualShop, subscribe

Running = Callable[..., Api]
TOPICS = ("ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_PAID", "ORDERS_CANCELLED", "REFUNDS_CREATE")


def ordered(shop: Any, action: str, identifier: int | None, **given: Any) -> Order:
    made = act(shop, action, identifier, given)
    assert isinstance(made, Order)
    return made


def test_every_verb_has_its_action() -> None:
    shop = VirtualShop(3).shop
    made = ordered(shop, "order", shop.ids[0], totalCents=1_000, subtotal_cents=900, paid=False)
    assert ordered(shop, "pay", made.id).financial_status == "PAID"
    assert ordered(shop, "edit_order", made.id, total_cents=900).owed_cents == -100
    assert ordered(shop, "refund", made.id, cents=100).owed_cents == 0
    assert ordered(shop, "fulfil", made.id, partly=True).fulfilment_status == "PARTIALLY_FULFILLED"
    assert ordered(shop, "cancel", made.id, refund=True).financial_status == "REFUNDED"
    assert ordered(shop, "order", None, total_cents=5).customer_id is None
    with pytest.raises(Refused, match="Order does not exist"):
        act(shop, "pay", None, {})
    with pytest.raises(Refused, match="Customer does not exist"):
        act(shop, "order", "somebody", {"total_cents": 5})


def test_the_control_endpoint_places_orders_and_shows_them(running: Running) -> None:
    api = running(3)
    someone = api.sandbox.shop.ids[0]
    made = api.control("act", action="order", id=someone, input={"totalCents": 1_000})
    assert (made["total_cents"], made["customer_id"], made["financial_status"]) == (1_000, someone, "PAID")
    api.control("act", action="refund", id=made["admin_graphql_api_id"], input={"cents": 250})
    lines = [json.loads(line) for line in api.http.get("/_sandbox/orders").text.splitlines()]
    assert [(each["id"], each["refunds"][0]["cents"], each["name"]) for each in lines] == [(made["id"], 250, "#1001")]
    refused = api.http.post("/_sandbox/act", json={"action": "refund", "id": made["id"], "input": {"cents": 900}})
    assert refused.status_code == 422
    unknown = api.http.post("/_sandbox/act", json={"action": "refund", "id": made["id"], "input": {"euros": 9}})
    assert unknown.status_code == 400


def lived(seed: int, orders: float, events: int = 300, **faults: Any) -> tuple[VirtualShop, Counter[str]]:
    """A shop some hours later, and what was done in it."""
    virtual = VirtualShop(30, seed, **faults)
    virtual.subscribe("CUSTOMERS_UPDATE", "CUSTOMERS_MERGE", *TOPICS)
    player = Player(virtual.shop, orders)
    done: Counter[str] = Counter()
    for _ in range(events):
        done.update(player.event())
        virtual.now += 30.0
    return virtual, done


def test_days_hold_orders_only_where_they_are_asked_for() -> None:
    virtual, done = lived(3, 0.0)
    assert not done.keys() & set(ORDER_ACTIONS)
    assert not virtual.shop.orders
    virtual, done = lived(3, 2.0)
    assert done.keys() >= set(ORDER_ACTIONS)
    assert done["order"] == len(virtual.shop.orders)
    assert {each.customer_id is None for each in virtual.shop.orders.values()} == {True, False}


def test_the_same_seed_plays_the_same_orders() -> None:
    one, two = (lived(5, 1.0, delay=20.0, duplicate=0.2, lose=0.1) for _ in range(2))
    assert one[1] == two[1]
    assert dict(one[0].shop.orders) == dict(two[0].shop.orders)
    assert [each.body for each in one[0].sends()] == [each.body for each in two[0].sends()]


def test_orders_and_counters_agree_after_days_with_merges() -> None:
    virtual, done = lived(8, 2.0, 600)
    assert done["merge"]
    shop = virtual.shop
    fresh = {record.id: record for record in VirtualShop(30, 8).shop.snapshot()}
    gained: Counter[int] = Counter()
    for order in shop.orders.values():
        assert 0 <= order.current_subtotal_cents <= order.current_total_cents <= order.total_cents
        assert order.kept_cents >= 0
        if order.customer_id is not None:
            assert order.customer_id in shop.customers
            gained[order.customer_id] += order.kept_cents * (not order.test)
    into = {each.deleted: each.kept for each in shop.merges.all() if each.status == "COMPLETED"}
    for record in shop.snapshot():
        whole = {record.id}
        while more := {lost for lost, kept in into.items() if kept in whole} - whole:
            whole |= more
        before = sum(fresh[number].spent_cents for number in whole if number in fresh)
        assert record.spent_cents == before + gained[record.id]


def test_the_control_endpoint_plays_orders(running: Running) -> None:
    api = running(10)
    assert not api.control("play", events=30).keys() & set(ORDER_ACTIONS)
    assert api.control("play", events=60, orders=5).keys() & set(ORDER_ACTIONS)
    assert not api.control("play", events=30).keys() & set(ORDER_ACTIONS)


def test_deliveries_of_orders_are_lost_doubled_and_delayed() -> None:
    virtual = VirtualShop(3, lose=0.3, duplicate=0.4, delay=50.0)
    virtual.subscribe(*TOPICS)
    for _ in range(60):
        virtual.shop.place_order(virtual.shop.ids[0], 100)
    sent = virtual.sends()
    states = Counter(each.status for each in virtual.shop.deliveries)
    assert states.keys() == {"lost", "acknowledged"}
    assert len(sent) == sum(each.copies for each in virtual.shop.deliveries if each.status != "lost")
    assert max(each.copies for each in sent) == 2
    numbers = [json.loads(each.body)["id"] for each in sent]
    assert numbers != sorted(numbers)


def test_a_refused_delivery_is_tried_again() -> None:
    virtual = VirtualShop(3)
    virtual.subscribe("REFUNDS_CREATE")
    virtual.shop.refund_order(virtual.shop.place_order(None, 100).id, 100)
    sent = virtual.sends(lambda delivery, retry: retry == 2)
    assert [each.topic for each in sent] == ["refunds/create"] * 3
    assert len({each.webhook_id for each in sent}) == 1


def test_order_topics_need_their_scope(running: Running, receiver: Receiver) -> None:
    api = running(3, scopes=["write_customers", "read_customer_merge"])
    for topic in TOPICS:
        made = api.data(SUBSCRIBE, topic=topic, uri=receiver.url)["webhookSubscriptionCreate"]
        assert "do not have permission" in made["userErrors"][0]["message"]
    api.control("faults", scopes=["read_orders"])
    subscribe(api, receiver, *TOPICS)
    api.control("faults", topics_refused=True)
    made = api.data(SUBSCRIBE, topic="ORDERS_FULFILLED", uri=receiver.url)["webhookSubscriptionCreate"]
    assert "protected customer data" in made["userErrors"][0]["message"]


def test_deliveries_of_one_customers_orders_arrive_in_order(running: Running, receiver: Receiver) -> None:
    api = running(3)
    subscribe(api, receiver, *TOPICS)
    number = api.sandbox.shop.place_order(api.sandbox.shop.ids[0], 1_000, paid=False).id
    api.sandbox.shop.pay_order(number)
    api.sandbox.shop.refund_order(number, 1_000)
    assert api.control("settle", seconds=10)["settled"]
    topics = [headers["X-Shopify-Topic"] for headers, _ in receiver.got]
    assert topics == ["orders/create", "orders/paid", "orders/updated", "refunds/create", "orders/updated"]
    first = json.loads(receiver.got[0][1])
    assert (first["id"], first["financial_status"]) == (number, "pending")


def test_ids_follow_from_the_seed_and_rise() -> None:
    def ids(seed: int) -> list[int]:
        shop = VirtualShop(2, seed).shop
        return [shop.place_order(None, 100).id for _ in range(3)]

    assert ids(1) == ids(1) == sorted(ids(1))
    assert ids(1) != ids(2)


@pytest.mark.parametrize(("cents", "text", "decimal"), [(0, "0.00", "0.0"), (1_200, "12.00", "12.0")])
def test_money_is_written_as_shopify_writes_it(cents: int, text: str, decimal: str) -> None:
    assert (money_text(cents), decimal_text(cents)) == (text, decimal)
    assert (money_text(-cents - 5), decimal_text(cents + 5)) == (f"-{text[:-1]}5", f"{text[:-1]}5")
