"""Everybody's points against an independent recomputation, and the ledger against itself.

Compared are the customers whom the shop has, each with all who were merged into it. Of the rest nothing is said: time
stands still for who is gone, and since when depends on how we learned of it.

Four things are taken from us and not from the shop, since no history of the shop tells them: what we had read of who
was merged away before (a consent that nobody could read any more gives nothing), when we were told of a merge and
whether at all, for whom an order was read, and since when the shop is installed. The first two are
compared with the shop elsewhere.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from onewriter.bench.simulate.journal import Journal
from onewriter.bench.simulate.recompute import (
    Story,
    Sums,
    Telling,
    Union,
    Version,
    add_again,
    add_order,
    gift,
)
from onewriter.bench.simulate.spending import Desk
from onewriter.bench.simulate.world import World
from onewriter.customers import aliases, profiles, shops
from onewriter.customers.profiles import Profile
from onewriter.db.pointtables import accounts, entries, receipts
from onewriter.db.tables import customers
from onewriter.loyalty import audit, points, upkeep
from onewriter.records import DAY, SECOND, Instant
from onewriter.rules.aliasing import Alias, AliasState

DAYS_ON = 8
"""For so many days more the points are looked at: by then all have opened, and all have ended that end."""
SHOWN_MAX = 4
COUNTS = entries.c.dropped_by.is_(None)


@dataclass(frozen=True, slots=True)
class Differing:
    """Somebody whose points are not what they must be."""

    shopify_id: int
    wanted: Sums
    found: Sums


@dataclass(frozen=True, slots=True)
class _Known:
    """What we hold, as far as the recomputation needs it."""

    shop_id: int
    installed: Instant
    profiles: Mapping[int, Profile]
    merged: Mapping[int, Alias]
    """By who was merged away; settled ones of customers whom we know."""
    numbers: Mapping[bytes, int]
    """Shopify's ids by ours."""
    readers: Mapping[int, int]
    """By order, for whom it was read."""
    again: Mapping[int, Sequence[tuple[int, int]]]
    """By order, for whom else it was read before a merge was heard, and what that gave."""

    def members(self, number: int) -> list[int]:
        """A customer and all who were merged into it, one merge after the other."""
        found = [number]
        for each in found:
            found += sorted(away for away, alias in self.merged.items() if alias.kept_id == each and away not in found)
        return [each for each in found if each in self.profiles]


class Balances:
    """Compares the points of one seed."""

    def __init__(self, world: World, journal: Journal, desk: Desk) -> None:
        self._world, self._journal, self._desk = world, journal, desk

    def differing(self, now: Instant | None = None) -> tuple[int, list[Differing]]:
        """How many customers were compared, and those whose points differ, as they stand at a moment."""
        reader = self._world.reader
        moment = reader.now() if now is None else now
        found: list[Differing] = []
        with reader.database.read() as db:
            known = self._known(db)
            vault = reader.vault(known.shop_id)
            there = sorted(self._world.shop.customers.keys() & known.profiles.keys())
            for number in there:
                story = self._story(number, known)
                wanted = Telling(story, moment).sums()
                account = points.account_of(db, vault, known.profiles[number].customer_id or b"", moment)
                got = Sums(account.balance, account.pending, account.earned)
                if got != wanted:
                    found.append(Differing(number, wanted, got))
        return len(there), found

    def judge(self) -> None:
        """Compare now and on the days to come, with what is due settled each day; take it all into the tally."""
        tally, reader = self._world.tally, self._world.reader
        with reader.database.read() as db:
            (shop,) = shops.every(db)
        start = reader.now()
        for day in range(DAYS_ON + 1):
            moment = start + day * DAY
            upkeep.settle_due(reader.database, reader.vault(shop.id), moment)
            compared, differing = self.differing(moment)
            tally.balances += compared
            tally.differing += len(differing)
            self.blame(f"after {day} days" if day else "at the end", differing)
            with reader.database.read() as db:
                tally.wrong += list(_faults(db, shop.id))
        with reader.database.read() as db:
            self._count(db)

    def blame(self, when: str, differing: Iterable[Differing]) -> None:
        """Say whose points differ."""
        told = [f"{each.shopify_id} has {_short(each.found)} and not {_short(each.wanted)}" for each in differing]
        if told:
            more = " ..." if len(told) > SHOWN_MAX else ""
            self._world.tally.wrong.append(f"{len(told)} x points differ {when}: {'; '.join(told[:SHOWN_MAX])}{more}")

    def _count(self, db: Connection) -> None:
        tally = self._world.tally
        tally.orders = len(self._world.shop.orders)
        tally.refunds = sum(len(order.refunds) for order in self._world.shop.orders.values())
        ended = select(func.sum(entries.c.points)).where(
            COUNTS, entries.c.lot_id.is_not(None), entries.c.kind.in_(("expire", "correct"))
        )
        tally.expired = -int(db.execute(ended).scalar_one() or 0)
        figures = db.execute(select(receipts.c.figures).where(receipts.c.kind == "merge")).scalars()
        tally.ledgers_merged = sum(each["moved"] > 0 for each in figures)

    # ---- What the stories are made from

    def _known(self, db: Connection) -> _Known:
        (shop,) = shops.every(db)
        vault = self._world.reader.vault(shop.id)
        numbers = {bytes(row.id): row.shopify_id for row in db.execute(select(customers.c.id, customers.c.shopify_id))}
        held = profiles.load(db, vault, sorted(numbers.values()))
        merged = aliases.load(db, vault, sorted(held))
        settled = {number: alias for number, alias in merged.items() if alias.state is AliasState.SETTLED}
        earns = select(entries.c.order_id, entries.c.origin_id).where(
            COUNTS, entries.c.kind == "earn", entries.c.order_id.is_not(None)
        )
        readers = {row.order_id: numbers.get(bytes(row.origin_id), 0) for row in db.execute(earns)}
        return _Known(shop.id, shop.installed_at, held, settled, numbers, readers, _again(db, numbers))

    def _story(self, number: int, known: _Known) -> Story:
        versions, members = self._desk.versions, known.members(number)
        story = Story(lapse_days=versions[0].rules.inactivity_days, lapse_since=versions[0].since)
        for who in members:
            for what, at in self._gifts(who, known):
                story.credits += gift(who, what, at, known.installed, versions)
            if who in known.merged and who != number:
                story.unions.append(Union(who, known.merged[who].kept_id, known.merged[who].heard))
        self._add_orders(story, number, members, known, versions)
        for spent in self._desk.spent.values():
            if known.numbers.get(spent.holder) in members:
                story.spend(known.numbers[spent.holder], spent.points, spent.at)
        return story

    def _gifts(self, who: int, known: _Known) -> Iterator[tuple[str, Instant]]:
        """When somebody signed up, and subscribed; of who is gone, as far as we had read it."""
        yield ("signup", self._journal.ever[who].created_at * SECOND)
        record = self._world.shop.customers.get(who)
        if record is not None:
            state, at = record.email_consent.state.lower(), (record.email_consent.at or 0) * SECOND
        else:
            held: Mapping[str, Any] = known.profiles[who].own.get("email_consent") or {}
            state, at = held.get("state", ""), held.get("at") or 0
        if state == "subscribed":
            yield ("newsletter", at)

    def _add_orders(
        self, story: Story, number: int, members: list[int], known: _Known, versions: list[Version]
    ) -> None:
        for order in self._world.shop.orders.values():
            if order.customer_id == number:
                reader = known.readers.get(order.id, number)
                reader = reader if reader in members else number
                add_order(story, reader, order, known.installed, versions)
                for who, given in known.again.get(order.id, ()):
                    if who in members and who != reader:
                        add_again(story, who, order.id, given)


def _again(db: Connection, numbers: Mapping[bytes, int]) -> dict[int, list[tuple[int, int]]]:
    query = (
        select(entries.c.order_id, entries.c.origin_id, func.sum(entries.c.points).label("given"))
        .where(entries.c.dropped_by.is_not(None), entries.c.order_id.is_not(None))
        .group_by(entries.c.order_id, entries.c.origin_id)
    )
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in db.execute(query):
        found[row.order_id].append((numbers.get(bytes(row.origin_id), 0), int(row.given)))
    return found


def _short(sums: Sums) -> str:
    return f"{sums.balance}/{sums.pending}/{sums.earned}"


def _faults(db: Connection, shop_id: int) -> Iterator[str]:
    """What the ledger says of itself that is not so: by its own audit, and by the sum of all."""
    differences = audit.audit(db, shop_id).differences
    if differences:
        shown = ", ".join(f"{each.what} {each.kept} and not {each.found}" for each in differences[:SHOWN_MAX])
        yield f"{len(differences)} x the audit of points finds: {shown}"
    counting = int(db.execute(select(func.sum(entries.c.points)).where(COUNTS)).scalar_one() or 0)
    kept = int(db.execute(select(func.sum(accounts.c.balance + accounts.c.pending))).scalar_one() or 0)
    if counting != kept:
        yield f"the entries that count add up to {counting} points, and the accounts to {kept}"
