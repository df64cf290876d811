"""Cases for programs."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import Field
from typing_extensions import TypedDict

from onewriter.desk import case_fixing, case_verifying, cases, paging
from onewriter.desk.case_fixing import Wish
from onewriter.desk.cases import ConcernedPage
from onewriter.rules.diagnosis.judgement import Answer
from onewriter.web.api.frame import Asker, Cursor, Limit, RequestBody, ShopName, Why, router

api = router("cases")

Number = Annotated[int, Path(ge=1, le=1_000_000_000, description="The number of a case.")]
Word = Annotated[str, Field(max_length=200)]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class CaseList(TypedDict):
    """Cases in short, the rules before the records and the largest first."""

    items: list[dict[str, Any]]


class AnswerGiven(RequestBody):
    """An answer to one of the seven items."""

    item: Word
    answer: Answer
    why: Reason | None = None


class Fix(RequestBody):
    """What is to be done about a case; without an action, what the case advises."""

    action: Literal["resync", "own", "map", "pause", "unlink", "key"] | None = None
    done: Reason | None = Field(None, description="It was mended elsewhere: how. Name nobody in it.")
    owner: Word | None = Field(None, description="With own: whose the field shall be.")
    customer: Word | None = Field(None, description="With resync: only this one, to try.")
    remote: Word | None = None
    direction: Literal["in", "out", "both", "none"] | None = None
    transform: Word | None = None
    options: list[Word] = Field([], max_length=50, description="Options of the transform, as NAME=VALUE.")
    max_length: int | None = Field(None, ge=1, le=100_000)
    words: list[Word] = Field([], max_length=200, description="What the system calls our words, as OURS=THEIRS.")
    empty: Literal["clear", "keep"] | None = None
    named: Word | None = Field(None, description="With key: the keys, the strongest first.")
    soft_email: bool | None = None
    shared_by_max: int | None = Field(None, ge=1, le=1000)
    override: Reason | None = Field(None, description="Go on although something speaks against it.")
    why: Reason | None = None
    dry_run: bool = Field(True, description="Only say what it would do; give false to have it done.")


class Verify(RequestBody):
    """What to do about the proof of a case; nothing of it only looks again."""

    canary: Word | None = Field(None, description="Look at this customer's next edit, by id.")
    not_awaited: Word | None = Field(None, description="Do not wait for a cycle of this system.")
    run: bool = Field(False, description="Queue what is awaited now.")


class Close(RequestBody):
    """Why a case is closed."""

    why: Why
    override: bool = Field(False, description="Close it though its fix is not proved.")


@api.get("/cases")
def list_cases(
    asker: Asker,
    shop: ShopName = None,
    ended: bool = False,
    state: Annotated[str | None, Query(max_length=40)] = None,
    field: Annotated[str | None, Query(max_length=200)] = None,
    system: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = paging.USUAL,
) -> CaseList:
    """List cases by what is to be changed: rules first, then records, then processes; the largest first."""
    found = cases.listed(asker, shop, limit, state=state, field=field, system=system, ended=ended)
    return {"items": [cases.short(each) for each in found]}


@api.get("/cases/{number}")
def show_case(asker: Asker, number: Number, shop: ShopName = None) -> dict[str, Any]:
    """Show one case: how far it reaches, why, the first move, what not to do, who is concerned, what is proved."""
    return cases.shown(asker, shop, number)[0]


@api.get("/cases/{number}/customers")
def list_concerned(
    asker: Asker, number: Number, shop: ShopName = None, cursor: Cursor = None, limit: Limit = paging.USUAL
) -> ConcernedPage:
    """List the customers of whom something of a case is still wrong. The case itself names a hundred at most."""
    return cases.concerned(asker, shop, number, cursor, limit)


@api.post("/cases/{number}/checklist")
def answer_item(asker: Asker, number: Number, given: AnswerGiven, shop: ShopName = None) -> dict[str, Any]:
    """Answer one item of the checklist; a person's answer goes before what the evidence says."""
    items = cases.answer_item(asker, shop, number, cases.answer_of(given.item, given.answer), given.why)
    return cases.checklist_document(number, items)


@api.post("/cases/{number}/fix")
def fix_case(asker: Asker, number: Number, fix: Fix, shop: ShopName = None) -> dict[str, Any]:
    """Say what a fix would do; or, without `dry_run`, do it and begin its proof."""
    planned = case_fixing.plan(asker, shop, _wish(number, fix))
    if not fix.dry_run:
        case_fixing.carry_out(asker, planned)
    return case_fixing.planned_document(planned) | {"dry_run": fix.dry_run}


def _wish(number: int, fix: Fix) -> Wish:
    given = fix.model_dump(exclude={"action", "done", "override", "why", "dry_run"})
    return Wish(number=number, action=fix.action, done=fix.done, given=given, override=fix.override, why=fix.why)


@api.post("/cases/{number}/undo")
def undo_fix(asker: Asker, number: Number, shop: ShopName = None) -> dict[str, Any]:
    """Take back what the last fix of a case did."""
    _, standing, found = cases.shown(asker, shop, number)
    case_fixing.undo(asker, found, standing.case)
    return cases.shown(asker, shop, number)[0]


@api.post("/cases/{number}/verify")
def verify_case(asker: Asker, number: Number, wanted: Verify, shop: ShopName = None) -> dict[str, Any]:
    """Look whether the fix of a case has held; with `run`, queue the cycles that are awaited."""
    _, standing, found = cases.shown(asker, shop, number)
    case = standing.case
    standing = case_verifying.look(asker, found, case, canary=wanted.canary, excused=wanted.not_awaited)
    queued = [case_verifying.queue_awaited(asker, found, name)[0] for name in standing.awaited] if wanted.run else []
    return cases.shown(asker, shop, number)[0] | {"runs": queued}


@api.post("/cases/{number}/close")
def close_case(asker: Asker, number: Number, closing: Close, shop: ShopName = None) -> dict[str, Any]:
    """Close a case for a reason. Only its proof ends it by itself."""
    return cases.short(cases.close(asker, shop, number, closing.why, override=closing.override))
