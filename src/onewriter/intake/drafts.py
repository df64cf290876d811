"""Drafts: what is to be written to one record, made from its marks and the owner's values of this moment."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from onewriter.connectors.interface import FieldPatch
from onewriter.customers import optouts, pending
from onewriter.customers.owned import Owned
from onewriter.customers.parked import Unplaced
from onewriter.customers.pending import ALL, Pending
from onewriter.customers.remote import Remote
from onewriter.intake.reading import Reading
from onewriter.records import Value
from onewriter.rules import mapping
from onewriter.rules.mapping import Unfit
from onewriter.rules.policy import CONSENTS, FieldMap


@dataclass(slots=True)
class Draft:
    """One write to come, and what came of the marks that need none."""

    person: Owned
    record: Remote | None
    """None makes a new record."""
    patch: FieldPatch
    marks: list[Pending] = field(default_factory=list)
    """The marks that the write is for."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Field: what the system shall hold."""
    values: dict[str, Value] = field(default_factory=dict)
    """Field: the value that this stands for, the owner's or a proposal."""
    cleared: list[Pending] = field(default_factory=list)
    """Marks of what is in step already, or cannot be sent."""
    unplaced: list[Unplaced] = field(default_factory=list)
    """Values that the system cannot hold."""

    @property
    def has_proposal(self) -> bool:
        """True if it writes what a person proposed to the owner."""
        return any(each.box is not None for each in self.marks)

    @property
    def expected(self) -> dict[str, bytes]:
        """Field: the digest of what will be read back."""
        return {name: self.person.key.digest(value) for name, value in self.fields.items()}


def draft(
    reading: Reading,
    person: Owned,
    record: Remote | None,
    marks: Sequence[Pending],
    parked: Collection[str] = (),
    seeds: Collection[str] = (),
) -> Draft:
    """What to write to a record so that what is marked is as its owner says; `parked` fields are not tried unasked.

    A record that is to be made begins with the values that its customer has in fields of the system's own (`seeds`,
    those that can be written): born empty, it would empty them.
    """
    policy, system = reading.policy, reading.system
    maps = policy.maps(system)
    made = Draft(person, record, FieldPatch(key=None if record is None else record.id))
    wanted = _wanted(reading, person, record, marks, parked, seeds)
    asked = {name for name, _value, mark in wanted if mark is not None}
    whole = [each for each in marks if each.field not in asked]
    told: dict[str, Any] = {} if record is None else dict(record.fields)
    for name, value, mark in wanted:
        each = maps[name]
        desired = mapping.outward(name, each, value, held=told.get(each.remote), namespaces=policy.namespaces)
        if isinstance(desired, Unfit):
            made.unplaced.append(Unplaced(person.id, person.key, system, name, value, desired.reason, "out"))
        elif record is not None and mark is None and _is_opted_out(reading, name, each, record):
            # Nobody asked for this field: an opt-out that stands there is not written over by what is sent beside it.
            continue
        elif record is not None and _is_level(reading, name, each, value, record):
            made.cleared += [mark] if mark is not None else []
            continue
        elif not (desired is None and (record is None or name in CONSENTS)):
            # What was never said is not written over what stands there, since a consent is never emptied.
            made.fields[name] = told[each.remote] = desired
            made.values[name] = value
            made.marks += [mark] if mark is not None and mark not in made.marks else []
            continue
        made.cleared += [mark] if mark is not None else []
    # Several fields may stand in one column, which is written as a whole.
    made.fields = {name: told[maps[name].remote] for name in made.fields}
    (made.marks if made.fields else made.cleared).extend(whole)
    made.patch = _patch(reading, made)
    return made


def _wanted(
    reading: Reading,
    person: Owned,
    record: Remote | None,
    marks: Sequence[Pending],
    parked: Collection[str],
    seeds: Collection[str],
) -> list[tuple[str, Value, Pending | None]]:
    """Which fields to send, with the value of each and the mark that asks for it."""
    policy, system = reading.policy, reading.system
    out = policy.goes_out(system)
    by_field = {each.field: each for each in marks if each.field != ALL}
    found: list[tuple[str, Value, Pending | None]] = []
    for name, mark in by_field.items():
        # What the system is not told of any more is asked for in vain, unless a person proposes it to its owner.
        value = _value(reading, person, mark)
        if name in out or (is_proposal(reading, mark) and not _is_too_late(reading, person, name, value)):
            found.append((name, value, mark))
    if record is None or len(by_field) < len(marks):
        every = out | set(seeds) if record is None else out
        rest = sorted(every - by_field.keys() - set(parked))
        found += [(name, mapping.own_value(name, person.fields), None) for name in rest]
    return found


def is_proposal(reading: Reading, mark: Pending) -> bool:
    """True for a value that a person proposes to the system which owns its field, still."""
    owner = reading.policy.owner_of(mark.field)
    return mark.box is not None and owner == reading.system and mark.field in reading.policy.maps(reading.system)


def _is_too_late(reading: Reading, person: Owned, name: str, value: Value) -> bool:
    """Whether it proposes an opt-out to somebody who has opted in again since."""
    if name not in CONSENTS or not isinstance(value, dict) or value["state"] != "unsubscribed":
        return False
    return not optouts.counts(person.fields.get(name), value, reading.began)


def _value(reading: Reading, person: Owned, mark: Pending) -> Value:
    """The owner's present value, or the one that a person proposes to the owner."""
    if mark.box is None or not is_proposal(reading, mark):
        return mapping.own_value(mark.field, person.fields)
    bound = pending.binding(reading.vault.shop_id, reading.system, person.id, mark.field)
    return person.key.open_fields(mark.box, bound).get(mark.field)


def _is_level(reading: Reading, name: str, each: FieldMap, value: Value, record: Remote) -> bool:
    if each.remote not in record.fields:
        return False
    there = record.fields[each.remote]
    namespaces = reading.policy.namespaces
    return mapping.in_step(name, each, value, there, region=reading.region, namespaces=namespaces)


def _is_opted_out(reading: Reading, name: str, each: FieldMap, record: Remote) -> bool:
    if name not in CONSENTS or each.remote not in record.fields:
        return False
    there = mapping.inward(name, each, record.fields[each.remote], region=reading.region)
    return isinstance(there, dict) and there["state"] == "unsubscribed"


def _patch(reading: Reading, made: Draft) -> FieldPatch:
    maps: Mapping[str, FieldMap] = reading.policy.maps(reading.system)
    remote = {maps[name].remote: value for name, value in made.fields.items()}
    named = f"{reading.vault.shop_id}|{reading.system}|{made.person.id.hex()}"
    return FieldPatch(
        key=None if made.record is None else made.record.id,
        set={name: value for name, value in remote.items() if value is not None},
        clear=tuple(name for name, value in remote.items() if value is None),
        if_version=None if made.record is None else made.record.version,
        # The same for every try to make the record of this customer there, and of no use to tell who it is.
        idempotency_key=reading.vault.key.token("made", named).hex() if made.record is None else None,
    )
