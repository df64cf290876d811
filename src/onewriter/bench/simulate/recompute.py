"""What everybody's points must be, worked out from what happened in the shop: naively, point by point.

It shares nothing with the ledger's own rules. One customer's story, with those of whoever was merged into it, is told
from its beginning, and each point is a thing of its own that waits, is open, is spent, or has ended.

What is counted is what the design says: by the rules of the moment when something happened, each refund only of its
own order, one-time gifts once (the earliest), and of a balance that merges leave below zero as much is lifted as the
merges dropped.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from onewriter.bench.simulate.programmes import Rules
from onewriter.records import DAY, SECOND, Instant
from onewriter.sandbox.order import Order

PAID = ("PAID", "PARTIALLY_REFUNDED", "REFUNDED")
NEVER: Instant = 2**62


@dataclass(frozen=True, slots=True)
class Version:
    """Rules, and since when they count."""

    since: Instant
    rules: Rules


@dataclass(frozen=True, slots=True, eq=False)
class Credit:
    """Points that somebody got."""

    who: int
    points: int
    at: Instant
    opens: Instant
    ends: Instant | None
    order: int | None = None
    once: str | None = None
    """Of what is given only once in a life, what it is."""
    again: "Credit | None" = None
    """Of an order that was read for two customers before we heard that they are one, what the other one got."""


@dataclass(frozen=True, slots=True)
class Debit:
    """Points that somebody spent, or that were taken back of an order."""

    who: int
    points: int
    at: Instant
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Union:
    """One customer was merged into another."""

    deleted: int
    kept: int
    at: Instant


@dataclass(slots=True)
class Story:
    """All that bears on the points of one customer."""

    credits: list[Credit] = field(default_factory=list)
    debits: list[Debit] = field(default_factory=list)
    unions: list[Union] = field(default_factory=list)
    lapse_days: int | None = None
    """Days without earning or redeeming after which open points end."""
    lapse_since: Instant = 0

    def spend(self, who: int, points: int, at: Instant) -> None:
        """Take points that somebody redeemed into the story."""
        self.debits.append(Debit(who, points, at))


@dataclass(frozen=True, slots=True)
class Sums:
    """How somebody's points stand."""

    balance: int
    pending: int
    earned: int


# ---- What happened --------------------------------------------------------------------------------------------------


def rules_at(versions: Iterable[Version], at: Instant) -> Rules | None:
    """The rules of a moment."""
    found = [version.rules for version in versions if version.since <= at]
    return found[-1] if found else None


def gift(who: int, what: str, at: Instant, installed: Instant, versions: Sequence[Version]) -> Iterator[Credit]:
    """What a customer got for signing up, or for the newsletter."""
    rules = rules_at(versions, at)
    if rules is None or at < installed:
        return
    signup = what == "signup"
    points, days = (rules.signup, rules.signup_pending) if signup else (rules.newsletter, rules.newsletter_pending)
    yield _credit(who, points, at, days, rules, once=what)


def add_order(story: Story, who: int, order: Order, installed: Instant, versions: Sequence[Version]) -> None:
    """Take what an order gave, and what was taken back of it, into the story of whoever had it."""
    processed = order.processed_at * SECOND
    rules = rules_at(versions, processed)
    if rules is None or not rules.has_orders or order.test or processed < installed:
        return
    at = _earned_at(order, rules)
    base = order.total_cents if rules.basis == "total" else order.subtotal_cents
    left = rules.points(base, order.total_cents, order.total_cents)
    if at is None or not left:
        return
    story.credits.append(_credit(who, left, at, rules.order_pending, rules, order=order.id))
    refunded = 0
    for refund in sorted(order.refunds, key=lambda each: (each.created_at, each.id)):
        refunded += refund.cents
        after = min(left, rules.points(base, order.total_cents, max(0, order.total_cents - refunded)))
        story.debits.append(Debit(who, left - after, max(at, refund.created_at * SECOND), order.id))
        left = after
    if order.cancelled_at is not None:
        story.debits.append(Debit(who, left, max(at, order.cancelled_at * SECOND), order.id))


def add_again(story: Story, who: int, order: int, points: int) -> None:
    """Take in that somebody else had been given points of an order as well, until the merge was heard."""
    for first in [credit for credit in story.credits if credit.order == order and points > 0]:
        story.credits.append(Credit(who, points, first.at, first.opens, first.ends, again=first))


def _earned_at(order: Order, rules: Rules) -> Instant | None:
    if rules.on == "paid":
        return order.processed_at * SECOND if order.financial_status in PAID else None
    if order.fulfilment_status != "FULFILLED":
        return None
    return max(each.created_at for each in order.fulfilments) * SECOND


def _credit(
    who: int, points: int, at: Instant, days: int, rules: Rules, *, order: int | None = None, once: str | None = None
) -> Credit:
    opens = at + days * DAY
    ends = None if rules.after_days is None else opens + rules.after_days * DAY
    return Credit(who, points, at, opens, ends, order, once)


# ---- Point by point -------------------------------------------------------------------------------------------------


class State(Enum):
    """What has become of a point."""

    WAITING = 1
    OPEN = 2
    SPENT = 3
    ENDED = 4


@dataclass(slots=True)
class Point:
    """One point."""

    credit: Credit
    state: State = State.WAITING

    @property
    def place(self) -> tuple[Instant, Instant]:
        """Where it stands in the line of those that are spent: the first to end goes first."""
        return (NEVER if self.credit.ends is None else self.credit.ends, self.credit.opens)


@dataclass(slots=True)
class Purse:
    """The points of one customer, or of several that have become one."""

    points: list[Point] = field(default_factory=list)
    owed: int = 0
    active: Instant | None = None
    looked: Instant = 0

    def of(self, credit: Credit, *states: State) -> list[Point]:
        """The points of one credit that are in one of these states."""
        return [point for point in self.points if point.credit is credit and point.state in states]

    def spend(self, number: int) -> None:
        """Spend open points, and owe what there is not."""
        line = sorted((point for point in self.points if point.state is State.OPEN), key=lambda point: point.place)
        for point in line[:number]:
            point.state = State.SPENT
        self.owed += max(0, number - len(line))

    def pay(self) -> None:
        """Pay what is owed with what is open."""
        owed, self.owed = self.owed, 0
        self.spend(owed)

    def take_back(self, number: int, order: int) -> None:
        """Take points of an order back: those that are left of it, then those of it that have ended, then any."""
        own = [point for point in self.points if point.credit.order == order]
        left = [point for point in own if point.state in (State.WAITING, State.OPEN)]
        ended = [point for point in own if point.state is State.ENDED]
        taken = [*left, *ended][:number]
        for point in taken:
            point.state = State.SPENT
        self.spend(number - len(taken))

    def lapse(self, until: Instant, days: int | None, since: Instant) -> None:
        """End what is open where nothing was done for too long before a moment."""
        start, self.looked = self.looked, max(self.looked, until)
        if days is None or self.active is None:
            return
        end = max(self.active, since) + days * DAY
        if start <= end < until:
            for point in self.points:
                if point.state is State.OPEN:
                    point.state = State.ENDED

    @property
    def total(self) -> int:
        """What is there or on its way, less what is owed."""
        return sum(point.state in (State.WAITING, State.OPEN) for point in self.points) - self.owed


_MERGE, _GET, _OPEN, _END, _GIVE = range(5)
"""What happens at one instant happens in this order."""
Event = tuple[Instant, int, Instant, int]


class Telling:
    """One story told up to a moment."""

    def __init__(self, story: Story, now: Instant) -> None:
        self.story, self.now = story, now
        self.unions = sorted(story.unions, key=lambda each: each.at)
        members = {credit.who for credit in story.credits} | {debit.who for debit in story.debits}
        members |= {who for union in self.unions for who in (union.deleted, union.kept)}
        self.purses = {who: Purse() for who in members}
        self.dropped: dict[Credit, tuple[Union, Credit]] = dict(self._twice())
        self.lost = 0
        """The points that merges dropped, but for those that had ended by then."""

    def sums(self) -> Sums:
        """Tell it all; how the points stand then."""
        for at, kind, _, place in sorted(self._events()):
            if kind == _MERGE:
                self._merge(self.unions[place])
            elif kind == _GIVE:
                self._give(at, self.story.debits[place])
            elif kind == _GET or at <= self.now:
                self._happen(at, kind, self.story.credits[place])
        for purse in self._all():
            purse.lapse(self.now + 1, self.story.lapse_days, self.story.lapse_since)
        states = [point.state for purse in self._all() for point in purse.points]
        balance = states.count(State.OPEN) - sum(purse.owed for purse in self._all())
        return Sums(balance, states.count(State.WAITING), self._earned())

    def _events(self) -> Iterator[Event]:
        yield from ((union.at, _MERGE, 0, place) for place, union in enumerate(self.unions))
        for place, credit in enumerate(self.story.credits):
            if credit in self.dropped and self.dropped[credit][0].at <= credit.at:
                continue
            yield (credit.at, _GET, 0, place)
            yield (credit.opens, _OPEN, NEVER if credit.ends is None else credit.ends, place)
            if credit.ends is not None:
                yield (credit.ends, _END, 0, place)
        yield from ((debit.at, _GIVE, 0, place) for place, debit in enumerate(self.story.debits))

    def _all(self) -> list[Purse]:
        return list({id(purse): purse for purse in self.purses.values()}.values())

    def _earned(self) -> int:
        got = sum(credit.points for credit in self.story.credits if credit not in self.dropped)
        return got - sum(debit.points for debit in self.story.debits if debit.order is not None)

    def _twice(self) -> Iterator[tuple[Credit, tuple[Union, Credit]]]:
        """What was given once too often, each with the merge that made it so and with the one that stays."""
        for credit in self.story.credits:
            if credit.again is not None:
                yield (credit, (self._made_one(credit.who, credit.again.who), credit.again))
        for what in sorted({credit.once for credit in self.story.credits if credit.once is not None}):
            given = sorted((each for each in self.story.credits if each.once == what), key=lambda each: each.at)
            yield from ((late, (self._made_one(late.who, given[0].who), given[0])) for late in given[1:])

    def _made_one(self, one: int, other: int) -> Union:
        """The merge since which these two are one."""
        circle = {who: {who} for who in self.purses}
        for union in self.unions:
            both = circle[union.deleted] | circle[union.kept]
            circle |= dict.fromkeys(both, both)
            if other in circle[one]:
                return union
        raise AssertionError("Two customers of one story were never merged")

    def _purse(self, who: int, at: Instant) -> Purse:
        purse = self.purses[who]
        purse.lapse(min(at, self.now + 1), self.story.lapse_days, self.story.lapse_since)
        return purse

    def _give(self, at: Instant, debit: Debit) -> None:
        purse = self._purse(debit.who, at)
        if debit.order is not None:
            purse.take_back(debit.points, debit.order)
        else:
            purse.spend(debit.points)
            purse.active = max(purse.active or 0, at)

    def _happen(self, at: Instant, kind: int, credit: Credit) -> None:
        purse = self._purse(credit.who, at)
        if kind == _GET:
            purse.points += [Point(credit) for _ in range(credit.points)]
            purse.active = max(purse.active or 0, at)
        elif kind == _OPEN:
            self._turn(purse, credit, (State.WAITING,), State.OPEN)
            purse.pay()
        else:
            self._turn(purse, credit, (State.WAITING, State.OPEN), State.ENDED)

    def _turn(self, purse: Purse, credit: Credit, states: tuple[State, ...], into: State) -> None:
        for point in purse.of(credit, *states):
            point.state = into

    def _merge(self, union: Union) -> None:
        kept, deleted = self.purses[union.kept], self.purses[union.deleted]
        if kept is not deleted:
            kept, deleted = self._purse(union.kept, union.at), self._purse(union.deleted, union.at)
            kept.points += deleted.points
            kept.owed += deleted.owed
            kept.active = max((at for at in (kept.active, deleted.active) if at is not None), default=None)
            self.purses = {who: kept if purse is deleted else purse for who, purse in self.purses.items()}
        self._drop(kept, union)
        kept.pay()
        if union is self.unions[-1]:
            lifted = max(0, min(self.lost, -kept.total))
            kept.owed -= lifted

    def _drop(self, purse: Purse, union: Union) -> None:
        """Drop what this merge makes one too many; what was spent of one was spent of the one that stays."""
        owed = 0
        late = [(credit, stays) for credit, (by, stays) in self.dropped.items() if by is union]
        gone = {credit: [point for point in purse.points if point.credit is credit] for credit, _ in late}
        purse.points = [point for point in purse.points if point.credit not in gone]
        for credit, stays in late:
            self.lost += sum(point.state is not State.ENDED for point in gone[credit])
            spent = sum(point.state is State.SPENT for point in gone[credit])
            instead = purse.of(stays, State.WAITING, State.OPEN)[:spent]
            for point in instead:
                point.state = State.SPENT
            owed += spent - len(instead)
        purse.spend(owed)
