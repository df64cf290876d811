"""The web process: one table of routes."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, Router

from onewriter.intake.authorize import CALLBACK_PATH
from onewriter.intake.connect import DOOR_PATH
from onewriter.intake.door import Door
from onewriter.runtime import Runtime
from onewriter.web.authorize import AuthorizeRoute
from onewriter.web.door import DoorRoute
from onewriter.web.edges import Edges
from onewriter.web.health import Health
from onewriter.web.limits import CALLBACKS, METRICS, READY, Clock, Rate, TokenBucket

Answer = Callable[[Request], Response]


def create_app(runtime: Runtime, clock: Clock = time.monotonic) -> Edges:
    """The application of the web process. The door's thread starts with it and ends with it."""
    bell = runtime.open_bell()
    door = Door(runtime.database, bell)

    @asynccontextmanager
    async def lifespan(_app: Router) -> AsyncIterator[None]:
        yield
        door.close()
        if bell is not None:
            bell.close()

    # A bare router: it neither shows nor logs the text of an error, and does not redirect to whatever Host says.
    return Edges(Router(routes(runtime, door, clock), redirect_slashes=False, lifespan=lifespan))


def routes(runtime: Runtime, door: Door, clock: Clock) -> list[BaseRoute]:
    """Everything that is answered; docs/reference/openapi.json describes it."""
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
    """What answers in a thread, within a budget; beyond it, 429 without a look at anything."""
    bucket = TokenBucket(rate, clock())

    async def within_budget(request: Request) -> Response:
        if not bucket.take(clock()):
            return Response(status_code=429, headers={"Retry-After": str(bucket.wait_s())})
        return await run_in_threadpool(answer, request)

    return within_budget
