"""Carrying a run out: from wherever it stands to its end, whoever had it before.

A run is one durable workflow that carries only its id. Everything it must remember stands in its own row, so that a
worker that dies is simply followed by another.
"""

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from onewriter.customers import runs, shops
from onewriter.customers.runs import Run
from onewriter.errors import OnewriterError, Superseded, Temporary, TokenRefused, UnknownShop
from onewriter.intake.importer import Importer
from onewriter.loyalty import awards
from onewriter.records import RunState
from onewriter.runtime import Runtime
from onewriter.shopify import reads
from onewriter.workflows import proving
from onewriter.workflows.auditing import carry_out_audit
from onewriter.workflows.cycling import carry_out_cycle
from onewriter.workflows.files import carry_out_file
from onewriter.workflows.indexing import carry_out_indexing
from onewriter.workflows.orders import reconcile_orders
from onewriter.workflows.points import carry_out_award
from onewriter.workflows.privacy import erase_shop
from onewriter.workflows.purging import carry_out_purge
from onewriter.workflows.reconciling import reconcile
from onewriter.workflows.rotating import carry_out_rotation
from onewriter.workflows.undoing import carry_out_undo

RETRY_WAIT_MAX_S = 60.0
RETRY_FOR_S = 6 * 3600
"""Seconds that are waited, in all, for a run that does not move."""

log = structlog.get_logger(__name__)


def carry_out(runtime: Runtime, run_id: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Carry a run to its end.

    Temporary errors are waited out for hours; a refused token pauses the run where it stands; any other error ends it
    as failed, and why.
    """
    wait_s, waited_s, done = 1.0, 0.0, -1
    stood: object = None
    while True:
        try:
            with runtime.database.write() as db:
                run = runs.begin(db, run_id, runtime.now())
        except Superseded:
            return
        except Temporary:
            sleep(wait_s)
            continue
        place = run.checkpoint.get(runs.FEED)
        # Further than ever, or elsewhere: one that begins anew each time, and never gets through, must end.
        if run.done > done or place != stood:
            wait_s, waited_s, done, stood = 1.0, 0.0, max(run.done, done), place
        error = _attempt(runtime, run)
        if error is None:
            return
        # It may be the database itself that fails: what the error means is said at the next try, then.
        with suppress(Temporary):
            if not _goes_on(runtime, run, error, waited_s):
                return
        pause_s = wait_s * random.uniform(0.5, 1.0)  # noqa: S311
        sleep(pause_s)
        wait_s, waited_s = min(wait_s * 2, RETRY_WAIT_MAX_S), waited_s + pause_s


def resume_if_possible(runtime: Runtime, shop_id: int) -> list[str]:
    """Queue a shop's paused runs again if Shopify takes the credentials that we have now; returns their ids.

    A shop that cannot be asked now is asked the next time: that is no error.
    """
    with runtime.database.read() as db:
        if not runs.paused(db, shop_id) or shops.by_id(db, shop_id).state != shops.CONNECTED:
            return []
    try:
        reads.survey(runtime.client(shop_id))
    except OnewriterError as error:
        log.info("paused runs stay so", shop=shop_id, error=type(error).__name__)
        return []
    with runtime.database.write() as db:
        resumed = runs.resume_paused(db, shop_id, runtime.now())
        for run_id in resumed:
            runtime.enqueue(db, run_id)
    return resumed


def _attempt(runtime: Runtime, run: Run) -> Exception | None:
    """One try; None when it is over for this worker, whether it ended the run or another worker has it."""
    try:
        with runtime.database.read() as db:
            if run.kind not in runs.OFFLINE_KINDS and shops.by_id(db, run.shop_id).state != shops.CONNECTED:
                raise UnknownShop("The shop is disconnected; connect it again first.")
        ended = KINDS[runs.family(run.kind)](runtime, run)
    except Superseded:
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, a run must end with a reason
        return error
    log.info("run ended", run=run.id, kind=run.kind, state=ended.state.value, done=ended.done)
    proving.attend(runtime, ended)
    return None


def _goes_on(runtime: Runtime, run: Run, error: Exception, waited_s: float) -> bool:
    """Say on the run what an error means for it; True if this worker shall try again after a while."""
    if isinstance(error, TokenRefused):
        _pause(runtime, run, f"{error} The run goes on then from where it stands.")
        return False
    if isinstance(error, Temporary) and waited_s < RETRY_FOR_S:
        return _tell(runtime, run, f"{error} Trying again.")
    _end_badly(runtime, run, _reason(error))
    return False


def _reason(error: Exception) -> str:
    """Why a run failed, for people. The text of an error that is not ours may hold a value: only its type is told."""
    if isinstance(error, OnewriterError):
        return str(error)
    return f"An error that we did not expect ({type(error).__name__}); please report it."


def _import(runtime: Runtime, run: Run) -> Run:
    with runtime.bell() as bell:
        importer = Importer(
            runtime.database,
            runtime.vault(run.shop_id),
            runtime.client(run.shop_id),
            runtime.now,
            runtime.settings.number("bulk_wait_hours"),
            runtime.settings.number("bulk_stall_minutes"),
            bell,
        )
        return importer.run(run)


KINDS: Mapping[str, Callable[[Runtime, Run], Run]] = {
    runs.IMPORT: _import,
    runs.RECONCILE: reconcile,
    runs.RECENT: reconcile,
    runs.ORDERS: reconcile_orders,
    awards.RUN: carry_out_award,
    runs.ROTATE: carry_out_rotation,
    runs.INDEX: carry_out_indexing,
    runs.PURGE: carry_out_purge,
    runs.SHOP_REDACTION: erase_shop,
    runs.AUDIT: carry_out_audit,
    runs.CYCLE: carry_out_cycle,
    runs.FILE: carry_out_file,
    runs.UNDO: carry_out_undo,
}
"""What each kind of run does; it returns the run as it ended."""


def _tell(runtime: Runtime, run: Run, reason: str) -> bool:
    """Say on the run why it waits. False when another worker has it: then this one must not take it back."""
    log.warning("run waits", run=run.id)
    try:
        with runtime.database.write() as db:
            runs.move(db, run, runtime.now(), reason=reason)
    except Superseded:
        return False
    return True


def _end_badly(runtime: Runtime, run: Run, reason: str) -> None:
    """End the run as failed, if it is still ours."""
    with suppress(Superseded), runtime.database.write() as db:
        runs.finish(db, run, RunState.FAILED, reason, runtime.now())
    log.error("run failed", run=run.id)


def _pause(runtime: Runtime, run: Run, reason: str) -> None:
    """Stop the run where it stands, if it is still ours."""
    with suppress(Superseded), runtime.database.write() as db:
        runs.pause(db, run, reason, runtime.now())
    log.warning("run paused", run=run.id)
