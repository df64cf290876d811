"""What happens to orders in the shop: placed, paid, sent, edited, given back in part or in full, and cancelled."""

from collections.abc import Callable
from functools import partial
from random import Random

from onewriter.bench.simulate.scenario import HOUR_S, Scenario
from onewriter.bench.simulate.world import START, World
from onewriter.records import SECOND
from onewriter.sandbox import Refused, Shop
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.order import Order

ORDERS_SHARE = 0.35
"""So many orders are placed for each other event of the seed."""
FIRST_S = 120.0
EARLY_CHANCE = 0.1
"""How many are placed while the shop is being imported."""
REGULARS = 10
NEWCOMER_CHANCE = 0.35
GUEST_CHANCE = 0.06
SHIPPING_CENTS = (0, 490, 990)
AFTER_MERGES_SHARE = 0.15
"""So many changes more, for each other event, are made to orders whose buyer was merged away."""
WAITS_S = (0.0, 2.0, 60.0, HOUR_S, 5 * HOUR_S, 20 * HOUR_S)
STEPS = (("fulfil_partly", 0.15), ("fulfil", 0.65), ("refund", 0.3), ("refund", 0.15), ("return", 0.1), ("cancel", 0.1))
"""What may become of an order, and how often it does."""


def newcomers(shop: Shop) -> list[Customer]:
    """The customers who came since the play began."""
    return [record for record in shop.snapshot() if record.created_at * SECOND >= START]


def buyers(shop: Shop) -> list[Customer]:
    """The customers who have orders of this play, in the order of their ids."""
    there = shop.customers
    numbers = {order.customer_id for order in shop.orders.values()}
    return [there[number] for number in sorted(number for number in numbers if number is not None)]


def without_orders(shop: Shop) -> list[Customer]:
    """The customers whom the shop lets go: those who have no order."""
    bought = {record.id for record in buyers(shop)}
    return [record for record in shop.snapshot() if not record.orders and record.id not in bought]


class Till:
    """Plays the orders of one seed. Its chances come from a stream of its own."""

    def __init__(self, world: World, scenario: Scenario, acted: Callable[[], None]) -> None:
        self._world, self._shop, self._acted = world, world.shop, acted
        self._rng = Random(f"{scenario.seed}/orders")
        self._events = scenario.events
        self._lasts_s = scenario.seconds
        # An edit of what was paid already takes its points away until the rest is paid. Whether that was seen is a
        # matter of when the order was read, and where points end meanwhile no history of the shop can tell it.
        self._edits_paid = not any(rules.ends_points for rules in scenario.programme)
        self._ends = 0
        self._bought: set[tuple[int, int]] = set()
        self._buyers: dict[int, int | None] = {}
        """By order, who placed it."""

    def plan(self) -> None:
        """Put every order on the timeline."""
        self._ends = self._world.timeline.now + int(self._lasts_s * SECOND)
        for _ in range(round(self._events * ORDERS_SHARE)):
            early = self._rng.random() < EARLY_CHANCE
            self._later(self._rng.uniform(0.0, FIRST_S if early else self._lasts_s), self._place)

        for _ in range(round(self._events * AFTER_MERGES_SHARE)):
            self._later(self._rng.uniform(0.0, self._lasts_s), self._change_after_merge)

    def _later(self, wait_s: float, act: Callable[[], None]) -> None:
        """Do something after a while, unless the play is over by then."""
        if self._world.timeline.now + int(wait_s * SECOND) < self._ends:
            self._world.timeline.after(wait_s, act)

    def _do(self, name: str, verb: Callable[[], Order]) -> Order | None:
        try:
            order = verb()
        except Refused:
            self._world.tally.events["refused"] += 1
            return None
        self._world.tally.events[name] += 1
        self._acted()
        self._world.tick_shop()
        return order

    def _place(self) -> None:
        rng, now_s = self._rng, int(self._shop.clock())
        buyer = self._buyer()
        goods, paid, backdated = rng.randint(500, 15_000), rng.random() < 0.65, rng.random() < 0.1
        total = goods + rng.choice(SHIPPING_CENTS)
        processed = now_s - rng.randint(1, 86_400) if backdated else now_s
        if buyer is not None and (buyer, processed) in self._bought:
            return  # of two orders of one second nobody could say which is spent first
        self._bought.add((buyer or 0, processed))
        place = partial(
            self._shop.place_order, buyer, total, goods, paid=paid, processed_at=processed, test=rng.random() < 0.03
        )
        order = self._do("order", place)
        if order is not None:
            self._buyers[order.id] = buyer
            self._live(order.id, paid=paid)

    def _buyer(self) -> int | None:
        """A regular, who cannot be deleted any more, somebody new, or a guest."""
        rng, shop = self._rng, self._shop
        chance, new = rng.random(), newcomers(shop)
        if chance < GUEST_CHANCE:
            return None
        if new and chance < GUEST_CHANCE + NEWCOMER_CHANCE:
            return rng.choice(new).id
        regulars = [record for record in shop.snapshot() if record.orders][:REGULARS]
        return rng.choice(regulars).id if regulars else None

    def _live(self, number: int, *, paid: bool) -> None:
        """Put on the timeline what becomes of an order."""
        rng, wait_s = self._rng, 0.0
        steps = [] if paid else [step for step, chance in (("edit", 0.3), ("pay", 0.85)) if rng.random() < chance]
        if self._edits_paid and rng.random() < 0.3:
            steps += ["edit", "pay"] if rng.random() < 0.8 else ["edit"]
        steps += [step for step, chance in STEPS if rng.random() < chance]
        for step in steps:
            wait_s += rng.choice(WAITS_S) * rng.random() + 1.0
            self._later(wait_s, partial(self._step, step, number))

    def _change_after_merge(self) -> None:
        """Give some of the money of an order back, or edit it, that somebody placed who is another customer now."""
        moved = [each for each in self._shop.orders.values() if each.customer_id != self._buyers[each.id]]
        steps = ("edit", "pay") if self._edits_paid and self._rng.random() < 0.7 else ("refund",)
        if "edit" in steps:
            moved = [each for each in moved if not each.is_fulfilled and each.cancelled_at is None]
        if moved:
            number = self._rng.choice(moved).id
            for step in steps:
                self._step(step, number)

    def _step(self, step: str, number: int) -> None:
        shop, rng, order = self._shop, self._rng, self._shop.orders[number]
        more = rng.randint(-2_000, 6_000)
        amount = rng.randint(1, max(1, order.kept_cents))
        refunds = rng.random() < 0.8
        total, goods = order.current_total_cents + more, order.current_subtotal_cents + more
        verbs: dict[str, Callable[[], Order]] = {
            "edit": partial(shop.edit_order, number, max(0, total), max(0, min(goods, total))),
            "pay": partial(shop.pay_order, number),
            "fulfil": partial(shop.fulfil_order, number),
            "fulfil_partly": partial(shop.fulfil_order, number, partly=True),
            "refund": partial(shop.refund_order, number, amount),
            "return": partial(shop.refund_order, number, order.kept_cents),
            "cancel": partial(shop.cancel_order, number, refund=refunds),
        }
        self._do({"return": "refund", "fulfil_partly": "fulfil"}.get(step, step), verbs[step])
