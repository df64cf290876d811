"""Requests in law: one row for what each compliance delivery asks, from its arrival to its end.

A row is a receipt: hashes, ids of ours, times and words without a value of a person. It stays when the customer and
even the shop are erased.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, insert, or_, select, tuple_, update

from onewriter.customers import inbox, questions
from onewriter.db.privacytables import privacy_requests as table
from onewriter.db.tables import shops
from onewriter.errors import Unknown
from onewriter.records import DAY, Instant

OPEN, ACCEPTED, DONE, REFUSED = "open", "accepted", "done", "refused"
"""Open waits for a person; accepted, for a run that was decided on and needs nobody any more."""
TO_ANSWER: Instant = 30 * DAY
"""How long Shopify gives for each of these, from the receipt."""
SOON: Instant = 7 * DAY
GIVEN_UP = "its delivery was given up"

UNCLEAR_REDACTION, UNCLEAR_REQUEST, SHOP_REDACTION = "unclear redaction", "unclear data request", "shop redaction"
KINDS = (UNCLEAR_REDACTION, UNCLEAR_REQUEST, SHOP_REDACTION)
"""The kinds of questions that requests ask; the subject of each is the request's id."""

# Named by their shops, so that the index of shop and state serves: what has ended is never walked.
_OF_SHOPS = table.c.shop_id.in_(select(shops.c.id))
_WAITING = and_(_OF_SHOPS, table.c.state.in_((OPEN, ACCEPTED)))


class UnknownRequest(Unknown):
    """There is no such request, or it has ended."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a delivery asks, and of whom."""

    shop_id: int
    topic: str
    position: int
    asked_at: Instant
    """By Shopify's clock."""
    received_at: Instant
    subject_hash: bytes | None = None
    customer_id: bytes | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it stands."""

    id: int
    shop_id: int
    topic: str
    position: int | None
    asked_at: Instant
    received_at: Instant
    deadline: Instant
    subject_hash: bytes | None
    customer_id: bytes | None
    state: str
    outcome: str
    receipt_id: bytes | None
    ended_at: Instant | None
    ended_by: str | None

    @property
    def over(self) -> bool:
        """True once nothing is left to do about it."""
        return self.state in (DONE, REFUSED)

    def days_left(self, now: Instant) -> int:
        """Whole days until it must be done; below zero once that is past."""
        return (self.deadline - now) // DAY


@dataclass(frozen=True, slots=True)
class OpenCount:
    """How many requests are not done."""

    open: int
    soon: int
    """Of these, how many are due within seven days."""
    overdue: int


def write(db: Connection, heard: Heard, outcome: str) -> int:
    """Write down what a delivery asks, open; its id. One that is tried again goes on with the row that it has."""
    whom = {"subject_hash": heard.subject_hash, "customer_id": heard.customer_id, "outcome": outcome}
    known = of_delivery(db, heard.shop_id, heard.position)
    if known is not None:
        again = {"state": OPEN, "ended_at": None, "ended_by": None, "receipt_id": None}
        db.execute(update(table).where(table.c.id == known.id).values(**whom, **again))
        return known.id
    values = {"shop_id": heard.shop_id, "topic": heard.topic, "position": heard.position, "state": OPEN}
    values |= {"asked_at": heard.asked_at, "received_at": heard.received_at}
    values |= {"deadline": heard.received_at + TO_ANSWER}
    made: int = db.execute(insert(table).values(**values, **whom).returning(table.c.id)).scalar_one()
    return made


def same(db: Connection, heard: Heard, *, whole_shop: bool = False) -> Request | None:
    """A request of another delivery, not done yet, that asks the same of the same customer, or of the whole shop."""
    names = [
        column == value
        for column, value in ((table.c.subject_hash, heard.subject_hash), (table.c.customer_id, heard.customer_id))
        if value is not None
    ]
    if not names and not whole_shop:
        return None
    asks = and_(table.c.shop_id == heard.shop_id, table.c.state.in_((OPEN, ACCEPTED)), table.c.topic == heard.topic)
    theirs = select(table).where(asks, table.c.position != heard.position, *([or_(*names)] if names else []))
    found = _found(db, theirs.order_by(table.c.id))
    return found[0] if found else None


def of_delivery(db: Connection, shop_id: int, position: int) -> Request | None:
    """The request that a delivery made."""
    found = _found(db, select(table).where(table.c.shop_id == shop_id, table.c.position == position))
    return found[0] if found else None


def of_customers(db: Connection, shop_id: int, customer_ids: Sequence[bytes], hashes: Sequence[bytes]) -> list[Request]:
    """The requests about these customers, oldest first."""
    theirs = or_(table.c.customer_id.in_(list(customer_ids)), table.c.subject_hash.in_(list(hashes)))
    return _found(db, select(table).where(table.c.shop_id == shop_id, theirs).order_by(table.c.id))


def get(db: Connection, request_id: int) -> Request:
    """The request of that id; raises UnknownRequest."""
    found = _found(db, select(table).where(table.c.id == request_id))
    if not found:
        raise UnknownRequest(
            f"There is no request {request_id}; `onewriter privacy requests --all` shows those that there are."
        )
    return found[0]


def accept(db: Connection, request_id: int, outcome: str, asked_at: Instant) -> None:
    """Say that it will be done, as it was asked then, without another word of a person. The deadline stays."""
    values = {"state": ACCEPTED, "outcome": outcome, "asked_at": asked_at}
    db.execute(update(table).where(table.c.id == request_id).values(**values))


def reopen(db: Connection, request_id: int, outcome: str) -> None:
    """Say that a person must decide after all."""
    db.execute(update(table).where(table.c.id == request_id).values(state=OPEN, outcome=outcome))


def end(
    db: Connection,
    request_id: int,
    outcome: str,
    by: str,
    now: Instant,
    *,
    state: str = DONE,
    receipt: bytes | None = None,
) -> None:
    """End a request, once, and the question that it asks; raises UnknownRequest for one that has ended.

    Our id of the customer is forgotten then, since the receipt has the hash, and so is the body of its delivery, unless
    that is parked and may be tried again.
    """
    held = table.c.state.in_((OPEN, ACCEPTED))
    values: Mapping[str, Any] = {"state": state, "outcome": outcome, "ended_at": now, "ended_by": by}
    values = {**values, "receipt_id": receipt, "customer_id": None}
    ended = db.execute(update(table).where(table.c.id == request_id, held).values(**values))
    request = get(db, request_id)
    if ended.rowcount != 1:
        raise UnknownRequest(f"Request {request_id} has ended already: {request.outcome}.")
    if request.position is not None:
        inbox.empty_done(db, request.position)
    for kind in KINDS:
        questions.withdraw(db, request.shop_id, kind, [str(request_id)], now)


def give_up(db: Connection, shop_id: int, position: int, by: str, now: Instant) -> None:
    """End what a delivery asked that a person gave up, if it asked anything that is not done."""
    request = of_delivery(db, shop_id, position)
    if request is not None and not request.over:
        end(db, request.id, GIVEN_UP, by, now, state=REFUSED)


def waiting(db: Connection, most: int, behind: tuple[Instant, int] | None = None) -> list[Request]:
    """What is not done, the nearest deadline first; of those behind a deadline and an id."""
    query = select(table).where(_WAITING).order_by(table.c.deadline, table.c.id).limit(most)
    if behind is not None:
        query = query.where(tuple_(table.c.deadline, table.c.id) > behind)
    return _found(db, query)


def waiting_of(db: Connection, shop_id: int) -> list[Request]:
    """What is not done of what a shop asked."""
    return _found(db, select(table).where(table.c.shop_id == shop_id, table.c.state.in_((OPEN, ACCEPTED))))


def every(db: Connection, most: int, behind: tuple[int, int] | None = None) -> list[Request]:
    """The newest requests, whatever became of them; those that are not done come first.

    Of those behind another one: whether that is over, as 0 or 1, and its id.
    """
    over = case((table.c.state.in_((OPEN, ACCEPTED)), 0), else_=1)
    query = select(table).order_by(over, table.c.id.desc()).limit(most)
    if behind is not None:
        query = query.where(or_(over > behind[0], and_(over == behind[0], table.c.id < behind[1])))
    return _found(db, query)


def accepted(db: Connection, topic: str) -> list[Request]:
    """What was decided on and is not done; cheap when there is nothing."""
    return _found(db, select(table).where(_OF_SHOPS, table.c.state == ACCEPTED, table.c.topic == topic))


def open_count(db: Connection, now: Instant) -> OpenCount:
    """How many requests are not done, how many of them are due within seven days, and how many are overdue."""
    deadlines = list(db.execute(select(table.c.deadline).where(_WAITING)).scalars())
    late = sum(deadline <= now for deadline in deadlines)
    return OpenCount(len(deadlines), sum(deadline <= now + SOON for deadline in deadlines) - late, late)


def _found(db: Connection, query: Select[Any]) -> list[Request]:
    return [_request(row) for row in db.execute(query)]


def _request(row: Row[Any]) -> Request:
    values = dict(row._mapping)
    binary = ("subject_hash", "customer_id", "receipt_id")
    return Request(**values | {name: None if values[name] is None else bytes(values[name]) for name in binary})
