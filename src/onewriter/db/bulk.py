"""Many rows at once, and the locks that keep one customer's changes apart.

The hot inserts go to the driver: `executemany` on SQLite and COPY on PostgreSQL take twice the rows a second that the
same statement takes through Core.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, Table, text
from sqlalchemy.exc import DBAPIError

Part = TypeVar("Part")

CHUNK = 500

STRIPES = 64
"""How many locks the customers of a shop share. Enough that two workers seldom meet, few enough for one transaction."""


def stripe_of(id_hash: bytes) -> int:
    """The lock that a customer falls under, by the hash of its Shopify id."""
    return id_hash[0] % STRIPES


def stripe_of_record(name: str) -> int:
    """The lock that a record of a connected system falls under, by its keyed name; those of customers come before."""
    return STRIPES + bytes.fromhex(name)[0] % STRIPES


# One statement for all, since a batch of an import takes all 64 and each would be a round trip.
_LOCK = text("SELECT pg_advisory_xact_lock(:shop, s) FROM unnest(CAST(:stripes AS int[])) s")
_TRY_LOCK = text("SELECT s FROM unnest(CAST(:stripes AS int[])) s WHERE pg_try_advisory_xact_lock(:shop, s)")


def in_chunks(every: Sequence[Part], most: int = CHUNK) -> Iterator[Sequence[Part]]:
    """The same in pieces of so many at most, since a statement takes only so many parameters."""
    for start in range(0, len(every), most):
        yield every[start : start + most]


def insert_rows(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows given as tuples, one value for each column of the table in its order.

    COPY does not pass through SQLAlchemy, but its errors are raised as SQLAlchemy would raise them.
    """
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_insert_sql(table), list(map(tuple, rows)))
        return
    sql = _copy_sql(table)
    with _as_core_raises(connection, sql) as driver, driver.cursor() as cursor, cursor.copy(sql) as copy:
        for row in rows:
            copy.write_row(row)


def read_rows(connection: Connection, query: Select[Any], parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a query as the driver has them, bytes in binary: for so many that Core's own work on each would tell.

    No type of a column is minded, so that a JSON column comes as text from one database and not from the other.
    """
    compiled: Any = query.compile(dialect=connection.dialect)
    whole = compiled.construct_expanded_state(parameters)
    given = whole.parameters
    with _as_core_raises(connection, whole.statement) as driver:
        if connection.dialect.name == "sqlite":
            return list(driver.execute(whole.statement, [given[name] for name in whole.positiontup]))
        with driver.cursor(binary=True) as cursor:
            return list(cursor.execute(whole.statement, given))


@contextmanager
def _as_core_raises(connection: Connection, sql: str) -> Iterator[Any]:
    """The driver's own connection; its errors become those of Core."""
    driver: Any = connection.connection.driver_connection
    kinds: Any = connection.dialect.loaded_dbapi
    try:
        yield driver
    except kinds.Error as error:
        is_gone = connection.dialect.is_disconnect(error, driver, None)
        raise DBAPIError.instance(
            sql, None, error, kinds.Error, hide_parameters=True, connection_invalidated=is_gone
        ) from None


@cache
def _insert_sql(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({", ".join("?" * len(table.columns))})'


@cache
def _copy_sql(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'COPY "{table.name}" ({names}) FROM STDIN'


def lock_stripes(connection: Connection, shop_id: int, stripes: Iterable[int]) -> None:
    """Keep every other worker away from these customers until the transaction ends; waits for those who hold them.

    Taken in sorted order, customers before records, so that two workers never wait for each other. SQLite has one
    writer and needs none.
    """
    if connection.dialect.name == "sqlite":
        return
    # unnest gives the rows in the array's order, and nothing in the statement reorders them.
    connection.execute(_LOCK, {"shop": shop_id, "stripes": sorted(set(stripes))})


def try_stripes(connection: Connection, shop_id: int, stripes: Iterable[int]) -> set[int]:
    """The stripes, of those wanted, that nobody else holds; they are held now until the transaction ends."""
    wanted = sorted(set(stripes))
    if connection.dialect.name == "sqlite":
        return set(wanted)
    return set(connection.execute(_TRY_LOCK, {"shop": shop_id, "stripes": wanted}).scalars())
