"""The table as its database describes it: columns with their types, limits and rights, and how rows are told apart."""

import re
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Inspector,
    MetaData,
    Table,
    column,
    inspect,
    table,
    text,
)
from sqlalchemy import types as kinds
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.exc import SAWarning

from onewriter.connectors.interface import RemoteField, RemoteType, RemoteValue
from onewriter.connectors.sql_place import OUR_KEYS, OURS
from onewriter.connectors.sql_rights import Rights, rights
from onewriter.connectors.sql_settings import SqlSettings
from onewriter.connectors.sql_times import Stamp, stamp
from onewriter.connectors.sql_values import Form, Unfit
from onewriter.errors import SystemChanged, SystemRefused

FINDING = ("text", "integer", "number")
"""Types of columns by whose values rows can be looked up."""
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,37})(\.[0-9]{1,38})?")
_WORDS = re.compile(r"'((?:[^']|'')*)'")
_LENGTH = re.compile(r"(?:char_?)?length\s*\([\s(\"`\[]*(\w+)[^<=>]*<=?\s*\(?(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """What there is to know of the table before a row of it is read."""

    source: FromClause
    columns: Mapping[str, ColumnElement[Any]]
    forms: Mapping[str, Form]
    unique: tuple[str, ...]
    """Columns of which no two rows share a value."""
    rights: Rights
    stamp: Stamp | None
    generated: bool
    """Whether the database gives a new row its key."""
    key: str

    def sought(self, name: str, text: str) -> list[Any]:
        """What is looked for in a column to find a text, in the column's type; nothing where it cannot hold it.

        MySQL would take a word for zero. A column of SQLite's can hold a number beside a text, whatever its type.
        """
        form = self.forms[name]
        number = _number(text)
        if form.plain and form.field.type in FINDING:
            try:
                return [text, *([] if number is None else [_plain(number)])] if text else []
            except OverflowError:
                return [text]
        try:
            match form.field.type:
                case "integer":
                    most = 2 ** (form.bits - 1)
                    whole = number is not None and "." not in text and -most <= number < most
                    return [int(text)] if whole else []
                case "number":
                    return [] if number is None else [number]
            return [uuid.UUID(text) if form.identity else form.sent(text)] if text else []
        except (Unfit, ValueError):
            return []

    def key_told(self, held: Any) -> str:
        """The record's id."""
        return str(held)

    @property
    def finds(self) -> bool:
        """Whether the key is of a type by whose text a row can be found again."""
        form = self.forms[self.key]
        return form.field.type in FINDING and not form.rough


def _number(text: str) -> Decimal | None:
    """The number that a text writes in the one usual way."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def _plain(number: Decimal) -> int | float:
    """The number as SQLite keeps it; raises OverflowError for one that it cannot."""
    whole = int(number)
    if number != whole:
        return float(number)
    if not -(2**63) <= whole < 2**63:
        raise OverflowError
    return whole


def layout(connection: Connection, settings: SqlSettings) -> Layout:
    """Describe the table; raises SystemChanged where it or a column of the settings is not there."""
    dialect = connection.dialect.name
    inspector = inspect(connection)
    _require_foreign(inspector, settings)
    with warnings.catch_warnings():
        # Of types that SQLAlchemy does not know; such a column is read as text and not written.
        warnings.simplefilter("ignore", SAWarning)
        found = Table(settings.table, MetaData(), schema=settings.schema, autoload_with=connection, resolve_fks=False)
        checks = _checks(connection, inspector, settings)
        unique = _unique(inspector, settings)
    for name in settings.service:
        if name not in found.columns:
            raise SystemChanged(f"The table has no column {name}, which the system's settings name.")
    allowed = rights(connection, settings, tuple(each.name for each in found.columns))
    types = {each.name: _bare(each.type) for each in found.columns}
    source, columns = _source(found, settings, dialect)
    times = tuple(name for name in (settings.updated, settings.created) if name is not None)
    told_utc = dialect in ("mysql", "mariadb") and any(isinstance(types[name], kinds.TIMESTAMP) for name in times[:1])
    view = settings.table in inspector.get_view_names(settings.schema)
    return Layout(
        source=source,
        columns=columns,
        forms={each.name: _form(each, settings, dialect, checks.get(each.name, {}), allowed) for each in found.columns},
        unique=unique,
        rights=allowed,
        stamp=stamp(
            columns,
            types,
            times if settings.updated else (),
            UTC if told_utc else settings.zone,
            sqlite=dialect == "sqlite",
        ),
        generated=not view and _is_generated(found.columns[settings.key], dialect),
        key=settings.key,
    )


def _require_foreign(inspector: Inspector, settings: SqlSettings) -> None:
    """Refuse one of our own databases: what is written there goes through one door only."""
    names = set(inspector.get_table_names(settings.schema))
    if names >= OURS or names >= OUR_KEYS:
        raise SystemRefused("This is onewriter's own database; name that of the other system.")


def _source(found: Table, settings: SqlSettings, dialect: str) -> tuple[FromClause, dict[str, ColumnElement[Any]]]:
    """What statements are made of. SQLite's columns stay without a type, since what stands in them may have another."""
    if dialect != "sqlite":
        return found, {each.name: each for each in found.columns}
    plain = table(found.name, *(column(each.name) for each in found.columns), schema=settings.schema)
    return plain, {each.name: each for each in plain.columns}


def _bare(kind: Any) -> Any:
    """The type that a PostgreSQL domain is of."""
    while isinstance(kind, postgresql.DOMAIN):
        kind = kind.data_type
    return kind


def _type(kind: Any, dialect: str) -> RemoteType | None:
    """Our word for a type; None for one that is told as text and never written."""
    if isinstance(kind, kinds.Boolean) or (isinstance(kind, mysql.TINYINT) and kind.display_width == 1):
        return "boolean"
    for ours, theirs in (
        ("integer", kinds.Integer),
        ("number", kinds.Numeric),
        ("datetime", kinds.DateTime),
        ("date", kinds.Date),
        ("json", kinds.JSON),
        ("text", kinds.Uuid),
    ):
        if isinstance(kind, theirs):
            return ours  # type: ignore[return-value]
    if isinstance(kind, kinds.ARRAY):
        return "list" if isinstance(kind.item_type, kinds.String) else None
    if isinstance(kind, mysql.SET | kinds.LargeBinary):
        return None
    if isinstance(kind, kinds.String) or (isinstance(kind, kinds.NullType) and dialect == "sqlite"):
        return "text"
    return None


def _form(found: Column[Any], settings: SqlSettings, dialect: str, check: Mapping[str, Any], allowed: Rights) -> Form:
    kind = _bare(found.type)
    ours = _type(kind, dialect)
    nullable = bool(found.nullable)
    blank = ours == "text" and not nullable and (settings.blank or _is_blank(found))
    fixed = found.name in settings.service or found.computed is not None
    limits = [each for each in (_length(kind), check.get("length")) if each]
    words = tuple(kind.enums) if isinstance(kind, kinds.Enum) else check.get("words")
    return Form(
        field=RemoteField(
            name=found.name,
            type=ours or "text",
            writable=ours is not None and not fixed and found.name in allowed.writable,
            clearable=nullable or blank,
            max_length=min(limits) if limits else None,
            enum=words,
        ),
        zone=settings.zone,
        aware=isinstance(kind, kinds.DateTime) and bool(kind.timezone),
        bits=_bits(kind, dialect),
        decimals=kind.scale if isinstance(kind, kinds.Numeric) and not isinstance(kind, kinds.Float) else None,
        rough=isinstance(kind, kinds.Float),
        padded=isinstance(kind, kinds.CHAR) and dialect == "postgresql",
        plain=dialect == "sqlite",
        blank=blank,
        identity=isinstance(kind, kinds.Uuid) and dialect != "sqlite",
    )


def _bits(kind: Any, dialect: str) -> int:
    if dialect == "sqlite" or isinstance(kind, kinds.BigInteger):
        return 64
    return 16 if isinstance(kind, kinds.SmallInteger) else 32


def _length(kind: Any) -> int | None:
    """Characters that a column holds; SQLite lets more in, and whoever declared it did not mean that."""
    length = getattr(kind, "length", None)
    return length if isinstance(kind, kinds.String) and not isinstance(kind, kinds.Enum) and length else None


def _is_blank(found: Column[Any]) -> bool:
    """Whether a column that takes no NULL has the empty text as its default."""
    default = getattr(found.server_default, "arg", None)
    return default is not None and str(getattr(default, "text", default)).split("::")[0].strip() == "''"


def _is_generated(found: Column[Any], dialect: str) -> bool:
    if found.server_default is not None or found.identity is not None:
        return True
    if dialect == "sqlite":
        # Just this spelling makes a column the number of the row.
        return found.primary_key and str(found.type).upper() == "INTEGER"
    return dialect in ("mysql", "mariadb") and found.autoincrement is True


def _rules(connection: Connection, inspector: Inspector, settings: SqlSettings) -> list[str]:
    """What the check constraints say."""
    if getattr(connection.dialect, "is_mariadb", False):
        # SQLAlchemy does not see those that stand beside their column.
        query = text(
            "SELECT check_clause FROM information_schema.check_constraints "
            "WHERE constraint_schema = COALESCE(:place, database()) AND table_name = :what"
        )
        given = {"place": settings.schema, "what": settings.table}
        return [str(rule) for rule in connection.execute(query, given).scalars()]
    return [str(each["sqltext"]) for each in inspector.get_check_constraints(settings.table, settings.schema)]


def _checks(connection: Connection, inspector: Inspector, settings: SqlSettings) -> dict[str, dict[str, Any]]:
    """The words and lengths that check constraints of one column allow, where they say nothing beside it."""
    columns = [each["name"] for each in inspector.get_columns(settings.table, settings.schema)]
    limits: dict[str, dict[str, Any]] = {}
    for rule in _rules(connection, inspector, settings):
        bare = _WORDS.sub("", rule)
        named = [name for name in columns if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", bare)]
        if len(named) != 1 or re.search(r"\b(or|and|not)\b", bare, re.IGNORECASE):
            continue
        length = _LENGTH.search(bare)
        if length is not None:
            most = int(length.group(2)) - (0 if "<=" in bare else 1)
            limits.setdefault(named[0], {})["length"] = most
        elif re.search(r"\bin\s*\(|=\s*any\b", bare, re.IGNORECASE):
            words = tuple(word.replace("''", "'") for word in _WORDS.findall(rule))
            limits.setdefault(named[0], {})["words"] = words or None
    return limits


def _unique(inspector: Inspector, settings: SqlSettings) -> tuple[str, ...]:
    """The columns that are unique each by itself."""
    place: Any = {"table_name": settings.table, "schema": settings.schema}
    # SQLite keeps its unique constraints as indexes of its own, of which some cannot be read in any other way.
    auto: Any = {"include_auto_indexes": True} if inspector.dialect.name == "sqlite" else {}
    groups: list[list[str | None]] = [list(inspector.get_pk_constraint(**place).get("constrained_columns", []))]
    groups += [list(each["column_names"]) for each in inspector.get_unique_constraints(**place)]
    groups += [
        each["column_names"]
        for each in inspector.get_indexes(**place, **auto)
        if each["unique"] and not any(name.endswith("_where") for name in each.get("dialect_options", {}))
    ]
    return tuple(dict.fromkeys(str(group[0]) for group in groups if len(group) == 1 and group[0]))


def told(layout: Layout, row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, RemoteValue]:
    """The fields of a row as they are told."""
    return {name: layout.forms[name].told(row[name]) for name in names}
