"""Where a foreign database is, and how it is opened: gently, with limits, and never as one of ours."""

import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from onewriter.errors import BadSetting, SystemUnreachable

CONNECT_S = 5
STATEMENT_S = 120
"""Seconds after which a statement is given up: a page of a large table without an index takes some."""

DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}

OURS = frozenset({"shops", "inbox", "sides", "field_log"})
"""Tables that only a main database of ours has all of."""
OUR_KEYS = frozenset({"master_keys", "subject_keys", "shop_keys"})
"""Tables that only a key store of ours has all of."""


def place(text: str) -> URL:
    """The URL of a database that we can work with; raises BadSetting, without the URL, for any other."""
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise BadSetting(
            "The url of the database cannot be read; it begins like postgresql://USER@HOST/NAME."
        ) from None
    if backend not in DRIVERS:
        raise BadSetting(f"This kind of database is not supported; there are: {', '.join(sorted(DRIVERS))}.")
    if backend == "sqlite" and (not url.database or url.database == ":memory:" or url.database.startswith("file:")):
        raise BadSetting("The url of an SQLite database names a file: sqlite:////folder/file.db.")
    return url.set(drivername=DRIVERS[backend])


def engine(url: URL, lock_s: int) -> Engine:
    """An engine with one connection, which waits that many seconds for a lock; it is reached when first used."""
    match url.get_backend_name():
        case "sqlite":
            return _sqlite(url, lock_s)
        case "postgresql":
            return _postgres(url, lock_s)
        case _:
            return _mysql(url, lock_s)


def may_write_file(file: Path) -> bool:
    """Whether we may write to the file and make its journal beside it."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _sqlite(url: URL, lock_s: int) -> Engine:
    # The same library as for our own files: two of them in one process on one file corrupt it.
    file = Path(str(url.database)).absolute()

    def opened() -> Any:
        if not file.is_file():
            raise SystemUnreachable("There is no such SQLite file; is its path right, and its disk there?")
        mode = "rw" if may_write_file(file) else "ro"
        connection = sqlite.connect(f"file:{quote(str(file))}?mode={mode}", uri=True, timeout=lock_s)
        connection.isolation_level = None
        return connection

    made = create_engine("sqlite://", module=sqlite, creator=opened, poolclass=QueuePool, pool_size=1, max_overflow=1)

    @event.listens_for(made, "begin")
    def _begin(connection: Connection) -> None:
        # A write takes the lock at once, so that what it reads first stays true until it is done.
        mode = "IMMEDIATE" if connection.get_execution_options().get("onewriter_writes") else "DEFERRED"
        connection.exec_driver_sql(f"BEGIN {mode}")

    @event.listens_for(made, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys=ON")

    return made


def _postgres(url: URL, lock_s: int) -> Engine:
    patience = {"connect_timeout": CONNECT_S, "tcp_user_timeout": 15_000, "application_name": "onewriter"}
    made = create_engine(
        url, pool_size=1, max_overflow=1, pool_pre_ping=True, connect_args=patience, isolation_level="READ COMMITTED"
    )

    # Of what goes wrong we tell ourselves; its own lines name the host, the user and the database.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)

    @event.listens_for(made, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        for setting in (
            f"lock_timeout='{lock_s}s'",
            f"statement_timeout='{STATEMENT_S}s'",
            f"idle_in_transaction_session_timeout='{STATEMENT_S}s'",
            "timezone='UTC'",
        ):
            connection.execute(f"SET {setting}")
        connection.autocommit = False

    return made


def _mysql(url: URL, lock_s: int) -> Engine:
    patience = {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_S,
        "read_timeout": STATEMENT_S,
        "write_timeout": STATEMENT_S,
        "local_infile": False,
    }
    try:
        made = create_engine(
            url,
            pool_size=1,
            max_overflow=1,
            pool_pre_ping=True,
            connect_args=patience,
            isolation_level="READ COMMITTED",
        )
    except ModuleNotFoundError:
        raise BadSetting("The driver for MySQL is not installed: pip install 'onewriter[mysql]'.") from None

    @event.listens_for(made, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET time_zone='+00:00'")
            # Without it MySQL cuts what is too long and takes words for zero.
            cursor.execute("SET sql_mode=CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_ALL_TABLES')")
            cursor.execute(f"SET innodb_lock_wait_timeout={lock_s}, lock_wait_timeout={lock_s}")

    return made
