"""Merging: which entries of merged customers are one and the same, which of them stays, and what a merge comes to.

Pure and a function of the set: whoever was merged into whom first, and whatever was heard last, the same entries stay.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from onewriter.records import Entry, EntryKind, Instant
from onewriter.rules.lots import Lapse
from onewriter.rules.replaying import Drop, Join, Standing, is_fact, replay

ONCE = "given once in a life"
SAME = "the same event on both sides"
SAME_ORDER = "the same order on both sides"
FOLLOWS = "follows from an entry that was dropped"


@dataclass(frozen=True, slots=True)
class Twin:
    """Why an entry is one too many, and which one stays in its place."""

    why: str
    stays: bytes
    stays_origin: bytes


@dataclass(frozen=True, slots=True)
class Ledger:
    """All entries that a customer has now, and what was done to them: enough to say how its points stand."""

    entries: Sequence[Entry]
    """Those that are dropped included."""
    joins: Sequence[Join] = ()
    """The merges that brought entries here."""
    taken_back: Mapping[bytes, Instant] | None = None
    """Awards that were taken back, by receipt: when."""

    def drops(self) -> tuple[dict[bytes, Drop], dict[bytes, Twin]]:
        """Which entries do not count and from when on; and why, of those that merges drop."""
        return _drops(self.entries, self.joins, self.taken_back or {})

    def standing(self, now: Instant, policy: Lapse, drops: Mapping[bytes, Drop] | None = None) -> Standing:
        """How the points stand; `drops` are those of this ledger, from who has worked them out already."""
        return replay(self.entries, now, policy, self.joins, self.drops()[0] if drops is None else drops)

    def joined(self, other: "Ledger", join: Join) -> "Ledger":
        """This ledger after another was merged into it."""
        back = {**(self.taken_back or {}), **(other.taken_back or {})}
        return Ledger([*self.entries, *other.entries], [*self.joins, *other.joins, join], back)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a merge does to the ledger; nothing of it is done yet."""

    kept: Standing
    """How the points of the kept customer stand before."""
    deleted: Standing
    after: Standing
    moves: tuple[Entry, ...]
    dropped: Mapping[bytes, Twin]
    """By entry, those that this merge drops."""
    points_dropped: int


def plan(
    kept: Ledger,
    deleted: Ledger,
    join: Join,
    now: Instant,
    policy: Lapse,
    *,
    of_deleted: Lapse | None = None,
    after: Lapse | None = None,
) -> Plan:
    """What merging two customers comes to, by the days of inactivity of each and of both together.

    Those of the kept one count where the others are not told.
    """
    together = kept.joined(deleted, join)
    known = kept.drops()[0].keys() | deleted.drops()[0].keys()
    drops, twins = together.drops()
    fresh = {entry_id: twin for entry_id, twin in twins.items() if entry_id not in known}
    return Plan(
        kept.standing(now, policy),
        deleted.standing(now, of_deleted or policy),
        replay(together.entries, now, after or policy, together.joins, drops),
        tuple(deleted.entries),
        fresh,
        sum(entry.points for entry in together.entries if entry.id in fresh),
    )


def duplicates(entries: Iterable[Entry]) -> dict[bytes, Twin]:
    """The entries that are one too many, by id. Entries that something else than a merge drops must not be among them.

    Of what is given once in a life, and of one outside event, the earliest stays, then the one with the lowest id of
    its customer. Of an order on both sides all that one side knows stays: that of the newest read. A refund that only
    the other side has heard of is kept and belongs to the order that stays.
    """
    facts = [entry for entry in entries if is_fact(entry)]
    found: dict[bytes, Twin] = {}
    for why, same in _same(facts):
        stays = min(same, key=_earliest)
        found |= {entry.id: Twin(why, stays.id, stays.origin_id) for entry in same if entry is not stays}
    orders: dict[int, list[Entry]] = defaultdict(list)
    for entry in facts:
        if entry.order_id is not None:
            orders[entry.order_id].append(entry)
    for of_order in orders.values():
        found |= _of_order(of_order)
    return found


def _earliest(entry: Entry) -> tuple[Instant, bytes, bytes]:
    return (entry.occurred_at, entry.origin_id, entry.id)


def _same(facts: Sequence[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """Earns that stand for one thing, and why."""
    once: dict[str, list[Entry]] = defaultdict(list)
    events: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in facts:
        if entry.kind is not EntryKind.EARN or entry.order_id is not None:
            continue
        if entry.once_key is not None:
            once[entry.once_key].append(entry)
        elif entry.reference is not None:
            events[entry.rule, entry.reference].append(entry)
    yield from ((ONCE, same) for same in once.values() if len(same) > 1)
    yield from ((SAME, same) for same in events.values() if len(same) > 1)


def _of_order(entries: Sequence[Entry]) -> dict[bytes, Twin]:
    """Of what several customers have of one order, what is one too many."""
    sides: dict[bytes, list[Entry]] = defaultdict(list)
    for entry in entries:
        sides[entry.origin_id].append(entry)
    earning = [origin for origin, side in sides.items() if any(each.kind is EntryKind.EARN for each in side)]
    if len(sides) < 2 or not earning:
        return {}
    best = min(earning, key=lambda origin: (-_read_at(sides[origin]), origin))
    earn = next(entry for entry in sides[best] if entry.kind is EntryKind.EARN)
    heard = {entry.reference for entry in sides[best]}
    left = sum(entry.points for entry in sides[best])
    found: dict[bytes, Twin] = {}
    for entry in sorted(entries, key=_earliest):
        if entry.origin_id == best:
            continue
        # A refund that only this side has heard of stays, unless nothing is left that it could take back.
        if entry.kind is EntryKind.REVERSE and entry.reference not in heard and left + entry.points >= 0:
            heard.add(entry.reference)
            left += entry.points
            continue
        found[entry.id] = Twin(SAME_ORDER, earn.id, best)
    return found


def _read_at(side: Iterable[Entry]) -> Instant:
    return max(entry.version or 0 for entry in side)


def _drops(
    entries: Sequence[Entry], joins: Sequence[Join], taken_back: Mapping[bytes, Instant]
) -> tuple[dict[bytes, Drop], dict[bytes, Twin]]:
    """What an award's receipt drops stays dropped; and what followed from a lot that is dropped goes with it."""
    drops = {
        entry.id: Drop(entry.dropped_by, taken_back[entry.dropped_by])
        for entry in entries
        if entry.dropped_by is not None and entry.dropped_by in taken_back
    }
    twins: dict[bytes, Twin] = {}
    if joins:
        twins = duplicates(entry for entry in entries if entry.id not in drops)
        origins = {entry.id: entry.origin_id for entry in entries}
        for entry_id, twin in twins.items():
            join = joined_by(origins[entry_id], twin.stays_origin, joins)
            drops[entry_id] = Drop(join.receipt, join.at, twin.stays)
    for entry in entries if drops else ():
        if not is_fact(entry) and entry.lot_id in drops and entry.id not in drops:
            drops[entry.id] = drops[entry.lot_id]
            if entry.lot_id in twins:
                twins[entry.id] = Twin(FOLLOWS, entry.lot_id, entry.origin_id)
    return drops, twins


def joined_by(one: bytes, other: bytes, joins: Sequence[Join]) -> Join:
    """The merge that made these two one: the first after which a way leads from one to the other."""
    group = {member: {member} for join in joins for member in (join.deleted, join.kept)}
    ordered = sorted(joins, key=lambda join: (join.at, join.receipt))
    for join in ordered:
        both = group[join.deleted] | group[join.kept]
        for member in both:
            group[member] = both
        if one in both and other in both:
            return join
    return ordered[-1]
