"""The guards around every test do guard."""

import os
import socket
import sys
import time

import pytest

from tests.support.guards import NetworkRefused, is_near_host, time_limit


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", b"localhost", None, ""])
def test_this_machine_is_near(host: str | bytes | None) -> None:
    assert is_near_host(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "192.0.2.1", "2001:db8::1", "example.com", "localhost.example.com"])
def test_everything_else_is_far(host: str) -> None:
    assert not is_near_host(host)


def test_nothing_but_this_machine_is_reached() -> None:
    with socket.socket() as near, socket.socket() as far:
        near.bind(("127.0.0.1", 0))
        near.listen()
        far.connect(near.getsockname())
    with socket.socket() as far:
        with pytest.raises(NetworkRefused):
            far.connect(("192.0.2.1", 443))
        with pytest.raises(NetworkRefused):
            far.connect_ex(("192.0.2.1", 443))
    with pytest.raises(NetworkRefused):
        socket.create_connection(("example.com", 443))


def test_no_setting_comes_from_outside() -> None:
    assert [name for name in os.environ if name.startswith("ONEWRITER_")] == []


def test_a_test_that_hangs_fails() -> None:
    with (
        pytest.raises(pytest.fail.Exception, match=r"longer than 0\.05 seconds"),
        time_limit(0.05, sys.__stderr__ or sys.stderr),
    ):
        time.sleep(5)
