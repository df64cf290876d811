"""The inbox: every delivery that was acknowledged, sealed, and what became of it.

Rows are drained in batches. On PostgreSQL several workers drain at once: each locks customers (stripes), not rows, and
reads their rows in a second statement, since locking rows would let a peer take a customer's second delivery while the
first is still being applied.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, delete, func, literal_column, not_, or_, select, update

from onewriter.db.bulk import try_stripes
from onewriter.db.tables import inbox
from onewriter.errors import Unknown
from onewriter.records import DAY, SECOND, Instant

WAITING, DONE, PARKED, DROPPED = "waiting", "done", "parked", "dropped"
PARKED_DELIVERY = "parked delivery"
"""The kind of question that a delivery asks when it cannot be applied."""
OUTCOME_LENGTH_MAX = 200
FAR: Instant = 3600 * SECOND
"""No delivery is ever put off this far, so one that seems to be met a clock that has been put back since."""

# Written out, not bound: an index of the waiting rows alone serves only a query that says so itself.
_WAITS = inbox.c.state == literal_column(f"'{WAITING}'")
_IS_PARKED = inbox.c.state == literal_column(f"'{PARKED}'")
_IN_STATE = {WAITING: _WAITS, PARKED: _IS_PARKED}
_READY = (_WAITS, or_(inbox.c.due_at <= bindparam("now"), inbox.c.due_at > bindparam("far")))
# The oldest that wait, by the small index of the waiting rows: what was applied before costs nothing, however much.
_OLDEST_READY = (
    select(inbox.c.position).where(*_READY).order_by(inbox.c.position).limit(bindparam("most")).scalar_subquery()
)
_HEADS = select(inbox.c.shop_id, inbox.c.stripe).where(inbox.c.position.in_(_OLDEST_READY)).distinct()
_ROWS = (
    select(
        inbox.c.position, inbox.c.shop_id, inbox.c.webhook_id, inbox.c.topic, inbox.c.triggered_at,
        inbox.c.received_at, inbox.c.day, inbox.c.box, inbox.c.attempts, inbox.c.subject_hash, inbox.c.other_hash,
    )
    .where(inbox.c.position.in_(_OLDEST_READY), inbox.c.stripe.in_(bindparam("stripes", expanding=True)))
    .order_by(inbox.c.position)
)  # fmt: skip
_ANY = select(inbox.c.position).where(*_READY).limit(1)
_END = (
    update(inbox)
    .where(inbox.c.position == bindparam("b_position"))
    .values(
        state=bindparam("b_state"), outcome=bindparam("b_outcome"), ended_at=bindparam("b_now"),
        attempts=bindparam("b_attempts"), due_at=bindparam("b_due_at"),
    )
)  # fmt: skip
_EMPTY = update(inbox).where(inbox.c.position == bindparam("b_position")).values(box=None)
_BY_STATE = select(inbox.c.state, func.count().label("number")).group_by(inbox.c.state)
_OLDEST = select(func.min(inbox.c.received_at)).where(_WAITS)
_LIST = [
    inbox.c.position, inbox.c.shop_id, inbox.c.webhook_id, inbox.c.topic, inbox.c.event_id, inbox.c.api_version,
    inbox.c.triggered_at, inbox.c.received_at, inbox.c.state, inbox.c.attempts, inbox.c.due_at, inbox.c.ended_at,
    inbox.c.outcome,
]  # fmt: skip


_TOLD = [
    inbox.c.position, inbox.c.topic, inbox.c.triggered_at, inbox.c.received_at, inbox.c.state, inbox.c.outcome,
    inbox.c.attempts, inbox.c.ended_at,
]  # fmt: skip
_OF_SUBJECTS = select(*_TOLD, inbox.c.subject_hash.label("of")).where(
    inbox.c.subject_hash.in_(bindparam("hashes", expanding=True)), inbox.c.shop_id + 0 == bindparam("shop_id")
)
_OF_OTHERS = select(*_TOLD, inbox.c.other_hash.label("of")).where(
    inbox.c.other_hash.in_(bindparam("hashes", expanding=True)), inbox.c.shop_id + 0 == bindparam("shop_id")
)
_SEALED = [inbox.c.box, inbox.c.day, inbox.c.subject_hash, inbox.c.other_hash]


class UnknownDelivery(Unknown):
    """There is no delivery at that position."""


@dataclass(frozen=True, slots=True)
class Row:
    """One delivery that waits, still sealed."""

    position: int
    shop_id: int
    webhook_id: str
    topic: str
    triggered_at: Instant | None
    received_at: Instant
    day: int
    box: bytes
    attempts: int
    subject_hash: bytes | None
    other_hash: bytes | None


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a delivery, or when it is tried again."""

    position: int
    state: str
    outcome: str
    attempts: int = 0
    due_at: Instant = 0


@dataclass(frozen=True, slots=True)
class Told:
    """One delivery that spoke of a customer, without its body."""

    position: int
    topic: str
    at: Instant
    """When Shopify triggered it; when we received it where no header said so."""
    received: Instant
    state: str
    outcome: str | None
    attempts: int
    ended: Instant | None
    merged_away: bool = False
    """Of a merge: the customer is the one that was not kept."""


def any_ready(db: Connection, now: Instant) -> bool:
    """True when a delivery waits to be applied; takes no lock, so that an idle worker costs nothing."""
    return db.execute(_ANY, {"now": now, "far": now + FAR}).first() is not None


def claim(db: Connection, now: Instant, most: int) -> list[Row]:
    """Deliveries of one shop that nobody else can touch until this transaction ends, oldest first.

    Empty when there are none, or when a peer holds every customer that has one.
    """
    wanted: dict[int, set[int]] = {}
    for head in db.execute(_HEADS, {"now": now, "far": now + FAR, "most": most}):
        wanted.setdefault(head.shop_id, set()).add(head.stripe)
    for shop_id, stripes in wanted.items():
        held = try_stripes(db, shop_id, stripes)
        if held:
            # A second statement, since only now is it certain that nobody adds to what these customers did.
            rows = db.execute(_ROWS, {"now": now, "far": now + FAR, "stripes": sorted(held), "most": most})
            # The shop is asked here: named in the query, it would tempt SQLite to walk every row of the shop.
            return [Row(**dict(row._mapping)) for row in rows if row.shop_id == shop_id]
    return []


def end(db: Connection, endings: Sequence[Ending], now: Instant) -> None:
    """Write down what became of deliveries."""
    rows = [
        {
            "b_position": ending.position,
            "b_state": ending.state,
            "b_outcome": ending.outcome[:OUTCOME_LENGTH_MAX],
            "b_now": None if ending.state == WAITING else now,
            "b_attempts": ending.attempts,
            "b_due_at": ending.due_at,
        }
        for ending in endings
    ]
    if rows:
        db.execute(_END, rows)


def empty(db: Connection, positions: Sequence[int]) -> None:
    """Take the bodies of deliveries that must not be kept; the rows say that they came, and what became of them."""
    if positions:
        db.execute(_EMPTY, [{"b_position": position} for position in positions])


def empty_done(db: Connection, position: int) -> None:
    """Take the body of a delivery that was taken up and is of no further use; a parked one keeps its own."""
    db.execute(update(inbox).where(inbox.c.position == position, inbox.c.state == DONE).values(box=None))


def remove(db: Connection, positions: Sequence[int]) -> None:
    """Take deliveries away as if they had never come."""
    db.execute(delete(inbox).where(inbox.c.position.in_(list(positions))))


def any_waiting(db: Connection, shop_id: int, topic: str) -> bool:
    """True when a delivery of that topic waits in the shop."""
    wanted = select(inbox.c.position).where(_WAITS, inbox.c.shop_id == shop_id, inbox.c.topic == topic)
    return db.execute(wanted.limit(1)).first() is not None


def any_waiting_before(
    db: Connection, shop_id: int, position: int, topics: Collection[str], but: Collection[int]
) -> bool:
    """True when a delivery of one of these topics came to the shop before that position and is not applied yet."""
    others = (inbox.c.shop_id == shop_id, inbox.c.position < position, inbox.c.topic.in_(list(topics)))
    wanted = select(inbox.c.position).where(or_(_WAITS, _IS_PARKED), *others, inbox.c.position.not_in(list(but)))
    return db.execute(wanted.limit(1)).first() is not None


def counts(db: Connection) -> dict[str, int]:
    """How many deliveries are in each state."""
    return {row.state: row.number for row in db.execute(_BY_STATE)}


def open_counts(db: Connection) -> dict[str, int]:
    """How many deliveries wait and how many are parked; cheap however many were applied."""
    return {
        state: db.execute(select(func.count()).select_from(inbox).where(those)).scalar_one()
        for state, those in ((WAITING, _WAITS), (PARKED, _IS_PARKED))
    }


def backlog_s(db: Connection, now: Instant) -> float:
    """How long the oldest waiting delivery has waited, in seconds."""
    oldest: Instant | None = db.execute(_OLDEST).scalar_one()
    return 0.0 if oldest is None else max(0.0, (now - oldest) / SECOND)


def versions_since(db: Connection, shop_id: int, since: Instant) -> set[str]:
    """The API versions that deliveries of the shop named since then; the day, which is indexed, finds them quickly."""
    query = select(inbox.c.api_version).where(
        inbox.c.day >= since // DAY,
        inbox.c.shop_id == shop_id,
        inbox.c.received_at >= since,
        inbox.c.api_version.is_not(None),
    )
    return set(db.execute(query.distinct()).scalars())


def listed(db: Connection, state: str | None, most: int, behind: int | None = None) -> list[Mapping[str, Any]]:
    """The newest deliveries, without their bodies; of those that came before a position."""
    query = select(*_LIST).order_by(inbox.c.position.desc()).limit(most)
    if state is not None:
        query = query.where(_IN_STATE.get(state, inbox.c.state == state))
    if behind is not None:
        query = query.where(inbox.c.position < behind)
    return [dict(row._mapping) for row in db.execute(query)]


def get(db: Connection, position: int) -> Mapping[str, Any]:
    """One delivery, with its sealed body; raises UnknownDelivery."""
    row = db.execute(select(*_LIST, *_SEALED).where(inbox.c.position == position)).first()
    if row is None:
        raise UnknownDelivery(f"There is no delivery {position}; `onewriter inbox list` shows those that there are.")
    return dict(row._mapping)


def told_of(db: Connection, shop_id: int, hashes: Sequence[bytes]) -> dict[bytes, list[Told]]:
    """The deliveries that spoke of these customers, by the hash of the customer's id; a merge speaks of two."""
    found: dict[bytes, list[Told]] = {name: [] for name in hashes}
    if not hashes:
        return found
    for query, away in ((_OF_SUBJECTS, False), (_OF_OTHERS, True)):
        for row in db.execute(query, {"shop_id": shop_id, "hashes": list(hashes)}):
            found[bytes(row.of)].append(_told(row, away))
    return found


def _told(row: Any, merged_away: bool) -> Told:
    at = row.received_at if row.triggered_at is None else row.triggered_at
    head = (row.position, row.topic, at, row.received_at, row.state, row.outcome, row.attempts, row.ended_at)
    return Told(*head, merged_away)


def retry(db: Connection, position: int) -> None:
    """Try a parked delivery again."""
    _from_parked(db, position, {"state": WAITING, "attempts": 0, "due_at": 0, "ended_at": None})


def drop(db: Connection, position: int, now: Instant) -> None:
    """Give a parked delivery up; it stays in the list."""
    _from_parked(db, position, {"state": DROPPED, "ended_at": now})


def drop_expired(db: Connection, before_day: int, given_up: Collection[str] = ()) -> int:
    """Drop what arrived before a day: its body cannot be opened any more. Returns how many rows went.

    A parked delivery only loses its body and goes on waiting for a person; one of the topics `given_up` goes too.
    """
    old = inbox.c.day < before_day
    parked = and_(_IS_PARKED, inbox.c.topic.not_in(list(given_up)))
    db.execute(update(inbox).where(old, parked, inbox.c.box.is_not(None)).values(box=None))
    return db.execute(delete(inbox).where(old, not_(parked))).rowcount


def _from_parked(db: Connection, position: int, values: dict[str, Any]) -> None:
    moved = db.execute(update(inbox).where(inbox.c.position == position, inbox.c.state == PARKED).values(**values))
    if moved.rowcount != 1:
        get(db, position)
        raise UnknownDelivery(f"Delivery {position} is not parked, so there is nothing to decide.")
