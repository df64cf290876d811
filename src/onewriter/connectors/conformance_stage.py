"""What the checks of the conformance suite stand on: a system that is open, records of their own, and readings."""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self

from onewriter.connectors.conformance_hearing import Heard, listening
from onewriter.connectors.interface import (
    Ambiguous,
    Applied,
    Connector,
    Deleted,
    Discovery,
    FieldPatch,
    Kind,
    Outcome,
    Problem,
    Record,
    Rejected,
    RemoteField,
    RemoteValue,
    State,
    Unchanged,
    Wanted,
)
from onewriter.connectors.workbench import Ground, NotApplicable, Workbench

CANARY = "kanarie"
"""What the values of the suite begin with; no message may hold it."""
NOBODY = "no_such_field"


class Failed(Exception):
    """The connector does not do what it must."""


def must(holds: object, otherwise: str) -> None:
    """Raise Failed with that sentence unless it holds."""
    if not holds:
        raise Failed(otherwise)


@dataclass(slots=True)
class Reading:
    """All that one reading brought."""

    records: dict[str, list[Record]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    state: State | None = None
    ended_with_state: bool = False

    def last(self, record_id: str) -> Mapping[str, RemoteValue]:
        """The fields of a record as they were told last; raises Failed for one that did not come."""
        must(record_id in self.records, "a record that must come did not")
        return self.records[record_id][-1].fields


class Stage:
    """A system that is open, and what was said in it."""

    def __init__(self, kind: Kind, configuration: Mapping[str, Any], workbench: Workbench) -> None:
        self.kind = kind
        self.configuration = configuration
        self.workbench = workbench
        self.texts: list[str] = []
        """Every message and reason that the connector gave, and whatever else it said."""
        self.there: dict[str, None] = {}
        """The records that were made and not removed, in the order in which they were made."""
        self._numbers = count(secrets.randbelow(10**8) * 1000)

    def __enter__(self) -> Self:
        with self.opened(Wanted(read=())) as plain:
            self.discovery: Discovery = plain.discover()
        self.ground: Ground = self.workbench.ground(self.discovery)
        self.connector: Connector = Heard(self.kind.open(self.configuration, self.wanted()), self.texts)
        return self

    def __exit__(self, *_error: object) -> None:
        self.connector.close()

    def wanted(self, *more: str) -> Wanted:
        """The ground's fields, and more."""
        return Wanted(read=(*self.ground.all, *more), write=(*self.ground.all, *more))

    @contextmanager
    def opened(self, wanted: Wanted, configuration: Mapping[str, Any] | None = None) -> Iterator[Connector]:
        """Another connector to the same system, or to one that is configured otherwise."""
        with listening(self.texts):
            real = self.kind.open(self.configuration if configuration is None else configuration, wanted)
        connector = Heard(real, self.texts)
        try:
            yield connector
        finally:
            connector.close()

    # ---- Fields and values ------------------------------------------------------------------------------------------

    @property
    def first(self) -> str:
        """The text field that most checks write."""
        return self._text(0)

    @property
    def second(self) -> str:
        """The text field that they leave alone."""
        return self._text(1)

    def _text(self, place: int) -> str:
        if len(self.ground.texts) <= place:
            raise NotApplicable("the system has not two text fields that can be written and emptied")
        return self.ground.texts[place]

    def named(self, purpose: str) -> str:
        """The field of the ground for a purpose: lookup, typed, limited or words."""
        name: str | None = getattr(self.ground, purpose)
        if name is None:
            raise NotApplicable(f"the system has no field of this sort ({purpose})")
        return name

    def value(self, name: str) -> RemoteValue:
        """A value that was not used yet."""
        return self.workbench.value(name, next(self._numbers))

    def values(self) -> dict[str, RemoteValue]:
        """The values of a new record."""
        names = [*self.ground.texts, *([self.ground.lookup] if self.ground.lookup else [])]
        return {**self.workbench.required(next(self._numbers)), **{name: self.value(name) for name in names}}

    # ---- Records ----------------------------------------------------------------------------------------------------

    def put(self, values: Mapping[str, RemoteValue] | None = None) -> str:
        """Make a record for a check, behind the connector's back where the workbench can, and return its id."""
        filled = self.values() if values is None else values
        try:
            return self.inserted(filled)
        except NotApplicable:
            outcome = self.made(filled)
            must(isinstance(outcome, Applied), f"a new record was not applied but {_word(outcome)}")
            assert isinstance(outcome, Applied)
            return outcome.id

    def inserted(self, values: Mapping[str, RemoteValue]) -> str:
        """Make a record behind the connector's back."""
        record_id = self.workbench.insert(values)
        self.there[record_id] = None
        return record_id

    def remove(self, record_id: str) -> None:
        """Delete a record behind the connector's back."""
        self.workbench.remove(record_id)
        self.there.pop(record_id, None)

    def archive(self, record_id: str) -> None:
        """Hide a record behind the connector's back."""
        self.workbench.archive(record_id)
        self.there.pop(record_id, None)

    def made(self, values: Mapping[str, RemoteValue], idempotency_key: str | None = None) -> Outcome:
        """Make a record through the connector."""
        if not self.discovery.capabilities.creates:
            raise NotApplicable("the connector makes no records, and the workbench neither")
        key = idempotency_key or secrets.token_hex(16)
        outcome = self.write(FieldPatch(key=None, set={**self._needed(), **values}, idempotency_key=key))[0]
        if isinstance(outcome, Applied):
            self.there[outcome.id] = None
        return outcome

    def _needed(self) -> dict[str, RemoteValue]:
        """What a new record seems to need, where no workbench of the tester's says it."""
        if type(self.workbench) is not Workbench:
            return {}
        needed = [each for each in self.discovery.fields if each.writable and not each.clearable]
        return {each.name: _anything(each, next(self._numbers)) for each in needed}

    def held(self, record_id: str) -> Mapping[str, RemoteValue]:
        """What the system really holds, or else what a connector that was just opened reads."""
        try:
            return self.workbench.held(record_id)
        except NotApplicable:
            with self.opened(self.wanted()) as fresh:
                found = list(fresh.read_keys([record_id]))
            must(len(found) == 1, "a record cannot be read by its id")
            return found[0].fields

    def write(self, *patches: FieldPatch, connector: Connector | None = None) -> Sequence[Outcome]:
        """Write, with one outcome each."""
        outcomes = (connector or self.connector).write(patches)
        must(len(outcomes) == len(patches), "a write must give one outcome for each patch")
        return outcomes

    def set(self, record_id: str, **values: RemoteValue) -> Outcome:
        """Set fields of one record."""
        return self.write(FieldPatch(key=record_id, set=values))[0]

    def applied(self, outcome: Outcome) -> Applied | Unchanged:
        """The outcome, which must be that the system holds what was written."""
        must(isinstance(outcome, Applied | Unchanged), f"a patch that is well was not applied but {_word(outcome)}")
        assert isinstance(outcome, Applied | Unchanged)
        told = outcome.fields if isinstance(outcome, Applied) else None
        if told:
            held = self.held(outcome.id)
            same = all((told[name] or None) == (held[name] or None) for name in self.ground.texts if name in told)
            must(same, "what a write tells that the record holds now is not what it holds")
        return outcome

    def rejected(self, outcome: Outcome) -> Rejected:
        """The outcome, which must be a refusal of the item."""
        must(isinstance(outcome, Rejected), f"a patch that cannot be well was not rejected but {_word(outcome)}")
        assert isinstance(outcome, Rejected)
        return outcome

    # ---- Readings ---------------------------------------------------------------------------------------------------

    def read(self, state: State | None = None, connector: Connector | None = None) -> Reading:
        """Read to the end."""
        reading = Reading()
        for item in (connector or self.connector).read(state):
            reading.ended_with_state = isinstance(item, State)
            if isinstance(item, State):
                reading.state = _kept(item)
            elif isinstance(item, Deleted):
                reading.deleted.add(item.id)
            else:
                reading.records.setdefault(item.id, []).append(item)
        must(reading.ended_with_state, "a reading must end with a state")
        return reading

    def problems(self, connector: Connector) -> Sequence[Problem]:
        """What a check of the system says."""
        return connector.check()


def _kept(state: State) -> State:
    """A state as it comes back from where it is kept between two cycles."""
    try:
        return State(json.loads(json.dumps(dict(state.value), allow_nan=False)))
    except (TypeError, ValueError):
        raise Failed("a state holds what is no plain JSON, and cannot be kept") from None


def _anything(field: RemoteField, number: int) -> RemoteValue:
    """A value that a field takes, as far as it is described."""
    if field.enum:
        return field.enum[0]
    plain: dict[str, RemoteValue] = {
        "boolean": False,
        "date": "2026-03-02",
        "datetime": "2026-03-02T10:00:00+00:00",
        "list": [],
        "json": {},
    }
    return plain.get(field.type, f"{CANARY}{number}"[: field.max_length] if field.type == "text" else 1)


def _word(outcome: Outcome) -> str:
    """What became of an item, with the reason where there is one."""
    reason = f" ({outcome.reason})" if isinstance(outcome, Rejected | Ambiguous) else ""
    return type(outcome).__name__.lower() + reason
