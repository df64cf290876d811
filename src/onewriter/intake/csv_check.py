"""What a file would do, looked at before anything is written (requirement M80): the same rules as its import's.

Each row is matched and settled just as the import settles it, and nothing is kept. What it tells holds no value of
anybody: rows are named by their numbers in the file.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from onewriter.connectors.csv_given import ROWS_SHOWN, Rows
from onewriter.connectors.interface import Record
from onewriter.customers import links, matching, optouts, owned, remote
from onewriter.customers.owned import Owned
from onewriter.db.engine import Database
from onewriter.intake.reading import Reading
from onewriter.intake.take import raw_digest, stranger
from onewriter.loyalty.balances import with_points
from onewriter.records import Instant
from onewriter.rules import mapping, settling
from onewriter.rules.comparing import is_empty
from onewriter.rules.csv_cells import IDENTITY, changed_here, form_of
from onewriter.rules.policy import CONSENTS
from onewriter.rules.settling import Meeting

AT_ONCE = 500
Numbered = tuple[int, Record]


@dataclass(slots=True)
class Seen:
    """How often something was found, and in which rows first."""

    count: int = 0
    rows: list[int] = field(default_factory=list)

    def add(self, number: int) -> None:
        """Once more, in that row."""
        self.count += 1
        if len(self.rows) < ROWS_SHOWN:
            self.rows.append(number)


Found = defaultdict[tuple[str, ...], Seen]


def _found() -> Found:
    return defaultdict(Seen)


@dataclass(slots=True)
class Checked:
    """What a file would do."""

    customers: Counter[str] = field(default_factory=Counter)
    """known, new, review, and of the known: changed, and same as the last time."""
    overwrites: Found = field(default_factory=_found)
    """(field, owner): values that it would write, since it owns them."""
    emptied: Found = field(default_factory=_found)
    refused: Found = field(default_factory=_found)
    """(field, owner): values of others, which are refused and parked."""
    unfit: Found = field(default_factory=_found)
    consents: Found = field(default_factory=_found)
    """(field, from, to, what becomes of it)."""
    phantoms: Found = field(default_factory=_found)
    """(field, how it differs): the same in another form, which changes nothing."""
    damage: Found = field(default_factory=_found)
    """(field, what a spreadsheet must have done)."""
    duplicates: Found = field(default_factory=_found)
    """(field): rows with a value by which an earlier row is told apart."""
    collisions: Found = field(default_factory=_found)
    """(what,): rows of which the rules do not say whose they are: two of one customer, or one of two."""

    @property
    def percent(self) -> float:
        """The share of the file's customers that it would change."""
        known = self.customers["known"]
        return 100 * self.customers["changed"] / known if known else 0.0


def check(database: Database, reading: Reading, rows: Rows, now: Instant) -> Checked:
    """Look at every row of a file; nothing is written."""
    looking = _Looking(reading, now)
    piece: list[Numbered] = []
    for numbered in rows:
        piece.append(numbered)
        if len(piece) >= AT_ONCE:
            _look(database, looking, piece)
            piece = []
    _look(database, looking, piece)
    return looking.checked


def _look(database: Database, looking: "_Looking", piece: Sequence[Numbered]) -> None:
    # A transaction of its own each: none stays open for as long as a large file takes.
    with database.read() as db:
        looking.look(db, piece)


@dataclass(slots=True)
class _Looking:
    """The rows of a file, on their way past."""

    reading: Reading
    now: Instant
    checked: Checked = field(default_factory=Checked)
    _values: dict[int, int] = field(default_factory=dict)
    """The hash of a field and its value: the first row that has it."""
    _people: dict[bytes, int] = field(default_factory=dict)
    """Customer: the first row that is of him or her."""

    def look(self, db: Connection, piece: Sequence[Numbered]) -> None:
        """Match these rows and settle them, as an import would."""
        reading = self.reading
        vault, system = reading.vault, reading.system
        named = {vault.key.record_name(system, record.id): (number, record) for number, record in piece}
        known = remote.glance(db, vault.shop_id, system, list(named))
        linked = {name: each.customer_id for name, each in known.items() if each.customer_id is not None}
        strangers = [stranger(reading, name, each) for name, (_number, each) in named.items() if name not in linked]
        found = matching.find(db, vault, reading.policy, system, strangers) if strangers else {}
        whose = linked | {name: each.customer_id for name, each in found.items() if isinstance(each, links.Linked)}
        people = owned.load(db, vault, sorted(set(whose.values())), reading.policy.namespaces)
        with_points(db, vault, reading.policy, system, people, self.now)
        optouts.hold(db, vault, reading.policy, system, people, self.now)
        before = remote.load(db, vault, system, list(linked), {each.id: each.key for each in people.values()})
        for name, (number, record) in named.items():
            self._note_twins(number, record)
            person = people.get(whose[name]) if name in whose else None
            if person is None or not person.live:
                self._note_nobody(number, is_review=isinstance(found.get(name), links.Review))
                continue
            if name not in linked and self._people.setdefault(person.id, number) != number:
                # A customer has one row: an import leaves the second one to a person, too.
                self._note_nobody(number, is_review=True)
                continue
            self.checked.customers["known"] += 1
            was = before[name].fields if name in before else dict.fromkeys(record.fields)
            if name in known and known[name].raw_digest == raw_digest(vault, record):
                self.checked.customers["same as the last time"] += 1
            else:
                self._settle(number, record, person, was, first=name not in linked)

    def _note_twins(self, number: int, record: Record) -> None:
        """Note a row that has the id, address or number of an earlier one, however it is written."""
        for name in IDENTITY:
            each = self.reading.policy.maps(self.reading.system).get(name)
            if each is None or is_empty(record.fields.get(each.remote)):
                continue
            told = mapping.inward(name, each, record.fields[each.remote], region=self.reading.region)
            if isinstance(told, str) and self._values.setdefault(hash((name, told)), number) != number:
                self.checked.duplicates[(name,)].add(number)

    def _note_nobody(self, number: int, *, is_review: bool) -> None:
        self.checked.customers["review" if is_review else "new"] += 1
        if is_review:
            self.checked.collisions[("a person must say whose it is",)].add(number)

    def _settle(self, number: int, record: Record, person: Owned, was: Mapping[str, Any], *, first: bool) -> None:
        reading, checked = self.reading, self.checked
        told = self._apart(record, person)
        met = Meeting(own=person.fields, told=told, now=self.now, before=was, first=first)
        settled = settling.settle(reading.policy, reading.system, met, region=reading.region)
        for name, value in settled.take.items():
            owner = str(reading.policy.owner_of(name))
            checked.overwrites[name, owner].add(number)
            if is_empty(value):
                checked.emptied[(name,)].add(number)
            if name in CONSENTS:
                self._note_consent(number, name, person, value, "taken")
        for name, refusal in settled.refused.items():
            owner = str(reading.policy.owner_of(name))
            if refusal.reason.startswith("owned by"):
                checked.refused[name, owner].add(number)
            else:
                checked.unfit[name, refusal.reason].add(number)
            if name in CONSENTS:
                self._note_consent(number, name, person, refusal.value, "refused")
        for name, value in settled.opted_out.items():
            self._note_consent(number, name, person, value, "taken as an opt-out")
        self._note_forms(number, told, person, settled.level)
        checked.customers["changed"] += bool(settled.take or settled.opted_out)

    def _note_consent(self, number: int, name: str, person: Owned, value: Any, what: str) -> None:
        states = [each.get("state") if isinstance(each, dict) else None for each in (person.fields.get(name), value)]
        told = [str(state) if state is not None else "nothing" for state in states]
        self.checked.consents[name, told[0], told[1], what].add(number)

    def _apart(self, record: Record, person: Owned) -> dict[str, Any]:
        """What a row says in other letters than the customer's own values; of the rest there is nothing to settle."""
        maps = self.reading.policy.maps(self.reading.system)
        own = {each.remote: mapping.own_value(name, person.fields) for name, each in maps.items()}
        return {
            name: value
            for name, value in record.fields.items()
            if not (value == own[name] if isinstance(value, str) else value is None and is_empty(own[name]))
        }

    def _note_forms(self, number: int, fields: Mapping[str, Any], person: Owned, level: set[str]) -> None:
        """Note what differs in form only, and what a spreadsheet must have changed."""
        for name, each in self.reading.policy.maps(self.reading.system).items():
            if each.remote not in fields:
                continue
            told, own = fields[each.remote], mapping.own_value(name, person.fields)
            if name in level:
                form = form_of(name, own, told)
                if form is not None:
                    self.checked.phantoms[name, form].add(number)
            elif (damage := changed_here(own, told)) is not None:
                self.checked.damage[name, damage].add(number)
