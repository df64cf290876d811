"""A real CRM beside the tea shop: a table in a file of SQLite, connected as any other, and cycles run to their end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import insert

from onewriter.customers import owned, parked, policies, questions, runs, systems
from onewriter.customers.runs import Run
from onewriter.db.systemtables import policies as policy_table
from onewriter.records import FIELDS, SECOND, SHOPIFY, Instant, RunState, iso
from onewriter.records import Path as How
from onewriter.rules.policy import Conflict, Direction, FieldMap, FieldRule, Policy, Shared, to_document
from onewriter.workflows import cycling, undoing
from onewriter.workflows.answers import carry_out_answer
from tests.support.marked import of_system
from tests.support.shops import Tea, told

CRM = "crm"
ANN = {"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com", "phone": "+447700900111"}
TABLE = """
CREATE TABLE people (
    id INTEGER PRIMARY KEY, shop_no TEXT, mail TEXT, mobile VARCHAR(20), first TEXT, last TEXT, remarks TEXT,
    tier TEXT, labels TEXT, updated TEXT NOT NULL DEFAULT '2026-03-02 10:00:00'
)
"""
REMOTE = {
    "shopify_id": "shop_no", "email": "mail", "phone": "mobile", "first_name": "first", "last_name": "last",
    "note": "remarks", "custom.tier": "tier",
}  # fmt: skip


@dataclass
class Crm:
    """The shop, its CRM, and a clock that the test moves."""

    tea: Tea
    file: Path
    moment: Instant
    owned: frozenset[str] = frozenset({"custom.tier"})
    slept: list[float] = field(default_factory=list)
    system: str = CRM

    # ---- The CRM's own people ---------------------------------------------------------------------------------------

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What somebody does in the CRM, behind our back."""
        connection = sqlite.connect(self.file)
        try:
            rows = connection.execute(statement, values).fetchall()
            connection.commit()
            return [tuple(row) for row in rows]
        finally:
            connection.close()

    def put(self, **values: Any) -> int:
        """Make a record in the CRM; its id."""
        row = {"updated": self.stamp, **values}
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        [(number,)] = self.sql(f"INSERT INTO people ({names}) VALUES ({marks}) RETURNING id", *row.values())
        return int(number)

    def edit(self, number: int, **values: Any) -> None:
        """Change a record in the CRM, as its people do."""
        row = {**values, "updated": self.stamp}
        named = ", ".join(f"{name} = ?" for name in row)
        self.sql(f"UPDATE people SET {named} WHERE id = ?", *row.values(), number)

    def record(self, number: int) -> dict[str, Any]:
        """A record as the CRM has it."""
        names = ("id", "shop_no", "mail", "mobile", "first", "last", "remarks", "tier", "labels")
        [row] = self.sql(f"SELECT {', '.join(names)} FROM people WHERE id = ?", number)
        return dict(zip(names, row, strict=True))

    def of(self, shopify_id: int) -> dict[str, Any]:
        """The one record of a customer in the CRM."""
        [(number,)] = self.sql("SELECT id FROM people WHERE shop_no = ?", str(shopify_id))
        return self.record(number)

    @property
    def stamp(self) -> str:
        """The CRM's clock."""
        return str(iso(self.moment)).removesuffix("Z").replace("T", " ")

    # ---- The shop ---------------------------------------------------------------------------------------------------

    def customer(self, number: int, **fields: Any) -> bytes:
        """A customer as Shopify tells of it now; our id."""
        self.moment += SECOND
        self.tea.apply(told(number, self.moment, fields, path=How.READ), now=self.moment)
        profile = self.tea.profile(number)
        assert profile is not None
        assert profile.customer_id is not None
        return profile.customer_id

    def own(self, customer: bytes) -> Mapping[str, Any]:
        """The owner's value of each field."""
        with self.tea.runtime.database.read() as db:
            return owned.load(db, self.tea.vault, [customer])[customer].fields

    # ---- Cycles -----------------------------------------------------------------------------------------------------

    def connect(self, policy: Policy | None = None, *, creates: bool = True, **more: Any) -> None:
        """Connect the CRM, with this policy."""
        where = {"url": f"sqlite:///{self.file}", "table": "people", "key": "id", "updated": "updated"}
        configuration = where | {"lookup": ["shop_no", "mail"]} | more
        box = systems.seal_configuration(self.tea.vault, self.system, configuration)
        with self.tea.runtime.database.write() as db:
            systems.add(
                db, self.tea.shop_id, self.system,
                {
                    "kind": "sql", "state": "active", "box": box, "creates": creates, "full_hours": 24,
                    "agreed_version": 0, "allowed": {}, "added_at": self.moment, "added_by": "user:test",
                    "changed_at": self.moment, "due_at": self.moment, "cycle_minutes": 15,
                },
            )  # fmt: skip
        if policy is not None or self.system == CRM:
            self.set(policy or policy_of(self.owned))

    def set(self, policy: Policy) -> None:
        """Put a policy in force."""
        with self.tea.runtime.database.write() as db:
            version = policies.of_shop(db, self.tea.shop_id).version + 1
            row = {"shop_id": self.tea.shop_id, "version": version, "at": self.moment, "set_by": "user:test"}
            db.execute(insert(policy_table).values(**row, document=to_document(policy)))

    def cycle(self, **asked: Any) -> Run:
        """One cycle, to its end."""
        self.moment += SECOND
        with self.tea.runtime.database.write() as db:
            runtime, shop = self.tea.runtime, self.tea.shop_id
            run_id = cycling.queue(runtime, db, shop, self.system, "user:test", self.moment, **asked)
        return self.carry_out(run_id)

    def carry_out(self, run_id: str) -> Run:
        """Carry a queued cycle out, or one that another worker left in the middle."""
        with self.tea.runtime.database.write() as db:
            run = runs.begin(db, run_id, self.moment)
        return cycling.carry_out_cycle(self.tea.runtime, run, self.slept.append)

    def take_over(self) -> Run:
        """Carry the cycle out whose process has died, as the next worker does."""
        with self.tea.runtime.database.read() as db:
            left = next(run for run in runs.newest(db, 10) if run.kind == f"cycle {self.system}" and not run.over)
        return self.carry_out(left.id)

    def undo(self, run: Run) -> Run:
        """Take back what a cycle wrote; the system stands still from then on."""
        runtime = self.tea.runtime
        with runtime.database.write() as db:
            undo_id = undoing.queue(runtime, db, run.id, "user:test", self.moment)
        with runtime.database.write() as db:
            begun = runs.begin(db, undo_id, self.moment)
        return undoing.carry_out_undo(runtime, begun)

    def resume(self) -> None:
        """Let a paused system go on."""
        with self.tea.runtime.database.write() as db:
            systems.change(db, self.tea.shop_id, self.system, self.moment, state="active")

    def joined(self, policy: Policy | None = None, **fields: Any) -> tuple[bytes, int]:
        """One customer, whom the CRM has been told of: our id, and that of the record."""
        customer = self.customer(101, **ANN | fields)
        self.connect(policy)
        assert self.agree().state is RunState.DONE
        return customer, int(self.of(101)["id"])

    def marks(self, system: str | None = None) -> list[str]:
        """The fields that a system is still to be told of."""
        with self.tea.runtime.database.read() as db:
            shop = self.tea.shop_id
            return [each.field for each in of_system(db, shop, system or self.system)]

    def parked(self) -> list[tuple[str, str, str]]:
        """The values that had nowhere to go: system, field and reason."""
        with self.tea.runtime.database.read() as db:
            return [(each.system, each.field, each.reason) for each in parked.listed(db, self.tea.shop_id, 100)]

    def answer(self, words: str) -> str:
        """Answer the one question that waits."""
        runtime = self.tea.runtime
        with runtime.database.write() as db:
            [question] = questions.waiting(db, 10)
            answered = questions.answer(db, question.id, words, "user:test", "since it is so", self.moment)
            return carry_out_answer(db, runtime.vault, answered, self.moment)

    def agree(self) -> Run:
        """The first cycle, the answer that it asks for, and the cycle that writes."""
        first = self.cycle()
        if first.reason is None:
            return first
        self.answer("go on")
        with self.tea.runtime.database.write() as db:
            # An answer makes the next cycle due at once; which cycles there are is for the test to say.
            systems.change(db, self.tea.shop_id, self.system, self.moment, due_at=None)
        return self.cycle()


def policy_of(crm_owns: frozenset[str] = frozenset({"custom.tier"}), **more: FieldMap) -> Policy:
    """Shopify owns every field but these, and the CRM is told of the rest."""
    owners = dict.fromkeys(FIELDS, SHOPIFY) | dict.fromkeys(crm_owns, CRM)
    maps = {
        name: FieldMap(remote=there, direction=Direction.IN if name in crm_owns else Direction.OUT)
        for name, there in REMOTE.items()
    }
    fields = {name: FieldRule(owner=owner) for name, owner in owners.items()}
    return Policy(fields=fields, systems={CRM: maps | more})


@pytest.fixture
def beside(tea: Tea, tmp_path: Path, now: Instant) -> Crm:
    """The tea shop's CRM, not connected yet."""
    made = Crm(tea, tmp_path / "crm.db", now)
    made.sql(TABLE)
    tea.runtime.now = lambda: made.moment
    return made


def shared_note(conflict: Conflict, owner: str = CRM, writers: tuple[str, ...] = (SHOPIFY,)) -> Policy:
    """The note may be written by the CRM and by Shopify, and this is done where both do at once."""
    made = policy_of(note=FieldMap(remote="remarks", direction=Direction.BOTH))
    shared = Shared(writers=writers, conflict=conflict, same_identity_rule=True, extra_work_accepted_by="the shop")
    return replace(made, fields=dict(made.fields) | {"note": FieldRule(owner=owner, shared=shared)})


def once_before(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, act: Callable[[], object]) -> None:
    """Have something happen in the world just before this step of a cycle, once."""
    real = getattr(where, name)

    def instead(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(where, name, real)
        act()
        return real(*given, **named)

    monkeypatch.setattr(where, name, instead)
