"""The Admin API client of one shop: tokens, cost budget, retries, bulk files. No other module knows the HTTP library.

Errors of the library become ours here and nowhere else, and leave nothing of theirs behind: their texts can quote a
header.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import httpx2
import msgspec

from onewriter.errors import (
    NotUnderstood,
    OnewriterError,
    ShopifyRefused,
    ShopifyThrottled,
    ShopifyUnreachable,
)
from onewriter.records import Instant
from onewriter.shopify import auth
from onewriter.shopify.answers import (
    Answer,
    CostTooHigh,
    QueryError,
    check_status,
    raise_refusal,
    read_answer,
)
from onewriter.shopify.auth import Credentials
from onewriter.shopify.budget import Budget, kind_of
from onewriter.shopify.tokens import KeptInMemory, Tokens, TokenSource

__all__ = ["AdminClient", "Answer", "CostTooHigh", "QueryError"]

TIMEOUT = httpx2.Timeout(connect=5.0, read=60.0, write=60.0, pool=60.0)
ANSWER_MAX = 64 * 1024 * 1024
"""Bytes of one answer, unpacked."""
LINE_MAX = 8 * 1024 * 1024
"""Bytes of one line of a bulk file; a customer with everything full is far below."""
TRIES_MAX = 5
WAITS_MAX = 10
WAIT_MAX_S = 60.0
"""A longer pause is the caller's to keep, since it holds a run."""
NODES_MAX = 250
"""Ids that Shopify takes in one list."""
GRANT_REFUSED = (400, 401, 403)
"""What the token endpoint answers when it does not give out a token."""

# At INFO the library logs every URL, and the URL of a bulk file opens all customers to whoever has it.
logging.getLogger("httpx2").setLevel(logging.WARNING)

T = TypeVar("T")


class NotSent(ShopifyUnreachable):
    """No connection was made, so that even a mutation may be sent again."""


TRANSLATED: dict[type[Exception], type[OnewriterError]] = {
    httpx2.ConnectError: NotSent,
    httpx2.ConnectTimeout: NotSent,
    httpx2.PoolTimeout: NotSent,
    httpx2.UnsupportedProtocol: ShopifyRefused,
    httpx2.LocalProtocolError: ShopifyRefused,
    httpx2.TransportError: ShopifyUnreachable,
    httpx2.DecodingError: ShopifyUnreachable,
    httpx2.TooManyRedirects: ShopifyRefused,
    httpx2.HTTPError: ShopifyRefused,
    httpx2.InvalidURL: ShopifyRefused,
    httpx2.CookieConflict: ShopifyRefused,
    httpx2.StreamError: ShopifyUnreachable,
    httpx2.SSEError: ShopifyRefused,
}
"""What each error of the library is to us; the nearest class of an error decides."""


def ours(error: Exception) -> OnewriterError:
    """Our error for one of the library's; it names the kind of the error only."""
    kind = next((TRANSLATED[base] for base in type(error).__mro__ if base in TRANSLATED), ShopifyUnreachable)
    advice = "check the admin URL" if issubclass(kind, ShopifyRefused) else "check the network and try again"
    return kind(f"Shopify could not be reached ({type(error).__name__}); {advice}.")


@contextmanager
def translated() -> Iterator[None]:
    """The one border where the HTTP library's errors become ours."""
    try:
        yield
    except tuple(TRANSLATED) as error:
        raise ours(error) from None


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes
    date: str | None
    retry_after: str | None


class AdminClient:
    """One shop's Admin API. Safe between threads; close it, or use it in a `with`.

    `credentials` are used as they stand, or are asked for of a source that keeps them. Those used as they stand are
    renewed in memory: `on_renewed` is told of them before they are used, and must not call the client. `on_date` is
    told Shopify's clock with each answer. `transport` is for tests.
    """

    def __init__(
        self,
        admin_url: str,
        credentials: Credentials | TokenSource,
        *,
        api_version: str,
        clock: Callable[[], Instant],
        sleep: Callable[[float], None] = time.sleep,
        on_renewed: Callable[[Credentials], None] | None = None,
        on_date: Callable[[Instant], None] | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.at_once = {"Customer": NODES_MAX, "Order": NODES_MAX}
        """How many nodes of a kind one query reads; a reader lowers it when Shopify says that it costs too much."""
        self.now = clock
        self.sleep = sleep
        self._admin_url = admin_url.rstrip("/")
        self._endpoint = f"{self._admin_url}/admin/api/{api_version}/graphql.json"
        if isinstance(credentials, Credentials):
            credentials = Tokens(KeptInMemory(credentials, on_renewed), clock)
        self._tokens = credentials
        self._on_date = on_date
        self._lock = threading.RLock()
        self._budget = Budget()
        self._http = httpx2.Client(
            timeout=TIMEOUT, follow_redirects=False, transport=transport, headers={"User-Agent": "onewriter"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def query(self, document: str, variables: Mapping[str, Any] | None = None) -> Answer:
        """Run one document and give its answer; it waits for the cost budget and tries again what may be tried again.

        Errors beside data are in the answer. Raised are TokenRefused, ScopeMissing (access denied to the whole query),
        CostTooHigh, ShopifyThrottled and ShopifyUnreachable (after the waits and tries are used up), ShopifyRefused. A
        mutation is not sent twice unless it is certain that Shopify did not carry it out.
        """
        filled = dict(variables or {})
        kind = kind_of(document, filled)
        content = msgspec.json.encode({"query": document, "variables": filled})
        repeatable = not document.lstrip().startswith("mutation")
        return self._persist(lambda: self._ask(content, kind), repeatable)

    def grant(self, body: Mapping[str, str]) -> Mapping[str, Any]:
        """What Shopify answers to a request for a token; raises GrantRefused, or ShopifyUnreachable after some tries.

        It is sent again when no answer came, so it is for what Shopify may be asked twice.
        """
        return self._persist(lambda: self._ask_grant(body), repeatable=True)

    def _persist(self, attempt: Callable[[], T], repeatable: bool) -> T:
        failures = waits = 0
        while True:
            try:
                return attempt()
            except ShopifyThrottled as error:
                waits += 1
                if waits >= WAITS_MAX or error.retry_after_s > WAIT_MAX_S:
                    raise
                self.sleep(error.retry_after_s)
            except ShopifyUnreachable as error:
                failures += 1
                if failures >= TRIES_MAX or not (repeatable or isinstance(error, NotSent)):
                    raise
                self.sleep(_backoff_s(failures))

    def _ask(self, content: bytes, kind: tuple[str, int]) -> Answer:
        """One try: wait for the budget, send, learn the cost, and raise what was refused."""
        with self._lock:
            reserved, wait_s = self._budget.reserve(kind, self.now())
        try:
            if wait_s:
                self.sleep(min(wait_s, WAIT_MAX_S))
            reply = self._authorised(content)
            check_status(reply.status, reply.retry_after)
            answer = read_answer(reply.body, reply.date)
        finally:
            with self._lock:
                self._budget.release(reserved)
        if answer.cost is not None:
            with self._lock:
                self._budget.observe(kind, answer.cost, self.now())
        if answer.date is not None and self._on_date is not None:
            self._on_date(answer.date)
        raise_refusal(answer)
        return answer

    def _authorised(self, content: bytes) -> _Reply:
        token = self._tokens.present(self._ask_grant)
        reply = self._post(self._endpoint, content, {"X-Shopify-Access-Token": token})
        final = False
        while reply.status == 401 and not final:
            # Shopify may end a token early, for one when it was renewed elsewhere or the app's secret was rotated. What
            # was given out just now and is refused all the same is final.
            token, final = self._tokens.replace(self._ask_grant, token)
            reply = self._post(self._endpoint, content, {"X-Shopify-Access-Token": token})
        return reply

    def _ask_grant(self, body: Mapping[str, str]) -> Mapping[str, Any]:
        content = msgspec.json.encode(dict(body))
        try:
            reply = self._post(f"{self._admin_url}/admin/oauth/access_token", content, {})
            if reply.status not in GRANT_REFUSED:
                check_status(reply.status, reply.retry_after)
        except ShopifyUnreachable as error:
            # The query that needs the token has not left yet.
            raise NotSent(str(error)) from None
        answer = _json_object(reply.body)
        if reply.status in GRANT_REFUSED:
            raise auth.refusal(body, answer or {})
        if answer is None:
            raise NotSent("Something other than Shopify answered the request for a token; check the admin URL.")
        return answer

    def _post(self, url: str, content: bytes, headers: dict[str, str]) -> _Reply:
        headers = {**headers, "Content-Type": "application/json", "Accept": "application/json"}
        with translated(), self._http.stream("POST", url, content=content, headers=headers) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > ANSWER_MAX:
                    raise ShopifyRefused("The answer is larger than 64 MiB; ask for fewer at a time.")
            date, retry_after = response.headers.get("date"), response.headers.get("retry-after")
            return _Reply(response.status_code, bytes(body), date, retry_after)

    def stream_lines(self, url: str, offset: int = 0) -> Iterator[bytes]:
        """The lines of a bulk file from a byte offset on, without newlines; the next offset is len(line) + 1 later.

        A dropped connection is resumed at the last complete line; ShopifyUnreachable after five tries without a new
        line. ShopifyRefused if the file is gone or its link has expired (after 7 days). The access token is never
        sent there: the file is on another company's server.
        """
        failures = 0
        while True:
            begin = offset
            try:
                for lines, size in self._file_lines(url, offset):
                    offset += size
                    yield from lines
                return
            except (ShopifyUnreachable, ShopifyThrottled):
                failures = 1 if offset > begin else failures + 1
                if failures >= TRIES_MAX:
                    raise
                self.sleep(_backoff_s(failures))

    def _file_lines(self, url: str, start: int) -> Iterator[tuple[list[bytes], int]]:
        """The complete lines of each chunk, with the bytes that they and their newlines take."""
        rest = b""
        for chunk in self._file_chunks(url, start):
            head, newline, tail = chunk.rpartition(b"\n")
            if newline:
                whole, rest = rest + head, tail
                yield whole.split(b"\n"), len(whole) + 1
            else:
                rest += chunk
            if len(rest) > LINE_MAX:
                raise NotUnderstood("A line of the bulk file is longer than 8 MiB.")
        if rest:
            yield [rest], len(rest) + 1

    def _file_chunks(self, url: str, start: int) -> Iterator[bytes]:
        # Unpacked bytes are what offsets count, so the file must not come packed.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        with translated(), self._http.stream("GET", url, headers=headers) as response:
            if response.status_code == 416 and _is_at_end(response.headers.get("content-range"), start):
                return
            skip = _to_skip(response, start)
            # As they come: what a fixed size would still be gathering is lost when the connection drops.
            for chunk in response.iter_bytes():
                dropped = min(skip, len(chunk))
                skip -= dropped
                yield chunk[dropped:] if dropped else chunk


def _backoff_s(failures: int) -> float:
    """Half a second, doubled each time up to eight, less up to half by chance: workers must not come back together."""
    return min(8.0, 0.25 * 2.0**failures) * random.uniform(0.5, 1.0)  # noqa: S311


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        decoded = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _to_skip(response: httpx2.Response, start: int) -> int:
    """How many bytes to pass over to be at `start`: none after 206, all of them after a 200 that ignored the range."""
    status = response.status_code
    if status in (400, 401, 403, 404, 410):
        raise ShopifyRefused(f"The bulk file is gone or its link has expired ({status}); start the run again.")
    check_status(status, response.headers.get("retry-after"))
    if status != 206:
        return start
    if not response.headers.get("content-range", "").startswith(f"bytes {start}-"):
        raise ShopifyUnreachable("The bulk file's server answered another range than was asked for.")
    return 0


def _is_at_end(content_range: str | None, start: int) -> bool:
    """True if a refused range began at the end; a last line without a newline puts the offset one byte behind it."""
    size = (content_range or "").rpartition("/")[2]
    return size.isdigit() and int(size) in (start, start - 1)
