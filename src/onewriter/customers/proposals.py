"""Proposals: values that a person gives for a field that a system owns, on their way to that system.

A proposal is a pending mark with a value of its own, sealed under the customer's key. It is not the customer's value:
it becomes that once the owner says so itself.
"""

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from onewriter.customers.pending import WAITING, binding, pending_marks
from onewriter.records import Instant, Value
from onewriter.vault.seal import SubjectKey


def propose(
    db: Connection,
    shop_id: int,
    system: str,
    customer_id: bytes,
    key: SubjectKey,
    field: str,
    value: Value,
    by: str,
    now: Instant,
) -> None:
    """Propose a value to the system that owns the field; an earlier proposal for the same field gives way to it."""
    box = key.seal_fields({field: value}, binding(shop_id, system, customer_id, field))
    add = (sqlite_insert if db.dialect.name == "sqlite" else postgres_insert)(pending_marks)
    again = {
        "serial": pending_marks.c.serial + 1, "set_at": now, "run_id": None, "state": WAITING, "tries": 0, "due_at": 0,
        "set_by": by, "box": box,
    }  # fmt: skip
    place = {"shop_id": shop_id, "system": system, "customer_id": customer_id, "field": field}
    add = add.on_conflict_do_update(index_elements=list(place), set_=again)
    db.execute(add, place | {"set_at": now, "set_by": by, "box": box})
