"""A pytest plugin of guards: no network but loopback, no settings from outside, and a time limit on every test."""

import faulthandler
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO

import pytest

LIMIT_S = 120
"""The most seconds that each of set-up, test and tear-down may take; `@pytest.mark.time_limit(s)` says otherwise."""

GRACE_S = 30
"""Seconds after the limit until a process that did not even hear of it is ended, with all its stacks printed."""

STDERR = pytest.StashKey[TextIO]()


class NetworkRefused(Exception):
    """A test tried to reach another machine. Not an OSError, which the product would take for a fault and try again."""


def is_near(family: int, address: Any) -> bool:
    """True for a Unix socket and for loopback; a name other than localhost may lead anywhere."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True
    return is_near_host(address[0])


def is_near_host(host: str | bytes | None) -> bool:
    """True for a host that is this machine, without asking any name server."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if text in (None, "", "localhost", "0.0.0.0", "::"):
        return True
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(target: object) -> NetworkRefused:
    return NetworkRefused(f"Tests reach nothing but this machine, and {target!r} is elsewhere; use the sandbox.")


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse every connection and look-up that leaves the machine.

    C libraries (libpq, libuv) and child processes do not come this way.
    """
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if not is_near(self.family, address):
            raise _refuse(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if not is_near(self.family, address):
            raise _refuse(address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: str | bytes | None, *rest: Any, **named: Any) -> Any:
        if not is_near_host(host):
            raise _refuse(host)
        return getaddrinfo(host, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every ONEWRITER_ variable, so that a developer's own installation is never touched."""
    for name in [name for name in os.environ if name.startswith("ONEWRITER_")]:
        monkeypatch.delenv(name)


def pytest_configure(config: pytest.Config) -> None:
    """Keep a copy of stderr that is not captured, for the stacks of a process that hangs."""
    config.addinivalue_line("markers", "time_limit(seconds): the most seconds that this test may take")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if capture is None:
        config.stash[STDERR] = os.fdopen(os.dup(2), "w")
        return
    with capture.global_and_fixture_disabled():
        config.stash[STDERR] = os.fdopen(os.dup(2), "w")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the copy."""
    config.stash[STDERR].close()


@contextmanager
def time_limit(seconds: float, stderr: TextIO) -> Iterator[None]:
    """Fail what takes longer than that many seconds, with the stack of where it stood.

    A main thread that sits in C code hears of it only when it comes back, so 30 seconds later the process is ended.
    """

    def ring(signum: int, frame: FrameType | None) -> None:
        pytest.fail(f"This took longer than {seconds:g} seconds.")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(seconds + GRACE_S, exit=True, file=stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _limited(item: pytest.Item) -> Iterator[None]:
    """Run one phase of a test within its limit; signals reach the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    mark = item.get_closest_marker("time_limit")
    with time_limit(mark.args[0] if mark else LIMIT_S, item.config.stash[STDERR]):
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Limit the set-up."""
    yield from _limited(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Limit the test."""
    yield from _limited(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Limit the tear-down."""
    yield from _limited(item)
