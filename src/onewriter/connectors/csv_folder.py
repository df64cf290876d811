"""The kind `csv`: a folder into which a system exports all its customers, and a file that onewriter keeps for it.

Every reading is a reading of everything, so that a record which is not in the file is gone. All values are texts, just
as they stand in the file: what a spreadsheet has spoilt stays spoilt, and is told by the check.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from onewriter.connectors.csv_awaited import await_more, written_since
from onewriter.connectors.csv_files import AHEAD_S, CELL_MAX, Mark, mark_of, newest, opened
from onewriter.connectors.csv_settings import SPEC, CsvSettings, settings
from onewriter.connectors.csv_write import Export, write
from onewriter.connectors.interface import (
    Applied,
    Capabilities,
    Deleted,
    Discovery,
    FieldPatch,
    Outcome,
    Problem,
    Record,
    RemoteField,
    RemoteValue,
    State,
    Unchanged,
    Wanted,
)
from onewriter.errors import SystemChanged, SystemRefused, SystemUnreachable

BATCH = 5000
LOOKED_AT = 20_000
"""Rows that the check looks at for what a spreadsheet has spoilt."""

_SPOILT = re.compile(r"\d(\.\d+)?E\+\d{1,2}|#(NAME\?|REF!|N/A|VALUE!|DIV/0!|NUM!|NULL!)|#{4,}")


class CsvFolder:
    """How a folder is set up and opened."""

    name = "csv"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def spec(self) -> Mapping[str, Any]:
        """The configuration as JSON schema."""
        return SPEC

    def open(self, configuration: Mapping[str, Any], wanted: Wanted) -> "CsvConnector":
        """A connector to the folder; no file is opened before it is used."""
        return CsvConnector(settings(configuration), wanted, self._clock)


class CsvConnector:
    """A folder that is open. No file stays open between two calls."""

    def __init__(self, given: CsvSettings, wanted: Wanted, clock: Callable[[], float]) -> None:
        self._settings = given
        self._wanted = wanted
        self._clock = clock
        self._before: Mark | None = None

    # ---- What it is -------------------------------------------------------------------------------------------------

    def check(self) -> Sequence[Problem]:
        """Look at the rights, the columns and the first rows; nothing is written."""
        try:
            return [*self._rights(), *self._missing(), *self._contents()]
        except SystemRefused as error:
            return [Problem("permission", str(error))]
        except (SystemChanged, SystemUnreachable) as error:
            return [Problem("settings", str(error))]

    def _rights(self) -> Iterator[Problem]:
        folder, out = self._settings.folder, self._settings.out
        if not folder.is_dir():
            yield Problem("settings", "There is no such folder; is its path right, and its disk there?")
        elif self._wanted.write and out is None:
            yield Problem("settings", "Nothing can be written without the setting write; give the file a name.")
        elif self._wanted.write and not os.access(folder, os.W_OK):
            yield Problem("permission", "The folder may not be written; give this user the right to it.")

    def _missing(self) -> Iterator[Problem]:
        named = {each.name for each in self.discover().fields}
        for name in dict.fromkeys((*self._wanted.read, *self._wanted.write)):
            if name not in named:
                yield Problem("field", "The file has no such column; map the field to another.", name)

    def _contents(self) -> Iterator[Problem]:
        """What is in the first rows that a person should know of."""
        path = self._file()
        if path is None:
            return
        if path.stat().st_mtime > self._clock() + AHEAD_S:
            yield Problem("clock", "The file comes from the future; set the clock of whatever writes it.")
        seen: set[str] = set()
        told: set[str] = set()
        with opened(path, self._settings) as (shape, rows):
            key = shape.header.index(self._settings.key)
            wanted = [(at, name) for at, name in enumerate(shape.header) if name in self._wanted.read]
            for row in islice(rows, LOOKED_AT):
                if row[key] in seen:
                    told.add("twice")
                seen.add(row[key])
                told |= {name for at, name in wanted if _SPOILT.fullmatch(row[at])}
        place = self._settings.key
        if "" in seen:
            yield Problem("settings", "Rows without a key are left out; fill them, or name another column.", place)
        if "twice" in told:
            yield Problem("settings", "Several rows have one key; name another column as the key.", place)
        for name in sorted(told - {"twice"}):
            yield Problem("type", "A spreadsheet has spoilt values of the column; export it without one.", name)

    def discover(self) -> Discovery:
        """The columns of the newest file, and those of the file that is kept."""
        writes = self._settings.out is not None
        fields = [
            RemoteField(name=name, writable=writes and name != self._settings.key, max_length=CELL_MAX)
            for name in self._columns()
        ]
        lookup = tuple(name for name in self._settings.lookup if name in {each.name for each in fields})
        return Discovery(
            tuple(fields),
            Capabilities(upsert_keys=lookup, batch=BATCH, creates=writes and self._settings.creates),
        )

    def _columns(self) -> list[str]:
        names = dict.fromkeys([self._settings.key])
        path = self._file()
        for each in (path, self._settings.out):
            if each is not None and each.exists():
                with opened(each, self._settings) as (shape, _rows):
                    names |= dict.fromkeys(name for name in shape.header if name)
        if path is None:
            # The file does not exist yet: it will have the columns that are mapped.
            names |= dict.fromkeys((*self._wanted.write, *self._wanted.read))
        return list(names)

    def _file(self) -> Path | None:
        """What is read: the newest export, or else the file that is kept; None while that does not exist."""
        if self._settings.read is not None:
            return self._newest()
        out = self._settings.out
        return out if out is not None and out.exists() else None

    def _newest(self) -> Path:
        """The newest export, which is never one from before those that this connector knows of."""
        path = newest(self._settings, self._clock, self._before)
        self._before = mark_of(path, self._clock)
        return path

    # ---- Reading ----------------------------------------------------------------------------------------------------

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        """Every row; several rows of one key all come, and a row without a key does not."""
        self._before = max(filter(None, (self._before, _mark(state))), default=None)
        path = self._file()
        if path is None and state is not None and state.value.get("rows"):
            raise SystemUnreachable("The file is gone; put it back, or remove the system.")
        if path is None and not self._settings.folder.is_dir():
            raise SystemUnreachable("There is no such folder; is its path right, and its disk there?")
        count = 0
        for record in () if path is None else self._records(path):
            count += 1
            yield record
        yield State({"rows": count, **({"file": list(self._before)} if self._before else {})})

    def _records(self, path: Path) -> Iterator[Record]:
        with opened(path, self._settings) as (shape, rows):
            places = {name: at for at, name in enumerate(shape.header)}
            for name in self._wanted.read:
                if name not in places:
                    raise SystemChanged(f"The file has no column {name}; compare its first line with the mapping.")
            key, wanted = places[self._settings.key], [(name, places[name]) for name in self._wanted.read]
            told = written_since(self._settings, path)
            made = dict(told)
            for row in rows:
                if row[key]:
                    fields = {name: row[at] or None for name, at in wanted}
                    if row[key] in told:
                        made.pop(row[key], None)
                        fields |= self._fields(told[row[key]].written)
                    yield Record(row[key], fields)
            # These were made since, and the next export is the first that could have them.
            for number, each in made.items():
                yield Record(number, self._fields(each.whole))

    def _fields(self, cells: Mapping[str, str]) -> dict[str, RemoteValue]:
        return {name: cells[name] or None for name in self._wanted.read if name in cells}

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        """The rows of these keys, or with one of these values."""
        path, sought = self._file(), set(keys)
        if path is None or not sought:
            return
        told = written_since(self._settings, path)
        made = dict(told)
        for record, cells in self._with_cells(path):
            made.pop(record.id, None)
            known = {**cells, **(told[record.id].written if record.id in told else {})}
            if known.get(by or self._settings.key) in sought:
                yield Record(record.id, {**record.fields, **self._fields(known)})
        for number, each in made.items():
            if each.whole.get(by or self._settings.key) in sought:
                yield Record(number, self._fields(each.whole))

    def _with_cells(self, path: Path) -> Iterator[tuple[Record, dict[str, str]]]:
        with opened(path, self._settings) as (shape, rows):
            for row in rows:
                cells = dict(zip(shape.header, row, strict=True))
                if cells[self._settings.key]:
                    fields = {name: cells.get(name) or None for name in self._wanted.read}
                    yield Record(cells[self._settings.key], fields), cells

    # ---- Writing ----------------------------------------------------------------------------------------------------

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        """All of them by one replacement of the file, one outcome each."""
        if len(patches) > BATCH:
            raise SystemRefused(f"At most {BATCH} patches are written at once.")
        if not patches:
            return []
        named = {patch.key for patch in patches if patch.key is not None}
        if self._settings.read is None or self._settings.out is None:
            return write(self._settings, self._wanted.write, patches)
        path = self._newest()
        export = {record.id: cells for record, cells in self._with_cells(path) if record.id in named}
        with opened(path, self._settings) as (shape, _rows):
            # A system takes up files of the form in which it exports them.
            outcomes = write(self._settings, self._wanted.write, patches, Export(export, shape))
        done = [
            (outcome.id, (*patch.set, *patch.clear))
            for patch, outcome in zip(patches, outcomes, strict=True)
            if isinstance(outcome, Applied | Unchanged)
        ]
        await_more(self._settings.out, path, done)
        return outcomes

    def close(self) -> None:
        """Nothing is open."""


def _mark(state: State | None) -> Mark | None:
    """The file that a reading ended with, as its state tells it."""
    match state.value.get("file") if state is not None else None:
        case [int(changed), str(name)]:
            return changed, name
    return None
