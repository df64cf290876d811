"""Sides of connected systems: what each last said of its records, loaded and written together, many at once.

A `Remote` is the working copy of one record. Its box holds the record's true id and its values under the system's own
names for its fields; the row holds the id's keyed name only. While a record belongs to no customer it has a key of its
own, and is found by the tokens of its address and number.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from onewriter.db.bulk import in_chunks
from onewriter.db.tables import sides
from onewriter.records import Instant, Path
from onewriter.vault.seal import SubjectKey, bound_to
from onewriter.vault.vault import ShopVault

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

KEY = ("shop_id", "system", "record_id")
Keys = Mapping[bytes, SubjectKey]
"""Keys by their ids."""
TRUE_ID = "#"
"""No field has this name; under it a side's box keeps the id that its row only has a keyed name of."""

_OF_SYSTEM = (sides.c.shop_id == bindparam("shop_id"), sides.c.system == bindparam("system"))
_GLANCE = select(
    sides.c.record_id, sides.c.raw_digest, sides.c.customer_id, sides.c.gone_at, sides.c.remote_version
).where(*_OF_SYSTEM, sides.c.record_id.in_(bindparam("names", expanding=True)))
_LOAD = select(sides).where(*_OF_SYSTEM, sides.c.record_id.in_(bindparam("names", expanding=True)))
_OF_CUSTOMERS = select(sides).where(
    sides.c.customer_id.in_(bindparam("ids", expanding=True)),
    sides.c.system == bindparam("system"),
    sides.c.shop_id + 0 == bindparam("shop_id"),  # or SQLite walks all records of the system
)
_UNCLEAN = (
    select(sides.c.customer_id, sides.c.record_id, sides.c.unclean)
    .where(*_OF_SYSTEM, sides.c.unclean.is_not(None), sides.c.customer_id.is_not(None))
    .where(sides.c.record_id > bindparam("after"))
    .order_by(sides.c.record_id)
    .limit(bindparam("most"))
)
_LINKED = (
    select(sides.c.record_id)
    .where(*_OF_SYSTEM, sides.c.customer_id.is_not(None), sides.c.record_id > bindparam("after"))
    .order_by(sides.c.record_id)
    .limit(bindparam("most"))
)
_NAMES = select(sides.c.record_id).where(*_OF_SYSTEM, sides.c.gone_at.is_(None))
_REMOVE = delete(sides).where(*_OF_SYSTEM, sides.c.record_id.in_(bindparam("names", expanding=True)))


@dataclass(frozen=True, slots=True)
class Glance:
    """What a side tells without being opened."""

    raw_digest: bytes | None
    customer_id: bytes | None
    gone: bool
    version: str | None


@dataclass(slots=True)
class Remote:
    """The working copy of one record of a connected system."""

    system: str
    name: str
    """The id's keyed name."""
    id: str
    fields: dict[str, Any] = field(default_factory=dict)
    """By the system's own names, as it last said."""
    customer_id: bytes | None = None
    key_id: bytes = b""
    """The key that seals it: the customer's, or its own while it belongs to nobody."""
    key: SubjectKey | None = None
    raw_digest: bytes | None = None
    digests: Mapping[str, bytes] = field(default_factory=dict)
    """Field: digest of the owner's value that it stands for, or of its own value where it is not in step."""
    version: str | None = None
    """What a conditional write names."""
    changed: Instant | None = None
    """By the system's clock."""
    created: Instant | None = None
    heard: Instant = 0
    path: Path = Path.CYCLE
    read_began: Instant | None = None
    gone: Instant | None = None
    clean: Instant | None = None
    unclean: dict[str, Instant | None] | None = None
    """Field: when it was last in step, of those that are not."""
    email_token: bytes | None = None
    phone_token: bytes | None = None
    index_version: int | None = None


def binding(shop_id: int, system: str, name: str) -> bytes:
    """What the box of a side is bound to."""
    return bound_to("sides", shop_id, f"{system}|{name}")


def glance(db: Connection, shop_id: int, system: str, names: Sequence[str]) -> dict[str, Glance]:
    """What is known of these records without opening any, by name."""
    found = {}
    for some in in_chunks(names):
        for row in db.execute(_GLANCE, {"shop_id": shop_id, "system": system, "names": list(some)}):
            customer = None if row.customer_id is None else bytes(row.customer_id)
            raw = None if row.raw_digest is None else bytes(row.raw_digest)
            found[row.record_id] = Glance(raw, customer, row.gone_at is not None, row.remote_version)
    return found


def load(
    db: Connection, vault: ShopVault, system: str, names: Sequence[str], keys: Keys | None = None
) -> dict[str, Remote]:
    """The records that we know under these names, opened; `keys` are those that the caller has open already."""
    return {each.name: each for each in _opened(db, vault, system, _LOAD, "names", list(names), keys or {})}


def of_customers(
    db: Connection, vault: ShopVault, system: str, ids: Sequence[bytes], keys: Keys | None = None
) -> dict[bytes, list[Remote]]:
    """The records that these customers have in a system, opened, those that are gone there too.

    `keys` are those that the caller has open already.
    """
    found: dict[bytes, list[Remote]] = {}
    for each in _opened(db, vault, system, _OF_CUSTOMERS, "ids", list(ids), keys or {}):
        assert each.customer_id is not None
        found.setdefault(each.customer_id, []).append(each)
    return found


def _opened(
    db: Connection, vault: ShopVault, system: str, query: Any, parameter: str, wanted: Sequence[Any], open_keys: Keys
) -> list[Remote]:
    rows = [
        row
        for some in in_chunks(wanted)
        for row in db.execute(query, {"shop_id": vault.shop_id, "system": system, parameter: list(some)})
    ]
    closed = {bytes(row.key_id) for row in rows} - open_keys.keys()
    keys = {**open_keys, **(vault.keys.subject_keys(closed, leave_destroyed=True) if closed else {})}
    return [_open(row, keys[bytes(row.key_id)], vault.shop_id) for row in rows if bytes(row.key_id) in keys]


def unclean(
    db: Connection, shop_id: int, system: str, fields: Collection[str], after: str, most: int
) -> tuple[list[tuple[bytes, str]], str]:
    """The next linked records in which one of these fields is not in step, by name: (customer, record name) each.

    And behind which record to go on; empty when there are no more.
    """
    wanted = {"shop_id": shop_id, "system": system, "after": after, "most": most}
    rows = db.execute(_UNCLEAN, wanted).all()
    found = [(bytes(row.customer_id), row.record_id) for row in rows if not row.unclean.keys().isdisjoint(fields)]
    return found, rows[-1].record_id if rows else ""


def linked_names(db: Connection, shop_id: int, system: str, *, after: str, most: int) -> list[str]:
    """The names of the linked records behind that one, in order."""
    wanted = {"shop_id": shop_id, "system": system, "after": after, "most": most}
    return list(db.execute(_LINKED, wanted).scalars())


def every_name(db: Connection, shop_id: int, system: str) -> set[str]:
    """The names of all records that the system had when it was last asked."""
    return set(db.execute(_NAMES, {"shop_id": shop_id, "system": system}).scalars())


def save(db: Connection, vault: ShopVault, remotes: Iterable[Remote], now: Instant) -> None:
    """Write these records as they are now, whether or not they were known; each has its key already."""
    rows = [_row(vault, each, now) for each in remotes]
    if not rows:
        return
    add = _add(db.dialect.name, tuple(rows[0]))
    for some in in_chunks(sorted(rows, key=lambda row: str(row["record_id"]))):
        db.execute(add, list(some))


@cache
def _add(dialect: str, columns: tuple[str, ...]) -> Any:
    """The statement that writes sides over those that are there; building it takes longer than carrying it out."""
    add = (sqlite_insert if dialect == "sqlite" else postgres_insert)(sides)
    there = add.excluded
    changes = {name: there[name] for name in columns if name not in KEY}
    return add.on_conflict_do_update(index_elements=list(KEY), set_=changes)


def remove(db: Connection, shop_id: int, system: str, names: Sequence[str]) -> None:
    """Forget what these records said."""
    for some in in_chunks(names):
        db.execute(_REMOVE, {"shop_id": shop_id, "system": system, "names": list(some)})


def packed(digests: Mapping[str, bytes]) -> bytes:
    """Digests as a side's column has them."""
    return _encode(dict(digests))


def unpacked(column: bytes | None) -> dict[str, bytes]:
    """The digests in a column of a side or of a customer, by field."""
    found: dict[str, bytes] = {} if column is None else _decode(bytes(column))
    return found


def _open(row: Row[Any], key: SubjectKey, shop_id: int) -> Remote:
    fields = key.open_fields(bytes(row.box), binding(shop_id, row.system, row.record_id))
    return Remote(
        system=row.system,
        name=row.record_id,
        id=fields.pop(TRUE_ID),
        fields=fields,
        customer_id=None if row.customer_id is None else bytes(row.customer_id),
        key_id=bytes(row.key_id),
        key=key,
        raw_digest=None if row.raw_digest is None else bytes(row.raw_digest),
        digests=unpacked(row.field_digests),
        version=row.remote_version,
        changed=row.version,
        created=row.created_at,
        heard=row.heard_at,
        path=Path(row.path),
        read_began=row.read_began,
        gone=row.gone_at,
        clean=row.clean_at,
        unclean=row.unclean,
        email_token=None if row.email_token is None else bytes(row.email_token),
        phone_token=None if row.phone_token is None else bytes(row.phone_token),
        index_version=row.index_version,
    )


def _row(vault: ShopVault, one: Remote, now: Instant) -> dict[str, Any]:
    assert one.key is not None
    box = one.key.seal_fields(one.fields | {TRUE_ID: one.id}, binding(vault.shop_id, one.system, one.name))
    return {
        "shop_id": vault.shop_id, "system": one.system, "record_id": one.name, "customer_id": one.customer_id,
        "key_id": one.key_id, "box": box, "raw_digest": one.raw_digest, "field_digests": packed(one.digests),
        "version": one.changed, "heard_at": one.heard, "path": one.path.value, "read_began": one.read_began,
        "changed_at": now, "remote_version": one.version, "created_at": one.created, "gone_at": one.gone,
        "email_token": one.email_token, "phone_token": one.phone_token, "index_version": one.index_version,
        "clean_at": one.clean, "unclean": one.unclean or None,
    }  # fmt: skip
