"""Deliveries and questions for programs."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field

from onewriter.desk import inbox, paging, questions
from onewriter.desk.inbox import Decided, DeliveryDocument, DeliveryPage, Waiting
from onewriter.desk.questions import Answered, QuestionDocument, QuestionPage
from onewriter.web.api.frame import Asker, Cursor, Limit, RequestBody, Why, router

api = router("inbox")

Position = Annotated[int, Path(ge=1, le=10**15, description="The position of a delivery.")]
QuestionId = Annotated[int, Path(ge=1, le=10**15, description="The number of a question.")]


class Reveal(RequestBody):
    """Why a body is to be seen."""

    why: Why


class Answer(RequestBody):
    """One of the answers that a question allows."""

    answer: str = Field(min_length=1, max_length=100)
    why: Why


# ---- Deliveries -----------------------------------------------------------------------------------------------------


@api.get("/inbox")
def list_deliveries(
    asker: Asker,
    state: Literal["waiting", "done", "parked", "dropped"] | None = None,
    cursor: Cursor = None,
    limit: Limit = paging.USUAL,
) -> DeliveryPage:
    """List deliveries, the newest first, without their bodies."""
    return inbox.listed(asker, state, cursor, limit)


@api.get("/inbox/counts")
def count_deliveries(asker: Asker) -> Waiting:
    """Count the deliveries that wait, and those that are parked for a person."""
    return inbox.counted(asker)


@api.get("/inbox/{position}")
def show_delivery(asker: Asker, position: Position) -> DeliveryDocument:
    """Show one delivery, without its body."""
    return inbox.shown(asker, position)


@api.post("/inbox/{position}/reveal")
def reveal_delivery(asker: Asker, position: Position, reveal: Reveal) -> DeliveryDocument:
    """Show one delivery with its body. Who saw it, and why, is in the access log before it is opened."""
    return inbox.shown(asker, position, reveal.why)


@api.post("/inbox/{position}/retry")
def retry_delivery(asker: Asker, position: Position) -> Decided:
    """Try a parked delivery again, and close the question about it."""
    return inbox.retry(asker, position)


@api.post("/inbox/{position}/drop")
def drop_delivery(asker: Asker, position: Position) -> Decided:
    """Give a parked delivery up; what the law asks is for owners."""
    return inbox.drop(asker, position)


# ---- Questions ------------------------------------------------------------------------------------------------------


@api.get("/questions", tags=["questions"])
def list_questions(
    asker: Asker, cursor: Cursor = None, limit: Limit = paging.USUAL, everything: bool = False
) -> QuestionPage:
    """List the questions that wait, the oldest first; with `everything` all of them, the newest first."""
    return questions.listed(asker, cursor, limit, everything=everything)


@api.get("/questions/{question_id}", tags=["questions"])
def show_question(asker: Asker, question_id: QuestionId) -> QuestionDocument:
    """Show a question: its evidence, what each answer does, and what happens without one."""
    return questions.shown(asker, question_id)


@api.post("/questions/{question_id}/answer", tags=["questions"])
def answer_question(asker: Asker, question_id: QuestionId, given: Answer) -> Answered:
    """Answer a question, once; what the answer says is done by then. Some answers are for owners."""
    return questions.answer(asker, question_id, given.answer, given.why)
