"""The outbox of notices: what people are to be told of, over which channel, and what became of it.

A notice is written once for each channel, by whoever looks first; and it is sent at least once. Whoever sends it claims
it for a while, so that two workers do not send the same, and one that dies while it sends leaves it to the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from onewriter.db.bulk import in_chunks
from onewriter.db.tables import shops
from onewriter.db.webtables import notices
from onewriter.errors import Unknown
from onewriter.records import DAY, HOUR, Instant
from onewriter.rules.notifying import Kind, Notice, next_try

WAITING, SENT, FAILED = "waiting", "sent", "failed"
KEEP: Instant = 90 * DAY
"""What waits for a person longer than that is told of again."""
CLAIM: Instant = HOUR // 6
"""For how long a notice is nobody else's to send."""
AT_ONCE = 100
ERROR_MAX = 200

_INSERTS = {
    dialect.name: module.insert(notices).on_conflict_do_nothing()
    for dialect, module in ((sqlite.dialect, sqlite), (postgresql.dialect, postgresql))
}
_LISTED = select(notices, shops.c.domain.label("shop")).select_from(
    notices.outerjoin(shops, shops.c.id == notices.c.shop_id)
)


class UnknownNotice(Unknown):
    """There is no such notice that has failed."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notice over one channel, and what became of it."""

    id: int
    kind: str
    subject: str
    text: str
    shop: str | None
    channel: str
    state: str
    tries: int
    made_at: Instant
    next_at: Instant
    sent_at: Instant | None
    error: str | None


def begun_at(db: Connection, channel: str) -> Instant | None:
    """Since when people are told over that channel; None before they are."""
    begun = select(notices.c.made_at).where(notices.c.kind == Kind.BEGUN, notices.c.channel == channel)
    moment: Instant | None = db.execute(begun).scalar()
    return moment


def unknown(db: Connection, channel: str, kind: Kind, subjects: Sequence[str]) -> set[str]:
    """Those subjects of which no notice of that kind was written down for that channel yet."""
    left = set(subjects)
    for some in in_chunks(list(left)):
        # By kind as well, which the index begins with.
        there = select(notices.c.subject).where(
            notices.c.kind == kind, notices.c.subject.in_(some), notices.c.channel == channel
        )
        left -= set(db.execute(there).scalars())
    return left


def write_down(db: Connection, channel: str, found: Iterable[Notice], now: Instant) -> None:
    """Write notices down to be sent; one that is there already stays as it is."""
    rows = [
        {
            "shop_id": each.shop_id, "kind": each.kind, "subject": each.subject, "text": each.text, "channel": channel,
            "state": WAITING, "tries": 0, "made_at": now, "next_at": now,
        }
        for each in found
    ]  # fmt: skip
    if rows:
        db.execute(_INSERTS[db.dialect.name], rows)


def due(db: Connection, channel: str, now: Instant) -> bool:
    """Whether anything is to be sent over that channel."""
    return db.execute(select(notices.c.id).where(*_due(channel, now)).limit(1)).first() is not None


def claim(db: Connection, channel: str, now: Instant) -> list[Told]:
    """The oldest that are due, which are the caller's for as long as CLAIM; another worker finds others, or none.

    That they are claimed counts as a try: what ends a process each time it is sent is given up as well.
    """
    oldest = select(notices.c.id).where(*_due(channel, now)).order_by(notices.c.id).limit(AT_ONCE)
    ids = list(db.execute(oldest.with_for_update(skip_locked=True)).scalars())
    claimed = update(notices).where(notices.c.id.in_(ids), *_due(channel, now)).values(next_at=now + CLAIM)
    db.execute(claimed.values(tries=notices.c.tries + 1))
    return [_told(row) for row in db.execute(_LISTED.where(notices.c.id.in_(ids)).order_by(notices.c.id))]


def sent(db: Connection, ids: Sequence[int], now: Instant, remark: str | None = None) -> None:
    """Say that these arrived; the remark is about those whom they did not reach."""
    told = None if remark is None else remark[:ERROR_MAX]
    db.execute(update(notices).where(notices.c.id.in_(ids)).values(state=SENT, sent_at=now, error=told))


def not_sent(db: Connection, one: Told, error: str, now: Instant) -> None:
    """Say that a notice did not arrive: it is tried again, until it has been for a day.

    Nothing changes when another worker claimed it since: what became of it is for that one to say.
    """
    following = next_try(one.tries, now)
    told = {"error": error[:ERROR_MAX], "state": FAILED if following is None else WAITING}
    db.execute(update(notices).where(*_still(one)).values(next_at=following or now, **told))


def not_tried(db: Connection, one: Told, now: Instant) -> None:
    """Give a claimed notice back for which there was no time."""
    db.execute(update(notices).where(*_still(one)).values(next_at=now, tries=one.tries - 1))


def retry(db: Connection, notice_id: int, now: Instant) -> None:
    """Send a notice again that was given up; raises UnknownNotice for any other."""
    failed = (notices.c.id == notice_id, notices.c.state == FAILED)
    again = db.execute(update(notices).where(*failed).values(state=WAITING, tries=0, next_at=now, error=None))
    if again.rowcount != 1:
        raise UnknownNotice(f"No notice {notice_id} was given up; `onewriter notify list` shows those that were.")


def listed(db: Connection, most: int, behind: int | None = None) -> list[Told]:
    """The newest notices; those behind an id."""
    query = _LISTED if behind is None else _LISTED.where(notices.c.id < behind)
    return [_told(row) for row in db.execute(query.order_by(notices.c.id.desc()).limit(most))]


def counts(db: Connection) -> dict[str, int]:
    """How many notices wait that were tried before, and how many were given up."""
    troubled = (notices.c.state == WAITING) & (notices.c.tries > 0) | (notices.c.state == FAILED)
    counted = select(notices.c.state, func.count().label("many")).where(troubled).group_by(notices.c.state)
    return {row.state: row.many for row in db.execute(counted)}


def drop_ended(db: Connection, now: Instant) -> None:
    """Drop what was told of long ago."""
    # What still waits by then is for a channel that was switched off, and would be old news if it were on again.
    db.execute(delete(notices).where(notices.c.made_at < now - KEEP, notices.c.kind != Kind.BEGUN))


def _due(channel: str, now: Instant) -> tuple[ColumnElement[bool], ...]:
    return (notices.c.state == WAITING, notices.c.next_at <= now, notices.c.channel == channel)


def _still(one: Told) -> tuple[ColumnElement[bool], ...]:
    """The notice, as long as it is the claim of whoever read it so."""
    return (notices.c.id == one.id, notices.c.state == WAITING, notices.c.tries == one.tries)


def _told(row: Row[Any]) -> Told:
    values = dict(row._mapping)
    values.pop("shop_id")
    return Told(**values)
