"""Ledgers as text, so that a test reads like a statement.

A line is a day, what happened, for what, and the points; then, in any order, `opens DAY`, `ends DAY`, `read DAY` (the
order's `updatedAt`), `of AMOUNT` (whole units) and `days N` (of an expiry by inactivity):

    2026-03-01  order  #1001    +120  ends 2027-03-01
    2026-03-04  refund #1001/1   -40
    2026-03-05  redeem tea       -50

The id of an entry is the line's own words, such as b"ann order #1001".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from onewriter.records import DAY, Entry, EntryKind, Instant, parse_instant
from onewriter.rules.earning import UNIT, Item
from onewriter.rules.lots import NO_LAPSE, Lapse
from onewriter.rules.merging import Ledger
from onewriter.rules.replaying import Drop, Join, Standing, is_fact, replay

KINDS = {
    "signup": EntryKind.EARN, "newsletter": EntryKind.EARN, "event": EntryKind.EARN, "order": EntryKind.EARN,
    "refund": EntryKind.REVERSE, "cancel": EntryKind.REVERSE, "back": EntryKind.REVERSE, "edit": EntryKind.CORRECT,
    "redeem": EntryKind.REDEEM, "adjust": EntryKind.ADJUST, "expire": EntryKind.EXPIRE, "unexpire": EntryKind.CORRECT,
}  # fmt: skip
"""What the second word of a line makes of it."""
ONCE = ("signup", "newsletter")


def day(text: str) -> Instant:
    """Midnight UTC of a day such as 2026-03-01."""
    return parse_instant(f"{text}T00:00:00+00:00")


def entries_from(text: str, customer: str = "ann") -> list[Entry]:
    """The entries of a customer, from a ledger as text."""
    found = [_entry(line.split(), customer) for line in text.splitlines() if line.strip()]
    if len({entry.id for entry in found}) < len(found):
        raise ValueError("Two lines say the same; give one of them another name.")
    return found


def _entry(words: Sequence[str], customer: str) -> Entry:
    at, what = day(words[0]), words[1]
    sign = next(index for index, word in enumerate(words) if index > 1 and word[0] in "+-")
    name = " ".join(words[2:sign])
    options = dict(zip(words[sign + 1 :: 2], words[sign + 2 :: 2], strict=True))
    fields: dict[str, Any] = {
        "id": f"{customer} {what} {name}".strip().encode(),
        "customer_id": customer.encode(),
        "origin_id": customer.encode(),
        "kind": KINDS[what],
        "points": int(words[sign]),
        "rule": "custom:event" if what == "event" else what,
        "occurred_at": at,
        "available_at": day(options.pop("opens")) if "opens" in options else at,
        "expires_at": day(options.pop("ends")) if "ends" in options else None,
        "once_key": what if what in ONCE else None,
        "reference": name or None,
        "days": int(options.pop("days")) if "days" in options else None,
    }
    read = options.pop("read", None)
    amount = options.pop("of", None)
    if options:
        raise ValueError(f"Nobody knows {', '.join(options)}.")
    if name.startswith("#"):
        fields |= {"version": day(read) if read else at, "amount": int(amount) * UNIT if amount else None}
        fields |= _of_order(what, name, fields["version"])
    if what in ("expire", "unexpire", "back"):
        lot = f"redeem {name}" if what == "back" else name
        fields |= {"lot_id": f"{customer} {lot}".encode(), "rule": "inactivity" if fields["days"] else "age"}
    return Entry(**fields)


def _of_order(what: str, name: str, version: Instant) -> dict[str, Any]:
    order, _, refund = name[1:].partition("/")
    references = {"order": order, "refund": f"refund {refund}", "cancel": f"cancel {order}"}
    return {"rule": "order", "order_id": int(order), "reference": references.get(what, f"{order}@{version}")}


def merge(deleted: str, into: str, at: str) -> Join:
    """One customer merged into another on a day."""
    return Join(f"{deleted} into {into}".encode(), deleted.encode(), into.encode(), day(at))


def ledger(text: str, customer: str = "ann") -> Ledger:
    """The ledger of a customer whom nobody was merged into."""
    return Ledger(entries_from(text, customer))


def standing(text: str, on: str, policy: Lapse = NO_LAPSE) -> Standing:
    """How the points of a customer stand at the beginning of a day."""
    return replay(entries_from(text), day(on), policy)


def left(found: Standing) -> dict[str, int]:
    """What is left, by the words of the entry that gave it; in the order in which it is spent."""
    return {lot.entry_id.decode(): lot.points for lot in found.lots}


def ended(found: Standing) -> dict[str, int]:
    """What has expired, by the words of the entry that gave it."""
    return {lot_id.decode(): each.points for lot_id, each in found.ended.items() if each.points}


def spent(found: Standing, debit: str) -> dict[str, int]:
    """What a debit took, by the words of the entry that gave it."""
    return {lot_id.decode(): points for lot_id, points in found.uses.get(debit.encode(), ())}


def open_lots(found: Standing) -> list[tuple[Instant, Instant | None, int]]:
    """What is left by when it can be spent and when it ends, whichever entries it came from."""
    sums: dict[tuple[Instant, Instant | None], int] = {}
    for lot in found.lots:
        key = (lot.available_at, lot.expires_at)
        sums[key] = sums.get(key, 0) + lot.points
    return sorted(((*key, points) for key, points in sums.items()), key=repr)


def posted(items: Sequence[Item], before: int = 0, customer: str = "ann") -> list[Entry]:
    """Items as entries, numbered from that many on."""
    whose: dict[str, Any] = {"customer_id": customer.encode(), "origin_id": customer.encode()}
    return [
        Entry(id=b"%d" % number, **whose, **{each.name: getattr(item, each.name) for each in fields(Item)})
        for number, item in enumerate(items, before)
    ]


def consequences(found: Standing, posted: Sequence[Entry], now: Instant) -> list[Entry]:
    """What a ledger lacks to say what it implies of expiries, as whoever keeps it would post it."""
    said: dict[bytes, int] = {}
    tried = {(entry.lot_id, entry.occurred_at) for entry in posted if entry.kind is EntryKind.EXPIRE}
    for entry in posted:
        if entry.lot_id is not None and not is_fact(entry):
            said[entry.lot_id] = said.get(entry.lot_id, 0) - entry.points
    origins = {entry.id: entry.origin_id for entry in posted}
    fresh: list[Entry] = []
    for lot_id in sorted(found.ended.keys() | said.keys()):
        each = found.ended.get(lot_id)
        missing = (each.points if each else 0) - said.get(lot_id, 0)
        first = each is not None and missing > 0 and (lot_id, each.at) not in tried
        if not missing:
            continue
        at = each.at if first and each else now
        fresh.append(
            Entry(
                id=b"%d follows %s" % (len(posted) + len(fresh), lot_id),
                customer_id=origins[lot_id],
                origin_id=origins[lot_id],
                kind=EntryKind.EXPIRE if first else EntryKind.CORRECT,
                points=-missing,
                rule="expiry",
                occurred_at=at,
                available_at=at,
                lot_id=lot_id,
                days=each.days if first and each else None,
            )
        )
    return fresh


# ---- A ledger that is too simple to be wrong


@dataclass
class Point:
    """One point of one lot, and who has it: nobody, a debit, or time."""

    lot: Entry
    used_by: bytes | None = None
    is_ended: bool = False


@dataclass
class Naive:
    """How the points of merged customers stand, found by living through every day."""

    entries: Sequence[Entry]
    policy: Lapse
    joins: Sequence[Join]
    drops: Mapping[bytes, Drop]
    points: list[Point] = field(default_factory=list)
    debts: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Each point that is owed: by whom, and for which debit."""
    active: dict[bytes, Instant] = field(default_factory=dict)
    over: set[bytes] = field(default_factory=set)
    """Lots that have ended."""
    floor: int = 0
    expired_with_drops: int = 0
    """What had expired of the lots that merges drop."""

    def __post_init__(self) -> None:
        self.of = {entry.origin_id: frozenset({entry.origin_id}) for entry in self.entries}
        self.of |= {who: frozenset({who}) for join in self.joins for who in (join.deleted, join.kept)}
        self.facts = {entry.id: entry for entry in self.entries if is_fact(entry) and not self._undone(entry)}
        self.joins = sorted(self.joins, key=lambda join: (join.at, join.receipt))

    def _undone(self, entry: Entry) -> bool:
        back = {each.lot_id for each in self.entries if each.kind is EntryKind.REVERSE and each.lot_id}
        return entry.id in back or (entry.kind is EntryKind.REVERSE and entry.lot_id is not None)

    def stir(self, today: Instant) -> None:
        """A redemption that was given back took nothing, but somebody was there."""
        for entry in self.entries:
            if entry.kind is EntryKind.REDEEM and entry.id not in self.facts and entry.occurred_at == today:
                self.act(entry)

    def counts(self, entry: Entry, today: Instant) -> bool:
        """Whether an entry has happened and was not dropped."""
        drop = self.drops.get(entry.id)
        return entry.occurred_at <= today and (drop is None or drop.at > today)

    def live(self, until: Instant) -> "Naive":
        for today in range(0, until + DAY, DAY):
            self.join(today)
            for entry in self.facts.values():
                if entry.occurred_at == today and entry.points >= 0 and self.counts(entry, today):
                    self.points += [Point(entry) for _ in range(entry.points)]
                    self.act(entry)
            self.pay(today)
            self.drop({key for key, drop in self.drops.items() if drop.at == today and not self.is_merge(drop)}, today)
            self.end([each for each in self.facts.values() if each.expires_at == today])
            for entry in sorted(self.facts.values(), key=lambda entry: (entry.order_id or 0, entry.id)):
                if entry.occurred_at == today and entry.points < 0 and self.counts(entry, today):
                    self.act(entry)
                    self.take(entry, -entry.points, today)
            self.stir(today)
            self.lapse(today)
        return self

    def is_merge(self, drop: Drop) -> bool:
        return any(join.receipt == drop.receipt for join in self.joins)

    def act(self, entry: Entry) -> None:
        if entry.kind in (EntryKind.EARN, EntryKind.REDEEM):
            for who in self.of[entry.origin_id]:
                self.active[who] = max(self.active.get(who, 0), entry.occurred_at)

    def free(self, of: frozenset[bytes], today: Instant) -> list[Point]:
        """The points that can be spent, those that end first in front."""
        found = [point for point in self.points if point.lot.origin_id in of and point.used_by is None]
        found = [point for point in found if not point.is_ended and point.lot.available_at <= today]
        return sorted(found, key=lambda point: rank(point.lot))

    def take(self, debit: Entry, points: int, today: Instant) -> None:
        of = self.of[debit.origin_id]
        mine = [each for each in self.points if each.used_by is None and each.lot.origin_id in of]
        mine = [each for each in mine if debit.order_id is not None and each.lot.order_id == debit.order_id]
        mine = sorted(mine, key=lambda each: each.is_ended)
        for point in mine[:points]:
            point.used_by, point.is_ended = debit.id, False
        self.debts += [(debit.origin_id, debit.id)] * (points - len(mine[:points]))
        self.pay(today)

    def pay(self, today: Instant) -> None:
        for debt in list(self.debts):
            if free := self.free(self.of[debt[0]], today):
                free[0].used_by = debt[1]
                self.debts.remove(debt)

    def end(self, lots: Sequence[Entry]) -> None:
        for lot in lots:
            self.over.add(lot.id)
        for point in self.points:
            if point.lot in lots and point.used_by is None:
                point.is_ended = True

    def lapse(self, today: Instant) -> None:
        for who, active in self.active.items():
            if self.policy.days and max(active, self.policy.since) + self.policy.days * DAY == today:
                lots = [each for each in self.facts.values() if each.origin_id == who and each.available_at <= today]
                self.end([lot for lot in lots if lot.occurred_at <= today])

    def join(self, today: Instant) -> None:
        for join in (each for each in self.joins if each.at == today):
            both = self.of[join.deleted] | self.of[join.kept]
            self.of |= dict.fromkeys(both, both)
            if known := [self.active[who] for who in both if who in self.active]:
                self.active |= dict.fromkeys(both, max(known))
            # What opens in this moment is not there yet.
            self.drop({key for key, drop in self.drops.items() if drop.receipt == join.receipt}, today - 1)
            if join is self.joins[-1]:
                self.lift(both)

    def drop(self, gone: set[bytes], today: Instant) -> None:
        """What was spent of a dropped lot is spent of its twin, else of what ends first, else owed."""
        dropped = [each for each in self.points if each.lot.id in gone]
        self.points = [each for each in self.points if each.lot.id not in gone]
        self.debts = [debt for debt in self.debts if debt[1] not in gone]
        for point in self.points:
            if point.used_by in gone:
                point.used_by, point.is_ended = None, point.lot.id in self.over
        for point in sorted(dropped, key=lambda each: rank(each.lot)):
            if point.used_by is None or point.used_by in self.drops:
                continue
            debit, twin = self.facts[point.used_by], self.drops[point.lot.id].twin
            own = debit.order_id is not None and debit.order_id == point.lot.order_id
            there = [each for each in self.points if each.lot.id == twin and each.used_by is None]
            there = sorted((each for each in there if own or not each.is_ended), key=lambda each: each.is_ended)
            if there:
                there[0].used_by, there[0].is_ended = debit.id, False
            else:
                self.debts.append((debit.origin_id, debit.id))
        self.expired_with_drops += sum(each.is_ended and self.is_merge(self.drops[each.lot.id]) for each in dropped)
        self.pay(today)

    def lift(self, of: frozenset[bytes]) -> None:
        """Lift a sum below zero by what the merges dropped at most."""
        merged = {key: drop for key, drop in self.drops.items() if self.is_merge(drop) and key in self.facts}
        gone = [self.facts[key].points for key, drop in merged.items() if self.facts[key].occurred_at < drop.at]
        total = sum(each.used_by is None and not each.is_ended for each in self.points) - len(self.debts)
        self.floor = max(0, min(sum(gone) - self.expired_with_drops, -total))
        self.debts = self.debts[self.floor :]

    def says(self, today: Instant) -> dict[str, Any]:
        """The same words as a standing."""
        unused = [each for each in self.points if each.used_by is None and not each.is_ended]
        pending = [each for each in unused if each.lot.available_at > today]
        sums: dict[Any, int] = {}
        for each in unused:
            key = (each.lot.available_at, each.lot.expires_at)
            sums[key] = sums.get(key, 0) + 1
        return {
            "balance": len(unused) - len(pending) - len(self.debts),
            "pending": len(pending),
            "lots": sorted(((*key, points) for key, points in sums.items()), key=repr),
            "ended": sum(each.is_ended for each in self.points),
            "floor": self.floor,
        }


def rank(lot: Entry) -> tuple[bool, Instant, Instant, int, str, bytes]:
    """Lots that end first are in front; then those that could be spent first; then by what they stand for."""
    what = (lot.order_id or 0, lot.reference or "", lot.id)
    return (lot.expires_at is None, lot.expires_at or 0, lot.available_at, *what)
