"""Files of pairs and of people for `onewriter identity`: CSV with a header, in UTF-8, and records as JSON."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

import click

from onewriter.rules.identity import VALUE_KINDS, Person, ValueKind

BYTES_MAX = 1_000_000_000
ROWS_MAX = 2_000_000
JSON_MAX = 1_000_000
CELL_MAX = 131_072
"""Characters of one cell, as the CSV reader has it."""

COLUMNS = (
    "record_id", "system", "account", "shopify_id", "system_id", "email", "phone", "first_name", "last_name",
    "address1", "city", "zip", "country", "dob", "created_at",
)  # fmt: skip
PAIR_COLUMNS = ("kind", "raw_a", "region_a", "raw_b", "region_b")
NEEDED = ("kind", "raw_a", "raw_b")

Pair = tuple[ValueKind, str, str | None, str, str | None]


def pairs(path: Path) -> list[Pair]:
    """The pairs of a file in their order; all of it is read before the first is given, so that it is all or nothing."""
    with _opened(path) as file:
        rows = _Rows(path, file, PAIR_COLUMNS)
        missing = [name for name in NEEDED if name not in rows.places]
        if missing:
            raise click.UsageError(f"{path} has no column {missing[0]}; a file of pairs has {', '.join(PAIR_COLUMNS)}")
        return [_pair(path, line, row) for line, row in rows]


def _pair(path: Path, line: int, row: dict[str, str]) -> Pair:
    given = row.get("kind", "").strip().lower()
    kind = next((each for each in VALUE_KINDS if each == given), None)
    if kind is None:
        raise click.UsageError(f"{path}, line {line}: kind must be one of {', '.join(VALUE_KINDS)}")
    return kind, row.get("raw_a", ""), row.get("region_a") or None, row.get("raw_b", ""), row.get("region_b") or None


class People:
    """The people of a file, read as they are asked for; `count` says how many there were."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def __iter__(self) -> Iterator[Person]:
        """Each person; UsageError for a record_id that another line has."""
        seen: dict[str, int] = {}
        with _opened(self.path) as file:
            rows = _Rows(self.path, file, COLUMNS)
            if not rows.places:
                raise click.UsageError(f"{self.path} has none of the columns {', '.join(COLUMNS)} in its first line")
            for line, row in rows:
                self.count += 1
                record_id = row.pop("record_id", "").strip() or str(self.count)
                if record_id in seen:
                    raise click.UsageError(f"{self.path}, line {line}: line {seen[record_id]} has the same record_id")
                seen[record_id] = line
                texts: dict[str, Any] = {name: value or None for name, value in row.items()}
                yield Person(record_id=record_id, **texts)


class _Rows:
    """The rows of a CSV file with the number of their line, and where in a row each wanted column stands."""

    def __init__(self, path: Path, file: IO[str], wanted: Sequence[str]) -> None:
        self._path = path
        first = file.readline(CELL_MAX)
        # A spreadsheet in half of Europe parts cells by semicolons, since a comma stands in its numbers.
        parted_by = next((sign for sign in (",", ";", "\t") if sign in first), ",")
        file.seek(0)
        self._reader = csv.reader(file, delimiter=parted_by)
        try:
            header = [name.strip().lower() for name in next(self._reader, [])]
        except csv.Error:
            raise click.UsageError(f"{path}, line 1: this is no line of a CSV file") from None
        if not any(header):
            raise click.UsageError(f"{path} is empty; its first line must name the columns")
        twice = [name for name in wanted if header.count(name) > 1]
        if twice:
            raise click.UsageError(f"{path} has two columns {twice[0]}")
        self._width = len(header)
        self.places = {name: header.index(name) for name in wanted if name in header}

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Each row that is not empty; UsageError for what is no row, and beyond ROWS_MAX."""
        count = 0
        try:
            for cells in self._reader:
                if not any(cells):
                    continue
                count += 1
                if len(cells) > self._width:
                    raise click.UsageError(f"{self._path}, line {self._reader.line_num}: more cells than columns")
                if count > ROWS_MAX:
                    raise click.UsageError(f"{self._path} has more than {ROWS_MAX} rows; split it")
                row = {name: cells[at] for name, at in self.places.items() if at < len(cells)}
                yield self._reader.line_num, row
        except csv.Error:
            raise click.UsageError(
                f"{self._path}, line {self._reader.line_num}: this is no line of a CSV file"
            ) from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise click.UsageError(f"{path} is larger than {BYTES_MAX // 1_000_000} MB; split it")
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError:
        raise click.UsageError(f"{path} is not in UTF-8; save it as CSV UTF-8") from None
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read ({type(error).__name__})") from None


def record_of(label: str, files: Sequence[str], given: Sequence[str]) -> Person:
    """A record out of NAME=VALUE pairs, or out of a JSON file with one object."""
    values = _from_json(Path(files[0])) if files else dict(_named(label, pair) for pair in given)
    known = {each.name for each in fields(Person)} - {"record_id", "live", "redacted"}
    for name in values:
        if name not in known | {"record_id"}:
            raise click.UsageError(f"{label}: {name!r} is no field of a record; there are {', '.join(COLUMNS)}")
    texts: dict[str, Any] = {name: str(value) for name, value in values.items() if value is not None and name in known}
    return Person(record_id=label, **texts)


def _named(label: str, pair: str) -> tuple[str, str]:
    name, sign, value = pair.partition("=")
    if not sign:
        raise click.UsageError(f"--{label.lower()} is NAME=VALUE, such as email=ann@example.com")
    return name.strip().lower(), value


def _from_json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(JSON_MAX + 1)[: JSON_MAX + 1])
    except OSError:
        raise click.UsageError("A or B is no file; say with --kind what kind of value they are") from None
    except ValueError:
        raise click.UsageError(f"{path} is no JSON file of one record of at most {JSON_MAX // 1_000_000} MB") from None
    if not isinstance(content, dict):
        raise click.UsageError(f"{path} must hold one JSON object, a record")
    return content
