"""Findings: one field, or the whole, of one customer in one system that is not as it should be, with the reason."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Any

from sqlalchemy import Connection, func, insert, select

from onewriter.db.tables import customers, findings
from onewriter.records import SHOPIFY, Instant, sortable_id


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and the probable reason. The evidence never holds a value."""

    kind: str
    reason: str
    customer_id: bytes | None = None
    field: str | None = None
    evidence: Mapping[str, Any] = field_of(default_factory=dict)
    system: str = SHOPIFY


def add(db: Connection, shop_id: int, finding: Finding, now: Instant) -> None:
    """Write a finding down."""
    values = {"id": sortable_id(now, os.urandom(10)), "shop_id": shop_id, "customer_id": finding.customer_id}
    values |= {"system": finding.system, "field": finding.field, "kind": finding.kind, "reason": finding.reason}
    db.execute(insert(findings).values(**values, evidence=dict(finding.evidence), found_at=now))


def customer_id_of(db: Connection, shop_id: int, shopify_id: int) -> bytes | None:
    """Our id of a Shopify customer; None for one that we do not know."""
    wanted = select(customers.c.id).where(customers.c.shop_id == shop_id, customers.c.shopify_id == shopify_id)
    return db.execute(wanted).scalar()


def count(db: Connection) -> int:
    """How many findings are not healed."""
    waiting: int = db.execute(
        select(func.count()).select_from(findings).where(findings.c.healed_at.is_(None))
    ).scalar_one()
    return waiting
