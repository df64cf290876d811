"""People who spend their points at random times, at times twice under one key, and at times more than they have."""

from dataclasses import dataclass, field
from functools import partial
from random import Random

from sqlalchemy import select

from onewriter.bench.simulate.commands import BY, Deed
from onewriter.bench.simulate.programmes import Rules
from onewriter.bench.simulate.recompute import Version
from onewriter.bench.simulate.scenario import Scenario
from onewriter.bench.simulate.world import World
from onewriter.customers import shops
from onewriter.db.pointtables import accounts
from onewriter.db.tables import customers
from onewriter.loyalty import points, programme
from onewriter.loyalty.points import Done, KeyUsed, NoAccount, NotEnoughPoints
from onewriter.records import Instant
from onewriter.runtime import Runtime

SPENDINGS_SHARE = 0.3
FIRST_SHARE = 0.1
AGAIN_CHANCE = 0.2
AGAIN_S = (0.0, 4_000.0)
RACE_CHANCE = 0.1
OTHER_CHANCE = 0.04


@dataclass(frozen=True, slots=True)
class Redemption:
    """Points that somebody was told to have spent."""

    holder: bytes
    """Who had the account then, by our id."""
    points: int
    at: Instant


@dataclass
class Desk:
    """What people asked of the programme, and what they were answered: the half of the truth that the shop has not."""

    versions: list[Version] = field(default_factory=list)
    spent: dict[str, Redemption] = field(default_factory=dict)
    """By idempotency key."""
    waiting: set[object] = field(default_factory=set)
    """What was asked and not answered yet."""


def set_rules(desk: Desk, rules: Rules) -> Deed:
    """`programme set`: these rules from now on."""

    def deed(runtime: Runtime) -> None:
        moment = runtime.now()
        with runtime.database.write() as db:
            (shop,) = shops.every(db)
            added = programme.add(db, shop, rules.toml(), BY, "the play", moment)
        desk.versions.append(Version(added.since, rules))

    return deed


class Spenders:
    """Plays the redemptions of one seed. Its chances come from a stream of its own."""

    def __init__(self, world: World, scenario: Scenario, desk: Desk) -> None:
        self._world, self._desk, self._scenario = world, desk, scenario
        self._rng = Random(f"{scenario.seed}/spending")
        self._keys = 0

    def plan(self) -> None:
        """Put every redemption on the timeline."""
        lasts_s = self._scenario.seconds
        for _ in range(round(self._scenario.events * SPENDINGS_SHARE)):
            self._world.timeline.after(self._rng.uniform(FIRST_SHARE * lasts_s, lasts_s), self._spend)

    def _spend(self) -> None:
        rng = self._rng
        chances = rng.random(), rng.random(), rng.random(), rng.random()
        rich = self._rich()
        if not rich:
            return
        customer_id, balance = rng.choice(rich)
        wanted = balance if chances[0] < 0.3 else rng.randint(1, max(1, balance))
        if chances[0] > 0.85:
            wanted = balance + rng.randint(1, 50)
        key = self._new_key()
        self._ask(customer_id, wanted, key)
        if chances[1] < AGAIN_CHANCE:
            other = 1 if chances[3] < OTHER_CHANCE / AGAIN_CHANCE else 0
            again = partial(self._ask, customer_id, wanted + other, key)
            self._world.timeline.after(rng.uniform(*AGAIN_S), again)
        if chances[2] < RACE_CHANCE:
            self._ask(customer_id, wanted, self._new_key())

    def _rich(self) -> list[tuple[bytes, int]]:
        """Who has points, in the order of Shopify's ids: ours are made by chance."""
        query = (
            select(accounts.c.customer_id, accounts.c.balance)
            .join(customers, customers.c.id == accounts.c.customer_id)
            .where(accounts.c.balance > 0)
            .order_by(customers.c.shopify_id)
        )
        with self._world.reader.database.read() as db:
            return [(bytes(row.customer_id), row.balance) for row in db.execute(query)]

    def _new_key(self) -> str:
        self._keys += 1
        return f"receipt {self._keys}"

    def _ask(self, customer_id: bytes, wanted: int, key: str) -> None:
        asked = object()
        self._desk.waiting.add(asked)
        self._world.command("redeem", partial(self._redeem, customer_id, wanted, key, asked), again=True)

    def _redeem(self, customer_id: bytes, wanted: int, key: str, asked: object, runtime: Runtime) -> None:
        """Spend points, and take the answer down. Whoever hears none asks again under the same key."""
        try:
            moment = runtime.now()
            with runtime.database.write() as db:
                (shop,) = shops.every(db)
                done = points.redeem(db, runtime.vault(shop.id), customer_id, wanted, key, BY, moment)
        except (NotEnoughPoints, KeyUsed, NoAccount) as refused:
            self._world.tally.spendings[type(refused).__name__] += 1
        else:
            self._take_down(key, done)
        self._desk.waiting.discard(asked)

    def _take_down(self, key: str, done: Done) -> None:
        entry, tally = done.entry, self._world.tally
        told = Redemption(entry.origin_id, -entry.points, entry.occurred_at)
        if self._desk.spent.setdefault(key, told) != told:
            tally.wrong.append(f"the redemption under {key!r} was answered in two ways")
        tally.spendings["again" if done.again else "redeemed"] += 1
