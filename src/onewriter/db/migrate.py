"""Bringing a database up to the newest schema, by Alembic.

Every command looks whether there is anything to do, and nearly never is there: looking needs no Alembic, whose import
and whose reading of every migration would take a third of the time of a short command.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlalchemy import Connection, MetaData, inspect, text

from onewriter.db import keytables, webtables
from onewriter.db.engine import Database

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

Chain = Literal["main", "keys"]

METADATA: dict[Chain, MetaData] = {"main": webtables.metadata, "keys": keytables.metadata}
FOLDER = Path(__file__).parent / "migrations"

_REVISION = text("SELECT version_num FROM alembic_version")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('onewriter migrations'))")


def configuration(chain: Chain) -> "Config":
    """Alembic's configuration of one chain of migrations."""
    from alembic.config import Config

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
    from alembic import command

    config = configuration(chain)
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def revision(database: Database) -> str | None:
    """The revision that the database is at; None before the first."""
    with database.read() as connection:
        return revision_of(connection)


@cache
def newest(chain: Chain) -> str:
    """The newest revision of the chain: the number with which the name of its last migration begins.

    It is looked up once: what is installed stays as it is under a process.
    """
    return max(each.name.partition("_")[0] for each in (FOLDER / chain).glob("[0-9]*.py"))


def script_of(chain: Chain) -> "ScriptDirectory":
    """The migrations of the chain."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(configuration(chain))


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at, in the caller's transaction."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(_REVISION).scalar()
    return revision
