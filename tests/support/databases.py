"""A pytest plugin of databases: each test that asks for one gets it new, on SQLite and on PostgreSQL.

New is empty; only a test that works with a `runtime`, or with the command line as `installed`, gets copies of databases
that are migrated already, which is most of what making one costs. The migrations themselves are tested on empty ones.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from onewriter.bench.postgres import fresh_database, running_postgres
from onewriter.runtime import Runtime
from onewriter.settings import load

SHARED = pytest.StashKey[ExitStack]()
SHARED_URL = pytest.StashKey[str]()
FILE = "sqlite:///"
READY = {"runtime", "installed"}
"""The fixtures that begin with tables in their databases."""
Pair = tuple[str, str]
"""The URLs of a main database and of its key store."""


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of the one PostgreSQL server of this run, which a database's name completes. Started when asked for."""
    shared = getattr(request.config, "workerinput", {}).get("postgres_server")
    if shared:
        yield shared
        return
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_files(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The main database and the key store as files, migrated, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    pair = (f"sqlite:///{folder}/onewriter.db", f"sqlite:///{folder}/keys.db")
    _migrate(pair, folder)
    return pair


@pytest.fixture(scope="session")
def migrated_databases(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The main database and the key store on the server, migrated, to be copied."""
    with fresh_database(postgres_server) as main, fresh_database(postgres_server) as keys:
        _migrate((main, keys), tmp_path_factory.mktemp("migrated"))
        yield main, keys


def _migrate(pair: Pair, folder: Path) -> None:
    """Make every table; the master key is left to the test, since each installation has its own."""
    given = {"ONEWRITER_DATABASE_URL": pair[0], "ONEWRITER_KEYSTORE_URL": pair[1], "ONEWRITER_DATA_DIR": str(folder)}
    with Runtime(load(given, folder)) as runtime:
        runtime.migrate()


def _migrated(request: pytest.FixtureRequest, fixture: str) -> Pair | tuple[None, None]:
    """What to copy for this test; nothing for one that is to find its databases empty."""
    if READY.isdisjoint(request.fixturenames):
        return None, None
    pair: Pair = request.getfixturevalue(fixture)
    return pair


def _copied_file(like: str | None, url: str) -> str:
    """The URL, and a copy at its place."""
    if like is not None:
        shutil.copyfile(like.removeprefix(FILE), url.removeprefix(FILE))
    return url


def move_in(pair: Pair, folder: Path, *, copied: bool = False) -> None:
    """Put SQLite's files where an installation looks for them that names none, which is its own new folder."""
    folder.mkdir(mode=0o700)
    for file in (Path(url.removeprefix(FILE)) for url in pair):
        if copied:
            shutil.copyfile(file, folder / file.name)
        else:
            file.rename(folder / file.name)


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[str]:
    """A new PostgreSQL database, gone after the test."""
    with fresh_database(postgres_server, like=_migrated(request, "migrated_databases")[0]) as url:
        yield url


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new SQLite file in the test's folder; nothing has opened it yet."""
    return _copied_file(_migrated(request, "migrated_files")[0], f"{FILE}{tmp_path}/onewriter.db")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A new database; a test that asks for it runs twice, on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def keys_url(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[str]:
    """A new key store of the same kind as `database_url`, and never the same database."""
    if database_url.startswith("sqlite"):
        yield _copied_file(_migrated(request, "migrated_files")[1], f"{FILE}{tmp_path}/keys.db")
        return
    like = _migrated(request, "migrated_databases")[1]
    with fresh_database(request.getfixturevalue("postgres_server"), like=like) as url:
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
