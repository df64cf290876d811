"""The world of a store: two systems, the connector between them, people, clocks and a log.

An edit is queued for the connector with its place in the log; a webhook carries it at once, or the next cycle does.
What becomes of it there (map, transform, permission, order) is that of the field, and faults change exactly that.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from onewriter.bench.stores.values import other, value
from onewriter.records import DAY, HOUR, SECOND, Instant
from onewriter.rules.diagnosis.evidence import Hand, LinkOf, Rec, RunOf, Seen, Side, Write

START: Instant = 1_767_600_000 * SECOND
Carry = Callable[[Any, dict[str, Any]], Any]


@dataclass(slots=True, kw_only=True)
class Channel:
    """One field, and what the connector truly does with it."""

    name: str
    kind: str
    meaning: str
    """identity | profile | workflow | consent."""
    origin: Side
    names: dict[Side, str]
    carry: Carry = lambda given, _record: given
    is_covered: bool = True
    refusal: str | None = None
    is_enforced: bool = False
    """Whether each cycle writes the origin's value again where the copy has another."""
    by_stamp: bool = False
    """Whether the later time wins, whatever the order."""
    is_reversed: bool = False
    """Whether the connector carries it against its owner's direction."""


@dataclass(frozen=True, slots=True)
class Change:
    """An edit that waits for the connector."""

    channel: Channel
    id: str
    seq: int
    at: Instant
    value: Any


@dataclass(slots=True)
class World:
    """Two systems in time; `at` is the true time, and `skew` what each side's clock adds to it."""

    rng: Random
    channels: dict[str, Channel]
    length: Instant = DAY
    at: Instant = START
    cycle: int = 0
    seq: int = 0
    sides: dict[Side, dict[str, dict[str, Any]]] = field(default_factory=lambda: {side: {} for side in Side})
    created: dict[tuple[Side, str], Instant] = field(default_factory=dict)
    deleted: dict[tuple[Side, str], Instant] = field(default_factory=dict)
    redacted: set[str] = field(default_factory=set)
    links: list[LinkOf] = field(default_factory=list)
    linked: dict[tuple[Side, str], str] = field(default_factory=dict)
    """Where the connector carries a record's edits."""
    waiting: list[Change] = field(default_factory=list)
    stamped: dict[tuple[Side, str, str], Instant] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    runs: dict[str, RunOf] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    skew: dict[Side, Instant] = field(default_factory=lambda: dict.fromkeys(Side, 0))
    heard: float = 0.5
    """How often a webhook carries an edit at once."""

    def add(self, side: Side, number: str, fields: dict[str, Any]) -> None:
        """A new record, by the channels' names."""
        self.sides[side][number] = {self.channels[name].names[side]: given for name, given in fields.items()}
        self.created[side, number] = self.at

    def join(self, source: str, target: str, key: str | None) -> None:
        """Say that two records are one person, and carry edits between them from now on."""
        self.links.append(LinkOf(source, target, key))
        self.linked[Side.SOURCE, source] = target
        self.linked[Side.TARGET, target] = source

    def get(self, channel: Channel, side: Side, number: str) -> Any:
        """What one side says now."""
        return self.sides[side][number].get(channel.names[side])

    def pass_time(self, most: Instant = HOUR // 2) -> None:
        """Some time, at least a second."""
        self.at += self.rng.randint(SECOND, most)

    def write(
        self, channel: Channel, side: Side, number: str, new: Any, who: tuple[str, Hand], *,
        run: str | None = None, caused_by: int | None = None, refusal: str | None = None,
    ) -> Write:  # fmt: skip
        """Write one field, or be refused, and log it by the clock of that side."""
        self.pass_time(4 * SECOND)
        self.seq += 1
        name = channel.names[side]
        record = self.sides[side][number]
        line = Write(
            at=self.at + self.skew[side], seq=self.seq, side=side, id=number, field=name, writer=who[0], hand=who[1],
            run=run, caused_by=caused_by, old=record.get(name), new=new, accepted=refusal is None, reason=refusal,
        )  # fmt: skip
        self.writes.append(line)
        if refusal is None:
            record[name] = new
            self.stamped[side, number, channel.name] = self.at + self.skew[side]
        return line

    def edit(
        self, channel: Channel, number: str, new: Any, *, who: tuple[str, Hand] = ("customer", Hand.PERSON),
        heard: bool | None = None, run: str | None = None, side: Side | None = None,
    ) -> Change:  # fmt: skip
        """An edit of the origin (or of the side given), which a webhook carries at once, or the next cycle."""
        self.pass_time()
        side = side or channel.origin
        line = self.write(channel, side, number, new, who, run=run)
        change = Change(channel, number, self.seq, line.at or 0, new)
        if self.rng.random() < self.heard if heard is None else heard:
            self.pass_time(60 * SECOND)
            self.deliver(change)
        else:
            self.waiting.append(change)
        return change

    def deliver(self, change: Change, run: str | None = None) -> None:
        """Carry one edit across, as the field's rules have it."""
        channel, side = change.channel, change.channel.origin
        other_id = self.linked.get((side, change.id))
        record = self.sides[side].get(change.id)
        if not channel.is_covered or channel.is_reversed or other_id is None or record is None:
            return
        if channel.by_stamp and self.stamped.get((side.other, other_id, channel.name), 0) > change.at:
            return
        self._carry(channel, change.id, other_id, change.value, run, change.seq)

    def _carry(
        self, channel: Channel, number: str, other_id: str, given: Any, run: str | None, seq: int | None
    ) -> None:
        side = channel.origin
        new = channel.carry(given, self.sides[side][number])
        if new != self.get(channel, side.other, other_id):
            self.write(
                channel, side.other, other_id, new, ("connector", Hand.CONNECTOR),
                run=run, caused_by=seq, refusal=channel.refusal,
            )  # fmt: skip

    def begin(self, kind: str, state: str = "done", name: str | None = None) -> str:
        """A run of that kind."""
        run = name or f"run{len(self.runs) + 1}"
        self.runs[run] = RunOf(
            id=run, kind=kind, state=state, cycle=self.cycle, started=self.at, finished=self.at + HOUR // 4
        )
        return run

    def sync(self) -> str:
        """One cycle of the connector: everything that waits, in the order of the edits."""
        run = self.begin("cycle")
        waiting, self.waiting = self.waiting, []
        for change in waiting:
            self.deliver(change, run)
        for channel in self.channels.values():
            if channel.is_reversed:
                self._turn_back(channel, run)
            elif channel.is_enforced:
                self.push(channel, self.sides[channel.origin], run)
        return run

    def push(self, channel: Channel, numbers: Iterable[str], run: str | None) -> None:
        """Carry a field of these records again, whether or not they were edited."""
        for number in list(numbers):
            other_id = self.linked.get((channel.origin, number))
            if other_id is not None and channel.is_covered:
                given = self.get(channel, channel.origin, number)
                self._carry(channel, number, other_id, given, run, self._last(channel, number))

    def _last(self, channel: Channel, number: str) -> int | None:
        name = channel.names[channel.origin]
        for line in reversed(self.writes):
            if line.side is channel.origin and line.id == number and line.field == name and line.accepted:
                return line.seq
        return None

    def _turn_back(self, channel: Channel, run: str) -> None:
        side = channel.origin
        for number in list(self.sides[side]):
            other_id = self.linked.get((side, number))
            if other_id is None:
                continue
            copy = self.get(channel, side.other, other_id)
            if self.get(channel, side, number) != copy:
                self.write(channel, side, number, copy, ("connector", Hand.CONNECTOR), run=run)

    def look(self) -> None:
        """The snapshot at the end of a cycle."""
        for side in Side:
            for number, fields in self.sides[side].items():
                self.seen.append(Seen(self.cycle, side, number, dict(fields)))

    def records(self) -> dict[Side, dict[str, Rec]]:
        """Both sides as they are now."""
        return {
            side: {
                number: Rec(
                    number, dict(fields), self.created[side, number], self.deleted.get((side, number)),
                    side is Side.SOURCE and number in self.redacted,
                )
                for number, fields in self.sides[side].items()
            }
            for side in Side
        }  # fmt: skip

    def fresh(self, channel: Channel, number: str) -> Any:
        """A value that the origin does not have now."""
        return other(self.rng, channel.kind, int(number.strip("c")), self.get(channel, channel.origin, number))

    def any_value(self, channel: Channel, number: str) -> Any:
        """A value of that field."""
        return value(self.rng, channel.kind, int(number.strip("c")))
