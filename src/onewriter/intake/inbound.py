"""Inbound: what owners say becomes their customers' value, and every other system that holds the field is told.

Each customer is settled anew under its lock, so that nothing is written from what was true a while ago. It never
commits.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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
from onewriter.intake.reading import Reading, decided, keep, open_locked
from onewriter.loyalty import facts
from onewriter.loyalty.facts import Written
from onewriter.records import Instant, Value
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
    over: list[tuple[bytes, str, str, str]] = field(default_factory=list)
    """(customer, system, field, direction) of what is parked and settled by itself now."""

    def bring(self, ids: Sequence[bytes]) -> None:
        """Bring in what these customers' records say, and write it all down."""
        db, vault, now = self.db, self.reading.vault, self.now
        people = {key: one for key, one in open_locked(db, self.reading, ids, now).items() if one.live}
        records = remote.of_customers(db, vault, self.reading.system, list(people))
        loaded = profiles.load(db, vault, [one.shopify_id for one in people.values()])
        standing = Standing.look(db, self.reading, list(people), now)
        for identity, person in people.items():
            profile, one = loaded.get(person.shopify_id), the_one(records.get(identity, ()))
            if profile is not None and one is not None:
                self._bring_one(profile, person, one, standing.meeting(person, one, bulk=self.bulk))
        profiles.save(db, vault, self.changed, now)
        note_apart(db, vault, self.reading.policy, self.changed, now)
        remote.save(db, vault, self.saved, now)
        taken = {(person.id, name) for person, line in self.written for name in line.fields}
        late = [each for each in standing.proposals if (each.customer_id, each.field) in taken]
        # The owner itself has said otherwise since it was proposed: its own word is the newer one.
        pending.clear(db, vault.shop_id, self.reading.system, late)
        pending.mark(db, vault.shop_id, self.marks, now, run_id=self.reading.run_id)
        self._log()
        parked.settle(db, self.over, now)
        parked.agree(db, vault, [(one.id, one.key, one.fields) for one, _line in self.written], now)
        if self.changed:
            facts.take(db, vault, Written(self.changed, (), (), ()), now, run_id=self.reading.run_id)

    def _bring_one(self, profile: Profile, person: Owned, one: Remote, met: Meeting) -> None:
        settled = settling.settle(self.reading.policy, self.reading.system, met, region=self.reading.region)
        self._refuse(person, one, settled)
        if settled.take:
            self._write(profile, person, one, settled)
            settled = settling.settle(self.reading.policy, self.reading.system, met, region=self.reading.region)
            self.over += decided(self.reading, person.id, settled)
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
            tuple(new), self.reading.path, one.changed, accepted=refused is None, reason=refused,
            run_id=self.reading.run_id, old=old, new=dict(new), system=system, writer=system, kept=refused is None,
        )  # fmt: skip

    def _log(self) -> None:
        """Write the lines: of what was refused, only what was not refused just so before."""
        shop, run_id = self.reading.vault.shop_id, self.reading.run_id
        news = parked.park_all(self.db, shop, [each for each, _line in self.refused], self.now, run_id=run_id)
        fresh = {id(each) for each in news}
        lines = [(person.id, person.key, line) for person, line in self.written]
        lines += [(each.customer_id, each.key, line) for each, line in self.refused if id(each) in fresh]
        log.add(self.db, shop, lines, self.now, keep_days=self.reading.keep_days)


@dataclass(frozen=True, slots=True)
class Standing:
    """How some customers stand to a system, whose records are settled once more though nobody has just read them."""

    now: Instant
    waiting: Mapping[bytes, Collection[str]]
    """The fields that the system is still to be told of."""
    undecided: Mapping[bytes, Collection[str]]
    """The fields in which neither side is to follow the other: a person decides, or the system cannot hold ours."""
    proposals: Sequence[Pending]
    """What people proposed to the system, which nobody has taken yet."""

    @classmethod
    def look(cls, db: Connection, reading: Reading, ids: Sequence[bytes], now: Instant) -> "Standing":
        """How these customers stand."""
        waiting: dict[bytes, set[str]] = {}
        proposals = []
        for each in pending.of_customers(db, reading.vault.shop_id, reading.system, ids):
            if each.box is None:
                waiting.setdefault(each.customer_id, set()).add(each.field)
            else:
                proposals.append(each)
        undecided = parked.open_fields(db, reading.system, ids, parked.IN, reason=settling.BOTH_CHANGED)
        # What stands there instead of a value that the system cannot hold was made of it or is older, and cannot win.
        for identity, names in parked.open_fields(db, reading.system, ids, parked.OUT).items():
            undecided.setdefault(identity, set()).update(names)
        return cls(now, waiting, undecided, proposals)

    def meeting(self, person: Owned, one: Remote, *, bulk: bool = False) -> Meeting:
        """One of these customers and its record."""
        pending_now, undecided = self.waiting.get(person.id, ()), self.undecided.get(person.id, ())
        return Meeting(
            own=person.fields, told=one.fields, now=self.now, pending=pending_now, undecided=undecided, bulk=bulk
        )
