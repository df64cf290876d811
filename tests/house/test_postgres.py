"""The throwaway PostgreSQL server runs, and outlives nobody."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from onewriter.bench.postgres import fresh_database, running_postgres
from onewriter.errors import Permanent

RUN_AND_WAIT = """
import sys, time
from onewriter.bench.postgres import running_postgres
with running_postgres() as url:
    print(url, flush=True)
    time.sleep(60)
"""


def answers(url: str) -> bool:
    """True if the server answers a query."""
    try:
        with psycopg.connect(url.replace("+psycopg", "") + "/postgres", connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def test_each_test_has_databases_of_its_own(database_url: str, keys_url: str) -> None:
    assert database_url != keys_url
    assert database_url.split(":")[0] == keys_url.split(":")[0]


@pytest.mark.postgres
def test_a_fresh_database_is_empty_and_then_gone(postgres_server: str) -> None:
    with fresh_database(postgres_server) as url, psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE here (x int)")
        encoding = connection.execute("SELECT current_setting('server_encoding'), current_setting('fsync')").fetchone()
        assert encoding == ("UTF8", "off")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url.replace("+psycopg", ""))


@pytest.mark.postgres
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_with_whoever_started_it(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN_AND_WAIT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        assert answers(url)
        run.send_signal(how)
    deadline = time.monotonic() + 10
    while answers(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(url)


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(Permanent, match="not empty"), running_postgres(tmp_path):
        pass
    assert (tmp_path / "mine").read_text() == "precious"
