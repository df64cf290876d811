"""Opening a database: SQLite by one library only, or PostgreSQL; one transaction at a time, and who may wait for whom.

Two SQLite libraries on one file in one process corrupt it, and SQLite before 3.51.3 can lose a WAL at a checkpoint
(sqlite.org/wal.html#walresetbug). So `pysqlite3`, which brings its own SQLite, is the only library that opens our
files, in our engine and in that of the durable jobs alike, and its version is checked when a database is opened.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from onewriter.errors import BadSetting, DatabaseBusy

SQLITE_OLDEST = (3, 51, 3)
SQLITE_ERROR = 1
"""SQLite's code for a mistake in the statement; its other codes of this kind tell of locks, disks and files."""
BUSY_MS = 30_000
CACHE_KIB = 32_768
POOL_SIZE = 12
EXCLUSIVE_WAIT_S = 120.0
"""Longer than whoever holds a named lock may wait for the network."""
EXCLUSIVE_STEP_S = 0.02

_LOCK_TIMEOUT = text("SELECT set_config('lock_timeout', :most_ms, false)")
_LOCK = text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")


class Database:
    """One database of ours. `write` is the only way to change it and the only place that commits."""

    def __init__(self, url: str, *, busy_ms: int = BUSY_MS) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url, busy_ms) if self.is_sqlite else _postgres_engine(url)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; it commits when the block ends without raising.

        On SQLite it takes the one write lock at once, so that it can never fail half-way for want of it. A database
        that is locked, full or gone raises DatabaseBusy, and nothing of the block remains.
        """
        with _translated(), self.engine.connect() as connection:
            connection = connection.execution_options(onewriter_mode="IMMEDIATE")
            with connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. On SQLite it never waits for a writer, and no writer waits for it."""
        with _translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees everything as it was at one moment, however long it takes."""
        with _translated(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def outside(self) -> Iterator[Connection]:
        """A connection in no transaction, for the few statements that can be in none."""
        with _translated(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT", onewriter_mode="NONE")

    @contextmanager
    def exclusive(self, name: str, *, wait_s: float = EXCLUSIVE_WAIT_S) -> Iterator[None]:
        """Hold the lock of that name against every thread and process that works with this database.

        It is no transaction, so that whoever holds it may wait for the network while others read and write. It ends
        with its process. Raises DatabaseBusy when others hold it for longer than `wait_s`.
        """
        held = self._locked_file(name, wait_s) if self.is_sqlite else self._locked_session(name, wait_s)
        with held:
            yield

    @contextmanager
    def _locked_file(self, name: str, wait_s: float) -> Iterator[None]:
        until = time.monotonic() + wait_s
        try:
            # Opened anew each time, since two who share one open file do not lock each other out. The file stays: if
            # it were removed, somebody could hold the lock on the removed one.
            file = Path(f"{self.file}.{name}.lock").open("ab")  # noqa: SIM115 - closed below
        except OSError as error:
            raise DatabaseBusy(f"The lock file beside the database cannot be opened ({error.strerror}).") from None
        with file:
            while not _lock_at_once(file.fileno()):
                if time.monotonic() > until:
                    raise DatabaseBusy("Others hold a lock for too long; is one of their processes stopped?")
                time.sleep(EXCLUSIVE_STEP_S)
            yield

    @contextmanager
    def _locked_session(self, name: str, wait_s: float) -> Iterator[None]:
        with _translated():
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            # Taken out of the pool: closing it really ends the session, and the lock with it, whatever went wrong.
            connection.detach()
            with _translated():
                connection.execute(_LOCK_TIMEOUT, {"most_ms": str(round(wait_s * 1000))})
                connection.execute(_LOCK, {"name": f"onewriter {name}"})
            yield
        finally:
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _lock_at_once(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Standing:
    """A connection that stays open, for work that is one statement each time and is asked for without a pause.

    On PostgreSQL such a statement is its own transaction, so that a commit costs one round trip instead of four. On
    SQLite it is a transaction like any other: there are no round trips to save.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection for exactly one statement; it is on disk when the block ends without raising."""
        if self._database.is_sqlite:
            with self._database.write() as connection:
                yield connection
            return
        try:
            with _translated():
                yield self._opened()
        except BaseException:
            # Whatever went wrong, the next statement begins on a connection that is known to be well.
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next statement opens another."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._connection


def jobs_engine(url: str) -> Engine:
    """The engine for the durable jobs' own tables, in the same database by the same library.

    They begin their transactions themselves; an engine that emits BEGIN IMMEDIATE on its own breaks their launch, so
    on SQLite the driver's own `isolation_level` does it.
    """
    if make_url(url).get_backend_name() != "sqlite":
        return _postgres_engine(url)
    engine = create_engine(url, module=sqlite, pool_size=POOL_SIZE)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        _set_pragmas(connection, BUSY_MS)

    return engine


def _sqlite_engine(url: str, busy_ms: int) -> Engine:
    if sqlite.sqlite_version_info < SQLITE_OLDEST:
        raise BadSetting(f"SQLite {sqlite.sqlite_version} can corrupt a database; install pysqlite3 0.6.1 or newer.")
    engine = create_engine(url, module=sqlite, pool_size=POOL_SIZE)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        _set_pragmas(connection, busy_ms)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("onewriter_mode", "DEFERRED")
        if mode == "NONE":
            return
        connection.exec_driver_sql(f"BEGIN {mode}")

    return engine


def _set_pragmas(connection: Any, busy_ms: int) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={busy_ms}")
    # Both stay with the file, and setting them again would wait for whoever is writing. auto_vacuum only takes effect
    # before the first table is made.
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        cursor.execute("PRAGMA auto_vacuum=INCREMENTAL")
        cursor.execute("PRAGMA journal_mode=WAL")
    for pragma in (
        # NORMAL would not reach the disk at each commit, and a delivery that is acknowledged must be on disk.
        "synchronous=FULL",
        "foreign_keys=ON",
        # Pages that every batch touches, such as those of the index of names, reach the file once in a while and not
        # after each thousand pages of the log.
        "wal_autocheckpoint=8000",
        # Overwrites what is deleted, so that a purged value does not linger in free pages.
        "secure_delete=ON",
        f"cache_size=-{CACHE_KIB}",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _postgres_engine(url: str) -> Engine:
    full = make_url(url).set(drivername="postgresql+psycopg")
    # A server that is frozen or cut off must be told from one that is busy, or the door would wait for ever.
    patience = {"connect_timeout": 5, "tcp_user_timeout": 15_000}
    return create_engine(full, pool_size=POOL_SIZE, pool_pre_ping=True, pool_timeout=30, connect_args=patience)


def is_outage(error: BaseException | None) -> bool:
    """True if the database was locked, full or gone, whatever it was that we asked of it.

    An error that came of handling another is looked through: SQLite undoes a whole transaction when the disk is full,
    and what is told of then is only that its savepoint is missing.
    """
    while error is not None:
        if isinstance(error, OperationalError):
            # SQLite says so too of a statement that can never work, such as one for a table that is not there.
            if getattr(error.orig, "sqlite_errorcode", None) != SQLITE_ERROR:
                return True
        elif isinstance(error, DBAPIError) and error.connection_invalidated:
            return True
        error = error.__context__
    return False


@contextmanager
def _translated() -> Iterator[None]:
    """The one place where a driver's error becomes ours.

    The driver's own message is left out: it can hold the parameters of the statement.
    """
    try:
        yield
    except DBAPIError as error:
        if not is_outage(error):
            raise
        raise DatabaseBusy(f"The database cannot take it now ({type(error.orig).__name__}).") from None


class DoorBell:
    """Lets the door tell bulk work, in another process, that a delivery waits for SQLite's one write lock.

    The door holds an operating-system lock on a file while it waits. Such a lock ends with its process, so a door that
    is killed never leaves bulk work waiting.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock while waiting for the database and writing to it."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def rings(self) -> bool:
        """True while the door waits."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return False

    def give_way(self, *, most_s: float = 0.25, step_s: float = 0.002) -> None:
        """Pause between two batches while the door waits, but not for ever: a busy door must not starve bulk work."""
        deadline = time.monotonic() + most_s
        while self.rings() and time.monotonic() < deadline:
            time.sleep(step_s)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
