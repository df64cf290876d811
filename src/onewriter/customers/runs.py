"""Runs: one row an import, reconcile, cycle or audit, with its progress and its checkpoint.

A checkpoint is a compare-and-set on (run, attempt): a worker whose run was taken over by another changes nothing any
more and stops.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from onewriter.db.tables import ACTIVE_RUN, FAILED_RUN, findings, runs
from onewriter.errors import Permanent, Superseded, UnknownRun
from onewriter.records import RUN_OVER, SECOND, Instant, RunState, SizeClass, size_class

IMPORT = "import"
"""Every customer is read and applied."""
RECONCILE = "reconcile"
"""Every customer is read and compared; what differs is reported and healed."""
RECENT = "recent"
"""The same of the customers that changed lately, by Shopify's `updated_at`."""
ORDERS = "orders"
"""The orders that changed lately, by Shopify's `updated_at`, are read and posted."""
HOURLY = (RECENT, ORDERS)
"""Runs of which each day has many, and most come to nothing."""
ROTATE = "rotate"
"""Every key of the shop is wrapped anew with the current master key."""
INDEX = "index"
"""Every token that customers are searched by is made anew."""
PURGE = "purge"
"""Customers whose time is over are erased."""
SHOP_REDACTION = "shop redaction"
"""Everything of a shop is erased, as Shopify asked."""
CYCLE = "cycle"
"""One connected system is read, and told what is pending; the name of the system follows, since each has its own."""
UNDO = "undo"
"""What a cycle wrote is taken back; the name of the system follows."""
AUDIT = "audit"
"""A connected system is compared with the shop, and what is wrong is diagnosed; the name of the system follows."""
FILE = "file"
"""A file of customers is imported; the name of the system that it counts as follows."""
OFFLINE_KINDS = frozenset({ROTATE, INDEX, PURGE, SHOP_REDACTION})
"""Runs that ask nothing of Shopify, and so need no connected shop."""

SETTLED_STATES = frozenset({*(state.value for state in RUN_OVER), RunState.PAUSED.value})
"""States in which a run does not move by itself."""

FEED = "feed"
"""Where in its checkpoint a run keeps how far it has read the shop's customers or orders."""

_BY_ID = select(runs).where(runs.c.id == bindparam("id"))
_LIST = select(runs).order_by(runs.c.requested_at.desc(), runs.c.id.desc())


class AlreadyRunning(Permanent):
    """A run of that kind is active in the shop; the database allows one at a time."""


class NotPaused(Permanent):
    """Only a run that is paused can be resumed."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run, as it stands."""

    id: str
    shop_id: int
    kind: str
    state: RunState
    attempt: int
    requested_at: Instant
    requested_by: str
    started_at: Instant | None
    finished_at: Instant | None
    moved_at: Instant | None
    total: int | None
    done: int
    counts: Mapping[str, int]
    checkpoint: Mapping[str, Any]
    reason: str | None

    @property
    def over(self) -> bool:
        """True once it has ended, well or not."""
        return self.state in RUN_OVER

    @property
    def size(self) -> SizeClass | None:
        """The size class of the shop that it reads, once the shop has said how much that is; a file has none."""
        return None if self.total is None or family(self.kind) == FILE else size_class(self.total)

    def rate(self, now: Instant) -> float:
        """Rows a second since the rows began to flow; 0 before."""
        began = self.checkpoint.get("rows_began")
        until = self.finished_at or self.moved_at or now
        if began is None or until <= began:
            return 0.0
        return float((self.done - self.checkpoint.get("rows_before", 0)) * SECOND / (until - began))

    def eta_s(self, now: Instant) -> float | None:
        """Seconds until it is done at the present rate; None while that cannot be told, or all is read already."""
        rate = self.rate(now)
        if self.total is None or rate <= 0 or self.over or self.done >= self.total:
            return None
        return max(0.0, (self.total - self.done) / rate)


def add(
    db: Connection,
    run_id: str,
    shop_id: int,
    kind: str,
    requested_by: str,
    now: Instant,
    *,
    checkpoint: Mapping[str, Any] | None = None,
) -> None:
    """Write a queued run down; raises AlreadyRunning when one of its kind is active in the shop.

    `checkpoint` is what the run must know from its beginning, such as `{"dry_run": True}`.
    """
    values = {"id": run_id, "shop_id": shop_id, "kind": kind, "state": RunState.QUEUED.value, "attempt": 0}
    values |= {
        "requested_at": now,
        "requested_by": requested_by,
        "done": 0,
        "counts": {},
        "checkpoint": dict(checkpoint or {}),
    }
    try:
        with db.begin_nested():
            db.execute(insert(runs).values(**values))
    except IntegrityError:
        raise AlreadyRunning(
            f"A run of this kind ({kind}) is already queued, running or paused in this shop; `onewriter runs list` "
            "shows it, and `onewriter runs resume` lets a paused one go on."
        ) from None


def queue(
    db: Connection,
    enqueue: Callable[[Connection, str], None],
    run_id: str,
    shop_id: int,
    kind: str,
    requested_by: str,
    now: Instant,
) -> str | None:
    """Write a run down and hand it to the workers; its id, or None when one of its kind is active already."""
    try:
        add(db, run_id, shop_id, kind, requested_by, now)
    except AlreadyRunning:
        return None
    enqueue(db, run_id)
    return run_id


def get(db: Connection, run_id: str) -> Run:
    """The run of that id; raises UnknownRun."""
    row = db.execute(_BY_ID, {"id": run_id}).first()
    if row is None:
        raise UnknownRun("There is no such run; `onewriter runs list` shows those that there are.")
    return _run(row)


def cycle_of(system: str) -> str:
    """The kind of a cycle of that system: one at a time of each, and several systems at once."""
    return f"{CYCLE} {system}"


def undo_of(system: str) -> str:
    """The kind of a run that takes a cycle of that system back."""
    return f"{UNDO} {system}"


def audit_of(system: str) -> str:
    """The kind of an audit of that system."""
    return f"{AUDIT} {system}"


def file_of(system: str) -> str:
    """The kind of an import of a file that counts as that system."""
    return f"{FILE} {system}"


def family(kind: str) -> str:
    """What sort of run it is, whichever system it is of: `cycle` of `cycle crm`."""
    head, _, _name = kind.partition(" ")
    return head if head in (CYCLE, UNDO, AUDIT, FILE) else kind


def last_requested(db: Connection, shop_id: int, kind: str) -> Instant | None:
    """When a run of that kind was last asked for in the shop, whatever became of it."""
    asked = select(func.max(runs.c.requested_at)).where(runs.c.shop_id == shop_id, runs.c.kind == kind)
    return db.execute(asked).scalar()


def last_done(db: Connection, shop_id: int, kind: str) -> Instant | None:
    """When a run of that kind last ended in the shop without having failed."""
    well = runs.c.state.in_([RunState.DONE.value, RunState.PARTIAL.value])
    ended = select(func.max(runs.c.finished_at)).where(runs.c.shop_id == shop_id, runs.c.kind == kind, well)
    return db.execute(ended).scalar()


def is_active(db: Connection, shop_id: int, kind: str) -> bool:
    """True while a run of that kind is queued, running or paused in the shop."""
    theirs = (runs.c.shop_id == shop_id, runs.c.kind == kind, runs.c.state.not_in([each.value for each in RUN_OVER]))
    return db.execute(select(runs.c.id).where(*theirs).limit(1)).first() is not None


def is_importing(db: Connection, shop_id: int) -> bool:
    """True while an import of the shop has begun and not ended: what is missing then is no loss."""
    begun = [RunState.RUNNING.value, RunState.PAUSED.value]
    active = select(runs.c.id).where(runs.c.shop_id == shop_id, runs.c.kind == IMPORT, runs.c.state.in_(begun))
    return db.execute(active.limit(1)).first() is not None


def newest(db: Connection, most: int, behind: tuple[Instant, str] | None = None) -> list[Run]:
    """The newest runs, newest first; those behind the one that was asked for then and has that id."""
    listed = _LIST
    if behind is not None:
        then, run_id = behind
        listed = listed.where(or_(runs.c.requested_at < then, and_(runs.c.requested_at == then, runs.c.id < run_id)))
    return [_run(row) for row in db.execute(listed.limit(most))]


def last(db: Connection) -> Run:
    """The newest run; raises UnknownRun where there has been none."""
    found = newest(db, 1)
    if not found:
        raise UnknownRun("There is no run yet; `onewriter shop connect` queues the first.")
    return found[0]


def active(db: Connection, shop_id: int) -> list[Run]:
    """The runs of a shop that are not over, the newest first."""
    going = runs.c.state.not_in([state.value for state in RUN_OVER])
    return [_run(row) for row in db.execute(_LIST.where(runs.c.shop_id == shop_id, going))]


def begun(db: Connection, shop_id: int, kinds: Sequence[str], most: int) -> list[Run]:
    """The newest runs of these kinds that were begun in the shop, the oldest of them first."""
    theirs = select(runs).where(runs.c.shop_id == shop_id, runs.c.kind.in_(kinds), runs.c.started_at.is_not(None))
    rows = db.execute(theirs.order_by(runs.c.requested_at.desc(), runs.c.id.desc()).limit(most)).all()
    return [_run(row) for row in reversed(rows)]


def ended(db: Connection, shop_id: int, kinds: Sequence[str], most: int) -> list[Run]:
    """The newest runs of these kinds in the shop that are over, well or not, the newest first."""
    over = runs.c.state.in_([state.value for state in RUN_OVER])
    theirs = _LIST.where(runs.c.shop_id == shop_id, runs.c.kind.in_(kinds), over)
    return [_run(row) for row in db.execute(theirs.limit(most))]


def of_kinds(db: Connection, shop_id: int, kinds: Sequence[str], most: int) -> list[Run]:
    """The newest runs of these kinds in the shop, the newest first."""
    theirs = _LIST.where(runs.c.shop_id == shop_id, runs.c.kind.in_(kinds))
    return [_run(row) for row in db.execute(theirs.limit(most))]


def begin(db: Connection, run_id: str, now: Instant) -> Run:
    """Take the run over: from now on only this attempt may move it. Raises Superseded when it has ended."""
    taken = db.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.state.not_in([state.value for state in RUN_OVER]))
        .values(
            attempt=runs.c.attempt + 1,
            state=RunState.RUNNING.value,
            started_at=func.coalesce(runs.c.started_at, now),
            reason=None,
        )
    )
    if taken.rowcount != 1:
        raise Superseded("That run has ended already.")
    return get(db, run_id)


def move(db: Connection, run: Run, now: Instant, **values: Any) -> None:
    """Change the run, if this attempt still holds it; raises Superseded otherwise."""
    moved = db.execute(
        update(runs).where(runs.c.id == run.id, runs.c.attempt == run.attempt).values(moved_at=now, **values)
    )
    if moved.rowcount != 1:
        raise Superseded("Another worker has taken this run over.")


def finish(db: Connection, run: Run, state: RunState, reason: str | None, now: Instant) -> None:
    """End the run. How far it had read is dropped, for there Shopify writes a customer's id into it."""
    checkpoint = {name: value for name, value in get(db, run.id).checkpoint.items() if name != FEED}
    move(db, run, now, state=state.value, reason=reason, finished_at=now, checkpoint=checkpoint)


def pause(db: Connection, run: Run, reason: str, now: Instant) -> None:
    """Stop the run where it stands until somebody resumes it: its checkpoint stays."""
    move(db, run, now, state=RunState.PAUSED.value, reason=reason)


def paused(db: Connection, shop_id: int | None = None) -> list[str]:
    """The ids of the paused runs, of one shop or of all."""
    wanted = select(runs.c.id).where(runs.c.state == RunState.PAUSED.value).order_by(runs.c.requested_at, runs.c.id)
    return list(db.execute(wanted if shop_id is None else wanted.where(runs.c.shop_id == shop_id)).scalars())


def gone_wrong(db: Connection, since: Instant) -> list[Run]:
    """The runs that failed since then, and those that are paused now, the oldest first."""
    # In two, and each in the very words of an index, so that every run there ever was is not read each minute.
    failed = select(runs).where(FAILED_RUN, runs.c.finished_at >= since)
    halted = select(runs).where(ACTIVE_RUN, runs.c.state == RunState.PAUSED.value)
    found = [_run(row) for query in (failed, halted) for row in db.execute(query)]
    return sorted(found, key=lambda run: (run.requested_at, run.id))


def resume(db: Connection, run_id: str, now: Instant) -> None:
    """Queue a paused run again; the caller hands it to the workers. Raises NotPaused if it is in another state."""
    resumed = db.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.state == RunState.PAUSED.value)
        .values(state=RunState.QUEUED.value, moved_at=now)
    )
    if resumed.rowcount != 1:
        raise NotPaused(f"That run is {get(db, run_id).state.value}, not paused; there is nothing to resume.")


def resume_paused(db: Connection, shop_id: int, now: Instant) -> list[str]:
    """Queue the paused runs of a shop again and return their ids; the caller hands them to the workers."""
    ids = paused(db, shop_id)
    for run_id in ids:
        resume(db, run_id, now)
    return ids


def stop_others(db: Connection, run: Run, reason: str, now: Instant) -> None:
    """End every other run of the shop that is not over; a worker that is at one changes nothing any more."""
    others = update(runs).where(runs.c.shop_id == run.shop_id, runs.c.id != run.id)
    others = others.where(runs.c.state.not_in([state.value for state in RUN_OVER]))
    values = {"state": RunState.FAILED.value, "reason": reason, "finished_at": now, "attempt": runs.c.attempt + 1}
    db.execute(others.values(**values, checkpoint={}))


def drop_uneventful(db: Connection, requested_by: str, before: Instant) -> int:
    """Drop the hourly runs of that requester that ended before then and found nothing; returns how many went."""
    found = select(findings.c.id).where(findings.c.run_id == runs.c.id)
    often = or_(runs.c.kind.in_(HOURLY), runs.c.kind.startswith(f"{CYCLE} "))
    theirs = (often, runs.c.requested_by == requested_by)
    ended = (*theirs, runs.c.state == RunState.DONE.value, runs.c.finished_at < before)
    return db.execute(delete(runs).where(*ended, ~found.exists())).rowcount


def _run(row: Row[Any]) -> Run:
    values = dict(row._mapping)
    return Run(**values | {"state": RunState(values["state"])})
