"""The wire between a REST connector and a server, on which a test cuts answers, and a clock that it may set wrong."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from onewriter.connectors.rest import RestRecipe
from onewriter.records import HOUR, Instant


class RestWire(httpx2.HTTPTransport):
    """A transport that lets through, until it is told otherwise."""

    def __init__(self, is_write: Callable[[httpx2.Request], bool]) -> None:
        super().__init__()
        self.is_write = is_write
        self.lose_writes = False
        """Whether what writes is carried out and its answer lost."""
        self.cut_reads = False
        """Whether only half of what is read arrives."""
        self.instead: Callable[[httpx2.Request], httpx2.Response | None] | None = None
        """What is answered in the server's place."""
        self.renamed: tuple[bytes, bytes] | None = None
        """What is called otherwise on its way, both ways: so a field goes missing on a real server."""
        self.seen: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.seen.append(request)
        answer = None if self.instead is None else self.instead(request)
        if answer is not None:
            return answer
        if self.renamed is not None:
            request = _rewritten(request, *self.renamed)
        response = super().handle_request(request)
        if self.renamed is not None:
            here, there = (name.strip(b'"').rpartition(b".")[2] for name in self.renamed)
            content = response.read().replace(there, here)
            return httpx2.Response(response.status_code, content=content)
        if self.lose_writes and self.is_write(request):
            response.read()
            raise httpx2.ReadError("The answer was lost.")
        if self.cut_reads and not self.is_write(request):
            raise httpx2.RemoteProtocolError("The answer came half.")
        return response


def _rewritten(request: httpx2.Request, here: bytes, there: bytes) -> httpx2.Request:
    content = request.read().replace(here, there)
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    return httpx2.Request(request.method, request.url, content=content, headers=headers)


@dataclass
class RestStage:
    """The kind `rest` on that wire, with a clock of its own, and pauses that are counted and not kept."""

    wire: RestWire
    ahead: Instant = 0
    pauses: list[float] = field(default_factory=list)

    @property
    def kind(self) -> RestRecipe:
        """The kind of connector."""
        return RestRecipe(clock=self.clock, sleep=self.pauses.append, transport=self.wire)

    def clock(self) -> Instant:
        """Our time, as far wrong as the test wants it."""
        return time.time_ns() // 1000 + self.ahead

    @contextmanager
    def answers_lost(self) -> Iterator[None]:
        """Lose the answers to writes."""
        self.wire.lose_writes = True
        try:
            yield
        finally:
            self.wire.lose_writes = False

    @contextmanager
    def reads_cut(self) -> Iterator[None]:
        """Let half of what is read arrive."""
        self.wire.cut_reads = True
        try:
            yield
        finally:
            self.wire.cut_reads = False

    @contextmanager
    def clock_wrong(self) -> Iterator[None]:
        """Set our clock two hours ahead."""
        self.ahead = 2 * HOUR
        try:
            yield
        finally:
            self.ahead = 0

    @contextmanager
    def renamed(self, here: str, there: str) -> Iterator[None]:
        """Ask the server for something that it has not, and have it say so of what was meant."""
        self.wire.renamed = (here.encode(), there.encode())
        try:
            yield
        finally:
            self.wire.renamed = None

    def answering(self, status: int, **options: Any) -> None:
        """Answer everything with that from now on."""
        self.wire.instead = lambda _request: httpx2.Response(status, **options)


def by_method(request: httpx2.Request) -> bool:
    """Whether a request writes, for an API that reads by GET alone."""
    return request.method != "GET"


Configuration = Mapping[str, Any]
