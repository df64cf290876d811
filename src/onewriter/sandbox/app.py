"""The shop over HTTP: the Admin API, the token endpoint and the files of bulk operations."""

import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from random import Random
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from onewriter.sandbox import control
from onewriter.sandbox.bulk import Operation
from onewriter.sandbox.bulk_file import BulkFile
from onewriter.sandbox.gateway import Gateway
from onewriter.sandbox.shop import Shop

NOT_LET_IN = "[API] Invalid API key or access token (unrecognized login or wrong password)"
GONE = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code></Error>"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def build_app(shop: Shop) -> Starlette:
    served = Served(shop)
    app = Starlette(
        routes=[
            Route("/admin/api/{version}/graphql.json", served.graphql, methods=["POST"]),
            Route("/admin/oauth/access_token", served.access_token, methods=["POST"]),
            Route("/bulk/{number:int}.jsonl", served.bulk_file, methods=["GET", "HEAD"]),
            *control.routes(shop),
        ]
    )
    app.state.gateway = served.gateway
    return app


class Served:
    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.gateway = Gateway(shop)
        self._rng = Random(f"{shop.seed}/server")

    async def graphql(self, request: Request) -> Response:
        if self._rng.random() < self.shop.faults.server_errors:
            return Response("Internal Server Error", status_code=self._rng.choice((500, 502, 503)))
        if not self.shop.access.allows(request.headers.get("X-Shopify-Access-Token", "")):
            return JSONResponse({"errors": NOT_LET_IN}, status_code=401)
        body = await request.body()
        base_url = str(request.base_url).rstrip("/")
        answer = await run_in_threadpool(self.gateway.answer, body, base_url)
        headers = {"X-Shopify-API-Version": request.path_params["version"], "Date": self._date()}
        return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)

    def _date(self) -> str:
        return formatdate(self.shop.clock(), usegmt=True)

    async def access_token(self, request: Request) -> Response:
        """Client credentials, as a form or as JSON."""
        given = await _given(request)
        if given.get("grant_type") != "client_credentials":
            return _oauth_error("unsupported_grant_type", "The sandbox grants client credentials only.")
        token = self.shop.access.grant(given.get("client_id", ""), given.get("client_secret", ""))
        if token is None:
            return _oauth_error("invalid_client", "Client authentication failed.")
        faults = self.shop.faults
        scope = ",".join(faults.scopes)
        return JSONResponse({"access_token": token, "scope": scope, "expires_in": faults.token_seconds})

    async def bulk_file(self, request: Request) -> Response:
        operation = self.gateway.operations.get(request.path_params["number"])
        if operation is None or operation.file is None or operation.completed_at is None:
            return Response(status_code=404)
        if operation.expires:
            operation.status = "EXPIRED"
            return Response(GONE, status_code=403, media_type="application/xml")
        return self._ranged(operation, operation.file, request.headers.get("Range"))

    def _ranged(self, operation: Operation, file: BulkFile, asked: str | None) -> Response:
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": f'"{operation.id}"',
            "Content-Type": "application/jsonl",
            "Date": self._date(),
        }
        span = _span(asked, file.size)
        if span is None:
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{file.size}"})
        start, stop = span
        headers["Content-Length"] = str(stop - start)
        if asked:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        return StreamingResponse(self._stream(file, start, stop), status_code=206 if asked else 200, headers=headers)

    async def _stream(self, file: BulkFile, start: int, stop: int) -> AsyncIterator[bytes]:
        limit = self.shop.faults.drop_connection_after_bytes
        end = min(stop, start + limit) if limit else stop
        # Ending before Content-Length makes the server close the connection: what a broken download looks like.
        for block in file.read(start, end):
            yield block


def _span(asked: str | None, size: int) -> tuple[int, int] | None:
    """The bytes that a Range header asks for: all without one, None if there are no such bytes."""
    if not asked:
        return 0, size
    found = _RANGE.fullmatch(asked.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) and size else None
    stop = min(size, int(last) + 1) if last else size
    return (int(first), stop) if int(first) < stop else None


async def _given(request: Request) -> dict[str, str]:
    if request.headers.get("Content-Type", "").startswith("application/json"):
        try:
            read = msgspec.json.decode(await request.body(), type=dict[str, str | int])
        except msgspec.DecodeError:
            return {}
        return {key: str(value) for key, value in read.items()}
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace")))


def _oauth_error(code: str, description: str) -> Response:
    return JSONResponse({"error": code, "error_description": description}, status_code=400)
