"""Connected systems, as people and programs are shown them: how each stands, what waits for it, and what it may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import disconnecting, parked, pending, policies, questions, systems
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.customers.systems import ACTIVE, PAUSED, System
from onewriter.desk.caller import About, Caller, reason
from onewriter.desk.choosing import choose_shop
from onewriter.records import iso
from onewriter.rules.policy_check import PolicyProblem
from onewriter.workflows import asking

Document = dict[str, Any]
SYSTEM = "system"
PARKED_MAX = 10_000
"""Parked values that are counted."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is of a system beside its own row."""

    records: int
    pending: int
    parked: int
    waits: bool
    """Whether a question about it waits for an answer."""


def system_document(shop: Shop, system: System, standing: Standing) -> Document:
    """A system, with nothing of how it is reached."""
    return {
        "name": system.name,
        "shop": shop.domain,
        "kind": system.kind,
        "state": system.state,
        "records": standing.records,
        "pending": standing.pending,
        "parked": standing.parked,
        "question_waits": standing.waits,
        "creates": system.creates,
        "every_minutes": system.cycle_minutes,
        "full_hours": system.full_hours,
        "due_at": iso(system.due_at) if system.state == ACTIVE else None,
        "complete_at": iso(system.cycle_at),
        "full_at": iso(system.full_at),
        "retry_at": iso(system.retry_at),
        "trouble": system.trouble,
        "trouble_since": iso(system.trouble_since),
    }


def standing_of(db: Connection, system: System) -> Standing:
    """What there is of a system beside its own row."""
    rows = disconnecting.counted(db, system.shop_id, system.name)
    return Standing(
        records=rows["records"],
        pending=sum(pending.count(db, system.shop_id, system.name).values()),
        parked=len(parked.listed(db, system.shop_id, PARKED_MAX, system=system.name)),
        waits=any(
            each.subject == system.name
            for kind in (asking.FIRST_WRITES, asking.MASS_WRITES)
            for each in questions.waiting_of(db, system.shop_id, kind)
        ),
    )


def check_documents(found: Sequence[str], problems: Sequence[PolicyProblem]) -> Document:
    """What a check found: the system's own problems, and those of the policy that concern it."""
    return {
        "problems": list(found),
        "policy": [{"severity": each.severity, "field": each.field, "message": each.message} for each in problems],
    }


def whole_document(db: Connection, shop: Shop, system: System) -> Document:
    """A system with its mapping, what it told of its fields, and what is pending for it by field."""
    policy, name = policies.of_shop(db, shop.id), system.name
    return system_document(shop, system, standing_of(db, system)) | {
        "added_at": iso(system.added_at),
        "added_by": system.added_by,
        "agreed_version": system.agreed_version,
        "policy_version": policy.version,
        "allowed": dict(system.allowed),
        "pending_by_field": pending.count(db, shop.id, name),
        "mapping": [
            {
                "field": each,
                "remote": held.remote,
                "direction": held.direction.value,
                "owner": policy.owner_of(each),
            }
            for each, held in sorted(policy.maps(name).items())
        ],
        "fields": list((system.discovered or {}).get("fields", ())),
        "capabilities": (system.discovered or {}).get("capabilities"),
    }


# ---- Looking --------------------------------------------------------------------------------------------------------


def listed(caller: Caller, named: str | None) -> list[Document]:
    """The systems of a shop, Shopify among them."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        return [system_document(shop, each, standing_of(db, each)) for each in systems.every(db, shop.id)]


def shown(caller: Caller, named: str | None, name: str) -> Document:
    """One system whole."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        return whole_document(db, shop, systems.get(db, shop.id, name))


# ---- Doing ----------------------------------------------------------------------------------------------------------


def pause(caller: Caller, named: str | None, name: str, why: str) -> None:
    """Neither read a system nor write to it until it is resumed; what is to be written waits."""
    shop = _asked(caller, named, name, "pause", reason(why))
    with caller.runtime.database.write() as db:
        systems.change(db, shop.id, name, caller.now, state=PAUSED)


def resume(caller: Caller, named: str | None, name: str) -> None:
    """Let a paused system go on: its next cycle is due now, if it has a schedule."""
    shop = _asked(caller, named, name, "resume", None)
    moment = caller.now
    with caller.runtime.database.write() as db:
        due = None if systems.get(db, shop.id, name).cycle_minutes is None else moment
        systems.change(db, shop.id, name, moment, state=ACTIVE, due_at=due, retry_at=None)


def _asked(caller: Caller, named: str | None, name: str, what: str, why: str | None) -> Shop:
    """The shop of the system that is to be changed, once it is logged who changes it."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
        systems.get(db, shop.id, name)
    caller.permit(Role.STAFF, SYSTEM, [About(subject=f"system {name}: {what}")], shop_id=shop.id, why=why)
    return shop
