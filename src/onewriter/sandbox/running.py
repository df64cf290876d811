"""A shop that runs: in the foreground for a command, or in a thread of a test."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

import uvicorn
from starlette.applications import Starlette

from onewriter.sandbox.app import build_app
from onewriter.sandbox.control import SandboxInfo, info_of
from onewriter.sandbox.faults import Faults
from onewriter.sandbox.shop import Shop

START_MAX_S = 30.0
TICK_S = 0.05
DOMAIN = "sandbox-shop.myshopify.com"


def serve(
    customers: int,
    seed: int,
    port: int,
    host: str = "127.0.0.1",
    *,
    domain: str = DOMAIN,
    ready: Callable[[SandboxInfo], None] | None = None,
) -> None:
    """Run a shop until somebody stops the process. `ready` is called once, when the port is open; port 0 takes any."""
    shop = Shop(customers, seed, domain=domain)
    app = build_app(shop)
    with _listening(host, port) as sock:
        if ready is not None:
            ready(info_of(shop, _url(sock)))
        shop.courier.start()
        with _ticking(shop):
            try:
                _server(app).run(sockets=[sock])
            finally:
                _stop(shop, app)


class RunningSandbox:
    """A shop on a free port, in a thread, for the length of a `with` block.

    `shop` is the shop itself, `info` what an app has to know of it, and `url` where it is served.
    """

    def __init__(
        self,
        customers: int = 100,
        seed: int = 1,
        *,
        domain: str = DOMAIN,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.shop = Shop(customers, seed, domain=domain, faults=faults, clock=clock)
        self._app = build_app(self.shop)
        self._server = _server(self._app)
        self._sock = _listening("127.0.0.1", 0)
        self.url = _url(self._sock)
        self.info = info_of(self.shop, self.url)
        self._ticking = ExitStack()
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._sock]}, daemon=True)

    def __enter__(self) -> "RunningSandbox":
        self.shop.courier.start()
        self._ticking.enter_context(_ticking(self.shop))
        self._thread.start()
        deadline = time.monotonic() + START_MAX_S
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("The sandbox shop did not start")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=START_MAX_S)
        self._sock.close()
        self._ticking.close()
        _stop(self.shop, self._app)


@contextmanager
def _ticking(shop: Shop) -> Iterator[None]:
    """What waits for its time is carried out although nobody looks, so that the subscribers hear of it."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(TICK_S):
            shop.tick()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _server(app: Starlette) -> uvicorn.Server:
    # Errors are part of the play here: a download that is cut off on purpose must not fill the terminal.
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _stop(shop: Shop, app: Starlette) -> None:
    app.state.gateway.operations.stop_all()
    shop.courier.stop()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    return sock


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if sock.family is socket.AF_INET6 else f"http://{host}:{port}"
