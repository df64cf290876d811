"""The durable jobs and the loops of a worker, a few lines each; the work itself is in the folders below.

A run is one durable workflow that carries only its id. Everything it must remember stands in its own row, so that a
worker that dies is simply followed by another.
"""

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog
from dbos import DBOS

from onewriter.customers import inbox, marks, questions, runs, shops, workers
from onewriter.customers.runs import Run
from onewriter.db.engine import jobs_engine
from onewriter.errors import OnewriterError, Superseded, Temporary, UnknownShop
from onewriter.intake.drain import PARKED_DELIVERY, Drain
from onewriter.intake.importer import Importer
from onewriter.intake.refetch import Refetch
from onewriter.records import DAY, SECOND, RunState
from onewriter.runtime import JOBS_NAME, JOBS_VERSION, RUN_QUEUE, RUN_WORKFLOW, Runtime, new_run_id, now
from onewriter.vault.vault import day_of

RUNS_AT_ONCE = 4
IDLE_S = 0.05
ERROR_WAIT_S = 1.0
RETRY_WAIT_MAX_S = 60.0
RETRY_FOR_S = 6 * 3600
SHOP_WAIT_S = 5.0

log = structlog.get_logger(__name__)


def carry_out(runtime: Runtime, run_id: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Carry a run to its end. Temporary errors are waited out for hours; any other ends it as failed, and why."""
    until = time.monotonic() + RETRY_FOR_S
    wait_s = 1.0
    while True:
        try:
            with runtime.database.write() as db:
                run = runs.begin(db, run_id, now())
        except Superseded:
            return
        except Temporary:
            sleep(wait_s)
            continue
        error = _attempt(runtime, run)
        if error is None:
            return
        if not isinstance(error, Temporary) or time.monotonic() > until:
            _end_badly(runtime, run, _reason(error))
            return
        if not _tell(runtime, run, f"{error} Trying again."):
            return
        sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311
        wait_s = min(wait_s * 2, RETRY_WAIT_MAX_S)


def _attempt(runtime: Runtime, run: Run) -> Exception | None:
    """One try; None when it is over for this worker, whether it ended the run or another worker has it."""
    try:
        _import(runtime, run)
    except Superseded:
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, a run must end with a reason
        return error
    return None


def _reason(error: Exception) -> str:
    """Why a run failed, for people. The text of an error that is not ours may hold a value: only its type is told."""
    if isinstance(error, OnewriterError):
        return str(error)
    return f"An error that we did not expect ({type(error).__name__}); please report it."


def _import(runtime: Runtime, run: Run) -> None:
    with runtime.database.read() as db:
        if shops.by_id(db, run.shop_id).state != shops.CONNECTED:
            raise UnknownShop("The shop is disconnected; connect it again before you import.")
    bell = runtime.open_bell()
    importer = Importer(
        runtime.database,
        runtime.vault(run.shop_id),
        runtime.client(run.shop_id),
        now,
        runtime.settings.number("bulk_wait_hours"),
        bell,
    )
    try:
        ended = importer.run(run)
    finally:
        if bell is not None:
            bell.close()
    log.info("run ended", run=run.id, state=ended.state.value, done=ended.done)


def _tell(runtime: Runtime, run: Run, reason: str) -> bool:
    """Say on the run why it waits. False when another worker has it: then this one must not take it back."""
    log.warning("run waits", run=run.id)
    try:
        # It may be the database itself that the run waits for.
        with suppress(Temporary), runtime.database.write() as db:
            runs.move(db, run, now(), reason=reason)
    except Superseded:
        return False
    return True


def _end_badly(runtime: Runtime, run: Run, reason: str) -> None:
    """End the run as failed, if it is still ours."""
    with suppress(Superseded), runtime.database.write() as db:
        runs.finish(db, run, RunState.FAILED, reason, now())
    log.error("run failed", run=run.id)


class Worker:
    """One worker process: the durable jobs, the inbox, the refetches and the heartbeat, each in a thread."""

    def __init__(self, runtime: Runtime) -> None:
        self.id = new_run_id(now())
        self._runtime = runtime
        self._stop = threading.Event()
        self._quiet_until: dict[int, float] = {}
        self._drain = Drain(runtime.database, runtime.vault, runtime.settings.number("inbox_keep_days"))
        self._refetch = Refetch(runtime.database, runtime.client, runtime.vault, now)

    def start(self) -> None:
        """Start everything; returns at once."""
        with self._runtime.database.write() as db:
            workers.enter(db, self.id, now())
        self._launch_jobs()
        for name, turn in (("inbox", self._apply), ("refetch", self._read), ("heartbeat", self._beat)):
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

        @DBOS.workflow(name="housekeeping")
        def keep_house(_due: datetime, _context: Any) -> None:
            tidy(runtime)

        DBOS.launch()
        DBOS.register_queue(RUN_QUEUE, worker_concurrency=RUNS_AT_ONCE, polling_interval_sec=0.2)
        DBOS.apply_schedules(
            [{"schedule_name": "housekeeping", "workflow_fn": keep_house, "schedule": "17 * * * *", "context": None}]
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
        return 0.0 if self._drain.once(now()) else IDLE_S

    def _read(self) -> float:
        with self._runtime.database.read() as db:
            due = marks.shops_due(db, now())
        ready = [shop_id for shop_id in due if self._quiet_until.get(shop_id, 0.0) <= time.monotonic()]
        read = sum(self._read_shop(shop_id) for shop_id in ready)
        # A short rest lets the marks of a burst gather into one read.
        return IDLE_S if read else 4 * IDLE_S

    def _read_shop(self, shop_id: int) -> int:
        try:
            return self._refetch.once(shop_id)
        except OnewriterError as error:
            # One shop that cannot be read must not keep the others waiting.
            log.warning("shop cannot be read", shop=shop_id, error=type(error).__name__)
            self._quiet_until[shop_id] = time.monotonic() + SHOP_WAIT_S
            return 0

    def _beat(self) -> float:
        with self._runtime.database.write() as db:
            workers.beat(db, self.id, now())
        self._take_over()
        return float(self._runtime.settings.number("worker_beat_s"))

    def _take_over(self) -> None:
        """Queue the runs of dead workers again; the durable jobs only recover those of their own process."""
        silent_s = self._runtime.settings.number("worker_dead_s")
        with self._runtime.database.read() as db:
            known = workers.every(db)
        dead = [worker for worker in known if worker.id != self.id and worker.is_dead(now(), silent_s)]
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


def tidy(runtime: Runtime) -> None:
    """End the day keys whose time is over, and drop rows that nobody can open or needs any more."""
    moment = now()
    last_day = day_of(moment) - runtime.settings.number("inbox_keep_days")
    # Rows before the key: a row whose key is gone is only clutter, a key without rows is nothing at all.
    with runtime.database.write() as db:
        for shop_id, position in inbox.parked_before(db, last_day):
            questions.withdraw(db, shop_id, PARKED_DELIVERY, [str(position)], moment)
        inbox.drop_expired(db, last_day)
    runtime.keys.end_days(last_day, moment)
    kept_since = moment - runtime.settings.number("runs_keep_days") * DAY
    finished = runtime.jobs.list_workflows(
        status=["SUCCESS", "ERROR", "CANCELLED"],
        completed_before=datetime.fromtimestamp(kept_since / SECOND).astimezone().isoformat(),
        load_input=False,
        load_output=False,
        limit=1000,
    )
    runtime.jobs.delete_workflows([job.workflow_id for job in finished])


def end_process(code: int) -> None:
    """End at once. Every effect is in a transaction, so this is as safe as kill -9, which is tested; waiting for a
    bulk operation of hours would not be.
    """
    os._exit(code)
