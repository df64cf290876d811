"""The field log: who wrote which field of which customer, when, caused by what, and whether it was allowed.

One row a write, with the names of all fields that it wrote: a first import of a customer is one row, not ten. Old and
new values are digests keyed from the customer's key: the log tells whether a value was there before, and never which.
What Shopify has replaced is not kept, so that an old value can be opened no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, select

from onewriter.db.tables import field_log
from onewriter.records import SHOPIFY, Instant, Path, Value
from onewriter.vault.seal import SubjectKey

_encode = msgspec.msgpack.Encoder().encode

_OF_CUSTOMER = (
    select(field_log)
    .where(field_log.c.customer_id == bindparam("customer_id"))
    .order_by(field_log.c.id.desc())
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One write, or one refused try to write, of some fields of a customer by one system."""

    fields: tuple[str, ...]
    path: Path
    at: Instant | None
    accepted: bool = True
    reason: str | None = None
    run_id: str | None = None
    cause: int | None = None
    old: Mapping[str, Value] = field(default_factory=dict)
    new: Mapping[str, Value] = field(default_factory=dict)
    """Old and new values; both empty for the first write of a customer, where the side itself has the values."""
    system: str = SHOPIFY
    writer: str = SHOPIFY


def log_row(
    shop_id: int, customer_id: bytes, key: SubjectKey, line: LogLine, row_id: bytes, now: Instant
) -> tuple[Any, ...]:
    """One value for each column of `field_log`, in order."""
    digests = None
    if line.new:
        pairs = {name: (line.old.get(name), value) for name, value in line.new.items()}
        digests = _encode({name: (_digest(key, old), _digest(key, new)) for name, (old, new) in pairs.items()})
    head = (row_id, shop_id, customer_id, line.system, line.writer, line.path.value, line.run_id, line.cause)
    return (*head, line.at, now, " ".join(line.fields), line.accepted, line.reason, digests, None, None)


def of_customer(db: Connection, customer_id: bytes, most: int) -> list[Mapping[str, Any]]:
    """The newest lines of a customer's log, without values."""
    rows = db.execute(_OF_CUSTOMER, {"customer_id": customer_id, "most": most}).mappings()
    return [{name: row[name] for name in _SHOWN} | {"fields": row["fields"].split()} for row in rows]


_SHOWN = ("system", "writer", "path", "run_id", "cause", "at", "heard_at", "accepted", "reason")


def _digest(key: SubjectKey, value: Value) -> bytes | None:
    return None if value is None else key.digest(value)
