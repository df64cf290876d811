"""Taking in what a connected system says of its records: the one door for it, as `apply` is for Shopify's.

What a record says becomes its side, always, true or not, allowed or not. What the system changed by itself in fields of
others is refused here, written down and parked. The owner's values are not touched yet: that is `inbound`'s, once the
whole reading is known not to change too much. It never commits: the caller's transaction holds a batch or nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy import Connection

from onewriter.connectors.interface import Deleted, Record
from onewriter.customers import (
    deciding,
    erasing,
    expected,
    links,
    log,
    matching,
    optouts,
    parked,
    pending,
    proposals,
    remote,
    strangers,
    tombstones,
)
from onewriter.customers.log import LogLine
from onewriter.customers.owned import Owned
from onewriter.customers.parked import Unplaced
from onewriter.customers.pending import Pending
from onewriter.customers.remote import Glance, Remote
from onewriter.intake import heardback
from onewriter.intake.reading import Reading, decided, keep, open_locked, owns
from onewriter.records import Instant, Path, Value
from onewriter.rules import mapping, settling
from onewriter.rules.policy import CONSENTS, MANUAL, Direction
from onewriter.rules.settling import BOTH_CHANGED, Meeting, Settled
from onewriter.rules.tags import is_tags
from onewriter.vault.seal import SubjectKey
from onewriter.vault.vault import ShopVault

_encode = msgspec.msgpack.Encoder(order="sorted", enc_hook=str).encode


@dataclass(slots=True)
class Taken:
    """What a batch came to."""

    counts: Counter[str] = field(default_factory=Counter)


def take(
    db: Connection, reading: Reading, told: Sequence[Record | Deleted], now: Instant, *, anew: bool = False
) -> Taken:
    """Take in records and deletions of one system, and say how many of each outcome there were.

    With `anew`, a record of nobody's is matched again though it says what it said before.
    Outcomes: unchanged, changed, new, linked, review, unlinked, gone, refused (fields of others that were changed).
    """
    taken = Taken()
    vault, system = reading.vault, reading.system
    named = {vault.key.record_name(system, each.id): each for each in told}
    known = remote.glance(db, vault.shop_id, system, list(named))
    gone = [name for name, each in named.items() if isinstance(each, Deleted) and name in known]
    records = {name: each for name, each in named.items() if isinstance(each, Record)}
    digests = {name: raw_digest(vault, each) for name, each in records.items()}
    fresh = {name: each for name, each in records.items() if not _is_same(known.get(name), digests[name], anew)}
    taken.counts["unchanged"] = len(records) - len(fresh)
    if fresh:
        stones = tombstones.purged_at(db, vault.shop_id, [bytes.fromhex(name) for name in fresh.keys() - known.keys()])
        erased = frozenset(each.hex() for each in stones)
        _Fresh(db, reading, fresh, known, digests, erased, now, taken).take()
    if gone:
        take_gone(db, reading, gone, now, taken)
    return taken


def apart(told: Sequence[Record | Deleted]) -> list[list[Record | Deleted]]:
    """The records and the deletions, each for a transaction of its own: each locks its customers once, in order."""
    kinds = (Record, Deleted)
    return [some for kind in kinds if (some := [each for each in told if isinstance(each, kind)])]


def raw_digest(vault: ShopVault, record: Record) -> bytes:
    """The digest by which a record that says the same again is told without opening what we hold of it."""
    return vault.key.raw_digest(_encode(dict(record.fields)))


def _is_same(known: Glance | None, digest: bytes, anew: bool) -> bool:
    if known is None or known.gone or (anew and known.customer_id is None):
        return False
    return known.raw_digest == digest


@dataclass(slots=True)
class _Fresh:
    """Records that say something new, on their way into the sides."""

    db: Connection
    reading: Reading
    records: Mapping[str, Record]
    known: Mapping[str, Glance]
    digests: Mapping[str, bytes]
    erased: frozenset[str]
    """Records of customers who were erased."""
    now: Instant
    taken: Taken
    lines: list[tuple[bytes, SubjectKey, LogLine]] = field(default_factory=list)
    marks: list[tuple[str, bytes, str]] = field(default_factory=list)
    unplaced: list[Unplaced] = field(default_factory=list)
    over: list[tuple[bytes, str, str, str]] = field(default_factory=list)
    """(customer, system, field, direction) of what is parked and settled by itself now."""
    beaten: list[Pending] = field(default_factory=list)
    """What the system was to be told, and has just written itself, as one of several who may."""

    def take(self) -> None:
        """Find out whose each is, have its side say what it says, and settle it with its customer."""
        db, reading, now = self.db, self.reading, self.now
        vault, system, policy = reading.vault, reading.system, reading.policy
        linked = {
            name: it.customer_id for name in self.records if (it := self.known.get(name)) and it.customer_id is not None
        }
        newcomers = [stranger(reading, name, each) for name, each in self.records.items() if name not in linked]
        found = matching.find(db, vault, policy, system, newcomers, began=reading.began) if newcomers else {}
        self._leave_erased(found)
        names = list(self.records)
        ids = {*linked.values(), *(each.customer_id for each in found.values() if isinstance(each, links.Linked))}
        early = [each for each in found.values() if isinstance(each, links.Review) and each.unlinks]
        people = open_locked(db, reading, {*ids, *(one for each in early for one in each.customer_ids)}, now)
        owners = deciding.link_found(db, vault, system, found, policy.version, reading.by, now)
        self.taken.counts.update({"review": len(early), "linked": -len(early)} if early else {})
        remotes = _working_copies(db, reading, self.records, people, {**linked, **owners}, now)
        echoes = expected.of_records(db, vault.shop_id, system, names)
        just = heardback.just_written(db, reading, list(echoes))
        waiting = _waiting(db, reading, ids)
        for name, one in remotes.items():
            before = dict(one.fields) if name in linked else _never_told(reading, self.records[name])
            _hear(reading, one, self.records[name], self.digests[name], now)
            self.taken.counts[_outcome(name, self.known, found)] += 1
            customer = people.get(one.customer_id) if one.customer_id is not None else None
            if customer is not None and customer.live:
                written = echoes.get(name, {})
                heard = heardback.echoes(reading, customer, one, written)
                unmet = heardback.unmet(reading, customer, one, written, just.get(name, ()), heard)
                met = Meeting(
                    own=customer.fields, told=one.fields, now=now, before=before, echoes=heard, unmet=unmet,
                    pending=waiting.get(customer.id, {}), first=name not in linked,
                )  # fmt: skip
                self._settle(one, customer, met, written, waiting.get(customer.id, {}))
            elif one.customer_id is not None:
                # Whoever is hidden now may come back, and then the record is to be looked at as if it were new.
                one.raw_digest = None
        strangers.index(db, vault, policy, remotes.values(), now)
        remote.save(db, vault, remotes.values(), now)
        expected.drop(db, vault.shop_id, system, list(echoes))
        parked.settle(db, self.over, now)
        parked.park_all(db, vault.shop_id, self.unplaced, now, run_id=reading.run_id)
        pending.clear(db, vault.shop_id, system, self.beaten)
        pending.mark(db, vault.shop_id, self.marks, now, run_id=reading.run_id)
        log.add(db, vault.shop_id, self.lines, now, keep_days=reading.keep_days)

    def _leave_erased(self, found: dict[str, links.Found]) -> None:
        """Take nothing up of who was erased; but a record that is somebody's who is here now is that customer's."""
        tombstones.remove(
            self.db, self.reading.vault.shop_id,
            [bytes.fromhex(name) for name in self.erased if isinstance(found.get(name), links.Linked)],
        )  # fmt: skip
        left = {name for name in self.erased if not isinstance(found.get(name), links.Linked)}
        self.taken.counts["erased"] += len(left)
        for name in left:
            found.pop(name, None)
        self.records = {name: each for name, each in self.records.items() if name not in left}

    def _settle(
        self,
        one: Remote,
        customer: Owned,
        met: Meeting,
        echoes: Mapping[str, bytes],
        waiting: Mapping[str, Pending],
    ) -> None:
        reading = self.reading
        settled = settling.settle(reading.policy, reading.system, met, region=reading.region)
        keep(reading, one, customer, settled, self.now)
        # Where neither of two wins, neither is to overwrite the other.
        undecided = {name for name, each in settled.refused.items() if each.reason == BOTH_CHANGED} - settled.send
        self.beaten += [
            mark for name, mark in waiting.items() if name in {*settled.take, *settled.opted_out, *undecided}
        ]
        self._tell_owners(customer, settled.opted_out)
        told = settled.send
        if met.before is not None:
            told = settled.send & settled.refused.keys()
            self._refuse(one, customer, met.before, settled)
            self.lines += heardback.lines(reading, customer, met.before, one, echoes, settled)
            # What it says by itself now stands for what it could not be told.
            self.over += [(customer.id, reading.system, name, parked.OUT) for name in settled.level | settled.edited]
            self.over += decided(reading, customer.id, settled)
        if not reading.is_file:
            self.marks += [(reading.system, customer.id, name) for name in told]

    def _tell_owners(self, customer: Owned, opted_out: Mapping[str, Any]) -> None:
        """Propose an opt-out to the owner of the consent, and have everybody else be told of it.

        It has the time at which it was heard of, if no other.
        """
        vault, policy, system, now = self.reading.vault, self.reading.policy, self.reading.system, self.now
        for name, value in opted_out.items():
            dated = value if value["at"] is not None else {**value, "at": now}
            owner = policy.owner_of(name)
            if owner is None or owner == MANUAL:
                self.unplaced.append(Unplaced(customer.id, customer.key, system, name, dated, optouts.NOBODY_TOLD))
            else:
                place = (owner, customer.id, customer.key, name)
                proposals.propose(self.db, vault.shop_id, *place, dated, system, now)
            others = [each for each in policy.systems if each not in (system, owner)]
            self.marks += [(each, customer.id, name) for each in policy.told_of(name, others)]

    def _refuse(self, one: Remote, customer: Owned, before: Mapping[str, Any], settled: Settled) -> None:
        """Write down what a system changed that it may not write, and park the values."""
        system, maps = self.reading.system, self.reading.policy.maps(self.reading.system)
        self.taken.counts["refused"] += len(settled.refused)
        for name, refusal in settled.refused.items():
            unplaced = Unplaced(customer.id, customer.key, system, name, refusal.value, refusal.reason)
            self.unplaced.append(replace(unplaced, before=self._tags_before(name, before)))
            line = LogLine(
                (name,), self.reading.path, one.changed, accepted=False, reason=refusal.reason,
                run_id=self.reading.run_id, old={name: before.get(maps[name].remote)}, new={name: refusal.value},
                system=system, writer=system,
            )  # fmt: skip
            self.lines.append((customer.id, customer.key, line))

    def _tags_before(self, name: str, before: Mapping[str, Any]) -> Value:
        """The tags of a field that the record had before; None of every other field."""
        if not is_tags(name):
            return None
        policy = self.reading.policy
        each = policy.maps(self.reading.system)[name]
        held = before.get(each.remote)
        told = mapping.inward(name, each, held, region=self.reading.region, namespaces=policy.namespaces)
        return None if isinstance(told, mapping.Unfit) else told


def _never_told(reading: Reading, record: Record) -> dict[str, Any] | None:
    """What a record said before it was ours: nothing is known of a system's, and all of a file's is news."""
    return dict.fromkeys(record.fields) if reading.is_file else None


def _working_copies(
    db: Connection,
    reading: Reading,
    fresh: Mapping[str, Record],
    people: Mapping[bytes, Owned],
    owners: Mapping[str, bytes],
    now: Instant,
) -> dict[str, Remote]:
    """The sides of these records, new ones among them, each with the key that seals it from now on."""
    vault = reading.vault
    keys = {each.id: each.key for each in people.values()}
    remotes = remote.load(db, vault, reading.system, list(fresh), keys)
    new = {name: Remote(reading.system, name, each.id) for name, each in fresh.items() if name not in remotes}
    alone = []
    for name, one in new.items():
        customer = people.get(owners[name]) if name in owners else None
        if customer is None:
            alone.append(one)
        else:
            one.customer_id, one.key_id, one.key = customer.id, customer.id, customer.key
    for one, (identity, key) in zip(alone, vault.keys.make_subject_keys(vault.shop_id, len(alone), now), strict=True):
        one.key_id, one.key = identity, key
    return remotes | new


def stranger(reading: Reading, name: str, record: Record) -> matching.Stranger:
    """What a record tells of who it is, by our names of the fields."""
    maps = reading.policy.maps(reading.system)
    told = {field: record.fields[each.remote] for field, each in maps.items() if each.remote in record.fields}
    return matching.Stranger(name, record.id, told, record.created)


def _waiting(db: Connection, reading: Reading, ids: Iterable[bytes]) -> dict[bytes, dict[str, Pending]]:
    """The fields that the system is still to be told of; they matter only where several may write one, and of
    consents, which anybody may take back."""
    maps = reading.policy.maps(reading.system)
    if maps.keys().isdisjoint(CONSENTS) and all(each.direction is not Direction.BOTH for each in maps.values()):
        return {}
    found: dict[bytes, dict[str, Pending]] = {}
    for each in pending.of_customers(db, reading.vault.shop_id, reading.system, list(ids)):
        # What a person proposed to the owner is not the customer's value yet.
        if each.box is None:
            found.setdefault(each.customer_id, {})[each.field] = each
    return found


def _hear(reading: Reading, one: Remote, record: Record, digest: bytes, now: Instant) -> None:
    """Have the side say what the record says; what it did not tell stays."""
    one.fields.update(record.fields)
    one.raw_digest, one.version, one.changed = digest, record.version, record.changed or one.changed
    one.created = record.created or one.created
    one.heard, one.path, one.read_began, one.gone = now, reading.path, reading.began, None


def _outcome(name: str, known: Mapping[str, Glance], found: Mapping[str, links.Found]) -> str:
    if name not in found:
        return "changed"
    if isinstance(found[name], links.Linked):
        return "linked"
    if isinstance(found[name], links.Review):
        return "review"
    return "unlinked" if name in known else "new"


def take_gone(db: Connection, reading: Reading, names: Sequence[str], now: Instant, taken: Taken) -> None:
    """Take down that the system has these records no more: what they said is forgotten, and their links say so."""
    vault, system = reading.vault, reading.system
    held = remote.load(db, vault, system, names)
    ids = [each.customer_id for each in held.values() if each.customer_id is not None]
    people = open_locked(db, reading, ids, now)
    links.gone(db, vault.shop_id, system, list(held), now)
    remote.remove(db, vault.shop_id, system, list(held))
    ended: list[bytes] = []
    lines: list[tuple[bytes, SubjectKey, LogLine]] = []
    for each in held.values():
        if each.customer_id is None:
            ended.append(each.key_id)
        elif each.customer_id in people:
            fields = tuple(sorted(owns(reading.policy, system)))
            line = LogLine(
                fields, Path.CYCLE, now, reason="the record was deleted there", run_id=reading.run_id, system=system,
                writer=system,
            )  # fmt: skip
            lines.append((each.customer_id, people[each.customer_id].key, line))
    log.add(db, vault.shop_id, lines, now, keep_days=reading.keep_days)
    # Destroyed by `erasing.end`, after the commit.
    erasing.end_keys(db, vault.shop_id, ended, now)
    taken.counts["gone"] += len(held)
