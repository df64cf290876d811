"""What is done at the beginning of a trouble, beyond turning a switch."""

from collections.abc import Sequence
from functools import partial
from random import Random

from onewriter.bench.simulate.buying import buyers, newcomers, without_orders
from onewriter.bench.simulate.commands import connect, queue
from onewriter.bench.simulate.scenario import HOUR_S, Phase, Scenario
from onewriter.bench.simulate.truth import COMPLETED
from onewriter.bench.simulate.world import START, World
from onewriter.customers import runs
from onewriter.records import SECOND
from onewriter.sandbox import Refused, Shop
from onewriter.sandbox.acts import CONSENTS, act
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.names import TAGS
from onewriter.sandbox.payloads import merged

RUNG = 8
RINGS_S = 40.0
JUMPS_S = (2.0, 3_600.0)
MANY = 28
"""More than the twenty that a reconcile deletes without asking in a shop of this size."""
REDACTED = (2, 6)
MERGED_SHARE = 0.4
CHANGED_SHARE = 0.7
POISONS = (b"", b"{", b"[]", b"null", b'{"id": "nobody"}', b'{"id": 7}', b"\xff\xfe")


def has_decided(shop: Shop, number: int) -> bool:
    """True for a customer who has said once since the play began whether it wants mails.

    It is not asked again: a subscription that comes and goes between two reads is one that nobody can know of.
    """
    record = shop.customers.get(number)
    at = None if record is None else record.email_consent.at
    return at is not None and at * SECOND >= START


class Acts:
    """Acts of one seed. Each is told of the phase that begins."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world, self._shop = world, world.shop
        self._rng = Random(f"{scenario.seed}/acts")
        self._erasing = Random(f"{scenario.seed}/acts/erasures")
        self._uniting = Random(f"{scenario.seed}/acts/buyers")

    # ---- In the shop

    def ring_some(self, _phase: Phase) -> None:
        """Change tags and consents of a few customers again and again, while the last change is still being read."""
        for record in self._some(RUNG):
            for _ in range(self._rng.randint(2, 9)):
                after_s = self._rng.uniform(0.0, RINGS_S)
                self._world.timeline.after(after_s, partial(self._ring, record.id))

    def _ring(self, number: int) -> None:
        action = self._rng.choice(("tags_add", "tags_remove", *CONSENTS))
        if action == "email_consent" and has_decided(self._shop, number):
            action = "sms_consent"
        given = {"tags": [self._rng.choice(TAGS)], "state": self._rng.choice(("SUBSCRIBED", "UNSUBSCRIBED"))}
        try:
            act(self._shop, action, number, given)
        except Refused:
            action = "refused"
        self._world.tally.events[action] += 1
        self._world.tick_shop()

    def merge_some(self, phase: Phase) -> None:
        """Merge two to four times within this phase, at times one that was kept into yet another."""
        for turn in range(self._rng.randint(2, 4)):
            self._world.timeline.after(self._rng.uniform(0.0, phase.lasts_s), self._merge_two)
            if turn == 0:
                self._world.timeline.after(phase.lasts_s / 2, self._merge_kept_on)

    def _merge_two(self) -> None:
        self._merge(*self._some(2))

    def _merge_kept_on(self) -> None:
        over = [each.kept for each in self._shop.merges.all() if each.kept in self._shop.customers]
        if over:
            self._merge(self._shop.customers[over[-1]], *self._some(1))

    def merge_buyers(self, phase: Phase) -> None:
        """Merge three to six times within this phase whoever has points, mostly, so that ledgers are merged."""
        for _ in range(self._uniting.randint(3, 6)):
            self._world.timeline.after(self._uniting.uniform(0.0, phase.lasts_s), self._merge_buyers)

    def _merge_buyers(self) -> None:
        known = {record.id: record for record in (*buyers(self._shop), *newcomers(self._shop))}
        if len(known) >= 2:
            one, two = self._uniting.sample(list(known.values()), 2)
            self._merge(one, two, rng=self._uniting)

    def _merge(self, one: Customer, two: Customer, *, rng: Random | None = None) -> None:
        # Which of the two is kept is the shop's rule, or else the merchant's wish.
        wish = (rng or self._rng).choice([None, *(each.id for each in (one, two) if each.email)])
        try:
            self._shop.merge(one.id, two.id, override_email_of=wish)
        except Refused:
            self._world.tally.events["refused"] += 1
        else:
            self._world.tally.events["merge"] += 1
        self._world.tick_shop()

    def merge_without_end(self, _phase: Phase) -> None:
        """Tell of a merge that is under way and never goes on: both customers stay, now and later."""
        staying = [record for record in self._shop.snapshot() if record.orders]
        one, two = self._rng.sample(staying, 2)
        # Customers with orders cannot be deleted, and those with gift cards cannot be merged away.
        blocked = {one.id, two.id, *self._shop.faults.merge_blocked}
        self._shop.set_faults({"merge_blocked": sorted(blocked)})
        self._shop.announce("customers/merge", merged(one.id, two.id, None, "in_progress", []))

    def delete_many(self, phase: Phase) -> None:
        """Delete more customers than may vanish unasked."""
        free = without_orders(self._shop)
        for record in self._rng.sample(free, min(MANY, len(free))):
            self._shop.delete(record.id)
            self._world.tally.events["delete"] += 1

    def redact_some(self, phase: Phase) -> None:
        """Have a few customers redacted within this phase."""
        for _ in range(self._erasing.randint(*REDACTED)):
            self._world.timeline.after(self._erasing.uniform(0.0, phase.lasts_s), self._redact)

    def _redact(self) -> None:
        """Redact a customer, at times one that others were merged into, while its last change is on its way."""
        rng = self._erasing
        free = without_orders(self._shop)
        if not free:
            return
        kept = {each.kept for each in self._shop.merges.all() if each.status == COMPLETED}
        merged = [record for record in free if record.id in kept]
        record = rng.choice(merged if merged and rng.random() < MERGED_SHARE else free)
        if rng.random() < CHANGED_SHARE:
            self._shop.update(record.id, note=f"Please forget me ({rng.getrandbits(20)})")
            self._world.tally.events["update"] += 1
        self._shop.redact(record.id)
        self._world.tally.events["redact"] += 1
        self._world.tick_shop()

    def _some(self, number: int) -> Sequence[Customer]:
        return self._rng.sample(self._shop.snapshot(), number)

    # ---- Between the shop and us

    def poison(self, _phase: Phase) -> None:
        """Signed deliveries that nobody can understand: another topic, and bodies of another shape."""
        subscriptions = self._shop.subscriptions.all()
        if not subscriptions:
            return
        other = self._rng.choice(subscriptions)
        if not self._shop.subscriptions.of("shop/update"):
            self._shop.subscriptions.create("SHOP_UPDATE", {"uri": other.uri})
        for subscription in (self._shop.subscriptions.of("shop/update")[0], other):
            body = self._rng.choice(POISONS)
            courier = self._shop.courier
            courier.announce(subscription, body, self._shop.clock(), None, courier.event_id())

    def garble(self, phase: Phase) -> None:
        """For the length of this phase some updates arrive in a shape that nobody can understand."""
        self._world.garbles += 1
        self._world.timeline.after(phase.lasts_s, self._ungarble)

    def _ungarble(self) -> None:
        self._world.garbles -= 1

    def drop_subscriptions(self, _phase: Phase) -> None:
        """Shopify drops some of our subscriptions, as it does after failures, and tells nobody."""
        held = self._shop.subscriptions.all()
        for subscription in self._rng.sample(held, min(3, len(held))):
            self._shop.subscriptions.drop(subscription)

    def revoke_token(self, _phase: Phase) -> None:
        """The app's token dies, as when somebody removes it; hours later the shop is connected again."""
        self._shop.access.revoke()
        again = partial(self._world.command, "connect", connect(self._world, grants=True), again=True)
        self._world.timeline.after(self._rng.uniform(0.1, 6.0) * HOUR_S, again)

    # ---- On our side

    def suspend_worker(self, phase: Phase) -> None:
        """The worker stands still, as on a machine that is suspended; another takes over, and then it goes on."""
        self._world.suspend_worker(phase.lasts_s)

    def put_clock_forward(self, phase: Phase) -> None:
        """Our clock jumps ahead, and back at the end of the phase."""
        self._jump(self._rng.uniform(*JUMPS_S), phase)

    def put_clock_back(self, phase: Phase) -> None:
        """Our clock jumps back, and ahead at the end of the phase."""
        self._jump(-self._rng.uniform(*JUMPS_S), phase)

    def _jump(self, seconds: float, phase: Phase) -> None:
        self._world.skew_s += seconds
        self._world.timeline.after(phase.lasts_s, partial(self._jump_back, seconds))

    def _jump_back(self, seconds: float) -> None:
        self._world.skew_s -= seconds

    def import_again(self, phase: Phase) -> None:
        """Somebody asks for another import early in this phase."""
        ask = partial(self._world.command, "import", queue(runs.IMPORT))
        self._world.timeline.after(self._rng.uniform(0.0, phase.lasts_s / 2), ask)
