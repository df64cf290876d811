"""Retention: how long a deleted customer stays, and how many may be purged before a person is asked."""

from onewriter.records import DAY, Instant

DAYS = 90
"""The days between a deletion and the purge, unless the shop has others."""
DAYS_MIN, DAYS_MAX = 1, 3650
MASS_MIN = 100
MASS_PERCENT = 2


def purge_at(deleted_at: Instant, days: int) -> Instant:
    """From when on a deleted customer may be purged: that many times 24 hours after the deletion, whatever the zone."""
    return deleted_at + days * DAY


def mass_limit(customers: int) -> int:
    """How many of a shop's customers one run may purge by itself; more would be the work of a fault, or of a clock."""
    return max(MASS_MIN, customers * MASS_PERCENT // 100)
