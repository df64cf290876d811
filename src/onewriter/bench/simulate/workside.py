"""The simulated worker process: what `workflows.worker` does in threads, as turns of the seeded scheduler."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, select

from onewriter.bench.simulate.processes import Process, loop
from onewriter.customers import marks, order_marks, runs, shops
from onewriter.db.pointtables import order_marks as order_table
from onewriter.db.tables import inbox, refetch_marks
from onewriter.errors import OnewriterError
from onewriter.intake.drain import Drain
from onewriter.intake.orders import OrderReads
from onewriter.intake.refetch import Refetch
from onewriter.records import SECOND, Instant
from onewriter.runtime import RUN_QUEUE
from onewriter.workflows import schedules
from onewriter.workflows.carrying import carry_out
from onewriter.workflows.housekeeping import tidy
from onewriter.workflows.points import settle_due
from onewriter.workflows.worker import WATCH_WAIT_S

if TYPE_CHECKING:
    from onewriter.bench.simulate.world import World

REST_S = 3600.0
"""How long a loop rests when nothing is due; whatever comes wakes it sooner."""
GATHER_S = 0.2
TAKE_UP_S = 0.2
RUNS_MAX = 1_000
WATCH_REST_S = 300.0
REFUSED_S = 60.0
"""How long a shop that cannot be read is left alone; a worker asks again sooner, and here it would do nothing else."""
STRIKE: Instant = schedules.STRIKE_MINUTES * 60 * SECOND
TIDY_MINUTE = 15


class Worker(Process):
    """One life of the worker process: the inbox, the refetches, the runs and the schedules."""

    def __init__(self, world: "World") -> None:
        super().__init__(world, "worker")
        runtime = self.runtime
        self._drain = Drain(runtime.database, runtime.vault, runtime.settings.number("inbox_keep_days"))
        self._refetch = Refetch(runtime.database, runtime.client, runtime.vault, runtime.now)
        self._order_reads = OrderReads(runtime.database, runtime.client, runtime.vault, runtime.now)
        self._in_hand: set[str] = set()
        self._inbox = self.strand("drain", loop(self, self._apply))
        self._reads = self.strand("refetch", loop(self, self._read))
        self._orders = self.strand("orders", loop(self, self._read_orders))
        self._watch = self.strand("watch", loop(self, self._look_at_shops))
        self._clock = self.strand("schedule", loop(self, self._strike))

    def begin(self) -> None:
        """Start the loops, and take up the runs that were under way."""
        self._inbox.start()
        self._reads.start()
        self._orders.start()
        if self.world.has_schedules:
            self._watch.start(GATHER_S)
            self._clock.start(self._to_next_strike())
        self.take_up_runs()

    def wake(self, after_s: float) -> None:
        """Something has arrived."""
        self._inbox.call(after_s)

    # ---- The loops

    def _apply(self) -> float:
        taken = self._drain.once(self.runtime.now())
        if taken:
            self._reads.call(GATHER_S)
            self._orders.call(GATHER_S)
            return 0.0
        return self._until(select(func.min(inbox.c.due_at)).where(inbox.c.state == "waiting"))

    def _read(self) -> float:
        now = self.runtime.now()
        with self.runtime.database.read() as db:
            due = marks.shops_due(db, now)
        if not self._read_each(due, self._refetch.once):
            return REFUSED_S
        if due:
            # Who has come now may be whom an order waits for.
            self._orders.call(GATHER_S)
        return self._until(select(func.min(refetch_marks.c.due_at)).where(refetch_marks.c.due_at < marks.HELD))

    def _read_orders(self) -> float:
        now = self.runtime.now()
        with self.runtime.database.read() as db:
            due = order_marks.shops_due(db, now)
        if not self._read_each(due, self._order_reads.once):
            return REFUSED_S
        if due:
            # Whose order was read, and who is not known, is to be read now.
            self._reads.call(GATHER_S)
        return self._until(select(func.min(order_table.c.due_at)))

    def _read_each(self, due: Sequence[int], once: Callable[[int], int]) -> bool:
        for shop_id in due:
            try:
                once(shop_id)
            except OnewriterError as error:
                self.world.tally.turns_failed[type(error).__name__] += 1
                return False
        return True

    def _look_at_shops(self) -> float:
        """The watch loop; a worker looks every two seconds, which here would be most of what it does."""
        for shop in schedules.unwatched(self.runtime):
            if not schedules.catch_up(self.runtime, shop):
                return WATCH_WAIT_S
        return WATCH_REST_S

    def _strike(self) -> float:
        """What the durable jobs start by the clock."""
        due = datetime.fromtimestamp(self.runtime.now() // STRIKE * STRIKE / SECOND, UTC)
        schedules.strike(self.runtime, due)
        if due.minute == TIDY_MINUTE:
            tidy(self.runtime)
            self._settle_due()
        return self._to_next_strike()

    def _settle_due(self) -> None:
        with self.runtime.database.read() as db:
            known = shops.every(db)
        for shop in known:
            settle_due(self.runtime, shop.id)

    def _to_next_strike(self) -> float:
        now = self.runtime.now()
        return (now // STRIKE * STRIKE + STRIKE - now) / SECOND + self.rng.uniform(0.0, 2.0)

    def _until(self, first_due: Select[Any]) -> float:
        """How long to rest until the first of what waits is due."""
        with self.runtime.database.read() as db:
            due: Instant | None = db.execute(first_due).scalar_one()
        if due is None:
            return REST_S
        return min(REST_S, max(GATHER_S, (due - self.runtime.now()) / SECOND))

    # ---- Runs

    def take_up_runs(self) -> None:
        """Carry out every run that the durable jobs hold and that this life does not have in hand."""
        with self.runtime.database.read() as db:
            wanted = {run.id: run.kind for run in runs.newest(db, RUNS_MAX) if not run.over}
        for job in self.runtime.jobs.list_workflows(queue_name=RUN_QUEUE, load_input=False, load_output=False):
            run_id = job.workflow_id.partition("/")[0]
            if run_id in wanted and job.workflow_id not in self._in_hand:
                self._in_hand.add(job.workflow_id)
                self.strand(wanted[run_id], partial(self._carry_out, run_id, job.workflow_id)).start(TAKE_UP_S)

    def _carry_out(self, run_id: str, job: str) -> None:
        """One durable job, which is done once its function returns."""
        carry_out(self.runtime, run_id, self.timeline.sleep)
        self.check()
        self.runtime.jobs.delete_workflows([job])
        self._in_hand.discard(job)
