"""A rehearsed Admin API: a client whose server plays a script, for faults that no running shop shows on request."""

from collections.abc import Callable
from typing import Any

import httpx2

from onewriter.records import SECOND, Instant, parse_instant
from onewriter.shopify.auth import Credentials
from onewriter.shopify.client import AdminClient
from onewriter.shopify.queries import API_VERSION

TOKEN = Credentials("token", access_token="shpat_canary", api_secrets=("secret_canary",))
APP = Credentials("client_credentials", client_id="app", client_secret="secret_canary")
START = parse_instant("2026-03-02T10:00:00+00:00")

Play = Callable[[httpx2.Request], httpx2.Response]


class Rehearsal:
    """A client whose server plays a given script, and whose clock moves only when it sleeps."""

    def __init__(self, *script: Play | httpx2.Response, credentials: Credentials = TOKEN) -> None:
        self.script = list(script)
        self.seen: list[httpx2.Request] = []
        self.slept: list[float] = []
        self.renewed: list[Credentials] = []
        self.now: Instant = START
        self.client = AdminClient(
            "https://tea.myshopify.com/",
            credentials,
            api_version=API_VERSION,
            clock=lambda: self.now,
            sleep=self.sleep,
            on_renewed=self.renewed.append,
            transport=httpx2.MockTransport(self.answer),
        )

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += round(seconds * SECOND)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        play = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return play if isinstance(play, httpx2.Response) else play(request)


def data(
    available: float = 2000, requested: float = 10, errors: list[Any] | None = None, **data: Any
) -> httpx2.Response:
    """An answer of the API, with the cost that it always tells."""
    status = {"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": 100}
    cost = {"requestedQueryCost": requested, "actualQueryCost": requested, "throttleStatus": status}
    body = {"data": data or None, "extensions": {"cost": cost}} | ({"errors": errors} if errors else {})
    return httpx2.Response(200, json=body, headers={"Date": "Mon, 02 Mar 2026 10:00:00 GMT"})


def error(code: str, *path: str | int, **extensions: Any) -> dict[str, Any]:
    return {"message": "canary", "path": list(path), "extensions": {"code": code} | extensions}


def raises(kind: type[Exception]) -> Play:
    def play(request: httpx2.Request) -> httpx2.Response:
        raise kind("canary")

    return play


COUNTED = data(customersCount={"count": 5, "precision": "EXACT"})
