"""The sender: tells a system what is pending for it, and makes sure of what became of each write.

A mark holds no value, so that what is sent is the owner's value of this moment. Each record is read before it is
written, so that an edit there is seen and refused before it is overwritten, and after, so that what counts as written
is what the system holds and not what it answered. Where nobody knows whether a write was done (a lost connection, a 5xx
after it), the same reading settles it; nothing is ever tried again blindly.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from onewriter.connectors.interface import (
    Capabilities,
    Discovery,
    FieldPatch,
    Outcome,
    RetryAfter,
)
from onewriter.customers import expected, links, owned, parked, pending
from onewriter.customers.parked import Unplaced
from onewriter.customers.pending import SENT, WAITING, Pending
from onewriter.db.engine import Database
from onewriter.errors import OnewriterError
from onewriter.intake.afterwards import Afterwards, Sent
from onewriter.intake.drafts import Draft, draft
from onewriter.intake.reading import Reading, comes_in, open_locked, refuse_change
from onewriter.intake.targets import Target
from onewriter.records import HOUR, Instant
from onewriter.rules import mapping

AT_ONCE = 200
"""Customers that are looked at in one go."""
TRIES_MAX = 3
"""How often one cycle tries the same mark; after that it waits for the next one."""
PATIENCE_S = 20.0
"""For so long a cycle waits where a system asks to be left alone; for longer, the cycle ends."""


@dataclass(slots=True)
class Sender:
    """Sends what is pending for one system, once."""

    database: Database
    target: Target
    creates: bool
    clock: Callable[[], Instant]
    sleep: Callable[[float], None]
    until: Instant
    """What was marked later is for the next cycle, but for what this one marks itself."""
    give_way: Callable[[], None] = field(default=lambda: None)
    only: frozenset[bytes] | None = None
    """These customers alone, for a cycle of one customer."""
    full_hours: int = 24
    sent: Sent = field(default_factory=Sent)
    _can: Discovery | None = None
    _after: Afterwards | None = None

    @property
    def reading(self) -> Reading:
        """What this system is read with."""
        return self.target.reading

    def run(self) -> Sent:
        """Send everything that is due, and return what became of it."""
        for _pass in range(TRIES_MAX):
            if not self._pass() or self.sent.retry_after_s is not None:
                break
        return self.sent

    def _pass(self) -> bool:
        """Go through the marks once; True if some of them are worth another pass."""
        after, again = b"", False
        while self.sent.retry_after_s is None:
            ids = self._customers(after)
            if not ids:
                return again
            after = ids[-1]
            marks = self._due(ids)
            again = (bool(marks) and self._send_some(marks)) or again
            self.give_way()
        return False

    def _customers(self, after: bytes) -> list[bytes]:
        """The next customers of whom the system is to be told something."""
        if self.only is not None:
            return [each for each in sorted(self.only) if each > after][:AT_ONCE]
        shop, system = self.reading.vault.shop_id, self.reading.system
        with self.database.read() as db:
            return pending.customers_due(db, shop, system, self.clock(), after=after, most=AT_ONCE)

    def _due(self, ids: Sequence[bytes]) -> dict[bytes, list[Pending]]:
        """Their marks that are due, by customer."""
        with self.database.read() as db:
            found = pending.of_customers(db, self.reading.vault.shop_id, self.reading.system, ids)
        marks: dict[bytes, list[Pending]] = {}
        for each in found:
            is_counted = each.set_at <= self.until or each.run_id == self.reading.run_id
            if is_counted and each.due_at <= self.clock():
                marks.setdefault(each.customer_id, []).append(each)
        return marks

    def _send_some(self, marks: Mapping[bytes, Sequence[Pending]]) -> bool:
        self.target.look(list(marks))
        self._look_for_twins(marks)
        now = self.clock()
        with self.database.write() as db:
            drafts = self._draft(db, marks, now)
        if not drafts:
            return False
        try:
            outcomes = self._write([each.patch for each in drafts])
        except OnewriterError:
            self._take_back(drafts)
            raise
        return self._afterwards().settle(drafts, outcomes)

    def _take_back(self, drafts: Sequence[Draft]) -> None:
        """The whole call failed, so nothing of it was written and no echo of it is to come."""
        shop, system, now = self.reading.vault.shop_id, self.reading.system, self.clock()
        with self.database.write() as db:
            for each in drafts:
                pending.move(db, shop, system, each.marks, WAITING, now, tried=False)
            expected.drop(db, shop, system, [each.record.name for each in drafts if each.record is not None])

    # ---- Before the write -------------------------------------------------------------------------------------------

    def _look_for_twins(self, marks: Mapping[bytes, Sequence[Pending]]) -> None:
        """Look whether a record that is to be made is there already: made by others, or by a write whose end nobody
        heard of.
        """
        keys = self._capabilities().upsert_keys
        policy, system = self.reading.policy, self.reading.system
        named = {name: each for name, each in policy.maps(system).items() if each.remote in keys}
        if not self.creates or not named:
            return
        with self.database.read() as db:
            held = self.target.held(db, list(marks))
            people = owned.load(
                db, self.reading.vault, [each for each in marks if each not in held], self.reading.policy.namespaces
            )
        for name, each in named.items():
            values = {
                value
                for person in people.values()
                if isinstance(value := mapping.outward(name, each, person.fields.get(name)), str) and value
            }
            if values:
                self.target.find(sorted(values), each.remote)

    def _draft(self, db: Connection, marks: Mapping[bytes, Sequence[Pending]], now: Instant) -> list[Draft]:
        """What to write to whom; what needs no write, or can have none, is settled here."""
        reading, shop = self.reading, self.reading.vault.shop_id
        refuse_change(db, reading)
        people = open_locked(db, reading, marks, now)
        held = self.target.held(db, list(people), {each.id: each.key for each in people.values()})
        homeless = [each for each in people if each not in held]
        known = {
            each.customer_id
            for each in links.of_people(db, shop, homeless)
            if each.system == reading.system and each.state != links.BROKEN
        }
        tried = parked.open_fields(db, reading.system, homeless)
        drafts: list[Draft] = []
        cleared: list[Pending] = []
        unplaced: list[Unplaced] = []
        for customer, its in marks.items():
            person = people.get(customer)
            record = held.get(customer)
            if person is None or not person.live or (record is None and (not self.creates or customer in known)):
                cleared += its
                self.sent.counts["nowhere"] += 1
                continue
            made = draft(reading, person, record, its, tried.get(customer, ()), self._seeds())
            unplaced += made.unplaced
            for one in made.unplaced:
                self.sent.rejected[one.field] += 1
            cleared += made.cleared
            if made.patch.set or made.patch.clear:
                drafts.append(made)
            else:
                cleared += made.marks
        pending.clear(db, shop, reading.system, cleared)
        parked.park_all(db, shop, unplaced, now, run_id=reading.run_id)
        self.target.note_apart(db, {one.customer_id for one in unplaced}, now)
        self._expect(db, drafts, now)
        pending.move(db, shop, reading.system, [one for each in drafts for one in each.marks], SENT, now, tried=False)
        return drafts

    def _expect(self, db: Connection, drafts: Sequence[Draft], now: Instant) -> None:
        """Written down before anything is sent, so that a process that dies in between leaves no edit of a stranger."""
        wanted = {(each.record.name, each.person.id): each.expected for each in drafts if each.record is not None}
        expected.expect(db, self.reading.vault.shop_id, self.reading.system, wanted, now, run_id=self.reading.run_id)

    # ---- The write and after ----------------------------------------------------------------------------------------

    def _write(self, patches: Sequence[FieldPatch]) -> list[Outcome]:
        size = max(1, self._capabilities().batch)
        outcomes: list[Outcome] = []
        for start in range(0, len(patches), size):
            if self.sent.retry_after_s is not None:
                outcomes += [RetryAfter(self.sent.retry_after_s)] * len(patches[start : start + size])
                continue
            answered = self._write_patiently(patches[start : start + size])
            asked = [each.seconds for each in answered if isinstance(each, RetryAfter)]
            # One locked row is no system that asks to be left alone.
            if asked and len(asked) == len(answered):
                self.sent.retry_after_s = max(asked)
            outcomes += answered
        return outcomes

    def _write_patiently(self, patches: Sequence[FieldPatch]) -> list[Outcome]:
        """Write; where the system asks for a short rest, rest, and ask once more for those alone."""
        outcomes = list(self.target.write(patches))
        waits = [number for number, each in enumerate(outcomes) if isinstance(each, RetryAfter)]
        asked = max((each.seconds for each in outcomes if isinstance(each, RetryAfter)), default=0.0)
        if waits and asked <= PATIENCE_S:
            self.sleep(asked)
            # Should the system be gone by then, what was written before is known all the same.
            with suppress(OnewriterError):
                for number, each in zip(waits, self.target.write([patches[one] for one in waits]), strict=True):
                    outcomes[number] = each
        return outcomes

    def _seeds(self) -> frozenset[str]:
        """The fields of the system's own that a record which is made can begin with."""
        maps = self.reading.policy.maps(self.reading.system)
        known = {each.name for each in self._discovered().fields if each.writable}
        own = comes_in(self.reading.policy, self.reading.system)
        return frozenset(name for name in own if maps[name].remote in known)

    def _afterwards(self) -> Afterwards:
        if self._after is None:
            can = self._capabilities()
            # Whether a record was made that cannot be looked up can be told by reading everything only.
            unsure = 0 if can.upsert_keys else self.full_hours * HOUR
            self._after = Afterwards(self.database, self.target, self.sent, self.clock, unsure)
        return self._after

    def _capabilities(self) -> Capabilities:
        return self._discovered().capabilities

    def _discovered(self) -> Discovery:
        if self._can is None:
            self._can = self.target.discover()
        return self._can
