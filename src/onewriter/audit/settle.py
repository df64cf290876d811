"""Settling: a direct read decides what is wrong, says why, and heals it, all in the transaction that looked.

Our side is loaded after the read and under the customers' locks, so that what was told meanwhile is never taken for a
difference. What the normal path is still at (a delivery that waits, a mark, a change of a moment ago) is healed
without a word; a deletion that it is still at is left to it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from onewriter.audit import reasons
from onewriter.audit.compare import Difference, Ill, is_young, judge
from onewriter.customers import findings, inbox, marks, profiles, tombstones
from onewriter.customers.findings import Finding
from onewriter.customers.inbox import WAITING, Told
from onewriter.customers.profiles import Side
from onewriter.customers.runs import Run
from onewriter.records import Change, Instant, Kind, sortable_id
from onewriter.vault.vault import ShopVault

ILLS = frozenset(ill.value for ill in Ill)
"""The kinds of the findings that a reconcile makes."""


@dataclass(frozen=True, slots=True)
class Mending:
    """What the audit needs and must not import. Both work in the caller's transaction."""

    lock: Callable[[Connection, Sequence[Change]], None]
    """Keep others from these customers until the transaction ends, before their sides are looked at."""
    heal: Callable[[Connection, Sequence[Change], Instant, str], object]
    """Apply direct reads, in the name of a run."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What some direct reads came to."""

    counts: Counter[str]
    gone: list[Change]
    """Reads that found nobody, of customers that are active here; nothing has been done about these yet."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """A batch of reads beside all that is known of their customers."""

    sides: Mapping[int, Side]
    told: Mapping[int, Sequence[Told]]
    marked: Mapping[int, bool]
    """True for those that wait for a person."""
    erased: frozenset[int]
    """Customers that were erased: of these nothing is wrong, whatever Shopify has."""


@dataclass(frozen=True, slots=True)
class Settler:
    """Settles direct reads for one run. A dry run reports, and heals nothing."""

    vault: ShopVault
    mending: Mending
    run: Run
    dry: bool
    grace: Instant
    """How long Shopify and we may take to tell and to hear of a change before it counts as lost."""

    def settle(
        self, db: Connection, reads: Sequence[Change], now: Instant, *, listed_at: Instant | None = None
    ) -> Settled:
        """Report and heal what is wrong with these customers. Who is gone is handed back: how many decides there.

        `listed_at` is when a file or page was begun that still named them all.
        """
        looked = self._look(db, reads)
        wrong = _wrong(looked, reads)
        busy = {number for number, (read, _found) in wrong.items() if self._is_in_flight(looked, read, listed_at)}
        gone = {number: read for number, (read, found) in wrong.items() if found.ill is Ill.UNDELETED}
        told = {number: each for number, each in wrong.items() if number not in busy and number not in gone}
        # Nobody is hidden here, however sure the normal path is of it: how many may be is decided for all together.
        healed = self._heal(db, [read for number, (read, _found) in wrong.items() if number not in gone], now)
        self._report(db, looked, told, healed, now)
        counts = Counter(in_flight=len(busy), different=len(told), healed=len(healed.keys() & told.keys()))
        counts["missing"] = sum(found.ill is Ill.MISSING for _read, found in told.values())
        return Settled(counts, [read for number, read in gone.items() if number not in busy])

    def bury(
        self, db: Connection, reads: Sequence[Change], now: Instant, *, hold: bool
    ) -> tuple[Counter[str], list[Side]]:
        """Report customers that are confirmed to be gone, and hide them, unless they are to be held for a person.

        Those that wait for a person already go on waiting. Returns counts, and the sides of all that are gone.
        """
        looked = self._look(db, reads)
        gone = _wrong(looked, reads)
        held = {number for number in gone if hold or looked.marked.get(number)}
        healed = self._heal(db, [read for number, (read, _found) in gone.items() if number not in held], now)
        if not self.dry:
            marks.hold(db, self.vault.shop_id, sorted(held), "absence", now)
        self._report(db, looked, gone, healed, now)
        counts = Counter(absent=len(gone), different=len(gone), held_back=len(held), healed=len(healed))
        return counts, [looked.sides[number] for number in gone]

    def _look(self, db: Connection, reads: Sequence[Change]) -> _Looked:
        self.mending.lock(db, reads)
        ids = [read.record_id for read in reads]
        shop_id = self.vault.shop_id
        hashes = {self.vault.key.id_hash(number): number for number in ids}
        told = inbox.told_of(db, shop_id, list(hashes))
        return _Looked(
            profiles.sides_of(db, self.vault, ids),
            {hashes[name]: deliveries for name, deliveries in told.items()},
            marks.standing(db, shop_id, ids),
            tombstones.purged(db, self.vault, ids),
        )

    def _is_in_flight(self, looked: _Looked, read: Change, listed_at: Instant | None) -> bool:
        """True while the normal path may still do it, or may not have had the time to."""
        number = read.record_id
        if looked.marked.get(number) is False or any(each.state == WAITING for each in looked.told[number]):
            return True
        if read.kind is Kind.ABSENT:
            return listed_at is not None and read.heard - listed_at < self.grace
        return is_young(read, self.grace)

    def _heal(self, db: Connection, reads: Sequence[Change], now: Instant) -> dict[int, Side]:
        """Apply the reads, and look again: the sides of those that are now as they should be."""
        if self.dry or not reads:
            return {}
        self.mending.heal(db, reads, now, self.run.id)
        sides = profiles.sides_of(db, self.vault, [read.record_id for read in reads])
        return {
            read.record_id: sides[read.record_id]
            for read in reads
            if read.record_id in sides and judge(sides[read.record_id], read) is None
        }

    def _report(
        self,
        db: Connection,
        looked: _Looked,
        found: Mapping[int, tuple[Change, Difference]],
        healed: Mapping[int, Side],
        now: Instant,
    ) -> None:
        """Write down what was found and why, and what is healed of it and of what was found before."""
        written: dict[bytes, Finding] = {}
        for number, (read, difference) in found.items():
            side = looked.sides.get(number)
            for name in difference.fields or (None,):
                finding = self._finding(looked, read, difference.ill, name, side, healed.get(number, side))
                written[self._name_of(number, finding)] = finding
        findings.add_once(db, self.vault.shop_id, written, now)
        cured = [side.customer_id for side in healed.values()]
        findings.heal_customers(db, self.vault.shop_id, cured, ILLS, now)

    def _finding(
        self, looked: _Looked, read: Change, ill: Ill, name: str | None, side: Side | None, now_side: Side | None
    ) -> Finding:
        wanted = reasons.sought(ill, name, side, read)
        why, spoke = reasons.reason(wanted, looked.told[read.record_id])
        customer_id = None if now_side is None else now_side.customer_id
        evidence = reasons.evidence(wanted, side, read, spoke)
        return Finding(ill.value, why.value, customer_id, name, evidence, run_id=self.run.id)

    def _name_of(self, number: int, finding: Finding) -> bytes:
        """An id that the same finding of the same run always has."""
        about = f"{self.run.id}|{number}|{finding.kind}|{finding.field or ''}"
        return sortable_id(self.run.requested_at, self.vault.key.token("finding", about)[:10])


def _wrong(looked: _Looked, reads: Sequence[Change]) -> dict[int, tuple[Change, Difference]]:
    """The reads that our sides do not agree with, and in what."""
    known = (read for read in reads if read.record_id not in looked.erased)
    judged = ((read, judge(looked.sides.get(read.record_id), read)) for read in known)
    return {read.record_id: (read, found) for read, found in judged if found is not None}
