"""Runs, as people and programs are shown them: how far each is, what it found, and what came of it."""

from typing import Any

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import find, runs, shops
from onewriter.customers.people import Role
from onewriter.customers.runs import Run
from onewriter.desk import paging
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import worker_lives
from onewriter.desk.cycles import cycle_document, is_cycle
from onewriter.desk.findings import found_documents
from onewriter.desk.imported import import_document
from onewriter.intake.batch import ERASED
from onewriter.records import Instant, SizeClass, iso

SIZES = {
    SizeClass.SMALL: "small shop (fewer than 1,000 customers)",
    SizeClass.MEDIUM: "medium shop (1,000 to 10,000 customers)",
    SizeClass.LARGE: "large shop (more than 10,000 customers)",
}


class RunDocument(TypedDict):
    """A run: how far it is, how fast, and how long it will take yet."""

    id: str
    shop: str
    kind: str
    state: str
    done: int
    total: int | None
    size_class: str | None
    rate_per_s: float
    eta_s: float | None
    attempt: int
    requested_at: str | None
    requested_by: str
    started_at: str | None
    moved_at: str | None
    finished_at: str | None
    reason: str | None
    counts: dict[str, int]


class RunPage(TypedDict):
    """A page of runs, the newest first."""

    items: list[RunDocument]
    next: str | None


class Resumed(TypedDict):
    """The runs that were queued again."""

    resumed: list[str]
    worker_lives: bool


def run_document(run: Run, domain: str, moment: Instant) -> RunDocument:
    """A run as one JSON document."""
    eta_s = run.eta_s(moment)
    return {
        "id": run.id,
        "shop": domain,
        "kind": run.kind,
        "state": run.state.value,
        "done": run.done,
        "total": run.total,
        "size_class": run.size.value if run.size else None,
        "rate_per_s": round(run.rate(moment), 1),
        "eta_s": None if eta_s is None else round(eta_s, 1),
        "attempt": run.attempt,
        "requested_at": iso(run.requested_at),
        "requested_by": run.requested_by,
        "started_at": iso(run.started_at),
        "moved_at": iso(run.moved_at),
        "finished_at": iso(run.finished_at),
        "reason": run.reason,
        "counts": dict(run.counts),
    }


# ---- Looking --------------------------------------------------------------------------------------------------------


def listed(caller: Caller, cursor: str | None, limit: int) -> RunPage:
    """A page of all runs, the newest first."""
    behind = paging.behind(cursor, int, str)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        found = runs.newest(db, limit + 1, None if behind is None else (behind[0], behind[1]))
        domains = {shop.id: shop.domain for shop in shops.every(db)}
    kept, following = paging.page(found, limit, lambda run: (run.requested_at, run.id))
    return {"items": [run_document(run, domains[run.shop_id], caller.now) for run in kept], "next": following}


def live(db: Connection, shop_id: int, domain: str, moment: Instant) -> list[RunDocument]:
    """The runs of a shop that are not over, the newest first."""
    return [run_document(run, domain, moment) for run in runs.active(db, shop_id)]


def short(caller: Caller, run_id: str) -> RunDocument:
    """How far one run is."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        run = runs.get(db, run_id)
        return run_document(run, shops.by_id(db, run.shop_id).domain, caller.now)


def show(caller: Caller, run_id: str | None) -> dict[str, Any]:
    """A run with what came of it: an import's account, a cycle's plan and writes, a reconcile's findings."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        return whole(db, runs.get(db, run_id) if run_id is not None else runs.last(db), caller.now)


def whole(db: Connection, run: Run, moment: Instant) -> dict[str, Any]:
    """A run with all that is told of its kind."""
    document: dict[str, Any] = dict(run_document(run, shops.by_id(db, run.shop_id).domain, moment))
    if run.kind == runs.IMPORT:
        return document | {"account": account(db, run, moment)}
    if runs.family(run.kind) == runs.FILE:
        document |= {"file": import_document(run)}
    cycle = {"cycle": cycle_document(run)} if is_cycle(run) else {}
    return document | cycle | {"findings": found_documents(db, run)}


def account(db: Connection, run: Run, moment: Instant) -> dict[str, Any]:
    """What an import must add up to; at its end where it is over, since the shop has moved on."""
    # The shop is counted when a worker begins, so that what happened in the queue is in that count already.
    since, until = run.started_at or run.requested_at, run.finished_at or moment
    counted = find.account(db, run.shop_id, since, until)
    # As it was when the run ended: who was erased since is not in our rows any more.
    then = {name: run.counts.get(name, number) for name, number in counted.items()}
    # Of who was erased Shopify may go on having a line, or have none any more.
    erased = max(then["erased_meanwhile"], run.counts.get(ERASED, 0))
    deleted = sorted(find.deleted_between(db, run.shop_id, since, until))
    at_start, at_end = run.counts.get("in_shop_at_start"), run.counts.get("active")
    difference = None
    if at_start is not None and at_end is not None:
        difference = at_end - (at_start + then["created_meanwhile"] - then["deleted_meanwhile"] - erased)
    return {
        "in_shop_at_start": at_start,
        "created_meanwhile": sorted(find.created_between(db, run.shop_id, since, until)),
        "deleted_meanwhile": deleted,
        "deleted_before_we_read_them": max(0, counted["deleted_meanwhile"] - len(deleted)),
        "erased": erased,
        "active_at_end": at_end,
        "active_now": counted["active"],
        "difference": difference,
    }


# ---- Doing ----------------------------------------------------------------------------------------------------------


def resume(caller: Caller, run_id: str | None) -> Resumed:
    """Queue a paused run again, or every paused run; it goes on from where it stood."""
    runtime = caller.runtime
    with runtime.database.write() as db:
        caller.require(db, Role.STAFF)
        ids = runs.paused(db) if run_id is None else [run_id]
        for one in ids:
            runs.resume(db, one, caller.now)
            runtime.enqueue(db, one)
        return {"resumed": list(ids), "worker_lives": worker_lives(runtime, db)}
