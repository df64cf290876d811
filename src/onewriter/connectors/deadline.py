"""The end of one exchange over HTTP, whatever the other side still says by then.

The HTTP library times each piece that arrives. A head of which one line comes every few seconds would never be over,
and nobody outside the library sees its pieces; so the connection itself is broken off.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any

from onewriter.errors import SystemUnreachable


class Endless(SystemUnreachable):
    """An answer that went on and on: it is not asked for again at once, since that would take as long."""

    def __init__(self) -> None:
        super().__init__("An answer of the system did not end in time; it will be tried again.")


class Deadline:
    """Breaks the connection of one client off where an exchange takes too long. For one exchange at a time."""

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._is_over = False
        self._broken = False

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """An exchange that must be over in time; raises Endless for one that was broken off."""
        self._is_over = self._broken = False
        timer = Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception:
            if self._broken:
                raise Endless from None
            raise
        finally:
            timer.cancel()

    def heed(self, step: str, told: Mapping[str, Any]) -> None:
        """Learn by which connection it goes; this is the `trace` of a request (httpcore's extension of that name)."""
        if step.endswith("connect_tcp.started"):
            self._line = None
        elif step.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._line = told["return_value"].get_extra_info("socket")
            if self._is_over:
                self._break_off()

    def _end(self) -> None:
        self._is_over = True
        self._break_off()

    def _break_off(self) -> None:
        line = self._line
        if line is not None:
            self._broken = True
            with suppress(OSError):
                # Of the socket below any TLS: whoever reads there reads the end.
                socket.socket.shutdown(line, socket.SHUT_RDWR)
