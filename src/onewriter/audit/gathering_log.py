"""The field log as a diagnosis reads it: on which side each line wrote what, by whose hand, and carried over from what.

The log keeps digests under the customer's key, and for some weeks the values of what can be undone. A digest becomes
a value where it is that of one that is known, and is told as it is otherwise: equal where the values are equal.

The log does not tell who edits within a system. Whoever edits there what the system owns is somebody of theirs; a hand
on what another owns is nobody's that is known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from onewriter.audit.boundary import TRIED
from onewriter.audit.gathering_values import Person, View
from onewriter.customers import log, pending, runs
from onewriter.customers.log import Logged
from onewriter.customers.runs import CYCLE, IMPORT, UNDO, Run
from onewriter.records import SHOPIFY, Instant, Path, RunState
from onewriter.rules import mapping
from onewriter.rules.diagnosis.evidence import Hand, RunOf, Side, Write
from onewriter.rules.ownership import writers
from onewriter.rules.policy import ONEWRITER

LINES_MAX = 300
"""Lines of one customer that are looked at, the newest."""
RUNS_MAX = 3_000
UNTOLD = object()
"""A value of which a line says nothing: the first write of a customer has no digests, since the side has the values."""

Digests = Mapping[str, tuple[bytes | None, bytes | None]]


# ---- Writes ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Trace:
    """Puts the lines of some customers into writes of the two sides, in the order of the log."""

    view: View
    people: Mapping[bytes, Person]
    writes: list[Write] = field(default_factory=list)
    _known: dict[tuple[bytes, str], dict[bytes, Any]] = field(default_factory=dict)
    """Customer and field: the value of each digest that is known."""
    _stamps: dict[bytes, Instant | None] = field(default_factory=dict)
    """Customer: the time that the record told of itself in the newest line."""
    _before: int = 0
    """How many writes the lines before the present one have told of."""

    def read(self, lines: Iterable[tuple[Logged, Digests]]) -> list[Write]:
        """The writes that these lines tell of."""
        told = list(lines)
        for person in self.people.values():
            self._learn_present(person)
        for line, digests in told:
            self._learn(line, digests)
        for line, digests in told:
            self._before = len(self.writes)
            dated = self._dated(line)
            for name in line.fields:
                if name in self.view.maps:
                    self._take(self.people[line.customer_id], dated, name, digests)
        return self._linked(self._filled())

    def _dated(self, line: Logged) -> Logged:
        """The line, without the record's own time where that has not moved since an earlier line: whatever wrote then
        left it as it was, and it is no time of this write.
        """
        if line.system != self.view.system:
            return line
        before, self._stamps[line.customer_id] = self._stamps.get(line.customer_id), line.at
        return replace(line, at=None) if line.path is Path.CYCLE and before is not None and before == line.at else line

    # ---- Values

    def _learn_present(self, person: Person) -> None:
        for name, each in self.view.maps.items():
            own, here = mapping.own_value(name, person.own.fields), self.view.source_value(person, name)
            values = [(own, own), (here, here)]
            for one in person.remotes:
                if each.remote in one.fields:
                    raw = one.fields[each.remote]
                    values.insert(0, (raw, self.view.target_fields(one, person)[each.remote]))
            known = self._known.setdefault((person.own.id, name), {})
            for value, stands_for in values:
                if value is not None:
                    known[person.own.key.digest(value)] = stands_for

    def _learn(self, line: Logged, digests: Digests) -> None:
        """What the kept values of a line tell of the digests of others."""
        for name, pair in digests.items():
            if name in self.view.maps and line.new is not None and line.old is not None:
                known = self._known.setdefault((line.customer_id, name), {})
                for digest, value in zip(pair, (line.old.get(name), line.new.get(name)), strict=True):
                    if digest is not None and digest not in known:
                        known[digest] = self.view.led_back(name, value) if self._is_theirs(line) else value

    def _is_theirs(self, line: Logged) -> bool:
        """Whether a line tells values in the system's own form: what was sent there, and read back."""
        return line.path is Path.SEND and line.system == self.view.system

    def _pair(self, line: Logged, name: str, digests: Digests) -> tuple[Any, Any]:
        """The old and the new value of a field, each as far as anything tells."""
        if name not in digests:
            return UNTOLD, UNTOLD
        known = self._known[line.customer_id, name]
        old, new = (None if each is None else known.get(each, each) for each in digests[name])
        return old, new

    # ---- Lines

    def _take(self, person: Person, line: Logged, name: str, digests: Digests) -> None:
        """One field of one line: on which side it was written, and whether it was carried over to the other."""
        system, pair = self.view.system, self._pair(line, name, digests)
        if line.path is Path.SEND:
            if line.system in (system, SHOPIFY) and not (line.reason or "").startswith(TRIED):
                side = Side.TARGET if line.system == system else Side.SOURCE
                self._add(person, side, name, line, pair, Hand.CONNECTOR, ONEWRITER)
        elif line.system == system and line.path is Path.CYCLE:
            self._take_theirs(person, line, name, pair)
        elif line.path is Path.MERGE:
            self._add(person, Side.SOURCE, name, line, pair, Hand.MERGE, line.writer)
        elif line.path is Path.CSV:
            self._add(person, Side.SOURCE, name, line, pair, Hand.IMPORT, line.writer)
        elif line.path in (Path.HAND, Path.UNDO):
            self._add(person, Side.SOURCE, name, line, pair, Hand.PERSON, line.writer)
        else:
            self._add(person, Side.SOURCE, name, line, pair, self._hand(line, name), line.writer)

    def _take_theirs(self, person: Person, line: Logged, name: str, pair: tuple[Any, Any]) -> None:
        """An edit in the system, as a cycle read it: it stands there, whether or not it was taken up here."""
        if not line.accepted or line.reason is None:
            told = replace(line, accepted=True, reason=None, run_id=None)
            self._add(person, Side.TARGET, name, told, pair, self._hand(line, name), line.writer)
            is_carried = name not in self.view.of_shopify if line.accepted else self._owns(line.system, name)
            if is_carried:
                self._add(person, Side.SOURCE, name, line, pair, Hand.CONNECTOR, ONEWRITER)

    def _owns(self, system: str, name: str) -> bool:
        return self.view.policy.owner_of(name) == system

    def _hand(self, line: Logged, name: str) -> Hand:
        if line.writer == ONEWRITER:
            return Hand.CONNECTOR
        if line.writer.startswith("user:") or line.system in writers(self.view.policy, name):
            return Hand.PERSON
        return Hand.UNKNOWN if line.system in (SHOPIFY, self.view.system) else Hand.APP

    def _add(
        self, person: Person, side: Side, name: str, line: Logged, pair: tuple[Any, Any], hand: Hand, writer: str
    ) -> None:
        if side is Side.TARGET and not person.remotes:
            return
        here = side is Side.SOURCE
        self.writes.append(
            Write(
                at=line.heard_at if hand is Hand.CONNECTOR or line.at is None else line.at,
                seq=_place(line) + len(self.writes) - self._before, side=side,
                id=person.source if here else person.remotes[0].id,
                field=name if here else self.view.maps[name].remote,
                writer=writer, hand=hand, run=line.run_id if hand in (Hand.CONNECTOR, Hand.IMPORT) else None,
                old=pair[0], new=pair[1], accepted=line.accepted,
                reason=None if line.accepted else line.reason,
            )
        )  # fmt: skip

    # ---- What follows of one line for another

    def _filled(self) -> list[Write]:
        """The writes with what their lines left out, as far as the next one or the present tells; else without them."""
        nexts: dict[tuple[Side, str, str], Any] = {}
        for person in self.people.values():
            for name, value in self.view.source_fields(person).items():
                nexts[Side.SOURCE, person.source, name] = value
            for one in person.remotes[:1]:
                for name, value in self.view.target_fields(one, person).items():
                    nexts[Side.TARGET, one.id, name] = value
        found = []
        for write in reversed(self.writes):
            place = write.side, write.id, write.field
            new = nexts.get(place, UNTOLD) if write.new is UNTOLD else write.new
            if write.accepted:
                nexts[place] = write.old
            if new is not UNTOLD:
                found.append(replace(write, new=new, old=None if write.old is UNTOLD else write.old))
        return found[::-1]

    def _linked(self, writes: list[Write]) -> list[Write]:
        """The writes of ours, each with the write on the other side whose value it carried over."""
        names = {each.remote: name for name, each in self.view.maps.items()}
        sources = {person.remotes[0].id: person.source for person in self.people.values() if person.remotes}
        last: dict[tuple[Side, str, str], Write] = {}
        found = []
        for write in writes:
            here = write.side is Side.SOURCE
            whose = write.id if here else sources[write.id]
            name = write.field if here else names[write.field]
            other = last.get((write.side.other, whose, name))
            if write.hand is Hand.CONNECTOR and other is not None and other.new == write.new:
                write = replace(write, caused_by=other.seq)
            if write.accepted:
                last[write.side, whose, name] = write
            found.append(write)
        return found


def _place(line: Logged) -> int:
    """A line's place in the order of the whole log, with room behind it for each field that it names."""
    return int.from_bytes(line.id, "big") << 12


def writes_of(db: Connection, view: View, shop_id: int, people: Mapping[bytes, Person]) -> list[Write]:
    """The writes of these customers on either side; `seq` has gaps until all of them are `numbered`."""
    trace = Trace(view, people)
    keys = {customer: person.own.key for customer, person in people.items()}
    found = trace.read(log.traced(db, shop_id, keys, LINES_MAX))
    return found + _pending(db, view, shop_id, people, found)


def numbered(writes: Iterable[Write]) -> list[Write]:
    """All writes in the order of the log, counted from 1."""
    told = sorted(writes, key=lambda each: (each.seq is None, each.seq or 0))
    counted = {each.seq: number for number, each in enumerate(told, 1) if each.seq is not None}
    return [
        replace(
            each,
            seq=None if each.seq is None else counted[each.seq],
            caused_by=None if each.caused_by is None else counted[each.caused_by],
        )
        for each in told
    ]


def _pending(
    db: Connection, view: View, shop_id: int, people: Mapping[bytes, Person], known: list[Write]
) -> list[Write]:
    """Of what the system is still to be told, when it came about, where no line of the log tells it."""
    told = {(each.id, each.field) for each in known if each.side is Side.SOURCE}
    found = []
    for mark in pending.of_customers(db, shop_id, view.system, sorted(people)):
        person = people[mark.customer_id]
        for name in view.maps if mark.field == "*" else [mark.field]:
            if name in view.maps and (person.source, name) not in told:
                found.append(
                    Write(
                        at=mark.set_at, seq=None, side=Side.SOURCE, id=person.source, field=name, writer=None,
                        hand=Hand.UNKNOWN, new=view.source_value(person, name),
                    )
                )  # fmt: skip
    return found


# ---- Runs -----------------------------------------------------------------------------------------------------------

_KINDS = {CYCLE: "cycle", IMPORT: "import", UNDO: "resync"}
_STATES = {RunState.DONE: "done", RunState.PARTIAL: "partial", RunState.FAILED: "failed"}
_DRY, _ONLY = "dry", "only"
"""Where the checkpoint of a cycle says that it writes nothing, and that it is of one customer."""


def runs_of(db: Connection, shop_id: int, system: str) -> tuple[dict[str, RunOf], int]:
    """The runs that carried values between the two sides, by id, and how many full cycles there were."""
    kinds = [runs.cycle_of(system), runs.cycle_of(SHOPIFY), runs.undo_of(system), IMPORT]
    found: dict[str, RunOf] = {}
    cycles = 0
    for run in runs.begun(db, shop_id, kinds, RUNS_MAX):
        if run.checkpoint.get(_DRY):
            continue
        is_full = run.kind == runs.cycle_of(system) and run.state is RunState.DONE and not run.checkpoint.get(_ONLY)
        cycles += is_full
        found[run.id] = _run(run, cycles if is_full else None)
    return found, cycles


def _run(run: Run, cycle: int | None) -> RunOf:
    kind = "resync" if run.checkpoint.get(_ONLY) else _KINDS[runs.family(run.kind)]
    return RunOf(
        id=run.id, kind=kind, state=_STATES.get(run.state), cycle=cycle, started=run.started_at,
        finished=run.finished_at,
    )  # fmt: skip
