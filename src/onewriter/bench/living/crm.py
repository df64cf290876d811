"""The CRM of a living shop: a table in a file of SQLite that keeps a history of its own, as many do.

Whoever writes says who they are in `session`; our connector says nothing, and is what writes when nobody is named. So
the history tells who wrote which field when, in the order in which it came.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2 as sqlite

FIELDS: Mapping[str, str] = {
    "shopify_id": "shop_no", "email": "mail", "phone": "mobile", "first_name": "first", "last_name": "last",
    "note": "remarks", "locale": "lang", "email_consent": "consent", "custom.tier": "tier",
}  # fmt: skip
"""The customer field: the column."""
COLUMNS = tuple(FIELDS.values())
KEPT = tuple(column for column in COLUMNS if column != "shop_no")
"""The columns of which a history is kept."""
OURS = "onewriter"
_TABLES = f"""
CREATE TABLE people (id INTEGER PRIMARY KEY, {", ".join(f"{each} TEXT" for each in COLUMNS)}, made TEXT,
    updated TEXT NOT NULL DEFAULT '2026-03-02 10:00:00');
CREATE TABLE session (who TEXT, run TEXT, at TEXT);
INSERT INTO session VALUES (NULL, NULL, NULL);
CREATE TABLE history (seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT, who TEXT, run TEXT, id INTEGER, field TEXT,
    old TEXT, new TEXT);
CREATE INDEX of_field ON history (id, field);
"""


@dataclass(frozen=True, slots=True)
class Told:
    """One line of the CRM's history."""

    seq: int
    at: str | None
    who: str
    run: str | None
    id: int
    column: str
    old: str | None
    new: str | None


@dataclass(slots=True)
class HistoricalCrm:
    """The CRM in a file. Its clock is set from outside, and may be wrong."""

    file: Path

    def make(self) -> None:
        """Make the tables, and what keeps the history."""
        with self._open() as db:
            db.executescript(_TABLES)
            db.executescript("""
                CREATE TRIGGER made AFTER INSERT ON people WHEN NEW.made IS NULL
                BEGIN UPDATE people SET made = (SELECT at FROM session) WHERE id = NEW.id; END;
            """)
            for column in KEPT:
                # What is kept is what stands there in the end, whatever another trigger made of what was written.
                stands = f"(SELECT {column} FROM people WHERE id = NEW.id)"
                newest = f"(SELECT new FROM history WHERE id = NEW.id AND field = '{column}' ORDER BY seq DESC LIMIT 1)"
                told = f"""INSERT INTO history (at, who, run, id, field, old, new)
                    SELECT at, coalesce(who, '{OURS}'), run, NEW.id, '{column}', {newest}, {stands} FROM session
                    WHERE {newest} IS NOT {stands};"""
                db.executescript(f"""
                    CREATE TRIGGER changed_{column} AFTER UPDATE OF {column} ON people BEGIN {told} END;
                    CREATE TRIGGER made_{column} AFTER INSERT ON people BEGIN {told} END;
                """)

    def set_clock(self, stamp: str, run: str | None = None) -> None:
        """What the CRM's clock says from now on, and the run that our connector writes in."""
        with self._open() as db:
            db.execute("UPDATE session SET at = ?, run = ?", (stamp, run))

    def script(self, statements: str) -> None:
        """What somebody sets up in the CRM: a trigger, a rule."""
        with self._open() as db:
            db.executescript(statements)

    def put(self, who: str, *, run: str | None = None, **values: Any) -> int:
        """Make a record; its number."""
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with self._as(who, run) as db:
            [(number,)] = db.execute(
                f"INSERT INTO people ({names}, made, updated) SELECT {marks}, at, at FROM session RETURNING id",
                tuple(values.values()),
            ).fetchall()
        return int(number)

    def edit(self, who: str, number: int, *, run: str | None = None, **values: Any) -> None:
        """Change a record."""
        named = ", ".join(f"{name} = ?" for name in values)
        with self._as(who, run) as db:
            changed = f"UPDATE people SET {named}, updated = (SELECT at FROM session) WHERE id = ?"
            db.execute(changed, (*values.values(), number))

    def drop(self, number: int) -> None:
        """Take a record away."""
        with self._open() as db:
            db.execute("DELETE FROM people WHERE id = ?", (number,))

    def people(self) -> dict[int, dict[str, Any]]:
        """Everybody in it, by number; `made` is when the record was made."""
        with self._open() as db:
            rows = db.execute(f"SELECT id, made, {', '.join(COLUMNS)} FROM people ORDER BY id").fetchall()
        return {row[0]: dict(zip(("made", *COLUMNS), row[1:], strict=True)) for row in rows}

    def length(self) -> int:
        """How far the history is."""
        with self._open() as db:
            [(last,)] = db.execute("SELECT coalesce(max(seq), 0) FROM history").fetchall()
        return int(last)

    def history(self) -> list[Told]:
        """Every line of the history, in its order."""
        with self._open() as db:
            rows = db.execute("SELECT seq, at, who, run, id, field, old, new FROM history ORDER BY seq").fetchall()
        return [Told(*row) for row in rows]

    @contextmanager
    def _open(self) -> Iterator[Any]:
        connection = sqlite.connect(self.file)
        try:
            yield connection
            connection.commit()
        finally:
            connection.close()

    @contextmanager
    def _as(self, who: str, run: str | None) -> Iterator[Any]:
        with self._open() as db:
            [(before,)] = db.execute("SELECT run FROM session").fetchall()
            db.execute("UPDATE session SET who = ?, run = ?", (who, run))
            yield db
            db.execute("UPDATE session SET who = NULL, run = ?", (before,))
