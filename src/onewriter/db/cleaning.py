"""Cleaning a database of what was deleted: the bytes that a deleted row leaves behind.

On SQLite, `secure_delete` overwrites freed cells, pages and overflow pages, and that is not all: when it balances its
trees, stale copies of cells stay in the unused middle of pages, and the log holds pages as they were before. So the
file is written anew and the log emptied; it was found by experiment that both are needed, and that both together leave
nothing. On PostgreSQL a deleted row stays in its page until VACUUM takes it out of the table and of every index.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from onewriter.db.engine import Database

AT_ONCE_MAX = 256 * 1024 * 1024
"""Bytes of a file that is written anew at any time: about a second, in which nothing else can be written."""
CHECKPOINT_WAIT_MS = 2000


def clean(database: Database, tables: Iterable[str], *, most_bytes: int | None = AT_ONCE_MAX) -> bool:
    """Clean what was deleted from these tables; False if something was left to do another time.

    A file of SQLite that is longer than `most_bytes` is left as it is, and only its log emptied; None is any length. It
    takes memory as long as the file. A reader in the middle of its work keeps the log from being emptied for now.
    """
    if not database.is_sqlite:
        with database.outside() as db:
            for name in tables:
                db.execute(text(f'VACUUM "{name}"'))
        return True
    is_short = most_bytes is None or _length(database) <= most_bytes
    with database.outside() as db:
        if is_short:
            db.exec_driver_sql("VACUUM")
        return _empty_log(db) and is_short


def _length(database: Database) -> int:
    return 0 if database.file is None else database.file.stat().st_size


def _empty_log(db: Connection) -> bool:
    """Empty the log; False while a reader needs it."""
    before = db.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    _set_patience(db, CHECKPOINT_WAIT_MS)
    try:
        busy, _pages, _moved = db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    finally:
        _set_patience(db, before)
    return not busy


def _set_patience(db: Connection, most_ms: int) -> None:
    db.exec_driver_sql(f"PRAGMA busy_timeout={most_ms}").all()
