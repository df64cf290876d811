"""Questions: what waits for a person, with the evidence, the answers allowed, and what happens without one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, Row, bindparam, func, insert, select, update

from onewriter.db.bulk import in_chunks
from onewriter.db.tables import questions
from onewriter.errors import Permanent, Unknown
from onewriter.records import Instant

_WAITS = (questions.c.answered_at.is_(None), questions.c.id > bindparam("behind"))
_OPEN = select(questions).where(*_WAITS).order_by(questions.c.id).limit(bindparam("most"))
_ALL = select(questions).order_by(questions.c.id.desc()).limit(bindparam("most"))
_BY_ID = select(questions).where(questions.c.id == bindparam("id"))
_COUNT = select(func.count()).select_from(questions).where(questions.c.answered_at.is_(None))
_SAME = select(questions.c.id).where(
    questions.c.shop_id == bindparam("shop_id"),
    questions.c.kind == bindparam("kind"),
    questions.c.subject == bindparam("subject"),
)
_ABOUT = select(questions).where(
    questions.c.shop_id == bindparam("shop_id"),
    questions.c.kind == bindparam("kind"),
    questions.c.subject == bindparam("subject"),
)
_THIS = questions.c.id == bindparam("b_id")
_RENEW = update(questions).where(_THIS).values(text=bindparam("b_text"), evidence=bindparam("b_evidence", type_=JSON))
_ASK_AGAIN = (
    update(questions)
    .where(_THIS, questions.c.answered_at.is_not(None))
    .values(
        asked_at=bindparam("b_now"),
        deadline=bindparam("b_deadline"),
        answered_at=None,
        answer=None,
        answered_by=None,
        why=None,
    )
)


class NotAnswerable(Permanent):
    """The question was answered before, or does not allow that answer."""


class UnknownQuestion(NotAnswerable, Unknown):
    """There is no such question."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to be asked. Text and evidence never hold a value or an id of a person."""

    kind: str
    subject: str
    text: str
    answers: Mapping[str, str]
    """Each answer allowed, and what it does."""
    otherwise: str
    deadline: Instant | None = None
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it stands."""

    id: int
    shop_id: int
    kind: str
    subject: str
    text: str
    evidence: Mapping[str, Any]
    answers: Mapping[str, str]
    otherwise: str
    asked_at: Instant
    deadline: Instant | None
    answered_at: Instant | None
    answer: str | None
    answered_by: str | None
    why: str | None


def ask(db: Connection, shop_id: int, asked: Ask, now: Instant, *, once: bool = False) -> int:
    """Ask, unless the same waits already, which is told anew; what was answered and came up again is asked again.

    With `once`, an answer counts for good. Returns its id.
    """
    key = {"shop_id": shop_id, "kind": asked.kind, "subject": asked.subject}
    known: int | None = db.execute(_SAME, key).scalar()
    if known is not None:
        db.execute(_RENEW, {"b_id": known, "b_text": asked.text, "b_evidence": dict(asked.evidence or {})})
        if not once:
            db.execute(_ASK_AGAIN, {"b_id": known, "b_now": now, "b_deadline": asked.deadline})
        return known
    values = key | {"text": asked.text, "answers": dict(asked.answers), "otherwise": asked.otherwise}
    values |= {"evidence": dict(asked.evidence or {}), "deadline": asked.deadline, "asked_at": now}
    asked_id: int = db.execute(insert(questions).values(**values).returning(questions.c.id)).scalar_one()
    return asked_id


def waiting(db: Connection, most: int, behind: int = 0) -> list[Question]:
    """The questions that wait for an answer, oldest first; of those behind an id."""
    return [_question(row) for row in db.execute(_OPEN, {"most": most, "behind": behind})]


def waiting_since(db: Connection) -> list[tuple[int, Instant]]:
    """The ids of all that wait for an answer, oldest first, and when each was asked; without what it says."""
    wanted = select(questions.c.id, questions.c.asked_at).where(questions.c.answered_at.is_(None))
    return [(row.id, row.asked_at) for row in db.execute(wanted.order_by(questions.c.id))]


def some(db: Connection, ids: Sequence[int]) -> list[Question]:
    """The questions of these ids, oldest first."""
    wanted = select(questions).where(questions.c.id.in_(ids)).order_by(questions.c.id)
    return [_question(row) for row in db.execute(wanted)]


def waiting_of(db: Connection, shop_id: int, kind: str) -> list[Question]:
    """The questions of one kind in a shop that wait for an answer."""
    theirs = (questions.c.shop_id == shop_id, questions.c.kind == kind, questions.c.answered_at.is_(None))
    return [_question(row) for row in db.execute(select(questions).where(*theirs))]


def every(db: Connection, most: int, behind: int | None = None) -> list[Question]:
    """All questions, newest first; of those behind an id."""
    query = _ALL if behind is None else _ALL.where(questions.c.id < behind)
    return [_question(row) for row in db.execute(query, {"most": most})]


def count(db: Connection) -> int:
    """How many questions wait."""
    waiting: int = db.execute(_COUNT).scalar_one()
    return waiting


def get(db: Connection, question_id: int) -> Question:
    """The question of that id; raises UnknownQuestion."""
    row = db.execute(_BY_ID, {"id": question_id}).first()
    if row is None:
        raise UnknownQuestion(f"There is no question {question_id}; `onewriter questions list` shows those that wait.")
    return _question(row)


def answer(db: Connection, question_id: int, chosen: str, by: str, why: str | None, now: Instant) -> Question:
    """Write the answer down, once. The caller does what it says, in the same transaction."""
    question = get(db, question_id)
    if chosen not in question.answers:
        raise NotAnswerable(f"That question allows: {', '.join(question.answers)}.")
    taken = db.execute(
        update(questions)
        .where(questions.c.id == question_id, questions.c.answered_at.is_(None))
        .values(answer=chosen, answered_by=by, why=why, answered_at=now)
    )
    if taken.rowcount != 1:
        raise NotAnswerable(f"Question {question_id} was answered before, with {question.answer}.")
    return get(db, question_id)


def withdraw(db: Connection, shop_id: int, kind: str, subjects: Sequence[str], now: Instant) -> None:
    """Close questions whose matter was settled another way."""
    for some in in_chunks(subjects):
        theirs = questions.c.subject.in_(some)
        db.execute(
            update(questions)
            .where(questions.c.shop_id == shop_id, questions.c.kind == kind, theirs)
            .where(questions.c.answered_at.is_(None))
            .values(answer="settled", answered_by="onewriter", answered_at=now)
        )


def newest_of(db: Connection, shop_id: int, kind: str, subject: str) -> Question | None:
    """The question about that, whether it waits or was answered."""
    row = db.execute(_ABOUT, {"shop_id": shop_id, "kind": kind, "subject": subject}).first()
    return None if row is None else _question(row)


def _question(row: Row[Any]) -> Question:
    return Question(**dict(row._mapping))
