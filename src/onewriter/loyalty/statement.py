"""Statements: a customer's ledger as people read it, like that of a bank, and what comes next by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from onewriter.loyalty.entries import as_posted
from onewriter.records import Entry, EntryKind, Instant
from onewriter.rules.lots import Lapse, lapse_at
from onewriter.rules.merging import Ledger
from onewriter.rules.replaying import Standing, takes_redemption_back

_IN_WORDS = {
    EntryKind.EARN: "earned",
    EntryKind.REDEEM: "redeemed",
    EntryKind.EXPIRE: "expired",
    EntryKind.CORRECT: "corrected",
    EntryKind.MERGE_FLOOR: "lifted by a merge",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement."""

    entry: Entry
    what: str
    """What the entry does, in words."""
    running: int
    """All points after it, pending ones included. An entry that a receipt drops leaves it as it was."""
    pending_until: Instant | None
    """From when on its points can be spent, where that was not at once when it was posted."""
    brought_by: bytes | None
    """The customer that a merge took away and whose it was; None for the customer's own."""

    @property
    def counts(self) -> bool:
        """False for what a receipt drops."""
        return self.entry.dropped_by is None


@dataclass(frozen=True, slots=True)
class Ending:
    """Points that end at one moment."""

    points: int
    at: Instant
    by_inactivity: bool


def statement(entries: Sequence[Entry]) -> list[Line]:
    """The lines of one customer's statement, in the order in which they were posted, with all points after each."""
    lines: list[Line] = []
    running = 0
    for entry in sorted(entries, key=as_posted):
        running += entry.points if entry.dropped_by is None else 0
        waits = entry.points > 0 and entry.available_at > entry.posted_at
        brought_by = entry.origin_id if entry.origin_id != entry.customer_id else None
        lines.append(Line(entry, in_words(entry), running, entry.available_at if waits else None, brought_by))
    return lines


def in_words(entry: Entry) -> str:
    """What an entry does, in words."""
    if entry.kind is EntryKind.ADJUST:
        return "given by hand" if entry.points > 0 else "taken by hand"
    if entry.kind is EntryKind.REVERSE:
        return "redemption given back" if takes_redemption_back(entry) else "taken back"
    return _IN_WORDS[entry.kind]


def pending(standing: Standing, until: Instant) -> dict[Instant, int]:
    """The points that cannot be spent yet, by when they can; in that order."""
    found: dict[Instant, int] = {}
    for lot in standing.lots:
        if lot.available_at > until:
            found[lot.available_at] = found.get(lot.available_at, 0) + lot.points
    return dict(sorted(found.items()))


def next_end(ledger: Ledger, standing: Standing, policy: Lapse, now: Instant) -> Ending | None:
    """The points that end next if nothing else happens before; None if none ever do."""
    moments = {lot.expires_at for lot in standing.lots if lot.expires_at is not None}
    moments |= {at for at in (lapse_at(standing.activity_at, policy),) if at is not None}
    for at in sorted(moments):
        if at > now and (ended := [e for e in ledger.standing(at, policy).ended.values() if e.at == at and e.points]):
            return Ending(sum(each.points for each in ended), at, any(each.days is not None for each in ended))
    return None
