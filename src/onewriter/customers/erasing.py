"""Erasing customers: every row that leads to them, by the register, and then the keys that sealed those rows.

Rows before keys: the caller's transaction takes the rows and writes a receipt that names the keys, and only once that
is committed are they destroyed. A process that dies in between leaves the receipt open, and whoever comes next ends it.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, func, insert, or_, select, update

from onewriter.customers import aliases, inbox, questions, tombstones
from onewriter.customers.aliases import UNHEARD_MERGE, UNSETTLED_MERGE
from onewriter.customers.inbox import PARKED, PARKED_DELIVERY, WAITING
from onewriter.db.engine import Database
from onewriter.db.pointtables import accounts
from onewriter.db.register import REGISTER, Entry
from onewriter.db.tables import aliases as alias_table
from onewriter.db.tables import customers, erasures, metadata, sides
from onewriter.db.tables import inbox as inbox_table
from onewriter.records import SHOPIFY, Instant, id_text, sortable_id
from onewriter.rules.aliasing import AliasState
from onewriter.vault.keystore import KeyStore
from onewriter.vault.vault import ShopVault

REQUESTS = ("customers/redact", "customers/data_request")
"""Deliveries of these ask something of us in law: they stay on record, and what they ask stays to be answered."""

RESEALED = "sealed with another key"
"""The cause of a receipt that is about keys which seal nothing any more. Nothing was erased, so it goes with them."""

SHOPIFY_IDS = frozenset({"shopify_id", "waits_for"})
"""Columns that have a customer's id of Shopify's; two shops can have the same one."""

_UNENDED = select(erasures.c.id, erasures.c.shop_id, erasures.c.cause, erasures.c.id_hashes, erasures.c.key_ids).where(
    erasures.c.ended_at.is_(None)
)
_END = update(erasures).where(erasures.c.id == bindparam("b_id")).values(key_ids=[], ended_at=bindparam("b_now"))
_FORGET = delete(erasures).where(erasures.c.id == bindparam("b_id"))
_NEWEST = select(erasures).where(erasures.c.cause != RESEALED).order_by(erasures.c.id.desc()).limit(bindparam("most"))
_OURS = select(customers.c.id, customers.c.shopify_id, customers.c.deleted_at).where(
    customers.c.shop_id == bindparam("shop_id"), customers.c.shopify_id.in_(bindparam("ids", expanding=True))
)
_POINTS = select(func.coalesce(func.sum(accounts.c.balance + accounts.c.pending), 0)).where(
    accounts.c.customer_id.in_(bindparam("ids", expanding=True))
)
_KEYS = select(sides.c.key_id).where(sides.c.customer_id.in_(bindparam("ids", expanding=True)))
# Whatever still waits will be refused in its turn, and loses its body then.
_LEFT_ALONE = or_(inbox_table.c.state == WAITING, inbox_table.c.topic.in_(REQUESTS))

_RECORDS = select(sides.c.record_id).where(
    sides.c.customer_id.in_(bindparam("ids", expanding=True)), sides.c.system != SHOPIFY
)
NEVER: Instant = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What asked for an erasure."""

    cause: str
    at: Instant
    """By Shopify's clock; by ours where a person asked."""
    position: int | None = None
    """The delivery that asked for it, which stays in the inbox without its body."""
    run_id: str | None = None
    """The run that it is a part of."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure came to."""

    receipt: bytes
    customers: int
    """How many were there; 0 when only the id is remembered as erased."""


@dataclass(frozen=True, slots=True)
class _Subjects:
    """The customers that are erased, by each of the names that a table can have for them."""

    shopify_ids: Sequence[int]
    hashes: Sequence[bytes]
    customer_ids: Sequence[bytes]

    def named(self, column: str) -> Sequence[Any]:
        """What to look for in a column that leads to a customer."""
        if column in SHOPIFY_IDS:
            return self.shopify_ids
        return self.hashes if column.endswith("_hash") else self.customer_ids


def with_merged(db: Connection, vault: ShopVault, shopify_id: int) -> list[int]:
    """A customer and all that were merged away into it, one merge after the other."""
    found = [shopify_id]
    for each in found:
        found.extend(number for number in aliases.merged_away(db, vault, each) if number not in found)
    return found


def erase(db: Connection, vault: ShopVault, shopify_ids: Sequence[int], asked: Asked, now: Instant) -> Erased:
    """Take every row that leads to these customers, in the caller's transaction and under their locks.

    Leaves a tombstone for each id, so that nothing is ever taken up of it again, and a receipt. `end` must follow once
    this is committed: until then their keys are there.
    """
    rows = db.execute(_OURS, {"shop_id": vault.shop_id, "ids": list(shopify_ids)}).all()
    known = [bytes(row.id) for row in rows]
    names = {number: vault.key.id_hash(number) for number in shopify_ids}
    whom = _Subjects(shopify_ids, list(names.values()), known)
    keys = {*known, *(bytes(each) for each in db.execute(_KEYS, {"ids": known}).scalars())}
    points = points_of(db, known)
    _withdraw_questions(db, vault.shop_id, whom, now)
    records = {bytes.fromhex(name): NEVER for name in db.execute(_RECORDS, {"ids": known}).scalars()}
    walked = (entry for entry in REGISTER if entry.purge == "delete")
    counts = {entry.table: _take(db, vault.shop_id, entry, whom) for entry in walked}
    if asked.position is not None:
        inbox.empty(db, [asked.position])
    _forget_ids(db, vault.shop_id, whom)
    deleted = {names[row.shopify_id]: row.deleted_at for row in rows if row.deleted_at is not None}
    tombstones.purge(db, vault.shop_id, {name: deleted.get(name, asked.at) for name in whom.hashes}, now)
    # Their records elsewhere are not to come back as strangers; they are no deletions, and count as none.
    tombstones.purge(db, vault.shop_id, records, now)
    receipt = write_receipt(db, vault.shop_id, asked, counts, points, now, hashes=whom.hashes, keys=keys)
    return Erased(receipt, len(known))


def end(database: Database, keys: KeyStore, now: Instant) -> int:
    """Destroy the keys of every erasure that is committed and not ended; returns how many erasures were."""
    with database.read() as db:
        unended = db.execute(_UNENDED).all()
    for row in unended:
        keys.remember_erased(row.shop_id, [bytes.fromhex(each) for each in row.id_hashes], now)
        keys.destroy_subjects([bytes.fromhex(each) for each in row.key_ids], now)
        with database.write() as db:
            if row.cause == RESEALED:
                db.execute(_FORGET, {"b_id": bytes(row.id)})
            else:
                db.execute(_END, {"b_id": bytes(row.id), "b_now": now})
    return sum(row.cause != RESEALED for row in unended)


def end_keys(db: Connection, shop_id: int, keys: Collection[bytes], now: Instant) -> None:
    """Have keys destroyed by `end` that seal nothing once this is committed: backups may hold what they did."""
    if keys:
        write_receipt(db, shop_id, Asked(RESEALED, now), {}, 0, now, keys=keys)


def points_of(db: Connection, customer_ids: Sequence[bytes]) -> int:
    """The sum of the balances of these customers."""
    return int(db.execute(_POINTS, {"ids": customer_ids}).scalar_one())


def write_receipt(
    db: Connection,
    shop_id: int,
    asked: Asked,
    counts: Mapping[str, int],
    points: int,
    now: Instant,
    *,
    hashes: Sequence[bytes] = (),
    keys: Collection[bytes] | None = None,
) -> bytes:
    """Write the receipt of an erasure, and return its id.

    `keys` are those that are still to be destroyed, which `end` does; without them the erasure has ended already.
    """
    identity = sortable_id(now, os.urandom(10))
    receipt = {
        "id": identity,
        "shop_id": shop_id,
        "cause": asked.cause,
        "position": asked.position,
        "asked_at": asked.at,
        "erased_at": now,
        "id_hashes": [name.hex() for name in hashes],
        "counts": {table: count for table, count in counts.items() if count},
        "key_ids": sorted(key.hex() for key in keys or ()),
        "ended_at": now if keys is None else None,
        "run_id": asked.run_id,
        "points": points,
    }
    db.execute(insert(erasures), receipt)
    return identity


def any_since(db: Connection, since: Instant) -> bool:
    """True if anybody was erased since then."""
    return db.execute(select(erasures.c.id).where(erasures.c.ended_at >= since).limit(1)).first() is not None


def receipts(db: Connection, most: int, behind: bytes | None = None) -> list[Mapping[str, Any]]:
    """The newest receipts of erasures; of those that are older than the one with that id."""
    query = _NEWEST if behind is None else _NEWEST.where(erasures.c.id < behind)
    return [dict(row._mapping) for row in db.execute(query, {"most": most})]


def _take(db: Connection, shop_id: int, entry: Entry, whom: _Subjects) -> int:
    """Delete the rows of one table that lead to these customers; returns how many."""
    table = metadata.tables[entry.table]
    leads = _leads_to(table, shop_id, entry, whom)
    if leads is None:
        return 0
    return db.execute(delete(table).where(leads, *([~_LEFT_ALONE] if table is inbox_table else []))).rowcount


def _leads_to(table: Table, shop_id: int, entry: Entry, whom: _Subjects) -> ColumnElement[bool] | None:
    """The condition that a row leads to one of these customers; None where none of them has a name there.

    Hashes and our ids are of one shop anyway, and naming the shop too would tempt SQLite to walk every row of it.
    """
    columns = [name for name in (entry.subject, entry.other) if name is not None and whom.named(name)]
    if not columns:
        return None
    leads = or_(*(table.c[name].in_(list(whom.named(name))) for name in columns))
    return leads & (table.c.shop_id == shop_id) if not SHOPIFY_IDS.isdisjoint(columns) else leads


def _forget_ids(db: Connection, shop_id: int, whom: _Subjects) -> None:
    """Empty the ids of these customers in the merges that are settled, whose hashes stay; the others are forgotten."""
    for hash_name, id_name in (("deleted_hash", "deleted_id"), ("kept_hash", "kept_id")):
        theirs = (alias_table.c.shop_id == shop_id, alias_table.c[hash_name].in_(list(whom.hashes)))
        db.execute(delete(alias_table).where(*theirs, alias_table.c.state != AliasState.SETTLED.value))
        db.execute(update(alias_table).where(*theirs).values({id_name: None}))


def _withdraw_questions(db: Connection, shop_id: int, whom: _Subjects, now: Instant) -> None:
    """Close what was asked about these customers and their deliveries: there is nothing left to decide."""
    theirs = or_(inbox_table.c.subject_hash.in_(list(whom.hashes)), inbox_table.c.other_hash.in_(list(whom.hashes)))
    parked = select(inbox_table.c.position).where(theirs, inbox_table.c.state == PARKED, ~_LEFT_ALONE)
    names = {id_text(each) for each in whom.customer_ids}
    unheard = questions.waiting_of(db, shop_id, UNHEARD_MERGE)
    named = [each.subject for each in unheard if each.evidence["kept"] in names]
    for kind, subjects in (
        (PARKED_DELIVERY, [str(each) for each in db.execute(parked).scalars()]),
        (UNHEARD_MERGE, [*names, *named]),
        (UNSETTLED_MERGE, [*names]),
    ):
        questions.withdraw(db, shop_id, kind, subjects, now)
