"""Clocks that jump: whatever ours says, and whenever it is moved, the end is that of the shop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from onewriter.db.tables import findings, refetch_marks
from onewriter.intake.drain import Drain
from onewriter.intake.refetch import Refetch
from onewriter.records import DAY, HOUR, SECOND, Delivery, Instant
from onewriter.runtime import Runtime, now
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.shopify.webhooks import LATE_MAX, read_headers
from tests.support.joined import KEEP_DAYS, Joined, connect, put_in_inbox, states_of


class Time:
    """Time in the shop, which goes on, and our clock, which is off by one of some amounts, each step another."""

    def __init__(self, seed: int, *offsets: Instant) -> None:
        self._chance = Random(seed)
        self._offsets = offsets
        self._moment = now()
        self.offset = self._chance.choice(offsets)

    def shopify(self) -> float:
        return self._moment / SECOND

    def ours(self) -> Instant:
        return self._moment + self.offset

    def pass_by(self, *, right: bool = False) -> None:
        """Some seconds later; our clock may have been put somewhere else meanwhile, or be right again."""
        self._moment += 7 * SECOND
        self.offset = 0 if right else self._chance.choice(self._offsets)


@contextmanager
def watched_by(runtime: Runtime, time_of: Time) -> Iterator[Joined]:
    """A shop in its own time that is connected by an installation with our clock, its customers imported."""
    with (
        RunningSandbox(6, 1, faults=Faults(bulk_seconds=0.0), clock=time_of.shopify) as sandbox,
        Runtime(runtime.settings, clock=time_of.ours) as ours,
    ):
        connected = connect(ours, sandbox, at=time_of.ours())
        assert connected.run_id is not None
        shop = Joined(ours, sandbox, connected.shop_id, connected.run_id)
        shop.carry_out()
        yield shop


@pytest.mark.req("K15")
@pytest.mark.parametrize("seed", range(3))
def test_a_clock_that_jumps_between_any_two_steps_changes_no_end(runtime: Runtime, seed: int) -> None:
    time_of = Time(seed, -DAY, 0, DAY)
    with watched_by(runtime, time_of) as shop:
        for act in acts(shop, Random(seed)):
            act()
            for step in (hear, apply_all, read_all):
                time_of.pass_by()
                step(shop)
        for _ in range(4):
            for step in (hear, apply_all, read_all):
                time_of.pass_by(right=True)
                step(shop)
        assert states_of(runtime).keys() == {"done"}, "nothing waits for a time that does not come"
        assert differing(shop) == {}
        with runtime.database.read() as db:
            assert db.execute(select(func.count()).select_from(refetch_marks)).scalar_one() == 0
            assert db.execute(select(findings.c.reason)).all() == []


@pytest.mark.req("K28")
@pytest.mark.parametrize("offset", [-2 * HOUR, 2 * HOUR], ids=["two hours behind", "two hours ahead"])
def test_a_clock_that_is_wrong_all_the_time_keeps_no_tag_from_us(runtime: Runtime, offset: Instant) -> None:
    time_of = Time(1, offset)
    with watched_by(runtime, time_of) as shop:
        number = shop.shop.ids[0]
        for change in (["gold"], ["silver"]):
            time_of.pass_by()
            shop.shop.add_tags(number, change)
            for step in (hear, apply_all, read_all):
                time_of.pass_by()
                step(shop)
            assert differing(shop) == {}, "a bulk read is dated by Shopify's clock, and a direct one came after it"
        shop.carry_out(shop.queue())
        assert differing(shop) == {}


def differing(shop: Joined) -> dict[int, Any]:
    """What we hold and what the shop has, field by field, of each customer where these are not the same."""
    ours, theirs = shop.held(), shop.truth()
    return {
        number: {
            name: (ours.get(number, {}).get(name), value)
            for name, value in theirs.get(number, {}).items()
            if ours.get(number, {}).get(name) != value
        }
        for number in ours.keys() | theirs.keys()
        if ours.get(number) != theirs.get(number)
    }


def acts(shop: Joined, chance: Random) -> Iterator[Callable[[], object]]:
    """What happens in the shop."""
    ids = list(shop.shop.ids)
    for turn in range(4):
        number = chance.choice(ids)
        yield partial(shop.shop.create, first_name=f"New {turn}", email=f"new{turn}@example.com")
        yield partial(shop.shop.update, number, note=f"note {turn}")
        yield partial(shop.shop.add_tags, number, [f"tag {turn}"])
    leaving = shop.shop.create(first_name="Leaving", email="leaving@example.com")
    yield partial(shop.shop.update, leaving.id, note="good-bye")
    yield partial(shop.shop.delete, leaving.id)


def hear(shop: Joined) -> None:
    """Take in what the shop has announced since, at the time of our clock."""
    fresh = [sent for sent in shop.shop.deliveries if sent.webhook_id not in shop._heard]
    shop._heard |= {sent.webhook_id for sent in fresh}
    received = shop.runtime.now()
    made = []
    for sent in fresh:
        headers = read_headers(shop.shop.courier.headers(sent), received)
        assert headers.triggered is not None
        assert received - LATE_MAX <= headers.triggered <= received, "held within what can be true"
        names = (headers.webhook_id, headers.topic)
        made.append(Delivery(shop.shop_id, *names, sent.body, received, triggered=headers.triggered))
    put_in_inbox(shop.runtime, shop.vault, made)


def apply_all(shop: Joined) -> None:
    drain = Drain(shop.runtime.database, shop.runtime.vault, KEEP_DAYS)
    while drain.once(shop.runtime.now()):
        pass


def read_all(shop: Joined) -> None:
    refetch = Refetch(shop.runtime.database, shop.runtime.client, shop.runtime.vault, shop.runtime.now)
    for _ in range(30):
        if not refetch.once(shop.shop_id):
            return
    raise AssertionError("It reads for ever.")
