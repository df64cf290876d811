"""Bringing a database up to the newest schema: ours by Alembic, and the durable jobs' own tables beside them."""

from functools import cache
from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text

from onewriter.db import keytables, webtables
from onewriter.db.engine import Database

Chain = Literal["main", "keys"]

METADATA: dict[Chain, MetaData] = {"main": webtables.metadata, "keys": keytables.metadata}
FOLDER = Path(__file__).parent / "migrations"

_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('onewriter migrations'))")


def configuration(chain: Chain) -> Config:
    """Alembic's configuration of one chain of migrations."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("version_locations", str(FOLDER / chain))
    config.set_main_option("path_separator", "os")
    config.attributes["metadata"] = METADATA[chain]
    return config


def upgrade(database: Database, chain: Chain) -> None:
    """Bring the database to the newest schema in one transaction; one that is there already is not written to."""
    if revision(database) == newest(chain):
        return
    with database.write() as connection:
        if not database.is_sqlite:
            # SQLite's one write lock makes several who prepare wait for each other; here it takes a lock of our own.
            connection.execute(_ONE_AT_A_TIME)
        carry(connection, chain, "head")


def carry(connection: Connection, chain: Chain, to: str) -> None:
    """Bring the database up to that revision (or `head`) in the caller's transaction."""
    config = configuration(chain)
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def revision(database: Database) -> str | None:
    """The revision that the database is at; None before the first."""
    with database.read() as connection:
        return revision_of(connection)


@cache
def newest(chain: Chain) -> str | None:
    """The newest revision of the chain. It is looked up once: what is installed stays as it is under a process."""
    return script_of(chain).get_current_head()


def script_of(chain: Chain) -> ScriptDirectory:
    """The migrations of the chain."""
    return ScriptDirectory.from_config(configuration(chain))


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at, in the caller's transaction."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return MigrationContext.configure(connection).get_current_revision()
