"""Expectations: what we wrote to a system and shall read back, so that the echo of our own write names its writer.

An expectation holds a digest only, and hides nothing: a value that differs from it is somebody's edit.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from onewriter.db.bulk import in_chunks
from onewriter.db.systemtables import expectations
from onewriter.records import Instant

_THESE = (
    expectations.c.shop_id == bindparam("shop_id"),
    expectations.c.system == bindparam("system"),
    expectations.c.record_id.in_(bindparam("names", expanding=True)),
)
_LOAD = select(expectations.c.record_id, expectations.c.field, expectations.c.digest, expectations.c.made_at).where(
    *_THESE
)
_DROP = delete(expectations).where(*_THESE)


def expect(
    db: Connection,
    shop_id: int,
    system: str,
    written: Mapping[tuple[str, bytes], Mapping[str, bytes]],
    now: Instant,
    *,
    run_id: str | None = None,
) -> None:
    """Expect what is being written: (record name, customer): field: digest of the value in the system's own form."""
    rows = [
        {"shop_id": shop_id, "system": system, "record_id": name, "field": field, "customer_id": customer}
        | {"digest": digest, "run_id": run_id, "made_at": now}
        for (name, customer), fields in written.items()
        for field, digest in fields.items()
    ]
    add = (sqlite_insert if db.dialect.name == "sqlite" else postgres_insert)(expectations)
    key = ["shop_id", "system", "record_id", "field"]
    again = {name: add.excluded[name] for name in ("customer_id", "digest", "run_id", "made_at")}
    add = add.on_conflict_do_update(index_elements=key, set_=again)
    for some in in_chunks(sorted(rows, key=lambda row: (str(row["record_id"]), str(row["field"])))):
        db.execute(add, list(some))


def of_records(db: Connection, shop_id: int, system: str, names: Sequence[str]) -> dict[str, dict[str, bytes]]:
    """What is expected of these records: name: field: digest."""
    found: dict[str, dict[str, bytes]] = {}
    for row in _rows(db, shop_id, system, names):
        found.setdefault(row.record_id, {})[row.field] = bytes(row.digest)
    return found


def made_since(db: Connection, shop_id: int, system: str, names: Sequence[str], since: Instant) -> dict[str, set[str]]:
    """The fields of these records that were written since then and not read back: name: fields."""
    found: dict[str, set[str]] = {}
    for row in _rows(db, shop_id, system, names):
        if row.made_at >= since:
            found.setdefault(row.record_id, set()).add(row.field)
    return found


def _rows(db: Connection, shop_id: int, system: str, names: Sequence[str]) -> Iterator[Any]:
    for some in in_chunks(names):
        yield from db.execute(_LOAD, {"shop_id": shop_id, "system": system, "names": list(some)})


def drop(db: Connection, shop_id: int, system: str, names: Sequence[str]) -> None:
    """Expect nothing more of these records: they were read back."""
    for some in in_chunks(names):
        db.execute(_DROP, {"shop_id": shop_id, "system": system, "names": list(some)})
