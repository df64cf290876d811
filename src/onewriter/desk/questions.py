"""Questions: what waits for a person, with its evidence and what each answer does, and answering one."""

from typing import Any

from typing_extensions import TypedDict

from onewriter.customers import erasing, questions, requests, retention, shops
from onewriter.customers.people import Role
from onewriter.customers.questions import Question
from onewriter.desk import paging
from onewriter.desk.caller import About, Caller, reason
from onewriter.records import iso
from onewriter.shopify.topics import COMPLIANCE_TOPICS
from onewriter.workflows.answers import carry_out_answer

ANSWER = "answer"
FOR_OWNERS = frozenset({*requests.KINDS, retention.LARGE_PURGE, retention.UNTOLD_DELETION})
"""The kinds of questions whose answers may end protected data for good, or hand it out."""


class QuestionDocument(TypedDict):
    """A question: what it asks, what each answer does, and what happens without one."""

    id: int
    shop: str
    kind: str
    text: str
    answers: dict[str, str]
    otherwise: str
    evidence: dict[str, Any]
    asked_at: str | None
    deadline: str | None
    answered_at: str | None
    answer: str | None
    answered_by: str | None
    why: str | None


class QuestionPage(TypedDict):
    """A page of questions."""

    items: list[QuestionDocument]
    next: str | None


class Answered(QuestionDocument):
    """A question that was answered, and what was done."""

    done: str


def document(question: Question, domain: str) -> QuestionDocument:
    """A question as one JSON document."""
    return {
        "id": question.id,
        "shop": domain,
        "kind": question.kind,
        "text": question.text,
        "answers": dict(question.answers),
        "otherwise": question.otherwise,
        "evidence": dict(question.evidence),
        "asked_at": iso(question.asked_at),
        "deadline": iso(question.deadline),
        "answered_at": iso(question.answered_at),
        "answer": question.answer,
        "answered_by": question.answered_by,
        "why": question.why,
    }


# ---- Looking --------------------------------------------------------------------------------------------------------


def listed(caller: Caller, cursor: str | None, limit: int, *, everything: bool = False) -> QuestionPage:
    """A page of the questions that wait, the oldest first; with `everything` of all of them, the newest first."""
    keys = paging.behind(cursor, int)
    behind = None if keys is None else keys[0]
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        domains = {shop.id: shop.domain for shop in shops.every(db)}
        wanted = limit + 1
        found = questions.every(db, wanted, behind) if everything else questions.waiting(db, wanted, behind or 0)
    kept, following = paging.page(found, limit, lambda each: (each.id,))
    return {"items": [document(each, domains[each.shop_id]) for each in kept], "next": following}


def shown(caller: Caller, question_id: int) -> QuestionDocument:
    """One question."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        question = questions.get(db, question_id)
        return document(question, shops.by_id(db, question.shop_id).domain)


# ---- Doing ----------------------------------------------------------------------------------------------------------


def answer(caller: Caller, question_id: int, chosen: str, why: str | None) -> Answered:
    """Answer a question, once; what the answer says is done in the same transaction."""
    said = None if why is None else reason(why)
    runtime, moment = caller.runtime, caller.now
    _permit(caller, question_id, chosen, said)
    with runtime.database.write() as db:
        question = questions.answer(db, question_id, chosen, caller.who, said, moment)
        carried_out = carry_out_answer(db, runtime.vault, question, moment)
        told = document(question, shops.by_id(db, question.shop_id).domain)
    if question.kind == requests.UNCLEAR_REDACTION:
        erasing.end(runtime.database, runtime.keys, moment)
    return {**told, "done": carried_out}


def needs(question: QuestionDocument, chosen: str) -> Role:
    """The role that may give that answer."""
    of_law = question["evidence"].get("topic") in COMPLIANCE_TOPICS and chosen != "retry"
    return Role.OWNER if question["kind"] in FOR_OWNERS or of_law else Role.STAFF


def _permit(caller: Caller, question_id: int, chosen: str, why: str | None) -> None:
    with caller.runtime.database.read() as db:
        question = questions.get(db, question_id)
        if needs(document(question, ""), chosen) is Role.STAFF:
            caller.require(db, Role.STAFF)
            return
    # What was typed goes into the log only where it is one of our words.
    said = chosen if chosen in question.answers else "unknown"
    about = [About(subject=f"question {question_id}, {question.kind}: {said}")]
    caller.permit(Role.OWNER, ANSWER, about, shop_id=question.shop_id, why=why)
