"""The working copies of a batch of customers while changes are applied to them, one after the other.

What becomes of a change is decided by the pure rules; here it is carried out on the copies and written down in the end.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from onewriter.customers import (
    aliases,
    findings,
    marks,
    order_marks,
    policies,
    profiles,
    questions,
    retention,
    tombstones,
)
from onewriter.customers.aliases import UNHEARD_MERGE, UNSETTLED_MERGE
from onewriter.customers.findings import Finding
from onewriter.customers.log import LogLine
from onewriter.customers.profiles import ACTIVE, DELETED, KEPT, MERGED, Profile
from onewriter.customers.tombstones import Tombstone
from onewriter.intake.others import Heard, Others
from onewriter.loyalty import facts
from onewriter.loyalty.facts import Written
from onewriter.records import Change, Instant, Kind, Path, Value, id_text
from onewriter.rules import aliasing, ordering, ownership
from onewriter.rules.aliasing import Alias, AliasState
from onewriter.rules.ordering import Verdict
from onewriter.rules.policy import ONEWRITER, Policy
from onewriter.vault.vault import ShopVault

ERASED = "refused: erased"
"""The outcome of whatever is told of a customer that was erased."""
INTO_ERASED = "refused: merged into one who was erased"
NOTHING_KEPT = frozenset((ERASED, INTO_ERASED))
"""The outcomes of changes of which not even the body may be kept."""


@dataclass(slots=True)
class Batch:
    """The customers of one batch while changes are applied to them."""

    vault: ShopVault
    run_id: str | None
    hashes: Mapping[int, bytes]
    profiles: dict[int, Profile]
    stones: dict[int, Tombstone]
    policy: Policy
    buried: frozenset[int]
    """The ids that had a tombstone before this batch."""
    merges: dict[int, Alias]
    """What is known of the merges of those customers that are gone, or may be."""
    merges_before: Mapping[int, Alias]
    marks: dict[int, frozenset[str]] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    returned: list[Profile] = field(default_factory=list)
    """Customers that were hidden and that a read has found."""
    merged: list[Profile] = field(default_factory=list)
    """Customers whose merge is settled now."""
    erased_kept: frozenset[int] = frozenset()
    """Customers that others were told to be merged into, and that were erased."""
    others: Others | None = None
    """What this means for other systems; None where Shopify is all there is."""
    logged_as: Mapping[int, Path] = field(default_factory=dict)
    """What the log says of how these customers were heard of, where it was for a reason of its own."""

    @classmethod
    def load(
        cls,
        db: Connection,
        vault: ShopVault,
        changes: Sequence[Change],
        hashes: Mapping[int, bytes],
        run_id: str | None,
    ) -> "Batch":
        known = profiles.load(db, vault, list(hashes))
        unknown = {name: shopify_id for shopify_id, name in hashes.items() if shopify_id not in known}
        found = tombstones.load(db, vault.shop_id, unknown) if unknown else {}
        stones = {unknown[name]: stone for name, stone in found.items()}
        policy = policies.of_shop(db, vault.shop_id) if hashes else Policy()
        # Nobody else's merge can matter, and an import of a million customers must not ask for each.
        gone = {change.record_id for change in changes if change.kind in (Kind.MERGED, Kind.ABSENT)} | stones.keys()
        gone |= {number for number, profile in known.items() if profile.state in (MERGED, KEPT)}
        merges = aliases.load(db, vault, gone)
        kept = {change.into for change in changes if change.into is not None}
        erased = tombstones.purged(db, vault, kept)
        batch = cls(vault, run_id, hashes, known, stones, policy, frozenset(stones), dict(merges), merges)
        batch.erased_kept, batch.others = erased, Others.load(db, vault, policy, known)
        return batch

    def save(self, db: Connection, now: Instant) -> None:
        came = [number for number, profile in self.profiles.items() if profile.customer_id is None]
        profiles.save(db, self.vault, self.profiles.values(), now)
        gone = [self.hashes[shopify_id] for shopify_id in self.buried - self.stones.keys()]
        tombstones.remove(db, self.vault.shop_id, gone)
        left = {self.hashes[shopify_id]: stone for shopify_id, stone in self.stones.items()}
        before = [self.hashes[shopify_id] for shopify_id in self.buried]
        tombstones.save(db, self.vault.shop_id, before, left, now)
        aliases.save(db, self.vault, self.merges_before, self.merges)
        marks.set_marks(db, self.vault.shop_id, self.marks, now)
        order_marks.customers_came(db, self.vault.shop_id, came, now)
        back = [profile.customer_id for profile in self.returned if profile.customer_id is not None]
        retention.forget(db, back)
        for profile in self.returned:
            findings.add(db, self.vault.shop_id, _returned(profile, self.run_id), now, healed_at=now)
        names = [id_text(profile.customer_id) for profile in self.merged if profile.customer_id is not None]
        for kind in (UNHEARD_MERGE, UNSETTLED_MERGE):
            questions.withdraw(db, self.vault.shop_id, kind, names, now)
        written = [profile for profile in self.profiles.values() if profile.changed]
        created = [profile for number in came if (profile := self.profiles[number]).customer_id is not None]
        facts.take(db, self.vault, Written(written, created, self.merged, self.returned), now, run_id=self.run_id)
        if self.others is not None:
            self.others.save(db, written, came, now, self.run_id)

    def take(self, change: Change) -> str:
        """Apply one change to the working copies; returns its outcome."""
        profile = self.profiles.get(change.record_id)
        stone = self.stones.get(change.record_id)
        if stone is not None and stone.purged_at is not None:
            return self._refuse_erased(change)
        held = None if profile is None else profile.held()
        verdict = ordering.decide(held, change, self.vault.key.value_digest, stone.deleted_at if stone else None)
        self._note(change, verdict)
        if change.kind is Kind.MERGED:
            return self._take_merge(change)
        outcome = self._take_other(profile, change, verdict, stone)
        if change.kind is Kind.ABSENT and self._is_pending(change.record_id) and not verdict.refused:
            return self._settle(change.record_id, change.heard)
        if verdict.unhide and self._hidden_state(change.record_id) == MERGED:
            self.merges[change.record_id] = self.merges[change.record_id].doubt()
            self._mark(change.record_id, {"merge"})
        return outcome

    def _refuse_erased(self, change: Change) -> str:
        """Of who was erased nothing is taken up ever again, by any path; there is nothing left to read either."""
        self.settled.add(change.record_id)
        return ERASED

    def _take_other(self, profile: Profile | None, change: Change, verdict: Verdict, stone: Tombstone | None) -> str:
        if change.kind is Kind.RUNG:
            return "marked" if verdict.refetch else "unchanged"
        if profile is None:
            return self._take_first(change, verdict, stone)
        return self._take_known(profile, change, verdict)

    def _take_merge(self, change: Change) -> str:
        """Take down whom a customer was merged into; whether it really was, a direct read of it settles."""
        assert change.into is not None
        number = change.record_id
        if change.into in self.erased_kept:
            # Nothing may name the one erased any more; whether this one is gone is read.
            return INTO_ERASED
        known = self.merges.get(number)
        self.merges[number] = aliasing.hear(known, Alias(number, change.into, change.heard))
        if self.merges[number] == known:
            return "unchanged"
        gone_since = self._gone_since(number)
        return "marked" if gone_since is None else self._settle(number, gone_since)

    def _gone_since(self, number: int) -> Instant | None:
        """When a direct read began that found the customer gone; None while none did."""
        profile, stone = self.profiles.get(number), self.stones.get(number)
        return profile.confirmed if profile else stone.confirmed_at if stone else None

    def _is_pending(self, number: int) -> bool:
        return number in self.merges and self.merges[number].is_pending

    def _settle(self, number: int, gone_since: Instant) -> str:
        """The customer was told to be merged away, and it is gone: both are facts now."""
        alias = self.merges[number] = self.merges[number].settle(gone_since)
        # A merge is asked about by marking; where the answer is known already, nothing is left to ask.
        self.marks.pop(number, None)
        self.settled.add(number)
        self._mark(alias.kept_id, {"merge"})
        profile = self.profiles.get(number)
        if profile is None:
            self.stones[number] = Tombstone(alias.heard, gone_since)
        else:
            profile.deleted, profile.state, profile.changed = alias.heard, MERGED, True
            self.merged.append(profile)
            names = tuple(name for name, value in profile.own.items() if value is not None)
            reason = "merged into another customer"
            profile.log.append(LogLine(names, Path.MERGE, alias.heard, reason=reason, run_id=self.run_id))
        return "merged"

    def _mark(self, number: int, reasons: AbstractSet[str]) -> None:
        self.marks[number] = self.marks.get(number, frozenset()) | reasons
        self.settled.discard(number)

    def _note(self, change: Change, verdict: Verdict) -> None:
        if verdict.refetch:
            self._mark(change.record_id, verdict.refetch)
        elif verdict.settles:
            self.settled.add(change.record_id)

    def _take_first(self, change: Change, verdict: Verdict, stone: Tombstone | None) -> str:
        if verdict.refused:
            return f"refused: {verdict.refused}"
        if change.kind is not Kind.PRESENT:
            return self._bury(change, stone)
        profile = Profile(change.record_id, created=change.created)
        if stone is not None and verdict.hide is not None:
            profile.deleted, profile.confirmed = stone.deleted_at, stone.confirmed_at
            profile.state = self._hidden_state(change.record_id)
        self.stones.pop(change.record_id, None)
        self.profiles[change.record_id] = profile
        self._write(profile, change, verdict, first=True)
        return "created"

    def _bury(self, change: Change, stone: Tombstone | None) -> str:
        if change.kind is Kind.DELETED:
            earliest = min(stone.deleted_at, change.heard) if stone else change.heard
            deleted_at = self._deleted_at(change.record_id, earliest)
            self.stones[change.record_id] = Tombstone(deleted_at, stone.confirmed_at if stone else None)
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
            profile.state, profile.changed = self._gone_state(profile), True
            profile.deleted = self._deleted_at(change.record_id, verdict.hide)
            # A full read that still lists it must look at it again, however little the line has changed.
            profile.raw_digest = None
        if verdict.confirm and profile.confirmed is None:
            outcome = "confirmed" if outcome is None else outcome
            profile.confirmed, profile.changed = change.heard, True
        if verdict.unhide:
            outcome = "found"
            profile.deleted = profile.confirmed = None
            profile.state, profile.changed = ACTIVE, True
            self.returned.append(profile)
            if self.others is not None:
                self.others.came_back(profile)
        return outcome

    def _gone_state(self, profile: Profile) -> str:
        """One that a person restored stays so, however often Shopify says that it is gone; a new merge settles it."""
        return KEPT if profile.state == KEPT else self._hidden_state(profile.shopify_id)

    def _hidden_state(self, number: int) -> str:
        return DELETED if self._settled_merge(number) is None else MERGED

    def _deleted_at(self, number: int, told: Instant) -> Instant:
        """The merge is what deleted a merged customer, whenever its deletion was told beside it."""
        alias = self._settled_merge(number)
        return told if alias is None else alias.heard

    def _settled_merge(self, number: int) -> Alias | None:
        alias = self.merges.get(number)
        return alias if alias is not None and alias.state is AliasState.SETTLED else None

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
        if verdict.fields or first:
            self._log_write(profile, change, verdict.fields, first=first)
        if first or moved:
            # A bulk row that we now hold in full is told by its digest next time; anything else makes it unknown.
            can_be_known = change.path is Path.BULK and not change.denied and profile.deleted is None
            whole = can_be_known and _says(profile.side, change.fields)
            profile.raw_digest = change.raw_digest if whole else None
            profile.changed = True
        return bool(verdict.fields)

    def _log_write(self, profile: Profile, change: Change, fields: Mapping[str, Value], *, first: bool) -> None:
        if self.others is not None:
            self._log_heard(profile, change, self.others.hear(profile, fields, change.heard, first=first), first=first)
            return
        sorted_fields = ownership.split(fields, self.policy.owners, change.system)
        old = {} if first else {name: profile.side.get(name) for name in fields}
        profile.side.update(fields)
        profile.own.update({name: fields[name] for name in sorted_fields.accepted})
        if sorted_fields.accepted or first:
            new = {} if first else {name: fields[name] for name in sorted_fields.accepted}
            profile.log.append(self._line(change, sorted_fields.accepted, old, new))
        for owner, names in _by_owner(sorted_fields.refused, self.policy.owners).items():
            refused = {name: fields[name] for name in names}
            profile.log.append(self._line(change, names, old, refused, refused=f"owned by {owner}"))

    def _log_heard(self, profile: Profile, change: Change, heard: Heard, *, first: bool) -> None:
        """Log what became of each field where others own some of them."""
        if heard.accepted or (first and not heard.echoes):
            new = {} if first else {name: heard.new[name] for name in heard.accepted}
            profile.log.append(self._line(change, heard.accepted, heard.old, new))
        if heard.echoes:
            new = {name: heard.new[name] for name in heard.echoes}
            line = self._line(change, heard.echoes, heard.old, new)
            profile.log.append(replace(line, writer=ONEWRITER, reason="as its owner says"))
        for reason, names in heard.refused.items():
            new = {name: heard.new[name] for name in names}
            profile.log.append(self._line(change, names, heard.old, new, refused=reason))

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
            self.logged_as.get(change.record_id, change.path),
            change.version or change.heard,
            accepted=refused is None,
            reason=refused,
            run_id=self.run_id,
            cause=change.position or None,
            old=old,
            new=new,
        )


def _says(side: Mapping[str, Value], fields: Mapping[str, Value]) -> bool:
    """True if a side says all that was told; an older word of tags and consents may be left out without a refusal."""
    return all(name in side and side[name] == value for name, value in fields.items())


def _returned(profile: Profile, run_id: str | None) -> Finding:
    """A customer that was said to be deleted and is there is reported: somebody told us what is not so."""
    reason = "Shopify has the customer, although it was told or seen as deleted"
    return Finding("deletion refused", reason, profile.customer_id, run_id=run_id)


def _by_owner(names: Iterable[str], owned: Mapping[str, str]) -> dict[str, list[str]]:
    """Refused fields by who owns them; a field that nobody owns is owned by `nobody`."""
    sorted_names: dict[str, list[str]] = {}
    for name in names:
        sorted_names.setdefault(owned.get(name, "nobody"), []).append(name)
    return sorted_names
