"""Where a database lives: which server or disk, and by what version; for saying whether two of them fall together."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from onewriter.db.engine import Database
from onewriter.errors import DatabaseBusy


def version(database: Database) -> str:
    """The kind and version of the database; raises DatabaseBusy when it cannot be reached."""
    query = "SELECT sqlite_version()" if database.is_sqlite else "SHOW server_version"
    with database.read() as db:
        number = str(db.execute(text(query)).scalar_one())
    return f"{'SQLite' if database.is_sqlite else 'PostgreSQL'} {number}"


def same_cluster(one: Database, other: Database) -> bool:
    """True when both are databases of one PostgreSQL server, so that its backups hold both."""
    if one.is_sqlite or other.is_sqlite:
        return False
    return _address(one) == _address(other) or _cluster(one) == _cluster(other)


def same_volume(one: Database, other: Database) -> bool:
    """True when both are files on one disk, so that a copy of the disk holds both."""
    if one.file is None or other.file is None:
        return False
    return one.file.stat().st_dev == other.file.stat().st_dev


def _address(database: Database) -> tuple[str | None, int | None]:
    return database.url.host, database.url.port


def _cluster(database: Database) -> str:
    """The number that a server got when it was made, whatever address leads to it; not every role may ask."""
    try:
        with database.read() as db:
            return str(db.execute(text("SELECT system_identifier FROM pg_control_system()")).scalar_one())
    except (DBAPIError, DatabaseBusy):
        return str(database.url)
