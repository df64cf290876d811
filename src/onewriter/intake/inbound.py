"""Inbound: what owners say becomes their customers' value, and every other system that holds the field is told.

Each customer is settled anew under its lock, so that nothing is written from what was true a while ago. It never
commits.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import log, parked, pending, profiles, remote
from onewriter.customers.log import LogLine
from onewriter.customers.owned import Owned
from onewriter.customers.parked import Unplaced
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
    counts: Counter[str] = Counter()
    people = {key: one for key, one in open_locked(db, reading, ids, now).items() if one.live}
    records = remote.of_customers(db, reading.vault, reading.system, list(people))
    loaded = profiles.load(db, reading.vault, [one.shopify_id for one in people.values()])
    marks: list[tuple[str, bytes, str]] = []
    lines: list[tuple[bytes, Any, LogLine]] = []
    changed: list[Profile] = []
    saved: list[Remote] = []
    waiting = _waiting(db, reading, list(people))
    for identity, person in people.items():
        profile = loaded.get(person.shopify_id)
        one = the_one(records.get(identity, ()))
        if profile is None or one is None:
            continue
        met = Meeting(own=person.fields, told=one.fields, pending=waiting.get(identity, ()), bulk=bulk)
        settled = settling.settle(reading.policy, reading.system, met, region=reading.region)
        _park_untakable(db, reading, person, one, settled, lines, now)
        if settled.take:
            counts.update(list(settled.take))
            lines += _write(reading, profile, person, one, settled, marks, others)
            changed.append(profile)
            met = Meeting(own=person.fields, told=one.fields, pending=waiting.get(identity, ()), bulk=bulk)
            settled = settling.settle(reading.policy, reading.system, met, region=reading.region)
        keep(reading, one, person, settled, now)
        saved.append(one)
    profiles.save(db, reading.vault, changed, now)
    note_apart(db, reading.vault, reading.policy, changed, now)
    remote.save(db, reading.vault, saved, now)
    log.add(db, reading.vault.shop_id, lines, now, keep_days=reading.keep_days)
    pending.mark(db, reading.vault.shop_id, marks, now, run_id=reading.run_id)
    if changed:
        facts.take(db, reading.vault, Written(changed, (), (), ()), now, run_id=reading.run_id)
    return counts


def the_one(records: Sequence[Remote]) -> Remote | None:
    """The record that a customer has in a system; None where it has none, or several of which none can be told."""
    there = [each for each in records if each.gone is None]
    return there[0] if len(there) == 1 else None


def _waiting(db: Connection, reading: Reading, ids: Sequence[bytes]) -> dict[bytes, set[str]]:
    found: dict[bytes, set[str]] = {}
    for each in pending.of_customers(db, reading.vault.shop_id, reading.system, ids):
        # What a person proposed to the owner is not the customer's value yet.
        if each.box is None:
            found.setdefault(each.customer_id, set()).add(each.field)
    return found


def _write(
    reading: Reading,
    profile: Profile,
    person: Owned,
    one: Remote,
    settled: Settled,
    marks: list[tuple[str, bytes, str]],
    others: Sequence[str],
) -> list[tuple[bytes, Any, LogLine]]:
    """Write the owner's values to a customer, and mark whoever must be told of them."""
    old: dict[str, Value] = {name: person.fields.get(name) for name in settled.take}
    resplit(profile.own, reading.policy.namespaces)
    for fields in (profile.own, person.fields):
        fields.update(settled.take)
    profile.changed = True
    told = [name for name in others if name != reading.system]
    marks += [(name, person.id, field) for field in settled.take for name in reading.policy.told_of(field, told)]
    line = LogLine(
        tuple(settled.take), Path.CYCLE, one.changed, run_id=reading.run_id, old=old, new=dict(settled.take),
        system=reading.system, writer=reading.system, kept=True,
    )  # fmt: skip
    return [(person.id, person.key, line)]


def _park_untakable(
    db: Connection,
    reading: Reading,
    person: Owned,
    one: Remote,
    settled: Settled,
    lines: list[tuple[bytes, Any, LogLine]],
    now: Instant,
) -> None:
    """Park what the owner says and nobody can take, once for each such value."""
    for name, refusal in settled.refused.items():
        if reading.policy.owner_of(name) != reading.system:
            continue
        unplaced = Unplaced(person.id, person.key, reading.system, name, refusal.value, refusal.reason)
        if parked.park_all(db, reading.vault.shop_id, [unplaced], now, run_id=reading.run_id):
            line = LogLine(
                (name,), Path.CYCLE, one.changed, accepted=False, reason=refusal.reason, run_id=reading.run_id,
                old={name: mapping.own_value(name, person.fields)}, new={name: refusal.value},
                system=reading.system, writer=reading.system,
            )  # fmt: skip
            lines.append((person.id, person.key, line))
