"""The kind `sql` conforms, on a real file of SQLite's and on a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from onewriter.connectors.conformance import Result, run
from onewriter.connectors.sql import SqlTable
from tests.support.crm_tables import CrmTable, PostgresTable, SqliteTable

NOT_ON_SQLITE = {
    "wrong credentials are told",
    "clock that is off is told",
    "late commit behind the cursor is seen",
    "reading that breaks off raises",
    "lost answer is ambiguous until read back",
    "lost answer to a new record is looked up",
}
NOT_IN_A_TABLE = {"change of a child brings its record"}
"""A view that takes the later of both times does that; docs/systems/sql.md shows it."""


@pytest.fixture
def sqlite_table(tmp_path: Path) -> Iterator[SqliteTable]:
    table = SqliteTable(tmp_path / "crm.db")
    yield table
    table.close()


@pytest.fixture
def postgres_table(postgres_url: str) -> Iterator[PostgresTable]:
    table = PostgresTable(postgres_url)
    yield table
    table.close()


def outcome(table: CrmTable) -> dict[str, list[Result]]:
    """What the suite finds, by verdict."""
    found: dict[str, list[Result]] = {"passed": [], "failed": [], "not applicable": []}
    for result in run(SqlTable(table.clock), table.configuration, table):
        found[result.verdict].append(result)
    return found


@pytest.mark.contract
def test_a_file_of_sqlite_conforms(sqlite_table: SqliteTable) -> None:
    found = outcome(sqlite_table)
    assert [f"{each.name}: {each.detail}" for each in found["failed"]] == []
    assert {each.name for each in found["not applicable"]} == NOT_ON_SQLITE | NOT_IN_A_TABLE


@pytest.mark.contract
def test_a_table_of_postgresql_conforms(postgres_table: PostgresTable) -> None:
    found = outcome(postgres_table)
    assert [f"{each.name}: {each.detail}" for each in found["failed"]] == []
    assert {each.name for each in found["not applicable"]} == NOT_IN_A_TABLE
    assert postgres_table.proxy.lost >= 2, "the answers that the suite wanted lost were lost"
