"""The ledger replayed: what is left, spent, owed and ended, as a function of the entries alone.

What happened is replayed by its own times. So an expiry is never a fact of its own but follows from the others, and
late news changes it: the ledger is then corrected by the difference. Customers that were merged have pools apart until
the moment of the merge, so that a merge never changes what was spent of which lot.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from onewriter.records import Entry, EntryKind, Instant
from onewriter.rules.lots import NEVER, NO_LAPSE, Ended, Lapse, Lot, Pool, lapse_at

ACTIVITY = (EntryKind.EARN, EntryKind.REDEEM)
"""What counts as activity of a customer; what we or the merchant do to the ledger does not."""


@dataclass(frozen=True, slots=True)
class Join:
    """A merge as the ledger sees it: from then on the lots of both are one."""

    receipt: bytes
    deleted: bytes
    kept: bytes
    at: Instant


@dataclass(frozen=True, slots=True)
class Drop:
    """Why an entry does not count."""

    receipt: bytes
    at: Instant
    """Until then it did."""
    twin: bytes | None = None
    """The entry that stays in its place."""


@dataclass(frozen=True, slots=True)
class OpenLot:
    """What is left of a credit."""

    entry_id: bytes
    points: int
    available_at: Instant
    expires_at: Instant | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How a customer's points stand."""

    balance: int
    """What can be spent now; below zero where something was taken back that had been spent."""
    pending: int
    earned: int
    """What was ever earned, less what was taken back of it."""
    debt: int
    """What was taken and no lot has paid yet."""
    lots: tuple[OpenLot, ...]
    """The lots of which something is left, in the order in which they are spent; those that are pending last."""
    ended: Mapping[bytes, Ended]
    """What should have expired by now, by lot; lots that a receipt drops are not among them."""
    floor: int
    """What the last merge lifts the balance by."""
    uses: Mapping[bytes, Sequence[tuple[bytes, int]]]
    """Which lots each debit has taken how much of."""
    activity_at: Instant | None
    due_at: Instant | None
    """When any of this next changes by itself."""


def is_fact(entry: Entry) -> bool:
    """True for what happened; expiries, floors and their corrections only follow from what happened."""
    if entry.kind in (EntryKind.EXPIRE, EntryKind.MERGE_FLOOR):
        return False
    return entry.kind is not EntryKind.CORRECT or entry.lot_id is None


def takes_redemption_back(entry: Entry) -> bool:
    """True for an entry that gives a redemption's points back."""
    return entry.kind is EntryKind.REVERSE and entry.lot_id is not None


def counts_as_earned(entry: Entry) -> bool:
    """True for what is earned and what takes it back; not for what people adjust, spend or let expire."""
    if entry.kind is EntryKind.EARN:
        return True
    return entry.kind in (EntryKind.REVERSE, EntryKind.CORRECT) and entry.lot_id is None


def replay(
    entries: Sequence[Entry],
    now: Instant,
    policy: Lapse = NO_LAPSE,
    joins: Sequence[Join] = (),
    drops: Mapping[bytes, Drop] = MappingProxyType({}),
) -> Standing:
    """How the points of a customer stand at `now`, from all its entries and those of whoever was merged into it.

    `drops` says which entries do not count, and from when on. `now` is when time stood still for a deleted customer.
    """
    return _Replay(entries, now, policy, joins, drops).run()


# What happens at one instant happens in this order.
_JOIN, _BEGIN, _OPEN, _DROP, _END, _TAKE = range(6)
_BY_TIME = (_OPEN, _END)
"""What nobody does but the clock."""


class _Replay:
    """One replay. A class only because its steps share the pools."""

    def __init__(
        self, entries: Sequence[Entry], now: Instant, policy: Lapse, joins: Sequence[Join], drops: Mapping[bytes, Drop]
    ) -> None:
        self.now, self.policy, self.drops = now, policy, drops
        self.joins = {join.receipt: join for join in sorted(joins, key=lambda join: (join.at, join.receipt))}
        self.entries = {entry.id: entry for entry in entries}
        self.taken_back = {entry.lot_id for entry in entries if takes_redemption_back(entry)}
        self.rest = Pool()
        self.pools = {member: Pool() for join in joins for member in (join.deleted, join.kept)}
        if self.joins:
            self.rest = self.pools[list(self.joins.values())[-1].kept]
        self.of_order: dict[int, list[bytes]] = defaultdict(list)
        self.gone: dict[bytes, Lot] = {}
        self.floor = 0
        self.lapses = policy.days is not None
        """False where nothing can end by inactivity."""

    def run(self) -> Standing:
        self._find_lapses()
        for at, step, _ends, _order, key in sorted(self._events()):
            if at > self.now and step in _BY_TIME:
                continue
            if step == _JOIN:
                self._join(self.joins[key])
            else:
                self._step(at, step, self.entries[key])
        for pool in self._distinct():
            pool.lapse(self.now + 1, self.policy)
        return self._standing()

    def _distinct(self) -> list[Pool]:
        return list({id(pool): pool for pool in (self.rest, *self.pools.values())}.values())

    def _pool(self, entry: Entry) -> Pool:
        return self.pools.get(entry.origin_id, self.rest) if self.pools else self.rest

    def _find_lapses(self) -> None:
        """What expired by inactivity and was not wholly taken back since."""
        left: dict[bytes | None, int] = defaultdict(int)
        posted = [entry for entry in self.entries.values() if entry.lot_id is not None and not is_fact(entry)]
        for entry in posted:
            left[entry.lot_id] += entry.points
        for entry in posted:
            if entry.days is not None and left[entry.lot_id] and entry.kind is EntryKind.EXPIRE:
                self._pool(entry).lapses.add((entry.occurred_at, entry.days))
                self.lapses = True

    def _events(self) -> Iterator[tuple[Instant, int, Instant, int, bytes]]:
        """What happens, when, in which turn, and to which entry or by which receipt.

        Of lots that open at one instant the one that ends first opens first, and so is the first to pay a debt.
        """
        for join in self.joins.values():
            yield (join.at, _JOIN, NEVER, 0, join.receipt)
        for entry in self.entries.values():
            if not is_fact(entry) or takes_redemption_back(entry):
                continue
            if entry.id in self.taken_back:
                yield (entry.occurred_at, _TAKE, NEVER, 0, entry.id)
                continue
            drop, order = self.drops.get(entry.id), entry.order_id or 0
            if drop is not None:
                if drop.at <= entry.occurred_at:
                    continue
                if drop.receipt not in self.joins:
                    yield (drop.at, _DROP, NEVER, order, entry.id)
            if entry.points < 0:
                yield (entry.occurred_at, _TAKE, NEVER, order, entry.id)
                continue
            ends = NEVER if entry.expires_at is None else entry.expires_at
            yield (entry.occurred_at, _BEGIN, NEVER, order, entry.id)
            yield (max(entry.available_at, entry.occurred_at), _OPEN, ends, order, entry.id)
            if ends != NEVER:
                yield (max(ends, entry.occurred_at), _END, NEVER, order, entry.id)

    def _step(self, at: Instant, step: int, entry: Entry) -> None:
        pool = self._pool(entry)
        if self.lapses:
            pool.lapse(min(at, self.now + 1), self.policy)
        lot = pool.lots.get(entry.id)
        if step == _BEGIN:
            pool.lots[entry.id] = Lot(entry, entry.points)
            if entry.order_id is not None:
                self.of_order[entry.order_id].append(entry.id)
        elif step == _TAKE:
            self._take(pool, entry, 0 if entry.id in self.taken_back else -entry.points)
        elif lot is not None:
            # Of a lot that was dropped nothing opens, and nothing ends.
            if step == _OPEN:
                pool.release(lot)
            elif step == _END:
                lot.end(at)
            else:
                self._drop_lots(pool, [entry.id], [])
        if step in (_BEGIN, _TAKE) and entry.kind in ACTIVITY:
            pool.activity = max(pool.activity or 0, entry.occurred_at)

    def _take(self, pool: Pool, debit: Entry, points: int) -> None:
        """Take points: of its own order first, even what has ended of it, then of whatever can be spent."""
        if debit.order_id is not None:
            for lot_id in self.of_order[debit.order_id]:
                if lot_id in pool.lots:
                    points -= pool.lots[lot_id].take(debit.id, points, also_ended=True)
        pool.charge(debit.id, points)

    # ---- Merges

    def _join(self, join: Join) -> None:
        kept, deleted = self.pools[join.kept], self.pools[join.deleted]
        if kept is not deleted:
            kept.lapse(min(join.at, self.now + 1), self.policy)
            deleted.lapse(min(join.at, self.now + 1), self.policy)
            kept.absorb(deleted)
            self.pools = {member: kept if pool is deleted else pool for member, pool in self.pools.items()}
            self.rest = kept if self.rest is deleted else self.rest
        mine = sorted(entry_id for entry_id, drop in self.drops.items() if drop.receipt == join.receipt)
        self._drop_lots(kept, mine, mine)
        kept.pay_debts()
        if join.receipt == list(self.joins)[-1]:
            self._lift(kept)

    def _drop_debits(self, pool: Pool, debits: Sequence[bytes]) -> None:
        """Give back what debits took that do not count any more."""
        using: dict[bytes, list[Lot]] = {each: [] for each in debits if self.entries[each].points < 0}
        for lot in pool.lots.values() if using else ():
            for each in lot.users.keys() & using.keys():
                using[each].append(lot)
        for each, lots in using.items():
            pool.debts.pop(each, None)
            for lot in lots:
                lot.give_back(each)
                pool.offer(lot)

    def _drop_lots(self, pool: Pool, lots: Sequence[bytes], debits: Sequence[bytes]) -> None:
        """Take lots away; what was spent of one was spent of its twin, and what that has not got is a debt.

        All go before anything is given back or spent elsewhere, so that nothing is spent of what is about to go.
        """
        gone = {each: pool.lots.pop(each) for each in lots if each in pool.lots}
        self.gone |= gone
        self._drop_debits(pool, debits)
        owed = [(debit, self._of_twin(pool, lot, debit)) for lot in gone.values() for debit in lot.users]
        for debit, points in owed:
            pool.charge(debit, points)

    def _of_twin(self, pool: Pool, lot: Lot, debit: bytes) -> int:
        """Spend of a lot's twin what a debit had spent of it; returns what the twin has not got."""
        if debit in self.drops:
            return 0
        points, twin = lot.users[debit], self.drops[lot.entry.id].twin
        if twin is None or twin not in pool.lots:
            return points
        own = lot.entry.order_id is not None and self.entries[debit].order_id == lot.entry.order_id
        return points - pool.lots[twin].take(debit, points, also_ended=own)

    def _lift(self, pool: Pool) -> None:
        """Lift a balance that the merges leave below zero, by no more than the points that they dropped."""
        dropped = sum(self._net(each) for each, drop in self.drops.items() if drop.receipt in self.joins)
        self.floor = max(0, min(dropped, -pool.total))
        pool.forgive(self.floor)

    def _net(self, entry_id: bytes) -> int:
        """What an entry that was dropped had added to the balance."""
        entry = self.entries[entry_id]
        # What came at the merge or later had added nothing that the merge could have taken.
        if not is_fact(entry) or self.drops[entry_id].at <= entry.occurred_at:
            return 0
        lot = self.gone.get(entry_id)
        return entry.points - (lot.ended.points if lot is not None and lot.ended is not None else 0)

    # ---- How it stands then

    def _standing(self) -> Standing:
        pools = self._distinct()
        lots = [lot for pool in pools for lot in pool.lots.values()]
        open_lots = sorted((lot for lot in lots if lot.is_open and lot.left), key=lambda lot: lot.rank)
        waiting = sorted((lot for lot in lots if not lot.is_open and lot.left), key=lambda lot: lot.entry.available_at)
        debt = sum(points for pool in pools for points in pool.debts.values())
        activity = max((pool.activity for pool in pools if pool.activity is not None), default=None)
        return Standing(
            balance=sum(lot.left for lot in open_lots) - debt,
            pending=sum(lot.left for lot in waiting),
            earned=sum(
                each.points for each in self.entries.values() if counts_as_earned(each) and each.id not in self.drops
            ),
            debt=debt,
            lots=tuple(
                OpenLot(lot.entry.id, lot.left, lot.entry.available_at, lot.entry.expires_at)
                for lot in (*open_lots, *waiting)
            ),
            ended={lot.entry.id: lot.ended for lot in lots if lot.ended is not None},
            floor=self.floor,
            uses=_uses(lots),
            activity_at=activity,
            due_at=self._due(open_lots, waiting, activity),
        )

    def _due(self, open_lots: Sequence[Lot], waiting: Sequence[Lot], activity: Instant | None) -> Instant | None:
        times = [lot.entry.available_at for lot in waiting]
        times += [lot.entry.expires_at for lot in (*open_lots, *waiting) if lot.entry.expires_at is not None]
        if (at := lapse_at(activity, self.policy)) is not None and (open_lots or waiting):
            times.append(at)
        return min((at for at in times if at > self.now), default=None)


def _uses(lots: Sequence[Lot]) -> dict[bytes, list[tuple[bytes, int]]]:
    """Which lots each debit has taken how much of."""
    found: dict[bytes, list[tuple[bytes, int]]] = defaultdict(list)
    for lot in lots:
        for debit, points in lot.users.items():
            found[debit].append((lot.entry.id, points))
    return found
