"""Cycles on demand: have a system read and written now, let a cycle change more than usual, or take one back."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import find, runs, systems
from onewriter.customers.people import Role
from onewriter.desk.caller import About, Caller, reason
from onewriter.desk.choosing import choose_shop, worker_lives
from onewriter.desk.runs import RunDocument, run_document
from onewriter.desk.systems import SYSTEM
from onewriter.errors import BadInput
from onewriter.records import RUN_OVER, SHOPIFY, RunState
from onewriter.rules.policy_check import is_known
from onewriter.workflows import cycling, undoing

VANISHED = "vanished"
WITHOUT_LIMIT = 1_000_000_000
"""How many values a person lets change who allows a field by its name alone; for one complete cycle."""


class Queued(TypedDict):
    """A run that was queued, and whether there is a worker who will take it up."""

    run: str
    state: str
    worker_lives: bool


def of_system(caller: Caller, named: str | None, name: str, limit: int) -> list[RunDocument]:
    """The cycles and audits of a system, and what was taken back, the newest first."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        systems.get(db, shop.id, name)
        kinds = (runs.cycle_of(name), runs.undo_of(name), runs.audit_of(name))
        return [run_document(each, shop.domain, caller.now) for each in runs.of_kinds(db, shop.id, kinds, limit)]


def queue(
    caller: Caller,
    named: str | None,
    name: str,
    *,
    dry: bool,
    full: bool = False,
    customer: str | None = None,
    allow: Sequence[str] = (),
    why: str = "",
) -> Queued:
    """Queue a cycle of a system, of one customer where one is named. With `dry` it says what it would write.

    With `allow` the next complete cycle may change however many values of these fields, or take it that records are
    gone: that is an owner's to say, and why, and it counts only where a cycle was queued.
    """
    runtime = caller.runtime
    if allow:
        _permit_many(caller, named, name, allow, why)

    def ask(db: Connection) -> str:
        shop = choose_shop(db, named, connected=True)
        systems.get(db, shop.id, name)
        only = None if customer is None else find.show(db, runtime.vault(shop.id), customer).id
        run_id = cycling.queue(runtime, db, shop.id, name, caller.who, caller.now, dry=dry, full=full, only=only)
        if allow:
            allowed = dict(systems.get(db, shop.id, name).allowed) | dict.fromkeys(allow, WITHOUT_LIMIT)
            systems.change(db, shop.id, name, caller.now, allowed=allowed)
        return run_id

    return _queued(caller, Role.STAFF, ask)


def undoable(kind: str, state: str) -> bool:
    """Whether such a run may be taken back: a cycle but for Shopify's own, or a file, once it is over."""
    return runs.family(kind) in undoing.KINDS and RunState(state) in RUN_OVER and kind != runs.cycle_of(SHOPIFY)


def undo(caller: Caller, run_id: str, why: str | None = None) -> Queued:
    """Queue a run that takes back what a cycle wrote, here and in the system, and pause the system."""
    said = None if why is None else reason(why)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.OWNER)
        undone = runs.get(db, run_id)
    about = [About(subject=f"run {run_id}: undo")]
    caller.permit(Role.OWNER, SYSTEM, about, shop_id=undone.shop_id, why=said)
    return _queued(caller, Role.OWNER, lambda db: undoing.queue(caller.runtime, db, run_id, caller.who, caller.now))


def _queued(caller: Caller, role: Role, ask: Callable[[Connection], str]) -> Queued:
    with caller.runtime.database.write() as db:
        caller.require(db, role)
        run_id = ask(db)
        return {"run": run_id, "state": "queued", "worker_lives": worker_lives(caller.runtime, db)}


def _permit_many(caller: Caller, named: str | None, name: str, fields: Sequence[str], why: str) -> None:
    said = reason(why)
    for field in fields:
        if field != VANISHED and not is_known(field):
            raise BadInput(f"{field!r} is no field; `onewriter fields show` lists the fields.", "allow")
    with caller.runtime.database.read() as db:
        caller.require(db, Role.OWNER)
        shop = choose_shop(db, named, connected=True)
        systems.get(db, shop.id, name)
    about = [About(subject=f"system {name}: allow {', '.join(fields)}")]
    caller.permit(Role.OWNER, SYSTEM, about, shop_id=shop.id, why=said)
