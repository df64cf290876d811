"""Stored databases: real ones, as earlier versions of onewriter left them, with their key stores and master keys.

Each was made by the code of its revision on a sandbox shop, whose people are made up: an import, an update, a deletion,
a merge, a delivery that cannot be read, an erasure and points, as far as that version had them. `truth.json` says what
that version opened itself.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import MetaData

from onewriter.db import dump
from onewriter.db.engine import Database
from onewriter.db.migrate import Chain
from tests.support.tree import ROOT

FOLDER = ROOT / "tests" / "stored"
REVISIONS = tuple(sorted(path.name for path in FOLDER.iterdir()))
FILES: tuple[tuple[Chain, str], ...] = (("main", "onewriter.db"), ("keys", "keys.db"))


def truth_of(revision: str) -> Any:
    """What the version of that revision had: its customers as it opened them, and how many rows of each table."""
    return json.loads((FOLDER / revision / "truth.json").read_text())


def unpack(revision: str, folder: Path) -> None:
    """Put a stored installation into a folder, as it was on the disk."""
    folder.mkdir(mode=0o700)
    for _chain, name in FILES:
        (folder / name).write_bytes(gzip.decompress((FOLDER / revision / f"{name}.gz").read_bytes()))
    key = folder / "master.key"
    key.write_bytes((FOLDER / revision / "master.key").read_bytes())
    key.chmod(0o600)


def load_into(url: str, chain: Chain, file: Path) -> None:
    """Make a database as it would be had that version worked with it: at its revision, with its rows."""
    stored, other = Database(f"sqlite:///{file}"), Database(url)
    with stored.read() as db, other.write() as into:
        tables = MetaData()
        tables.reflect(db, only=lambda name, _: not name.startswith(("dbos", "workflow", "alembic")))
        ours = [table for table in tables.sorted_tables if table.name in _known(chain)]
        columns = {str(table.name): [str(column.name) for column in table.columns] for table in ours}
        pieces = [
            msgspec.msgpack.encode((name, [list(row) for row in db.exec_driver_sql(_select(name, names))]))
            for name, names in columns.items()
        ]
        revision = db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
        dump.fill(into, chain, str(revision), columns, pieces)
        dump.count_on(into, chain, {})
    stored.close()
    other.close()


def _known(chain: Chain) -> set[str]:
    return {*dump.columns_of(chain), *dump.FORMER}


def _select(name: str, columns: list[str]) -> str:
    return f"SELECT {', '.join(columns)} FROM {name}"
