"""The evidence of a boundary without a fault, and what a test changes of it."""

from typing import Any

from onewriter.records import DAY, Instant
from onewriter.rules.evidence import Evidence, FieldEvidence, KeyEvidence, LogEvidence, Outcome
from onewriter.rules.policy import Direction

NOW: Instant = 100 * DAY
PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN


def carried(name: str = "phone", **changes: Any) -> FieldEvidence:
    """A field that Shopify owns and the CRM is told of, without a fault."""
    given: dict[str, Any] = {"owner": "shopify", "writers": ("shopify",), "remote": name, "direction": Direction.OUT}
    return FieldEvidence(name=name, **given | {"is_there": True, "may_be_written": True} | changes)


def read(name: str = "tier", **changes: Any) -> FieldEvidence:
    """A field that the CRM owns."""
    return carried(name, **{"owner": "crm", "writers": ("crm",), "direction": Direction.IN} | changes)


def left(name: str, **changes: Any) -> FieldEvidence:
    """A field that is not mapped."""
    return FieldEvidence(name=name, owner="shopify", writers=("shopify",), **changes)


def keyed(**changes: Any) -> KeyEvidence:
    given: dict[str, Any] = {"keys": ("id", "email"), "mapped": ("id", "email"), "records": 100, "linked": 95}
    return KeyEvidence(**given | {"review": 5, "by": {"email": 80, "id": 15}} | changes)


def logged(**changes: Any) -> LogEvidence:
    given: dict[str, Any] = {"lines": 100, "nameless": 5, "changed": 100, "unexplained": 5, "began_at": 10 * DAY}
    return LogEvidence(**given | {"complete_at": 10 * DAY} | changes)


def known(*fields: FieldEvidence, **changes: Any) -> Evidence:
    given: dict[str, Any] = {"system": "crm", "now": NOW, "keys": keyed(), "log": logged(), "free": ()}
    return Evidence(fields=fields, **given | changes)
