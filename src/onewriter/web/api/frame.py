"""What every call of the API has in common: who asks, how often, what is answered twice, and how an error looks.

A call is made with an API token in the header `Authorization: Bearer TOKEN`. An error is a problem as RFC 9457 has it.
A write that brings an `Idempotency-Key` is done once: the same call again is answered as the first time was.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import lru_cache
from typing import Annotated, Any

import structlog
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, APIRouter
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from onewriter import __version__
from onewriter.customers import tokens
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk import paging
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import choose_shop
from onewriter.errors import OnewriterError, Temporary
from onewriter.runtime import Runtime
from onewriter.web import sending
from onewriter.web.api import keyed
from onewriter.web.edges import UPLOAD_PATHS
from onewriter.web.limits import CALLS, STRANGERS, Clock, TokenBucket
from onewriter.web.live import Streams
from onewriter.web.problems import PROBLEM, TITLES, Problem, TooLarge, failed, problem, status_of, too_large, unrouted

PREFIX = "/api/v1"
WRITES = ("POST", "PUT", "PATCH", "DELETE")
NEVER_KEPT = ("/reveal", "/export", "/access-log/reasons")
"""Ends of the addresses that show protected values: each is answered anew, and is in the access log, each time."""
RETRY_AFTER_S = 5
CALLERS_MAX = 10_000
"""Tokens whose budgets are remembered at a time."""

DESCRIPTION = """What the pages do, for programs.

Make a token with `onewriter tokens create NAME --role ROLE` and send it as `Authorization: Bearer TOKEN`. Times are
ISO 8601 in UTC. Values of customers are masked, unless a call to reveal them says why; each such call is in the access
log. Lists come in pages: `next` is the `cursor` of the page that follows, or null. A write may bring an
`Idempotency-Key` of your choice (1 to 100 letters): sent again within 24 hours, it is answered as the first time, and
done once. An error is `application/problem+json` (RFC 9457), in one sentence with the next step.
"""

log = structlog.get_logger(__name__)


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": TITLES[status]}
    for status in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}
"""What any call may be answered beside what it is for."""


# ---- The application ------------------------------------------------------------------------------------------------


class Described(FastAPI):
    """An application whose description says of each problem what it is sent as."""

    def openapi(self) -> dict[str, Any]:
        """The description, as it is published."""
        if self.openapi_schema is None:
            described = super().openapi()
            for operation in (each for item in described["paths"].values() for each in item.values()):
                for status, answer in operation["responses"].items():
                    if int(status) >= 400:
                        answer["content"] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        return self.openapi_schema or described


def create_api(runtime: Runtime, routers: Sequence[APIRouter], streams: Streams, clock: Clock) -> FastAPI:
    """The application that answers below /api/v1.

    Its description is at /api/v1/openapi.json; a page of it is nowhere, since that would load from elsewhere.
    """
    api = described(routers)
    api.state.runtime = runtime
    api.state.gate = Gate(runtime, clock)
    api.state.streams = streams
    api.add_exception_handler(OnewriterError, _told)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _unrouted)
    api.add_exception_handler(Exception, _failed)
    return api


def described(routers: Sequence[APIRouter]) -> FastAPI:
    """An application that can be described, and answers nothing yet."""
    api = Described(
        title="onewriter", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None,
        openapi_url="/openapi.json", servers=[{"url": PREFIX}], root_path_in_servers=False,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    for router in routers:
        api.include_router(router)
    return api


def problem_of(error: OnewriterError) -> Response:
    """An answer that says which error of ours it was."""
    status = status_of(error)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if isinstance(error, Temporary) else {}
    return problem(status, str(error), type(error).__name__, getattr(error, "about", None), **headers)


async def _told(_request: Request, error: Exception) -> Response:
    assert isinstance(error, OnewriterError)
    return problem_of(error)


async def _invalid(request: Request, error: Exception) -> Response:
    """What the description of the call does not allow; the text names the place, and never repeats what was sent."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where, *inside = first["loc"][1:] or first["loc"]
    if first["type"] == "extra_forbidden" and where not in _names(request.app):
        where, inside = first["loc"][0], []
    # Below a field of ours a name may be one that was sent; numbers say how far down a list.
    place = ".".join(map(str, [where, *(part for part in inside if isinstance(part, int))]))
    return problem(422, f"{place}: {first['msg']}.", "BadInput", place)


def _names(api: FastAPI) -> set[str]:
    """Every name that some call of ours takes or gives; any other was thought of by whoever sent it."""
    schemas = api.openapi()["components"]["schemas"].values()
    return {name for schema in schemas for name in schema.get("properties", ())}


async def _unrouted(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, TooLarge):
        return too_large()
    return unrouted(error.status_code, str(error.detail), **dict(error.headers or {}))


async def _failed(_request: Request, _error: Exception) -> Response:
    """What else went wrong; it is raised on from here, to where it is logged without its text."""
    return failed()


# ---- Who asks, and how often ----------------------------------------------------------------------------------------


class Gate:
    """Who may come in, and how often."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock
        self._strangers = TokenBucket(STRANGERS, clock())
        self._budget = lru_cache(CALLERS_MAX)(lambda _who: TokenBucket(CALLS, clock()))

    def admit(self, request: Request) -> Caller | Response:
        """Whoever asks; or what they are answered in its place."""
        secret = _secret(request)
        found = tokens.resume(self._runtime.database, secret, self._runtime.now()) if secret else None
        if found is None:
            return self._refuse()
        bucket = self._budget(found.who)
        if not bucket.take(self._clock()):
            return _too_many(bucket)
        return Caller(self._runtime, found.who)

    def _refuse(self) -> Response:
        if not self._strangers.take(self._clock()):
            return _too_many(self._strangers)
        told = "Send an API token as `Authorization: Bearer TOKEN`; `onewriter tokens create NAME` makes one."
        return problem(401, told, **{"WWW-Authenticate": "Bearer"})


def _secret(request: Request) -> str:
    """The token that a call brings; empty for none."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _too_many(bucket: TokenBucket) -> Response:
    return problem(429, "That was too often; wait, and go on.", **{"Retry-After": str(bucket.wait_s())})


class GuardedRoute(APIRoute):
    """A route that knows who asks before it looks at anything, and does a write with a key once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        answer = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            gate: Gate = request.app.state.gate
            admitted = await run_in_threadpool(gate.admit, request)
            if isinstance(admitted, Response):
                return admitted
            request.state.caller = admitted
            if request.method in WRITES and request.url.path in UPLOAD_PATHS:
                # Nobody is asked for megabytes who may not send them.
                await run_in_threadpool(_require_staff, admitted)
                return await sending.alone(request, lambda: answered(request, admitted), _busy)
            return await answered(request, admitted)

        async def answered(request: Request, admitted: Caller) -> Response:
            key = request.headers.get(keyed.HEADER)
            if key is None or request.method not in WRITES or request.url.path.endswith(NEVER_KEPT):
                return await answer(request)
            return await keyed.once(admitted, key, _secret(request), request, answer)

        return guarded


def _require_staff(caller: Caller) -> None:
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)


def _busy() -> Response:
    return problem(503, sending.BUSY, **{"Retry-After": str(sending.RETRY_AFTER_S)})


bearer = HTTPBearer(auto_error=False, description="An API token, as `onewriter tokens create` gives it.")


def router(area: str) -> APIRouter:
    """The router of an area: whoever asks is known, and every answer is described."""
    return APIRouter(
        route_class=GuardedRoute,
        responses=PROBLEMS,
        tags=[area],
        dependencies=[Depends(bearer)],
        redirect_slashes=False,
    )


# ---- What calls take ------------------------------------------------------------------------------------------------


class RequestBody(BaseModel):
    """What a call takes as its body. A name that is none of its own is refused, and not passed over.

    Somebody who sends `dry_run` to what has no dry run must not find that it was done.
    """

    model_config = ConfigDict(extra="forbid")


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Asker = Annotated[Caller, Depends(_caller)]
"""Whoever asks."""
ShopName = Annotated[
    str | None,
    Query(alias="shop", max_length=100, description="The shop's myshopify.com domain, where there are several shops."),
]
Cursor = Annotated[
    str | None, Query(max_length=200, description="Where to go on: `next` of the page before; none for the first.")
]
Limit = Annotated[int, Query(ge=1, le=paging.MOST, description="The most that one page holds.")]
Why = Annotated[
    str, Field(min_length=1, max_length=500, description="The reason; it is recorded with the name of the token.")
]


def shop_of(caller: Caller, db: Connection, named: str | None) -> Shop:
    """The shop that is meant."""
    return choose_shop(db, named)
