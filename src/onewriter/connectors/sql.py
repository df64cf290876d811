"""The kind `sql`: one table, or a view to read, in SQLite, PostgreSQL, MySQL or MariaDB.

It is read by pages, each in a transaction of its own, so that nothing is held open in somebody else's database while
we work; and written by UPDATE of just the named columns.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, func, or_, select, text
from sqlalchemy.exc import DBAPIError

from onewriter.connectors.interface import (
    Ambiguous,
    Capabilities,
    Deleted,
    Discovery,
    FieldPatch,
    Outcome,
    Problem,
    Record,
    Rejected,
    RetryAfter,
    State,
    Wanted,
)
from onewriter.connectors.sql_errors import BUSY_S, Trouble, as_ours, refusal, translated, trouble
from onewriter.connectors.sql_layout import FINDING, Layout, layout, told
from onewriter.connectors.sql_place import engine
from onewriter.connectors.sql_settings import SPEC, SqlSettings, settings
from onewriter.connectors.sql_write import Batch, Item, is_marked, prepared, version_of, write
from onewriter.errors import OnewriterError, SystemChanged, SystemRefused
from onewriter.records import SECOND, Instant, instant

BATCH = 500
CLOCK_S = 60
"""Seconds that the database's clock may be off before it is told."""


class SqlTable:
    """How a table is set up and opened."""

    name = "sql"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def spec(self) -> Mapping[str, Any]:
        """The configuration as JSON schema."""
        return SPEC

    def open(self, configuration: Mapping[str, Any], wanted: Wanted) -> "SqlConnector":
        """A connector to the table; the database is reached when it is first used."""
        return SqlConnector(settings(configuration), wanted, self._clock)


class SqlConnector:
    """A table that is open. Its representation tells nothing of where it is."""

    def __init__(self, given: SqlSettings, wanted: Wanted, clock: Callable[[], float]) -> None:
        self._settings = given
        self._wanted = wanted
        self._clock = clock
        self._engine: Engine = engine(given.url, given.lock_s)
        self._known: Layout | None = None

    # ---- What it is -------------------------------------------------------------------------------------------------

    def check(self) -> Sequence[Problem]:
        """Ask the catalogue for the columns and the rights, and compare the clocks; nothing is written."""
        try:
            with translated(), self._reading() as connection:
                found = self._layout(connection)
                return [
                    *self._missing(found),
                    *self._clocks(connection, found),
                    *self._finding(found),
                    *self._twice(connection, found),
                ]
        except SystemRefused as error:
            return [Problem("credentials", str(error))]
        except SystemChanged as error:
            return [Problem("settings", str(error))]

    def discover(self) -> Discovery:
        """The columns as the catalogue describes them to this user."""
        found, given = self._described(), self._settings
        lookup = dict.fromkeys((*given.lookup, *found.unique))
        return Discovery(
            tuple(form.field for name, form in found.forms.items() if name in found.rights.readable),
            Capabilities(
                cursor="none" if found.stamp is None else "field",
                deletes_visible=given.deleted is not None and found.stamp is not None,
                conditional_write="none" if given.version is None else "version",
                upsert_keys=tuple(name for name in lookup if _finds(found, name) and name != given.key),
                batch=BATCH,
                creates=given.creates and found.rights.creates,
            ),
        )

    def _described(self) -> Layout:
        """The table as it was when this connector first looked."""
        if self._known is not None:
            return self._known
        with translated(), self._reading() as connection:
            return self._layout(connection)

    def _layout(self, connection: Connection) -> Layout:
        if self._known is None:
            self._known = layout(connection, self._settings)
        return self._known

    def _missing(self, found: Layout) -> Iterator[Problem]:
        for name in dict.fromkeys((*self._wanted.read, *self._wanted.write)):
            if name not in found.forms:
                yield Problem("field", "The table has no such column; map the field to another.", name)
            elif name not in found.rights.readable:
                yield Problem("permission", "The user may not read the column; ask for the right to SELECT it.", name)
            elif name in self._wanted.write and name not in found.rights.writable:
                yield Problem("permission", "The user may not write the column; ask for the right to UPDATE it.", name)
            elif name in self._wanted.write and not found.forms[name].field.writable:
                yield Problem("field", "The column cannot be written; map the field to another, or inward only.", name)

    def _clocks(self, connection: Connection, found: Layout) -> Iterator[Problem]:
        """A clock that is off, and rows that say they were changed in the future."""
        ours = int(self._clock() * SECOND)
        theirs = self._server_time(connection)
        if abs(theirs - ours) > CLOCK_S * SECOND:
            yield Problem("clock", "The database's clock and ours differ by more than a minute; set both by NTP.")
        if found.stamp is None or found.stamp.way == "number":
            return
        highest = connection.execute(select(func.max(found.stamp.expression))).scalar_one()
        last = int(highest * SECOND) if isinstance(highest, int | float) else found.stamp.instant(highest)
        if last is not None and last > max(ours, theirs) + CLOCK_S * SECOND:
            message = "Rows say that they were changed in the future; set the clock of what writes there, or the zone."
            yield Problem("clock", message, self._settings.updated)

    def _finding(self, found: Layout) -> Iterator[Problem]:
        """Columns whose values cannot be looked for as texts."""
        if not found.finds:
            yield Problem("settings", "A key is a text or a number without a fraction; name another column.", found.key)
        for name in self._settings.lookup:
            if name in found.forms and not _finds(found, name):
                yield Problem("settings", "Rows are looked up by texts and numbers only; name another column.", name)

    def _twice(self, connection: Connection, found: Layout) -> Iterator[Problem]:
        """A key that several rows have, where nothing in the database forbids it."""
        if found.key in found.unique:
            return
        key = found.columns[found.key]
        if connection.execute(select(key).group_by(key).having(func.count() > 1).limit(1)).first() is not None:
            yield Problem("settings", "Several rows have one key; name another column as the key.", found.key)

    def _server_time(self, connection: Connection) -> Instant:
        """What the database takes for now. SQLite has no clock but this machine's."""
        if connection.dialect.name == "sqlite":
            return int(self._clock() * SECOND)
        query = "SELECT clock_timestamp()" if connection.dialect.name == "postgresql" else "SELECT utc_timestamp(6)"
        moment = connection.execute(text(query)).scalar_one()
        return instant(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))

    # ---- Reading ----------------------------------------------------------------------------------------------------

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        """By pages in the order of the keys; what changes meanwhile comes now, or again with the next reading."""
        with translated(), self._reading() as connection:
            found = self._layout(connection)
            names = self._names(found)
            ended = self._state(connection, found)
        changed = self._changed_since(found, state)
        after: ColumnElement[bool] = found.columns[found.key].is_not(None)
        while True:
            rows = self._page(found, names, [after, *changed])
            whole, last = _whole(rows, found.key, self._settings.page_rows)
            for row in whole:
                yield self._told(found, row)
            if last is None:
                break
            after = found.columns[found.key] > last
        yield ended

    def _names(self, found: Layout) -> tuple[str, ...]:
        for name in self._wanted.read:
            if name not in found.forms:
                raise SystemChanged(f"The table has no column {name} any more; compare it with the mapping.")
        return tuple(dict.fromkeys((*self._settings.service, *self._wanted.read)))

    def _state(self, connection: Connection, found: Layout) -> State:
        """Where the next reading begins: at the last change that is seen before this one begins."""
        if found.stamp is None:
            return State({})
        highest = connection.execute(select(func.max(found.stamp.expression))).scalar_one()
        now = self._server_time(connection)
        return State({"by": found.stamp.way, "since": found.stamp.kept(highest, now)})

    def _changed_since(self, found: Layout, state: State | None) -> list[ColumnElement[bool]]:
        if state is None or found.stamp is None or state.value.get("by") != found.stamp.way:
            return []
        since = state.value.get("since")
        if isinstance(since, bool) or not isinstance(since, int | float):
            return []
        mark = found.stamp.stepped_back(since, self._settings.overlap_s)
        # A row that tells no time at all may have changed at any.
        return [or_(found.stamp.expression >= mark, found.stamp.expression.is_(None))]

    def _page(self, found: Layout, names: tuple[str, ...], which: list[ColumnElement[bool]]) -> list[Mapping[str, Any]]:
        key = found.columns[found.key]
        query = select(*(found.columns[name].label(name) for name in names)).where(*which)
        return self._rows(query.order_by(key).limit(self._settings.page_rows), names)

    def _rows(self, query: Select[Any], names: tuple[str, ...]) -> list[Mapping[str, Any]]:
        """The rows of a query in a short transaction of its own."""
        with translated(), self._reading() as connection:
            return [dict(zip(names, row, strict=True)) for row in connection.execute(query)]

    def _told(self, found: Layout, row: Mapping[str, Any]) -> Record | Deleted:
        given = self._settings
        record_id = found.key_told(row[found.key])
        changed = created = None
        if found.stamp is not None:
            changed = found.stamp.instant(row[given.updated]) if given.updated else None
            created = found.stamp.instant(row[given.created]) if given.created else None
        if given.deleted is not None and is_marked(row[given.deleted]):
            return Deleted(record_id, changed)
        fields = told(found, row, self._wanted.read)
        return Record(record_id, fields, version_of(given, row), changed or created, created)

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        """The rows of these keys, or with one of these values; a row that counts as deleted is not there."""
        found = self._described()
        names = self._names(found)
        column = by or found.key
        if column not in found.forms:
            raise SystemChanged(f"The table has no column {column} to look rows up by; compare it with the mapping.")
        if column != found.key and not _finds(found, column):
            raise SystemChanged(f"Rows cannot be looked up by a column of the type of {column}; name another.")
        sought = [found.sought(column, key) for key in keys]
        named = {found.key_told(each[0]) for each in sought if each}
        sent = [value for each in sought for value in each]
        for at in range(0, len(sent), BATCH):
            query = select(*(found.columns[name].label(name) for name in names)).where(
                found.columns[column].in_(sent[at : at + BATCH])
            )
            rows = self._rows(query.order_by(found.columns[found.key]), names)
            for row in rows:
                # SQLite takes the text 01 for the number 1 where a column holds numbers.
                item = self._told(found, row)
                if isinstance(item, Record) and (column != found.key or item.id in named):
                    yield item

    # ---- Writing ----------------------------------------------------------------------------------------------------

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        """All of them in one transaction, one outcome each."""
        if len(patches) > BATCH:
            raise SystemRefused(f"At most {BATCH} patches are written at once.")
        if not patches:
            return []
        batch = prepared(self._described(), self._settings, patches)
        if any(item.outcome is None for item in batch.items):
            self._commit(batch)
        return [item.outcome for item in batch.items if item.outcome is not None]

    def _commit(self, batch: Batch) -> None:
        waiting = [item for item in batch.items if item.outcome is None]
        try:
            with self._writing() as connection:
                write(connection, batch)
        except DBAPIError as error:
            found = trouble(error)
            if found is Trouble.DATA:
                self._commit_each(batch, waiting, error)
                return
            if found is Trouble.BUSY:
                outcome: Outcome = RetryAfter(BUSY_S)
            elif found is Trouble.GONE and batch.sent:
                outcome = Ambiguous("the connection was lost before the database said whether it kept the change")
            else:
                raise as_ours(found) from None
            for item in waiting:
                item.outcome = outcome

    def _commit_each(self, batch: Batch, items: list[Item], error: DBAPIError) -> None:
        """Write items one by one, since a rule that is looked at last of all has refused them together."""
        if len(items) == 1:
            items[0].outcome = Rejected(*refusal(error, items[0].names))
            return
        for place, item in enumerate(items):
            item.outcome = None
            try:
                self._commit(Batch(batch.layout, batch.settings, [item]))
            except OnewriterError:
                if place == 0:
                    raise
                for rest in items[place:]:
                    rest.outcome = RetryAfter(BUSY_S)
                return

    def _reading(self) -> AbstractContextManager[Connection]:
        """A transaction that only reads, and is left as it is."""
        return self._engine.connect()

    def _writing(self) -> AbstractContextManager[Connection]:
        return self._engine.execution_options(onewriter_writes=True).begin()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


def _finds(found: Layout, name: str) -> bool:
    """Whether rows can be looked up by a column."""
    return name in found.forms and found.forms[name].field.type in FINDING


def _whole(rows: list[Mapping[str, Any]], key: str, most: int) -> tuple[list[Mapping[str, Any]], Any]:
    """The rows of a page whose key is complete in it, and the key to go on after; None at the end.

    Where several rows have one key, a page may end in the middle of them.
    """
    if len(rows) < most:
        return rows, None
    cut = rows[-1][key]
    whole = [row for row in rows if row[key] != cut]
    if not whole:
        raise SystemChanged("More rows have one key than a page holds; name another column as the key.")
    return whole, whole[-1][key]
