"""Redaction: the customer goes, and the compliance delivery follows to where the app's other deliveries go."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from onewriter.sandbox import Faults, Player, Refused, Shop, acts
from onewriter.sandbox.control import delivery_row
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.deliveries import RETRIES_MAX, signature
from tests.sandbox.stage import Api, Receiver, VirtualShop, subscribe

Running = Callable[..., Api]

TOPIC = "customers/redact"


def somebody(shop: Shop) -> Customer:
    """A customer with a phone and an email address, and without orders."""
    return next(each for each in shop.snapshot() if each.email and each.phone and not each.orders)


def test_a_redaction_is_signed_and_has_the_documented_shape(running: Running, receiver: Receiver) -> None:
    api = running()
    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    shop = api.sandbox.shop
    someone = somebody(shop)
    api.control("act", action="redact", id=someone.id)
    assert api.control("settle", seconds=10)["settled"]
    ((headers, body),) = receiver.got
    assert json.loads(body) == {
        "shop_id": shop.id,
        "shop_domain": shop.domain,
        "customer": {"id": someone.id, "email": someone.email, "phone": someone.phone},
        "orders_to_redact": [],
    }
    assert headers["X-Shopify-Topic"] == TOPIC
    assert headers["X-Shopify-Shop-Domain"] == shop.domain
    assert headers["X-Shopify-Hmac-Sha256"] == signature(api.sandbox.info.api_secret, body)
    assert headers.keys() >= {"X-Shopify-Webhook-Id", "X-Shopify-Triggered-At", "X-Shopify-Event-Id"}
    assert someone.id not in shop.customers
    (row,) = api.http.get("/_sandbox/deliveries").json()
    assert (row["topic"], row["customer_id"], row["status"]) == (TOPIC, someone.id, "acknowledged")


def test_the_log_of_deliveries_tells_nothing_of_the_person() -> None:
    virtual = VirtualShop()
    virtual.subscribe("CUSTOMERS_DELETE")
    someone = virtual.shop.redact(somebody(virtual.shop).id)
    rows = json.dumps([delivery_row(each) for each in virtual.shop.deliveries])
    assert TOPIC in rows
    known = [someone.email, someone.phone, someone.first_name, someone.last_name]
    assert [value for value in known if value and value in rows] == []


def test_the_deletion_is_told_as_ever_and_the_redaction_is_another_event() -> None:
    virtual = VirtualShop()
    virtual.subscribe("CUSTOMERS_DELETE", "CUSTOMERS_UPDATE")
    someone = virtual.shop.redact(somebody(virtual.shop).id)
    sent = virtual.sends()
    assert [(each.topic, each.customer_id) for each in sent] == [("customers/delete", someone.id), (TOPIC, someone.id)]
    assert len({each.event_id for each in sent}) == 2
    assert TOPIC not in {each.topic for each in virtual.shop.subscriptions.all()}


def test_without_any_subscription_no_address_is_known_and_nothing_is_sent() -> None:
    virtual = VirtualShop()
    someone = virtual.shop.redact(somebody(virtual.shop).id)
    assert someone.id not in virtual.shop.customers
    assert virtual.shop.deliveries == []


def test_whoever_has_orders_or_is_gone_is_not_redacted() -> None:
    virtual = VirtualShop(200)
    virtual.subscribe("CUSTOMERS_DELETE")
    buyer = next(each for each in virtual.shop.snapshot() if each.orders)
    gone = virtual.shop.delete(somebody(virtual.shop).id)
    virtual.sends()
    for number in (buyer.id, gone.id):
        with pytest.raises(Refused):
            virtual.shop.redact(number)
    assert virtual.sends() == []
    assert buyer.id in virtual.shop.customers


@pytest.mark.parametrize(
    ("faults", "fate"),
    [({"lose": 1.0}, ("lost", 1, 0)), ({"duplicate": 1.0}, ("acknowledged", 2, 2)), ({}, ("acknowledged", 1, 1))],
)
def test_it_is_lost_and_repeated_like_any_delivery(faults: dict[str, Any], fate: tuple[str, int, int]) -> None:
    virtual = VirtualShop(**faults)
    virtual.subscribe("CUSTOMERS_UPDATE")
    virtual.shop.redact(somebody(virtual.shop).id)
    virtual.sends()
    (redaction,) = virtual.shop.deliveries
    assert (redaction.status, redaction.copies, redaction.attempts) == fate


def test_one_that_nobody_takes_is_given_up_and_takes_no_subscription_with_it() -> None:
    virtual = VirtualShop()
    virtual.subscribe("CUSTOMERS_UPDATE")
    virtual.shop.redact(somebody(virtual.shop).id)
    assert len(virtual.sends(lambda delivery, retry: False)) == 1 + RETRIES_MAX
    assert [each.status for each in virtual.shop.deliveries] == ["failed"]
    assert len(virtual.shop.subscriptions.all()) == 1


def test_a_merge_under_way_fails_when_one_of_the_two_is_redacted() -> None:
    virtual = VirtualShop(merge_seconds=30.0)
    virtual.subscribe("CUSTOMERS_MERGE")
    free = [each.id for each in virtual.shop.snapshot() if not each.orders]
    merge = virtual.shop.merge(free[0], free[1])
    virtual.shop.redact(merge.deleted)
    virtual.now += 30.0
    virtual.shop.tick()
    assert (merge.status, merge.kept in virtual.shop.customers) == ("FAILED", True)
    assert {topic for topic, _ in virtual.told()} == {TOPIC, "customers/merge"}


def test_redactions_do_not_stop_a_played_day() -> None:
    shop = Shop(50, 5, faults=Faults(), clock=lambda: 1_800_000_000.0)
    player = Player(shop)
    for _ in range(10):
        player.play(10, 0.0)
        shop.redact(somebody(shop).id)
    assert len(shop.snapshot()) == len(shop.ids) > 0
    assert all(shop.find(email=each.email) == each for each in shop.snapshot() if each.email)


def test_a_request_for_data_names_the_person_and_changes_nothing() -> None:
    virtual = VirtualShop()
    virtual.subscribe("CUSTOMERS_UPDATE")
    someone = somebody(virtual.shop)
    acts.act(virtual.shop, "request_data", someone.id, {})
    (sent,) = virtual.sends()
    assert (sent.topic, sent.customer_id) == ("customers/data_request", someone.id)
    body = json.loads(sent.body)
    assert body["customer"] == {"id": someone.id, "email": someone.email, "phone": someone.phone}
    assert body.keys() == {"shop_id", "shop_domain", "orders_requested", "customer", "data_request"}
    assert virtual.shop.customers[someone.id] == someone


def test_the_redaction_of_a_shop_follows_its_app_that_was_removed(running: Running, receiver: Receiver) -> None:
    api = running()
    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    api.control("uninstall")
    api.control("redact_shop")
    assert api.control("settle", seconds=10)["settled"]
    headers, body = receiver.got[-1]
    assert headers["X-Shopify-Topic"] == "shop/redact"
    assert headers["X-Shopify-Hmac-Sha256"] == signature(api.sandbox.info.api_secret, body)
    assert json.loads(body) == {"shop_id": api.sandbox.shop.id, "shop_domain": api.sandbox.shop.domain}
