"""The server before the application: what a connection may send, and how long it may take to.

Whatever is refused here has not become a request yet, so that no application could refuse it: a head that never ends,
a body that trickles, a connection too many.
"""

import asyncio
import socket
from asyncio.events import TimerHandle
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from onewriter.web.edges import SECURITY_HEADERS, Edges
from onewriter.web.limits import CONNECTIONS_MAX, CONNECTIONS_SPARE, HEAD_MAX, HEADERS_MAX, RECEIVE_S, URL_MAX

KEEP_ALIVE_S = 75
SHUTDOWN_S = 8
RETRY_AFTER_S = 5
ALLOW = "onewriter.allow"
"""Under this name an application finds, in the scope of a request, what gives its body so many seconds to arrive."""

_BUSY = Edges(Response(status_code=503, headers={"Retry-After": str(RETRY_AFTER_S), "Connection": "close"}))


class WebConfig(uvicorn.Config):
    """How our server is set up, wherever it runs."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        receive_s: float = RECEIVE_S,
        connections_max: int = CONNECTIONS_MAX,
        shutdown_s: int = SHUTDOWN_S,
    ) -> None:
        super().__init__(
            app,
            http=LimitedConnection,
            loop="uvloop",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=shutdown_s,
        )
        self.receive_s = receive_s
        self.connections_max = connections_max


class WebServer(uvicorn.Server):
    """Our server. `ending` is called when it begins to stop, for what would go on for as long as somebody listens."""

    def __init__(self, config: WebConfig, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: take nothing new, let what was begun end, and cut off what does not."""
        self._ending()
        await super().shutdown(sockets)


class LimitedConnection(HttpToolsProtocol):
    """One connection. A request must have arrived in full within a time, and its head within a size."""

    config: WebConfig

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._refusal = 400
        self._in_head = False
        self._whole = True
        self._head_bytes = 0
        self._deadline: TimerHandle | None = None

    # ---- What the loop calls ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base does
        """Begin to wait for the first request; where there are too many of us, only to say so."""
        super().connection_made(transport)
        number = len(self.connections)
        if number > self.config.connections_max:
            self.app = _BUSY
        if number > self.config.connections_max + CONNECTIONS_SPARE:
            transport.close()
        self._await_rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._forget_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came. A head that was begun earlier is counted as it comes, since it may never end."""
        continued = self._in_head
        super().data_received(data)
        if self.transport.is_closing():
            return
        if continued and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_MAX:
                self._refuse(431)
                return
        if not self._whole or self.cycle is None or self.cycle.response_complete:
            self._await_rest()

    # ---- What the parser calls; an error raised here is a bad request -----------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)[ALLOW] = self._allow
        self._in_head, self._whole, self._head_bytes = True, False, 0

    def on_url(self, url: bytes) -> None:
        """Part of the address came."""
        super().on_url(url)
        if len(self.url) > URL_MAX:
            self._too_much(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header came."""
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        if len(self.headers) > HEADERS_MAX or self._head_bytes > HEAD_MAX:
            self._too_much(431)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._whole = True
        self._forget_deadline()
        super().on_message_complete()

    # ---- Refusing ---------------------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser could not read, without a word about it."""
        self._refuse(self._refusal)

    def _too_much(self, status: int) -> None:
        self._refusal = status
        raise ValueError("more than we take")

    def _await_rest(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.config.receive_s, self._refuse, 408)

    def _allow(self, seconds: float) -> None:
        if self._deadline is not None:
            self._forget_deadline()
            self._deadline = self.loop.call_later(seconds, self._refuse, 408)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        """Answer, if somebody waits for that very answer, and close."""
        self._forget_deadline()
        if self.transport.is_closing():
            return
        if self._is_waited_for():
            lines = [STATUS_LINE[status], b"connection: close\r\n", b"content-length: 0\r\n"]
            lines += [name + b": " + value + b"\r\n" for name, value in SECURITY_HEADERS]
            self.transport.write(b"".join([*lines, b"\r\n"]))
        self.transport.close()

    def _is_waited_for(self) -> bool:
        """True while the request that came last has no answer, and none before it waits for one."""
        if self.pipeline:
            return False
        if self._in_head:
            return self.cycle is None or self.cycle.response_complete
        return self.cycle is not None and not self.cycle.response_started
