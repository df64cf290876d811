"""Taking turns: what must be done by one after the other, whatever process or thread it is in."""

from sqlalchemy import Connection, text

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


def take_turns(db: Connection, name: str) -> None:
    """Wait until no other transaction holds the turn of that name, and hold it until this one ends.

    On SQLite whoever writes holds the one write lock already. The transaction must be one that writes.
    """
    if db.dialect.name != "sqlite":
        db.execute(_LOCK, {"name": f"onewriter turn {name}"})
