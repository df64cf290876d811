"""From the shop to our tables: its deliveries over HTTP through the door, the inbox and the reads, for a whole day."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from onewriter.customers import shops
from onewriter.db.tables import findings
from onewriter.runtime import Runtime
from onewriter.sandbox.play import Player
from onewriter.shopify.webhooks import TOPICS
from tests.support.doors import serving
from tests.support.joined import Joined, joined, states_of

EVENTS = 250


def follow_to_the_end(shop: Joined) -> None:
    """Drain and read until nothing waits, as a worker does all day."""
    shop.drain()
    while shop.refetch():
        shop.drain()


def play(shop: Joined, events: int = EVENTS) -> Counter[str]:
    done = Counter(Player(shop.shop).play(events, 0.0))
    assert shop.shop.courier.settle(40.0), "the shop is still sending"
    return done


@pytest.mark.req("K15", "K17", "K18", "K21", "K22", "K26", "K27", "K29", "K30", "K31")
@pytest.mark.parametrize(
    "faults",
    [{}, {"duplicate": 0.3, "delay": 0.5, "reorder": 0.3}],
    ids=["calm", "twice, late and out of order"],
)
def test_after_a_day_without_losses_everybody_is_as_the_shop_has_them(runtime: Runtime, faults: dict[str, Any]) -> None:
    with serving(runtime) as url, joined(runtime, 60, seed=3, public_url=url, **faults) as shop:
        shop.carry_out()
        done = play(shop)
        follow_to_the_end(shop)
        assert min(done[each] for each in ("create", "update", "delete")) > 2, done
        told = [each for each in shop.shop.deliveries if each.topic in TOPICS]
        assert {each.status for each in told} == {"acknowledged"}
        assert sum(each.copies > 1 for each in told) > 5 or not faults, "the fault was played"
        kept = states_of(runtime)
        assert kept.keys() == {"done"}, "nothing was parked and nothing waits"
        assert sorted(row["webhook_id"] for row in kept["done"]) == sorted(each.webhook_id for each in told)
        with runtime.database.read() as db:
            assert db.execute(select(findings)).all() == []
        assert shop.held() == shop.truth()


@pytest.mark.req("K15")
def test_what_the_door_could_not_take_comes_again_and_is_taken_then(runtime: Runtime) -> None:
    with joined(runtime, 3, seed=4) as shop:
        shop.carry_out()
        made = shop.shop.create(first_name="Ann", email="ann@example.com", tags=["vip"])
        assert shop.shop.courier.outstanding, "nobody listens yet, so it waits for its next try"
        with serving(runtime) as url:
            for delivery in shop.shop.deliveries:
                delivery.uri = f"{url}/webhooks/shopify"
            assert shop.shop.courier.settle(40.0)
        follow_to_the_end(shop)
        assert shop.held() == shop.truth()
        assert made.id in shop.held()
        [sent] = [each for each in shop.shop.deliveries if each.topic == "customers/create"]
        assert (sent.status, sent.attempts > 1) == ("acknowledged", True)


def test_when_the_app_is_removed_in_the_shop_we_stop_working_for_it(runtime: Runtime) -> None:
    with serving(runtime) as url, joined(runtime, 3, public_url=url) as shop:
        shop.carry_out()
        shop.shop.uninstall()
        assert shop.shop.courier.settle(40.0)
        shop.drain()
        with runtime.database.read() as db:
            assert shops.by_id(db, shop.shop_id).state == "disconnected"
        assert len(shop.held()) == 3
