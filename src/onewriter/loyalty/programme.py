"""The programme of a shop: its versions, each counting from its moment on, and what follows from them.

Nothing is ever retroactive. A version is a row that never changes; setting other rules adds one, at any time, also
while an import runs. What a customer gets is decided by the version that stood when it happened.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection, bindparam, insert, select, update

from onewriter.customers import shops
from onewriter.customers.shops import Shop
from onewriter.db.pointtables import accounts, programmes
from onewriter.errors import Permanent
from onewriter.loyalty.programme_toml import BadProgramme, decimal_text, money_text, parse
from onewriter.records import SECOND, Instant
from onewriter.rules.earning import CUSTOM, NEWSLETTER, ORDER, SIGNUP, Expiry, Gift, OrderRule, Programme, Version

CLOCKS_APART: Instant = 2 * SECOND
"""Shopify's clock ticks in whole seconds and its news travel: less than this is no difference."""
CACHED = 256

_OF_SHOP = programmes.c.shop_id == bindparam("shop_id")
_VERSIONS = select(programmes.c.version, programmes.c.since, programmes.c.document).where(_OF_SHOP)
_IN_ORDER = _VERSIONS.order_by(programmes.c.version)
_RECORDED = select(programmes).where(_OF_SHOP).order_by(programmes.c.version)


class NoProgramme(Permanent):
    """The shop has no programme, or no such version of it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A version with its file, and who set it, when by our clock, and why."""

    version: Version
    document: str
    set_at: Instant
    set_by: str
    why: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """How one rule differs between two programmes, in words; None is off."""

    rule: str
    before: str | None
    after: str | None


# ---- Versions -------------------------------------------------------------------------------------------------------

# A batch of an import asks each time, and the text of a version never changes.
_parsed = lru_cache(maxsize=CACHED)(parse)


def versions(db: Connection, shop_id: int) -> tuple[Version, ...]:
    """All versions of a shop's programme, the oldest first."""
    rows = db.execute(_IN_ORDER, {"shop_id": shop_id})
    return tuple(Version(row.version, row.since, _parsed(row.document)) for row in rows)


def current(db: Connection, shop_id: int) -> Version | None:
    """The newest version; None while no programme was ever set."""
    known = versions(db, shop_id)
    return known[-1] if known else None


def recorded(db: Connection, shop_id: int) -> list[Recorded]:
    """All versions, the oldest first, with who set them."""
    return [
        Recorded(Version(row.version, row.since, _parsed(row.document)), row.document, row.set_at, row.set_by, row.why)
        for row in db.execute(_RECORDED, {"shop_id": shop_id})
    ]


def add(db: Connection, shop: Shop, document: str, by: str, why: str | None, now: Instant) -> Version:
    """Set the rules that a file holds, from now on by Shopify's clock. Returns the new version.

    The same rules as those that stand make no new version: the one that stands is returned, with its number. Whether
    the shop's token can read orders is the caller's to check. Raises BadProgramme.
    """
    rules = parse(document)
    # Whoever sets another version at the same moment waits here, and finds this one.
    shop = shops.locked(db, shop.id)
    refuse_other_currency(rules, shop)
    known = versions(db, shop.id)
    if known and known[-1].rules == rules:
        return known[-1]
    number = known[-1].number + 1 if known else 1
    since = starts(shop, known, now)
    row = {"shop_id": shop.id, "version": number, "since": since, "document": document}
    db.execute(insert(programmes).values(**row, set_at=now, set_by=by, why=why))
    if known and not same_lapse(known[-1].rules.expiry, rules.expiry):
        db.execute(update(accounts).where(accounts.c.shop_id == shop.id).values(valid_until=since))
    return Version(number, since, rules)


def starts(shop: Shop, known: Sequence[Version], now: Instant) -> Instant:
    """From when on a version that is set now counts: by Shopify's clock, which says when things happen.

    From the next whole second, since Shopify's times are whole ones and what happened in this second was judged by the
    version before; and never before that one.
    """
    apart = 0
    if shop.shopify_date is not None and shop.shopify_date_heard is not None:
        apart = shop.shopify_date - shop.shopify_date_heard
    there = now + apart if abs(apart) > CLOCKS_APART else now
    return max(-(-there // SECOND) * SECOND, known[-1].since if known else 0)


def refuse_other_currency(rules: Programme, shop: Shop) -> None:
    """Raise BadProgramme for another currency than the shop's: no order would ever earn."""
    if shop.currency is not None and rules.currency != shop.currency:
        raise BadProgramme(f'currency must be "{shop.currency}", which is the currency of {shop.domain}.')


# ---- What follows ---------------------------------------------------------------------------------------------------


def wants_orders(db: Connection, shop_id: int) -> bool:
    """True if any version, past or present, has a rule for orders: those of its time still change."""
    return _first_with_orders(versions(db, shop_id)) is not None


def orders_since(db: Connection, shop_id: int) -> Instant | None:
    """From when on orders can earn: the install, or the first version with a rule for them; None without one."""
    first = _first_with_orders(versions(db, shop_id))
    return None if first is None else max(shops.by_id(db, shop_id).installed_at, first.since)


def _first_with_orders(known: Sequence[Version]) -> Version | None:
    return next((version for version in known if version.rules.order is not None), None)


def lapse_policy(known: Sequence[Version], tags: Collection[str], own_days: int | None) -> int | None:
    """After how many days without activity a customer's points end by the newest version; None is never.

    What a person set for the customer (`own_days`, of which 0 is never) comes first, then the customer's tags, of which
    the longest counts, then the shop's own.
    """
    if own_days is not None:
        return own_days or None
    if not known:
        return None
    expiry = known[-1].rules.expiry
    by_tag = [expiry.inactivity_by_tag[tag] for tag in map(str.lower, tags) if tag in expiry.inactivity_by_tag]
    return max(by_tag, default=expiry.inactivity_days)


def lapse_since(known: Sequence[Version], tags: Collection[str]) -> Instant:
    """Since when the days of inactivity of the newest version have stood unchanged for these tags; 0 without any."""
    since, days = 0, lapse_policy(known, tags, None)
    for end in range(len(known), 0, -1):
        if lapse_policy(known[:end], tags, None) != days:
            break
        since = known[end - 1].since
    return since


def same_lapse(one: Expiry, other: Expiry) -> bool:
    """True if points end by inactivity in the same way under both."""
    return (one.inactivity_days, one.inactivity_by_tag) == (other.inactivity_days, other.inactivity_by_tag)


# ---- In words -------------------------------------------------------------------------------------------------------


def in_words(rules: Programme) -> dict[str, str]:
    """Each rule that is on, by its name, in words that say all there is to it."""
    return dict(_told(rules))


def compare(before: Programme | None, after: Programme) -> list[Difference]:
    """What differs from one programme to another, rule by rule; nothing exactly when they are the same."""
    old, new = {} if before is None else in_words(before), in_words(after)
    names = [*new, *(name for name in old if name not in new)]
    return [Difference(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _told(rules: Programme) -> Iterator[tuple[str, str]]:
    yield "currency", rules.currency
    for name, gift in ((SIGNUP, rules.signup), (NEWSLETTER, rules.newsletter)):
        if gift is not None:
            yield name, _gift_told(gift)
    if rules.order is not None:
        yield ORDER, _order_told(rules.order, rules.currency)
    for name, gift in sorted(rules.custom.items()):
        yield CUSTOM + name, _gift_told(gift)
    expiry = rules.expiry
    if expiry.after_days is not None:
        yield "expiry", f"{_days(expiry.after_days)} after they could be spent"
    if expiry.inactivity_days is not None:
        yield "inactivity", f"{_days(expiry.inactivity_days)} after the last activity"
    for tag, days in sorted(expiry.inactivity_by_tag.items()):
        yield f"inactivity of {tag}", f"{_days(days)} after the last activity"
    if rules.excluded_tags:
        yield "excluded", ", ".join(sorted(rules.excluded_tags))


def _gift_told(gift: Gift) -> str:
    account = ", only with an account" if gift.requires_account else ""
    return _points(gift.points) + _pending(gift.pending_days) + account


def _order_told(rule: OrderRule, currency: str) -> str:
    points = decimal_text(rule.points_per_unit)
    each = f"{points} {'point' if points == '1' else 'points'} for each {currency} of the {rule.basis.value}"
    least = f", from {money_text(rule.minimum)} {currency} on" if rule.minimum else ""
    return f"{each}, rounded {rule.rounding.value}{least}, when {rule.on.value}{_pending(rule.pending_days)}"


def _points(points: int) -> str:
    return "1 point" if points == 1 else f"{points:,} points"


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days:,} days"


def _pending(days: int) -> str:
    return f", pending for {_days(days)}" if days else ""
