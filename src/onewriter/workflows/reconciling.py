"""Reconciling a shop: the audit compares and decides, and what it found is healed by the one door to what we know."""

from collections.abc import Sequence

from sqlalchemy import Connection

from onewriter.audit.account import DRY_RUN
from onewriter.audit.direct import Place
from onewriter.audit.reconcile import Reconcile
from onewriter.audit.settle import Mending
from onewriter.customers import runs
from onewriter.customers.runs import RECENT, RECONCILE, Run
from onewriter.intake.apply import apply, lock_for
from onewriter.records import SECOND, Change, Instant
from onewriter.runtime import Runtime, new_run_id
from onewriter.vault.vault import ShopVault


def queue(
    runtime: Runtime, db: Connection, shop_id: int, by: str, now: Instant, *, recent: bool = False, dry: bool = False
) -> str:
    """Queue a reconcile, of everybody or of whom Shopify changed lately, and return its id.

    Raises AlreadyRunning while one of that kind is queued, running or paused in the shop.
    """
    run_id = new_run_id(now)
    runs.add(db, run_id, shop_id, RECENT if recent else RECONCILE, by, now, checkpoint={DRY_RUN: True} if dry else {})
    runtime.enqueue(db, run_id)
    return run_id


def is_dry(run: Run) -> bool:
    """True for a run that reports and heals nothing."""
    return bool(run.checkpoint.get(DRY_RUN))


def reconcile(runtime: Runtime, run: Run) -> Run:
    """Carry out a reconcile that was begun, full or recent; the run as it ended."""
    vault, number = runtime.vault(run.shop_id), runtime.settings.number
    with runtime.bell() as bell:
        place = Place(runtime.database, vault, runtime.client(run.shop_id), runtime.now, bell)
        wait_hours, stall_minutes = number("bulk_wait_hours"), number("bulk_stall_minutes")
        grace = number("delivery_grace_s") * SECOND
        return Reconcile(place, mending(vault), wait_hours, stall_minutes, grace).run(run)


def mending(vault: ShopVault) -> Mending:
    """How the audit of that shop heals: by `apply`, like everything else that changes a side, and under its locks."""

    def lock(db: Connection, reads: Sequence[Change]) -> None:
        lock_for(db, vault, reads)

    def heal(db: Connection, reads: Sequence[Change], now: Instant, run_id: str) -> None:
        apply(db, vault, reads, now, run_id=run_id)

    return Mending(lock, heal)
