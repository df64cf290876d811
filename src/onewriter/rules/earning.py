"""Earning: what a customer's record and the present state of its orders give, under the programme of their time.

Everything follows from data and nothing from the path by which they came: a rule gives what it gave at the moment when
Shopify says that something happened, whenever and however we hear of it. Nothing from before the shop's first install
earns by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor

from onewriter.records import DAY, Entry, EntryKind, Instant, Money, Order, Refund, Value

UNIT: Money = 1_000_000
"""One whole unit of a currency."""

SIGNUP = "signup"
NEWSLETTER = "newsletter"
ORDER = "order"
CUSTOM = "custom:"
"""What the name of a custom rule begins with in the ledger, so that it can never be that of another rule."""


class When(StrEnum):
    """When an order earns."""

    PAID = "paid"
    FULFILLED = "fulfilled"


class Basis(StrEnum):
    """What of an order earns."""

    TOTAL = "total"
    SUBTOTAL = "subtotal"


class Rounding(StrEnum):
    """What becomes of a part of a point."""

    DOWN = "down"
    NEAREST = "nearest"  # half a point is a whole one
    UP = "up"


def rounded(exact: Fraction, rounding: Rounding) -> int:
    """Whole points."""
    if rounding is Rounding.UP:
        return ceil(exact)
    return floor(exact if rounding is Rounding.DOWN else exact + Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class Gift:
    """A rule that gives a set number of points: for signing up, for the newsletter, for an outside event."""

    points: int
    pending_days: int = 0
    requires_account: bool = False
    """Of signing up: whether the customer must have an account, and not only a record."""


@dataclass(frozen=True, slots=True)
class OrderRule:
    """The rule for orders."""

    points_per_unit: Decimal
    """Points for each whole unit of the currency; parts of a unit give parts of a point before rounding."""
    on: When = When.PAID
    basis: Basis = Basis.TOTAL
    rounding: Rounding = Rounding.DOWN
    minimum: Money = 0
    """Orders that came to less, before refunds, give nothing."""
    pending_days: int = 0

    def points(self, order: Order, refunded: Money = 0) -> int:
        """The points of an order of which that much of its total went back. Never below zero."""
        base = order.total if self.basis is Basis.TOTAL else order.subtotal
        if base < self.minimum or base <= 0 or order.total <= 0:
            return 0
        left = max(order.total - refunded, 0)
        # A fraction, as a decimal cannot hold a third, and three thirds of a point must be a whole one.
        return rounded(Fraction(self.points_per_unit) * base * left / (order.total * UNIT), self.rounding)


@dataclass(frozen=True, slots=True)
class Expiry:
    """When points end that were not spent. None is never."""

    after_days: int | None = None
    """Days from when they could be spent."""
    inactivity_days: int | None = None
    """Days after the customer last earned or redeemed; then all that can be spent ends at once."""
    inactivity_by_tag: Mapping[str, int] = field(default_factory=dict)
    """For customers with a tag, in place of `inactivity_days`; of several the longest counts."""


@dataclass(frozen=True, slots=True)
class Programme:
    """The rules of a shop. A rule that is None gives nothing."""

    currency: str
    """The shop's currency (ISO 4217); orders in another one give nothing."""
    signup: Gift | None = None
    newsletter: Gift | None = None
    order: OrderRule | None = None
    custom: Mapping[str, Gift] = field(default_factory=dict)
    expiry: Expiry = field(default_factory=Expiry)
    excluded_tags: frozenset[str] = frozenset()
    """Customers with one of these tags earn nothing; in lower case."""


@dataclass(frozen=True, slots=True)
class Version:
    """A programme as it stood from a moment on."""

    number: int
    since: Instant
    """By Shopify's clock, inclusive."""
    rules: Programme


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry that should be in the ledger, before anybody has looked whether it is."""

    kind: EntryKind
    points: int
    rule: str
    rule_version: int | None = None
    occurred_at: Instant
    available_at: Instant
    expires_at: Instant | None = None
    reference: str | None = None
    once_key: str | None = None
    order_id: int | None = None
    lot_id: bytes | None = None
    amount: Money | None = None
    version: Instant | None = None
    days: int | None = None
    reason: str | None = None


def in_force(versions: Sequence[Version], moment: Instant) -> Version | None:
    """The version of the programme at that moment; the versions are in order. None before the first."""
    found = None
    for version in versions:
        if version.since > moment:
            break
        found = version
    return found


def gift(
    version: Version,
    rule: str,
    given: Gift,
    at: Instant,
    reason: str,
    *,
    once: bool = False,
    reference: str | None = None,
) -> Item:
    """What a rule of a set number of points gives at that moment."""
    available = at + given.pending_days * DAY
    return Item(
        kind=EntryKind.EARN,
        points=given.points,
        rule=rule,
        rule_version=version.number,
        occurred_at=at,
        available_at=available,
        expires_at=ends(version.rules.expiry, available),
        once_key=rule if once else None,
        reference=reference,
        reason=reason,
    )


def signup(created: Instant | None, state: str | None, installed: Instant, versions: Sequence[Version]) -> Item | None:
    """What a customer gets for being new: Shopify's `createdAt` is not before the install, and the rule was active."""
    if created is None or created < installed:
        return None
    version = in_force(versions, created)
    if version is None or version.rules.signup is None:
        return None
    rule = version.rules.signup
    if rule.requires_account and state != "enabled":
        return None
    return gift(version, SIGNUP, rule, created, "new customer", once=True)


def newsletter(consent: Value, installed: Instant, versions: Sequence[Version]) -> Item | None:
    """What a subscription by email that stands now gives; None when there is none, or it is from before all rules."""
    if not isinstance(consent, Mapping) or consent.get("state") != "subscribed":
        return None
    at = consent.get("at")
    if at is None or at < installed:
        return None
    version = in_force(versions, at)
    if version is None or version.rules.newsletter is None:
        return None
    return gift(version, NEWSLETTER, version.rules.newsletter, at, "newsletter", once=True)


def of_order(order: Order, installed: Instant, versions: Sequence[Version]) -> list[Item]:
    """What the ledger should say of an order in its present state: what it earned, and what each refund took back.

    The version of the programme is that of `processedAt`, whatever happens to the order later.
    """
    version = _governing(order, installed, versions)
    rule = None if version is None else version.rules.order
    if version is None or rule is None or not _has_earned(order, rule):
        return []
    at = order.processed if rule.on is When.PAID else order.fulfilled or order.processed
    available = at + rule.pending_days * DAY
    earn = Item(
        kind=EntryKind.EARN,
        points=rule.points(order),
        rule=ORDER,
        rule_version=version.number,
        occurred_at=at,
        available_at=available,
        expires_at=ends(version.rules.expiry, available),
        reference=str(order.id),
        order_id=order.id,
        amount=order.total,
        version=order.version,
        reason=f"order {order.id}",
    )
    return [item for item in (earn, *_taken_back(order, rule, earn)) if item.points]


def _taken_back(order: Order, rule: OrderRule, earn: Item) -> Iterator[Item]:
    """Each refund takes back the difference that it makes, and a cancellation whatever is left then."""
    left, refunded = earn.points, 0
    for refund in order.refunds:
        refunded += refund.amount
        now_left = min(left, rule.points(order, refunded))
        yield _reverse(earn, f"refund {refund.id}", now_left - left, refund.at, refund.amount)
        left = now_left
    if order.cancelled is not None:
        yield _reverse(earn, f"cancel {order.id}", -left, order.cancelled, None)


def _reverse(earn: Item, reference: str, points: int, at: Instant, amount: Money | None) -> Item:
    """What takes points of an earn back, at the earliest when they were earned."""
    at = max(at, earn.occurred_at)
    taken = replace(earn, kind=EntryKind.REVERSE, points=points, amount=amount, reference=reference, reason=reference)
    return replace(taken, occurred_at=at, available_at=at, expires_at=None)


def owed(order: Order, items: Sequence[Item], posted: Sequence[Entry]) -> list[Item]:
    """What must be posted for the ledger to say of an order what it should: items that are not there, and the rest.

    `posted` are the entries of that order that count. A read that is older than one that was posted from says nothing.
    The rest is one correction: it comes from edits, and from whatever became known in another order than it happened.
    """
    if any(entry.version is not None and entry.version > order.version for entry in posted):
        return []
    there = {(entry.kind, entry.reference) for entry in posted}
    fresh = [item for item in items if (item.kind, item.reference) not in there]
    said = sum(entry.points for entry in posted) + sum(item.points for item in fresh)
    rest = sum(item.points for item in items) - said
    return fresh if rest == 0 else [*fresh, _correction(order, rest, items, posted)]


def _correction(order: Order, points: int, items: Sequence[Item], posted: Sequence[Entry]) -> Item:
    """One more or less for the order's own lot: it has its dates, since that is what the order would have earned."""
    like = items[0] if items else next((entry for entry in posted if entry.kind is EntryKind.EARN), posted[0])
    tried = sum(entry.version == order.version for entry in posted if entry.kind is EntryKind.CORRECT)
    return Item(
        kind=EntryKind.CORRECT,
        points=points,
        rule=ORDER,
        rule_version=like.rule_version,
        occurred_at=like.occurred_at,
        available_at=like.available_at if points > 0 else like.occurred_at,
        expires_at=like.expires_at if points > 0 else None,
        reference=f"{order.id}@{order.version}" + (f"#{tried + 1}" if tried else ""),
        order_id=order.id,
        amount=order.total,
        version=order.version,
        reason=f"order {order.id} was changed",
    )


def told_back(
    posted: Sequence[Entry], refunds: Sequence[Refund], cancelled: Instant | None, rounding: Rounding = Rounding.DOWN
) -> list[Item]:
    """What refunds and a cancellation take back of an order that cannot be read any more, as deliveries told them.

    `posted` are the entries of that order that count; a refund among them is not taken back again. Of its earn the part
    is taken back that the refund is of what the order came to.
    """
    earn = next((entry for entry in posted if entry.kind is EntryKind.EARN), None)
    if earn is None or not earn.amount:
        return []
    there = {entry.reference for entry in posted}
    left = sum(entry.points for entry in posted)
    # What it came to when it was last read, and the points of that.
    changes = [entry for entry in posted if entry.kind is EntryKind.CORRECT]
    whole = earn.points + sum(entry.points for entry in changes)
    amount = max((earn, *changes), key=lambda entry: entry.version or 0).amount or earn.amount
    refunded = sum(entry.amount or 0 for entry in posted if entry.kind is EntryKind.REVERSE)
    known = Item(
        kind=EntryKind.EARN, points=earn.points, rule=earn.rule, rule_version=earn.rule_version,
        occurred_at=earn.occurred_at, available_at=earn.available_at, order_id=earn.order_id, version=None,
    )  # fmt: skip
    items: list[Item] = []
    for refund in sorted(refunds, key=lambda refund: (refund.at, refund.id)):
        if f"refund {refund.id}" not in there:
            refunded += refund.amount
            now_left = min(left, rounded(Fraction(whole * max(amount - refunded, 0), amount), rounding))
            items.append(_reverse(known, f"refund {refund.id}", now_left - left, refund.at, refund.amount))
            left = now_left
    if cancelled is not None and f"cancel {earn.order_id}" not in there:
        items.append(_reverse(known, f"cancel {earn.order_id}", -left, cancelled, None))
    return [item for item in items if item.points < 0]


def _governing(order: Order, installed: Instant, versions: Sequence[Version]) -> Version | None:
    if order.test or order.processed < installed:
        return None
    version = in_force(versions, order.processed)
    if version is None or version.rules.currency != order.currency:
        return None
    return version


def _has_earned(order: Order, rule: OrderRule) -> bool:
    return order.paid if rule.on is When.PAID else order.fulfilled is not None


def ends(expiry: Expiry, available: Instant) -> Instant | None:
    """When points end that can be spent from that moment on."""
    return None if expiry.after_days is None else available + expiry.after_days * DAY
