"""Retention: which customers are hidden, why each of them is still here and until when, and which may be purged now.

A customer is due once its time is over, Shopify has confirmed that it is gone, and, if nobody ever told us of its
deletion and it holds points, a person has seen it. Of a disconnected shop nothing more can be confirmed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Update, and_, bindparam, case, false, func, or_, select, update

from onewriter.customers.profiles import DELETED, KEPT, MERGED
from onewriter.customers.shops import CONNECTED, Shop
from onewriter.db.pointtables import accounts
from onewriter.db.tables import aliases, customers
from onewriter.records import DAY, Instant
from onewriter.rules import retention
from onewriter.rules.aliasing import AliasState
from onewriter.vault.seal import bound_to

LARGE_PURGE = "large purge"
"""The kind of question that a purge asks which would take more than a run may take by itself."""
UNTOLD_DELETION = "untold deletion"
"""The kind of question that is asked about customers with points who vanished without a word."""
ASKED_MAX = 500

_KEPT = select(customers.c.state, customers.c.deleted_at, customers.c.keep_until, customers.c.kept_reason).where(
    customers.c.id == bindparam("id")
)
_POINTS = func.coalesce(func.sum(accounts.c.balance + accounts.c.pending), 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the retention of a shop stands."""

    held: int
    """All customers that there are, hidden or not."""
    hidden: int
    due: int
    unconfirmed: int
    """Of whom Shopify must be asked first."""
    untold: int
    """Whom a person must see first."""
    untold_points: int

    @property
    def limit(self) -> int:
        """How many of them one run may purge by itself."""
        return retention.mass_limit(self.held)


@dataclass(frozen=True, slots=True)
class Kept:
    """Why a customer that Shopify has no more is still here, and until when."""

    why: str
    until: Instant


def kept_binding(shop_id: int, customer_id: bytes) -> bytes:
    """What the box is bound to of the reason that a person gave for restoring a customer."""
    return bound_to("kept", shop_id, customer_id)


def kept(
    state: str, deleted_at: Instant | None, keep_until: Instant | None, reason: str | None, days: int
) -> Kept | None:
    """Why a customer in that state is kept, and until when; None for one that is simply there."""
    if state == KEPT and keep_until is not None:
        return Kept(reason or "restored", keep_until)
    if state not in (DELETED, MERGED) or deleted_at is None:
        return None
    gone = "merged into another one" if state == MERGED else "deleted"
    return Kept(f"{gone} in Shopify, and kept for {days} days so that it can be restored", _until(deleted_at, days))


def kept_of(db: Connection, shop: Shop, customer_id: bytes) -> Kept | None:
    """Why this customer is still here, and until when; None for one that is simply there."""
    row = db.execute(_KEPT, {"id": customer_id}).first()
    return None if row is None else kept(*row, shop.retention_days)


def look(db: Connection, shop: Shop, now: Instant) -> Standing:
    """Count what is hidden in a shop, what is due, and what waits for Shopify or for a person."""
    count = select(func.count()).select_from(customers).where(customers.c.shop_id == shop.id)
    over = _over(shop, now)
    untold = select(func.count(), _POINTS).select_from(customers.join(accounts, _account()))
    number, points = db.execute(untold.where(over, _is_untold())).one()
    return Standing(
        held=db.execute(count).scalar_one(),
        hidden=db.execute(count.where(customers.c.deleted_at.is_not(None))).scalar_one(),
        due=db.execute(count.where(over, _may_go(shop))).scalar_one(),
        unconfirmed=db.execute(count.where(over, _is_unconfirmed(shop))).scalar_one(),
        untold=number,
        untold_points=int(points),
    )


def due(db: Connection, shop: Shop, now: Instant, most: int, among: Collection[int] | None = None) -> Sequence[int]:
    """The Shopify ids of those that may be purged now, the earliest deletion first; of those `among` these alone."""
    wanted = select(customers.c.shopify_id).where(_over(shop, now), _may_go(shop))
    if among is not None:
        wanted = wanted.where(customers.c.shopify_id.in_(list(among)))
    # By the time alone, as the index has it: with another column all that are due would be sorted for each piece.
    return list(db.execute(wanted.order_by(customers.c.deleted_at).limit(most)).scalars())


def unconfirmed(db: Connection, shop: Shop, now: Instant, most: int) -> Sequence[int]:
    """The Shopify ids of those whose time is over and whom Shopify was never seen without."""
    wanted = select(customers.c.shopify_id).where(_over(shop, now), _is_unconfirmed(shop))
    return list(db.execute(wanted.order_by(customers.c.id).limit(most)).scalars())


def untold(db: Connection, shop: Shop, now: Instant) -> Sequence[bytes]:
    """Our ids of those whom a person must see before they go; as many as one question can name."""
    wanted = select(customers.c.id).select_from(customers.join(accounts, _account()))
    found = db.execute(wanted.where(_over(shop, now), _is_untold()).order_by(customers.c.id).limit(ASKED_MAX))
    return [bytes(each) for each in found.scalars()]


def upcoming(db: Connection, shop: Shop, now: Instant) -> dict[Instant, int]:
    """How many customers fall due on each day that is still to come, by the midnight (UTC) that the day begins with."""
    ends = case(
        (customers.c.state.in_((DELETED, MERGED)), customers.c.deleted_at + shop.retention_days * DAY),
        (customers.c.state == KEPT, customers.c.keep_until),
    )
    day = (ends // DAY).label("day")
    theirs = (customers.c.shop_id == shop.id, customers.c.deleted_at.is_not(None), ends > now)
    days = select(day, func.count().label("many")).where(*theirs).group_by("day").order_by("day")
    return {row.day * DAY: row.many for row in db.execute(days)}


def shopify_ids(db: Connection, shop: Shop, customer_ids: Collection[bytes]) -> Sequence[int]:
    """The Shopify ids of these, as far as they are there."""
    theirs = (customers.c.shop_id + 0 == shop.id, customers.c.id.in_(list(customer_ids)))
    return list(db.execute(select(customers.c.shopify_id).where(*theirs)).scalars())


def agree(db: Connection, shop: Shop, customer_ids: Collection[bytes], now: Instant) -> int:
    """Remember that a person agreed to the purge of these; returns how many still waited for it."""
    return db.execute(_waiting(shop, customer_ids, now).values(seen_at=now)).rowcount


def keep(
    db: Connection, shop: Shop, customer_ids: Collection[bytes], until: Instant, reason: str, now: Instant
) -> Sequence[bytes]:
    """Keep these, who wait for a person's word, until then; returns those who still waited for it.

    Under their locks; the caller settles their points, since time goes on for them.
    """
    kept_now = _waiting(shop, customer_ids, now).values(
        state=KEPT, keep_until=until, kept_reason=reason, changed_at=now
    )
    return [bytes(each) for each in db.execute(kept_now.returning(customers.c.id)).scalars()]


def forget(db: Connection, customer_ids: Collection[bytes]) -> None:
    """Forget what was decided about customers whom Shopify has after all."""
    if customer_ids:
        nothing = {"keep_until": None, "kept_reason": None, "kept_box": None, "seen_at": None}
        db.execute(update(customers).where(customers.c.id.in_(list(customer_ids))).values(**nothing))


def _waiting(shop: Shop, customer_ids: Collection[bytes], now: Instant) -> Update:
    theirs = customers.c.id.in_(list(customer_ids))
    return update(customers).where(theirs, _over(shop, now), _was_not_told())


def _until(deleted_at: Instant, days: int) -> Instant:
    return retention.purge_at(deleted_at, days)


def _over(shop: Shop, now: Instant) -> ColumnElement[bool]:
    """The time of the customer is over."""
    long_ago = customers.c.deleted_at <= now - _until(0, shop.retention_days)
    gone = customers.c.state.in_((DELETED, MERGED))
    kept_until = and_(customers.c.state == KEPT, customers.c.keep_until <= now)
    # By the time of deletion first, of which there is an index: most of those who are hidden have time yet.
    return and_(customers.c.shop_id == shop.id, long_ago, or_(gone, kept_until))


def _may_go(shop: Shop) -> ColumnElement[bool]:
    return and_(~_is_unconfirmed(shop), ~and_(_was_not_told(), _has_points()))


def _is_unconfirmed(shop: Shop) -> ColumnElement[bool]:
    return customers.c.confirmed_at.is_(None) if shop.state == CONNECTED else false()


def _is_untold() -> ColumnElement[bool]:
    return and_(_was_not_told(), or_(accounts.c.balance != 0, accounts.c.pending != 0))


def _was_not_told() -> ColumnElement[bool]:
    """Nobody told of the deletion: its time is that of the read that found nothing, and a person has not seen it.

    Nor has anybody decided about points that one still has who was merged away, or was told to be: they are with the
    other one else.
    """
    vanished = and_(customers.c.state == DELETED, customers.c.confirmed_at == customers.c.deleted_at)
    unseen = or_(customers.c.seen_at.is_(None), customers.c.seen_at < customers.c.deleted_at)
    told = select(aliases.c.shop_id).where(
        aliases.c.shop_id == customers.c.shop_id,
        aliases.c.deleted_id == customers.c.shopify_id,
        aliases.c.state == AliasState.HEARD.value,
    )
    return and_(or_(func.coalesce(vanished, false()), customers.c.state == MERGED, told.exists()), unseen)


def _account() -> ColumnElement[bool]:
    return accounts.c.customer_id == customers.c.id


def _has_points() -> ColumnElement[bool]:
    points = select(accounts.c.customer_id).where(_account(), or_(accounts.c.balance != 0, accounts.c.pending != 0))
    return points.exists()
