"""The bare driver: the baseline of whatever writes rows, with the same tables, indexes and settings as the product's.

It is given finished rows, so that its time is that of the database and of nothing else.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Table

from onewriter.db.engine import Database

Rows = Sequence[Sequence[Any]]


class Bare:
    """One connection of the driver, of `pysqlite3` or of psycopg."""

    def __init__(self, database: Database) -> None:
        self._sqlite = database.is_sqlite
        self._lent = database.engine.raw_connection()
        self._driver: Any = self._lent.driver_connection

    def close(self) -> None:
        """Give the connection back."""
        self._lent.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit when the block ends."""
        if self._sqlite:
            self._driver.execute("BEGIN IMMEDIATE")
        yield
        self._driver.commit()

    def insert(self, table: Table, rows: Rows) -> None:
        """Insert whole rows: `executemany` on SQLite, COPY on PostgreSQL."""
        if not rows:
            return
        if self._sqlite:
            self._driver.executemany(self._insert(table), rows)
            return
        names = ", ".join(column.name for column in table.columns)
        with self._driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def upsert(self, table: Table, rows: Rows) -> None:
        """Insert whole rows, or write over those that are there under their primary key."""
        keys = [column.name for column in table.primary_key.columns]
        changes = ", ".join(f"{each.name} = excluded.{each.name}" for each in table.columns if each.name not in keys)
        self._many(f"{self._insert(table)} ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}", rows)

    def end_deliveries(self, endings: Rows) -> None:
        """Write (state, outcome, ended_at, position) of rows of the inbox."""
        mark = "?" if self._sqlite else "%s"
        changes = f"state = {mark}, outcome = {mark}, ended_at = {mark}"
        self._many(f"UPDATE inbox SET {changes} WHERE position = {mark}", endings)

    def replace_keys(self, rows: Rows) -> None:
        """Write (master_id, wrapped) of customers' keys by their ids, which are in order."""
        if self._sqlite:
            self._many("UPDATE subject_keys SET master_id = ?, wrapped = ? WHERE id = ?", rows)
            return
        ids = [each for _master, _wrapped, each in rows]
        self._driver.execute(
            "UPDATE subject_keys AS k SET master_id = %s, wrapped = n.wrapped "
            "FROM unnest(%s::bytea[], %s::bytea[]) AS n(id, wrapped) "
            "WHERE k.id BETWEEN %s AND %s AND k.id = n.id",
            (rows[0][0], ids, [wrapped for _master, wrapped, _id in rows], ids[0], ids[-1]),
        )

    def row(self, table: Table, identity: Any) -> Any:
        """The row under a primary key of one column named `id`."""
        mark = "?" if self._sqlite else "%s"
        return self._driver.execute(f"SELECT * FROM {table.name} WHERE id = {mark}", (identity,)).fetchone()

    def by_ids(self, statement: str, ids: Sequence[Any]) -> None:
        """Carry out a statement, which ends with a column, for all rows whose column is one of these."""
        if self._sqlite:
            self._driver.execute(f"{statement} IN ({', '.join('?' * len(ids))})", list(ids))
        else:
            self._driver.execute(f"{statement} = ANY(%s)", [list(ids)])

    def _insert(self, table: Table) -> str:
        names = ", ".join(column.name for column in table.columns)
        marks = ", ".join(["?" if self._sqlite else "%s"] * len(table.columns))
        return f"INSERT INTO {table.name} ({names}) VALUES ({marks})"

    def _many(self, statement: str, rows: Rows) -> None:
        cursor = self._driver.cursor()
        if rows:
            cursor.executemany(statement, rows)
        cursor.close()
