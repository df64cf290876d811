"""Receipts: why entries do not count, and which customers' ledgers are one. They hold no value of a person."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from onewriter.db.pointtables import receipts
from onewriter.records import Instant
from onewriter.rules.replaying import Join

MERGE = "merge"
AWARD = "award"
CHAIN_MAX = 100

_STANDING = (receipts.c.kind == MERGE, receipts.c.undone_at.is_(None))
_AWAY = select(receipts.c.deleted_customer_id, receipts.c.kept_customer_id).where(
    receipts.c.deleted_customer_id.in_(bindparam("ids", expanding=True)), *_STANDING
)
_INTO = select(receipts).where(receipts.c.kept_customer_id.in_(bindparam("ids", expanding=True)), *_STANDING)
_THESE = select(receipts).where(receipts.c.id.in_(bindparam("ids", expanding=True)))
_OF_PAIR = (
    select(receipts)
    .where(receipts.c.deleted_customer_id == bindparam("deleted"), receipts.c.kind == MERGE)
    .order_by(receipts.c.id.desc())
    .limit(1)
)
_OF_CUSTOMER = (
    select(receipts)
    .where(or_(receipts.c.kept_customer_id == bindparam("id"), receipts.c.deleted_customer_id == bindparam("id")))
    .order_by(receipts.c.id.desc())
)
_NEWEST = (
    select(receipts)
    .where(receipts.c.shop_id == bindparam("shop_id"), receipts.c.kind == bindparam("kind"))
    .order_by(receipts.c.id.desc())
    .limit(bindparam("most"))
)
_UNDO = (
    update(receipts)
    .where(receipts.c.id == bindparam("b_id"), receipts.c.undone_at.is_(None))
    .values(undone_at=bindparam("b_now"), undone_by=bindparam("b_by"), undone_why=bindparam("b_why"))
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One receipt, of a merge or of an award that was taken back."""

    id: bytes
    shop_id: int
    kind: str
    kept_customer_id: bytes | None
    deleted_customer_id: bytes | None
    at: Instant
    """Of a merge, by Shopify's clock."""
    made_at: Instant
    made_by: str
    figures: Mapping[str, Any]
    """Totals before and after, and counts."""
    run_id: str | None = None
    why: str | None = None
    undone_at: Instant | None = None
    undone_by: str | None = None
    undone_why: str | None = None

    @property
    def join(self) -> Join:
        """The merge as the ledger sees it."""
        assert self.kept_customer_id is not None
        assert self.deleted_customer_id is not None
        return Join(self.id, self.deleted_customer_id, self.kept_customer_id, self.at)


def holders(db: Connection, customer_ids: Iterable[bytes]) -> dict[bytes, bytes]:
    """Who has the entries of each of these customers now: itself, or the end of its chain of merges."""
    found = {customer_id: customer_id for customer_id in customer_ids}
    for _ in range(CHAIN_MAX):
        ends = set(found.values())
        rows = db.execute(_AWAY, {"ids": list(ends)}) if ends else ()
        away = {bytes(row.deleted_customer_id): bytes(row.kept_customer_id) for row in rows}
        if not away:
            break
        found = {customer_id: away.get(end, end) for customer_id, end in found.items()}
    return found


def joins(db: Connection, holding: Collection[bytes]) -> dict[bytes, list[Join]]:
    """The merges that brought entries to each of these customers, straight or by way of others."""
    found: dict[bytes, list[Join]] = {}
    ends = {customer_id: customer_id for customer_id in holding}
    for _ in range(CHAIN_MAX):
        rows = db.execute(_INTO, {"ids": list(ends)}).all() if ends else []
        further: dict[bytes, bytes] = {}
        for row in rows:
            join = receipt_of(row).join
            holder = ends[join.kept]
            found.setdefault(holder, []).append(join)
            further[join.deleted] = holder
        if not further:
            break
        ends = further
    return found


def of_ids(db: Connection, ids: Collection[bytes]) -> dict[bytes, Receipt]:
    """These receipts, by id."""
    rows = db.execute(_THESE, {"ids": list(ids)}) if ids else ()
    return {receipt.id: receipt for receipt in map(receipt_of, rows)}


def of_merge(db: Connection, deleted: bytes) -> Receipt | None:
    """The newest receipt of the merge that took this customer away, undone or not."""
    row = db.execute(_OF_PAIR, {"deleted": deleted}).first()
    return None if row is None else receipt_of(row)


def of_customer(db: Connection, customer_id: bytes) -> list[Receipt]:
    """The receipts of merges that this customer was on either side of, the newest first."""
    return [receipt_of(row) for row in db.execute(_OF_CUSTOMER, {"id": customer_id})]


def newest(db: Connection, shop_id: int, kind: str, most: int) -> list[Receipt]:
    """The newest receipts of a shop, of one kind."""
    return [receipt_of(row) for row in db.execute(_NEWEST, {"shop_id": shop_id, "kind": kind, "most": most})]


def add(db: Connection, receipt: Receipt) -> None:
    """Write a receipt down."""
    values = {name: getattr(receipt, name) for name in receipt.__slots__}
    db.execute(insert(receipts), values | {"figures": dict(receipt.figures)})


def undo(db: Connection, receipt_id: bytes, by: str, why: str, now: Instant) -> bool:
    """Say that a receipt does not stand any more; False if it did not before."""
    return db.execute(_UNDO, {"b_id": receipt_id, "b_now": now, "b_by": by, "b_why": why}).rowcount == 1


def receipt_of(row: Row[Any]) -> Receipt:
    """The receipt of a whole row."""
    values = dict(row._mapping)
    for name in ("id", "kept_customer_id", "deleted_customer_id"):
        values[name] = None if values[name] is None else bytes(values[name])
    return Receipt(**values)
