"""What holds for every answer of the web process, whatever gave it: its headers, and silence about errors."""

from collections.abc import Sequence

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onewriter.intake.connect import DOOR_PATH
from onewriter.web.limits import BODY_MAX, FILE_MAX, FORM_MAX
from onewriter.web.pages import templating
from onewriter.web.problems import TooLarge, failed, problem, too_large

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
"""An answer that names one of these itself keeps what it says: pages let their own files load, and those are cached."""

API_PATH = "/api/"
UPLOAD_PATHS = ("/imports/check", "/api/v1/imports")
"""Where files of customers come in."""
NO_BODY = ("/healthz", "/readyz", "/metrics", "/auth/", "/static/")

log = structlog.get_logger(__name__)


class Edges:
    """The outermost layer of the application. A body that is too large, or that nobody takes, is refused before it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back with our headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False
        most = body_max(scope)
        taken = 0

        async def receive_on() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise TooLarge
            return message

        async def send_on(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = list(message.get("headers", ()))
                own = {name.lower() for name, _ in given}
                message["headers"] = [*given, *(each for each in SECURITY_HEADERS if each[0] not in own)]
            await send(message)

        app = _too_large(scope["path"]) if _announced(scope) > most else self._app
        if not scope["query_string"].isascii():
            app = _no_address(scope["path"])
        try:
            await app(scope, receive if scope["path"] == DOOR_PATH else receive_on, send_on)
        except TooLarge:
            if not begun:
                await _too_large(scope["path"])(scope, receive, send_on)
        except Exception as error:  # noqa: BLE001 - its text may hold a value, so only its type is told
            log.error("request failed", error=type(error).__name__)
            if not begun:
                await _failed(scope)(scope, receive, send_on)


def _no_address(path: str) -> Response:
    """The refusal of an address that is none: it is ASCII, whatever it stands for (RFC 3986, 2)."""
    told = "An address has letters in it that must be written with % (RFC 3986)."
    return problem(400, told) if path.startswith(API_PATH) else Response(status_code=400)


def _failed(scope: Scope) -> Response:
    """What is said of a fault of ours, in the form that whoever asks reads."""
    if scope["path"].startswith(API_PATH):
        return failed()
    if b"text/html" not in dict(scope["headers"]).get(b"accept", b""):
        return Response(status_code=500)
    told = "It is in the log, without a word of what was sent. Go back, and try again."
    return templating.page("outside.html", 500, title="Something went wrong here", told=told)


def _too_large(path: str) -> Response:
    """The refusal of a body, in the form that whoever asks there reads."""
    if path.startswith(API_PATH):
        return too_large()
    if path not in UPLOAD_PATHS:
        return Response(status_code=413, headers={"Connection": "close"})
    told = "A page takes files of at most 64 MiB. Go back; a larger one is for `onewriter csv import FILE`."
    answer = templating.page("outside.html", 413, title="Too large", told=told)
    answer.headers["Connection"] = "close"
    return answer


def body_max(scope: Scope) -> int:
    """Bytes of a body that are taken there; the door counts its own."""
    path: str = scope["path"]
    if path == DOOR_PATH:
        return BODY_MAX
    if scope["method"] in ("GET", "HEAD") or path.startswith(NO_BODY):
        return 0
    return FILE_MAX if path in UPLOAD_PATHS else FORM_MAX


def _announced(scope: Scope) -> int:
    """Bytes of the body, as far as its head tells; one that is told in parts has at least one."""
    given = dict(scope["headers"])
    if scope["path"] == DOOR_PATH:
        return 0
    if b"transfer-encoding" in given:
        return 1
    length = given.get(b"content-length", b"0")
    return int(length) if length.isdigit() and len(length) < 16 else FILE_MAX + 1
