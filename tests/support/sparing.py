"""A pytest plugin that spares a run of all tests the time that goes into nothing that a test is about."""

import functools
import os
import shutil
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import httpcore2
import pytest

from onewriter.runtime import Runtime

Item = TypeVar("Item")

MEMORY = Path("/dev/shm")
ROOM = 1 << 30
"""Bytes that must be free there; a run uses a few hundred MB, and a container often has no more than 64."""

PAUSE_MAX_S = 0.02
LONG_S = 120
"""A limit of its own from which on a test is one of the longest."""


def is_roomy(folder: Path) -> bool:
    """True for a folder that we may write to and that has room for a run; many systems have none such."""
    try:
        return os.access(folder, os.W_OK | os.X_OK) and shutil.disk_usage(folder).free >= ROOM
    except OSError:
        return False


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary files in memory, those of child processes too; whoever set TMPDIR or --basetemp knows better.

    onewriter waits for the disk at each commit, and the tests commit many thousand times to files that nobody wants
    afterwards.
    """
    if "TMPDIR" not in os.environ and config.option.basetemp is None and is_roomy(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors, since a test that waits for a process or a poll leaves one idle."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each process begin with some of the longest tests: at the end, all others would wait for one of them."""
    processes = getattr(config, "workerinput", {}).get("workercount", 0)
    if processes:
        long = sorted((item for item in items if limit_of(item) >= LONG_S), key=limit_of, reverse=True)
        items[:] = spread(items, long, processes)


def limit_of(item: pytest.Item) -> float:
    """The limit that a test has of its own, in seconds; that of a whole module says little of one test."""
    return max((float(mark.args[0]) for mark in item.own_markers if mark.name == "time_limit"), default=0.0)


def spread(items: Sequence[Item], long: Sequence[Item], processes: int) -> list[Item]:
    """The same tests in an order in which each process has as many of the long ones, and first.

    xdist gives each process a stretch of the list, all as long; whoever is done takes from the end of another's.
    """
    rest = [item for item in items if item not in long]
    spread_out: list[Item] = []
    for place in range(processes):
        mine = long[place::processes]
        size = (len(items) - len(spread_out)) // (processes - place)
        stretch = [*mine, *rest[: max(0, size - len(mine))]]
        rest = rest[len(stretch) - len(mine) :]
        spread_out += stretch
    return spread_out


@pytest.fixture(scope="session", autouse=True)
def authorities_read_once() -> Iterator[None]:
    """Let every HTTP client share what says whom to trust; each reads 150 authorities else, at 20 ms of work."""
    real = httpcore2.default_ssl_context

    @functools.cache
    def shared(trust_env: bool, *_named_outside: str | None) -> ssl.SSLContext:
        return real(_trust_env=trust_env)

    def context(*, _trust_env: bool = True) -> ssl.SSLContext:
        return shared(_trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpcore2, "default_ssl_context", context)
        yield


@pytest.fixture(scope="session", autouse=True)
def short_pauses() -> Iterator[None]:
    """Let a client that waits for a shop look again soon: a sandbox is done in milliseconds, where Shopify needs more.

    A test that is about pauses gives its own `sleep`, and other processes wait as long as they ever do.
    """

    def pause(seconds: float) -> None:
        time.sleep(min(seconds, PAUSE_MAX_S))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runtime, "client_options", {"sleep": pause})
        yield
