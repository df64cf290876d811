"""Parked values: what had nowhere to go, with its age; released to where it belongs, or given up."""

import uuid
from collections.abc import Sequence
from typing import Any

from onewriter.customers import parked
from onewriter.customers.parked import Parked
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk.caller import About, Caller
from onewriter.desk.choosing import choose_shop
from onewriter.errors import BadInput
from onewriter.intake import releasing
from onewriter.records import DAY, HOUR, Instant, dated, id_text, iso
from onewriter.rules.masking import mask

RELEASE, DROP = "release parked", "drop parked"

Document = dict[str, Any]


def documents(caller: Caller, shop: Shop, found: Sequence[Parked], *, reveal: bool) -> list[Document]:
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
    return f"{span // HOUR} hours" if span >= 2 * HOUR else f"{max(span, 0) // (HOUR // 60)} minutes"


def listed(
    caller: Caller, named: str | None, limit: int, *, system: str | None = None, field: str | None = None
) -> list[Document]:
    """What is parked, the oldest first, masked."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        found = parked.listed(db, shop.id, limit, system=system, field=field)
    return documents(caller, shop, found, reveal=False)


def release(caller: Caller, named: str | None, identity: str, why: str) -> Document:
    """Send a parked value on after all: to the owner of its field, or again to the system that could not take it."""
    shop, one = _one(caller, named, identity)
    caller.permit(Role.STAFF, RELEASE, [About(one.customer_id, fields=[one.field])], shop_id=shop.id, why=why)
    runtime = caller.runtime
    keep_days = runtime.settings.number("log_values_keep_days")
    with runtime.database.write() as db:
        told = releasing.release(db, runtime.vault(shop.id), one.id, caller.who, caller.now, keep_days=keep_days)
    return {"id": id_text(one.id), "outcome": parked.RELEASED, "told": told}


def drop(caller: Caller, named: str | None, identity: str, why: str) -> Document:
    """Give a parked value up: it goes nowhere, and its line in the list says so."""
    shop, one = _one(caller, named, identity)
    caller.permit(Role.STAFF, DROP, [About(one.customer_id, fields=[one.field])], shop_id=shop.id, why=why)
    with caller.runtime.database.write() as db:
        parked.get(db, shop.id, one.id)
        parked.end_one(db, one.id, parked.DROPPED, caller.who, caller.now)
    return {"id": id_text(one.id), "outcome": parked.DROPPED}


def _one(caller: Caller, named: str | None, identity: str) -> tuple[Shop, Parked]:
    wanted = id_of(identity)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
        return shop, parked.get(db, shop.id, wanted)


def id_of(identity: str) -> bytes:
    """The id of a parked value as it was typed."""
    try:
        return uuid.UUID(identity.strip()).bytes
    except ValueError:
        raise BadInput("ID is one that `onewriter parked list` shows.", "id") from None
