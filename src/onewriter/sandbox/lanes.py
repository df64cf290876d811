"""The threads that carry deliveries over HTTP. Those of one customer share a lane, so that they arrive in order."""

import ipaddress
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from urllib.parse import urlsplit

import httpx2

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 5.0
LANES = 8


@dataclass(frozen=True, slots=True)
class Parcel:
    """One POST that is to be made; `sent` takes whether it was acknowledged."""

    lane: int
    uri: str
    body: bytes
    headers: Callable[[], dict[str, str]]
    sent: Callable[[bool], None]


@dataclass(order=True, slots=True)
class _Send:
    due: float
    sequence: int
    parcel: Parcel = field(compare=False)


class Lanes:
    """Sends parcels in real time, in the order in which they are due. `allow_remote` says whether off this machine."""

    def __init__(self, allow_remote: Callable[[], bool]) -> None:
        self._allow_remote = allow_remote
        self._changed = threading.Condition()
        self._lanes: list[list[_Send]] = [[] for _ in range(LANES)]
        self._sequence = 0
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def add(self, parcel: Parcel, wait_s: float) -> None:
        with self._changed:
            self._sequence += 1
            heappush(self._lanes[parcel.lane % LANES], _Send(time.monotonic() + wait_s, self._sequence, parcel))
            self._changed.notify_all()

    def start(self) -> None:
        timeout = httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        # A proxy of the environment must not see what is meant for this machine.
        self._client = httpx2.Client(timeout=timeout, trust_env=False)
        self._threads = [threading.Thread(target=self._run, args=(lane,), daemon=True) for lane in self._lanes]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=ANSWER_TIMEOUT_S + 1)
        self._client.close()

    def _run(self, lane: list[_Send]) -> None:
        while (parcel := self._next(lane)) is not None:
            parcel.sent(self._post(parcel))

    def _next(self, lane: list[_Send]) -> Parcel | None:
        with self._changed:
            while not self._stopping:
                wait = lane[0].due - time.monotonic() if lane else None
                if wait is not None and wait <= 0:
                    return heappop(lane).parcel
                self._changed.wait(timeout=wait)
            return None

    def _post(self, parcel: Parcel) -> bool:
        if not (self._allow_remote() or is_loopback(parcel.uri)):
            return False
        try:
            answer = self._client.post(parcel.uri, content=parcel.body, headers=parcel.headers())
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return False
        return answer.is_success


def is_loopback(uri: str) -> bool:
    host = urlsplit(uri).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
