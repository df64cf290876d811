"""A CSV file that another program keeps and reads, and the hand behind the connector's back that works on it."""

import csv
import fcntl
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onewriter.connectors.interface import Discovery, RemoteValue
from onewriter.connectors.workbench import Ground, Workbench

HEADER = ("number", "name", "note", "email")


class CsvBench(Workbench):
    """One file that onewriter keeps, and that somebody edits too."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "from-onewriter.csv"
        self.configuration: dict[str, Any] = {
            "folder": str(folder),
            "write": self.file.name,
            "key": "number",
            "lookup": ["email"],
        }
        self._numbers = itertools.count(1000)
        self.put([])

    def put(self, rows: list[dict[str, str]], header: tuple[str, ...] = HEADER) -> None:
        """Write the file as a program does that takes care."""
        part = self.file.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as text:
            writer = csv.DictWriter(text, header, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        part.replace(self.file)

    def rows(self) -> list[dict[str, str]]:
        """The rows of the file."""
        with self.file.open(newline="", encoding="utf-8") as text:
            return list(csv.DictReader(text))

    def _edit(self, edit: Callable[[dict[str, str]], dict[str, str] | None]) -> None:
        self.put([row for each in self.rows() if (row := edit(each)) is not None])

    def ground(self, discovery: Discovery) -> Ground:
        return Ground(texts=("name", "note"), lookup="email", limited="note")

    def insert(self, values: Mapping[str, RemoteValue]) -> str:
        number = str(next(self._numbers))
        self.put([*self.rows(), {"number": number, **{name: str(value) for name, value in values.items()}}])
        return number

    def change(self, record_id: str, values: Mapping[str, RemoteValue]) -> None:
        self._edit(lambda row: row | dict(values) if row["number"] == record_id else row)

    def remove(self, record_id: str) -> None:
        self._edit(lambda row: None if row["number"] == record_id else row)

    def held(self, record_id: str) -> Mapping[str, RemoteValue]:
        found = next(row for row in self.rows() if row["number"] == record_id)
        return {name: found[name] or None for name in HEADER[1:]}

    @contextmanager
    def locked(self, record_id: str) -> Iterator[None]:
        with (self.file.parent / f".{self.file.name}.lock").open("ab") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
            yield

    @contextmanager
    def field_gone(self, field: str) -> Iterator[None]:
        before = self.rows()
        self.put(before, tuple(name for name in HEADER if name != field))
        yield
        self.put(before)

    @contextmanager
    def cut_while_reading(self) -> Iterator[None]:
        whole = self.file.read_bytes()
        self.file.write_bytes(whole[: whole.rindex(b",", 0, whole.rindex(b","))])
        yield
        self.file.write_bytes(whole)

    def unreachable(self) -> Mapping[str, Any]:
        return self.configuration | {"folder": f"{self.file.parent}/gone"}
