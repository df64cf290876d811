"""A small CRM in a file of SQLite, as a shop's sales people keep one: for the demo's story and for measurements.

It writes people otherwise than the shop does: addresses in capitals, numbers with spaces. It knows nothing of us; what
the story claims is checked in its file, and never through our connector.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite

TABLE = """
CREATE TABLE people (
    id INTEGER PRIMARY KEY, shop_no TEXT, mail TEXT, mobile VARCHAR(24), first TEXT, last TEXT, tier TEXT,
    labels TEXT, updated TEXT NOT NULL
)
"""
COLUMNS = ("shop_no", "mail", "mobile", "first", "last", "tier", "labels")
TIERS = ("bronze", "silver", "gold")


@dataclass(frozen=True, slots=True)
class LocalCrm:
    """The CRM in a file."""

    file: Path

    @property
    def settings(self) -> str:
        """How onewriter reaches it, as the file of `systems add --config`."""
        return (
            f'url = "sqlite:///{self.file}"\ntable = "people"\nkey = "id"\nupdated = "updated"\n'
            'lookup = ["shop_no", "mail"]\n'
        )

    def make(self, people: Sequence[Mapping[str, Any]]) -> None:
        """Make the table, with these people in it."""
        rows = [[each.get(name) for name in COLUMNS] + [_stamp()] for each in people]
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        with self._opened() as connection:
            connection.execute(TABLE)
            connection.executemany(f"INSERT INTO people ({', '.join(COLUMNS)}, updated) VALUES ({marks})", rows)

    def keep_once(self, column: str) -> None:
        """Have no two records hold the same in a column, as many a CRM has it of numbers and addresses."""
        with self._opened() as connection:
            connection.execute(f"CREATE UNIQUE INDEX once_{column} ON people ({column})")

    def add(self, **values: Any) -> int:
        """Make a record as its people do; its number."""
        marks = ", ".join("?" * (len(values) + 1))
        with self._opened() as connection:
            given = (*values.values(), _stamp())
            made = connection.execute(f"INSERT INTO people ({', '.join(values)}, updated) VALUES ({marks})", given)
        return int(made.lastrowid)

    def edit(self, number: int, **values: Any) -> None:
        """Change a record as its people do."""
        named = ", ".join(f"{name} = ?" for name in values)
        with self._opened() as connection:
            wanted = (*values.values(), _stamp(), number)
            connection.execute(f"UPDATE people SET {named}, updated = ? WHERE id = ?", wanted)

    def drop(self, number: int) -> None:
        """Take a record away."""
        with self._opened() as connection:
            connection.execute("DELETE FROM people WHERE id = ?", (number,))

    def people(self) -> dict[int, dict[str, Any]]:
        """Everybody in it, by its own number."""
        with self._opened() as connection:
            rows = connection.execute(f"SELECT id, {', '.join(COLUMNS)} FROM people").fetchall()
        return {row[0]: dict(zip(COLUMNS, row[1:], strict=True)) for row in rows}

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The file, opened; what was done is kept at the end."""
        connection = sqlite.connect(self.file)
        try:
            yield connection
            connection.commit()
        finally:
            connection.close()


def written_otherwise(shown: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A customer as this CRM's people wrote them down."""
    phone = shown.get("phone")
    return {
        "mail": str(shown["email"]).upper() if number % 2 else f" {shown['email']} ",
        "mobile": f"{phone[:3]} {phone[3:6]} {phone[6:]}" if phone else None,
        "first": shown.get("first_name"),
        "last": (shown.get("last_name") or "").upper() or None,
        "tier": TIERS[number % len(TIERS)],
        "labels": "vip:tea" if number % 10 == 0 else None,
    }


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
