"""Seeing whether the fix of a case has held: looking, naming whose edit is awaited, and running what is awaited now."""

from onewriter.audit import cases, proofs
from onewriter.audit.cases import Case, NotPossible
from onewriter.customers import find, runs, systems
from onewriter.customers.people import Role
from onewriter.customers.runs import AlreadyRunning
from onewriter.customers.shops import Shop
from onewriter.desk.caller import About, Caller
from onewriter.errors import BadInput
from onewriter.records import SHOPIFY
from onewriter.workflows import cycling, proving, reconciling
from onewriter.workflows.proving import Standing

VERIFY = "verify case"


def look(caller: Caller, shop: Shop, case: Case, *, canary: str | None = None, excused: str | None = None) -> Standing:
    """Look at the proof now. `canary` is the customer whose edit is awaited; of `excused` no cycle is."""
    runtime = caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.STAFF)
    if case.fixed_at is None and case.state.value not in cases.SETTLED:
        raise NotPossible(
            f"Nothing was done about case {case.number} yet; `onewriter cases show {case.number}` tells the first move."
        )
    _write_down(caller, shop, case, canary, excused)
    return proving.look(runtime, shop.id, case.number)


def _write_down(caller: Caller, shop: Shop, case: Case, canary: str | None, excused: str | None) -> None:
    """Who is to be edited, and who is not waited for."""
    if canary is None and excused is None:
        return
    database = caller.runtime.database
    with database.read() as db:
        whose = None if canary is None else find.show(db, caller.runtime.vault(shop.id), canary).id
        own = cases.people_of(db, shop.id, case.number, 2)
        if excused is not None:
            systems.get(db, shop.id, excused)
    if excused == SHOPIFY:
        raise BadInput("Shopify is always awaited; `onewriter sync reconcile` reads it now.", "not_awaited")
    if whose is not None and own == [whose]:
        raise NotPossible("That is the one customer of the case; name a second one, whose edit shows that others hold.")
    caller.permit(Role.STAFF, VERIFY, [About(whose, f"case {case.number}")], shop_id=shop.id)
    with database.write() as db:
        if whose is not None:
            proofs.name_canary(db, shop.id, case.number, whose)
            told = "A customer was named to be edited."
            cases.note(db, shop.id, case.number, "canary", caller.who, told, caller.now)
        if excused is not None:
            fix = dict(case.fix or {})
            fix["excused"] = sorted({*fix.get("excused", ()), excused})
            cases.change(db, case, {"fix": fix})
            cases.note(db, shop.id, case.number, "excused", caller.who, f"{excused} is not awaited.", caller.now)


def queue_awaited(caller: Caller, shop: Shop, name: str) -> tuple[str, bool]:
    """Queue the full cycle of a system, or the shop's reconcile: its id, and False for one that was under way."""
    runtime = caller.runtime
    with runtime.database.write() as db:
        caller.require(db, Role.STAFF)
        try:
            if name == SHOPIFY:
                return reconciling.queue(runtime, db, shop.id, caller.who, caller.now), True
            # Everything is read: what is gone there is seen by nothing else.
            return cycling.queue(runtime, db, shop.id, name, caller.who, caller.now, full=True), True
        except AlreadyRunning:
            kind = runs.RECONCILE if name == SHOPIFY else runs.cycle_of(name)
            return next(each.id for each in runs.active(db, shop.id) if each.kind == kind), False
