"""The one door to what we know: the only code that changes a side or a customer.

It decides by pure rules (order, ownership), writes what it accepts, and writes down what it refuses as carefully. It
never commits: the caller's transaction holds the whole batch or nothing of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from onewriter.customers import marks, owners, profiles, tombstones
from onewriter.customers.log import LogLine
from onewriter.customers.profiles import ACTIVE, DELETED, Profile
from onewriter.customers.tombstones import Tombstone
from onewriter.db.bulk import STRIPES, lock_stripes
from onewriter.records import Change, Instant, Kind, Path, Value
from onewriter.rules import ordering, ownership
from onewriter.rules.ordering import Verdict
from onewriter.vault.vault import ShopVault


@dataclass(slots=True)
class Applied:
    """What a batch did: one outcome a change, in order, and how often each came."""

    outcomes: list[str] = field(default_factory=list)
    settled: set[int] = field(default_factory=set)
    """The Shopify ids whose direct read answered every earlier reason to read."""

    @property
    def counts(self) -> Counter[str]:
        """How often each outcome came."""
        return Counter(self.outcomes)


def stripe_of(id_hash: bytes) -> int:
    """The lock that a customer falls under."""
    return id_hash[0] % STRIPES


def apply(
    db: Connection, vault: ShopVault, changes: Sequence[Change], now: Instant, *, run_id: str | None = None
) -> Applied:
    """Apply changes of one shop, in the order given, and say what became of each.

    Outcomes: created, changed, unchanged, deleted, confirmed, found (a deleted one is there after all), tombstone, or
    `refused: why`.
    """
    shop = vault.shop_id
    hashes = {change.record_id: vault.key.id_hash(change.record_id) for change in changes}
    lock_stripes(db, shop, {stripe_of(name) for name in hashes.values()})
    unchanged = _same_raw(db, shop, changes)
    rest = [change for change in changes if change.record_id not in unchanged]
    batch = _Batch.load(db, vault, {change.record_id: hashes[change.record_id] for change in rest}, run_id)
    applied = Applied()
    for change in changes:
        applied.outcomes.append("unchanged" if change.record_id in unchanged else batch.take(change))
    batch.save(db, now)
    applied.settled = batch.settled
    return applied


def _same_raw(db: Connection, shop_id: int, changes: Sequence[Change]) -> set[int]:
    """The customers of whom every change in the batch is a bulk row that we have already read just so."""
    bulk = [change for change in changes if change.raw_digest is not None]
    if not bulk:
        return set()
    known = profiles.raw_digests(db, shop_id, [change.record_id for change in bulk])
    same = {change.record_id for change in bulk if known.get(str(change.record_id)) == change.raw_digest}
    return same - {change.record_id for change in changes if change.raw_digest is None}


@dataclass(slots=True)
class _Batch:
    """The customers of one batch while changes are applied to them."""

    vault: ShopVault
    run_id: str | None
    hashes: Mapping[int, bytes]
    profiles: dict[int, Profile]
    stones: dict[int, Tombstone]
    owners: Mapping[str, str]
    buried: frozenset[int]
    """The ids that had a tombstone before this batch."""
    marks: dict[int, frozenset[str]] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)

    @classmethod
    def load(cls, db: Connection, vault: ShopVault, hashes: Mapping[int, bytes], run_id: str | None) -> "_Batch":
        known = profiles.load(db, vault, list(hashes))
        unknown = {name: shopify_id for shopify_id, name in hashes.items() if shopify_id not in known}
        found = tombstones.load(db, vault.shop_id, unknown) if unknown else {}
        stones = {unknown[name]: stone for name, stone in found.items()}
        owned = owners.of_shop(db, vault.shop_id) if hashes else {}
        return cls(vault, run_id, hashes, known, stones, owned, frozenset(stones))

    def save(self, db: Connection, now: Instant) -> None:
        profiles.save(db, self.vault, self.profiles.values(), now)
        gone = [self.hashes[shopify_id] for shopify_id in self.buried - self.stones.keys()]
        tombstones.remove(db, self.vault.shop_id, gone)
        left = {self.hashes[shopify_id]: stone for shopify_id, stone in self.stones.items()}
        before = [self.hashes[shopify_id] for shopify_id in self.buried]
        tombstones.save(db, self.vault.shop_id, before, left, now)
        marks.set_marks(db, self.vault.shop_id, self.marks, now)

    def take(self, change: Change) -> str:
        """Apply one change to the working copies; returns its outcome."""
        profile = self.profiles.get(change.record_id)
        stone = self.stones.get(change.record_id)
        held = None if profile is None else profile.held()
        verdict = ordering.decide(held, change, self.vault.key.value_digest, stone.deleted_at if stone else None)
        self._note(change, verdict)
        if profile is None:
            return self._take_first(change, verdict, stone)
        return self._take_known(profile, change, verdict)

    def _note(self, change: Change, verdict: Verdict) -> None:
        if verdict.refetch:
            self.marks[change.record_id] = self.marks.get(change.record_id, frozenset()) | verdict.refetch
            self.settled.discard(change.record_id)
        elif verdict.settles:
            self.settled.add(change.record_id)

    def _take_first(self, change: Change, verdict: Verdict, stone: Tombstone | None) -> str:
        if change.kind is not Kind.PRESENT:
            return self._bury(change, stone)
        if verdict.refused:
            return f"refused: {verdict.refused}"
        profile = Profile(change.record_id, created=change.created)
        if stone is not None and verdict.hide is not None:
            profile.deleted, profile.confirmed, profile.state = stone.deleted_at, stone.confirmed_at, DELETED
        self.stones.pop(change.record_id, None)
        self.profiles[change.record_id] = profile
        self._write(profile, change, verdict, first=True)
        return "created"

    def _bury(self, change: Change, stone: Tombstone | None) -> str:
        if change.kind is Kind.DELETED:
            earliest = min(stone.deleted_at, change.heard) if stone else change.heard
            self.stones[change.record_id] = Tombstone(earliest, stone.confirmed_at if stone else None)
            return "tombstone"
        if stone is None:
            return "unchanged"
        self.stones[change.record_id] = Tombstone(stone.deleted_at, stone.confirmed_at or change.heard)
        return "confirmed"

    def _take_known(self, profile: Profile, change: Change, verdict: Verdict) -> str:
        outcome = self._move(profile, change, verdict)
        written = self._write(profile, change, verdict, first=False)
        if outcome is None and verdict.refused:
            self._log_refusal(profile, change, verdict.refused)
            return f"refused: {verdict.refused}"
        return outcome or ("changed" if written else "unchanged")

    def _move(self, profile: Profile, change: Change, verdict: Verdict) -> str | None:
        """Hide, unhide or confirm; returns the outcome if it did one of these."""
        outcome = None
        if verdict.hide is not None:
            outcome = "deleted" if profile.deleted is None else "unchanged"
            profile.deleted, profile.state, profile.changed = verdict.hide, DELETED, True
        if verdict.confirm and profile.confirmed is None:
            outcome = "confirmed" if outcome is None else outcome
            profile.confirmed, profile.changed = change.heard, True
        if verdict.unhide:
            outcome = "found"
            profile.deleted = profile.confirmed = None
            profile.state, profile.changed = ACTIVE, True
        return outcome

    def _write(self, profile: Profile, change: Change, verdict: Verdict, *, first: bool) -> bool:
        """Take the verdict's fields into the side, and those that the system owns into the customer."""
        profile.stamps.update(verdict.stamps)
        newer = verdict.newest is not None and verdict.newest > profile.stamp
        if newer:
            profile.version, profile.heard, profile.path = change.version or 0, change.heard, change.path
        profile.created = profile.created or change.created
        if verdict.reads_won:
            profile.read_began = change.heard
        moved = bool(verdict.fields) or bool(verdict.stamps) or verdict.reads_won or newer
        if first or moved:
            # A bulk row that we now hold in full is told by its digest next time; anything else makes it unknown.
            whole = change.path is Path.BULK and verdict.refused is None and not change.denied
            profile.raw_digest = change.raw_digest if whole else None
            profile.changed = True
        if verdict.fields or first:
            self._log_write(profile, change, verdict.fields, first=first)
        return bool(verdict.fields)

    def _log_write(self, profile: Profile, change: Change, fields: Mapping[str, Value], *, first: bool) -> None:
        sorted_fields = ownership.split(fields, self.owners, change.system)
        old = {} if first else {name: profile.side.get(name) for name in fields}
        profile.side.update(fields)
        profile.own.update({name: fields[name] for name in sorted_fields.accepted})
        if sorted_fields.accepted or first:
            new = {} if first else {name: fields[name] for name in sorted_fields.accepted}
            profile.log.append(self._line(change, sorted_fields.accepted, old, new))
        for owner, names in _by_owner(sorted_fields.refused, self.owners).items():
            refused = {name: fields[name] for name in names}
            profile.log.append(self._line(change, names, old, refused, refused=f"owned by {owner}"))

    def _log_refusal(self, profile: Profile, change: Change, why: str) -> None:
        differing = {name: value for name, value in change.fields.items() if profile.side.get(name) != value}
        if differing:
            old = {name: profile.side.get(name) for name in differing}
            profile.log.append(self._line(change, tuple(differing), old, differing, refused=why))

    def _line(
        self,
        change: Change,
        names: Iterable[str],
        old: Mapping[str, Value],
        new: Mapping[str, Value],
        *,
        refused: str | None = None,
    ) -> LogLine:
        return LogLine(
            tuple(names),
            change.path,
            change.version or change.heard,
            accepted=refused is None,
            reason=refused,
            run_id=self.run_id,
            cause=change.position or None,
            old=old,
            new=new,
        )


def _by_owner(names: Iterable[str], owned: Mapping[str, str]) -> dict[str, list[str]]:
    """Refused fields by who owns them; a field that nobody owns is owned by `nobody`."""
    sorted_names: dict[str, list[str]] = {}
    for name in names:
        sorted_names.setdefault(owned.get(name, "nobody"), []).append(name)
    return sorted_names
