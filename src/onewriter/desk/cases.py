"""Cases, as people and programs are shown them: what is wrong, why, what to do first, and whether the fix has held."""

from collections import Counter
from typing import Any

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.audit import cases
from onewriter.audit.cases import Case
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk import paging
from onewriter.desk.caller import About, Caller, reason
from onewriter.desk.case_steps import next_step
from onewriter.desk.choosing import choose_shop
from onewriter.errors import BadInput
from onewriter.records import DAY, SECOND, iso
from onewriter.rules.diagnosis.checklist import QUESTIONS, gate
from onewriter.rules.diagnosis.judgement import Answer, Item
from onewriter.rules.diagnosis.proof import CheckName
from onewriter.workflows import proving
from onewriter.workflows.proving import Standing

Document = dict[str, Any]

CLOSE = "close case"
SHOWN_MAX = 100
"""Customers that a case names when it is shown; a list of its own has all, which can be most of a shop."""
UNKNOWN = "not known"
"""What stands where no cause is known."""
MEANS = {
    CheckName.STAYS: "The value stays after the next full cycle.",
    CheckName.KEEPS: "The other system keeps it, read again by itself.",
    CheckName.SECOND: "A second customer stays right after a fresh edit.",
    CheckName.MERGED: "The customer of the merge, looked at again.",
    CheckName.CONSENT: "The consent is on the right person still.",
    CheckName.ONE_RECORD: "The next pass made no second record.",
}


def short(case: Case) -> Document:
    """A case in short, as a document."""
    return {
        "number": case.number,
        "system": case.system,
        "field": case.field,
        "state": case.state.value,
        "cause": case.cause,
        "asserted": case.asserted,
        "scope_row": case.scope_row,
        "fix_target": case.fix_target,
        "affected": case.affected,
        "opened_at": iso(case.opened_at),
        "looked_at": iso(case.looked_at),
        "joined_to": case.joined_to,
        "predicted": case.predicted,
        "survived": case.survived,
        "fixed_at": iso(case.fixed_at),
        "fix": case.fix,
        "returns": case.returns,
        "escalated_at": iso(case.escalated_at),
        "ended_at": iso(case.ended_at),
        "ended_by": case.ended_by,
        "why": case.why,
    }


def proof_document(standing: Standing) -> Document:
    """How the proof of a case stands, as a document."""
    checks = [
        {
            "check": each.proof.name.value,
            "means": MEANS[each.proof.name],
            "state": each.proof.state.value,
            "looked_at": iso(each.proof.looked_at),
            "told": each.proof.told,
        }
        for each in standing.checks
    ]
    return {"checks": checks, "awaited": list(standing.awaited), "needs_edit": standing.needs_edit}


def item_document(item: Item) -> Document:
    """One of the seven items of a checklist."""
    return {
        "name": item.name,
        "question": item.question,
        "answer": item.answer.value,
        "why": item.why,
        "answered_by": item.answered_by,
    }


def listed(
    caller: Caller,
    named: str | None,
    limit: int,
    *,
    state: str | None = None,
    field: str | None = None,
    system: str | None = None,
    ended: bool = False,
) -> list[Case]:
    """The cases of a shop, the rules before the records and the largest first; what is settled only if asked for."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        return cases.listed(db, shop.id, limit, state=state, field=field, system=system, ended=ended)


class Concerned(TypedDict):
    """A customer whom a case concerns."""

    id: str


class ConcernedPage(TypedDict):
    """A page of the customers of whom something of a case is still wrong, in an order of our own."""

    items: list[Concerned]
    next: str | None


def concerned(caller: Caller, named: str | None, number: int, cursor: str | None, limit: int) -> ConcernedPage:
    """A page of the customers of whom something of a case is still wrong, by Shopify's numbers."""
    keys = paging.behind(cursor, str)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop_id = choose_shop(db, named).id
        cases.get(db, shop_id, number)
        behind = b"" if keys is None else paging.id_of(keys[0])
        found = cases.concerned(db, shop_id, number, limit + 1, behind)
    kept, following = paging.page(found, limit, lambda each: (each[0].hex(),))
    return {"items": [{"id": str(shopify_id)} for _, shopify_id in kept], "next": following}


def whole(db: Connection, shop: Shop, standing: Standing, step: str, most: int | None = None) -> Document:
    """A case with its diagnosis, whom it concerns, its checklist, its proof, its story and what to do next.

    It names all the customers whom it concerns, or `most` of them.
    """
    case = standing.case
    number = case.number
    named = sorted(shopify_id for _, shopify_id in cases.concerned(db, shop.id, number, most))
    items, story = cases.checklist(db, shop.id, case), cases.story(db, shop.id, number)
    document = short(case) | dict(case.told) | {"records": list(map(str, named))}
    document["wrong_still"] = cases.count_concerned(db, shop.id, number)
    document |= {"checklist": [item_document(each) for each in items], "gate": gate(items).told}
    document |= proof_document(standing) | {"next": step}
    return document | {
        "steps": [{"at": iso(each.at), "step": each.step, "by": each.done_by, "told": each.told} for each in story]
    }


def standing_of(caller: Caller, shop: Shop, number: int) -> Standing:
    """How a case and its proof stand."""
    return proving.standing(caller.runtime, shop.id, number)


# ---- Doing ----------------------------------------------------------------------------------------------------------


def answer_item(
    caller: Caller, named: str | None, number: int, chosen: tuple[str, Answer] | None, why: str | None
) -> tuple[Item, ...]:
    """The seven items of a case, once one of them was answered; a person's answer goes before what evidence says."""
    with caller.runtime.database.write() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
        if chosen is not None:
            cases.answer(db, shop.id, number, chosen[0], chosen[1], caller.who, why, caller.now)
        return cases.checklist(db, shop.id, cases.get(db, shop.id, number))


def checklist_document(number: int, items: tuple[Item, ...]) -> Document:
    """The seven items, and whether an edit of many records may be made."""
    gated = gate(items)
    told = {"number": number, "items": [item_document(each) for each in items], "unclear": list(gated.unclear)}
    return told | {"may_edit": gated.is_open}


def answer_of(item: str, given: str) -> tuple[str, Answer]:
    """An answer to an item, out of what was typed; raises BadInput."""
    if item not in QUESTIONS:
        raise BadInput(f"There is no such item; they are {', '.join(QUESTIONS)}.", "item")
    if given not in [each.value for each in Answer]:
        raise BadInput("The answer is yes, no or unclear.", "answer")
    return item, Answer(given)


def close(caller: Caller, named: str | None, number: int, why: str, *, override: bool = False) -> Case:
    """Close a case for a reason. Before its proof has ended it somebody must say so with `override`."""
    said = reason(why)
    runtime = caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        shop = choose_shop(db, named)
    caller.permit(Role.STAFF, CLOSE, [About(None, f"case {number}")], shop_id=shop.id, why=said)
    with runtime.database.write() as db:
        cases.close(db, shop.id, number, caller.who, said, caller.now, override=override)
        return cases.get(db, shop.id, number)


# ---- Whole ----------------------------------------------------------------------------------------------------------


def shown(caller: Caller, named: str | None, number: int) -> tuple[Document, Standing, Shop]:
    """A case as a document that names some of its customers; how its proof stands; and its shop."""
    runtime = caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        standing = proving.standing(runtime, shop.id, number)
        return whole(db, shop, standing, next_step(runtime, standing), SHOWN_MAX), standing, shop


def by_cause(caller: Caller, named: str | None, days: int) -> list[Document]:
    """How many cases were open at the end of each day of that many, by cause; the oldest day first."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        opened = cases.spans(db, choose_shop(db, named).id)
    today = caller.now // DAY
    told = []
    for day in range(today - days + 1, today + 1):
        end = (day + 1) * DAY
        held = Counter(cause or UNKNOWN for cause, since, until in opened if since < end and (until or end) >= end)
        told.append({"day": iso(day * DAY), "at": day * DAY // SECOND, "open": dict(held)})
    return told
