"""Checks of the connected systems: what keeps one from its cycles, what waits for a person, and what stands still."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from onewriter.customers import questions, systems
from onewriter.customers.shops import Shop
from onewriter.customers.systems import ACTIVE, System
from onewriter.db.tables import parked_values, pending_marks
from onewriter.desk.checked import Checked, Level
from onewriter.desk.spans import span
from onewriter.records import DAY, HOUR, SECOND, Instant
from onewriter.runtime import Runtime
from onewriter.workflows import asking

PENDING_MAX: Instant = DAY
"""For so long a value may wait to be written before somebody should know."""
CYCLES_MISSED = 4
"""After so many cycles that did not end well one says so, and never before an hour is over."""


def check_systems(runtime: Runtime, shop: Shop) -> list[Checked]:
    """All that can be known of a shop's systems without asking any of them."""
    moment = runtime.now()
    with runtime.database.read() as db:
        return [line for each in systems.every(db, shop.id) for line in _check(db, shop, each, moment)]


def _check(db: Connection, shop: Shop, system: System, moment: Instant) -> list[Checked]:
    found = [*_trouble(shop, system, moment), *_questions(db, shop, system), *_waiting(db, shop, system, moment)]
    if found or system.is_shopify:
        return found
    text = "nothing keeps it from its cycles" if system.state == ACTIVE else "is paused"
    return [Checked(_name(system), Level.OK, text, None, shop.domain)]


def _name(system: System) -> str:
    return f"system {system.name}"


def _trouble(shop: Shop, system: System, moment: Instant) -> Iterator[Checked]:
    if system.state != ACTIVE:
        return
    if system.trouble is not None:
        since = span(max(0, moment - (system.trouble_since or moment)) / SECOND)
        text = f"its cycles have not ended for {since}: {system.trouble.rstrip('.')}"
        step = f"run `onewriter systems check {system.name}`"
        yield Checked(_name(system), Level.FAULT, text, step, shop.domain)
    elif _is_late(system, moment):
        ago = span(max(0, moment - (system.cycle_at or moment)) / SECOND)
        step = "see that a worker is running, and what its runs say: `onewriter runs list`"
        yield Checked(_name(system), Level.WARNING, f"its last complete cycle began {ago} ago", step, shop.domain)


def _is_late(system: System, moment: Instant) -> bool:
    if system.cycle_minutes is None or system.cycle_at is None:
        return False
    return moment - system.cycle_at > max(HOUR, CYCLES_MISSED * system.cycle_minutes * 60 * SECOND)


def _questions(db: Connection, shop: Shop, system: System) -> Iterator[Checked]:
    for kind in (asking.FIRST_WRITES, asking.MASS_WRITES):
        for each in questions.waiting_of(db, shop.id, kind):
            if each.subject == system.name:
                text = f"question {each.id} waits, and nothing is written until it is answered"
                step = f"run `onewriter questions show {each.id}`"
                yield Checked(_name(system), Level.WARNING, text, step, shop.domain)


def _waiting(db: Connection, shop: Shop, system: System, moment: Instant) -> Iterator[Checked]:
    theirs = (pending_marks.c.shop_id == shop.id, pending_marks.c.system == system.name)
    old = select(func.count()).where(*theirs, pending_marks.c.set_at < moment - PENDING_MAX)
    if count := db.execute(old).scalar_one():
        text = f"{_values(count)} waited for more than a day to be written"
        step = (
            f"run `onewriter systems cycle {system.name}`, or see why none does: `onewriter systems show {system.name}`"
        )
        yield Checked(_name(system), Level.WARNING, text, step, shop.domain)
    parked = select(func.count()).where(
        parked_values.c.shop_id == shop.id, parked_values.c.system == system.name, parked_values.c.ended_at.is_(None)
    )
    if count := db.execute(parked).scalar_one():
        text = f"{count} value{' is' if count == 1 else 's are'} parked"
        step = f"run `onewriter parked list --system {system.name}`"
        yield Checked(_name(system), Level.WARNING, text, step, shop.domain)


def _values(count: int) -> str:
    return f"{count} value has" if count == 1 else f"{count} values have"
