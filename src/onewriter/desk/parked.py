"""Parked values: what had nowhere to go, with its age; released to where it belongs, or given up."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NotRequired

from typing_extensions import TypedDict

from onewriter.customers import find, parked
from onewriter.customers.parked import NotParked, Parked
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk import paging
from onewriter.desk.caller import About, Caller, reason
from onewriter.desk.choosing import choose_shop
from onewriter.errors import BadInput
from onewriter.intake import releasing
from onewriter.records import DAY, HOUR, Instant, dated, id_text, iso
from onewriter.rules.masking import mask

RELEASE, DROP = "release parked", "drop parked"


class ParkedDocument(TypedDict):
    """A parked value, masked unless it was revealed."""

    id: str
    shop: str
    customer: str
    system: str
    direction: str
    field: str
    value: Any
    reason: str
    parked_at: str | None
    age: str
    run: str | None
    ended_at: str | None
    outcome: str | None
    ended_by: str | None


class ParkedPage(TypedDict):
    """A page of parked values, the oldest first."""

    items: list[ParkedDocument]
    next: str | None


class Decided(TypedDict):
    """What became of a parked value, and where it goes if it was released."""

    id: str
    outcome: str
    told: NotRequired[str]


# ---- Looking --------------------------------------------------------------------------------------------------------


def documents(caller: Caller, shop: Shop, found: Sequence[Parked], *, reveal: bool) -> list[ParkedDocument]:
    """Parked values, masked unless revealing them was permitted before."""
    values, moment = parked.values(caller.runtime.vault(shop.id), found), caller.now
    return [
        {
            "id": id_text(one.id),
            "shop": shop.domain,
            "customer": id_text(one.customer_id),
            "system": one.system,
            "direction": one.direction,
            "field": one.field,
            "value": dated(values[one.id]) if reveal else mask(one.field, values[one.id]),
            "reason": one.reason,
            "parked_at": iso(one.parked_at),
            "age": age((one.ended_at or moment) - one.parked_at),
            "run": one.run_id,
            "ended_at": iso(one.ended_at),
            "outcome": one.outcome,
            "ended_by": one.ended_by,
        }
        for one in found
        if one.id in values
    ]


def age(span: Instant) -> str:
    """How long something has waited, as people say it."""
    if span >= 2 * DAY:
        return f"{span // DAY} days"
    if span >= 2 * HOUR:
        return f"{span // HOUR} hours"
    minutes = max(span, 0) // (HOUR // 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the parked values."""

    system: str | None = None
    field: str | None = None
    customer: str | None = None
    """An id, an email address or a phone number."""
    ended: bool = False
    """Those too that were released, dropped, replaced or settled."""


def listed(
    caller: Caller, named: str | None, wanted: Wanted, cursor: str | None, limit: int, why: str | None = None
) -> ParkedPage:
    """A page of what is parked, the oldest first; in clear for a reason, which is in the access log by then."""
    runtime = caller.runtime
    keys = paging.behind(cursor, str)
    after = None if keys is None else id_of(keys[0])
    with runtime.database.read() as db:
        caller.require(db, Role.VIEWER if why is None else Role.STAFF)
        shop = choose_shop(db, named)
        whose = None if wanted.customer is None else find.show(db, runtime.vault(shop.id), wanted.customer).id
        found = parked.listed(
            db, shop.id, limit + 1, system=wanted.system, field=wanted.field, customer_id=whose, ended=wanted.ended,
            after=after,
        )  # fmt: skip
    kept, following = paging.page(found, limit, lambda one: (id_text(one.id),))
    if why is not None and kept:
        caller.permit_reveal(shop, _about(kept), reason(why))
    return {"items": documents(caller, shop, kept, reveal=why is not None), "next": following}


def _about(found: Sequence[Parked]) -> list[About]:
    fields: dict[bytes, list[str]] = {}
    for one in found:
        fields.setdefault(one.customer_id, []).append(one.field)
    return [About(customer, fields=sorted(set(names))) for customer, names in fields.items()]


def shown(caller: Caller, named: str | None, identity: str) -> ParkedDocument:
    """One parked value that waits for a person, masked; raises NotParked for one that has ended."""
    shop, one = _one(caller, named, identity, Role.VIEWER)
    found = documents(caller, shop, [one], reveal=False)
    if not found:
        raise NotParked("Its customer was erased, and the value with them; `onewriter parked list` shows what is left.")
    return found[0]


# ---- Deciding -------------------------------------------------------------------------------------------------------


def release(caller: Caller, named: str | None, identity: str, why: str) -> Decided:
    """Send a parked value on after all: to the owner of its field, or again to the system that could not take it."""
    said = reason(why)
    shop, one = _one(caller, named, identity)
    caller.permit(Role.STAFF, RELEASE, [About(one.customer_id, fields=[one.field])], shop_id=shop.id, why=said)
    runtime = caller.runtime
    keep_days = runtime.settings.number("log_values_keep_days")
    with runtime.database.write() as db:
        told = releasing.release(db, runtime.vault(shop.id), one.id, caller.who, caller.now, keep_days=keep_days)
    return {"id": id_text(one.id), "outcome": parked.RELEASED, "told": told}


def drop(caller: Caller, named: str | None, identity: str, why: str) -> Decided:
    """Give a parked value up: it goes nowhere, and its line in the list says so."""
    said = reason(why)
    shop, one = _one(caller, named, identity)
    caller.permit(Role.STAFF, DROP, [About(one.customer_id, fields=[one.field])], shop_id=shop.id, why=said)
    with caller.runtime.database.write() as db:
        parked.get(db, shop.id, one.id)
        parked.end_one(db, one.id, parked.DROPPED, caller.who, caller.now)
    return {"id": id_text(one.id), "outcome": parked.DROPPED}


def _one(caller: Caller, named: str | None, identity: str, role: Role = Role.STAFF) -> tuple[Shop, Parked]:
    wanted = id_of(identity)
    with caller.runtime.database.read() as db:
        caller.require(db, role)
        shop = choose_shop(db, named)
        return shop, parked.get(db, shop.id, wanted)


def id_of(identity: str) -> bytes:
    """The id of a parked value as it was typed."""
    try:
        return uuid.UUID(identity.strip()).bytes
    except ValueError:
        raise BadInput("ID is one that `onewriter parked list` shows.", "id") from None
