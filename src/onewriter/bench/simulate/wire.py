"""The wire in one process: the requests of our clients reach the shop with latency and faults, by the virtual clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import httpx2

from onewriter.bench.simulate.timeline import Timeline

TOKEN_PATH = "/admin/oauth/access_token"  # noqa: S105 - an address
PIECE = 16 * 1024


@dataclass(slots=True)
class WireFaults:
    """What can go wrong between us and the shop; all but the first are chances."""

    latency_s: float = 0.1
    """The most that a request takes, one way."""

    refused: float = 0.0
    """No connection is made."""
    unanswered: float = 0.0
    """The request arrives and is carried out, and its answer is lost."""
    database: float = 0.0
    """Not the wire, but as good as: our own database takes no write."""


class Wire(httpx2.BaseTransport):
    """Carries the requests of one process to the shop. `check` raises if that process has ended."""

    def __init__(
        self,
        shop: httpx2.BaseTransport,
        timeline: Timeline,
        rng: Random,
        faults: WireFaults,
        check: Callable[[], None],
    ) -> None:
        self._shop, self._timeline, self._rng, self._faults, self._check = shop, timeline, rng, faults, check

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request, there and back; the shop answers it at one moment, wherever the clock then stands."""
        self._travel(request)
        if self._rng.random() < self._faults.refused:
            raise httpx2.ConnectError("no connection")
        answer = self._shop.handle_request(request)
        body, error = _read(answer)
        self._travel(request)
        if self._rng.random() < self._faults.unanswered:
            raise httpx2.ReadError("no answer")
        return httpx2.Response(
            answer.status_code, headers=answer.headers, stream=_Body(self._pieces(body, error)), request=request
        )

    def _travel(self, request: httpx2.Request) -> None:
        self._check()
        # Whoever asks for a token holds a lock meanwhile, on which another strand would wait with the baton in hand.
        if request.url.path != TOKEN_PATH:
            self._timeline.sleep(self._rng.uniform(0.0, self._faults.latency_s))
        self._check()

    def _pieces(self, body: bytes, error: httpx2.TransportError | None) -> Iterator[bytes]:
        for start in range(0, len(body), PIECE):
            if start:
                self._timeline.sleep(self._rng.uniform(0.0, self._faults.latency_s))
                self._check()
            yield body[start : start + PIECE]
        if error is not None:
            raise error


class _Body(httpx2.SyncByteStream):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces


def _read(answer: httpx2.Response) -> tuple[bytes, httpx2.TransportError | None]:
    """The body as far as it came, and how the connection broke, if it did."""
    came = bytearray()
    try:
        for piece in answer.iter_raw():
            came += piece
    except httpx2.TransportError as error:
        return bytes(came), error
    return bytes(came), None
