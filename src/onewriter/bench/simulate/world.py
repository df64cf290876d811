"""The world of one seed: the shop, the wire and the post between us, our processes, and their ends."""

import json
import traceback
from collections.abc import Callable
from functools import partial
from random import Random

from onewriter.bench.simulate.commands import Command, Deed
from onewriter.bench.simulate.crashes import CrashPlan
from onewriter.bench.simulate.processes import Process
from onewriter.bench.simulate.scenario import Scenario
from onewriter.bench.simulate.tally import Tally
from onewriter.bench.simulate.timeline import Timeline
from onewriter.bench.simulate.webside import Web
from onewriter.bench.simulate.wire import WireFaults
from onewriter.bench.simulate.workside import Worker
from onewriter.records import SECOND, Instant, parse_instant
from onewriter.runtime import Runtime
from onewriter.sandbox import Delivery, Faults, Shop
from onewriter.sandbox.front import Front
from onewriter.sandbox.transport import Transport
from onewriter.settings import Settings

START: Instant = parse_instant("2026-10-05T09:00:00+00:00")
RESTART_S = (0.5, 60.0)
TOGETHER_S = 0.02
"""Deliveries that come within so many seconds are brought to the door together."""
LOOK_S = 0.1
PROMPT_CHANCE = 0.7
"""How many deliveries come within moments even where others take hours, so that they meet on their way."""
PROMPT_S = 3.0
GARBLED_CHANCE = 0.3
GARBLED_TOPICS = ("customers/update", "orders/updated")


class World:
    """Everything that lives in one seed, by one clock."""

    def __init__(self, settings: Settings, tally: Tally, scenario: Scenario) -> None:
        seed = tally.seed
        self.settings, self.tally, self.has_schedules = settings, tally, scenario.has_schedules
        self.rng = Random(f"{seed}/world")
        self.timeline = Timeline(START, Random(f"{seed}/timeline"))
        self.plan = CrashPlan(Random(f"{seed}/crashes"), scenario.crashes)
        self.skew_s = scenario.skew_s
        """How far our clock is ahead of the shop's."""
        self.reader = Runtime(settings, clock=self.clock)
        """For whoever only looks at our databases, and never crashes."""
        self.wire_faults = WireFaults(scenario.latency_s)
        self.shop = Shop(
            scenario.customers,
            seed,
            faults=Faults(**scenario.usual),
            clock=self.timeline.seconds,
            courier_schedule=self._take_on,
        )
        self.front = Transport(Front(self.shop))
        self.garbles = 0
        """While it is not 0, some updates arrive garbled."""
        self.garbled: set[str] = set()
        """The webhook ids of those that were."""
        self.arrived: dict[str, Instant] = {}
        """When a delivery was first acknowledged, by its webhook id."""
        self.denials: list[tuple[float, float]] = []
        """From when until when the shop denied us something, in its seconds."""
        self.shop_ticked: Callable[[], None] = lambda: None
        """Called whenever something may have happened in the shop."""
        self._web: Web | None = None
        self._worker: Worker | None = None
        self._others: set[Process] = set()
        """Commands that people gave, and workers that were taken for dead."""
        self._ticks_at: Instant = 0
        self._arriving: list[tuple[Delivery, int]] = []

    def clock(self) -> Instant:
        """Our own clock."""
        return self.timeline.clock() + int(self.skew_s * SECOND)

    # ---- The shop and the post

    def tick_shop(self) -> None:
        """Let the shop do what is due, and come back when it next has something to do."""
        self.shop.tick()
        self.shop_ticked()
        due_s = self.shop.next_due()
        due = 0 if due_s is None else int(due_s * SECOND) + 1_000
        if due > self._ticks_at:
            self._ticks_at = due
            self.timeline.at(due, self.tick_shop)

    def _take_on(self, delivery: Delivery, wait_s: float, retry: int) -> None:
        """The shop wants a delivery to be sent."""
        if self.garbles and not retry and delivery.topic in GARBLED_TOPICS and self.rng.random() < GARBLED_CHANCE:
            self.garbled.add(delivery.webhook_id)
            wrong = {"updated_at": "some day", "admin_graphql_api_id": "somebody"}
            delivery.body = json.dumps(json.loads(delivery.body) | wrong).encode()
        if not retry and self.rng.random() < PROMPT_CHANCE:
            wait_s = min(wait_s, self.rng.uniform(0.0, PROMPT_S))
        self.timeline.after(wait_s, partial(self._arrive, delivery, retry))

    def _arrive(self, delivery: Delivery, retry: int) -> None:
        if not self._arriving:
            self.timeline.after(TOGETHER_S, self._knock)
        self._arriving.append((delivery, retry))

    def _knock(self) -> None:
        """Bring what has arrived to the door. Without an answer nothing is acknowledged, and the shop sends again."""
        arrived, self._arriving = self._arriving, []
        web, courier = self._web, self.shop.courier
        answers = [False] * len(arrived)
        if web is not None:
            answers = web.knock([(delivery.body, courier.headers(delivery)) for delivery, _ in arrived])
            if web.is_dead:
                self.crashed(web)
        for (delivery, retry), acknowledged in zip(arrived, answers, strict=True):
            if acknowledged:
                self.arrived.setdefault(delivery.webhook_id, self.timeline.now)
            courier.sent(delivery, retry, acknowledged)
        if self._worker is not None and any(answers):
            self._worker.wake(self.rng.expovariate(2.0))

    # ---- Our processes

    def start(self) -> None:
        """Start our processes."""
        self._start_web()
        self._start_worker()

    def _start_web(self) -> None:
        self._web = Web(self)

    def _start_worker(self) -> None:
        self._worker = Worker(self)
        self._worker.begin()

    def suspend_worker(self, seconds: float) -> None:
        """Let the worker stand still. Another takes its place; then both are there for a while, and the first ends."""
        worker = self._worker
        if worker is None:
            return
        worker.suspend(seconds)
        self._worker = None
        self._others.add(worker)
        self.timeline.after(self.settings.number("worker_dead_s"), self._start_worker)
        self.timeline.after(seconds + self.rng.uniform(1.0, 600.0), partial(self._retire, worker))

    def _retire(self, worker: Worker) -> None:
        if worker in self._others:
            self._others.discard(worker)
            worker.bury()

    def command(self, doing: str, deed: Deed, *, again: bool = False) -> None:
        """A person types a command; if it fails or crashes, and they want it done, they type it again later."""
        command = Command(self, doing, deed, again=again)
        self._others.add(command)
        command.begin()

    def over(self, command: Command) -> None:
        """A command has ended."""
        self._others.discard(command)
        command.bury()

    @property
    def is_idle(self) -> bool:
        """True when nobody is at a command."""
        return not self._others

    def tell_of_runs(self) -> None:
        """Something was handed to the durable jobs."""
        self.timeline.after(LOOK_S, self._look_at_runs)

    def _look_at_runs(self) -> None:
        if self._worker is not None:
            self._worker.take_up_runs()

    def crashed(self, process: Process) -> None:
        """A process has ended; another takes its place after a while."""
        if process.is_buried:
            return
        process.bury()
        again: Callable[[], None] | None = None
        if process is self._web:
            self._web, again = None, self._start_web
        elif process is self._worker:
            self._worker, again = None, self._start_worker
        self._others.discard(process)
        if again is not None:
            self.timeline.after(self.rng.uniform(*RESTART_S), again)

    @property
    def is_whole(self) -> bool:
        """True when our processes are there, and nobody is at a command."""
        return self._web is not None and self._worker is not None and not self._others

    def broke(self, where: str, error: BaseException) -> None:
        """Something ended in a way that it never should."""
        told = "".join(traceback.format_exception(error))
        self.tally.wrong.append(f"{where} ended with {type(error).__name__}:\n{told}")

    def close(self) -> None:
        """End everything."""
        for process in [self._web, self._worker, *self._others]:
            if process is not None and not process.is_buried:
                process.bury()
        self.reader.close()
