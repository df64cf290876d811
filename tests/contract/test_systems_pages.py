"""The examples on the pages of docs/systems are what they say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2 as sqlite

from onewriter.connectors.conformance import run
from onewriter.connectors.csv_folder import CsvFolder
from onewriter.connectors.csv_settings import SPEC as CSV_SPEC
from onewriter.connectors.interface import Applied, FieldPatch, Record, Wanted
from onewriter.connectors.sql import SqlTable
from onewriter.connectors.sql_settings import SPEC as SQL_SPEC
from tests.support.tree import ROOT

PAGES = ROOT / "docs" / "systems"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("page", "spec"), [("sql.md", SQL_SPEC), ("csv.md", CSV_SPEC)])
def test_every_setting_is_on_the_page(page: str, spec: Any) -> None:
    listed = set(
        re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`.*?) \|", (PAGES / page).read_text(), re.MULTILINE)))
    )
    assert listed == set(spec["properties"])


def test_the_example_of_sql_works(tmp_path: Path) -> None:
    connection = sqlite.connect(tmp_path / "crm.db")
    connection.executescript(blocks("sql.md", "sql")[0])
    connection.close()
    configuration = json.loads(blocks("sql.md", "json")[0]) | {"url": f"sqlite:///{tmp_path}/crm.db"}
    connector = SqlTable().open(configuration, Wanted(("name", "email", "stage"), ("stage", "points")))
    assert connector.check() == []
    first = next(iter(connector.read(None)))
    assert isinstance(first, Record)
    assert first.fields == {"name": "Ann Lee", "email": "ann@example.org", "stage": "lead"}
    outcome = connector.write([FieldPatch(key="1", set={"stage": "client", "points": 120}, if_version=first.version)])[
        0
    ]
    assert isinstance(outcome, Applied)
    connector.close()


def test_the_view_over_a_child_works(tmp_path: Path) -> None:
    connection = sqlite.connect(tmp_path / "crm.db")
    connection.executescript(blocks("sql.md", "sql")[0])
    connection.executescript("CREATE TABLE mails (person INTEGER, address TEXT, updated_at TIMESTAMP);")
    connection.executescript(blocks("sql.md", "sql")[2])
    connection.executescript(
        "UPDATE people SET updated_at = '2026-01-01 00:00:00';"
        "INSERT INTO mails VALUES (1, 'a@example.org', '2026-01-01 00:00:00')"
    )
    configuration = {"url": f"sqlite:///{tmp_path}/crm.db", "table": "people_with_mail", "key": "id"}
    connector = SqlTable().open(configuration | {"updated": "updated_at"}, Wanted(("email",)))
    *_, state = connector.read(None)
    connection.executescript("UPDATE mails SET address = 'b@example.org', updated_at = '2026-02-01 00:00:00'")
    connection.close()
    record = next(iter(connector.read(state)))  # type: ignore[arg-type]
    assert isinstance(record, Record)
    assert record.fields == {"email": "b@example.org"}
    connector.close()


def test_the_example_of_csv_works(tmp_path: Path) -> None:
    (tmp_path / "customers-2026-03-02.csv").write_text(blocks("csv.md", "csv")[0])
    configuration = json.loads(blocks("csv.md", "json")[0]) | {"folder": str(tmp_path), "settle_s": 0}
    connector = CsvFolder().open(configuration, Wanted(("name", "points"), ("points",)))
    assert connector.check() == []
    assert [each.fields["name"] for each in connector.read(None) if isinstance(each, Record)] == ["Ann Lee", "Bea Roy"]
    assert isinstance(connector.write([FieldPatch(key="1002", set={"points": "40"})])[0], Applied)
    assert (tmp_path / "from-onewriter.csv").read_text() == "number;points\n1002;40\n"


def test_the_kind_of_your_own_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(blocks("your-own.md", "python")[0], names)
    found = list(run(names["Bottles"](), {}))
    assert [f"{each.name}: {each.detail}" for each in found if each.verdict == "failed"] == []
    assert len([each for each in found if each.verdict == "passed"]) >= 20
    names["SHELF"].clear()
    exec(blocks("your-own.md", "python")[1], names)
    assert "passed reading everything is complete" in capsys.readouterr().out
