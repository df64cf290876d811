"""The plot of a store: which field a fault is planted in, when, and what happens on its days."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from onewriter.bench.stores.world import Channel, World
from onewriter.rules.diagnosis.evidence import Hand, Report, Side


@dataclass(slots=True)
class Plot:
    """One planted fault."""

    world: World
    rng: Random
    channel: Channel
    cycles: int
    day: int
    """The cycle from which on it is there; 0 is from the beginning."""
    before: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    """What happens on a day before its cycle."""
    after: dict[int, list[Callable[[], None]]] = field(default_factory=dict)
    """And between the cycle and the snapshot."""
    hit: set[str] = field(default_factory=set)
    """Source ids of the customers concerned; empty for all."""
    reports: list[Report] = field(default_factory=list)
    told: dict[str, object] = field(default_factory=dict)
    """What the policy says of the planted field, other than what is usual."""
    form: tuple[Channel, Callable[[Any], Any] | None] | None = None
    """Another field that the target writes in another form here and there, and that form."""

    def ids(self) -> list[str]:
        """The linked records of the origin."""
        world = self.world
        return [
            number
            for number in world.sides[self.channel.origin]
            if (self.channel.origin, number) in world.linked and (self.channel.origin, number) not in world.deleted
        ]

    def some(self, low: float, high: float, least: int = 1) -> list[str]:
        """A share of them."""
        found = self.ids()
        return self.rng.sample(found, min(len(found), max(least, round(self.rng.uniform(low, high) * len(found)))))

    def few(self, most: int = 3) -> list[str]:
        """One to a few."""
        return self.rng.sample(self.ids(), self.rng.randint(1, most))

    def copy_of(self, number: str) -> str:
        """The record on the other side."""
        return self.world.linked[self.channel.origin, number]

    def mark(self, numbers: list[str]) -> None:
        """These customers are concerned."""
        is_source = self.channel.origin is Side.SOURCE
        self.hit |= {number if is_source else self.copy_of(number) for number in numbers}

    def on(self, day: int, act: Callable[[], None], *, late: bool = False) -> None:
        """Let something happen on a day."""
        (self.after if late else self.before).setdefault(day, []).append(act)

    def spoil(self, number: str, new: object, who: tuple[str, Hand], run: str | None = None) -> None:
        """Write the copy from elsewhere."""
        self.world.pass_time()
        self.world.write(self.channel, self.channel.origin.other, self.copy_of(number), new, who, run=run)
