"""Whether all is well with a shop, and what to look at first."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.audit import cases
from onewriter.audit.settle import ILLS
from onewriter.customers import inbox, questions, requests, runs, systems, workers
from onewriter.customers.people import Role
from onewriter.customers.runs import IMPORT, RECONCILE, Run
from onewriter.customers.shops import CONNECTED, Shop
from onewriter.customers.systems import PAUSED, System
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import choose_shop
from onewriter.desk.runs import RunDocument, live, run_document
from onewriter.records import Instant, RunState, iso
from onewriter.rules.diagnosis.judgement import FixTarget

CASES_MAX = 5
LOOK_BACK = 60
"""Runs that are looked through for the newest that says something."""
STALE_S = 300
"""A delivery that waits longer than this is told as late."""


class Overview(TypedDict):
    """Whether all is well: what runs, what waits, what is wrong, and when all was last seen to be in step."""

    shop: str
    state: str
    faults: list[str]
    customers: int | None
    worker_lives: bool
    live: list[RunDocument]
    waiting: int
    parked: int
    oldest_s: float
    questions: int
    requests: dict[str, int]
    open_cases: dict[str, int]
    first_cases: list[dict[str, Any]]
    last_reconcile: RunDocument | None
    last_clean_reconcile: str | None
    systems: list[dict[str, Any]]


def overview(caller: Caller, named: str | None) -> Overview:
    """The overview of a shop. It counts nothing that grows with the number of customers."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        return _overview(caller, db, choose_shop(db, named))


def _overview(caller: Caller, db: Connection, shop: Shop) -> Overview:
    now = caller.now
    waits, alive = inbox.open_counts(db), _worker_lives(caller, db, now)
    oldest_s = inbox.backlog_s(db, now)
    counted = requests.open_count(db, now)
    reconciled = runs.ended(db, shop.id, (RECONCILE,), 1)
    opened = cases.listed(db, shop.id, CASES_MAX)
    by_target = cases.count_open(db, shop.id)
    known = systems.every(db, shop.id)
    return {
        "shop": shop.domain,
        "state": shop.state,
        "faults": _faults(shop, alive, oldest_s, known),
        "customers": _customers(db, shop.id),
        "worker_lives": alive,
        "live": live(db, shop.id, shop.domain, now),
        "waiting": waits.get(inbox.WAITING, 0),
        "parked": waits.get(inbox.PARKED, 0),
        "oldest_s": oldest_s,
        "questions": questions.count(db),
        "requests": {"open": counted.open, "soon": counted.soon, "overdue": counted.overdue},
        "open_cases": {each.value: by_target.get(each.value, 0) for each in FixTarget},
        "first_cases": [
            {"number": each.number, "field": each.field, "system": each.system, "first_move": each.told["first_move"]}
            for each in opened
        ],
        "last_reconcile": run_document(reconciled[0], shop.domain, now) if reconciled else None,
        "last_clean_reconcile": _last_clean(db, shop.id),
        "systems": [{"name": each.name, "kind": each.kind, "state": each.state} for each in known],
    }


def _worker_lives(caller: Caller, db: Connection, now: Instant) -> bool:
    return workers.any_alive(db, now, caller.runtime.settings.number("worker_dead_s"))


def _customers(db: Connection, shop_id: int) -> int | None:
    """How many the shop had when all of them were last read; to count them now would walk through all."""
    for run in _ended(db, shop_id, (IMPORT, RECONCILE)):
        told = run.counts.get("active", run.total)
        if told is not None:
            return told
    return None


def _last_clean(db: Connection, shop_id: int) -> str | None:
    """When all customers were last read and none of them differed."""
    for run in _ended(db, shop_id, (RECONCILE,)):
        if run.state is RunState.DONE and not any(run.counts.get(ill) for ill in ILLS):
            return iso(run.finished_at)
    return None


def _ended(db: Connection, shop_id: int, kinds: Sequence[str]) -> Iterator[Run]:
    """The runs of these kinds that are over, the newest first; nearly always that one is all that is wanted."""
    yield from runs.ended(db, shop_id, kinds, 1)
    yield from runs.ended(db, shop_id, kinds, LOOK_BACK)[1:]


def _faults(shop: Shop, alive: bool, oldest_s: float, known: Sequence[System]) -> list[str]:
    """What keeps the shop from being kept in step, each with what to do."""
    found = []
    if shop.state != CONNECTED:
        found.append(f"{shop.domain} is {shop.state}; `onewriter shop connect {shop.domain}` connects it.")
    if not alive:
        found.append("No worker is running, so nothing is read or applied; start `onewriter serve`.")
    elif oldest_s > STALE_S:
        found.append(f"The oldest delivery has waited {oldest_s:,.0f} seconds; look at the inbox.")
    found += [
        f"{each.name} is paused: nothing is read from it or written to it." for each in known if each.state == PAUSED
    ]
    found += [f"{each.name} is in trouble: {each.trouble}" for each in known if each.trouble is not None]
    return found
