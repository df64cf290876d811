"""Backups made and restored through the stages, and everything that a database holds, to be compared."""

from pathlib import Path
from typing import Any

from sqlalchemy import select

from onewriter.db import systemtables
from onewriter.db.engine import Database
from onewriter.records import Instant
from onewriter.runtime import Runtime
from onewriter.settings import load
from onewriter.vault import copying
from onewriter.workflows import backups, recovering
from onewriter.workflows.backups import Made
from onewriter.workflows.recovering import Recovered

BY = "user:tests"


def nobody(_rows: int) -> None:
    """Whoever is told how far it is."""


def back_up(runtime: Runtime, path: Path, now: Instant) -> Made:
    return backups.make(runtime, path, now, nobody, force=True)


def bring_back(runtime: Runtime, path: Path, now: Instant) -> Recovered:
    """Restore as the command does, and do what follows."""
    put_back(runtime, path, now)
    return recovering.finish(runtime)


def put_back(runtime: Runtime, path: Path, now: Instant) -> None:
    """Restore, as far as one transaction goes."""
    file = backups.open_backup(runtime, path, now)
    runtime.prepare()
    looked = backups.look_through(runtime, file, nobody)
    backups.refuse_without_shop_keys(runtime, looked.shop_ids)
    backups.restore(runtime, file, looked, BY, now, nobody)


def copy_keys(runtime: Runtime, path: Path, now: Instant) -> int:
    return copying.write_copy(runtime.keys, path, now)


def bring_keys_back(runtime: Runtime, path: Path, now: Instant) -> Recovered:
    """Restore a copy of the key store as the command does, and do what follows."""
    put_keys_back(runtime, path, now)
    with again(runtime) as fresh:
        fresh.prepare()
        return recovering.finish(fresh)


def put_keys_back(runtime: Runtime, path: Path, now: Instant) -> None:
    """Restore a copy of the key store, as far as the process that then died had come."""
    file = backups.open_copy(runtime, path)
    backups.prepare_main(runtime)
    looked = backups.look_through(runtime, file, nobody)
    backups.refuse_useless(runtime, looked)
    backups.restore_keys(runtime, file, BY, now)


def again(runtime: Runtime, **settings: str) -> Runtime:
    """Another process on the same installation, or on another one with the same master key."""
    named = {name: runtime.settings.text(name) for name in ("database_url", "keystore_url", "data_dir")}
    named["master_key_file"] = str(runtime.settings.master_key_file)
    environment = {f"ONEWRITER_{name.upper()}": value for name, value in (named | settings).items() if value}
    return Runtime(load(environment, Path(named["data_dir"])), clock=runtime.now)


def contents(database: Database, *, leave_out: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """Every row of every table of ours, in an order of its own; JSON as it reads."""
    with database.read() as db:
        return {
            table.name: sorted(map(repr, (_plain(row) for row in db.execute(select(table)))))
            for table in systemtables.metadata.sorted_tables
            if table.name not in leave_out
        }


def _plain(row: Any) -> list[Any]:
    return [bytes(value) if isinstance(value, memoryview) else value for value in row]
