"""The kind `file`: a system whose customers a person gives as a CSV file, one import at a time.

It has no place where it could be read by itself, and nothing is ever written to it: `onewriter csv import` opens the
file that is given. A file is no list of everybody, so that who is not in it is not gone.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onewriter.connectors.csv_files import Held, Shape, opened_alone
from onewriter.connectors.interface import (
    Capabilities,
    Deleted,
    Discovery,
    FieldPatch,
    Outcome,
    Problem,
    Record,
    RemoteField,
    State,
    Wanted,
)
from onewriter.errors import BadSetting, SystemRefused
from onewriter.rules.csv_cells import IDENTITY, Column, Unclear, repaired, told

BATCH = 500
ROWS_SHOWN = 10
"""Rows that are named of each kind of trouble."""
SPEC: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Files that a person imports",
    "type": "object",
    "additionalProperties": False,
    "properties": {},
}


class GivenFiles:
    """How such a system is set up: there is nothing to set."""

    name = "file"

    def spec(self) -> Mapping[str, Any]:
        """The configuration as JSON schema."""
        return SPEC

    def open(self, configuration: Mapping[str, Any], wanted: Wanted) -> "GivenFile":
        """The system without a file; it can be asked for nothing."""
        return GivenFile(wanted)


class GivenFile:
    """A file that was given, or none."""

    def __init__(self, wanted: Wanted, rows: "Rows | None" = None) -> None:
        self._wanted = wanted
        self._rows = rows
        self.names: list[str] = []
        """The records that the last reading brought."""

    def check(self) -> Sequence[Problem]:
        """Nothing can be wrong before there is a file."""
        return []

    def discover(self) -> Discovery:
        """The fields that are mapped, none of which can be written."""
        fields = tuple(RemoteField(name=name, writable=False) for name in dict.fromkeys(self._wanted.read))
        return Discovery(fields, Capabilities(batch=BATCH, creates=False))

    def read(self, state: State | None) -> Iterator[Record | Deleted | State]:
        """Every row of the file; raises SystemRefused where none was given."""
        if self._rows is None:
            raise SystemRefused("This system has no place to be read from; give a file: onewriter csv import FILE")
        self.names = []
        for _number, record in self._rows:
            self.names.append(record.id)
            yield record

    def read_keys(self, keys: Sequence[str], by: str | None = None) -> Iterator[Record]:
        """None: a file is read from its beginning, and only there."""
        return iter(())

    def write(self, patches: Sequence[FieldPatch]) -> Sequence[Outcome]:
        """Refused: nobody reads the file again."""
        raise SystemRefused("Nothing can be written to a file that a person gave.")

    def close(self) -> None:
        """Nothing is open."""


class Rows:
    """The rows of a file as records, with what is wrong with them; each reading begins anew.

    A row is named by the column that was given as its key, or else by the surest of id, address and number that it has.
    Of several rows of one name the first counts.
    """

    def __init__(
        self, path: Path | Held, choose: Callable[[Sequence[str]], list[Column]], key: str | None = None
    ) -> None:
        self.path, self.key = path, key
        self._choose = choose
        self.shape = Shape("", "", ())
        self.columns: list[Column] = []
        self.rows = 0
        self.troubles: dict[tuple[str, str], Trouble] = {}
        """(what, column): how often and where."""
        self.look()

    def look(self) -> None:
        """Find out what the columns mean, without reading further."""
        with opened_alone(self.path) as (shape, _rows):
            self.shape = shape
            try:
                self.columns = self._choose(shape.header)
            except Unclear as error:
                raise BadSetting(str(error)) from None
        if self.key is not None and self.key not in shape.header:
            raise BadSetting(f"The file has no column {self.key}; look at its first line.")
        if self.key is None and not any(each.field in IDENTITY for each in self.columns):
            raise BadSetting(
                "No column says who a row is of: name the one with the address, the number or Shopify's id, such as "
                "--map COLUMN=email."
            )

    def counted(self) -> int:
        """How many rows the file has, whoever they are of."""
        with opened_alone(self.path) as (_shape, rows):
            return sum(1 for _row in rows)

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        """Each row that can be named, with its number in the file; the first line is row 1."""
        self.rows, self.troubles = 0, {}
        seen: set[int] = set()
        with opened_alone(self.path) as (shape, rows):
            if shape.header != self.shape.header:
                raise SystemRefused("The file changed while it was looked at; start again.")
            place = None if self.key is None else shape.header.index(self.key)
            for number, row in rows:
                self.rows += 1
                fields = self._fields(number, row)
                name = self._name(fields) if place is None else row[place].strip()
                if not name:
                    self.note("without anything that says who it is", "", number)
                elif hash(name) in seen:
                    self.note("again in the file", self.key or "", number)
                else:
                    seen.add(hash(name))
                    yield number, Record(name, fields)

    def note(self, what: str, column: str, number: int) -> None:
        """Write down that something is wrong in a row."""
        trouble = self.troubles.setdefault((what, column), Trouble())
        trouble.count += 1
        if len(trouble.rows) < ROWS_SHOWN:
            trouble.rows.append(number)

    def _fields(self, number: int, row: Sequence[str]) -> dict[str, Any]:
        fields = {}
        for column in self.columns:
            text, damage = repaired(row[column.at])
            if damage is not None:
                self.note(damage, column.heading, number)
            # What a spreadsheet has lost is not told at all: it must neither be taken up nor empty anything.
            if text is not None:
                fields[column.map.remote] = told(column, text)
        return fields

    def _name(self, fields: Mapping[str, Any]) -> str:
        remotes = {each.field: each.map.remote for each in self.columns}
        for each in IDENTITY:
            value = fields.get(remotes.get(each, ""))
            if isinstance(value, str) and value.strip():
                return f"{each}:{value.strip().casefold()}"
        return ""


class Trouble:
    """How often something is wrong, and in which rows first."""

    def __init__(self) -> None:
        self.count = 0
        self.rows: list[int] = []


def summed(rows: Rows) -> Counter[str]:
    """How often each trouble was found, over all columns."""
    found: Counter[str] = Counter()
    for (what, _column), trouble in rows.troubles.items():
        found[what] += trouble.count
    return found
