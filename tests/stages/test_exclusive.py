"""Named locks: one holder among all threads and processes, nobody waits for ever, and no transaction is held."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from onewriter.db.engine import Database
from onewriter.errors import DatabaseBusy

HOLDER = """
import sys
from onewriter.db.engine import Database
with Database(sys.argv[1]).exclusive("tokens-1"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A new database with one table."""
    opened = Database(database_url)
    with opened.write() as db:
        db.execute(text("CREATE TABLE cups (size INTEGER)"))
    yield opened
    opened.close()


def is_free(database: Database, name: str) -> bool:
    try:
        with database.exclusive(name, wait_s=0.05):
            return True
    except DatabaseBusy:
        return False


def test_one_thread_holds_it_and_the_next_one_gets_it(database: Database) -> None:
    order: list[str] = []
    waits = threading.Event()

    def wait() -> None:
        waits.set()
        with database.exclusive("tokens-1"):
            order.append("second")

    with database.exclusive("tokens-1"):
        assert not is_free(database, "tokens-1")
        assert is_free(database, "tokens-2")
        thread = threading.Thread(target=wait)
        thread.start()
        waits.wait(timeout=10)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]


def test_it_is_given_back_when_the_block_fails(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.exclusive("tokens-1"):
        1 / 0  # noqa: B018
    assert is_free(database, "tokens-1")


def test_it_is_no_transaction(database: Database) -> None:
    with database.exclusive("tokens-1"):
        with database.write() as db:
            db.execute(text("INSERT INTO cups VALUES (3)"))
        with database.read() as db:
            assert db.execute(text("SELECT size FROM cups")).scalar_one() == 3


@pytest.mark.parametrize("ends", ["in good order", "killed"])
def test_another_process_that_holds_it_keeps_it_until_it_ends(database: Database, database_url: str, ends: str) -> None:
    command = [sys.executable, "-c", HOLDER, database_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not is_free(database, "tokens-1")
        if ends == "killed":
            holder.kill()
            holder.wait(timeout=20)
        else:
            holder.communicate("\n", timeout=20)
    with database.exclusive("tokens-1", wait_s=20):
        assert not is_free(database, "tokens-1")


def test_a_lock_file_that_cannot_be_opened_is_for_another_try(sqlite_url: str, tmp_path: Path) -> None:
    opened = Database(sqlite_url)
    (tmp_path / "onewriter.db.tokens-1.lock").mkdir()
    with pytest.raises(DatabaseBusy, match="lock file"), opened.exclusive("tokens-1"):
        raise AssertionError("It is held without a lock.")
    opened.close()


def test_nobody_waits_for_ever(database: Database) -> None:
    with database.exclusive("tokens-1"), pytest.raises(DatabaseBusy), database.exclusive("tokens-1", wait_s=0.01):
        raise AssertionError("Two hold it.")
