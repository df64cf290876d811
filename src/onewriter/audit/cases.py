"""Cases on record: opened and grown by audits, read and ended by people. No value of anybody's is kept in clear.

A case is found again by its system and by its rows, and only then by its field and cause: a cause may be told otherwise
the next day, while the same values are still wrong. A case that was opened is never taken away; it ends with a reason.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select, update
from sqlalchemy import case as case_

from onewriter.audit import proofs
from onewriter.customers import systems
from onewriter.db.casetables import case_answers, case_rows, case_steps, cases
from onewriter.db.tables import customers as customer_table
from onewriter.errors import Permanent, Unknown
from onewriter.records import Instant, sortable_id
from onewriter.rules.diagnosis.checklist import QUESTIONS, Answered, answered
from onewriter.rules.diagnosis.judgement import Answer, Item, Limits, ScopeRow
from onewriter.rules.diagnosis.proof import State, refused_end

ENDED = (State.CLOSED.value, State.JOINED.value)
"""States in which nothing more is done about a case."""
SETTLED = (*ENDED, State.VERIFIED.value)
"""States that need nobody; a verified case still takes up what comes back."""


class UnknownCase(Unknown):
    """There is no such case."""


class NotPossible(Permanent):
    """What was asked of a case cannot be done, or not yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case as it is on record."""

    shop_id: int
    number: int
    system: str
    field: str
    state: State
    cause: str | None
    asserted: bool
    scope_row: str
    fix_target: str
    affected: int
    told: Mapping[str, Any]
    """The newest diagnosis, in sentences."""
    opened_at: Instant
    looked_at: Instant
    joined_to: int | None
    predicted: str | None
    """The system that was predicted to win the next cycle."""
    predicted_at: Instant | None
    survived: bool | None
    """Whether it did; None while no cycle has told."""
    fixed_at: Instant | None
    fix: Mapping[str, Any] | None
    """What was done: the action, what it changed, by whom and why."""
    resynced_at: Instant | None
    returned_at: Instant | None
    returns: int
    escalated_at: Instant | None
    ended_at: Instant | None
    ended_by: str | None
    why: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a case."""

    at: Instant
    step: str
    done_by: str
    told: str


def listed(
    db: Connection,
    shop_id: int,
    most: int,
    *,
    state: str | None = None,
    field: str | None = None,
    system: str | None = None,
    ended: bool = False,
) -> list[Case]:
    """The cases of a shop, the rules before the records and the largest first; those that are settled only if asked."""
    where: list[ColumnElement[bool]] = [cases.c.shop_id == shop_id]
    if state is not None:
        where.append(cases.c.state == state)
    elif not ended:
        where.append(cases.c.state.not_in(SETTLED))
    where += [cases.c.field == field] if field is not None else []
    where += [cases.c.system == system] if system is not None else []
    order = (cases.c.fix_target.desc(), cases.c.affected.desc(), cases.c.number)
    return [_case(row) for row in db.execute(select(cases).where(*where).order_by(*order).limit(most))]


def count_open(db: Connection, shop_id: int) -> dict[str, int]:
    """How many cases of a shop are not settled, by what is to be changed."""
    theirs = select(cases.c.fix_target, func.count().label("many")).where(cases.c.shop_id == shop_id)
    rows = db.execute(theirs.where(cases.c.state.not_in(SETTLED)).group_by(cases.c.fix_target))
    return {row.fix_target: row.many for row in rows}


def spans(db: Connection, shop_id: int) -> list[tuple[str | None, Instant, Instant | None]]:
    """Of each case of a shop its cause, since when it is open, and until when: closed, verified or joined to one."""
    settled = case_(
        (cases.c.state == State.VERIFIED.value, func.coalesce(cases.c.ended_at, cases.c.looked_at)),
        else_=cases.c.ended_at,
    )
    rows = db.execute(
        select(cases.c.cause, cases.c.opened_at, settled.label("until")).where(cases.c.shop_id == shop_id)
    )
    return [(row.cause, row.opened_at, row.until) for row in rows]


def get(db: Connection, shop_id: int, number: int) -> Case:
    """One case; raises UnknownCase."""
    row = db.execute(select(cases).where(cases.c.shop_id == shop_id, cases.c.number == number)).first()
    if row is None:
        raise UnknownCase(f"There is no case {number}; `onewriter cases list --all` shows those that there are.")
    return _case(row)


def _case(row: Row[Any]) -> Case:
    known = {name: row._mapping[name] for name in Case.__slots__}
    return Case(**known | {"state": State(row.state)})


def concerned(
    db: Connection, shop_id: int, number: int, most: int | None = None, behind: bytes = b""
) -> list[tuple[bytes, int]]:
    """Our ids and Shopify's of the customers of whom something of the case is still wrong, in the order of ours.

    All of them; or so many at most, of those behind an id of ours.
    """
    theirs = (case_rows.c.shop_id == shop_id, case_rows.c.number == number, case_rows.c.gone_at.is_(None))
    whom = select(customer_table.c.id, customer_table.c.shopify_id)
    query = whom.join(case_rows, case_rows.c.customer_id == customer_table.c.id)
    found = query.where(*theirs, case_rows.c.customer_id > behind, customer_table.c.shopify_id.is_not(None)).distinct()
    rows = db.execute(found.order_by(customer_table.c.id).limit(most))
    return [(bytes(row.id), row.shopify_id) for row in rows]


def count_concerned(db: Connection, shop_id: int, number: int) -> int:
    """How many customers there are of whom something of the case is still wrong."""
    theirs = (case_rows.c.shop_id == shop_id, case_rows.c.number == number, case_rows.c.gone_at.is_(None))
    return db.execute(select(func.count(case_rows.c.customer_id.distinct())).where(*theirs)).scalar_one()


def limits(case: Case) -> Limits:
    """What the case says of what may be done about it."""
    told = case.told
    return Limits(
        scope=told["scope"], scope_row=ScopeRow(case.scope_row), customers=case.affected, may_write=told["may_write"],
        first_move=told["first_move"], not_to_do=told["not_to_do"],
        # Cases that were opened before these were kept say neither; the next audit tells them anew.
        of_mapping=told.get("of_mapping", False), needs_key=told.get("needs_key", False),
    )  # fmt: skip


def about(db: Connection, shop_id: int, customer_id: bytes, field: str) -> list[Case]:
    """The cases, not settled yet, by which something of this customer's field is wrong."""
    wrong = (case_rows.c.customer_id == customer_id, case_rows.c.field == field, case_rows.c.gone_at.is_(None))
    of = cases.join(case_rows, (case_rows.c.shop_id == cases.c.shop_id) & (case_rows.c.number == cases.c.number))
    theirs = (cases.c.shop_id == shop_id, cases.c.state.not_in(SETTLED), *wrong)
    return [_case(row) for row in db.execute(select(cases).select_from(of).where(*theirs).order_by(cases.c.number))]


def people_of(db: Connection, shop_id: int, number: int, most: int) -> list[bytes]:
    """Our ids of the customers of whom something was wrong, then or now: so many of them, the same each time."""
    theirs = (case_rows.c.shop_id == shop_id, case_rows.c.number == number)
    query = select(case_rows.c.customer_id).where(*theirs).distinct().order_by(case_rows.c.customer_id).limit(most)
    return [bytes(each) for each in db.execute(query).scalars()]


def records_of(db: Connection, shop_id: int, number: int) -> list[tuple[bytes, str]]:
    """The customers of a case with the keyed names of the records in which something of theirs is wrong now."""
    theirs = (case_rows.c.shop_id == shop_id, case_rows.c.number == number, case_rows.c.gone_at.is_(None))
    query = select(case_rows.c.customer_id, case_rows.c.record_id).where(*theirs).distinct()
    return [(bytes(customer), record) for customer, record in db.execute(query)]


def unsettled(db: Connection, shop_id: int) -> list[Case]:
    """The cases that somebody, or a cycle, still has something to do about; oldest first."""
    theirs = (cases.c.shop_id == shop_id, cases.c.state.not_in(SETTLED))
    return [_case(row) for row in db.execute(select(cases).where(*theirs).order_by(cases.c.number))]


def troubling(db: Connection, since: Instant) -> list[tuple[int, Case]]:
    """The cases, each with its shop, that returned or were escalated since then."""
    lately = or_(cases.c.returned_at >= since, cases.c.escalated_at >= since)
    rows = db.execute(select(cases).where(lately).order_by(cases.c.shop_id, cases.c.number)).all()
    return [(row.shop_id, _case(row)) for row in rows]


def is_in_force(db: Connection, case: Case) -> bool:
    """Whether what was mended counts already: a change of the policy waits until each system is agreed to anew."""
    fix = case.fix or {}
    for name in fix.get("asking", ()):
        system = systems.get(db, case.shop_id, name)
        # Where nothing of Shopify's had to be written, its cycle has only looked.
        is_looked_over = system.is_shopify and system.cycle_at is not None and system.cycle_at > (case.fixed_at or 0)
        if system.agreed_version < fix["version"] and not is_looked_over:
            return False
    return True


def change(db: Connection, case: Case, values: Mapping[str, Any]) -> None:
    """Change columns of a case."""
    theirs = (cases.c.shop_id == case.shop_id, cases.c.number == case.number)
    db.execute(update(cases).where(*theirs).values(**values))


# ---- The checklist --------------------------------------------------------------------------------------------------


def checklist(db: Connection, shop_id: int, case: Case) -> tuple[Item, ...]:
    """The seven items: what people answered, and else what the newest audit did."""
    items = [Item(**each | {"answer": Answer(each["answer"])}) for each in case.told["checklist"]]
    rows = db.execute(
        select(case_answers).where(case_answers.c.shop_id == shop_id, case_answers.c.number == case.number)
    )
    return answered(items, {row.item: Answered(Answer(row.answer), row.answered_by, row.why) for row in rows})


def answer(
    db: Connection, shop_id: int, number: int, item: str, chosen: Answer, by: str, why: str | None, now: Instant
) -> None:
    """Write a person's answer to one item down, over an earlier one; each stays in the case's story."""
    case = get(db, shop_id, number)
    if item not in QUESTIONS:
        raise NotPossible(f"The checklist has no item of that name; it has {', '.join(QUESTIONS)}.")
    if case.state.value in ENDED:
        raise NotPossible(f"Case {number} is {case.state.value}; `onewriter cases list` shows those that are open.")
    key = {"shop_id": shop_id, "number": number, "item": item}
    said = {"answer": chosen.value, "at": now, "answered_by": by, "why": why}
    same = [case_answers.c[name] == value for name, value in key.items()]
    if not db.execute(update(case_answers).where(*same).values(**said)).rowcount:
        db.execute(insert(case_answers).values(**key, **said))
    note(db, shop_id, number, "answered", by, f"{item}: {chosen.value}", now)


# ---- Its story, and its end -----------------------------------------------------------------------------------------


def close(
    db: Connection, shop_id: int, number: int, by: str, why: str, now: Instant, *, override: bool = False
) -> None:
    """End a case with a reason; before its proof only where a person says so (requirement M68)."""
    case = get(db, shop_id, number)
    if case.state.value in ENDED:
        raise NotPossible(f"Case {number} is {case.state.value} already.")
    kept = [each.proof for each in proofs.of_case(db, shop_id, number)]
    refused = refused_end(case.state, kept, why if override else None)
    if refused is not None:
        raise NotPossible(f"{refused} Add --override to close it with the reason that you gave.")
    end(db, shop_id, [number], State.CLOSED, by, why, now)
    is_proved = case.state is State.VERIFIED
    step, told = ("closed", "Closed.") if is_proved else ("overrode", "Closed without its proof.")
    note(db, shop_id, number, step, by, told, now)


def end(
    db: Connection, shop_id: int, numbers: Iterable[int], state: State, by: str, why: str, now: Instant,
    joined_to: int | None = None,
) -> None:  # fmt: skip
    """Bring cases to their end."""
    theirs = (cases.c.shop_id == shop_id, cases.c.number.in_(list(numbers)))
    told = {"state": state.value, "ended_at": now, "ended_by": by, "why": why, "joined_to": joined_to}
    db.execute(update(cases).where(*theirs).values(**told))


def note(db: Connection, shop_id: int, number: int, step: str, by: str, told: str, now: Instant) -> None:
    """Write down what happened to a case."""
    row = {"id": sortable_id(now, os.urandom(10)), "shop_id": shop_id, "number": number, "at": now, "step": step}
    db.execute(insert(case_steps).values(**row, done_by=by, told=told))


def story(db: Connection, shop_id: int, number: int) -> list[Step]:
    """What happened to a case, oldest first."""
    theirs = (case_steps.c.shop_id == shop_id, case_steps.c.number == number)
    columns = (case_steps.c.at, case_steps.c.step, case_steps.c.done_by, case_steps.c.told)
    return [Step(*row) for row in db.execute(select(*columns).where(*theirs).order_by(case_steps.c.at))]


def next_number(db: Connection, shop_id: int) -> int:
    """The number of the next case; the caller holds the shop's row, so that no two take the same."""
    newest: int | None = db.execute(select(func.max(cases.c.number)).where(cases.c.shop_id == shop_id)).scalar()
    return (newest or 0) + 1


def open_of(db: Connection, shop_id: int, system: str) -> Sequence[Case]:
    """The cases of a system that an audit may grow, oldest first."""
    theirs = (cases.c.shop_id == shop_id, cases.c.system == system, cases.c.state.not_in(ENDED))
    return [_case(row) for row in db.execute(select(cases).where(*theirs).order_by(cases.c.number))]
