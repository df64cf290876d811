"""A pytest plugin of databases: each test that asks for one gets it new, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from onewriter.bench.postgres import fresh_database, running_postgres

SHARED = pytest.StashKey[ExitStack]()
SHARED_URL = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of the one PostgreSQL server of this run, which a database's name completes. Started when asked for."""
    shared = getattr(request.config, "workerinput", {}).get("postgres_server")
    if shared:
        yield shared
        return
    with running_postgres() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A new PostgreSQL database, gone after the test."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A new SQLite file in the test's folder; nothing has opened it yet."""
    return f"sqlite:///{tmp_path}/onewriter.db"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A new database; a test that asks for it runs twice, on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def keys_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """A new key store of the same kind as `database_url`, and never the same database."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/keys.db"
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        yield url


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Under xdist, start the server once and tell each worker where it is."""
    if SHARED not in node.config.stash:
        stack = node.config.stash[SHARED] = ExitStack()
        node.config.stash[SHARED_URL] = stack.enter_context(running_postgres())
    node.workerinput["postgres_server"] = node.config.stash[SHARED_URL]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server that xdist's workers shared."""
    if SHARED in config.stash:
        config.stash[SHARED].close()
