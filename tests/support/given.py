"""Files of customers that a person gives the tea shop, and their imports run to the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from onewriter.customers import policies, runs, systems
from onewriter.customers.runs import Run
from onewriter.intake import csv_check
from onewriter.intake.csv_check import Checked
from onewriter.records import FIELDS, SHOPIFY
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy
from onewriter.workflows import files
from onewriter.workflows.files import Given
from tests.support.crm import Crm

NAME = "csv"
TIER = "custom.tier"


@dataclass
class Files:
    """The tea shop, and the system that its files count as."""

    beside: Crm
    folder: Path

    def write(self, text: str, encoding: str = "utf-8") -> Path:
        """A file with this text."""
        path = self.folder / "people.csv"
        path.write_bytes(text.encode(encoding))
        return path

    def rows(self, *rows: Sequence[str]) -> Path:
        """A file of these rows, none of which needs quotes."""
        return self.write("".join(",".join(row) + "\n" for row in rows))

    def queue(self, path: Path, *, allow: int | None = 100, columns: Mapping[str, str] | None = None) -> str:
        """Queue its import; the run's id."""
        self.beside.moment += 1_000_000
        given = Given(str(path), files.digest_of(path), columns or {}, None, allow)
        runtime, tea = self.beside.tea.runtime, self.beside.tea
        with runtime.database.write() as db:
            return files.queue(runtime, db, tea.shop_id, NAME, given, "user:test", self.beside.moment)

    def carry_out(self, run_id: str) -> Run:
        """Carry an import out, or one that another worker left in the middle."""
        runtime = self.beside.tea.runtime
        with runtime.database.write() as db:
            run = runs.begin(db, run_id, self.beside.moment)
        return files.carry_out_file(runtime, run)

    def imported(self, path: Path, *, allow: int | None = 100) -> Run:
        """Its import, to the end."""
        return self.carry_out(self.queue(path, allow=allow))

    def checked(self, path: Path, columns: Mapping[str, str] | None = None) -> Checked:
        """What its import would do."""
        tea, runtime = self.beside.tea, self.beside.tea.runtime
        with runtime.database.read() as db:
            policy, system = policies.of_shop(db, tea.shop_id), systems.get(db, tea.shop_id, NAME)
        rows = files.rows_of(path, policy, NAME, columns or {}, None)
        reading = files.reading_of(runtime, system, policy, rows, None)
        return csv_check.check(runtime.database, reading, rows, self.beside.moment)


def policy_of(*owns: str) -> Policy:
    """Shopify owns every field but these, which the file's system owns."""
    owners = dict.fromkeys(FIELDS, SHOPIFY) | dict.fromkeys((TIER, *owns), NAME)
    maps = {name: FieldMap(remote=name, direction=Direction.IN) for name in (TIER, *owns)}
    return Policy(fields={name: FieldRule(owner=owner) for name, owner in owners.items()}, systems={NAME: maps})


@pytest.fixture
def given(beside: Crm, tmp_path: Path) -> Files:
    """The shop with a system for files, which owns the tier."""
    tea, moment = beside.tea, beside.moment
    box = systems.seal_configuration(tea.vault, NAME, {})
    row = {"kind": "file", "state": "active", "box": box, "creates": False, "full_hours": 24, "agreed_version": 0}
    row |= {"allowed": {}, "added_at": moment, "added_by": "user:test", "changed_at": moment}
    with tea.runtime.database.write() as db:
        systems.add(db, tea.shop_id, NAME, row)
    beside.set(policy_of())
    return Files(beside, tmp_path)
