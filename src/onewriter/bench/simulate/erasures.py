"""What must be gone once Shopify had us redact a customer: every row that leads there, and the key that sealed them."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Column, Connection, LargeBinary, Table, func, or_, select

from onewriter.bench.simulate.truth import REDACT, merged_on, redactions
from onewriter.customers import shops, tombstones
from onewriter.db.keytables import subject_keys
from onewriter.db.tables import customers, erasures, inbox, metadata
from onewriter.runtime import Runtime
from onewriter.sandbox import Delivery, Shop
from onewriter.vault.vault import ShopVault

REFUSED = "refused: "
OURS = ("customer_id", "origin_id")
"""Columns that lead to a customer by our id. A receipt of a merge keeps naming both, and tells nothing else of them."""


def erased(runtime: Runtime, shop: Shop) -> dict[int, Delivery]:
    """Who was erased, with the delivery that asked for it: the redacted, and whoever had been merged into them."""
    told = redactions(shop)
    merged = {merge.deleted: merged_on(shop, merge.deleted) for merge in shop.merges.all()}
    with runtime.database.read() as db:
        (ours,) = shops.every(db)
        buried = tombstones.purged(db, runtime.vault(ours.id), merged)
    # A merge that we had not settled by then is not followed, so that only ours tells who went along.
    along = {number: told[into] for number in sorted(buried) for into in merged[number] if into in told}
    return told | along


def have_ended(runtime: Runtime) -> bool:
    """True when no erasure waits for its keys to be destroyed."""
    with runtime.database.read() as db:
        return not _count(db, erasures.c.id, erasures.c.ended_at.is_(None))


def remains(runtime: Runtime, shop: Shop) -> list[str]:
    """What is left of those who were erased, in words."""
    gone = erased(runtime, shop)
    with runtime.database.read() as db:
        (ours,) = shops.every(db)
        vault = runtime.vault(ours.id)
        counted = dict(_named(db, gone)) | dict(_orphans(db)) | {"inbox": _deliveries(db, vault, gone)}
        counted["tombstones that are not there"] = len(gone.keys() - tombstones.purged(db, vault, gone))
        removed = sum(counts.get("customers", 0) for counts in db.execute(select(erasures.c.counts)).scalars())
    counted["keys"] = removed - _destroyed(runtime)
    return [f"of those who were erased, {number} x {what} is left" for what, number in counted.items() if number]


def _named(db: Connection, gone: Mapping[int, Delivery]) -> Iterator[tuple[str, int]]:
    """How many rows of each table name somebody erased by Shopify's id, in whatever column."""
    numbers = [str(number) for number in gone]
    for table in metadata.sorted_tables:
        texts = (" ".join(map(str, row)) for row in db.execute(select(*_readable(table))))
        yield f"{table.name} with the id", sum(any(number in text for number in numbers) for text in texts)


def _readable(table: Table) -> list[Column[Any]]:
    return [column for column in table.c if not isinstance(column.type, LargeBinary)]


def _orphans(db: Connection) -> Iterator[tuple[str, int]]:
    """How many rows of each table lead to a customer who is not there any more."""
    for table in metadata.sorted_tables:
        for column in (table.c[name] for name in OURS if name in table.c):
            left = _count(db, column, column.is_not(None), column.not_in(select(customers.c.id)))
            yield f"{table.name}.{column.name}", left


def _deliveries(db: Connection, vault: ShopVault, gone: Mapping[int, Delivery]) -> int:
    """How many deliveries are left that have a body, or that were taken up before the redaction of their customer.

    One that still waited then may stay, and be refused in its turn.
    """
    asked = select(inbox.c.webhook_id, inbox.c.position).where(inbox.c.topic == REDACT)
    positions = {row.webhook_id: row.position for row in db.execute(asked)}
    since = {vault.key.id_hash(number): positions.get(sent.webhook_id, 0) for number, sent in gone.items()}
    theirs = or_(inbox.c.subject_hash.in_(list(since)), inbox.c.other_hash.in_(list(since)))
    left = 0
    for row in db.execute(select(inbox).where(theirs)):
        latest = max(since.get(bytes(each or b""), 0) for each in (row.subject_hash, row.other_hash))
        is_done = row.topic != REDACT and not (row.outcome or "").startswith(REFUSED)
        left += row.box is not None or (is_done and row.position < latest)
    return left


def _destroyed(runtime: Runtime) -> int:
    """How many customers' keys are destroyed. Keys that nothing is sealed with do not count: a crash may leave some."""
    with runtime.database.read() as db:
        present = set(map(bytes, db.execute(select(customers.c.id)).scalars()))
    with runtime.key_database.read() as db:
        ended = set(map(bytes, db.execute(select(subject_keys.c.id).where(subject_keys.c.wrapped.is_(None))).scalars()))
    return len(ended - present)


def _count(db: Connection, column: object, *conditions: object) -> int:
    counted: int = db.execute(select(func.count(column)).where(*conditions)).scalar_one()  # type: ignore[arg-type]
    return counted
