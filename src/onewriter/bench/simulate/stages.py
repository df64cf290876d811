"""Where seeds are played: an empty installation for each, on throwaway databases."""

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import structlog

from onewriter.bench.postgres import fresh_database, running_postgres
from onewriter.bench.stage import Place

MEMORY = Path("/dev/shm")  # noqa: S108 - nothing is left there, and nothing of a seed is worth a disk
NewPlace = Callable[[], AbstractContextManager[Place]]


@contextmanager
def places(kind: str) -> Iterator[NewPlace]:
    """Gives empty installations on that kind of database, one at a time."""
    if kind == "sqlite":
        yield _on_sqlite
        return
    with running_postgres() as server:
        yield lambda: _on_postgres(server)


@contextmanager
def _on_sqlite() -> Iterator[Place]:
    with _folder() as folder:
        yield {"ONEWRITER_DATA_DIR": folder}


@contextmanager
def _on_postgres(server: str) -> Iterator[Place]:
    with _folder() as folder, fresh_database(server) as database, fresh_database(server) as keys:
        yield {"ONEWRITER_DATA_DIR": folder, "ONEWRITER_DATABASE_URL": database, "ONEWRITER_KEYSTORE_URL": keys}


def _folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder in memory, where there is such a thing."""
    return tempfile.TemporaryDirectory(prefix="onewriter-simulation-", dir=MEMORY if MEMORY.is_dir() else None)


@contextmanager
def quietly() -> Iterator[None]:
    """Nothing of the product's log: what it warns of here is the play itself."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
