"""When each field of a customer was last in step with each system (requirement M40).

What is in step costs nothing to say: a system's last complete cycle said it of all its records at once. Only records
with fields that are not in step say so themselves, with the time when each of these last was.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from onewriter.customers import policies
from onewriter.db.bulk import in_chunks
from onewriter.db.systemtables import systems
from onewriter.db.tables import sides
from onewriter.records import SHOPIFY, Instant
from onewriter.rules.policy import Direction

_OF_CUSTOMER = (
    select(sides.c.system, sides.c.clean_at, sides.c.unclean, sides.c.heard_at, systems.c.cycle_at)
    .outerjoin(systems, (systems.c.shop_id == sides.c.shop_id) & (systems.c.name == sides.c.system))
    .where(sides.c.customer_id == bindparam("customer_id"), sides.c.gone_at.is_(None))
    .order_by(sides.c.system, sides.c.record_id)
)
_THESE = select(sides.c.record_id, sides.c.clean_at, sides.c.unclean).where(
    sides.c.shop_id == bindparam("shop_id"),
    sides.c.system == bindparam("system"),
    sides.c.record_id.in_(bindparam("names", expanding=True)),
)
_CYCLE_AT = select(systems.c.cycle_at).where(
    systems.c.shop_id == bindparam("shop_id"), systems.c.name == bindparam("system")
)
_WRITE = (
    update(sides)
    .where(
        sides.c.shop_id == bindparam("b_shop"),
        sides.c.system == bindparam("b_system"),
        sides.c.record_id == bindparam("b_name"),
    )
    .values(clean_at=bindparam("b_at"), unclean=bindparam("b_unclean"))
)


def last_clean(db: Connection, shop_id: int, customer_id: bytes) -> dict[tuple[str, str], Instant | None]:
    """When each mapped field was last in step with each system that has a record of the customer; None is never.

    Of a customer with several records in one system the one that is least in step is told.
    """
    policy = policies.of_shop(db, shop_id)
    found: dict[tuple[str, str], Instant | None] = {}
    for row in db.execute(_OF_CUSTOMER, {"customer_id": customer_id}):
        # Of the fields that it owns Shopify is taken at its word at once, whoever was in step before.
        heard = row.heard_at if row.system == SHOPIFY else None
        whole = max(filter(None, (row.clean_at, row.cycle_at, heard)), default=None)
        unclean: Mapping[str, Instant | None] = row.unclean or {}
        for name, each in policy.maps(row.system).items():
            if policy.owner_of(name) is None or (each.direction is Direction.NONE and name not in unclean):
                continue
            at = unclean.get(name) if name in unclean else whole
            place = (row.system, name)
            found[place] = at if place not in found else _earlier(found[place], at)
    return found


def note(
    db: Connection,
    shop_id: int,
    system: str,
    seen: Mapping[str, Collection[str]],
    now: Instant,
    *,
    fresh: Collection[str] = (),
) -> int:
    """Write down which fields of these records (by name) are not in step; returns how many rows that changed.

    A row of which the same fields were out of step before is left alone: its whole time is the system's last cycle's.
    Of the `fresh` ones nothing can have been in step before.
    """
    named = {"shop_id": shop_id, "system": system}
    cycle_at = db.execute(_CYCLE_AT, named).scalar() if seen else None
    rows: list[dict[str, Any]] = []
    for some in in_chunks(list(seen)):
        for row in db.execute(_THESE, {**named, "names": list(some)}):
            before: Mapping[str, Instant | None] = row.unclean or {}
            after = set(seen[row.record_id])
            if before.keys() == after and (after or row.clean_at is not None):
                continue
            known = () if row.record_id in fresh else (row.clean_at, cycle_at)
            last = max(filter(None, known), default=None)
            unclean = {name: before.get(name, last) for name in sorted(after)} or None
            rows.append({"b_shop": shop_id, "b_system": system, "b_name": row.record_id, "b_unclean": unclean})
    if rows:
        db.execute(_WRITE, [row | {"b_at": now} for row in rows])
    return len(rows)


def _earlier(one: Instant | None, other: Instant | None) -> Instant | None:
    return None if one is None or other is None else min(one, other)
