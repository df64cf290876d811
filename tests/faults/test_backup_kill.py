"""kill -9 in the middle of a backup, of a restore, and of what follows one: nothing is half done, and it can go on."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import insert

from onewriter.customers import erasing
from onewriter.customers.erasing import Asked
from onewriter.db.webtables import metadata
from onewriter.intake.redact import erase_all
from onewriter.records import Instant
from onewriter.workflows import recovering
from tests.support.backups import again, back_up, bring_back, contents
from tests.support.processes import environment_of, started
from tests.support.redacting import ANN, BEN, held, person
from tests.support.shops import Tea

HELD = """
import sys, time
from pathlib import Path
from onewriter import settings
from onewriter.runtime import Runtime, now
from onewriter.workflows import backups

def stop(*_):
    print("in the middle", flush=True)
    time.sleep(600)

with Runtime(settings.load()) as runtime:
    path = Path(sys.argv[2])
    if sys.argv[1] == "backup":
        backups.make(runtime, path, now(), stop, force=True)
    file = backups.open_backup(runtime, path, now())
    looked = backups.look_through(runtime, file, lambda rows: None)
    backups.restore(runtime, file, looked, "user:a", now(), stop)
"""
"""What a process does until it is in the middle of it."""


@contextmanager
def in_the_middle(tea: Tea, what: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of a backup or a restore, and is killed there at the end of the block."""
    command = [sys.executable, "-P", "-c", HELD, what, str(path)]
    process = subprocess.Popen(command, env=environment_of(tea.runtime), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_backup_that_is_killed_leaves_the_one_before_and_the_next_one_works(
    tea: Tea, now: Instant, tmp_path: Path
) -> None:
    path = tmp_path / "backup"
    tea.apply(person(ANN, now), now=now)
    back_up(tea.runtime, path, now)
    before = path.read_bytes()
    with in_the_middle(tea, "backup", path):
        tea.apply(person(BEN, now, email="ben@example.com"), now=now)
        assert path.with_name("backup.part").exists(), "it is half written,"
    assert path.read_bytes() == before, "and the one before is whole"
    back_up(tea.runtime, path, now)
    assert not path.with_name("backup.part").exists()
    bring_back(tea.runtime, path, now)
    assert held(tea) == [ANN, BEN]


def test_a_restore_that_is_killed_leaves_the_database_as_it_was(tea: Tea, now: Instant, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    tea.apply(person(ANN, now), now=now)
    back_up(tea.runtime, path, now)
    tea.apply(person(BEN, now, email="ben@example.com"), now=now)
    people = metadata.tables["people"]
    with tea.runtime.database.write() as db:
        db.execute(insert(people).values(name="user:a", role="owner", since=now, set_by="user:a"))
    before = contents(tea.runtime.database)
    with in_the_middle(tea, "restore", path) as process:
        assert process.poll() is None
    with again(tea.runtime) as other:
        assert contents(other.database) == before
        assert held(Tea(other, tea.shop_id)) == [ANN, BEN]
        bring_back(other, path, now)
        assert held(Tea(other, tea.shop_id)) == [ANN]


@pytest.mark.req("K32")
def test_a_worker_erases_again_before_anything_else_what_a_restore_left(tea: Tea, now: Instant, tmp_path: Path) -> None:
    path = tmp_path / "backup"
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    back_up(tea.runtime, path, now)
    with tea.runtime.database.write() as db:
        erase_all(db, tea.vault, ANN, Asked("by a test", now), now)
    erasing.end(tea.runtime.database, tea.runtime.keys, now)
    # The process dies where the database has been replaced, and nothing that must follow was done.
    script = (
        "import os, sys; from onewriter.workflows import recovering; from onewriter.cli import main;"
        "recovering.finish = lambda *_: os._exit(9); main(sys.argv[1:])"
    )
    command = [sys.executable, "-P", "-c", script, "restore-backup", str(path), "--yes"]
    died = subprocess.run(command, env=environment_of(tea.runtime), check=False)
    assert died.returncode == 9
    assert held(tea) == [ANN, BEN]
    with started(tea.runtime, "worker", log=tmp_path / "log") as worker:
        assert held(tea) == [BEN], "when it says that it works, that is done"
        with tea.runtime.database.read() as db:
            assert not recovering.is_pending(db)
        assert worker.stop() == 0
