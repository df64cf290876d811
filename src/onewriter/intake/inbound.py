"""Inbound: what owners say becomes their customers' value, and every other system that holds the field is told.

Each customer is settled anew under its lock, so that nothing is written from what was true a while ago. It never
commits.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from onewriter.customers import log, parked, pending, profiles, remote
from onewriter.customers.log import LogLine
from onewriter.customers.owned import Owned
from onewriter.customers.parked import Unplaced
from onewriter.customers.pending import Pending
from onewriter.customers.profiles import Profile
from onewriter.customers.remote import Remote
from onewriter.intake.others import note_apart
from onewriter.intake.reading import Reading, keep, open_locked
from onewriter.loyalty import facts
from onewriter.loyalty.facts import Written
from onewriter.records import Instant, Path, Value
from onewriter.rules import mapping, settling
from onewriter.rules.settling import Meeting, Settled
from onewriter.rules.tags import resplit


def bring_in(
    db: Connection,
    reading: Reading,
    ids: Sequence[bytes],
    others: Sequence[str],
    now: Instant,
    *,
    bulk: bool = False,
) -> Counter[str]:
    """Bring the owner's values of these customers in from one system; how many values of each field were.

    `others` are all systems of the shop, whoever must be told is told. `bulk` says that so many consents would be given
    that no person can have asked for each: then none is.
    """
    coming = _Coming(db, reading, others, now, bulk)
    coming.bring(ids)
    return coming.counts


def the_one(records: Sequence[Remote]) -> Remote | None:
    """The record that a customer has in a system; None where it has none.

    A second one is never linked while the first is there. Should two be, it is always the same of them.
    """
    return min((each for each in records if each.gone is None), key=lambda each: each.name, default=None)


@dataclass(slots=True)
class _Coming:
    """The customers of one batch while their owner's values are brought in."""

    db: Connection
    reading: Reading
    others: Sequence[str]
    now: Instant
    bulk: bool
    counts: Counter[str] = field(default_factory=Counter)
    marks: list[tuple[str, bytes, str]] = field(default_factory=list)
    written: list[tuple[Owned, LogLine]] = field(default_factory=list)
    refused: list[tuple[Unplaced, LogLine]] = field(default_factory=list)
    changed: list[Profile] = field(default_factory=list)
    saved: list[Remote] = field(default_factory=list)

    def bring(self, ids: Sequence[bytes]) -> None:
        """Bring in what these customers' records say, and write it all down."""
        db, vault, now = self.db, self.reading.vault, self.now
        people = {key: one for key, one in open_locked(db, self.reading, ids, now).items() if one.live}
        records = remote.of_customers(db, vault, self.reading.system, list(people))
        loaded = profiles.load(db, vault, [one.shopify_id for one in people.values()])
        waiting, proposals = _waiting(db, self.reading, list(people))
        undecided = parked.open_fields(db, self.reading.system, list(people), parked.IN, reason=settling.BOTH_CHANGED)
        for identity, person in people.items():
            profile, one = loaded.get(person.shopify_id), the_one(records.get(identity, ()))
            if profile is not None and one is not None:
                met = Meeting(
                    own=person.fields, told=one.fields, pending=waiting.get(identity, ()), bulk=self.bulk,
                    undecided=undecided.get(identity, ()),
                )  # fmt: skip
                self._bring_one(profile, person, one, met)
        profiles.save(db, vault, self.changed, now)
        note_apart(db, vault, self.reading.policy, self.changed, now)
        remote.save(db, vault, self.saved, now)
        taken = {(person.id, name) for person, line in self.written for name in line.fields}
        late = [each for each in proposals if (each.customer_id, each.field) in taken]
        # The owner itself has said otherwise since it was proposed: its own word is the newer one.
        pending.clear(db, vault.shop_id, self.reading.system, late)
        pending.mark(db, vault.shop_id, self.marks, now, run_id=self.reading.run_id)
        self._log()
        if self.changed:
            facts.take(db, vault, Written(self.changed, (), (), ()), now, run_id=self.reading.run_id)

    def _bring_one(self, profile: Profile, person: Owned, one: Remote, met: Meeting) -> None:
        settled = settling.settle(self.reading.policy, self.reading.system, met, region=self.reading.region)
        self._refuse(person, one, settled)
        if settled.take:
            self._write(profile, person, one, settled)
            settled = settling.settle(self.reading.policy, self.reading.system, met, region=self.reading.region)
        before = (one.unclean, one.digests)
        keep(self.reading, one, person, settled, self.now)
        # Where nothing came in, what is not in step may be so for years, and is not sealed anew in each cycle.
        if (one.unclean, one.digests) != before:
            self.saved.append(one)

    def _write(self, profile: Profile, person: Owned, one: Remote, settled: Settled) -> None:
        """Write the owner's values to a customer, and mark whoever must be told of them."""
        policy, system = self.reading.policy, self.reading.system
        old: dict[str, Value] = {name: person.fields.get(name) for name in settled.take}
        resplit(profile.own, policy.namespaces)
        for fields in (profile.own, person.fields):
            fields.update(settled.take)
        profile.changed = True
        self.changed.append(profile)
        self.counts.update(list(settled.take))
        told = [name for name in self.others if name != system]
        self.marks += [(name, person.id, each) for each in settled.take for name in policy.told_of(each, told)]
        self.written.append((person, self._line(one, old, settled.take, None)))

    def _refuse(self, person: Owned, one: Remote, settled: Settled) -> None:
        """Park what the owner says and nobody can take."""
        for name, refusal in settled.refused.items():
            if self.reading.policy.owner_of(name) == self.reading.system:
                unplaced = Unplaced(person.id, person.key, self.reading.system, name, refusal.value, refusal.reason)
                old = {name: mapping.own_value(name, person.fields)}
                self.refused.append((unplaced, self._line(one, old, {name: refusal.value}, refusal.reason)))

    def _line(self, one: Remote, old: Mapping[str, Value], new: Mapping[str, Value], refused: str | None) -> LogLine:
        system = self.reading.system
        return LogLine(
            tuple(new), Path.CYCLE, one.changed, accepted=refused is None, reason=refused, run_id=self.reading.run_id,
            old=old, new=dict(new), system=system, writer=system, kept=refused is None,
        )  # fmt: skip

    def _log(self) -> None:
        """Write the lines: of what was refused, only what was not refused just so before."""
        shop, run_id = self.reading.vault.shop_id, self.reading.run_id
        news = parked.park_all(self.db, shop, [each for each, _line in self.refused], self.now, run_id=run_id)
        fresh = {id(each) for each in news}
        lines = [(person.id, person.key, line) for person, line in self.written]
        lines += [(each.customer_id, each.key, line) for each, line in self.refused if id(each) in fresh]
        log.add(self.db, shop, lines, self.now, keep_days=self.reading.keep_days)


def _waiting(db: Connection, reading: Reading, ids: Sequence[bytes]) -> tuple[dict[bytes, set[str]], list[Pending]]:
    """The fields that the system is still to be told of, and what people proposed to it, which nobody has taken yet."""
    found: dict[bytes, set[str]] = {}
    proposals = []
    for each in pending.of_customers(db, reading.vault.shop_id, reading.system, ids):
        if each.box is None:
            found.setdefault(each.customer_id, set()).add(each.field)
        else:
            proposals.append(each)
    return found, proposals
