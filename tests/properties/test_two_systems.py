"""Several systems edited at once: no owner's value is ever lost, nothing goes round in circles, and all end in step.

A history is any mixture of edits in two systems and in Shopify, cycles of either, and things that go wrong in them: a
system that is down, one that answers nothing after it has written, and a process that dies between a write and what it
would have written down about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onewriter.customers import parked
from onewriter.customers.runs import Run
from onewriter.records import FIELDS, SHOPIFY, Instant, RunState
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy, Shared
from tests.support.crm import TABLE, Crm
from tests.support.faulty import Died
from tests.support.shops import Tea

OWNERS = {"first_name": SHOPIFY, "note": SHOPIFY, "custom.tier": "crm", "custom.label": "erp"}
COLUMNS = {
    "shopify_id": "shop_no", "email": "mail", "first_name": "first", "note": "remarks", "custom.tier": "tier",
    "custom.label": "labels",
}  # fmt: skip
EDITED = ("first_name", "note", "custom.tier", "custom.label")
FAULTS = ("none", "down", "lost", "dies before", "dies after")
VALUES = st.sampled_from(["", "a", "b", "Zoë", "ゆき"])

people = count(1_000)


@dataclass
class World:
    """The shop with its two systems."""

    crm: Crm
    erp: Crm
    faults: list[str]
    typed: set[str] = field(default_factory=set)
    """What was typed as the note in the ERP, which may write it too, and has it in capitals."""

    def play(self, history: Sequence[tuple[Any, ...]], customer: int, values: dict[str, str]) -> None:
        for act, *what in history:
            self.tick()
            if act == "edit":
                where, name, value = what
                self.edit(customer, where, name, value, values)
            else:
                self.cycle(self.crm if act == "crm" else self.erp, str(what[0]))

    def tick(self) -> None:
        self.erp.moment = self.crm.moment = self.crm.moment + 1_000_000

    def edit(self, customer: int, where: str, name: str, value: str, values: dict[str, str]) -> None:
        """Somebody edits a field: its owner, whose word counts, or another, whose word must not."""
        if where == OWNERS[name]:
            values[name] = value
        if where == SHOPIFY:
            if OWNERS[name] == SHOPIFY:
                told = {each: values.get(each) or None for each, owner in OWNERS.items() if owner == SHOPIFY}
                self.crm.customer(customer, email=f"p{customer}@example.com", last_name="Lee", **told)
                self.erp.moment = self.crm.moment
            return
        system = self.crm if where == "crm" else self.erp
        for number in system.sql("SELECT id FROM people WHERE shop_no = ?", str(customer)):
            system.edit(int(number[0]), **{COLUMNS[name]: value})
        if system is self.erp and name == "note":
            self.typed.add(loud(value))
        if where == OWNERS[name] and not system.sql("SELECT id FROM people WHERE shop_no = ?", str(customer)):
            values.pop(name, None)

    def cycle(self, system: Crm, fault: str = "none", **asked: Any) -> Run:
        """A cycle, in which that goes wrong; one whose process died is taken up by the next worker."""
        self.faults[:] = [fault]
        self.tick()
        try:
            return system.cycle(**asked)
        except Died:
            return self.take_over(system)

    def take_over(self, system: Crm) -> Run:
        self.faults.clear()
        return system.take_over()

    def settle(self) -> None:
        """Cycles without a fault, until one has nothing to do; a handful must do, or something goes in circles."""
        for _round in range(5):
            ended = [self.cycle(system, full=True) for system in (self.crm, self.erp)]
            assert all(run is not None and run.state is RunState.DONE for run in ended), [
                run and run.reason for run in ended
            ]
            if not any((run.checkpoint["wrote"]["in"] or run.checkpoint["wrote"]["out"]) for run in ended):
                return
        raise AssertionError("it goes on writing")

    def held(self, system: Crm, customer: int) -> dict[str, str]:
        row = system.of(customer)
        return {name: row[COLUMNS[name]] or "" for name in EDITED}


@pytest.fixture
def world(tea: Tea, tmp_path: Path, now: Instant, faults: list[str]) -> World:
    crm = Crm(tea, tmp_path / "crm.db", now)
    erp = Crm(tea, tmp_path / "erp.db", now, system="erp")
    tea.runtime.now = lambda: crm.moment
    for system in (crm, erp):
        system.sql(TABLE)
    for number, when in enumerate(("INSERT ON people", "UPDATE OF remarks ON people")):
        erp.sql(
            f"CREATE TRIGGER loud{number} AFTER {when} BEGIN "
            "UPDATE people SET remarks = upper(new.remarks) WHERE id = new.id; END"
        )
    crm.connect(policy())
    erp.connect()
    # Somebody has to be there who is linked: of nobody nothing is asked, and nothing agreed to.
    crm.customer(999, email="first@example.com", first_name="First", last_name="Lee")
    erp.moment = crm.moment
    crm.agree()
    erp.moment = crm.moment
    erp.agree()
    return World(crm, erp, faults)


def policy() -> Policy:
    """Each of three systems owns something, and all is told to both of the others; the note the ERP may write too."""
    fields = {name: FieldRule(owner=SHOPIFY) for name in FIELDS}
    fields |= {name: FieldRule(owner=owner) for name, owner in OWNERS.items()}
    shared = Shared(
        writers=("erp",), conflict="newest wins", same_identity_rule=True, extra_work_accepted_by="the shop"
    )
    fields["note"] = FieldRule(owner=SHOPIFY, shared=shared)

    def maps(system: str) -> dict[str, FieldMap]:
        return {
            name: FieldMap(remote=there, direction=Direction.IN if OWNERS.get(name) == system else Direction.OUT)
            for name, there in COLUMNS.items()
        }

    both = {"note": FieldMap(remote=COLUMNS["note"], direction=Direction.BOTH)}
    return Policy(fields=fields, systems={"crm": maps("crm"), "erp": maps("erp") | both})


def loud(text: str) -> str:
    """The text as the ERP keeps it: its database knows the capitals of ASCII alone."""
    return "".join(each.upper() if each.isascii() else each for each in text)


EDIT = st.tuples(st.just("edit"), st.sampled_from([SHOPIFY, "crm", "erp"]), st.sampled_from(EDITED), VALUES)
CYCLE = st.tuples(st.sampled_from(["crm", "erp"]), st.sampled_from(FAULTS))


@pytest.mark.req("M22", "M13")
# Each example has a customer of its own, so that a shop which others have used is as good as a new one.
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_field_ends_as_its_owner_says_everywhere(world: World, data: st.DataObject) -> None:
    customer = next(people)
    values: dict[str, str] = {"first_name": "Ann", "note": ""}
    world.crm.customer(customer, email=f"p{customer}@example.com", last_name="Lee", first_name="Ann")
    for system in (world.crm, world.erp):
        world.cycle(system)
    world.typed.clear()
    world.play(data.draw(st.lists(st.one_of(EDIT, CYCLE), min_size=1, max_size=12)), customer, values)
    world.settle()
    wanted = {name: values.get(name, "") for name in EDITED}
    there = world.held(world.crm, customer)
    # Nobody but people wrote it: the capitals of the ERP stand for nothing but what was typed there.
    assert there["note"] in {wanted["note"], *world.typed}
    wanted["note"] = there["note"]
    assert there == wanted
    assert world.held(world.erp, customer) == wanted | {"note": loud(wanted["note"])}
    with world.crm.tea.runtime.database.read() as db:
        waiting = parked.listed(db, world.crm.tea.shop_id, 1000)
    assert [each for each in waiting if OWNERS[each.field] == each.system] == [], "no owner's own value is parked"
    quiet = world.cycle(world.crm)
    assert quiet.checkpoint["wrote"] == {"in": {}, "out": {}}
