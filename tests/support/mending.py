"""A shop in its sandbox and a CRM beside it, with everything between them as it runs: for cases that are mended."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from onewriter.audit import cases
from onewriter.audit.cases import Case
from onewriter.customers import policies, runs, systems
from onewriter.customers.runs import Run
from onewriter.records import RunState
from onewriter.rules.policy import FieldMap, Policy
from onewriter.runtime import Runtime, now
from onewriter.workflows import auditing, carrying, cycling, fixing, proving, reconciling
from onewriter.workflows.fixing import Doing
from onewriter.workflows.proving import Standing
from tests.support.crm import CRM, TABLE, Crm, policy_of
from tests.support.joined import Joined, joined

USER = "user:test"


@dataclass
class Mending:
    """The two, and what a person does about their cases."""

    shop: Joined
    crm: Crm

    @property
    def runtime(self) -> Runtime:
        return self.shop.runtime

    @property
    def ids(self) -> Sequence[int]:
        """The shop's customers, by Shopify's number."""
        numbers: Sequence[int] = self.shop.shop.ids
        return numbers

    # ---- Runs, each carried out as a worker does ----------------------------------------------------------------

    def carry_out(self, run_id: str) -> Run:
        carrying.carry_out(self.runtime, run_id)
        with self.runtime.database.read() as db:
            return runs.get(db, run_id)

    def cycle(self, **asked: Any) -> Run:
        with self.runtime.database.write() as db:
            run_id = cycling.queue(self.runtime, db, self.shop.shop_id, CRM, USER, now(), **asked)
        return self.carry_out(run_id)

    def agree(self) -> None:
        """The cycle that asks before it writes by new rules, the answer, and the cycle that writes."""
        assert self.cycle().state is RunState.PARTIAL
        self.crm.moment = now()
        self.crm.answer("go on")
        with self.runtime.database.write() as db:
            systems.change(db, self.shop.shop_id, CRM, now(), due_at=None)
        assert self.cycle().state is RunState.DONE

    def reconcile(self, **asked: Any) -> Run:
        with self.runtime.database.write() as db:
            run_id = reconciling.queue(self.runtime, db, self.shop.shop_id, USER, now(), **asked)
        return self.carry_out(run_id)

    def audit(self) -> list[Case]:
        """The cases that are open when an audit has ended."""
        with self.runtime.database.write() as db:
            run_id = auditing.queue(self.runtime, db, self.shop.shop_id, CRM, USER, now())
        assert self.carry_out(run_id).state is RunState.DONE
        with self.runtime.database.read() as db:
            return cases.listed(db, self.shop.shop_id, 100)

    def pass_all(self) -> None:
        """A full cycle of everything."""
        assert self.cycle().state is RunState.DONE
        assert self.reconcile().state is RunState.DONE

    # ---- People -----------------------------------------------------------------------------------------------

    def record(self, number: int) -> int:
        """The CRM's number of a customer."""
        return int(self.crm.of(number)["id"])

    def edit(self, number: int, **fields: Any) -> None:
        """Somebody edits a customer in the shop, and we hear of it."""
        self.shop.shop.update(number, **fields)
        self.shop.follow()

    def doing(self, action: str, number: int = 1, **more: Any) -> Doing:
        return Doing(number=number, action=action, by=USER, why="as agreed", now=now(), **more)

    def done(self, number: int = 1) -> Case:
        """Somebody has mended it elsewhere."""
        return fixing.say_done(self.runtime, self.shop.shop_id, self.doing(fixing.DONE, number))

    def map(self, name: str, *, override: str | None = None, **more: Any) -> Case:
        """Somebody mends the mapping from the case."""
        doing = self.doing("map", override=override)
        return fixing.set_policy(self.runtime, self.shop.shop_id, doing, mapped(self.policy, name, **more))

    def map_by_hand(self, name: str, **more: Any) -> None:
        """Somebody changes the mapping, and thinks of no case."""
        with self.runtime.database.write() as db:
            policies.save(db, self.shop.shop_id, mapped(self.policy, name, **more), USER, None, now())

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        with self.runtime.database.read() as db:
            return policies.of_shop(db, self.shop.shop_id)

    def case(self, number: int = 1) -> Case:
        with self.runtime.database.read() as db:
            return cases.get(db, self.shop.shop_id, number)

    def standing(self, number: int = 1) -> Standing:
        return proving.standing(self.runtime, self.shop.shop_id, number)

    def look(self, number: int = 1) -> Standing:
        return proving.look(self.runtime, self.shop.shop_id, number)

    def checks(self, number: int = 1) -> dict[str, str]:
        """What became of each check that is needed."""
        found = {each.proof.name.value: each.proof.state.value for each in self.standing(number).checks}
        return {name: state for name, state in found.items() if state != "not needed"}

    def steps(self, number: int = 1) -> list[str]:
        with self.runtime.database.read() as db:
            return [each.step for each in cases.story(db, self.shop.shop_id, number)]

    def told(self, step: str, number: int = 1) -> str:
        """What the story of a case tells of the newest such step."""
        with self.runtime.database.read() as db:
            return [each.told for each in cases.story(db, self.shop.shop_id, number) if each.step == step][-1]


def mapped(policy: Policy, name: str, **more: Any) -> Policy:
    """The policy, with one field of the CRM's mapped otherwise."""
    maps = dict(policy.systems[CRM])
    maps[name] = replace(maps[name], **more) if name in maps else FieldMap(**more)
    return replace(policy, systems={**policy.systems, CRM: maps})


@contextmanager
def mending(runtime: Runtime, folder: Path, policy: Policy | None = None, many: int = 6) -> Iterator[Mending]:
    """A shop of so many customers whom the CRM knows and agreed to."""
    with joined(runtime, many) as shop:
        shop.carry_out()
        crm = Crm(shop, folder / "crm.db", now())  # type: ignore[arg-type]
        crm.sql(TABLE)
        crm.connect(policy or policy_of())
        both = Mending(shop, crm)
        both.agree()
        yield both


@pytest.fixture
def both(runtime: Runtime, tmp_path: Path) -> Iterator[Mending]:
    """A shop and its CRM."""
    with mending(runtime, tmp_path) as found:
        yield found
