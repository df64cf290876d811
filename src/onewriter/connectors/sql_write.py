"""Writing to a foreign table: only the named columns of the named rows, one outcome a row, one transaction a call."""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, null, select, update
from sqlalchemy.exc import DBAPIError

from onewriter.connectors.interface import Applied, Conflict, FieldPatch, Outcome, Rejected, Unchanged
from onewriter.connectors.sql_errors import Trouble, refusal, trouble
from onewriter.connectors.sql_layout import Layout, told
from onewriter.connectors.sql_settings import SqlSettings
from onewriter.connectors.sql_values import Unfit

OF_AN_ITEM = (Trouble.DATA, Trouble.OTHER)
"""What one item's values can bring about: a trigger may name any reason, such as one that no standard knows."""
KEY = "onewriter_key"
"""The name of the parameter for a row's key."""


@dataclass(slots=True)
class Item:
    """One patch on its way."""

    place: int
    key: Any
    values: dict[str, Any]
    """Column: what the driver is given."""
    patch: FieldPatch
    outcome: Outcome | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it names."""
        return tuple(self.values)


@dataclass(slots=True)
class Batch:
    """The patches of one call, and how far they are."""

    layout: Layout
    settings: SqlSettings
    items: list[Item] = field(default_factory=list)
    sent: bool = False
    """Whether a statement that writes may have reached the database."""


def prepared(layout: Layout, settings: SqlSettings, patches: Sequence[FieldPatch]) -> Batch:
    """Each patch in the columns' own types; one that cannot be well has its outcome already, and is not sent."""
    batch = Batch(layout, settings)
    for place, patch in enumerate(patches):
        item = Item(place, None, {}, patch)
        batch.items.append(item)
        name: str | None = None
        try:
            for name in (*patch.set, *patch.clear):
                item.values[name] = _sent(layout, patch, name)
        except Unfit as reason:
            item.outcome = Rejected(name, str(reason))
            continue
        found = [] if patch.key is None else layout.sought(layout.key, patch.key)
        if found:
            item.key = found[0]
        elif patch.key is not None:
            # What cannot be a key of this table names no row of it.
            item.outcome = Conflict(str(patch.key), gone=True)
    return batch


def _sent(layout: Layout, patch: FieldPatch, name: str) -> Any:
    form = layout.forms.get(name)
    if form is None:
        raise Unfit("no such field")
    if not form.field.writable:
        allowed = name in layout.rights.writable
        raise Unfit("the column cannot be written" if allowed else "no permission to write it")
    return form.sent(patch.set[name]) if name in patch.set and patch.set[name] is not None else form.empty()


def write(connection: Connection, batch: Batch) -> None:
    """Give each item its outcome. The caller commits, and until then none of it is true."""
    if connection.dialect.name == "postgresql":
        # Rules that are looked at when all is done would refuse the whole of it, and not say whose fault it is.
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    for item in batch.items:
        if item.outcome is None and item.patch.key is None:
            _insert(connection, batch, item)
    waiting = [item for item in batch.items if item.outcome is None]
    while waiting:
        # Several patches of one row go one after the other.
        turn = list({item.key: item for item in reversed(waiting)}.values())
        _update(connection, batch, turn)
        waiting = [item for item in waiting if item.outcome is None]


def _update(connection: Connection, batch: Batch, items: list[Item]) -> None:
    layout = batch.layout
    rows = _rows(connection, batch, [item.key for item in items], lock=True)
    seen = _rows_that_may_be_read(connection, batch, [item for item in items if layout.key_told(item.key) not in rows])
    groups: dict[tuple[Any, ...], list[Item]] = {}
    for item in items:
        named = layout.key_told(item.key)
        if named in seen:
            item.outcome = Rejected(None, "no permission to write the row")
            continue
        item.outcome = _decided(layout, batch.settings, item, rows.get(named, []))
        if item.outcome is None:
            item.key = rows[named][0][layout.key]
            empty = tuple(name for name in item.names if item.values[name] is None)
            groups.setdefault((item.names, empty), []).append(item)
    for group in groups.values():
        _update_alike(connection, batch, group)
    done = [item for item in items if item.outcome is None]
    after = _rows(connection, batch, [item.key for item in done])
    for item in done:
        row: dict[str, Any] = next(iter(after.get(layout.key_told(item.key), [])), {})
        fields = told(layout, row, item.names) if row else None
        item.outcome = Applied(str(item.patch.key), version_of(batch.settings, row), fields)


def _decided(layout: Layout, settings: SqlSettings, item: Item, rows: list[dict[str, Any]]) -> Outcome | None:
    """The outcome of what need not be written; None for what must be."""
    record_id = str(item.patch.key)
    if len(rows) > 1:
        return Rejected(None, "several rows have this key")
    if not rows or is_marked(rows[0].get(settings.deleted) if settings.deleted else None):
        return Conflict(record_id, gone=True)
    if item.patch.if_version is not None and item.patch.if_version != version_of(settings, rows[0]):
        return Conflict(record_id)
    tell = {name: layout.forms[name].told for name in item.names}
    same = all(tell[name](value) == tell[name](rows[0][name]) for name, value in item.values.items())
    return Unchanged(record_id) if same and not item.patch.again else None


def _update_alike(connection: Connection, batch: Batch, group: list[Item]) -> None:
    """Write items that name the same columns by one statement; where one of them is refused, each by its own."""
    statement = _statement(batch, group[0])
    batch.sent = True
    try:
        with connection.begin_nested():
            connection.execute(statement, [_given(item) for item in group])
        return
    except DBAPIError as error:
        if trouble(error) not in OF_AN_ITEM:
            raise
        if len(group) == 1:
            group[0].outcome = Rejected(*refusal(error, group[0].names))
            return
    for item in group:
        _update_alike(connection, batch, [item])


def _given(item: Item) -> dict[str, Any]:
    # By their places, since a column may be called what no driver takes for the name of a parameter.
    filled = {f"to_{at}": value for at, value in enumerate(item.values.values()) if value is not None}
    return {KEY: item.key} | filled


def _statement(batch: Batch, like: Item) -> Any:
    """UPDATE of just the columns that are named; a JSON column is emptied to NULL and not to JSON's null."""
    layout = batch.layout
    columns = layout.columns
    values: dict[Any, Any] = {
        columns[name]: null() if value is None else bindparam(f"to_{at}", type_=columns[name].type)
        for at, (name, value) in enumerate(like.values.items())
    }
    values |= _touched(batch)
    key = columns[layout.key]
    return update(layout.source).where(key == bindparam(KEY, type_=key.type)).values(values)  # type: ignore[arg-type]


def _touched(batch: Batch) -> dict[Any, Any]:
    """What a write moves beside the named columns, where the settings ask for it."""
    settings, columns = batch.settings, batch.layout.columns
    if not settings.touch:
        return {}
    moved: dict[Any, Any] = {}
    stamp = batch.layout.stamp
    if settings.updated is not None and stamp is not None and stamp.way != "number":
        moved[columns[settings.updated]] = func.current_timestamp()
    if settings.version is not None and batch.layout.forms[settings.version].field.type in ("integer", "number"):
        moved[columns[settings.version]] = columns[settings.version] + 1
    return moved


def _rows(
    connection: Connection, batch: Batch, keys: list[Any], *, lock: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """The rows of those keys by their ids, as they are in this transaction; locked until its end where that can be."""
    if not keys:
        return {}
    layout, settings = batch.layout, batch.settings
    named = {name for item in batch.items for name in item.values if name in layout.columns}
    names = list(dict.fromkeys([layout.key, *sorted(named), *filter(None, (settings.version, settings.deleted))]))
    sought = [each for key in keys for each in (layout.sought(layout.key, key) if isinstance(key, str) else [key])]
    query = select(*(layout.columns[name].label(name) for name in names)).where(layout.columns[layout.key].in_(sought))
    if lock and connection.dialect.name != "sqlite":
        query = query.with_for_update()
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        found.setdefault(layout.key_told(row[layout.key]), []).append(dict(row))
    return found


def _rows_that_may_be_read(connection: Connection, batch: Batch, items: list[Item]) -> set[str]:
    """The ids of rows that are there and cannot be locked: PostgreSQL hides those that a policy keeps from us."""
    if connection.dialect.name != "postgresql":
        return set()
    return set(_rows(connection, batch, [item.key for item in items]))


def version_of(settings: SqlSettings, row: Mapping[str, Any]) -> str | None:
    """What a conditional write names, where a column tells it."""
    held = row.get(settings.version) if settings.version is not None else None
    return None if held is None else str(held)


def is_marked(held: Any) -> bool:
    """Whether what stands in the column of deletions says that the row is deleted."""
    if isinstance(held, str):
        return held.strip().lower() not in ("", "0", "f", "false", "n", "no")
    return any(held) if isinstance(held, bytes) else bool(held)


# ---- New rows -------------------------------------------------------------------------------------------------------


def _insert(connection: Connection, batch: Batch, item: Item) -> None:
    layout, settings = batch.layout, batch.settings
    if not settings.creates or not layout.rights.creates:
        item.outcome = Rejected(None, "no permission to make rows")
        return
    values = {name: value for name, value in item.values.items() if value is not None}
    try:
        key = None if layout.generated else _made_key(layout, item.patch.idempotency_key)
    except Unfit as reason:
        item.outcome = Rejected(layout.key, str(reason))
        return
    batch.sent = True
    try:
        with connection.begin_nested():
            key = _inserted(connection, batch, values, key)
    except DBAPIError as error:
        if trouble(error) not in OF_AN_ITEM:
            raise
        # The same intent has the same key, so that what an earlier try made is found here and not made again.
        if key is None or not _rows(connection, batch, [key]):
            item.outcome = Rejected(*refusal(error, (layout.key, *layout.forms)))
            return
    if key is None:
        item.outcome = Rejected(None, "a rule of the table forbids it")
        return
    row: dict[str, Any] = next(iter(_rows(connection, batch, [key]).get(layout.key_told(key), [])), {})
    fields = told(layout, row, item.names) if row else None
    item.outcome = Applied(layout.key_told(key), version_of(settings, row), fields)


def _inserted(connection: Connection, batch: Batch, values: Mapping[str, Any], key: Any) -> Any:
    """Make the row and return its key; None where a trigger let it fall."""
    layout = batch.layout
    given = {layout.columns[name]: value for name, value in values.items()}
    if key is not None:
        given[layout.columns[layout.key]] = key
    statement = insert(layout.source).values(given)  # type: ignore[arg-type]
    if key is not None:
        done = connection.execute(statement, execution_options={"preserve_rowcount": True})
        return None if done.rowcount == 0 else key
    if connection.dialect.name == "mysql":
        return connection.execute(statement).lastrowid
    return connection.execute(statement.returning(layout.columns[layout.key])).scalar_one_or_none()


def _made_key(layout: Layout, intent: str | None) -> Any:
    """A key for a new row where the database makes none: from the intent, so that it is the same each time."""
    form = layout.forms[layout.key]
    digest = hashlib.sha256(intent.encode()).digest()[:16] if intent is not None else uuid.uuid4().bytes
    made = uuid.UUID(bytes=digest, version=4)
    if form.field.type != "text":
        raise Unfit("the database makes no keys for new rows, and only it knows which number is free")
    if form.identity:
        return made
    if form.field.max_length is not None and form.field.max_length < len(made.hex):
        raise Unfit("the column of keys is too short for a key of ours")
    return made.hex
