"""What somebody reads who gets hold of a database without its keys: the files of SQLite, a dump of PostgreSQL."""

from typing import Any

import pytest
from sqlalchemy import text

from onewriter.db.engine import Database

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For a test of what only SQLite has, such as files and the one write lock."""
ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
"""For a test of what only PostgreSQL has, such as several writers and a server that ends connections."""


def raw_bytes(database: Database) -> bytes:
    """Every byte of the database: of its files with their logs, or of every column of every table."""
    if database.file is not None:
        return b"\n".join(path.read_bytes() for path in sorted(database.file.parent.glob(database.file.name + "*")))
    return b"\n".join(_dumped(database))


def _dumped(database: Database) -> list[bytes]:
    tables = text(
        "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
        " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    with database.read() as db:
        return [
            b"|".join(_bytes(value) for value in row)
            for name in db.execute(tables).scalars().all()
            for row in db.execute(text(f"SELECT * FROM {name}"))
        ]


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
