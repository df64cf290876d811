"""What happens in the shop: two days of bursts, drawn by the seed, while one thing or another is wrong."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from random import Random
from typing import Any

from onewriter.bench.simulate.acts import Acts, has_decided
from onewriter.bench.simulate.buying import Till
from onewriter.bench.simulate.journal import Journal
from onewriter.bench.simulate.scenario import Phase, Scenario
from onewriter.bench.simulate.spending import Desk, Spenders, set_rules
from onewriter.bench.simulate.world import World
from onewriter.sandbox import Faults, Shop
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.play import Act, Player

BURSTS = (1, 1, 2, 3, 5, 8, 13)
DENIALS = ("values are denied", "scope is missing")
SPREADS_S = (0.0, 0.5, 3.0, 60.0)
"""Some bursts fall into one second, in which nobody's clock can order them."""
SAME_AGAIN = 0.5
FIRST_S = 120.0
"""Some of them come while the shop is being imported."""


class Crowd(Player):
    """A player whose events often meet the customer of the one before, so that they meet each other on their way."""

    _last: Customer | None = None

    def __init__(self, shop: Shop, acted: Callable[[], None]) -> None:
        super().__init__(shop)
        self._acted = acted

    def _do(self, act: Act) -> str:
        # Whoever has said once whether it wants mails is not asked again.
        if act[0] == "email_consent" and act[1] is not None and has_decided(self._shop, act[1]):
            act = ("sms_consent", *act[1:])
        # Of two acts of one second each has its own delivery, and neither tells what the other changed.
        done = super()._do(act)
        self._acted()
        return done

    def _someone(self) -> Customer | None:
        last = self._last
        if last is None or last.id not in self._shop.customers or self._rng.random() > SAME_AGAIN:
            self._last = super()._someone()
        return self._last


class History:
    """Lives a scenario in a world: it puts every burst and every trouble on the timeline."""

    def __init__(self, world: World, scenario: Scenario, journal: Journal, desk: Desk) -> None:
        self._world, self._scenario, self._journal, self._desk = world, scenario, journal, desk
        self._rng = Random(f"{scenario.seed}/history")
        self._player = Crowd(world.shop, journal.look)
        self._acts = Acts(world, scenario)
        self._till = Till(world, scenario, journal.look)
        self._spenders = Spenders(world, scenario, desk)
        self._usual = asdict(Faults(**scenario.usual))
        self._now: Counter[str] = Counter()
        """The troubles of this moment."""

    def plan(self) -> None:
        """Put everything on the timeline."""
        timeline = self._world.timeline
        self._world.shop_ticked = self._journal.look
        for phase in self._scenario.phases:
            timeline.after(phase.begins_s, partial(self._begin, phase))
            timeline.after(phase.begins_s + phase.lasts_s, partial(self._end, phase))
        left = self._scenario.events
        while left > 0:
            burst = min(left, self._rng.choice(BURSTS))
            left -= burst
            latest_s = self._rng.choice((FIRST_S, self._scenario.seconds, self._scenario.seconds))
            self._plan_burst(burst, self._rng.uniform(0.0, latest_s))
        self._till.plan()
        self._spenders.plan()
        timeline.after(self._scenario.rules_change_s, self._change_rules)

    def end_troubles(self) -> None:
        """From now on everything works, and everything is told."""
        self._now.clear()
        self._switch(self._scenario.phases)
        self._world.shop.set_faults({"lose": 0.0, "duplicate": 0.0})

    def _change_rules(self) -> None:
        """The merchant sets other rules."""
        self._world.command("rules", set_rules(self._desk, self._scenario.programme[1]), again=True)

    def _plan_burst(self, events: int, begins_s: float) -> None:
        spread_s = self._rng.choice(SPREADS_S)
        for _ in range(events):
            self._world.timeline.after(begins_s + self._rng.uniform(0.0, spread_s), self._happen)

    def _happen(self) -> None:
        self._world.tally.events.update(self._player.event())
        self._world.tick_shop()

    def _begin(self, phase: Phase) -> None:
        self._now[phase.name] += 1
        self._world.tally.troubles[phase.name] += 1
        if phase.name in DENIALS:
            now_s = self._world.shop.clock()
            self._world.denials.append((now_s, now_s + phase.lasts_s))
        self._switch([phase])
        if phase.trouble.act is not None:
            getattr(self._acts, phase.trouble.act)(phase)
            self._world.tick_shop()

    def _end(self, phase: Phase) -> None:
        if self._now[phase.name]:
            self._now[phase.name] -= 1
            self._switch([phase])

    def _switch(self, phases: "list[Phase] | tuple[Phase, ...]") -> None:
        """Set the switches that these phases touch to what all troubles of this moment want."""
        active = [each.trouble for each in self._scenario.phases if self._now[each.name]]
        shop: dict[str, Any] = {name: self._usual[name] for phase in phases for name in phase.trouble.shop}
        wire = {name: 0.0 for phase in phases for name in phase.trouble.wire}
        for trouble in active:
            shop |= {name: value for name, value in trouble.shop.items() if name in shop}
            wire |= {name: value for name, value in trouble.wire.items() if name in wire}
        self._world.shop.set_faults(shop)
        for name, value in wire.items():
            setattr(self._world.wire_faults, name, value)
