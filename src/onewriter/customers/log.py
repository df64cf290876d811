"""The field log: who wrote which field of which customer, when, caused by what, and whether it was allowed.

One row a write, with the names of all fields that it wrote: a first import of a customer is one row, not ten. Old and
new values are digests keyed from the customer's key: the log tells whether a value was there before, and never which.
What Shopify has replaced is not kept, so that an old value can be opened no more. Of a write that can be undone, the
values stand in a sealed box, until the setting `log_values_keep_days` has them emptied.
"""

import os
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, literal, select, update

from onewriter.db.bulk import in_chunks, insert_rows
from onewriter.db.tables import field_log
from onewriter.records import DAY, SHOPIFY, Instant, Path, Value, sortable_id
from onewriter.vault.seal import SubjectKey, bound_to
from onewriter.vault.vault import ShopVault

KEPT_PATHS = frozenset((Path.CYCLE, Path.SEND, Path.HAND, Path.CSV, Path.UNDO))
"""The paths whose writes can be undone, so that their values may be kept. What comes from Shopify is none of them."""

AT_ONCE = 500

BLANK = "\x1f"
"""What stands for a blank within a name; no name has one."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

_OF_CUSTOMER = (
    select(field_log)
    .where(field_log.c.customer_id == bindparam("customer_id"))
    .order_by(field_log.c.id.desc())
    .limit(bindparam("most"))
)
_OF_PEOPLE = (
    select(field_log).where(field_log.c.customer_id.in_(bindparam("ids", expanding=True))).order_by(field_log.c.id)
)
_OF_RUN = (
    select(field_log)
    .where(
        field_log.c.shop_id == bindparam("shop_id"),
        field_log.c.run_id == bindparam("run_id"),
        field_log.c.box.is_not(None),
        field_log.c.id > bindparam("after"),
    )
    .order_by(field_log.c.id)
    .limit(bindparam("most"))
)
_DISALLOWED = (
    select(field_log)
    .where(
        field_log.c.shop_id == bindparam("shop_id"),
        field_log.c.heard_at >= bindparam("since"),
        field_log.c.accepted.is_(False),
        field_log.c.reason.startswith("owned by "),
    )
    .order_by(field_log.c.id.desc())
)
_BY_HAND = select(field_log.c.fields).where(
    field_log.c.shop_id == bindparam("shop_id"),
    field_log.c.heard_at >= bindparam("since"),
    field_log.c.path == Path.HAND.value,
)
# The index of rows with a box is what finds them; they are few beside the rest.
_EMPTY_BOXES = (
    update(field_log)
    .where(
        field_log.c.shop_id == bindparam("b_shop"),
        field_log.c.box.is_not(None),
        field_log.c.keep_until <= bindparam("b_now"),
    )
    .values(box=None, keep_until=None)
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
    kept: bool = False
    """Whether the values are kept, sealed, so that the write can be undone; only on one of KEPT_PATHS."""


@dataclass(frozen=True, slots=True)
class Logged:
    """One line as it stands in the log. `old` and `new` are None where no values are kept, or none any more."""

    id: bytes
    customer_id: bytes
    system: str
    writer: str
    path: Path
    run_id: str | None
    cause: int | None
    at: Instant | None
    heard_at: Instant
    fields: tuple[str, ...]
    accepted: bool
    reason: str | None
    old: Mapping[str, Value] | None = None
    new: Mapping[str, Value] | None = None


def keep_until(now: Instant, days: int) -> Instant | None:
    """Until when the values of a write of now are kept; None, for 0 days, keeps none."""
    return now + days * DAY if days else None


def log_row(
    shop_id: int,
    customer_id: bytes,
    key: SubjectKey,
    line: LogLine,
    row_id: bytes,
    now: Instant,
    until: Instant | None = None,
) -> tuple[Any, ...]:
    """One value for each column of `field_log`, in order; a line that is kept is so until then, where that is given."""
    digests = box = None
    if line.new:
        pairs = {name: (line.old.get(name), value) for name, value in line.new.items()}
        digests = _encode({name: (_digest(key, old), _digest(key, new)) for name, (old, new) in pairs.items()})
    if line.kept and until is not None and line.path in KEPT_PATHS:
        values = {"old": dict(line.old), "new": dict(line.new)}
        box = key.seal_fields(values, bound_to("field_log", shop_id, row_id))
    head = (row_id, shop_id, customer_id, line.system, line.writer, line.path.value, line.run_id, line.cause)
    tail = (digests, box, None if box is None else until)
    return (*head, line.at, now, _joined(line.fields), line.accepted, line.reason, *tail)


def add(
    db: Connection,
    shop_id: int,
    lines: Iterable[tuple[bytes, SubjectKey, LogLine]],
    now: Instant,
    *,
    keep_days: int,
) -> None:
    """Write lines of customers, each with its customer's key; values that are kept are so for that many days."""
    until = keep_until(now, keep_days)
    rows = [
        log_row(shop_id, customer, key, line, sortable_id(now, os.urandom(10)), now, until)
        for customer, key, line in lines
    ]
    insert_rows(db, field_log, rows)


def of_customer(db: Connection, customer_id: bytes, most: int, field: str | None = None) -> list[Mapping[str, Any]]:
    """The newest lines of a customer's log, without values; only those of one field, where it is named."""
    return [_shown(row) for row in _rows_of(db, customer_id, most, field)]


def opened(
    db: Connection, vault: ShopVault, customer_id: bytes, most: int, field: str | None = None
) -> list[Mapping[str, Any]]:
    """The same with `old` and `new`, the values before and after, of each line that still has them."""
    rows = _rows_of(db, customer_id, most, field)
    key = vault.keys.subject_keys([customer_id], leave_destroyed=True).get(customer_id)
    found: list[Mapping[str, Any]] = []
    for row in rows:
        line = _logged(row, key, vault.shop_id)
        found.append(_shown(row) | {"old": line.old, "new": line.new})
    return found


def traced(
    db: Connection, shop_id: int, keys: Mapping[bytes, SubjectKey], most: int
) -> list[tuple[Logged, Mapping[str, tuple[bytes | None, bytes | None]]]]:
    """The lines of these customers in the order in which they were written, each with its digests: field: old and new.

    Of one customer so many are taken, the newest; values that are kept are opened with the customer's key.
    """
    found: dict[bytes, deque[Row[Any]]] = {}
    for some in in_chunks(sorted(keys)):
        for row in db.execute(_OF_PEOPLE, {"ids": list(some)}):
            found.setdefault(bytes(row.customer_id), deque(maxlen=most)).append(row)
    rows = sorted((row for theirs in found.values() for row in theirs), key=lambda row: bytes(row.id))
    return [(_logged(row, keys[bytes(row.customer_id)], shop_id), _told(row)) for row in rows]


def _told(row: Row[Any]) -> dict[str, tuple[bytes | None, bytes | None]]:
    held = {} if row.digests is None else _decode(bytes(row.digests))
    return {name: (pair[0], pair[1]) for name, pair in held.items()}


def of_run(db: Connection, vault: ShopVault, run_id: str, most: int, after: bytes = b"") -> list[Logged]:
    """What a run wrote of which the values are still kept, opened, the first first, from behind that line."""
    named = {"shop_id": vault.shop_id, "run_id": run_id, "after": after, "most": most}
    rows = db.execute(_OF_RUN, named).all()
    keys = vault.keys.subject_keys({bytes(row.customer_id) for row in rows}, leave_destroyed=True) if rows else {}
    return [_logged(row, keys.get(bytes(row.customer_id)), vault.shop_id) for row in rows]


def disallowed(
    db: Connection, shop_id: int, since: Instant, field: str | None = None, *, most: int = 1000
) -> list[Logged]:
    """The writes since then that were refused because another system owns the field, the newest first."""
    query = _of_field(_DISALLOWED, field).limit(most)
    rows = db.execute(query, {"shop_id": shop_id, "since": since})
    return [_logged(row, None, shop_id) for row in rows]


def times_by_hand(db: Connection, customer_id: bytes, field: str) -> int:
    """How often a person has written this field of this customer by hand."""
    query = _of_field(select(field_log.c.id), field).where(
        field_log.c.customer_id == customer_id, field_log.c.path == Path.HAND.value
    )
    return len(db.execute(query).all())


def by_hand(db: Connection, shop_id: int, since: Instant) -> Counter[str]:
    """How often each field was corrected by hand since then: every one of these is a rule that does not hold."""
    rows = db.execute(_BY_HAND, {"shop_id": shop_id, "since": since})
    return Counter(name for row in rows for name in apart(row.fields))


def systems_writing(db: Connection, people: Sequence[bytes], fields: Collection[str], since: Instant) -> set[str]:
    """The systems that wrote any of these fields of these customers since then, or tried to."""
    found: set[str] = set()
    columns = select(field_log.c.system, field_log.c.fields).where(
        field_log.c.heard_at > since, field_log.c.path == Path.CYCLE.value
    )
    for some in in_chunks(people):
        for row in db.execute(columns.where(field_log.c.customer_id.in_(list(some))).distinct()):
            if not {*apart(row.fields)}.isdisjoint(fields):
                found.add(row.system)
    return found


def edits_since(
    db: Connection, shop_id: int, fields: Collection[str], paths: Collection[str], since: Instant
) -> Iterator[Logged]:
    """The accepted writes of any of these fields that reached us by these paths after that time, the first first.

    Without values. The transaction is in use until the last one is taken.
    """
    after = sortable_id(since, bytes(10))
    theirs = (field_log.c.shop_id == shop_id, field_log.c.heard_at > since, field_log.c.accepted.is_(True))
    query = select(field_log).where(*theirs, field_log.c.path.in_(sorted(paths))).order_by(field_log.c.id)
    while rows := db.execute(query.where(field_log.c.id > after).limit(AT_ONCE)).all():
        after = bytes(rows[-1].id)
        yield from (_logged(row, None, shop_id) for row in rows if not {*apart(row.fields)}.isdisjoint(fields))


def empty_boxes(db: Connection, shop_id: int, now: Instant) -> int:
    """Empty the boxes whose time is over; the lines stay, with their digests. Returns how many were emptied."""
    return db.execute(_EMPTY_BOXES, {"b_shop": shop_id, "b_now": now}).rowcount


def _rows_of(db: Connection, customer_id: bytes, most: int, field: str | None) -> list[Row[Any]]:
    return list(db.execute(_of_field(_OF_CUSTOMER, field), {"customer_id": customer_id, "most": most}))


def _of_field(query: Select[Any], name: str | None) -> Select[Any]:
    """Only lines that tell of one field."""
    if name is None:
        return query
    told: ColumnElement[str] = literal(" ") + field_log.c.fields + literal(" ")
    return query.where(told.contains(f" {_joined([name])} ", autoescape=True))


_SHOWN = ("system", "writer", "path", "run_id", "cause", "at", "heard_at", "accepted", "reason")


def _shown(row: Row[Any]) -> dict[str, Any]:
    mapping = row._mapping
    return {name: mapping[name] for name in _SHOWN} | {"fields": apart(mapping["fields"])}


def _logged(row: Row[Any], key: SubjectKey | None, shop_id: int) -> Logged:
    values: Mapping[str, Any] = {}
    if row.box is not None and key is not None:
        values = key.open_fields(bytes(row.box), bound_to("field_log", shop_id, bytes(row.id)))
    head = (bytes(row.id), bytes(row.customer_id), row.system, row.writer, Path(row.path), row.run_id, row.cause)
    told = (row.at, row.heard_at, tuple(apart(row.fields)), row.accepted, row.reason)
    return Logged(*head, *told, values.get("old"), values.get("new"))


def _joined(names: Iterable[str]) -> str:
    """Names in one text; only that of a namespace of tags can have a blank in it."""
    return " ".join(name.replace(" ", BLANK) for name in names)


def apart(joined: str) -> list[str]:
    """The names in a line's text."""
    return [name.replace(BLANK, " ") for name in joined.split(" ") if name]


def _digest(key: SubjectKey, value: Value) -> bytes | None:
    return None if value is None else key.digest(value)
