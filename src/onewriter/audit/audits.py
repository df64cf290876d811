"""Audits on record: what each looked at, how much differs, and which evidence it had. No value of anybody's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from onewriter.db.casetables import audits
from onewriter.records import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One audit of a system that came to its end."""

    run_id: str
    shop_id: int
    system: str
    began_at: Instant
    ended_at: Instant | None
    policy_version: int
    constraints: list[Mapping[str, Any]]
    """The six looks at the boundary, with their evidence."""
    counts: Mapping[str, Any]
    known: Mapping[str, bool]
    """Which evidence there was."""


def save(db: Connection, audit: Audit) -> None:
    """Write an audit down, over what an earlier try of the same run has written."""
    db.execute(delete(audits).where(audits.c.run_id == audit.run_id))
    row = {name: getattr(audit, name) for name in Audit.__slots__}
    db.execute(insert(audits).values(**row))


def of_run(db: Connection, run_id: str) -> Audit | None:
    """The audit of a run; None where it has not come to its end."""
    return _audit(db.execute(select(audits).where(audits.c.run_id == run_id)).first())


def newest(db: Connection, shop_id: int, system: str) -> Audit | None:
    """The newest audit of a system."""
    theirs = select(audits).where(audits.c.shop_id == shop_id, audits.c.system == system)
    return _audit(db.execute(theirs.order_by(audits.c.began_at.desc(), audits.c.run_id.desc()).limit(1)).first())


def _audit(row: Row[Any] | None) -> Audit | None:
    return None if row is None else Audit(**row._mapping)
