"""The ledger's rows: written once, moved by merges, dropped by receipts, and never changed otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import convert
from sqlalchemy import Connection, Row, Select, bindparam, select, text, update

from onewriter.db.bulk import insert_rows
from onewriter.db.pointtables import entries
from onewriter.records import Entry, EntryKind, Instant

CHUNK = 500

_NAMES = [str(column.name) for column in entries.columns]

_OF_CUSTOMERS = select(entries).where(entries.c.customer_id.in_(bindparam("ids", expanding=True)))
_KEYED = select(entries).where(
    entries.c.shop_id == bindparam("shop_id"),
    entries.c.kind == bindparam("kind"),
    entries.c.reference == bindparam("reference"),
    # Said once more for SQLite, which uses a partial index only for a query that repeats its condition.
    text("kind IN ('redeem', 'adjust')"),
    entries.c.reference.is_not(None),
)
_HOLDERS = (
    select(entries.c.order_id, entries.c.customer_id)
    .where(
        entries.c.shop_id == bindparam("shop_id"),
        entries.c.order_id.in_(bindparam("ids", expanding=True)),
        entries.c.order_id.is_not(None),
        entries.c.kind == EntryKind.EARN.value,
        entries.c.dropped_by.is_(None),
    )
    .distinct()
)
_DROP = update(entries).where(entries.c.id == bindparam("b_id")).values(dropped_by=bindparam("b_receipt"))
_MOVE = update(entries).where(entries.c.customer_id == bindparam("b_from")).values(customer_id=bindparam("b_to"))
_MOVE_ONE = update(entries).where(entries.c.id == bindparam("b_id")).values(customer_id=bindparam("b_to"))


def load(db: Connection, customer_ids: Iterable[bytes]) -> dict[bytes, list[Entry]]:
    """All entries that these customers have now, by customer, in the order in which they were posted."""
    wanted = list(customer_ids)
    found: dict[bytes, list[Entry]] = {customer_id: [] for customer_id in wanted}
    for start in range(0, len(wanted), CHUNK):
        for entry in read(db, _OF_CUSTOMERS, {"ids": wanted[start : start + CHUNK]}):
            found[entry.customer_id].append(entry)
    for each in found.values():
        each.sort(key=as_posted)
    return found


def as_posted(entry: Entry) -> tuple[Instant, Instant, str, bytes]:
    """The order of a statement: as it was posted, and of one moment as it happened."""
    return (entry.posted_at, entry.occurred_at, entry.reference or "", entry.id)


def read(db: Connection, query: Select[Any], values: Mapping[str, Any]) -> Iterable[Entry]:
    """The entries that a query of whole rows finds."""
    return map(entry_of, db.execute(query, values))


def keyed(db: Connection, shop_id: int, kind: EntryKind, key: str) -> Entry | None:
    """The redemption or adjustment that was made under this idempotency key of the shop."""
    row = db.execute(_KEYED, {"shop_id": shop_id, "kind": kind.value, "reference": key}).first()
    return None if row is None else entry_of(row)


def holders_of_orders(db: Connection, shop_id: int, order_ids: Sequence[int]) -> dict[int, set[bytes]]:
    """Which customers have an earn of each of these orders that counts."""
    found: dict[int, set[bytes]] = {}
    for start in range(0, len(order_ids), CHUNK):
        for row in db.execute(_HOLDERS, {"shop_id": shop_id, "ids": list(order_ids[start : start + CHUNK])}):
            found.setdefault(row.order_id, set()).add(bytes(row.customer_id))
    return found


def drop(db: Connection, receipts: Mapping[bytes, bytes | None]) -> None:
    """Say of entries, by id, which receipt drops them; None lets one count again.

    Those that are dropped come first: what counts again may be what they stood in the way of.
    """
    rows = [{"b_id": entry_id, "b_receipt": receipt} for entry_id, receipt in receipts.items()]
    rows.sort(key=lambda row: row["b_receipt"] is None)
    if rows:
        db.execute(_DROP, rows)


def move(db: Connection, source: bytes, target: bytes) -> None:
    """Hand all entries of one customer to another."""
    db.execute(_MOVE, {"b_from": source, "b_to": target})


def move_some(db: Connection, entry_ids: Iterable[bytes], target: bytes) -> None:
    """Hand these entries to a customer."""
    rows = [{"b_id": entry_id, "b_to": target} for entry_id in entry_ids]
    if rows:
        db.execute(_MOVE_ONE, rows)


def add(db: Connection, shop_id: int, fresh: Sequence[Entry]) -> None:
    """Write new entries down. Raises IntegrityError for what is there already."""
    insert_rows(db, entries, [_row(shop_id, entry) for entry in fresh])


def _row(shop_id: int, entry: Entry) -> tuple[Any, ...]:
    """One value for each column of `entries`, in order."""
    head = (entry.id, shop_id, entry.customer_id, entry.origin_id, entry.kind.value, entry.points, entry.rule)
    what = (entry.rule_version, entry.reference, entry.once_key, entry.order_id, entry.lot_id, entry.amount)
    times = (entry.version, entry.days, entry.occurred_at, entry.available_at, entry.expires_at)
    return (*head, *what, *times, entry.reason, entry.source, entry.run_id, entry.posted_at, entry.dropped_by)


def entry_of(row: Row[Any]) -> Entry:
    """The entry of a whole row."""
    # An audit makes a million of these: by name, column by column, they would cost four times as much.
    return convert(dict(zip(_NAMES, row, strict=True)), Entry)
