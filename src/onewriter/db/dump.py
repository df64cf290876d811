"""A logical dump of a database of ours, the same for both kinds: what one of them gave, the other can take.

Rows go in pieces of about a mebibyte, each of one table. A piece is msgpack: the table's name, and its rows as lists of
values in the order of the columns. JSON stands in it as the text that the database keeps.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import JSON, Column, Connection, MetaData, Select, Table, Text, cast, inspect, select, text

from onewriter.db import migrate
from onewriter.db.bulk import insert_rows
from onewriter.db.migrate import METADATA, Chain

PIECE_BYTES = 1 << 20
ROWS_AT_ONCE = 1000
LOCK_WAIT_MS = 30_000

Columns = Mapping[str, list[str]]
"""The names of the columns of each table, in the order in which its rows have their values."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, list[list[Any]]]).decode

_SEQUENCE = text("SELECT pg_get_serial_sequence(:table, :column)")
_LAST = text("SELECT COALESCE(pg_sequence_last_value(CAST(:sequence AS regclass)), 0)")
_SET = text("SELECT setval(CAST(:sequence AS regclass), :number)")
_COUNTED = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
_FORGET = text("DELETE FROM sqlite_sequence WHERE name = :table")
_COUNT_ON = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :number)")

FORMER = ("owners",)
"""Tables of earlier versions, which a database that was not brought up to date may still have."""


def columns_of(chain: Chain, leave_out: Iterable[str] = ()) -> dict[str, list[str]]:
    """The tables of a database at the newest schema, those that others point to first, and the columns of each."""
    left = set(leave_out)
    tables = METADATA[chain].sorted_tables
    return {
        str(table.name): [str(column.name) for column in table.columns] for table in tables if table.name not in left
    }


def pieces(connection: Connection, chain: Chain, columns: Columns) -> Iterator[tuple[str, int, bytes]]:
    """Every row of these tables in pieces, each with its table and how many rows it has.

    The connection is a snapshot's, so that all of it is as it was at one moment. A shop of a million customers passes
    through without ever being in memory.
    """
    streaming = connection.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE)
    for name in columns:
        rows: list[bytes] = []
        size = 0
        for row in streaming.execute(_query(METADATA[chain].tables[name])):
            rows.append(_encode(tuple(row)))
            size += len(rows[-1])
            if size >= PIECE_BYTES:
                yield name, len(rows), _piece(name, rows)
                rows, size = [], 0
        if rows:
            yield name, len(rows), _piece(name, rows)


def read_piece(piece: bytes) -> tuple[str, list[list[Any]]]:
    """The table and the rows of a piece."""
    return _decode(piece)


def counters(connection: Connection, chain: Chain) -> dict[str, int]:
    """How far each table has counted its rows, by table: what was counted once is never given out again."""
    found = {}
    for table in METADATA[chain].sorted_tables:
        number = _counter(connection, table)
        if number:
            found[str(table.name)] = number
    return found


def knows(chain: Chain, revision: str) -> bool:
    """True for a revision that the migrations of this version lead through."""
    return revision in {each.revision for each in migrate.script_of(chain).walk_revisions()}


def replace(
    connection: Connection,
    chain: Chain,
    revision: str,
    columns: Columns,
    given: Iterable[bytes],
    counted: Mapping[str, int],
) -> None:
    """Put the pieces of a dump in the place of whatever the database has, in the caller's transaction.

    So a dump of an earlier version is taken like one of this version: it is brought up to date with the rows in it.
    """
    if connection.dialect.name != "sqlite":
        # Whoever still reads holds the tables; a service that was not stopped must not make this wait for ever.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
    _drop(connection, chain)
    fill(connection, chain, revision, columns, given)
    migrate.carry(connection, chain, "head")
    count_on(connection, chain, counted)


def fill(connection: Connection, chain: Chain, revision: str, columns: Columns, given: Iterable[bytes]) -> None:
    """Make the tables as they were at that revision, in a database without them, and put the pieces of a dump in."""
    migrate.carry(connection, chain, revision)
    shapes = {name: Table(name, MetaData(), *(Column(each) for each in each_of)) for name, each_of in columns.items()}
    for piece in given:
        name, rows = read_piece(piece)
        insert_rows(connection, shapes[name], rows)


def count_on(connection: Connection, chain: Chain, counted: Mapping[str, int]) -> None:
    """Have the next row of each table counted on from its last one, and from where the dumped database was."""
    there = set(inspect(connection).get_table_names())
    for table in METADATA[chain].sorted_tables:
        if table.name in there:
            _count_on(connection, table, counted.get(table.name, 0))


def _query(table: Table) -> Select[Any]:
    return select(*(cast(each, Text) if isinstance(each.type, JSON) else each for each in table.columns))


def _piece(name: str, rows: list[bytes]) -> bytes:
    """Two values, the name and an array of 32-bit length, whose elements are encoded already."""
    return b"".join((b"\x92", _encode(name), b"\xdd", len(rows).to_bytes(4, "big"), *rows))


def _drop(connection: Connection, chain: Chain) -> None:
    """Drop our tables, those that point to others first; the durable jobs have theirs in the same database."""
    there = set(inspect(connection).get_table_names())
    ours = [table.name for table in reversed(METADATA[chain].sorted_tables)]
    for name in (*FORMER, *ours, "alembic_version"):
        if name in there:
            connection.exec_driver_sql(f'DROP TABLE "{name}"')


def _number(table: Table) -> Column[Any] | None:
    """The column that the database counts upwards, of a table that has one."""
    column = table.autoincrement_column
    return column if isinstance(column, Column) else None


def _sequence(connection: Connection, table: Table, column: Column[Any]) -> str | None:
    name: str | None = connection.execute(_SEQUENCE, {"table": table.name, "column": column.name}).scalar()
    return name


def _counter(connection: Connection, table: Table) -> int:
    column = _number(table)
    if column is None:
        return 0
    if connection.dialect.name == "sqlite":
        counts_upwards = table.dialect_options["sqlite"]["autoincrement"]
        return int(connection.execute(_COUNTED, {"table": table.name}).scalar() or 0) if counts_upwards else 0
    sequence = _sequence(connection, table, column)
    return 0 if sequence is None else int(connection.execute(_LAST, {"sequence": sequence}).scalar_one())


def _count_on(connection: Connection, table: Table, counted: int) -> None:
    column = _number(table)
    if column is None:
        return
    last = connection.execute(select(column).order_by(column.desc()).limit(1)).scalar() or 0
    number = max(last, counted)
    if connection.dialect.name == "sqlite":
        if number and table.dialect_options["sqlite"]["autoincrement"]:
            connection.execute(_FORGET, {"table": table.name})
            connection.execute(_COUNT_ON, {"table": table.name, "number": number})
        return
    sequence = _sequence(connection, table, column)
    if number and sequence is not None:
        connection.execute(_SET, {"sequence": sequence, "number": number})
