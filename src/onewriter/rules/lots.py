"""Lots: a credit is a lot, and a debit takes the lots that end first.

What is left of a lot when it ends expires. What a debit cannot find in any lot is a debt, which the next lots pay. A
pool is the lots and debts of customers that are one.
"""

from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush

from onewriter.records import DAY, Entry, Instant

NEVER: Instant = 2**62
Rank = tuple[Instant, Instant, int, str, bytes]


@dataclass(frozen=True, slots=True)
class Lapse:
    """After how many days without activity points end; None is never. Days are counted from `since` at the earliest."""

    days: int | None = None
    since: Instant = 0


NO_LAPSE = Lapse()


def lapse_at(activity: Instant | None, policy: Lapse) -> Instant | None:
    """When points end for want of activity, if nothing happens before."""
    if activity is None or policy.days is None:
        return None
    return max(activity, policy.since) + policy.days * DAY


@dataclass(frozen=True, slots=True)
class Ended:
    """What has expired of a lot, when, and if by inactivity after how many days."""

    points: int
    at: Instant
    days: int | None


@dataclass(slots=True)
class Lot:
    entry: Entry
    left: int
    users: dict[bytes, int] = field(default_factory=dict)
    """How much each debit has taken of it."""
    is_open: bool = False
    ended: Ended | None = None

    @property
    def rank(self) -> Rank:
        """Lots are spent in the order in which they end, then in that in which they came.

        Of one instant, by what they stand for: our ids follow the order in which we heard of them, which is chance.
        """
        entry = self.entry
        ends = NEVER if entry.expires_at is None else entry.expires_at
        return (ends, entry.available_at, entry.order_id or 0, entry.reference or "", entry.id)

    def take(self, debit: bytes, points: int, *, also_ended: bool = False) -> int:
        """Take up to so many points; returns how many."""
        taken = min(points, self.left)
        self.left -= taken
        if also_ended and self.ended is not None:
            undone = min(points - taken, self.ended.points)
            self.ended = replace(self.ended, points=self.ended.points - undone)
            taken += undone
        if taken:
            self.users[debit] = self.users.get(debit, 0) + taken
        return taken

    def give_back(self, debit: bytes) -> None:
        """Undo what a debit took, which does not count any more."""
        points = self.users.pop(debit, 0)
        if self.ended is None:
            self.left += points
        else:
            self.ended = replace(self.ended, points=self.ended.points + points)

    def end(self, at: Instant, days: int | None = None) -> None:
        """Whatever is left expires."""
        if self.ended is None:
            self.ended, self.left, self.is_open = Ended(self.left, at, days), 0, False


@dataclass(slots=True)
class Pool:
    """The lots and debts of customers that are one."""

    lots: dict[bytes, Lot] = field(default_factory=dict)
    heap: list[Rank] = field(default_factory=list)
    """The open lots by rank; those with nothing left are passed over."""
    debts: dict[bytes, int] = field(default_factory=dict)
    activity: Instant | None = None
    lapses: set[tuple[Instant, int]] = field(default_factory=set)
    """Expiries by inactivity that were posted: when, and after how many days. They stand until news contradict them."""
    seen_to: Instant = 0
    """Up to when inactivity was looked for."""

    def absorb(self, other: "Pool") -> None:
        """Take in the lots and debts of customers that were merged into these."""
        self.lots |= other.lots
        self.heap += other.heap
        heapify(self.heap)
        self.debts |= other.debts
        self.activity = max((each for each in (self.activity, other.activity) if each is not None), default=None)
        self.lapses |= other.lapses

    @property
    def total(self) -> int:
        """What there is, pending or not, less the debts."""
        return sum(lot.left for lot in self.lots.values()) - sum(self.debts.values())

    def release(self, lot: Lot) -> None:
        """Points can be spent from now on; debts are paid first."""
        if lot.ended is None:
            lot.is_open = True
            self.offer(lot)
            self.pay_debts()

    def offer(self, lot: Lot) -> None:
        """Let an open lot be spent again, of which there is more now."""
        if lot.is_open and lot.left:
            heappush(self.heap, lot.rank)

    def charge(self, debit: bytes, points: int) -> None:
        """Take points of the lots that end first; what they cannot give is a debt on the next ones."""
        while points and self.heap:
            lot = self.lots.get(self.heap[0][-1])
            if lot is None or not lot.is_open or not lot.left:
                heappop(self.heap)
                continue
            points -= lot.take(debit, points)
        if points:
            self.debts[debit] = self.debts.get(debit, 0) + points

    def pay_debts(self) -> None:
        """Let the lots that can be spent pay what is owed."""
        debts, self.debts = self.debts, {}
        for debit, points in debts.items():
            self.charge(debit, points)

    def forgive(self, points: int) -> None:
        """Take so many points off the debts, the oldest first."""
        for debit in list(self.debts):
            forgiven = min(points, self.debts[debit])
            points -= forgiven
            self.debts[debit] -= forgiven
        self.debts = {debit: left for debit, left in self.debts.items() if left}

    def lapse(self, until: Instant, policy: Lapse) -> None:
        """End what is open where there was no activity for too long before `until`; an activity just then saves it."""
        start, self.seen_to = self.seen_to, max(until, self.seen_to)
        if self.activity is None or (policy.days is None and not self.lapses):
            return
        found = {each for each in self.lapses if self.activity + each[1] * DAY <= each[0]}
        if (at := lapse_at(self.activity, policy)) is not None and policy.days is not None:
            found.add((at, policy.days))
        for at, days in sorted(found):
            if start <= at < until:
                for lot in self.lots.values():
                    if lot.is_open:
                        lot.end(at, days)
