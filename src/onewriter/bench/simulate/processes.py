"""The processes of an installation, each as a life that a crash may end: a runtime, and what acts with it."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection

from onewriter.bench.simulate.crashes import Crash, CrashPlan, MortalDatabase
from onewriter.bench.simulate.timeline import Strand, Timeline
from onewriter.bench.simulate.wire import Wire, WireFaults
from onewriter.db.engine import BUSY_MS
from onewriter.errors import DatabaseBusy
from onewriter.records import SECOND, Instant
from onewriter.runtime import DOOR_BUSY_MS, Runtime
from onewriter.settings import Settings

if TYPE_CHECKING:
    from onewriter.bench.simulate.world import World

log = structlog.get_logger(__name__)


class MortalRuntime(Runtime):
    """A runtime on the virtual clock, whose process may end at each commit of either database."""

    def __init__(self, settings: Settings, process: "Process", *, door: bool) -> None:
        super().__init__(settings, door=door, clock=process.world.clock)
        self._process = process
        busy_ms = DOOR_BUSY_MS if door else BUSY_MS
        for name, url in (("database", settings.database_url), ("key_database", settings.keystore_url)):
            getattr(self, name).close()
            database = MortalDatabase(url, busy_ms=busy_ms, begins=process.begin_write, commits=process.commit)
            setattr(self, name, database)
        self.client_options = {"sleep": process.timeline.sleep, "transport": process.wire}

    def enqueue(self, db: Connection, run_id: str) -> None:
        """Hand the run to the durable jobs, as ever, and tell the simulated worker that there is something to look at.

        Should the transaction come to nothing, it finds nothing.
        """
        super().enqueue(db, run_id)
        self._process.world.tell_of_runs()


class Process:
    """One life of one process, from its start until it crashes or is ended."""

    def __init__(self, world: "World", name: str, *, door: bool = False) -> None:
        self.world, self.name = world, name
        self.is_dead = self.is_buried = False
        self.timeline: Timeline = world.timeline
        self.plan: CrashPlan = world.plan
        self.rng: Random = world.rng
        faults: WireFaults = world.wire_faults
        self.wire = Wire(world.front, self.timeline, self.rng, faults, self.check)
        self.runtime = MortalRuntime(world.settings, self, door=door)
        self._strands: list[Strand] = []
        self._held_until: Instant = 0

    def begin(self) -> None:
        """Start what acts by itself; a process that only serves others has nothing of that kind."""

    def check(self) -> None:
        """Raise Crash where this process has ended: the dead do nothing."""
        if self.is_dead:
            raise Crash

    def begin_write(self) -> None:
        """Called before each transaction that writes; a database that is gone or full takes none."""
        self.check()
        if self.rng.random() < self.world.wire_faults.database:
            raise DatabaseBusy("The database cannot take it now (simulated).")

    def commit(self, code: str, when: str) -> None:
        """Called on both sides of each commit; this is where a process crashes."""
        self.check()
        doing = self.timeline.holder_name or self.name
        self.timeline.tell(f"{doing} {code} {when}")
        if self.plan.pass_by(doing, code, when):
            self.is_dead = True
            raise Crash

    def strand(self, doing: str, work: Callable[[], None]) -> Strand:
        """Something that this process does over time; start it by its own `start`."""
        made = Strand(self.timeline, doing, work, self._ended)
        made.hold(self._held_until)
        self._strands.append(made)
        return made

    def suspend(self, seconds: float) -> None:
        """Stand still, and go on afterwards as if nothing had happened."""
        self._held_until = self.timeline.now + int(seconds * SECOND)
        for strand in self._strands:
            strand.hold(self._held_until)

    def _ended(self, strand: Strand, error: BaseException | None) -> None:
        self._strands.remove(strand)
        if isinstance(error, Crash):
            self.world.crashed(self)
        elif error is not None:
            self.world.broke(f"{self.name}/{strand.name}", error)

    def bury(self) -> None:
        """Let go of all that this life held. What still acted is ended where it stands, and commits nothing more."""
        self.is_dead = self.is_buried = True
        for strand in list(self._strands):
            strand.doom(Crash())
        self.runtime.close()


def loop(process: Process, turn: Callable[[], float]) -> Callable[[], None]:
    """Take turns for ever; a turn says how many seconds to rest. As in a worker, no error ends a loop."""

    def work() -> None:
        while True:
            try:
                rest_s = turn()
            except Exception as error:  # noqa: BLE001 - a loop must outlive whatever a turn runs into
                log.debug("loop rests", error=type(error).__name__)
                process.world.tally.turns_failed[type(error).__name__] += 1
                rest_s = 1.0
            process.timeline.rest(rest_s)

    return work
