"""Migrations: they add up to the tables, on both databases, and can be run by anybody at any time."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError

from onewriter.db import keytables, migrate
from onewriter.db.engine import Database
from onewriter.db.migrate import METADATA, Chain
from onewriter.errors import DatabaseBusy
from onewriter.runtime import Runtime
from onewriter.settings import load

CHAINS: tuple[Chain, ...] = ("main", "keys")


@pytest.fixture
def migrated(database_url: str) -> Iterator[Database]:
    """A new database that nobody has prepared yet."""
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def declared(keys_url: str) -> Iterator[Database]:
    """Another one, for what the tables say by themselves."""
    database = Database(keys_url)
    yield database
    database.close()


@pytest.fixture
def given(database_url: str, keys_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a new installation, for processes of its own."""
    return {
        "ONEWRITER_DATABASE_URL": database_url,
        "ONEWRITER_KEYSTORE_URL": keys_url,
        "ONEWRITER_DATA_DIR": str(tmp_path / "data"),
    }


def shape(database: Database) -> dict[str, Any]:
    """Columns, types, keys and indexes of every table, as the database itself tells them."""
    with database.read() as db:
        seen = inspect(db)
        names = [name for name in seen.get_table_names() if name != "alembic_version"]
        return {
            name: {
                "columns": [
                    (each["name"], str(each["type"]), each["nullable"], each.get("default"), each.get("autoincrement"))
                    for each in seen.get_columns(name)
                ],
                "primary key": seen.get_pk_constraint(name),
                "foreign keys": sorted(map(str, seen.get_foreign_keys(name))),
                "unique": sorted(map(str, seen.get_unique_constraints(name))),
                # The conditions of partial indexes are compared as they are written.
                "indexes": sorted(
                    str({key: value for key, value in each.items() if key != "dialect_options"})
                    for each in seen.get_indexes(name)
                ),
            }
            for name in names
        } | {"written": _written(database)}


def _written(database: Database) -> list[str]:
    """What SQLite keeps as text, such as AUTOINCREMENT and the condition of a partial index; PostgreSQL's indexes."""
    query = (
        "SELECT CASE type WHEN 'index' THEN sql ELSE name || ' counts upwards' END FROM sqlite_master"
        " WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite%'"
        " AND (type = 'index' OR sql LIKE '%AUTOINCREMENT%')"
        if database.is_sqlite
        else "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    with database.read() as db:
        return sorted(" ".join(line.split()) for line in db.execute(text(query)).scalars())


@pytest.mark.parametrize("chain", CHAINS)
def test_the_migrations_add_up_to_the_tables(migrated: Database, declared: Database, chain: Chain) -> None:
    migrate.upgrade(migrated, chain)
    with declared.write() as db:
        METADATA[chain].create_all(db)
    ours, theirs = shape(migrated), shape(declared)
    assert ours.keys() == theirs.keys() == {*METADATA[chain].tables, "written"}
    for name in theirs:
        assert ours[name] == theirs[name], name
    with migrated.read() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA[chain]) == []


@pytest.mark.parametrize("chain", CHAINS)
def test_the_newest_revision_is_what_the_migrations_themselves_say(chain: Chain) -> None:
    """Commands read it off the names of the files, since running each of them takes long."""
    assert migrate.newest(chain) == migrate.script_of(chain).get_current_head()


def test_the_shape_sees_what_matters(migrated: Database) -> None:
    """A positive control: each of these differences would be told."""
    migrate.upgrade(migrated, "main")
    before = shape(migrated)
    for change, table in (
        ("DROP INDEX uq_runs_active", "runs"),
        ("ALTER TABLE workers ADD COLUMN surplus TEXT", "workers"),
        ("CREATE UNIQUE INDEX once ON findings (reason)", "findings"),
        ("DROP INDEX ix_inbox_waiting", "written"),
        ("CREATE INDEX ix_inbox_waiting ON inbox (position) WHERE state = 'parked'", "written"),
    ):
        with migrated.write() as db:
            db.execute(text(change))
        assert shape(migrated)[table] != before[table], change


@pytest.mark.parametrize("chain", CHAINS)
def test_upgrading_twice_writes_nothing(migrated: Database, chain: Chain) -> None:
    assert migrate.revision(migrated) is None
    migrate.upgrade(migrated, chain)
    before = shape(migrated)
    with migrated.write() as db:  # holds the one write lock, or the tables' locks
        db.execute(text("UPDATE alembic_version SET version_num = version_num"))
        migrate.upgrade(migrated, chain)
    assert migrate.revision(migrated) == migrate.newest(chain)
    assert shape(migrated) == before


def test_a_migration_that_fails_leaves_nothing_behind(migrated: Database) -> None:
    with migrated.write() as db:
        db.execute(text("CREATE TABLE questions (id INTEGER)"))
    with pytest.raises((DatabaseBusy, DBAPIError)):
        migrate.upgrade(migrated, "main")
    assert migrate.revision(migrated) is None
    with migrated.read() as db:
        assert set(inspect(db).get_table_names()) - {"alembic_version"} == {"questions"}


def test_several_processes_may_prepare_one_installation_at_once(given: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    command = [sys.executable, "-P", "-m", "onewriter", "prepare", "--json"]
    others = [
        subprocess.Popen(command, env=given, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    told = [(other.communicate(timeout=60), other.returncode) for other in others]
    assert [code for _, code in told] == [0] * 4, told
    with Runtime(load(given, tmp_path)) as runtime:
        runtime.prepare()
        assert migrate.revision(runtime.database) == migrate.newest("main")
        with runtime.key_database.read() as db:
            assert len(db.execute(select(keytables.master_keys)).all()) == 1, "one master key, and everybody has it"


def test_preparing_what_is_up_to_date_waits_for_no_writer(runtime: Runtime) -> None:
    """Every command prepares, and one that only looks must not wait for an import."""
    with Runtime(runtime.settings) as other, ThreadPoolExecutor(1) as pool:
        with runtime.database.write(), runtime.key_database.write():
            done = pool.submit(other.prepare)
            wait([done], timeout=10)
            assert done.done()
        done.result()


def test_looking_whether_there_is_anything_to_migrate_loads_nothing_that_migrates(
    given: dict[str, str], tmp_path: Path
) -> None:
    """Every command looks, and loading it would take a third of the time of a short one."""
    with Runtime(load(given, tmp_path)) as runtime:
        runtime.prepare()
    program = "import atexit, sys; from onewriter.cli import main; "
    program += "atexit.register(lambda: print('alembic' in sys.modules)); main(['runs', 'list'])"
    command = [sys.executable, "-P", "-c", program]
    ran = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout.splitlines()[-1:]) == (0, ["False"]), ran.stderr
