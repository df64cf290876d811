"""Findings: one field, or the whole, of one customer in one system that is not as it should be, with the reason."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Any

from sqlalchemy import Connection, Select, Update, bindparam, distinct, func, insert, or_, select, update

from onewriter.db.tables import customers, findings
from onewriter.records import SHOPIFY, Instant, sortable_id

CHUNK = 500

_THESE = select(findings.c.id).where(findings.c.id.in_(bindparam("ids", expanding=True)))

# Built once: orders ask it for every batch.
_IDS = select(customers.c.id, customers.c.shopify_id).where(
    customers.c.shop_id == bindparam("shop_id"), customers.c.shopify_id.in_(bindparam("ids", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and the probable reason. The evidence never holds a value."""

    kind: str
    reason: str
    customer_id: bytes | None = None
    field: str | None = None
    evidence: Mapping[str, Any] = field_of(default_factory=dict)
    system: str = SHOPIFY
    run_id: str | None = None


def add(db: Connection, shop_id: int, finding: Finding, now: Instant, *, healed_at: Instant | None = None) -> None:
    """Write a finding down; `healed_at` is given for one that is healed in the same transaction."""
    values = {"id": sortable_id(now, os.urandom(10)), "shop_id": shop_id, "customer_id": finding.customer_id}
    values |= {"system": finding.system, "field": finding.field, "kind": finding.kind, "reason": finding.reason}
    values |= {"run_id": finding.run_id, "found_at": now, "healed_at": healed_at}
    db.execute(insert(findings).values(**values, evidence=dict(finding.evidence)))


def add_once(db: Connection, shop_id: int, found: Mapping[bytes, Finding], now: Instant) -> int:
    """Write findings down under ids that say what they are about; one that is there is left alone. Returns how many.

    So a run that is taken over, and finds the same again, reports nothing twice.
    """
    known = {bytes(each) for each in _in_chunks(db, _THESE, list(found))}
    fresh = [
        {"id": name, "shop_id": shop_id, "customer_id": each.customer_id, "system": each.system, "field": each.field}
        | {"kind": each.kind, "reason": each.reason, "evidence": dict(each.evidence), "run_id": each.run_id}
        | {"found_at": now}
        for name, each in found.items()
        if name not in known
    ]
    if fresh:
        db.execute(insert(findings), fresh)
    return len(fresh)


def heal_customers(
    db: Connection, shop_id: int, customer_ids: Sequence[bytes], kinds: Collection[str], now: Instant
) -> None:
    """Say that these customers are now as the shop has them: nothing of these kinds that was ever found is left."""
    for start in range(0, len(customer_ids), CHUNK):
        some = findings.c.customer_id.in_(customer_ids[start : start + CHUNK])
        db.execute(_open(shop_id, kinds).where(some).values(healed_at=now))


def heal_read(db: Connection, shop_id: int, shopify_ids: Sequence[int], kinds: Collection[str], now: Instant) -> None:
    """The same of customers by their Shopify ids; whom we do not know has no findings."""
    for start in range(0, len(shopify_ids), CHUNK):
        known = select(customers.c.id).where(
            customers.c.shop_id == shop_id, customers.c.shopify_id.in_(shopify_ids[start : start + CHUNK])
        )
        db.execute(_open(shop_id, kinds).where(findings.c.customer_id.in_(known)).values(healed_at=now))


def heal_earlier(db: Connection, shop_id: int, run_id: str, kinds: Collection[str], now: Instant) -> None:
    """Say that what earlier runs found is healed, but for what this run, which looked at everybody, still found."""
    still = select(findings.c.customer_id).where(
        findings.c.run_id == run_id, findings.c.healed_at.is_(None), findings.c.customer_id.is_not(None)
    )
    earlier = _open(shop_id, kinds).where(
        findings.c.run_id != run_id, or_(findings.c.customer_id.is_(None), findings.c.customer_id.not_in(still))
    )
    db.execute(earlier.values(healed_at=now))


def _open(shop_id: int, kinds: Collection[str]) -> Update:
    return update(findings).where(
        findings.c.shop_id == shop_id, findings.c.kind.in_(sorted(kinds)), findings.c.healed_at.is_(None)
    )


def of_run(db: Connection, run_id: str) -> list[Mapping[str, Any]]:
    """What a run found, oldest first."""
    rows = db.execute(select(findings).where(findings.c.run_id == run_id).order_by(findings.c.found_at, findings.c.id))
    return [dict(row._mapping) for row in rows]


def count_of_run(db: Connection, run_id: str, kinds: Collection[str]) -> dict[str, int]:
    """How many findings of these kinds a run has for each reason."""
    query = select(findings.c.reason, func.count().label("number")).where(
        findings.c.run_id == run_id, findings.c.kind.in_(sorted(kinds))
    )
    return {row.reason: row.number for row in db.execute(query.group_by(findings.c.reason))}


def customers_of_run(db: Connection, run_id: str, kinds: Collection[str]) -> dict[tuple[str, bool], int]:
    """How many customers a run has findings of, for each of these kinds and whether they are healed."""
    # One that we do not know has no id of ours, and one finding.
    whom = func.count(distinct(func.coalesce(findings.c.customer_id, findings.c.id)))
    healed = findings.c.healed_at.is_not(None)
    query = select(findings.c.kind, healed, whom).where(findings.c.run_id == run_id, findings.c.kind.in_(sorted(kinds)))
    return {(kind, bool(over)): number for kind, over, number in db.execute(query.group_by(findings.c.kind, healed))}


@dataclass(frozen=True, slots=True)
class Open:
    """A finding whose reason may yet prove to be another."""

    id: bytes
    shopify_id: int
    evidence: Mapping[str, Any]


def with_reason(
    db: Connection, shop_id: int, reason: str, kinds: Collection[str], since: Instant, *, after: bytes, most: int
) -> list[Open]:
    """The findings of that reason since then, of customers that we still know by a Shopify id; from behind `after`."""
    query = (
        select(findings.c.id, customers.c.shopify_id, findings.c.evidence)
        .join(customers, customers.c.id == findings.c.customer_id)
        .where(findings.c.shop_id == shop_id, findings.c.reason == reason, findings.c.kind.in_(sorted(kinds)))
        .where(findings.c.found_at >= since, customers.c.shopify_id.is_not(None))
        .where(findings.c.id > after)
        .order_by(findings.c.id)
        .limit(most)
    )
    return [Open(bytes(row.id), row.shopify_id, row.evidence) for row in db.execute(query)]


def newest_reason(db: Connection, customer_id: bytes, kind: str, since: Instant) -> str | None:
    """The reason of a customer's newest finding of that kind, if there is one since then."""
    wanted = select(findings.c.reason).where(
        findings.c.customer_id == customer_id, findings.c.kind == kind, findings.c.found_at >= since
    )
    return db.execute(wanted.order_by(findings.c.found_at.desc()).limit(1)).scalar()


def change_reason(db: Connection, finding_id: bytes, reason: str, evidence: Mapping[str, Any]) -> None:
    """Give a finding another reason."""
    db.execute(update(findings).where(findings.c.id == finding_id).values(reason=reason, evidence=dict(evidence)))


def heal_hidden(db: Connection, shop_id: int, kind: str, now: Instant) -> None:
    """Say that findings of that kind are healed whose customer is hidden since: somebody else saw to it."""
    hidden = select(customers.c.id).where(customers.c.shop_id == shop_id, customers.c.deleted_at.is_not(None))
    db.execute(_open(shop_id, (kind,)).where(findings.c.customer_id.in_(hidden)).values(healed_at=now))


def _in_chunks(db: Connection, query: Select[Any], ids: Sequence[bytes]) -> Iterator[Any]:
    for start in range(0, len(ids), CHUNK):
        yield from db.execute(query, {"ids": ids[start : start + CHUNK]}).scalars()


def customer_id_of(db: Connection, shop_id: int, shopify_id: int) -> bytes | None:
    """Our id of a Shopify customer; None for one that we do not know."""
    wanted = select(customers.c.id).where(customers.c.shop_id == shop_id, customers.c.shopify_id == shopify_id)
    return db.execute(wanted).scalar()


def customer_ids_of(db: Connection, shop_id: int, shopify_ids: Collection[int]) -> dict[int, bytes]:
    """Our ids of those of these Shopify customers that we know, by Shopify's."""
    wanted, found = sorted(shopify_ids), {}
    for start in range(0, len(wanted), CHUNK):
        for row in db.execute(_IDS, {"shop_id": shop_id, "ids": wanted[start : start + CHUNK]}):
            found[row.shopify_id] = bytes(row.id)
    return found


def shopify_id_of(db: Connection, shop_id: int, customer_id: bytes) -> int | None:
    """The Shopify id of a customer of ours; None for one that is not there any more."""
    wanted = select(customers.c.shopify_id).where(customers.c.shop_id == shop_id, customers.c.id == customer_id)
    return db.execute(wanted).scalar()


def open_of(db: Connection, shop_id: int, kind: str) -> dict[bytes, Mapping[str, Any]]:
    """The evidence of each finding of that kind in the shop that is not healed, by the finding's id."""
    wanted = select(findings.c.id, findings.c.evidence).where(
        findings.c.shop_id == shop_id, findings.c.kind == kind, findings.c.healed_at.is_(None)
    )
    return {bytes(row.id): row.evidence for row in db.execute(wanted)}


def heal(db: Connection, finding_ids: Collection[bytes], now: Instant) -> None:
    """Write down that these findings are healed."""
    for finding_id in finding_ids:
        db.execute(update(findings).where(findings.c.id == finding_id).values(healed_at=now))
