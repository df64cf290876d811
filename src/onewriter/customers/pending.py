"""Pending marks: this system must still be told of this field of this customer.

A mark is set in the transaction of the change and holds no value: whoever sends reads the owner's present value then,
so that nothing stale waits in a queue. A mark that was set again while a write was under way has a greater serial, and
that write does not clear it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from onewriter.db.bulk import in_chunks
from onewriter.db.tables import sides
from onewriter.db.webtables import metadata
from onewriter.records import Instant
from onewriter.vault.seal import bound_to

pending_marks = metadata.tables["pending_marks"]

ALL = "*"
"""The field of a mark that stands for every mapped field, of a customer without a record in that system."""
WAITING, SENT, AMBIGUOUS = "waiting", "sent", "ambiguous"

_THIS = (
    pending_marks.c.shop_id == bindparam("b_shop"),
    pending_marks.c.system == bindparam("b_system"),
    pending_marks.c.customer_id == bindparam("b_customer"),
    pending_marks.c.field == bindparam("b_field"),
    pending_marks.c.serial == bindparam("b_serial"),
)
_OF_SYSTEM = (
    select(pending_marks)
    .where(pending_marks.c.shop_id == bindparam("shop_id"), pending_marks.c.system == bindparam("system"))
    .order_by(pending_marks.c.customer_id, pending_marks.c.field)
)
_CLEAR = delete(pending_marks).where(*_THIS)
_MOVE = (
    update(pending_marks)
    .where(*_THIS)
    .values(state=bindparam("b_state"), tries=bindparam("b_tries"), due_at=bindparam("b_due"))
)


@dataclass(frozen=True, slots=True)
class Pending:
    """One mark."""

    customer_id: bytes
    field: str
    serial: int
    state: str
    tries: int
    due_at: Instant
    set_at: Instant
    set_by: str | None
    box: bytes | None
    run_id: str | None = None
    """The run that set it."""


def binding(shop_id: int, system: str, customer_id: bytes, field: str) -> bytes:
    """What the box of a mark is bound to: a mapping with the proposed value under the field's name."""
    return bound_to("pending_marks", shop_id, f"{system}|{customer_id.hex()}|{field}")


def mark(
    db: Connection,
    shop_id: int,
    wanted: Iterable[tuple[str, bytes, str]],
    now: Instant,
    *,
    run_id: str | None = None,
) -> None:
    """Mark fields of customers for systems: (system, customer, field). One that is marked already is marked anew."""
    rows = [
        {"shop_id": shop_id, "system": system, "customer_id": customer, "field": name, "set_at": now, "run_id": run_id}
        for system, customer, name in sorted(set(wanted))
    ]
    if not rows:
        return
    dialect = sqlite_insert if db.dialect.name == "sqlite" else postgres_insert
    add = dialect(pending_marks)
    again = {
        "serial": pending_marks.c.serial + 1, "set_at": add.excluded.set_at, "run_id": add.excluded.run_id,
        "state": WAITING, "tries": 0, "due_at": 0, "set_by": None, "box": None,
    }  # fmt: skip
    add = add.on_conflict_do_update(index_elements=["shop_id", "system", "customer_id", "field"], set_=again)
    for some in in_chunks(rows):
        db.execute(add, list(some))


def customers_due(db: Connection, shop_id: int, system: str, now: Instant, *, after: bytes, most: int) -> list[bytes]:
    """The customers behind that one of whom a system is to be told something by now, in order."""
    this = (pending_marks.c.shop_id == shop_id, pending_marks.c.system == system)
    due = select(pending_marks.c.customer_id).distinct().where(*this, pending_marks.c.due_at <= now)
    due = due.where(pending_marks.c.customer_id > after).order_by(pending_marks.c.customer_id).limit(most)
    return [bytes(each) for each in db.execute(due).scalars()]


def of_customers(db: Connection, shop_id: int, system: str, ids: Sequence[bytes]) -> list[Pending]:
    """The marks of these customers for a system."""
    found = []
    for some in in_chunks(ids):
        wanted = _OF_SYSTEM.where(pending_marks.c.customer_id.in_(list(some)))
        found += [_pending(row) for row in db.execute(wanted, {"shop_id": shop_id, "system": system})]
    return found


def has_any(db: Connection, shop_id: int, system: str, now: Instant) -> bool:
    """True if a system is to be told of anything by now."""
    this = (pending_marks.c.shop_id == shop_id, pending_marks.c.system == system, pending_marks.c.due_at <= now)
    return db.execute(select(pending_marks.c.serial).where(*this).limit(1)).first() is not None


def left(db: Connection, shop_id: int, system: str, before: Instant) -> int:
    """How many marks a system has that were set before then."""
    this = (pending_marks.c.shop_id == shop_id, pending_marks.c.system == system, pending_marks.c.set_at < before)
    return db.execute(select(func.count()).select_from(pending_marks).where(*this)).scalar_one()


def put_off(db: Connection, shop_id: int, system: str, before: Instant, due_at: Instant) -> None:
    """Leave what was set before then until that time; what is set anew is due at once all the same."""
    this = (pending_marks.c.shop_id == shop_id, pending_marks.c.system == system, pending_marks.c.set_at < before)
    db.execute(update(pending_marks).where(*this, pending_marks.c.due_at < due_at).values(due_at=due_at))


def count(db: Connection, shop_id: int, system: str) -> dict[str, int]:
    """How many marks a system has, by field."""
    wanted = (
        select(pending_marks.c.field, func.count())
        .where(pending_marks.c.shop_id == shop_id, pending_marks.c.system == system)
        .group_by(pending_marks.c.field)
    )
    return {row[0]: row[1] for row in db.execute(wanted)}


def clear(db: Connection, shop_id: int, system: str, done: Sequence[Pending]) -> None:
    """Clear marks, but those that were set again since they were read."""
    if done:
        db.execute(_CLEAR, [_name(shop_id, system, each) for each in done])


def move(
    db: Connection, shop_id: int, system: str, held: Sequence[Pending], state: str, due_at: Instant, *, tried: bool
) -> None:
    """Put marks into a state and put them off until then, but those that were set again since they were read."""
    if held:
        moved = {"b_state": state, "b_due": due_at}
        db.execute(
            _MOVE, [_name(shop_id, system, each) | moved | {"b_tries": each.tries + int(tried)} for each in held]
        )


def forget(db: Connection, shop_id: int, systems: Iterable[str], customer_ids: Sequence[bytes]) -> None:
    """Forget every mark of these customers for these systems: nothing is sent of who is hidden."""
    for name in systems if customer_ids else ():
        theirs = (pending_marks.c.shop_id == shop_id, pending_marks.c.system == name)
        for some in in_chunks(customer_ids):
            db.execute(delete(pending_marks).where(*theirs, pending_marks.c.customer_id.in_(list(some))))


def _name(shop_id: int, system: str, one: Pending) -> dict[str, Any]:
    row = {"b_shop": shop_id, "b_system": system, "b_customer": one.customer_id}
    return row | {"b_field": one.field, "b_serial": one.serial}


def _pending(row: Row[Any]) -> Pending:
    box = None if row.box is None else bytes(row.box)
    head = (bytes(row.customer_id), row.field, row.serial, row.state, row.tries, row.due_at, row.set_at)
    return Pending(*head, row.set_by, box, row.run_id)


def whole_of_linked(db: Connection, shop_id: int, system: str) -> int:
    """How many customers are marked as a whole who have a record in the system by now."""
    has = select(sides.c.customer_id).where(
        sides.c.shop_id == shop_id, sides.c.system == system, sides.c.customer_id == pending_marks.c.customer_id
    )
    this = (pending_marks.c.shop_id == shop_id, pending_marks.c.system == system, pending_marks.c.field == ALL)
    return db.execute(select(func.count()).select_from(pending_marks).where(*this, has.exists())).scalar_one()


def marked_whole(shop_id: int, system: str) -> Select[Any]:
    """The customers who are to get a record in a system already, as a query."""
    this = (pending_marks.c.shop_id == shop_id, pending_marks.c.system == system, pending_marks.c.field == ALL)
    return select(pending_marks.c.customer_id).where(*this)
