"""Questions: what waits for a person, each with its evidence and a button for every answer that it allows."""

from starlette.responses import Response

from onewriter.customers.questions import NotAnswerable, UnknownQuestion
from onewriter.desk import questions
from onewriter.errors import BadInput
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import number

LIMIT = 50
LISTS = {"": False, "all": True}
"""What the list is of: those that wait, the oldest first; or all of them, the newest first."""


def listed(visit: Visit) -> Response:
    """The list, a page at a time."""
    which = visit.asked("of") or ""
    if which not in LISTS:
        raise BadInput("That list is not there; choose those that wait, or all.", "of")
    found = questions.listed(visit.caller, visit.asked("cursor"), LIMIT, everything=LISTS[which])
    return visit.render("questions/list.html", found=found, which=which)


def show(visit: Visit) -> Response:
    """One question."""
    return _whole(visit, 200)


def answer(visit: Visit) -> Response:
    """Answer it, once, and say what was done."""
    question_id, chosen, why = number(visit, "question_id"), visit.text("answer"), visit.text("why")
    try:
        answered = questions.answer(visit.caller, question_id, chosen, why)
    except BadInput as error:
        return _whole(visit, 422, wrong=str(error), why=why)
    except UnknownQuestion:
        raise
    except NotAnswerable as error:
        return _whole(visit, 409, wrong=str(error), why=why)
    return visit.go(f"/questions/{question_id}", f"Answered with {answered['answer']}: {answered['done']}.")


def _whole(visit: Visit, code: int, *, wrong: str | None = None, why: str = "") -> Response:
    one = questions.shown(visit.caller, number(visit, "question_id"))
    needs = {chosen: questions.needs(one, chosen).value for chosen in one["answers"]}
    may = any(visit.may(role) for role in needs.values())
    return visit.render("questions/show.html", code, one=one, needs=needs, may=may, wrong=wrong, why=why)


PAGES = [
    Page("/questions", listed),
    Page("/questions/{question_id}", show),
    Page("/questions/{question_id}", answer, "POST"),
]
