"""What the tests of erasing seek with does find what is left of a deleted row, until it is cleaned."""

import os

import pytest
from sqlalchemy import text

from onewriter.db.cleaning import clean
from onewriter.runtime import Runtime
from tests.support.remnants import remnants

SECRETS = {"box": b"canary of a box.", "token": b"canary of a tokn"}


@pytest.fixture
def held(runtime: Runtime) -> Runtime:
    """A database with a table of boxes and tokens, one row of which is known."""
    kind = "BLOB" if runtime.database.is_sqlite else "BYTEA"
    rows = [{"id": number, "box": os.urandom(300), "token": os.urandom(16)} for number in range(100)]
    with runtime.database.write() as db:
        db.execute(text(f"CREATE TABLE held (id INTEGER PRIMARY KEY, box {kind}, token {kind})"))
        db.execute(text("CREATE INDEX ix_held_token ON held (token)"))
        db.execute(text("INSERT INTO held VALUES (:id, :box, :token)"), [*rows[:50], {"id": 200} | SECRETS, *rows[50:]])
    return runtime


def test_a_row_that_is_there_is_found_with_its_entry_in_the_index(held: Runtime) -> None:
    found = remnants(held.database, SECRETS)
    assert {line.split(" in ")[0] for line in found} == SECRETS.keys()
    if not held.database.is_sqlite:
        assert sorted(found) == ["box in held", "token in held", "token in ix_held_token"]


def test_a_deleted_row_is_found_until_it_is_cleaned(held: Runtime) -> None:
    with held.database.write() as db:
        db.execute(text("DELETE FROM held WHERE id = 200"))
    assert remnants(held.database, SECRETS), "in the log of SQLite, and in the pages of PostgreSQL"
    assert clean(held.database, ["held"])
    assert remnants(held.database, SECRETS) == []


def test_what_would_be_found_by_chance_is_not_sought(held: Runtime) -> None:
    with pytest.raises(AssertionError, match="found by chance"):
        remnants(held.database, {"number": b"1234567"})
