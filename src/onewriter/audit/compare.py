"""Comparing what Shopify says of a customer with what our side says, field by field, in canonical values.

None of it asks how changes are applied: two values are equal or they are not, and a side that was told something newer
than what it is compared with is no disagreement.
"""

from dataclasses import dataclass
from enum import StrEnum

from onewriter.customers.profiles import DELETED, KEPT, MERGED, Side
from onewriter.records import PROFILE_FIELDS, READ_FIELDS, SECOND, Change, Instant, Kind

HIDDEN = frozenset((DELETED, MERGED, KEPT))
"""The states of customers that Shopify has no more."""
GRACE: Instant = 120 * SECOND
"""How far Shopify's clock and ours may differ before the newer of two is taken for that."""


class Ill(StrEnum):
    """What can be wrong with a customer."""

    DRIFT = "drift"  # a field of it differs
    MISSING = "missing here"  # Shopify has it, and we never heard of it
    UNDELETED = "not deleted here"  # Shopify has it no more
    HIDDEN = "hidden here"  # we hold it for deleted or merged, and Shopify has it


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong with one customer; `fields` are those that differ, of a drift."""

    ill: Ill
    fields: tuple[str, ...] = ()


def unequal(side: Side, told: Change) -> tuple[str, ...]:
    """The fields that Shopify says otherwise; one that was not said, or was denied to us, is none of them."""
    return tuple(name for name, value in told.fields.items() if side.fields.get(name) != value)


def row_is_older(side: Side, row: Change, fields: tuple[str, ...]) -> bool:
    """True when our side was told of all these fields later than a row of a file or page was written."""
    profile = side.version > (row.version or 0)
    read = side.read_began is not None and side.read_began > row.heard
    return all(profile if name in PROFILE_FIELDS else read for name in fields)


def judge(side: Side | None, read: Change) -> Difference | None:
    """What is wrong with our side in the light of a direct read, or None; the side is as it stands after the read."""
    if read.kind is Kind.ABSENT:
        if side is not None and side.read_began is not None and side.read_began > read.heard:
            return None  # somebody has seen the customer since
        return Difference(Ill.UNDELETED) if side is not None and side.state not in HIDDEN else None
    if side is None:
        return Difference(Ill.MISSING)
    if side.state in HIDDEN:
        told_since = side.deleted is not None and side.deleted >= read.heard
        return None if told_since else Difference(Ill.HIDDEN)
    comparable = _older_fields(side, read)
    fields = tuple(name for name in unequal(side, read) if name in comparable)
    return Difference(Ill.DRIFT, fields) if fields else None


def _older_fields(side: Side, read: Change) -> frozenset[str]:
    """The fields of which our side was told nothing newer than the read.

    A newer version that was told long before the read began is no such thing: Shopify has taken it back, or it never
    was.
    """
    newer = (side.version, side.heard) > (read.version or 0, read.heard) and side.heard > read.heard - GRACE
    tags = side.read_began is None or side.read_began <= read.heard
    return frozenset((() if newer else PROFILE_FIELDS) + (READ_FIELDS if tags else ()))


def is_young(read: Change, grace: Instant) -> bool:
    """True when Shopify changed the customer a moment before the read, so that we may still be told of it."""
    consents: list[Instant] = [value["at"] for value in read.fields.values() if isinstance(value, dict) and value["at"]]
    return max([read.version or 0, *consents]) > read.heard - grace
