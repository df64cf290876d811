"""The web process in a thread, and somebody who knocks at its door as Shopify does."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
import uvicorn
from starlette.types import ASGIApp

from onewriter.intake.connect import DOOR_PATH
from onewriter.runtime import Runtime
from onewriter.shopify.webhooks import sign
from onewriter.web.app import create_app
from onewriter.web.server import WebConfig

START_MAX_S = 20.0


@contextmanager
def serving(runtime: Runtime, **limits: Any) -> Iterator[str]:
    """The real application and server on a free port of loopback; gives its address."""
    with serving_app(create_app(runtime), **limits) as url:
        yield url


@contextmanager
def serving_app(app: ASGIApp, **limits: Any) -> Iterator[str]:
    """Our server on a free port of loopback, with whatever application; `limits` are those of WebConfig."""
    server = uvicorn.Server(WebConfig(app, shutdown_s=1, **limits))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until = time.monotonic() + START_MAX_S
        while not server.started:
            assert thread.is_alive(), "The web process ended while it started."
            assert time.monotonic() < until, "The web process did not start."
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(START_MAX_S)


def signed(body: bytes, secret: str, domain: str, webhook_id: str, **changes: str | None) -> dict[str, str]:
    """The headers of a true delivery; `changes` replaces some by their short names, and None leaves one out."""
    given: dict[str, str | None] = {
        "topic": "customers/update",
        "hmac_sha256": sign(body, secret),
        "shop_domain": domain,
        "webhook_id": webhook_id,
        "api_version": "2026-10",
        "triggered_at": "2026-03-02T09:59:58.123456Z",
        "event_id": "e-1",
    }
    given |= changes
    named = {f"X-Shopify-{name.replace('_', '-').title()}": value for name, value in given.items()}
    return {name: value for name, value in named.items() if value is not None}


def knock(url: str, body: Any, headers: Mapping[str, str | bytes]) -> httpx2.Response:
    """Send one delivery; `body` may be an iterator of bytes, which is sent in chunks without a length."""
    raw = {name.encode(): value if isinstance(value, bytes) else value.encode() for name, value in headers.items()}
    with httpx2.Client(trust_env=False, timeout=30) as client:
        return client.post(url + DOOR_PATH, content=body, headers=raw)
