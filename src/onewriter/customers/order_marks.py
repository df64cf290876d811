"""Order marks: orders that must be read from Shopify, with what deliveries told of them in case they cannot be.

They work as the marks of customers do: a mark has a serial that moves each time it is set, and only a read that began
with the serial that still stands clears it. An order whose customer we do not know waits for that customer.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from onewriter.customers.marks import FAR, clear_query, due_again, is_due, put_off_query, shops_due_query
from onewriter.db.pointtables import order_marks as marks
from onewriter.records import Instant, Refund

_OF_SHOP = marks.c.shop_id == bindparam("shop_id")
_THESE = (_OF_SHOP, marks.c.order_id.in_(bindparam("ids", expanding=True)))
_STANDING = select(marks.c.order_id).where(*_THESE)
# Whoever told of the same order a moment ago has committed by now, and nobody adds to what was told while we do.
_LOCKED = select(marks.c.order_id, marks.c.serial, marks.c.told).where(*_THESE).order_by(marks.c.order_id)
_INSERTS = {
    dialect.name: module.insert(marks).on_conflict_do_nothing()
    for dialect, module in ((sqlite.dialect, sqlite), (postgresql.dialect, postgresql))
}
_SET_AGAIN = (
    update(marks)
    .where(marks.c.shop_id == bindparam("b_shop_id"), marks.c.order_id == bindparam("b_order_id"))
    .values(
        serial=marks.c.serial + 1, tries=0, due_at=bindparam("b_now"), told=bindparam("b_told", type_=marks.c.told.type)
    )
)
_DUE = (
    select(marks.c.order_id, marks.c.serial, marks.c.tries, marks.c.set_at, marks.c.told)
    .where(_OF_SHOP, is_due(marks))
    .order_by(marks.c.due_at)
    .limit(bindparam("most"))
)
_SHOPS_DUE = shops_due_query(marks)
_CLEAR = clear_query(marks, "order_id")
_PUT_OFF = put_off_query(marks, "order_id").values(waits_for=bindparam("b_waits_for"))
_ANY_WAITING = select(marks.c.order_id).where(_OF_SHOP, marks.c.waits_for.is_not(None)).limit(1)
_CAME = (
    update(marks)
    .where(
        marks.c.shop_id == bindparam("b_shop_id"),
        marks.c.waits_for.in_(bindparam("b_ids", expanding=True)),
        marks.c.due_at > bindparam("b_now"),
    )
    .values(due_at=bindparam("b_now"))
)


@dataclass(frozen=True, slots=True)
class Told:
    """What deliveries told of an order that may not be readable: its refunds, and when it was cancelled."""

    refunds: tuple[Refund, ...] = ()
    cancelled: Instant | None = None

    def __bool__(self) -> bool:
        return bool(self.refunds) or self.cancelled is not None

    def and_also(self, other: "Told") -> "Told":
        """Both together, each refund once. Of one refund, and of cancellations, the first in time stands."""
        ordered = sorted((*self.refunds, *other.refunds), key=lambda one: (one.at, one.amount), reverse=True)
        refunds = sorted({one.id: one for one in ordered}.values(), key=lambda one: (one.at, one.id))
        cancelled = [at for at in (self.cancelled, other.cancelled) if at is not None]
        return Told(tuple(refunds), min(cancelled, default=None))

    def as_json(self) -> dict[str, Any]:
        """What `loyalty` posts from, and a mark keeps."""
        refunds = [{"id": one.id, "amount": one.amount, "at": one.at} for one in self.refunds]
        return {"refunds": refunds, "cancelled": self.cancelled}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Told":
        """What a mark keeps."""
        return cls(tuple(Refund(**one) for one in kept.get("refunds", ())), kept.get("cancelled"))


@dataclass(frozen=True, slots=True)
class OrderMark:
    """One order that must be read."""

    order_id: int
    serial: int
    tries: int
    set_at: Instant
    """Since when it waits: setting it again does not move this."""
    told: Told


def set_marks(db: Connection, shop_id: int, wanted: Mapping[int, Told], now: Instant) -> None:
    """Mark these orders, due at once; what is told of one is added to what was told before, and its serial moves.

    Locks the marks until the transaction ends, in the order of their ids; customers are locked before that.
    """
    if not wanted:
        return
    fresh = [
        {"shop_id": shop_id, "order_id": order_id, "serial": 0, "tries": 0, "set_at": now, "due_at": now}
        | {"told": Told().as_json()}
        for order_id in sorted(wanted)
    ]
    db.execute(_INSERTS[db.dialect.name], fresh)
    known = db.execute(_LOCKED.with_for_update(), {"shop_id": shop_id, "ids": sorted(wanted)}).all()
    again = [
        {"b_shop_id": shop_id, "b_order_id": row.order_id, "b_now": now}
        | {"b_told": Told.of(row.told).and_also(wanted[row.order_id]).as_json()}
        for row in known
    ]
    db.execute(_SET_AGAIN, again)


def shops_due(db: Connection, now: Instant) -> list[int]:
    """The connected shops that have an order due."""
    return list(db.execute(_SHOPS_DUE, {"now": now, "far": now + FAR}).scalars())


def due(db: Connection, shop_id: int, now: Instant, most: int) -> list[OrderMark]:
    """The marks that are due, the longest waiting first."""
    rows = db.execute(_DUE, {"shop_id": shop_id, "now": now, "far": now + FAR, "most": most})
    return [OrderMark(row.order_id, row.serial, row.tries, row.set_at, Told.of(row.told)) for row in rows]


def standing(db: Connection, shop_id: int, order_ids: Collection[int]) -> set[int]:
    """Which of these orders are marked, due or not."""
    if not order_ids:
        return set()
    return set(db.execute(_STANDING, {"shop_id": shop_id, "ids": sorted(order_ids)}).scalars())


def still(db: Connection, shop_id: int, read: Sequence[OrderMark]) -> list[OrderMark]:
    """Those of these marks that stand as they were when they were read; locked until the transaction ends.

    Whoever else read the same order meanwhile, or was told of it again, knows it better.
    """
    wanted = {mark.order_id: mark for mark in read}
    rows = db.execute(_LOCKED.with_for_update(), {"shop_id": shop_id, "ids": sorted(wanted)}).all() if wanted else []
    return [wanted[row.order_id] for row in rows if row.serial == wanted[row.order_id].serial]


def clear(db: Connection, shop_id: int, settled: Sequence[OrderMark]) -> None:
    """Clear marks that a read has settled, unless they were set again since it began."""
    if settled:
        db.execute(_CLEAR, [_name(shop_id, mark) for mark in settled])


def put_off(db: Connection, shop_id: int, unsettled: Mapping[OrderMark, int | None], now: Instant) -> None:
    """Ask these again later, each time after a longer wait; one that waits for a customer, by the Shopify id, also
    once the customer has come.
    """
    rows = [
        _name(shop_id, mark) | {"b_tries": mark.tries, "b_due_at": due_again(mark.tries, now), "b_waits_for": waits_for}
        for mark, waits_for in unsettled.items()
    ]
    if rows:
        db.execute(_PUT_OFF, rows)


def customers_came(db: Connection, shop_id: int, shopify_ids: Sequence[int], now: Instant) -> None:
    """Read now the orders that wait for one of these customers. A shop where none waits is asked no more than that."""
    if shopify_ids and db.execute(_ANY_WAITING, {"shop_id": shop_id}).first() is not None:
        db.execute(_CAME, {"b_shop_id": shop_id, "b_ids": list(shopify_ids), "b_now": now})


def _name(shop_id: int, mark: OrderMark) -> dict[str, int | None]:
    return {"b_shop_id": shop_id, "b_order_id": mark.order_id, "b_serial": mark.serial}
