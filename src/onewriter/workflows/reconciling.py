"""Reconciling a shop: the audit compares and decides, and what it found is healed by the one door to what we know."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from onewriter.audit.account import DRY_RUN
from onewriter.audit.direct import Place
from onewriter.audit.reconcile import Reconcile
from onewriter.audit.settle import Mending
from onewriter.customers import aliases, runs
from onewriter.customers.runs import RECENT, RECONCILE, Run
from onewriter.db.bulk import lock_stripes
from onewriter.intake.apply import apply, stripe_of
from onewriter.records import SECOND, Change, Instant, Kind
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
    vault = runtime.vault(run.shop_id)
    bell = runtime.open_bell()
    place = Place(runtime.database, vault, runtime.client(run.shop_id), runtime.now, bell)
    grace = runtime.settings.number("delivery_grace_s") * SECOND
    wait_hours, stall_minutes = (
        runtime.settings.number("bulk_wait_hours"),
        runtime.settings.number("bulk_stall_minutes"),
    )
    try:
        return Reconcile(place, mending(vault), wait_hours, stall_minutes, grace).run(run)
    finally:
        if bell is not None:
            bell.close()


def mending(vault: ShopVault) -> Mending:
    """How the audit of that shop heals: by `apply`, like everything else that changes a side."""
    door = _Door(vault)
    return Mending(door.lock, door.heal)


@dataclass(frozen=True, slots=True)
class _Door:
    vault: ShopVault

    def lock(self, db: Connection, reads: Sequence[Change]) -> None:
        """Take the locks that `apply` will take, so that it never waits for one while others wait for ours."""
        ids = {read.record_id for read in reads}
        gone = [read.record_id for read in reads if read.kind is Kind.ABSENT]
        ids |= {alias.kept_id for alias in aliases.load(db, self.vault, gone).values()}
        lock_stripes(db, self.vault.shop_id, {stripe_of(self.vault.key.id_hash(number)) for number in ids})

    def heal(self, db: Connection, reads: Sequence[Change], now: Instant, run_id: str) -> None:
        apply(db, self.vault, reads, now, run_id=run_id)
