"""Cycles of a folder of CSV files: the system takes our file up when it likes, and its exports lag behind it."""

import shutil
from pathlib import Path

import pytest

from onewriter.customers import systems
from onewriter.records import FIELDS, SHOPIFY, RunState
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy
from tests.support.crm import ANN, CRM, Crm

COLUMNS = {"shopify_id": "shop_no", "first_name": "first", "email": "mail"}


@pytest.fixture
def till(beside: Crm, tmp_path: Path) -> Crm:
    """A folder beside the tea shop, whose export is empty, and which Ann has been written for."""
    (tmp_path / "till.csv").write_text("id,shop_no,first,mail\n")
    configuration = {"folder": str(tmp_path), "read": "till.csv", "write": "told.csv", "key": "id", "settle_s": 0}
    box = systems.seal_configuration(beside.tea.vault, CRM, configuration | {"lookup": ["mail"]})
    row = {"kind": "csv", "state": "active", "box": box, "creates": True, "full_hours": 24, "agreed_version": 0}
    row |= {"allowed": {}, "added_at": beside.moment, "added_by": "user:test", "changed_at": beside.moment}
    with beside.tea.runtime.database.write() as db:
        systems.add(db, beside.tea.shop_id, CRM, row)
    maps = {name: FieldMap(remote=column, direction=Direction.OUT) for name, column in COLUMNS.items()}
    beside.set(Policy(fields=dict.fromkeys(FIELDS, FieldRule(owner=SHOPIFY)), systems={CRM: maps}))
    beside.customer(101, **ANN)
    assert beside.agree().state is RunState.DONE
    return beside


def wrote(till: Crm) -> dict[str, int]:
    run = till.cycle()
    assert (run.state, till.marks(), till.parked()) == (RunState.DONE, [], [])
    return dict(run.checkpoint["wrote"]["out"])


def test_what_changes_is_in_the_file_with_the_next_cycle_whatever_the_last_export_says(
    till: Crm, tmp_path: Path
) -> None:
    file, export = tmp_path / "told.csv", tmp_path / "till.csv"
    assert "Ann" in file.read_text()
    assert wrote(till) == {}, "nobody is gone, though no export has her yet"
    till.customer(101, **ANN | {"first_name": "Anna"})
    assert wrote(till) == {"first_name": 1}
    assert "Anna" in file.read_text()
    shutil.copyfile(file, export)
    assert wrote(till) == {}
    till.customer(101, **ANN | {"first_name": "Annie"})
    assert wrote(till) == {"first_name": 1}
    assert wrote(till) == {}, "the export is older than what was written, and no edit"
    assert "Annie" in file.read_text()


def test_what_the_next_export_says_otherwise_is_an_edit(till: Crm, tmp_path: Path) -> None:
    export = tmp_path / "till.csv"
    export.write_text((tmp_path / "told.csv").read_text().replace("Ann,", "Nan,"))
    assert till.cycle().state is RunState.DONE
    assert till.parked() == [(CRM, "first_name", "owned by shopify")]
    assert "Ann," in (tmp_path / "told.csv").read_text()
