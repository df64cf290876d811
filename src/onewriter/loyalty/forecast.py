"""What other rules would do: computed from what is held now, before anybody sets them. Nothing here changes anything.

A forecast says what cannot be told, rather than guess: refunds, what a sealed record says, and orders that earned
nothing are beyond it.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Select, exists, func, or_, select

from onewriter.customers import find, profiles
from onewriter.customers.profiles import ACTIVE
from onewriter.customers.shops import Shop
from onewriter.db.pointtables import accounts, entries
from onewriter.db.tables import customers
from onewriter.loyalty import programme
from onewriter.loyalty.programme import same_lapse
from onewriter.records import DAY, EntryKind, Instant, Money, Order
from onewriter.rules.earning import NEWSLETTER, ORDER, SIGNUP, Basis, Expiry, Gift, OrderRule, Programme, Version
from onewriter.vault.vault import ShopVault

ORDERS_MAX = 1_000
"""The newest orders that are computed anew."""
SHOWN_MAX = 10
"""Customers that are named."""
OPENED_MAX = 10_000
"""The most customers whose records are opened for a forecast."""
CHUNK = 500
FAR: Instant = 2**62

_EARNED = (
    entries.c.kind == EntryKind.EARN.value,
    entries.c.rule == ORDER,
    entries.c.dropped_by.is_(None),
    entries.c.amount.is_not(None),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a customer's orders among those computed gave, and would give."""

    customer: bytes
    then: int
    now: int


@dataclass(frozen=True, slots=True)
class Orders:
    """What orders that earned would earn under other rules, before refunds."""

    computed: int
    """Orders that were computed anew: the newest."""
    of: int
    """Orders that ever earned."""
    then: int
    now: int
    customers: int
    """Customers for whom it makes a difference."""
    greatest: tuple[Difference, ...]
    """Those with the greatest difference, the greatest first."""
    notes: tuple[str, ...]
    """What the figures leave out, each in a sentence."""


@dataclass(frozen=True, slots=True)
class Gifts:
    """Customers who do not have what a rule gives once in a life, and what it would come to if all had it."""

    points_each: int
    """0 when the rule is off."""
    have: int
    """Customers who have it."""
    without: int
    """Active customers who do not."""
    first: tuple[bytes, ...]
    """The first of them."""
    older: int = 0
    """Of signing up: active customers without it from before the install, who are not among the others."""

    @property
    def points(self) -> int:
        """At most what it would come to if those were given it."""
        return self.without * self.points_each

    @property
    def award_points(self) -> int:
        """At most what an award to everybody who lacks it would come to, older ones too."""
        return (self.without + self.older) * self.points_each


@dataclass(frozen=True, slots=True)
class Endings:
    """What is known beforehand of points that end."""

    accounts: int
    """Accounts with something to spend."""
    balance: int
    """What they have together."""
    inactivity_changes: bool
    not_before: Instant | None
    """For customers whose days of inactivity change, nothing ends by them before this; None where nothing can."""


@dataclass(frozen=True, slots=True)
class Excluded:
    """How many customers have a tag that excludes them now."""

    customers: int | None
    """None when there are too many to open them all."""
    unread: int = 0
    """Of whom no tags are known yet."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """All of it."""

    before: Version | None
    """The version with which the rules were compared."""
    changes: tuple[programme.Difference, ...]
    orders: Orders
    signup: Gifts
    newsletter: Gifts
    endings: Endings
    excluded: Excluded


def forecast(db: Connection, vault: ShopVault, shop: Shop, rules: Programme, now: Instant) -> Forecast:
    """What these rules would do, were they the shop's next version."""
    known = programme.versions(db, shop.id)
    before = known[-1] if known else None
    old = None if before is None else before.rules
    return Forecast(
        before=before,
        changes=tuple(programme.compare(old, rules)),
        orders=orders(db, shop.id, rules, known),
        signup=signup(db, shop, rules),
        newsletter=newsletter(db, shop.id, rules),
        endings=endings(db, shop.id, old, rules, now),
        excluded=excluded(db, vault, rules),
    )


# ---- Orders ---------------------------------------------------------------------------------------------------------


def orders(db: Connection, shop_id: int, rules: Programme, known: Sequence[Version]) -> Orders:
    """The newest orders that earned, computed anew from what each came to."""
    query = select(entries.c.customer_id, entries.c.points, entries.c.amount, entries.c.rule_version)
    newest = query.where(entries.c.shop_id == shop_id, *_EARNED).order_by(
        entries.c.occurred_at.desc(), entries.c.id.desc()
    )
    rows = db.execute(newest.limit(ORDERS_MAX)).all()
    sums: defaultdict[bytes, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        sums[bytes(row.customer_id)][0] += row.points
        sums[bytes(row.customer_id)][1] += of_amount(rules.order, row.amount)
    differing = [Difference(customer, *pair) for customer, pair in sums.items() if pair[0] != pair[1]]
    differing.sort(key=lambda each: (-abs(each.now - each.then), each.customer))
    return Orders(
        computed=len(rows),
        of=_count(db, select(func.count()).select_from(entries).where(entries.c.shop_id == shop_id, *_EARNED)),
        then=sum(pair[0] for pair in sums.values()),
        now=sum(pair[1] for pair in sums.values()),
        customers=len(differing),
        greatest=tuple(differing[:SHOWN_MAX]),
        notes=tuple(_notes(rules.order, known, {row.rule_version for row in rows})),
    )


def of_amount(rule: OrderRule | None, amount: Money) -> int:
    """What an order that came to that much earns, as if its goods had come to all of it. 0 without a rule."""
    if rule is None:
        return 0
    return rule.points(Order(0, None, 0, 0, "", total=amount, subtotal=amount, paid=True))


def _notes(rule: OrderRule | None, known: Sequence[Version], numbers: set[int | None]) -> Iterator[str]:
    yield "Refunds and cancellations are left out, then and now."
    if rule is None:
        return
    yield "Orders that earned nothing are not in the ledger, so what they would earn is not counted."
    if rule.basis is Basis.SUBTOTAL:
        yield "The ledger keeps totals only, so a rule for the subtotal cannot be told exactly: it gives this at most."
    past = {version.rules.order.on for version in known if version.number in numbers and version.rules.order}
    if past - {rule.on}:
        yield f"Some of them earned at another moment than when {rule.on.value}, and may earn later, or not at all."


# ---- Gifts ----------------------------------------------------------------------------------------------------------


def signup(db: Connection, shop: Shop, rules: Programme) -> Gifts:
    """Customers created since the install who were not given the points for signing up: none come by themselves.

    Not even under the new rules, which count for those who are created from then on.
    """
    since = customers.c.created_at >= shop.installed_at
    before = or_(customers.c.created_at.is_(None), customers.c.created_at < shop.installed_at)
    return _gifts(db, shop.id, SIGNUP, rules.signup, since, before)


def newsletter(db: Connection, shop_id: int, rules: Programme) -> Gifts:
    """Customers who were not given the points for the newsletter, subscribed or not: that is in sealed records."""
    return _gifts(db, shop_id, NEWSLETTER, rules.newsletter)


def _gifts(
    db: Connection,
    shop_id: int,
    once_key: str,
    gift: Gift | None,
    those: ColumnElement[bool] | None = None,
    older: ColumnElement[bool] | None = None,
) -> Gifts:
    given = (entries.c.shop_id == shop_id, entries.c.once_key == once_key, entries.c.dropped_by.is_(None))
    lacks = ~exists().where(entries.c.customer_id == customers.c.id, *given)
    active = (customers.c.shop_id == shop_id, customers.c.state == ACTIVE, lacks)
    wanted = active if those is None else (*active, those)
    first = select(customers.c.id).where(*wanted).order_by(customers.c.id).limit(SHOWN_MAX)
    everybody = select(func.count()).select_from(customers)
    return Gifts(
        points_each=0 if gift is None else gift.points,
        have=_count(db, select(func.count(entries.c.customer_id.distinct())).where(*given)),
        without=_count(db, everybody.where(*wanted)),
        first=tuple(map(bytes, db.execute(first).scalars())),
        older=0 if older is None else _count(db, everybody.where(*active, older)),
    )


# ---- Points that end, and who is excluded ---------------------------------------------------------------------------


def endings(db: Connection, shop_id: int, before: Programme | None, rules: Programme, now: Instant) -> Endings:
    """How much could end, and before when new days of inactivity end nothing; when exactly is not promised.

    Days that change are counted anew from the change on, for each customer for whom they change.
    """
    spendable = (accounts.c.shop_id == shop_id, accounts.c.balance > 0)
    query = select(func.count(), func.coalesce(func.sum(accounts.c.balance), 0)).where(*spendable)
    many, balance = db.execute(query).one()
    old = Expiry() if before is None else before.expiry
    changes = not same_lapse(old, rules.expiry)
    days = [*rules.expiry.inactivity_by_tag.values()]
    if rules.expiry.inactivity_days is not None:
        days.append(rules.expiry.inactivity_days)
    return Endings(many, int(balance), changes, now + min(days) * DAY if changes and days else None)


def excluded(db: Connection, vault: ShopVault, rules: Programme) -> Excluded:
    """How many active customers have an excluded tag; all are opened for it, if they are few enough."""
    if not rules.excluded_tags:
        return Excluded(0)
    if find.count_active(db, vault.shop_id) > OPENED_MAX:
        return Excluded(None)
    found = unread = after = 0
    while numbers := find.active_ids(db, vault.shop_id, FAR, after, CHUNK):
        for side in profiles.sides_of(db, vault, numbers).values():
            unread += "tags" not in side.fields
            tags = {tag.lower() for tag in side.fields.get("tags") or ()}
            found += not rules.excluded_tags.isdisjoint(tags)
        after = numbers[-1]
    return Excluded(found, unread)


def _count(db: Connection, query: Select[int]) -> int:
    return db.execute(query).scalar_one()
