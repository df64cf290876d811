"""Whatever an app may ask of a shop over HTTP, answered without a server: the Admin API, tokens, bulk files.

`app.py` puts it behind a port, `transport.py` behind an HTTP client of the same process.
"""

import re
from collections.abc import Callable, Iterator
from email.utils import formatdate
from random import Random

from onewriter.sandbox import oauth
from onewriter.sandbox.bulk import Operation
from onewriter.sandbox.bulk_file import BulkFile
from onewriter.sandbox.exchange import Answered, Asked, as_json
from onewriter.sandbox.gateway import Gateway
from onewriter.sandbox.shop import Shop

NOT_LET_IN = "[API] Invalid API key or access token (unrecognized login or wrong password)"
GONE = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code></Error>"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Front:
    """All that one shop answers to apps. Safe to use from several threads."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.gateway = Gateway(shop)
        self._rng = Random(f"{shop.seed}/server")
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[..., Answered]], ...] = (
            ("POST", re.compile(r"/admin/api/([\w-]+)/graphql\.json"), self._graphql),
            ("GET", re.compile(r"/admin/oauth/authorize"), lambda asked: oauth.authorize(shop, asked)),
            ("POST", re.compile(r"/admin/oauth/access_token"), lambda asked: oauth.access_token(shop, asked)),
            ("GET", re.compile(r"/bulk/(\d+)\.jsonl"), self._bulk_file),
        )

    def answer(self, asked: Asked) -> Answered:
        method = "GET" if asked.method == "HEAD" else asked.method
        found = [(known, route.fullmatch(asked.path), to) for known, route, to in self._routes]
        fitting = [(known, path.groups(), to) for known, path, to in found if path]
        for known, parts, to in fitting:
            if known == method:
                return to(asked, *parts)
        return Answered(405 if fitting else 404)

    def _graphql(self, asked: Asked, version: str) -> Answered:
        if self._rng.random() < self.shop.faults.server_errors:
            return Answered(self._rng.choice((500, 502, 503)), (b"Internal Server Error",))
        if self.shop.use_up("token_refused") or not self.shop.access.allows(
            asked.headers.get("x-shopify-access-token", "")
        ):
            return as_json({"errors": NOT_LET_IN}, 401)
        answer = self.gateway.answer(asked.body, asked.base_url)
        return as_json(answer, headers={"X-Shopify-API-Version": version, "Date": self._date()})

    def _date(self) -> str:
        return formatdate(self.shop.clock(), usegmt=True)

    def _bulk_file(self, asked: Asked, number: str) -> Answered:
        operation = self.gateway.operations.get(int(number))
        if operation is None or operation.file is None or operation.completed_at is None:
            return Answered(404)
        if operation.expires:
            operation.status = "EXPIRED"
            return Answered(403, (GONE,), {"Content-Type": "application/xml"})
        return self._ranged(operation, operation.file, asked.headers.get("range"))

    def _ranged(self, operation: Operation, file: BulkFile, asked: str | None) -> Answered:
        headers = {
            "Accept-Ranges": "bytes",
            "ETag": f'"{operation.id}"',
            "Content-Type": "application/jsonl",
            "Date": self._date(),
        }
        span = _span(asked, file.size)
        if span is None:
            return Answered(416, (), headers | {"Content-Range": f"bytes */{file.size}"})
        start, stop = span
        headers["Content-Length"] = str(stop - start)
        if asked:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        return Answered(206 if asked else 200, self._stream(file, start, stop), headers)

    def _stream(self, file: BulkFile, start: int, stop: int) -> Iterator[bytes]:
        limit = self.shop.faults.drop_connection_after_bytes
        return file.read(start, min(stop, start + limit) if limit else stop)


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
