"""Deliveries over loopback: signed bodies of real customers on connections that are kept open.

The client is raw sockets and prepared bytes, so that it costs a small part of what the server costs; each connection
sends its next delivery as soon as the last one is answered.
"""

import asyncio
import hmac
import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from onewriter.bench.parts import Caller
from onewriter.bench.stage import SEED
from onewriter.intake.connect import DOOR_PATH
from onewriter.shopify.queries import API_VERSION

CUSTOMERS_MAX = 5_000


def send_all(caller: Caller) -> None:
    """A part: send deliveries when told to go, and tell when each was answered and how long that took."""
    given = caller.given
    requests = list(_requests(given["n"], given["domain"], given["secret"]))
    caller.tell(ready=True)
    caller.began.wait()
    sent = Sending(requests)
    began, busy = time.monotonic(), time.process_time()
    asyncio.run(sent.run(given["port"], given["connections"], given["seconds"]))
    took = time.monotonic() - began
    caller.tell(answers=sent.answers, refused=sent.refused, busy=(time.process_time() - busy) / took)


def bodies(n: int) -> Iterator[bytes]:
    """Bodies of customers/update, each newer than the last of the same customer."""
    from onewriter.sandbox import payloads
    from onewriter.sandbox.seeding import seeded

    records = list(seeded(min(n, CUSTOMERS_MAX), SEED))
    for number in range(n):
        record = records[number % len(records)]
        newer = replace(record, updated_at=record.updated_at + 1 + number, note=f"Asked for delivery {number}")
        yield msgspec.json.encode(payloads.customer(newer))


def _requests(n: int, domain: str, secret: str) -> Iterator[bytes]:
    for body in bodies(n):
        signature = b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
        head = (
            f"POST {DOOR_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nX-Shopify-Topic: customers/update\r\nX-Shopify-Shop-Domain: {domain}\r\n"
            f"X-Shopify-Hmac-Sha256: {signature}\r\nX-Shopify-Webhook-Id: {uuid.uuid4()}\r\n"
            f"X-Shopify-Event-Id: {uuid.uuid4()}\r\nX-Shopify-Api-Version: {API_VERSION}\r\n"
            "X-Shopify-Triggered-At: 2026-10-01T10:00:00.000000000Z\r\n\r\n"
        )
        yield head.encode() + body


class Sending:
    """Sends requests until there are no more or the time is over."""

    def __init__(self, requests: list[bytes]) -> None:
        self.answers: list[tuple[float, float]] = []
        """When each was answered (monotonic seconds, the same in every process), and after how many milliseconds."""
        self.refused = 0
        self._left = iter(requests)
        self._until = 0.0

    async def run(self, port: int, connections: int, seconds: float) -> None:
        """Send everything over so many connections at a time."""
        loop = asyncio.get_running_loop()
        opened = [
            await loop.create_connection(lambda: _Connection(self), "127.0.0.1", port) for _ in range(connections)
        ]
        self._until = time.monotonic() + seconds
        for _transport, connection in opened:
            connection.send_next()
        await asyncio.gather(*(connection.done for _transport, connection in opened))

    def following(self) -> bytes | None:
        """The next request; None when it is enough."""
        return None if time.monotonic() > self._until else next(self._left, None)

    def answered(self, began: float, ok: bool) -> None:
        """Take note of an answer."""
        moment = time.monotonic()
        self.answers.append((moment, (moment - began) * 1000))
        self.refused += not ok


class _Connection(asyncio.Protocol):
    """One connection, with one delivery under way. The door's answers have no body, so a head is an answer."""

    def __init__(self, sending: Sending) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sending = sending
        self._began = 0.0
        self._heard = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def send_next(self) -> None:
        request = self._sending.following()
        if request is None:
            self._transport.close()
            return
        self._began = time.monotonic()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if self._heard.endswith(b"\r\n\r\n"):
            ok, self._heard = self._heard.startswith(b"HTTP/1.1 200 "), b""
            self._sending.answered(self._began, ok)
            self.send_next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)
