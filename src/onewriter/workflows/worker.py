"""A worker process: the durable jobs, the schedules, and the loops that apply, read again, watch and beat."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import structlog
from dbos import DBOS

from onewriter.customers import marks, order_marks, workers
from onewriter.customers.workers import Worker as Listed
from onewriter.db.engine import jobs_engine
from onewriter.intake.drain import Drain
from onewriter.intake.orders import OrderReads
from onewriter.intake.refetch import Refetch
from onewriter.records import DAY, Instant
from onewriter.runtime import JOBS_NAME, JOBS_VERSION, RUN_QUEUE, RUN_WORKFLOW, Runtime, new_run_id
from onewriter.workflows import cycling, notifying, privacy, purging, recovering, schedules
from onewriter.workflows.carrying import carry_out
from onewriter.workflows.channels import channels
from onewriter.workflows.clock import TIDY
from onewriter.workflows.housekeeping import tidy

RUNS_AT_ONCE = 4
IDLE_S = 0.05
ERROR_WAIT_S = 1.0
SHOP_WAIT_S = 5.0
WATCH_REST_S = 2.0
WATCH_WAIT_S = 60.0
UNCLEANED: Instant = 30 * DAY
"""A worker that starts cannot know whether the last one cleaned after what was erased so long ago."""

log = structlog.get_logger(__name__)


class Worker:
    """One worker process: the durable jobs, the inbox, the reads, the watch and the heartbeat, each in a thread."""

    def __init__(self, runtime: Runtime) -> None:
        self.id = new_run_id(runtime.now())
        self._runtime = runtime
        self._stop = threading.Event()
        self._cleaned_at: Instant = runtime.now() - UNCLEANED
        self._quiet_until: dict[int, float] = {}
        self._unwatched_until: dict[int, float] = {}
        self._beats: dict[str, tuple[int, float]] = {}
        self._drain = Drain(runtime.database, runtime.vault, runtime.settings.number("inbox_keep_days"))
        self._refetch = Refetch(runtime.database, runtime.client, runtime.vault, runtime.now)
        self._ways = channels(runtime)
        self._orders = OrderReads(runtime.database, runtime.client, runtime.vault, runtime.now)

    def start(self) -> None:
        """Start everything; returns at once, unless a restore is still to be followed by what must follow it."""
        recovering.finish(self._runtime)
        with self._runtime.database.write() as db:
            workers.enter(db, self.id, self._runtime.now())
        self._launch_jobs()
        turns: tuple[tuple[str, Callable[[], float]], ...] = (
            ("inbox", self._apply),
            ("refetch", self._read),
            ("orders", self._read_orders),
            ("watch", self._watch),
            ("heartbeat", self._beat),
            ("notices", self._tell),
        )
        for name, turn in turns:
            threading.Thread(target=self._loop, args=(name, turn), name=name, daemon=True).start()

    def stop(self) -> None:
        """Leave the list of workers and stop the loops. A run under way is taken up by the next worker."""
        self._stop.set()
        with self._runtime.database.write() as db:
            workers.leave(db, self.id)

    def _launch_jobs(self) -> None:
        runtime = self._runtime
        DBOS(
            config={
                "name": JOBS_NAME,
                "system_database_engine": jobs_engine(runtime.settings.database_url),
                "application_version": JOBS_VERSION,
                "executor_id": self.id,
                "use_listen_notify": False,
                "run_migrations": False,
                "log_level": "ERROR",
            }
        )

        @DBOS.workflow(name=RUN_WORKFLOW)
        def run(run_id: str) -> None:
            carry_out(runtime, run_id)

        @DBOS.workflow(name=TIDY)
        def keep_house(due: datetime, _context: Any) -> None:
            if tidy(runtime):
                purging.attend(runtime)
            moment = runtime.now()
            night = due.hour == runtime.settings.number("nightly_hour")
            if purging.clean_up(runtime, self._cleaned_at, whole=night):
                self._cleaned_at = moment

        @DBOS.workflow(name="strike")
        def strike(due: datetime, _context: Any) -> None:
            schedules.strike(runtime, due)

        DBOS.launch()
        DBOS.register_queue(RUN_QUEUE, worker_concurrency=RUNS_AT_ONCE, polling_interval_sec=0.2)
        DBOS.apply_schedules(
            [
                {"schedule_name": TIDY, "workflow_fn": keep_house, "schedule": "17 * * * *", "context": None},
                {"schedule_name": "shops", "workflow_fn": strike, "schedule": schedules.STRIKE, "context": None},
            ]
        )

    def _loop(self, name: str, turn: Callable[[], float]) -> None:
        """Take turns until stopped; a turn says how many seconds to rest. No error ends a loop."""
        while not self._stop.is_set():
            try:
                rest_s = turn()
            except Exception as error:  # noqa: BLE001 - a loop must outlive whatever a turn runs into
                log.warning("loop rests", loop=name, error=type(error).__name__)
                rest_s = ERROR_WAIT_S
            if rest_s:
                self._stop.wait(rest_s)

    def _apply(self) -> float:
        return 0.0 if self._drain.once(self._runtime.now()) else IDLE_S

    def _read(self) -> float:
        with self._runtime.database.read() as db:
            due = marks.shops_due(db, self._runtime.now())
        return self._read_shops(due, self._refetch.once)

    def _read_orders(self) -> float:
        with self._runtime.database.read() as db:
            due = order_marks.shops_due(db, self._runtime.now())
        return self._read_shops(due, self._orders.once)

    def _read_shops(self, due: Sequence[int], once: Callable[[int], int]) -> float:
        ready = [shop_id for shop_id in due if self._quiet_until.get(shop_id, 0.0) <= time.monotonic()]
        read = sum(self._read_shop(shop_id, once) for shop_id in ready)
        # A short rest lets the marks of a burst gather into one read.
        return IDLE_S if read else 4 * IDLE_S

    def _read_shop(self, shop_id: int, once: Callable[[int], int]) -> int:
        try:
            return once(shop_id)
        except Exception as error:  # noqa: BLE001 - one shop that cannot be read must not keep the others waiting
            log.warning("shop cannot be read", shop=shop_id, error=type(error).__name__)
            self._quiet_until[shop_id] = time.monotonic() + SHOP_WAIT_S
            return 0

    def _watch(self) -> float:
        """Look at once at shops that ask for it, and make up for what no strike has brought about."""
        for shop in schedules.unwatched(self._runtime):
            if self._unwatched_until.get(shop.id, 0.0) > time.monotonic():
                continue
            if not schedules.catch_up(self._runtime, shop):
                self._unwatched_until[shop.id] = time.monotonic() + WATCH_WAIT_S
        privacy.queue_accepted(self._runtime)
        cycling.queue_due(self._runtime)
        return WATCH_REST_S

    def _tell(self) -> float:
        """Tell people, in a loop of its own: a receiver that answers late keeps nothing else waiting."""
        return notifying.turn(self._runtime, self._ways)

    def _beat(self) -> float:
        moment = self._runtime.now()
        with self._runtime.database.write() as db:
            # Another worker may have taken us for dead and off the list.
            if not workers.beat(db, self.id, moment) and not self._stop.is_set():
                workers.enter(db, self.id, moment)
        self._take_over()
        return float(self._runtime.settings.number("worker_beat_s"))

    def _take_over(self) -> None:
        """Queue the runs of dead workers again; the durable jobs only recover those of their own process."""
        silent_s = self._runtime.settings.number("worker_dead_s")
        with self._runtime.database.read() as db:
            known = workers.every(db)
        dead = [worker for worker in known if worker.id != self.id and self._is_silent(worker, silent_s)]
        # One that ended in good order has left the list, and what it was at is nobody's now either.
        living = {worker.id for worker in known} - {worker.id for worker in dead}
        jobs = self._runtime.jobs
        for job in jobs.list_workflows(status="PENDING", load_input=False, load_output=False):
            if job.executor_id not in living:
                jobs.resume_workflow(job.workflow_id, queue_name=RUN_QUEUE)
                log.info("run taken over", run=job.workflow_id)
        if dead:
            with self._runtime.database.write() as db:
                for worker in dead:
                    workers.leave(db, worker.id)

    def _is_silent(self, worker: Listed, silent_s: int) -> bool:
        """True when its process is gone, or we have seen no new beat for too long: no two clocks are compared."""
        beat_at, seen = self._beats.get(worker.id, (None, 0.0))
        if beat_at != worker.beat_at:
            self._beats[worker.id] = (worker.beat_at, time.monotonic())
            return worker.process_is_gone
        return worker.process_is_gone or time.monotonic() - seen > silent_s


def end_process(code: int) -> None:
    """End at once. Every effect is in a transaction, so this is as safe as kill -9, which is tested; waiting for a
    bulk operation of hours would not be.
    """
    os._exit(code)
