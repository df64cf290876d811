"""What holds for every answer of the web process, whatever gave it: its headers, and silence about errors."""

from collections.abc import Sequence

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onewriter.intake.connect import DOOR_PATH

SECURITY_HEADERS: Sequence[tuple[bytes, bytes]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)

log = structlog.get_logger(__name__)


class Edges:
    """The outermost layer of the application. A body where none is taken is refused before anything looks at it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back with our headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
            await send(message)

        app = _TOO_LARGE if scope["path"] != DOOR_PATH and _brings_body(scope) else self._app
        try:
            await app(scope, receive, send_on)
        except Exception as error:  # noqa: BLE001 - its text may hold a value, so only its type is told
            log.error("request failed", error=type(error).__name__)
            if not begun:
                await Response(status_code=500)(scope, receive, send_on)


# Closed, since what follows on this connection would be the body.
_TOO_LARGE = Response(status_code=413, headers={"Connection": "close"})


def _brings_body(scope: Scope) -> bool:
    given = dict(scope["headers"])
    return b"transfer-encoding" in given or given.get(b"content-length", b"0").strip(b"0") != b""
