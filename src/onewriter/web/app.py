"""The web process: one table of routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from onewriter.intake.authorize import CALLBACK_PATH
from onewriter.intake.connect import DOOR_PATH
from onewriter.intake.door import Door
from onewriter.runtime import Runtime
from onewriter.web.authorize import AuthorizeRoute
from onewriter.web.door import DoorRoute
from onewriter.web.health import Health

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def create_app(runtime: Runtime) -> Starlette:
    """The application of the web process. The door's thread starts with it and ends with it."""
    bell = runtime.open_bell()
    door = Door(runtime.database, bell)
    health = Health(runtime)
    door_route = DoorRoute(runtime, door, health.count_delivery)
    authorize_route = AuthorizeRoute(runtime, SECURITY_HEADERS)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"ok": True}, headers=SECURITY_HEADERS)

    def readyz(_request: Request) -> Response:
        faults = health.faults()
        return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200, headers=SECURITY_HEADERS)

    def metrics(_request: Request) -> Response:
        return PlainTextResponse(health.metrics(), headers=SECURITY_HEADERS, media_type=health.MEDIA_TYPE)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        door.close()
        if bell is not None:
            bell.close()

    return Starlette(
        routes=[
            Route(DOOR_PATH, door_route.receive, methods=["POST"]),
            Route(CALLBACK_PATH, authorize_route.answer),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ],
        lifespan=lifespan,
    )
