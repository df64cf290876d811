"""Absence: customers of ours that a whole file of the shop does not name.

Being absent only nominates them; a direct read by id must find nobody. And when many are gone at once, a person says
first whether that can be.
"""

from array import array
from collections.abc import Iterator
from itertools import islice
from operator import le

from sqlalchemy import Connection

from onewriter.customers import find, marks, questions
from onewriter.customers.questions import Ask
from onewriter.db.engine import Database
from onewriter.records import Instant

MISSING_CUSTOMERS = "missing customers"
"""The kind of question that a mass of confirmed absences asks."""
SUBJECT = "absence"
LIMIT_LEAST = 20
LIMIT_SHARE = 100
"""One in so many active customers."""
IDS_AT_ONCE = 10_000


def limit_of(active: int) -> int:
    """How many customers one run may find gone, and hide, without asking."""
    return max(LIMIT_LEAST, active // LIMIT_SHARE)


def absent(database: Database, shop_id: int, listed: "array[int]", before: Instant) -> Iterator[int]:
    """The active customers, made before that, whom a file does not list; `listed` need not be in order.

    Two walks in the order of the ids, so that it takes no more memory than the ids themselves.
    """
    ordered = listed if _is_ordered(listed) else array("q", sorted(listed))
    place, last = 0, 0
    while True:
        with database.read() as db:
            ours = find.active_ids(db, shop_id, before, last, IDS_AT_ONCE)
        for number in ours:
            while place < len(ordered) and ordered[place] < number:
                place += 1
            if place == len(ordered) or ordered[place] != number:
                yield number
        if len(ours) < IDS_AT_ONCE:
            return
        last = ours[-1]


def _is_ordered(numbers: "array[int]") -> bool:
    # As Shopify writes its files; sorting a million takes five times the memory of the ids for a moment.
    return all(map(le, numbers, islice(numbers, 1, None)))


def ask(db: Connection, shop_id: int, missing: int, active: int, run_id: str, now: Instant) -> None:
    """Ask what shall become of a mass of customers that are gone."""
    limit = limit_of(active)
    questions.ask(
        db,
        shop_id,
        Ask(
            kind=MISSING_CUSTOMERS,
            subject=SUBJECT,
            text=f"Shopify no longer has {missing} of {active} customers, and never told us that they were deleted. "
            f"More than {limit} at once are not deleted here before somebody has looked.",
            answers={
                "delete": "read each of them once more, and delete here who is still gone",
                "keep": "keep them; the next full reconcile asks again about those that are still gone",
            },
            otherwise="nothing is deleted",
            evidence={"missing": missing, "active": active, "limit": limit, "run": run_id},
        ),
        now,
    )


def withdraw(db: Connection, shop_id: int, now: Instant) -> None:
    """Take the question back, and what it held: everybody was looked at, and nobody is missing any more."""
    questions.withdraw(db, shop_id, MISSING_CUSTOMERS, [SUBJECT], now)
    marks.drop_held(db, shop_id)
