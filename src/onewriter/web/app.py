"""The web process: one table of routes."""

import gc
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import Receive, Scope, Send

from onewriter.intake.authorize import CALLBACK_PATH
from onewriter.intake.connect import DOOR_PATH
from onewriter.intake.door import Door
from onewriter.runtime import Runtime
from onewriter.web import apart, statics
from onewriter.web.api.frame import PREFIX, create_api
from onewriter.web.api.routers import ROUTERS
from onewriter.web.authorize import AuthorizeRoute
from onewriter.web.door import DoorRoute
from onewriter.web.edges import Edges
from onewriter.web.health import Health
from onewriter.web.limits import CALLBACKS, METRICS, READY, THREADS_MAX, TURN_S, Clock, Rate, TokenBucket
from onewriter.web.live import Streams
from onewriter.web.pages import frame
from onewriter.web.pages.entering import Entering
from onewriter.web.pages.every import PAGES
from onewriter.web.problems import unrouted
from onewriter.web.server import WebConfig, WebServer

Answer = Callable[[Request], Response]


def create_server(runtime: Runtime) -> WebServer:
    """The server of a web process, with its application; once in a process."""
    streams = Streams()

    def ending() -> None:
        streams.end()
        apart.end_all()

    server = WebServer(WebConfig(create_app(runtime, streams=streams)), ending)
    # What is there by now stays for the life of the process. To look through all of it for garbage takes a tenth of a
    # second, in the middle of somebody's page or a delivery.
    gc.collect()
    gc.freeze()
    return server


def create_app(runtime: Runtime, clock: Clock = time.monotonic, streams: Streams | None = None) -> Edges:
    """The application of the web process. The door's thread starts with it and ends with it."""
    bell = runtime.open_bell()
    door = Door(runtime.database, bell)

    @asynccontextmanager
    async def lifespan(_app: Router) -> AsyncIterator[None]:
        # Pages share the machine with the door, which has a thread of its own: more of them would only be in its way.
        to_thread.current_default_thread_limiter().total_tokens = THREADS_MAX
        turn_s = sys.getswitchinterval()
        sys.setswitchinterval(TURN_S)
        yield
        sys.setswitchinterval(turn_s)
        door.close()
        if bell is not None:
            bell.close()

    # A bare router: it neither shows nor logs the text of an error, and does not redirect to whatever Host says.
    streams = streams or Streams()
    answered = [*routes(runtime, door, clock), *people_routes(runtime, streams, clock)]
    answered.append(Mount(PREFIX, create_api(runtime, ROUTERS, streams, clock)))
    return Edges(Router(answered, redirect_slashes=False, default=_nothing_there, lifespan=lifespan))


async def _nothing_there(scope: Scope, receive: Receive, send: Send) -> None:
    """What no route takes; a mount itself does not take an address with a line end in it, which is for programs too."""
    answer = unrouted(404) if scope["path"].startswith(PREFIX) else Response("Not Found", 404, media_type="text/plain")
    await answer(scope, receive, send)


def people_routes(runtime: Runtime, streams: Streams, clock: Clock) -> list[BaseRoute]:
    """The pages, what they load, and the way in."""
    return [*frame.routes(PAGES, runtime, streams), *Entering(runtime, clock).routes(), *statics.ROUTES]


def routes(runtime: Runtime, door: Door, clock: Clock) -> list[BaseRoute]:
    """What is for machines beside the API; docs/reference/openapi.json describes it."""
    health = Health(runtime)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"ok": True})

    def readyz(_request: Request) -> Response:
        faults = health.faults()
        return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200)

    def metrics(_request: Request) -> Response:
        return PlainTextResponse(health.metrics(), media_type=health.MEDIA_TYPE)

    return [
        Route(DOOR_PATH, DoorRoute(runtime, door, health.count_delivery, clock).receive, methods=["POST"]),
        Route(CALLBACK_PATH, _limited(AuthorizeRoute(runtime).answer, CALLBACKS, clock)),
        Route("/healthz", healthz),
        Route("/readyz", _limited(readyz, READY, clock)),
        Route("/metrics", _limited(metrics, METRICS, clock)),
    ]


def _limited(answer: Answer, rate: Rate, clock: Clock) -> Callable[[Request], Awaitable[Response]]:
    """What answers in a thread of its own, within a budget; beyond it, 429 without a look at anything."""
    bucket, thread = TokenBucket(rate, clock()), CapacityLimiter(1)

    async def within_budget(request: Request) -> Response:
        if not bucket.take(clock()):
            return Response(status_code=429, headers={"Retry-After": str(bucket.wait_s())})
        return await to_thread.run_sync(answer, request, limiter=thread)

    return within_budget
