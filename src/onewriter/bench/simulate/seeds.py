"""One seed from its beginning to its end: connect, live two days, grow quiet, compare; reconcile, compare again."""

import random
from collections.abc import Callable

from onewriter.bench.simulate import compare, erasures
from onewriter.bench.simulate.balances import Balances
from onewriter.bench.simulate.commands import connect, end_erasures, queue, queue_orders
from onewriter.bench.simulate.history import History
from onewriter.bench.simulate.journal import Journal
from onewriter.bench.simulate.judging import Judge
from onewriter.bench.simulate.person import Person
from onewriter.bench.simulate.scenario import Scenario, drawn
from onewriter.bench.simulate.spending import Desk, set_rules
from onewriter.bench.simulate.tally import Tally
from onewriter.bench.simulate.tracing import Tracer
from onewriter.bench.simulate.world import World
from onewriter.bench.stage import Place, settings_of
from onewriter.customers import runs
from onewriter.records import DAY, HOUR, SECOND, Instant
from onewriter.runtime import Runtime

PATIENCE: Instant = 14 * DAY


def play(seed: int, place: Place, database: str, events: int) -> Tally:
    """Play one seed in an empty installation."""
    # Backoffs are shortened by chance, and that chance is the seed's too.
    random.seed(seed)
    scenario = drawn(seed, events)
    tally = Tally(seed, database, withheld=scenario.withheld)
    settings = settings_of(place)
    with Runtime(settings) as runtime:
        runtime.prepare()
    world = World(settings, tally, scenario)
    try:
        _Play(world, scenario).play()
    finally:
        world.close()
    return tally


class _Play:
    def __init__(self, world: World, scenario: Scenario) -> None:
        self._world, self._scenario = world, scenario
        self._journal = Journal(world.shop)
        self._desk = Desk()
        self._history = History(world, scenario, self._journal, self._desk)
        self._balances = Balances(world, self._journal, self._desk)
        self._person = Person(world)

    def play(self) -> None:
        world, timeline = self._world, self._world.timeline
        self._connect()
        self._set_rules()
        self._journal.begin()
        world.start()
        self._history.plan()
        self._person.begin()
        timeline.run(timeline.now + int(self._scenario.seconds * SECOND))
        self._history.end_troubles()
        self._person.decide()
        self._grow_quiet()
        before = compare.differences(world.reader, world.shop)
        _, points_before = self._balances.differing()
        run_id = self._reconcile()
        self._reconcile_orders()
        after = compare.differences(world.reader, world.shop)
        self._end_erasures()
        if not self._scenario.withheld:
            self._balances.blame("though everything was told", points_before)
        Judge(world).judge(before, after, Tracer(world, self._journal), run_id)
        self._balances.judge()

    def _connect(self) -> None:
        """Connect the shop, as a person would, who tries again when the command fails."""
        world = self._world
        world.command("connect", connect(world, grants=self._scenario.grants), again=True)
        self._until(lambda: world.tally.commands_done["connect"] > 0 and world.is_idle)

    def _set_rules(self) -> None:
        """Set the programme before anything can earn, again with patience."""
        self._world.command("rules", set_rules(self._desk, self._scenario.programme[0]), again=True)
        self._until(lambda: bool(self._desk.versions) and self._world.is_idle)

    def _reconcile_orders(self) -> None:
        before = self._newest(runs.ORDERS)
        self._world.command("orders", queue_orders, again=True)
        self._until(lambda: self._newest(runs.ORDERS) not in (None, before))
        self._grow_quiet()

    def _reconcile(self) -> str:
        """Reconcile in full, and let the questions that it asks be answered; the run's id."""
        world = self._world
        before = self._newest(runs.RECONCILE)
        world.command("reconcile", queue(runs.RECONCILE), again=True)
        self._until(lambda: self._newest(runs.RECONCILE) not in (None, before))
        run_id = self._newest(runs.RECONCILE)
        self._grow_quiet()
        assert run_id is not None
        return run_id

    def _end_erasures(self) -> None:
        """Wait until the hourly work has ended every erasure; where there is none, it is asked for."""
        if not self._scenario.has_schedules:
            self._world.command("erasures", end_erasures, again=True)
        self._until(lambda: self._world.is_idle and erasures.have_ended(self._world.reader))

    def _newest(self, kind: str) -> str | None:
        with self._world.reader.database.read() as db:
            return next((run.id for run in runs.newest(db, compare.RUNS_MAX) if run.kind == kind), None)

    def _grow_quiet(self) -> None:
        """Let everything arrive, be applied, read and answered."""
        self._until(self._is_quiet, step=HOUR // 4)

    def _until(self, reached: Callable[[], bool], step: Instant = HOUR // 60) -> None:
        timeline = self._world.timeline
        until = timeline.now + PATIENCE
        while timeline.now < until:
            timeline.run(timeline.now + step)
            if reached():
                return
        self._world.tally.wrong.append("it never grew quiet")

    def _is_quiet(self) -> bool:
        world = self._world
        if self._desk.waiting or not world.is_whole or world.shop.courier.outstanding or world.shop.next_due():
            return False
        return compare.is_settled(world.reader)
