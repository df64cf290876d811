"""Refetch marks: customers that must be read again from Shopify, and why; and what all marks have in common.

A mark has a serial that moves each time it is set. A read remembers the serial it began with and clears the mark only
if it still stands there: whatever was heard while the read was under way is read again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Select,
    Table,
    Update,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from onewriter.customers.shops import CONNECTED
from onewriter.db.tables import refetch_marks as marks
from onewriter.db.tables import shops
from onewriter.records import SECOND, Instant

BACKOFF_MAX_S = 900
FAR: Instant = 3600 * SECOND
"""No mark is ever put off this far, so one that seems to be was set by a clock that has been put back since."""
HELD: Instant = 2**62
"""When a mark is due that waits for a person."""


# ---- What every table of marks has in common; `key` is the column that says what is marked --------------------------


def is_due(table: Table) -> ColumnElement[bool]:
    """The condition that a mark is due, of `now` and `far`."""
    return or_(table.c.due_at <= bindparam("now"), and_(table.c.due_at > bindparam("far"), table.c.due_at < HELD))


def shops_due_query(table: Table) -> Select[int]:
    """The connected shops with a mark that is due; of a disconnected one nothing can be read."""
    return (
        select(table.c.shop_id)
        .join(shops, shops.c.id == table.c.shop_id)
        .where(is_due(table), shops.c.state == CONNECTED)
        .distinct()
    )


def clear_query(table: Table, key: str) -> Delete:
    """Clears a mark, unless it was set again."""
    return delete(table).where(*_still_stands(table, key))


def put_off_query(table: Table, key: str) -> Update:
    """Makes a mark due later, unless it was set again. Of several workers that read it, only one uses a try up."""
    mine = (*_still_stands(table, key), table.c.tries == bindparam("b_tries"))
    return update(table).where(*mine).values(tries=table.c.tries + 1, due_at=bindparam("b_due_at"))


def _still_stands(table: Table, key: str) -> tuple[ColumnElement[bool], ...]:
    named = (table.c.shop_id == bindparam("b_shop_id"), table.c[key] == bindparam(f"b_{key}"))
    return (*named, table.c.serial == bindparam("b_serial"))


def due_again(tries: int, now: Instant) -> Instant:
    """When a mark that was tried so often before is due again."""
    return now + min(1 << tries, BACKOFF_MAX_S) * SECOND


# ---- Customers ------------------------------------------------------------------------------------------------------

_EXISTING = select(marks.c.shopify_id, marks.c.reasons, marks.c.serial).where(
    marks.c.shop_id == bindparam("shop_id"), marks.c.shopify_id.in_(bindparam("ids", expanding=True))
)
_STANDING = select(marks.c.shopify_id, marks.c.due_at).where(
    marks.c.shop_id == bindparam("shop_id"), marks.c.shopify_id.in_(bindparam("ids", expanding=True))
)
_SET_AGAIN = (
    update(marks)
    .where(marks.c.shop_id == bindparam("b_shop_id"), marks.c.shopify_id == bindparam("b_shopify_id"))
    .values(
        reasons=bindparam("b_reasons"), serial=marks.c.serial + 1, tries=0,
        # What waits for a person goes on waiting, whatever else is heard of it.
        due_at=case((marks.c.due_at == HELD, HELD), else_=bindparam("b_now")),
    )
)  # fmt: skip
_DUE = (
    select(marks.c.shopify_id, marks.c.serial, marks.c.tries, marks.c.reasons, marks.c.set_at)
    .where(marks.c.shop_id == bindparam("shop_id"), is_due(marks))
    .order_by(marks.c.due_at)
    .limit(bindparam("most"))
)
_SHOPS_DUE = shops_due_query(marks)
_CLEAR = clear_query(marks, "shopify_id")
_PUT_OFF = put_off_query(marks, "shopify_id")
_COUNT = select(func.count()).select_from(marks).where(marks.c.shop_id == bindparam("shop_id"))


@dataclass(frozen=True, slots=True)
class Mark:
    """One customer that must be read again."""

    shopify_id: int
    serial: int
    tries: int
    reasons: frozenset[str]
    set_at: Instant
    """Since when it waits: setting it again does not move this."""


def set_marks(db: Connection, shop_id: int, wanted: Mapping[int, frozenset[str]], now: Instant) -> None:
    """Mark these customers, due at once. One that is marked already keeps its reasons and moves its serial."""
    if not wanted:
        return
    existing = db.execute(_EXISTING, {"shop_id": shop_id, "ids": list(wanted)}).all()
    again = [
        {
            "b_shop_id": shop_id,
            "b_shopify_id": row.shopify_id,
            "b_reasons": _join(wanted[row.shopify_id] | set(row.reasons.split())),
            "b_now": now,
        }
        for row in existing
    ]
    if again:
        db.execute(_SET_AGAIN, again)
    known = {row.shopify_id for row in existing}
    fresh = [
        {"shop_id": shop_id, "shopify_id": shopify_id, "reasons": _join(reasons), "serial": 1, "tries": 0}
        | {"set_at": now, "due_at": now}
        for shopify_id, reasons in sorted(wanted.items())
        if shopify_id not in known
    ]
    if fresh:
        db.execute(insert(marks), fresh)


def shops_due(db: Connection, now: Instant) -> list[int]:
    """The connected shops that have a mark due; of a disconnected one nothing can be read."""
    return list(db.execute(_SHOPS_DUE, {"now": now, "far": now + FAR}).scalars())


def due(db: Connection, shop_id: int, now: Instant, most: int) -> list[Mark]:
    """The marks that are due, the longest waiting first."""
    rows = db.execute(_DUE, {"shop_id": shop_id, "now": now, "far": now + FAR, "most": most})
    return [Mark(row.shopify_id, row.serial, row.tries, frozenset(row.reasons.split()), row.set_at) for row in rows]


def standing(db: Connection, shop_id: int, shopify_ids: Sequence[int]) -> dict[int, bool]:
    """Which of these customers are marked; True for those that are held back for a person."""
    if not shopify_ids:
        return {}
    rows = db.execute(_STANDING, {"shop_id": shop_id, "ids": list(shopify_ids)})
    return {row.shopify_id: row.due_at == HELD for row in rows}


def clear(db: Connection, shop_id: int, settled: Sequence[Mark]) -> None:
    """Clear marks that a read has settled, unless they were set again since it began."""
    if settled:
        db.execute(_CLEAR, [_name(shop_id, mark) for mark in settled])


def put_off(db: Connection, shop_id: int, unsettled: Sequence[Mark], now: Instant) -> None:
    """Ask these again later, each time after a longer wait."""
    rows = [
        _name(shop_id, mark) | {"b_tries": mark.tries, "b_due_at": due_again(mark.tries, now)} for mark in unsettled
    ]
    if rows:
        db.execute(_PUT_OFF, rows)


def hold(db: Connection, shop_id: int, shopify_ids: Sequence[int], reason: str, now: Instant) -> None:
    """Mark these customers, but read none of them before a person says so; one that is marked already is left alone."""
    marked = set(db.execute(_EXISTING, {"shop_id": shop_id, "ids": list(shopify_ids)}).scalars())
    fresh = [
        {"shop_id": shop_id, "shopify_id": shopify_id, "reasons": reason, "serial": 1, "tries": 0}
        | {"set_at": now, "due_at": HELD}
        for shopify_id in sorted(set(shopify_ids) - marked)
    ]
    if fresh:
        db.execute(insert(marks), fresh)


def release(db: Connection, shop_id: int, now: Instant) -> int:
    """Read now what was held back; returns how many customers that are."""
    held = update(marks).where(marks.c.shop_id == shop_id, marks.c.due_at == HELD)
    return db.execute(held.values(due_at=now)).rowcount


def release_one(db: Connection, shop_id: int, shopify_id: int, now: Instant) -> None:
    """Read this customer now although it was held back: a person asked for it by name."""
    held = update(marks).where(marks.c.shop_id == shop_id, marks.c.shopify_id == shopify_id, marks.c.due_at == HELD)
    db.execute(held.values(due_at=now))


def drop_held(db: Connection, shop_id: int) -> int:
    """Forget what was held back; returns how many customers that are."""
    return db.execute(delete(marks).where(marks.c.shop_id == shop_id, marks.c.due_at == HELD)).rowcount


def count(db: Connection, shop_id: int) -> int:
    """How many customers of the shop are waiting to be read again."""
    waiting: int = db.execute(_COUNT, {"shop_id": shop_id}).scalar_one()
    return waiting


def _name(shop_id: int, mark: Mark) -> dict[str, int]:
    return {"b_shop_id": shop_id, "b_shopify_id": mark.shopify_id, "b_serial": mark.serial}


def _join(reasons: frozenset[str] | set[str]) -> str:
    return " ".join(sorted(reasons))
