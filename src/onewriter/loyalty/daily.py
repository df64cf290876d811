"""How many points a shop issued and took back each day, by when they were posted."""

from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select

from onewriter.db.pointtables import entries
from onewriter.records import DAY, EntryKind, Instant, sortable_id

SPENDING = (EntryKind.REDEEM.value,)
ENDING = (EntryKind.EXPIRE.value,)
LEAST = bytes(10)


@dataclass(frozen=True, slots=True)
class Day:
    """The points of one UTC day, each a number of points from 0 on."""

    day: int
    """Days since 1970."""
    issued: int
    """Earned, adjusted upwards and lifted, less what was reversed or corrected downwards."""
    spent: int
    expired: int


def by_day(db: Connection, shop_id: int, since: Instant) -> list[Day]:
    """The points of each day from `since` on, the oldest first; a day without any is left out.

    It reads the entries that were posted since then alone, by their ids, which are in the order of time.
    """
    day = entries.c.posted_at // DAY
    of = {"spent": entries.c.kind.in_(SPENDING), "expired": entries.c.kind.in_(ENDING)}
    issued = ~entries.c.kind.in_((*SPENDING, *ENDING))
    summed = [
        func.sum(case((issued, entries.c.points), else_=0)).label("issued"),
        *(func.sum(case((which, -entries.c.points), else_=0)).label(name) for name, which in of.items()),
    ]
    query = select(day.label("day"), *summed).where(
        entries.c.shop_id == shop_id, entries.c.id >= sortable_id(since, LEAST), entries.c.dropped_by.is_(None)
    )
    rows = db.execute(query.group_by(day).order_by(day))
    return [Day(int(row.day), int(row.issued), int(row.spent), int(row.expired)) for row in rows]
