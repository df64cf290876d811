"""After a restore: what must not come back goes again, what cannot be opened begins anew, and Shopify is read in full.

What is to be done is written down as a run of each shop, in the transaction that restored: so it is known after any
crash, and a worker does it before anything else if nobody has. Each step can be taken again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection, delete, select, update

from onewriter.customers import access, erasing, renewing, runs, shops
from onewriter.customers.runs import AlreadyRunning, Run
from onewriter.customers.shops import ERASED, Shop
from onewriter.db.bulk import in_chunks
from onewriter.db.tables import runs as run_table
from onewriter.db.tables import shops as shop_table
from onewriter.db.tables import tombstones, workers
from onewriter.errors import KeyDestroyed, KeyMissing
from onewriter.records import RUN_OVER, Instant, RunState
from onewriter.runtime import RUN_WORKFLOW, Runtime, new_run_id
from onewriter.vault import copying
from onewriter.vault.indexkeys import FIRST
from onewriter.vault.shopending import destroy_shop
from onewriter.workflows import indexing, orders, privacy, reconciling
from onewriter.workflows.forgetting import RESTORED_BACKUP, empty_bodies, forget_ids, go_through_customers
from onewriter.workflows.purging import clean

RECOVERY = "recovery"
"""The kind of the runs that say what is still to be done. They are handed to no queue: nothing may work with a shop
before its own has ended."""
AFTER_BACKUP = "backup"
AFTER_KEYS = "key store"
CAUSE, MADE_AT, KEYS_TOO = "cause", "made_at", "keys_too"
CUT_SHORT = "It was under way when the database was restored from a backup; what it was to do is done anew."

_OVER = [state.value for state in RUN_OVER]
_PENDING = (
    select(run_table.c.id)
    .where(run_table.c.kind == RECOVERY, run_table.c.state.not_in(_OVER))
    .order_by(run_table.c.shop_id)
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was done after a restore, over all shops."""

    counts: Mapping[str, int]
    runs: tuple[str, ...]
    """The runs that were queued."""


def begin(db: Connection, cause: str, made_at: Instant, by: str, now: Instant) -> None:
    """Write down what must follow a restore, in its transaction or before it."""
    if cause == AFTER_BACKUP:
        # The processes and runs that the backup tells of are those of another time.
        db.execute(delete(workers))
        active = update(run_table).where(run_table.c.state.not_in(_OVER))
        db.execute(active.values(state=RunState.FAILED.value, reason=CUT_SHORT, finished_at=now))
        db.execute(update(shop_table).values(checked_at=None))
    for shop in shops.every(db):
        try:
            checkpoint = {CAUSE: cause, MADE_AT: made_at}
            runs.add(db, new_run_id(now), shop.id, RECOVERY, by, now, checkpoint=checkpoint)
        except AlreadyRunning:
            # What must follow a backup is still to be done, and now what must follow a key store besides.
            _add_keys(db, shop.id)


def end_before_replacing(runtime: Runtime) -> None:
    """End the keys of which only the main database that is about to be replaced says that they are to be ended.

    Those are the keys of erasures that were not ended yet, and what a restored copy of the key store brought back.
    """
    with runtime.database.exclusive(RECOVERY):
        _end_keys(runtime, _pending(runtime))


def _add_keys(db: Connection, shop_id: int) -> None:
    for run_id in db.execute(_PENDING.where(run_table.c.shop_id == shop_id)).scalars().all():
        run = runs.get(db, run_id)
        checkpoint = {**run.checkpoint, KEYS_TOO: True}
        db.execute(update(run_table).where(run_table.c.id == run_id).values(checkpoint=checkpoint))


def is_pending(db: Connection) -> bool:
    """True while a restore is not followed by all that must follow."""
    return db.execute(_PENDING.limit(1)).first() is not None


def finish(runtime: Runtime, tell: Callable[[str], None] = lambda _step: None) -> Recovered:
    """Do what must follow a restore, from wherever it stands, before anything else works on this database.

    Raises KeyMissing where a shop's own key is not there: then a newer copy of the key store must be restored first.
    """
    with runtime.database.read() as db:
        if not is_pending(db):
            return Recovered({}, ())
    with runtime.database.exclusive(RECOVERY):
        return _finish(runtime, tell)


def _finish(runtime: Runtime, tell: Callable[[str], None]) -> Recovered:
    pending = _pending(runtime)
    access.settle_head(runtime.database, runtime.keys, runtime.now())
    if any(run.checkpoint[CAUSE] == AFTER_BACKUP for run in pending):
        _cancel_jobs(runtime)
    _end_keys(runtime, pending)
    counts: Counter[str] = Counter()
    queued: list[str] = []
    for run in pending:
        tell(f"shop {run.shop_id}")
        ended = _recover(runtime, run)
        counts.update(ended.counts)
        queued += ended.runs
    clean(runtime)
    return Recovered(dict(counts), tuple(queued))


def _recover(runtime: Runtime, run: Run) -> Recovered:
    """Do for one shop what must be done, and end its run with the counts."""
    moment = runtime.now()
    with runtime.database.write() as db:
        run = runs.begin(db, run.id, moment)
        shop = shops.by_id(db, run.shop_id)
    counts: dict[str, int] = {}
    if shop.state == ERASED:
        if shop.erased_at is not None:
            destroy_shop(runtime.keys, shop.id, moment)
    elif _was_erased_since(runtime, run):
        counts["erased again"] = privacy.erase_again(runtime, run, RESTORED_BACKUP)["customers"]
    else:
        counts |= _go_through(runtime, run, moment)
    with runtime.database.write() as db:
        queued = _queue(runtime, db, run, moment)
        runs.move(db, run, moment, counts=counts)
        runs.finish(db, run, RunState.DONE, None, moment)
    log.warning("recovered", shop=run.shop_id, cause=run.checkpoint[CAUSE], **_named(counts))
    return Recovered(counts, tuple(queued))


def _was_erased_since(runtime: Runtime, run: Run) -> bool:
    """True when a backup has brought a shop back that was erased after it was made.

    After a copy of the key store alone, the main database is the one that knows best which shops there are.
    """
    if run.checkpoint[CAUSE] != AFTER_BACKUP:
        return False
    made_at: Instant = run.checkpoint[MADE_AT]
    return (copying.shop_ended_at(runtime.keys, run.shop_id) or 0) >= made_at


def _go_through(runtime: Runtime, run: Run, now: Instant) -> Mapping[str, int]:
    try:
        vault = runtime.vault(run.shop_id)
    except KeyDestroyed:
        raise KeyMissing(
            f"The newest key of shop {run.shop_id} is not in the key store; restore a newer copy of it first: "
            "`onewriter keys restore-copy FILE`."
        ) from None
    counts = go_through_customers(runtime, vault, now)
    forget_ids(runtime, vault, now)
    return {**counts, "deliveries dropped": empty_bodies(runtime, run.shop_id, now)}


def _queue(runtime: Runtime, db: Connection, run: Run, now: Instant) -> list[str]:
    """Queue what brings a shop up to date: its index, and after a backup its customers and the orders that can earn."""
    shop, by = shops.by_id(db, run.shop_id), run.requested_by
    queued: list[str] = []
    if shop.state != ERASED and _needs_index(runtime, shop):
        with suppress(AlreadyRunning):
            queued.append(indexing.queue(runtime, db, shop.id, by, now))
    if run.checkpoint[CAUSE] == AFTER_BACKUP and shop.state == shops.CONNECTED:
        queued.append(reconciling.queue(runtime, db, shop.id, by, now))
        if orders.are_wanted(db, shop.id):
            queued.append(orders.queue(runtime, db, shop.id, by, now))
    return queued


def _needs_index(runtime: Runtime, shop: Shop) -> bool:
    """True when the shop's tokens were made with a key that is gone, or that another one has replaced since."""
    living = copying.living_index(runtime.keys, shop.id) | {FIRST}
    return shop.index_version not in living or shop.index_version < max(living)


def _cancel_jobs(runtime: Runtime) -> None:
    """Cancel the durable jobs of the database that was replaced; a run of the restored one keeps its own."""
    jobs = runtime.jobs
    waiting = jobs.list_workflows(
        status=["PENDING", "ENQUEUED"], name=RUN_WORKFLOW, load_input=False, load_output=False
    )
    with runtime.database.read() as db:
        active = set(db.execute(select(run_table.c.id).where(run_table.c.state.not_in(_OVER))).scalars())
    for job in waiting:
        if job.workflow_id.partition("/")[0] not in active:
            jobs.cancel_workflow(job.workflow_id)


def _pending(runtime: Runtime) -> list[Run]:
    with runtime.database.read() as db:
        return [runs.get(db, run_id) for run_id in db.execute(_PENDING).scalars()]


def _end_keys(runtime: Runtime, pending: Sequence[Run]) -> None:
    """End the keys that the main database says are to be ended; no shop's own key is needed for it."""
    erasing.end(runtime.database, runtime.keys, runtime.now())
    shop_ids = {run.shop_id for run in pending if run.checkpoint[CAUSE] == AFTER_KEYS or run.checkpoint.get(KEYS_TOO)}
    with runtime.database.read() as db:
        ended = [each.id for each in shops.every(db) if each.state == ERASED and each.erased_at is not None]
    for shop_id in shop_ids.intersection(ended):
        destroy_shop(runtime.keys, shop_id, runtime.now())
    _drop_unnamed(runtime, shop_ids)


def _drop_unnamed(runtime: Runtime, shop_ids: set[int]) -> None:
    """After the key store came from a copy: end again the keys that were ended since, and say again who was erased."""
    if not shop_ids:
        return

    def named(ids: Sequence[bytes]) -> set[bytes]:
        with runtime.database.read() as db:
            return renewing.named(db, ids)

    for shop_id in shop_ids:
        _say_who_was_erased(runtime, shop_id)
    copying.drop_unnamed(runtime.keys, named, shop_ids)


def _say_who_was_erased(runtime: Runtime, shop_id: int) -> None:
    purged = select(tombstones.c.id_hash).where(tombstones.c.shop_id == shop_id, tombstones.c.purged_at.is_not(None))
    with runtime.database.read() as db:
        hashes = [bytes(each) for each in db.execute(purged).scalars()]
    for some in in_chunks(hashes):
        runtime.keys.remember_erased(shop_id, some, runtime.now())


def _named(counts: Mapping[str, int]) -> dict[str, int]:
    return {name.replace(" ", "_"): number for name, number in counts.items()}
