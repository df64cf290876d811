"""Rates: how often each field changes, and how often it is in trouble, counted out of the field log without opening it.

A change is a write that was accepted, by whichever system and path, of a customer that was known before: a first import
is none, and neither is our own write to a system, which only tells on what changed elsewhere. In trouble is a write
that was refused, a value that waits parked, and a correction by hand of what a system owns. News that came too late is
no trouble. Cases are counted beside it: each of them may be of many customers.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import ColumnElement, Connection, Integer, cast, func, select

from onewriter.customers.log import apart
from onewriter.customers.owned import count as count_customers
from onewriter.db.casetables import cases
from onewriter.db.tables import aliases, field_log, parked_values
from onewriter.records import DAY, Instant, Path
from onewriter.rules.ordering import OLDER
from onewriter.rules.policy import ONEWRITER, SHOPIFY_ID

WEEK: Instant = 7 * DAY
KEY_FIELDS = {"id": SHOPIFY_ID, "email": "email", "phone": "phone"}
"""Key of identity: the field that it is."""
CHURN_MIN = 20
"""Fewer changes of a key say nothing of how often it changes."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many lines of the log are alike: one system, path, fields and outcome."""

    system: str
    path: Path
    fields: tuple[str, ...]
    accepted: bool
    reason: str | None
    is_change: bool
    """Whether it tells of values before and after, which the first that is heard of a customer does not, and is not our
    own write."""
    lines: int
    nameless: int
    """Lines that do not tell who wrote."""
    last: Instant


@dataclass(slots=True)
class FieldRate:
    """How often one field changed and was in trouble."""

    name: str
    by: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(system, path): changes."""
    refused: int = 0
    parked: int = 0
    by_hand: int = 0
    cases: int = 0
    """Cases that were opened."""

    @property
    def changes(self) -> int:
        """How often it changed, whoever wrote it."""
        return self.by.total()

    @property
    def trouble(self) -> int:
        """How often it wanted a hand."""
        return self.refused + self.parked + self.by_hand

    @property
    def is_in_trouble(self) -> bool:
        """Whether there is anything to say of it."""
        return bool(self.trouble or self.cases)

    @property
    def per_100(self) -> float | None:
        """Troubles for a hundred changes; None where nothing changed."""
        return 100 * self.trouble / self.changes if self.changes else None


@dataclass(frozen=True)
class Rates:
    """The rates of a shop's fields over some days."""

    fields: Mapping[str, FieldRate]
    customers: int
    days: int
    merges: int
    """Customers who were merged into others."""

    def weekly(self, changes: int) -> float:
        """So many changes a customer and week; 0 for a shop without customers."""
        return changes * WEEK / (self.days * DAY) / self.customers if self.customers else 0.0

    @cached_property
    def by_change(self) -> list[FieldRate]:
        """Those that change most first."""
        return sorted(self.fields.values(), key=lambda each: (-each.changes, each.name))

    @cached_property
    def by_trouble(self) -> list[FieldRate]:
        """Those that are in trouble most for each change first; what is in trouble without a change is before them."""
        troubled = [each for each in self.fields.values() if each.is_in_trouble]
        return sorted(
            troubled,
            key=lambda each: (each.per_100 is not None, -(each.per_100 or 0), -each.trouble, -each.cases, each.name),
        )


def tallies(db: Connection, shop_id: int, since: Instant) -> list[Tally]:
    """The lines of a shop's log since then, counted by what they have in common; one pass over the log."""
    log = field_log.c
    is_change: ColumnElement[int] = cast(log.digests.is_not(None) & (log.writer != ONEWRITER), Integer)
    alike = (log.system, log.path, log.fields, log.accepted, log.reason, is_change)
    nameless = func.sum(cast(log.writer.in_(("", "unknown")), Integer))
    query = (
        select(*alike, func.count(), nameless, func.max(log.heard_at))
        .where(log.shop_id == shop_id, log.heard_at >= since)
        .group_by(*alike)
    )
    return [
        Tally(system, Path(path), tuple(apart(names)), accepted, reason, bool(change), lines, int(without), last)
        for system, path, names, accepted, reason, change, lines, without, last in db.execute(query)
    ]


def of_shop(db: Connection, shop_id: int, since: Instant, days: int) -> Rates:
    """How often each field changed and was in trouble since then, which is so many days ago."""
    found: dict[str, FieldRate] = {}
    add_lines(found, tallies(db, shop_id, since))
    waits = select(parked_values.c.field, func.count()).where(
        parked_values.c.shop_id == shop_id, parked_values.c.ended_at.is_(None)
    )
    for name, count in db.execute(waits.group_by(parked_values.c.field)):
        found.setdefault(name, FieldRate(name)).parked = count
    opened = select(cases.c.field, func.count()).where(cases.c.shop_id == shop_id, cases.c.opened_at >= since)
    for name, count in db.execute(opened.group_by(cases.c.field)):
        found.setdefault(name, FieldRate(name)).cases = count
    merges = select(func.count()).where(aliases.c.shop_id == shop_id, aliases.c.settled_at >= since)
    return Rates(found, count_customers(db, shop_id), days, db.execute(merges).scalar_one())


def weekly_share(rate: FieldRate | None, people: int, days: int) -> float | None:
    """The share of the customers whose value of a key changes in a week; None where that cannot be told."""
    if rate is None or rate.changes < CHURN_MIN or not people:
        return None
    return rate.changes * 7 / days / people


def add_lines(found: dict[str, FieldRate], lines: Sequence[Tally]) -> None:
    """Count lines to the fields that they tell of."""
    for each in lines:
        for name in each.fields:
            rate = found.setdefault(name, FieldRate(name))
            if each.path is Path.HAND and each.reason is not None:
                # It went to the system that owns the field, or nowhere; what people own they simply write.
                rate.by_hand += each.lines
            elif not each.accepted:
                rate.refused += each.lines if each.reason != OLDER else 0
            elif each.is_change:
                rate.by[each.system, each.path.value] += each.lines
