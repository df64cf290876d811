"""Parked values: what had nowhere to go, kept sealed with its reason until a person decides, or a newer one comes.

There is one open row for each customer, system, field and direction. `in` is what a system said that it may not write;
`out` is an owner's value that a system cannot take.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from onewriter.db.bulk import in_chunks
from onewriter.db.tables import parked_values
from onewriter.errors import Permanent
from onewriter.records import Instant, Value, sortable_id
from onewriter.rules import mapping
from onewriter.rules.comparing import same, same_consent
from onewriter.rules.policy import CONSENTS
from onewriter.vault.seal import SubjectKey, bound_to
from onewriter.vault.vault import ShopVault

IN: Literal["in"] = "in"
OUT: Literal["out"] = "out"

REPLACED = "replaced"
RELEASED = "released"
DROPPED = "dropped"
SETTLED = "settled"
"""It is what the owner says as well by now, or the system has taken it: there is nothing left to decide."""

_OPEN = (
    select(parked_values.c.id, parked_values.c.system, parked_values.c.customer_id, parked_values.c.field)
    .add_columns(parked_values.c.direction, parked_values.c.box, parked_values.c.reason)
    .where(
        parked_values.c.customer_id.in_(bindparam("ids", expanding=True)),
        parked_values.c.ended_at.is_(None),
    )
)
_END = (
    update(parked_values)
    .where(parked_values.c.id == bindparam("b_id"), parked_values.c.ended_at.is_(None))
    .values(ended_at=bindparam("b_now"), outcome=bindparam("b_outcome"), ended_by=bindparam("b_by"))
)


BEFORE = "before"
"""No field has this name; under it a box keeps what stood where the value comes from, of tags alone."""


class NotParked(Permanent):
    """There is no such parked value, or it has ended already."""


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A value that has nowhere to go."""

    customer_id: bytes
    key: SubjectKey
    system: str
    field: str
    value: Value
    reason: str
    direction: Literal["in", "out"] = IN
    before: Value = None
    """Of tags: those that were there before, so that what was meant is known when others have come since."""


@dataclass(frozen=True, slots=True)
class Parked:
    """One parked value as it stands, without the value."""

    id: bytes
    customer_id: bytes
    system: str
    field: str
    reason: str
    parked_at: Instant
    direction: str
    run_id: str | None
    ended_at: Instant | None
    outcome: str | None
    ended_by: str | None
    box: bytes


def park(
    db: Connection,
    vault: ShopVault,
    key: SubjectKey,
    customer_id: bytes,
    system: str,
    field: str,
    value: Value,
    reason: str,
    now: Instant,
    *,
    direction: Literal["in", "out"],
    run_id: str | None = None,
) -> None:
    """Park one value of a customer, whose key seals it."""
    one = Unplaced(customer_id, key, system, field, value, reason, direction)
    park_all(db, vault.shop_id, [one], now, run_id=run_id)


def park_all(
    db: Connection, shop_id: int, values: Sequence[Unplaced], now: Instant, *, run_id: str | None = None
) -> list[Unplaced]:
    """Park these values, each in the place of what was parked there before; returns those that are new.

    One that says just what is parked there already, for the same reason, stays as it is: its age is what counts.
    """
    wanted = {(one.customer_id, one.system, one.field, one.direction): one for one in values}
    held = _open_rows(db, {one.customer_id for one in wanted.values()}) if wanted else {}
    rows, ended = [], []
    fresh: list[Unplaced] = []
    for place, one in wanted.items():
        before = held.get(place)
        if before is not None and before.reason == one.reason and _value(one.key, shop_id, before) == one.value:
            continue
        if before is not None:
            ended.append(bytes(before.id))
        rows.append(_row(shop_id, one, now, run_id))
        fresh.append(one)
    end(db, ended, REPLACED, None, now)
    if rows:
        db.execute(insert(parked_values), rows)
    return fresh


def settle(db: Connection, places: Iterable[tuple[bytes, str, str, str]], now: Instant) -> int:
    """End what is parked in these places (customer, system, field, direction), since it is settled by itself."""
    wanted = set(places)
    held = _open_rows(db, {place[0] for place in wanted}) if wanted else {}
    return end(db, [bytes(row.id) for place, row in held.items() if place in wanted], SETTLED, None, now)


def agree(
    db: Connection,
    vault: ShopVault,
    people: Iterable[tuple[bytes, SubjectKey, Mapping[str, Value]]],
    now: Instant,
) -> int:
    """End what was refused of these customers and is just what the owner says by now: nothing is left to decide.

    Each customer comes with its key and the owner's value of each field.
    """
    told = {identity: (key, own) for identity, key, own in people}
    ended = []
    for (identity, _system, name, direction), row in (_open_rows(db, told) if told else {}).items():
        key, own = told[identity]
        if direction == IN and _says_so(vault, key, row, name, mapping.own_value(name, own)):
            ended.append(bytes(row.id))
    return end(db, ended, SETTLED, None, now)


def open_values(
    db: Connection, vault: ShopVault, keys: Mapping[bytes, SubjectKey]
) -> Iterator[tuple[bytes, str, Value]]:
    """What is parked of these customers, opened, whichever way it was to go: whose, the field, and the value."""
    for (identity, _system, name, _direction), row in (_open_rows(db, keys) if keys else {}).items():
        yield identity, name, _value(keys[identity], vault.shop_id, row)


def _says_so(vault: ShopVault, key: SubjectKey, row: Row[Any], name: str, own: Value) -> bool:
    value = _value(key, vault.shop_id, row)
    return same_consent(own, value) if name in CONSENTS else same(name, own, value, vault.region)


def open_fields(
    db: Connection, system: str, ids: Iterable[bytes], direction: str = OUT, *, reason: str | None = None
) -> dict[bytes, set[str]]:
    """The fields of these customers of which a value is parked, for that reason if one is given, and still open."""
    found: dict[bytes, set[str]] = {}
    for place, row in _open_rows(db, ids).items():
        if place[1] == system and place[3] == direction and reason in (None, row.reason):
            found.setdefault(place[0], set()).add(place[2])
    return found


def unsent(
    db: Connection, shop_id: int, system: str, fields: Collection[str], people: Collection[bytes] | None
) -> list[tuple[bytes, bytes, str]]:
    """What a system could not be told of these fields, of these customers or of all: its id, whose, and the field."""
    columns = (parked_values.c.id, parked_values.c.customer_id, parked_values.c.field)
    theirs = (
        parked_values.c.shop_id == shop_id, parked_values.c.system == system, parked_values.c.direction == OUT,
        parked_values.c.ended_at.is_(None), parked_values.c.field.in_(sorted(fields)),
    )  # fmt: skip
    return [
        (bytes(identity), bytes(customer), field)
        for identity, customer, field in db.execute(select(*columns).where(*theirs))
        if people is None or bytes(customer) in people
    ]


def end(db: Connection, ids: Sequence[bytes], outcome: str, by: str | None, now: Instant) -> int:
    """End parked values; returns how many were still open."""
    if not ids:
        return 0
    rows = [{"b_id": each, "b_now": now, "b_outcome": outcome, "b_by": by} for each in ids]
    return sum(db.execute(_END, row).rowcount for row in rows)


def end_one(db: Connection, identity: bytes, outcome: str, by: str | None, now: Instant) -> None:
    """End a parked value; raises NotParked if somebody else has just done so."""
    if not end(db, [identity], outcome, by, now):
        raise NotParked("Somebody has just decided about that value; `onewriter parked list` shows what is left.")


def listed(
    db: Connection,
    shop_id: int,
    most: int,
    *,
    system: str | None = None,
    field: str | None = None,
    customer_id: bytes | None = None,
    ended: bool = False,
    after: bytes | None = None,
) -> list[Parked]:
    """The parked values of a shop, the oldest first, from behind an id; those that have ended as well, if asked for."""
    query = select(parked_values).where(parked_values.c.shop_id == shop_id)
    for column, wanted in (("system", system), ("field", field), ("customer_id", customer_id)):
        if wanted is not None:
            query = query.where(parked_values.c[column] == wanted)
    if not ended:
        query = query.where(parked_values.c.ended_at.is_(None))
    if after is not None:
        query = query.where(parked_values.c.id > after)
    return [_parked(row) for row in db.execute(query.order_by(parked_values.c.id).limit(most))]


def get(db: Connection, shop_id: int, identity: bytes) -> Parked:
    """An open parked value; raises NotParked."""
    theirs = (parked_values.c.shop_id == shop_id, parked_values.c.id == identity)
    row = db.execute(select(parked_values).where(*theirs, parked_values.c.ended_at.is_(None))).first()
    if row is None:
        raise NotParked("No such value is parked, or it has ended; `onewriter parked list` shows those that are.")
    return _parked(row)


def values(vault: ShopVault, some: Sequence[Parked]) -> dict[bytes, Value]:
    """The values of these, by the id of each; those of customers who were erased at this moment are left out."""
    return {identity: box.get(field) for identity, field, box in _boxes(vault, some)}


def befores(vault: ShopVault, some: Sequence[Parked]) -> dict[bytes, Value]:
    """What stood in the place of these before, by the id of each; None where nobody knows."""
    return {identity: box.get(BEFORE) for identity, _field, box in _boxes(vault, some)}


def _boxes(vault: ShopVault, some: Sequence[Parked]) -> Iterator[tuple[bytes, str, Mapping[str, Value]]]:
    keys = vault.keys.subject_keys({one.customer_id for one in some}, leave_destroyed=True) if some else {}
    for one in some:
        if one.customer_id in keys:
            yield one.id, one.field, keys[one.customer_id].open_fields(one.box, binding(vault.shop_id, one.id))


def binding(shop_id: int, identity: bytes) -> bytes:
    """What the box of a parked value is bound to: a mapping with the value under the field's name."""
    return bound_to("parked_values", shop_id, identity)


def _open_rows(db: Connection, ids: Iterable[bytes]) -> Mapping[tuple[bytes, str, str, str], Row[Any]]:
    found = {}
    for some in in_chunks(sorted(ids)):
        for row in db.execute(_OPEN, {"ids": some}):
            found[bytes(row.customer_id), row.system, row.field, row.direction] = row
    return found


def _value(key: SubjectKey, shop_id: int, row: Row[Any]) -> Value:
    return key.open_fields(bytes(row.box), binding(shop_id, bytes(row.id))).get(row.field)


def _row(shop_id: int, one: Unplaced, now: Instant, run_id: str | None) -> dict[str, Any]:
    identity = sortable_id(now, os.urandom(10))
    values = {one.field: one.value} | ({} if one.before is None else {BEFORE: one.before})
    box = one.key.seal_fields(values, binding(shop_id, identity))
    row = {"id": identity, "shop_id": shop_id, "customer_id": one.customer_id, "system": one.system}
    row |= {"field": one.field, "box": box, "reason": one.reason, "parked_at": now}
    return row | {"direction": one.direction, "run_id": run_id}


def _parked(row: Row[Any]) -> Parked:
    head = (bytes(row.id), bytes(row.customer_id), row.system, row.field, row.reason, row.parked_at, row.direction)
    return Parked(*head, row.run_id, row.ended_at, row.outcome, row.ended_by, bytes(row.box))
