"""What a user of a foreign database may do, asked of its catalogue: nothing is written to find out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from onewriter.connectors.sql_place import may_write_file
from onewriter.connectors.sql_settings import SqlSettings


@dataclass(frozen=True, slots=True)
class Rights:
    """The columns that may be read, those that may be written, and whether rows may be made."""

    readable: frozenset[str]
    writable: frozenset[str]
    creates: bool


def rights(connection: Connection, settings: SqlSettings, columns: tuple[str, ...]) -> Rights:
    """What the present user may do with the table."""
    match connection.dialect.name:
        case "sqlite":
            return _of_sqlite(connection, settings, columns)
        case "postgresql":
            return _of_postgres(connection, settings, columns)
        case _:
            return _of_mysql(connection, settings, columns)


def _of_sqlite(connection: Connection, settings: SqlSettings, columns: tuple[str, ...]) -> Rights:
    rows = connection.execute(
        text("SELECT type FROM sqlite_master WHERE name = :name"), {"name": settings.table}
    ).scalars()
    writes = "table" in set(rows) and may_write_file(Path(str(settings.url.database)))
    return Rights(frozenset(columns), frozenset(columns if writes else ()), writes)


_POSTGRES = text("""
    SELECT attname AS name,
        has_column_privilege(attrelid, attnum, 'SELECT') AS reads,
        has_column_privilege(attrelid, attnum, 'UPDATE') AND pg_column_is_updatable(attrelid, attnum, false) AS writes,
        has_table_privilege(attrelid, 'INSERT') OR has_any_column_privilege(attrelid, 'INSERT') AS makes,
        pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS read_only
    FROM pg_attribute
    WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped
""")


def _of_postgres(connection: Connection, settings: SqlSettings, columns: tuple[str, ...]) -> Rights:
    quote = connection.dialect.identifier_preparer.quote_identifier
    name = ".".join(quote(part) for part in (settings.schema, settings.table) if part)
    rows = connection.execute(_POSTGRES, {"name": name}).all()
    writes = frozenset(row.name for row in rows if row.writes and not row.read_only)
    creates = any(row.makes and not row.read_only for row in rows)
    return Rights(frozenset(row.name for row in rows if row.reads), writes, creates)


_MYSQL = text("""
    SELECT privilege_type AS may, NULL AS name FROM information_schema.user_privileges WHERE grantee = :who
    UNION ALL
    SELECT privilege_type, NULL FROM information_schema.schema_privileges
        WHERE grantee = :who AND :place LIKE table_schema
    UNION ALL
    SELECT privilege_type, NULL FROM information_schema.table_privileges
        WHERE grantee = :who AND table_schema = :place AND table_name = :what
    UNION ALL
    SELECT privilege_type, column_name FROM information_schema.column_privileges
        WHERE grantee = :who AND table_schema = :place AND table_name = :what
""")


def _of_mysql(connection: Connection, settings: SqlSettings, columns: tuple[str, ...]) -> Rights:
    user, place, read_only = connection.execute(text("SELECT current_user(), database(), @@global.read_only")).one()
    name, _, host = str(user).rpartition("@")
    given: dict[str, Any] = {
        "who": f"'{name}'@'{host}'",
        "place": settings.schema or place,
        "what": settings.table,
    }
    rows = connection.execute(_MYSQL, given).all()
    updatable = connection.execute(
        text("SELECT is_updatable FROM information_schema.views WHERE table_schema = :place AND table_name = :what"),
        given,
    ).scalar_one_or_none()
    everything = frozenset(columns)
    # Rights that a role gives stand elsewhere; what is not known here is found out by the first write.
    by_role = not any(str(row.may) in ("SELECT", "UPDATE") for row in rows)

    def may(what: str) -> frozenset[str]:
        if by_role or any(row.may == what and row.name is None for row in rows):
            return everything
        return frozenset(str(row.name) for row in rows if row.may == what and row.name is not None)

    frozen = updatable == "NO" or bool(read_only)
    return Rights(may("SELECT"), frozenset() if frozen else may("UPDATE"), not frozen and bool(may("INSERT")))
