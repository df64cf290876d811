"""Erasing customers: every row that leads to them, by the register, and then the keys that sealed those rows.

Rows before keys: the caller's transaction takes the rows and writes a receipt that names the keys, and only once that
is committed are they destroyed. A process that dies in between leaves the receipt open, and whoever comes next ends it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, insert, not_, or_, select, update

from onewriter.customers import aliases, questions
from onewriter.customers.aliases import UNHEARD_MERGE, UNSETTLED_MERGE
from onewriter.customers.inbox import DONE, PARKED, PARKED_DELIVERY
from onewriter.db.engine import Database
from onewriter.db.register import REGISTER, Entry
from onewriter.db.tables import aliases as alias_table
from onewriter.db.tables import customers, erasures, inbox, metadata, sides, tombstones
from onewriter.records import Instant, id_text, sortable_id
from onewriter.rules.aliasing import AliasState
from onewriter.vault.keystore import KeyStore
from onewriter.vault.vault import ShopVault

CHUNK = 500

_UNENDED = select(erasures.c.id, erasures.c.key_ids).where(erasures.c.ended_at.is_(None))
_END = update(erasures).where(erasures.c.id == bindparam("b_id")).values(key_ids=[], ended_at=bindparam("b_now"))
_NEWEST = select(erasures).order_by(erasures.c.id.desc()).limit(bindparam("most"))
_BURIED = select(tombstones.c.id_hash).where(
    tombstones.c.shop_id == bindparam("shop_id"), tombstones.c.id_hash.in_(bindparam("hashes", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What asked for an erasure."""

    cause: str
    at: Instant
    """By Shopify's clock."""
    position: int | None = None
    """The delivery that asked for it, which stays in the inbox without its body."""


@dataclass(frozen=True, slots=True)
class _Subjects:
    """The customers that are erased, by each of the names that a table can have for them."""

    shopify_ids: Sequence[int]
    hashes: Sequence[bytes]
    customer_ids: Sequence[bytes]

    def named(self, column: str) -> Sequence[Any]:
        """What to look for in a column that leads to a customer."""
        if column == "shopify_id":
            return self.shopify_ids
        return self.hashes if column.endswith("_hash") else self.customer_ids


def with_merged(db: Connection, vault: ShopVault, shopify_id: int) -> list[int]:
    """A customer and all that were merged away into it, one merge after the other."""
    found = [shopify_id]
    for each in found:
        found.extend(number for number in aliases.merged_away(db, vault, each) if number not in found)
    return found


def erase(db: Connection, vault: ShopVault, shopify_ids: Sequence[int], asked: Asked, now: Instant) -> int:
    """Take every row that leads to these customers, in the caller's transaction and under their locks.

    Leaves a tombstone for each id, so that nothing is ever taken up of it again, and a receipt. Returns how many
    customers there were. `end` must follow once this is committed: until then their keys are there.
    """
    names = [vault.key.id_hash(number) for number in shopify_ids]
    ours = select(customers.c.id).where(
        customers.c.shop_id == vault.shop_id, customers.c.shopify_id.in_(list(shopify_ids))
    )
    known = [bytes(each) for each in db.execute(ours).scalars()]
    whom = _Subjects(shopify_ids, names, known)
    keys = _keys_of(db, known)
    _withdraw_questions(db, vault.shop_id, whom, now)
    counts = {
        entry.table: _take(db, vault.shop_id, entry, whom, asked) for entry in REGISTER if entry.purge == "delete"
    }
    _forget_ids(db, vault.shop_id, whom)
    _bury(db, vault.shop_id, names, asked.at, now)
    _write_receipt(db, vault.shop_id, whom, keys, counts, asked, now)
    return len(known)


def end(database: Database, keys: KeyStore, now: Instant) -> int:
    """Destroy the keys of every erasure that is committed and not ended; returns how many erasures were."""
    with database.read() as db:
        unended = [(bytes(row.id), [bytes.fromhex(each) for each in row.key_ids]) for row in db.execute(_UNENDED)]
    for identity, key_ids in unended:
        keys.destroy_subjects(key_ids, now)
        with database.write() as db:
            db.execute(_END, {"b_id": identity, "b_now": now})
    return len(unended)


def receipts(db: Connection, most: int) -> list[Mapping[str, Any]]:
    """The newest receipts of erasures."""
    return [dict(row._mapping) for row in db.execute(_NEWEST, {"most": most})]


def _keys_of(db: Connection, customer_ids: Sequence[bytes]) -> list[bytes]:
    """The keys of these customers, and of the records of other systems that belong to them."""
    query = select(sides.c.key_id).where(sides.c.customer_id.in_(list(customer_ids)))
    return sorted({*customer_ids, *(bytes(each) for each in db.execute(query).scalars())})


def _take(db: Connection, shop_id: int, entry: Entry, whom: _Subjects, asked: Asked) -> int:
    """Delete the rows of one table that lead to these customers; returns how many."""
    table = metadata.tables[entry.table]
    conditions = [table.c.shop_id == shop_id, _leads_to(table, entry, whom)]
    if table is inbox:
        db.execute(update(inbox).where(inbox.c.position == asked.position).values(box=None))
        # Whatever asked for an erasure stays on record, without its body.
        asked_before = and_(inbox.c.topic == asked.cause, inbox.c.state == DONE)
        conditions += [inbox.c.position != (asked.position or 0), not_(asked_before)]
    return db.execute(delete(table).where(*conditions)).rowcount


def _leads_to(table: Table, entry: Entry, whom: _Subjects) -> ColumnElement[bool]:
    columns = [name for name in (entry.subject, entry.other) if name is not None]
    return or_(*(table.c[name].in_(list(whom.named(name))) for name in columns))


def _forget_ids(db: Connection, shop_id: int, whom: _Subjects) -> None:
    """Empty the ids of these customers in the merges that are settled, whose hashes stay; the others are forgotten."""
    either = or_(*(alias_table.c[name].in_(list(whom.hashes)) for name in ("deleted_hash", "kept_hash")))
    unsettled = alias_table.c.state != AliasState.SETTLED.value
    db.execute(delete(alias_table).where(alias_table.c.shop_id == shop_id, either, unsettled))
    for name, hash_name in (("deleted_id", "deleted_hash"), ("kept_id", "kept_hash")):
        theirs = alias_table.c[hash_name].in_(list(whom.hashes))
        db.execute(update(alias_table).where(alias_table.c.shop_id == shop_id, theirs).values({name: None}))


def _withdraw_questions(db: Connection, shop_id: int, whom: _Subjects, now: Instant) -> None:
    """Close what was asked about these customers and their deliveries: there is nothing left to decide."""
    theirs = or_(inbox.c.subject_hash.in_(list(whom.hashes)), inbox.c.other_hash.in_(list(whom.hashes)))
    parked = select(inbox.c.position).where(inbox.c.shop_id == shop_id, inbox.c.state == PARKED, theirs)
    names = [id_text(each) for each in whom.customer_ids]
    for kind, subjects in (
        (PARKED_DELIVERY, [str(each) for each in db.execute(parked).scalars()]),
        (UNHEARD_MERGE, names),
        (UNSETTLED_MERGE, names),
    ):
        questions.withdraw(db, shop_id, kind, subjects, now)


def _bury(db: Connection, shop_id: int, names: Sequence[bytes], asked_at: Instant, now: Instant) -> None:
    """A tombstone for each id, whether we held it or not; one that is there says from now on that it was erased."""
    known = {bytes(each) for each in db.execute(_BURIED, {"shop_id": shop_id, "hashes": list(names)}).scalars()}
    these = (tombstones.c.shop_id == shop_id, tombstones.c.id_hash.in_(list(known)))
    db.execute(update(tombstones).where(*these, tombstones.c.purged_at.is_(None)).values(purged_at=now))
    fresh = [
        {"shop_id": shop_id, "id_hash": name, "deleted_at": asked_at, "heard_at": now, "purged_at": now}
        for name in names
        if name not in known
    ]
    if fresh:
        db.execute(insert(tombstones), fresh)


def _write_receipt(
    db: Connection,
    shop_id: int,
    whom: _Subjects,
    keys: Sequence[bytes],
    counts: Mapping[str, int],
    asked: Asked,
    now: Instant,
) -> None:
    receipt = {
        "id": sortable_id(now, os.urandom(10)),
        "shop_id": shop_id,
        "cause": asked.cause,
        "position": asked.position,
        "asked_at": asked.at,
        "erased_at": now,
        "id_hashes": [name.hex() for name in whom.hashes],
        "counts": {table: count for table, count in counts.items() if count},
        "key_ids": [key.hex() for key in keys],
    }
    db.execute(insert(erasures), receipt)
