"""What became of writes: each is made sure of by what the system holds afterwards, and not by what it answered."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from onewriter.connectors.interface import (
    Ambiguous,
    Applied,
    Conflict,
    Outcome,
    Record,
    Rejected,
    RetryAfter,
    Unchanged,
)
from onewriter.customers import expected, log, parked, pending
from onewriter.customers.log import LogLine
from onewriter.customers.parked import Unplaced
from onewriter.customers.pending import ALL, AMBIGUOUS, WAITING, Pending
from onewriter.customers.remote import Remote
from onewriter.db.engine import Database
from onewriter.intake.drafts import Draft
from onewriter.intake.reading import Reading, lock
from onewriter.intake.targets import Target
from onewriter.records import SECOND, Instant, Path
from onewriter.rules import mapping
from onewriter.rules.policy import ONEWRITER
from onewriter.vault.seal import SubjectKey

ASTRAY = 2
"""How often a value may be read back as another one than was written before the system is believed to make it so."""


@dataclass(slots=True)
class Sent:
    """What sending came to."""

    counts: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    """How many values of each field were written."""
    rejected: Counter[str] = field(default_factory=Counter)
    proposed: set[bytes] = field(default_factory=set)
    """Customers of whom a person's proposal was written to its owner."""
    retry_after_s: float | None = None
    """The system asks to be left alone for so long; what is left waits."""


@dataclass(slots=True)
class Afterwards:
    """Makes sure of what became of the writes of one cycle."""

    database: Database
    target: Target
    sent: Sent
    clock: Callable[[], Instant]
    unsure_for: Instant
    """How long a record waits whose making nobody knows of, before it is tried again."""
    astray: Counter[tuple[bytes, str]] = field(default_factory=Counter)

    @property
    def reading(self) -> Reading:
        """What this system is read with."""
        return self.target.reading

    def settle(self, drafts: Sequence[Draft], outcomes: Sequence[Outcome]) -> bool:
        """Make sure of what became of each write; True if some are worth another pass."""
        written: list[tuple[Draft, Applied | Unchanged]] = []
        refused: list[tuple[Draft, Rejected]] = []
        with self.database.write() as db:
            lock(db, self.reading, [each.person.shopify_id for each in drafts])
            for each, outcome in zip(drafts, outcomes, strict=True):
                self.sent.counts[_word(outcome)] += 1
                if isinstance(outcome, Applied | Unchanged):
                    written.append((each, outcome))
                elif isinstance(outcome, Rejected):
                    refused.append((each, outcome))
                else:
                    self._put_off(db, each, outcome)
            self._reject(db, refused)
            self._expect_no_more(db, drafts, outcomes)
            self._link_made(db, written)
        self._read_back(written)
        self.sent.proposed |= {each.person.id for each, _outcome in written if each.has_proposal}
        again = self._make_sure([each for each, _outcome in written])
        return again or any(isinstance(each, Ambiguous | Conflict | Rejected) for each in outcomes)

    def _expect_no_more(self, db: Connection, drafts: Sequence[Draft], outcomes: Sequence[Outcome]) -> None:
        """Of what was certainly not written no echo is to come: whoever writes just that now is somebody else."""
        never = (Rejected, RetryAfter, Conflict)
        names = [
            each.record.name
            for each, outcome in zip(drafts, outcomes, strict=True)
            if each.record is not None and isinstance(outcome, never)
        ]
        expected.drop(db, self.reading.vault.shop_id, self.reading.system, names)

    def _link_made(self, db: Connection, written: Sequence[tuple[Draft, Applied | Unchanged]]) -> None:
        now = self.clock()
        made, people, lines = {}, {}, []
        for each, outcome in written:
            if each.record is not None:
                continue
            told = outcome.fields if isinstance(outcome, Applied) else None
            version = outcome.version if isinstance(outcome, Applied) else None
            made[each.person.id] = Record(outcome.id, told if told is not None else dict(each.patch.set), version)
            people[each.person.id] = each.person
            line = LogLine(
                tuple(each.fields), Path.SEND, now, reason="made there", run_id=self.reading.run_id,
                system=self.reading.system, writer=ONEWRITER, new=dict(each.fields), kept=True,
            )  # fmt: skip
            lines.append((each.person.id, each.person.key, line))
            self.sent.fields.update(list(each.fields))
        if made:
            self.target.link_made(db, made, people, now)
            # What is read back of a new record is told from an edit like that of any other.
            name = self.reading.vault.key.record_name
            ours = {
                (name(self.reading.system, outcome.id), each.person.id): each.expected
                for each, outcome in written
                if each.record is None
            }
            expected.expect(db, self.reading.vault.shop_id, self.reading.system, ours, now, run_id=self.reading.run_id)
            log.add(db, self.reading.vault.shop_id, lines, now, keep_days=self.reading.keep_days)

    def _read_back(self, written: Sequence[tuple[Draft, Applied | Unchanged]]) -> None:
        """Take in what the records say now: what the answers tell, or else what reading them tells."""
        told, untold = [], []
        for each, outcome in written:
            # Of one that was just made the system may have filled fields that nobody told it.
            if each.record is not None and isinstance(outcome, Applied) and outcome.fields is not None:
                told.append(Record(outcome.id, each.record.fields | dict(outcome.fields), outcome.version))
            else:
                untold.append(each.person.id)
        self.target.take(told)
        if untold:
            self.target.look(untold)

    def _make_sure(self, drafts: Sequence[Draft]) -> bool:
        """Clear the marks of what the system holds now; True if some of it does not hold it and is tried once more.

        Where a value was read back that nobody had written, it is somebody's edit of this very moment, which was
        refused; or the system makes something else of each such value, which the second time shows.
        """
        if not drafts:
            return False
        reading, now = self.reading, self.clock()
        with self.database.write() as db:
            lock(db, reading, [each.person.shopify_id for each in drafts])
            keys = {each.person.id: each.person.key for each in drafts}
            held = self.target.held(db, list(keys), keys)
            unplaced: list[Unplaced] = []
            level: list[tuple[bytes, str, str, str]] = []
            once_more: set[tuple[bytes, str]] = set()
            for each in drafts:
                person, record = each.person, held.get(each.person.id)
                for name, value in each.fields.items() if record is not None else ():
                    assert record is not None
                    if self._is_held(name, value, record):
                        level.append((person.id, reading.system, name, parked.OUT))
                        self.sent.fields[name] += int(each.record is not None)
                        continue
                    self.astray[person.id, name] += 1
                    if self.astray[person.id, name] >= ASTRAY:
                        unplaced.append(self._made_another(each, name))
                    else:
                        once_more.add((person.id, name))
            self._mark_again(db, [one for each in drafts for one in each.marks], once_more, now)
            parked.settle(db, level, now)
            self._give_up(db, unplaced, now)
        return bool(once_more)

    def _mark_again(
        self, db: Connection, marks: Sequence[Pending], wanted: Collection[tuple[bytes, str]], now: Instant
    ) -> None:
        """Clear these marks but for what is to be tried once more: who and which field."""
        shop, system = self.reading.vault.shop_id, self.reading.system
        # What was proposed to the owner stands in its mark alone.
        proposed = [each for each in marks if each.box is not None and (each.customer_id, each.field) in wanted]
        pending.clear(db, shop, system, [each for each in marks if each not in proposed])
        rest = {*wanted} - {(each.customer_id, each.field) for each in proposed}
        out = self.reading.policy.goes_out(system)
        again = [(system, customer, name) for customer, name in sorted(rest) if name in out]
        pending.mark(db, shop, again, now, run_id=self.reading.run_id)

    def _made_another(self, each: Draft, name: str) -> Unplaced:
        person = each.person
        self.sent.rejected[name] += 1
        reason = f"{self.reading.system} made another value of it"
        return Unplaced(person.id, person.key, self.reading.system, name, each.values.get(name), reason, "out")

    def _give_up(self, db: Connection, unplaced: Sequence[Unplaced], now: Instant) -> None:
        """Park what the system will not hold as it is; what it made of it was nobody's edit."""
        reading = self.reading
        places = [(one.customer_id, reading.system, one.field, parked.IN) for one in unplaced]
        parked.settle(db, places, now)
        parked.park_all(db, reading.vault.shop_id, unplaced, now, run_id=reading.run_id)
        self.target.note_apart(db, {one.customer_id for one in unplaced}, now)
        wanted = {(one.customer_id, one.field) for one in unplaced}
        ids = sorted({one.customer_id for one in unplaced})
        marks = pending.of_customers(db, reading.vault.shop_id, reading.system, ids)
        again = [one for one in marks if (one.customer_id, one.field) in wanted]
        pending.clear(db, reading.vault.shop_id, reading.system, again)

    def _is_held(self, name: str, value: Any, record: Remote) -> bool:
        each = self.reading.policy.maps(self.reading.system)[name]
        there = record.fields.get(each.remote)
        if there == value:
            return True
        names = self.reading.policy.namespaces
        back = mapping.inward(name, each, value, region=self.reading.region, namespaces=names)
        return not isinstance(back, mapping.Unfit) and mapping.in_step(
            name, each, back, there, region=self.reading.region, namespaces=names
        )

    def _reject(self, db: Connection, refused: Sequence[tuple[Draft, Rejected]]) -> None:
        """Park what the system will not have; the other fields of the same write are written without it."""
        reading, now = self.reading, self.clock()
        shop, system = reading.vault.shop_id, reading.system
        unplaced: list[Unplaced] = []
        lines: list[tuple[bytes, SubjectKey, LogLine]] = []
        for each, outcome in refused:
            fault = self._at_fault(each, outcome)
            person = each.person
            self.sent.rejected.update(fault)
            unplaced += [
                Unplaced(person.id, person.key, system, name, each.values.get(name), outcome.reason, "out")
                for name in fault
            ]
            line = LogLine(
                tuple(fault), Path.SEND, now, accepted=False, reason=outcome.reason, run_id=reading.run_id,
                system=system, writer=ONEWRITER, new={name: each.fields[name] for name in fault},
            )  # fmt: skip
            lines.append((person.id, person.key, line))
            # A record that is to be made is made at the next try without the field that it cannot have.
            whole = len(fault) == len(each.fields)
            done = [one for one in each.marks if one.field in fault or (one.field == ALL and whole)]
            pending.clear(db, shop, system, done)
            rest = [one for one in each.marks if one not in done]
            pending.move(db, shop, system, rest, WAITING, now, tried=True)
        log.add(db, shop, lines, now, keep_days=reading.keep_days)
        parked.park_all(db, shop, unplaced, now, run_id=reading.run_id)
        self.target.note_apart(db, {one.customer_id for one in unplaced}, now)

    def _at_fault(self, each: Draft, outcome: Rejected) -> list[str]:
        maps = self.reading.policy.maps(self.reading.system)
        named = [name for name in each.fields if outcome.field is None or maps[name].remote == outcome.field]
        return sorted(named or each.fields)

    def _put_off(self, db: Connection, each: Draft, outcome: Outcome) -> None:
        now = self.clock()
        state, due = WAITING, now
        if isinstance(outcome, RetryAfter):
            due = now + round(outcome.seconds * SECOND)
        elif isinstance(outcome, Ambiguous):
            state = AMBIGUOUS
            if each.record is None:
                due = now + self.unsure_for
        tried = not isinstance(outcome, RetryAfter)
        pending.move(db, self.reading.vault.shop_id, self.reading.system, each.marks, state, due, tried=tried)


def _word(outcome: Outcome) -> str:
    """What an outcome is called in a run's counts."""
    return {
        Applied: "written", Unchanged: "in step", Conflict: "conflict", Rejected: "rejected",
        Ambiguous: "ambiguous", RetryAfter: "put off",
    }[type(outcome)]  # fmt: skip
