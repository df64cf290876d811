"""Carrying a run out: from wherever it stands to its end, whoever had it before.

A run is one durable workflow that carries only its id. Everything it must remember stands in its own row, so that a
worker that dies is simply followed by another.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from onewriter.customers import runs, shops
from onewriter.customers.runs import Run
from onewriter.errors import OnewriterError, Superseded, Temporary, UnknownShop
from onewriter.intake.importer import Importer
from onewriter.records import RunState
from onewriter.runtime import Runtime

RETRY_WAIT_MAX_S = 60.0
RETRY_FOR_S = 6 * 3600

log = structlog.get_logger(__name__)


def carry_out(runtime: Runtime, run_id: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Carry a run to its end. Temporary errors are waited out for hours; any other ends it as failed, and why."""
    until = time.monotonic() + RETRY_FOR_S
    wait_s = 1.0
    while True:
        try:
            with runtime.database.write() as db:
                run = runs.begin(db, run_id, runtime.now())
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
        runtime.now,
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
            runs.move(db, run, runtime.now(), reason=reason)
    except Superseded:
        return False
    return True


def _end_badly(runtime: Runtime, run: Run, reason: str) -> None:
    """End the run as failed, if it is still ours."""
    with suppress(Superseded), runtime.database.write() as db:
        runs.finish(db, run, RunState.FAILED, reason, runtime.now())
    log.error("run failed", run=run.id)
