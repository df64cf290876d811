"""The edges of the web process over real connections: headers on every answer, and an end to whatever is too much."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import httpx2
import pytest
from anyio import to_thread
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from onewriter.intake.authorize import CALLBACK_PATH
from onewriter.intake.connect import DOOR_PATH
from onewriter.runtime import now
from onewriter.web.api.frame import PREFIX
from onewriter.web.app import create_app
from onewriter.web.edges import SECURITY_HEADERS, Edges
from onewriter.web.limits import BODY_MAX, HEAD_MAX, HEADERS_MAX, METRICS, READY, REFUSED, URL_MAX
from onewriter.web.problems import PROBLEM
from tests.support.doors import knock, serving, serving_app, signed
from tests.support.joined import drain_all
from tests.support.lawful import data_request
from tests.support.raw import ON_SQLITE
from tests.support.shops import DOMAIN, SECRET, Tea

BODY = b'{"id":101,"updated_at":"2026-03-02T10:00:00+00:00"}'
HELD_S = 0.3
"""How long a request may take to arrive, where a test waits for that to be over."""


@pytest.fixture
def url(tea: Tea) -> Iterator[str]:
    """The address of a web process that knows the tea shop."""
    with serving(tea.runtime) as address:
        yield address


async def nobody(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that has nothing: whatever else is said, the server says."""
    if scope["type"] == "http":
        await Edges(Response(status_code=404))(scope, receive, send)


@pytest.fixture(scope="module")
def edges_url() -> Iterator[str]:
    """The address of our server in front of an application that has nothing."""
    with serving_app(nobody) as address:
        yield address


@pytest.fixture(scope="module")
def hurried_url() -> Iterator[str]:
    """The same, where whatever comes must come at once."""
    with serving_app(nobody, receive_s=HELD_S) as address:
        yield address


@contextmanager
def line_to(url: str) -> Iterator[socket.socket]:
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as line:
        yield line


def heard(line: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """All that is said until the other side closes: status, headers, body."""
    said = b""
    while more := line.recv(65_536):
        said += more
    head, _, body = said.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split()[1]), dict(each.lower().split(": ", 1) for each in rest), body


def sent(url: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    with line_to(url) as line:
        line.sendall(request)
        return heard(line)


def assert_guarded(headers: httpx2.Headers | dict[str, str]) -> None:
    for name, value in SECURITY_HEADERS:
        assert headers[name.decode()].lower() == value.decode().lower()
    assert "server" not in headers


@ON_SQLITE
def test_every_answer_carries_the_headers_and_names_no_server(url: str) -> None:
    seen = set()
    with httpx2.Client(trust_env=False, timeout=30) as client:
        for method, path, body in (
            ("GET", "/healthz", b""),
            ("HEAD", "/readyz", b""),
            ("GET", "/metrics", b""),
            ("GET", CALLBACK_PATH, b""),
            ("HEAD", CALLBACK_PATH, b""),
            ("GET", DOOR_PATH, b""),
            ("OPTIONS", DOOR_PATH, b""),
            ("POST", DOOR_PATH, BODY),
            ("POST", DOOR_PATH, b"x" * (BODY_MAX + 1)),
            ("GET", "/healthz/", b""),
            ("GET", "/nowhere", b""),
            ("POST", "/healthz", b"x"),
            ("GET", "/metrics", b"a body"),
        ):
            answer = client.request(method, url + path, content=body)
            assert_guarded(answer.headers)
            assert [name for name, _ in answer.headers.multi_items()].count("cache-control") == 1
            seen.add(answer.status_code)
    assert seen == {200, 400, 401, 404, 405, 413}
    assert_guarded(knock(url, BODY, signed(BODY, SECRET, DOMAIN, "w-1")).headers)


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        (b"canary\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET /" + b"a" * URL_MAX + b" HTTP/1.1\r\nHost: door\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (HEADERS_MAX + 1) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * HEAD_MAX + b"\r\n\r\n", 431),
    ],
    ids=["no http", "tls", "a long address", "many headers", "a long header"],
)
def test_a_head_that_is_too_much_is_refused_and_the_line_closed(request_of: bytes, status: int, edges_url: str) -> None:
    answered, headers, body = sent(edges_url, request_of)
    assert (answered, headers["connection"], body) == (status, "close", b"")
    assert_guarded(headers)


def test_a_header_that_never_ends_is_not_kept(edges_url: str) -> None:
    with line_to(edges_url) as line:
        line.sendall(b"GET / HTTP/1.1\r\na: ")
        with pytest.raises(OSError, match=r"reset|pipe"):
            line.sendall(b"b" * 64 * 1024 * 1024)


@ON_SQLITE
@pytest.mark.parametrize(
    "start",
    [
        b"POST /webhooks/shopify HTTP/1.1\r\nHost: door\r\nContent-Length: 9\r\n\r\nhalf",
        b"POST /webhooks/shopify HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"POST /webhooks/shopify HTTP/1.1\r\nHost: do",
    ],
    ids=["a body", "a body in chunks", "a head"],
)
def test_what_does_not_arrive_in_time_is_given_up(start: bytes, tea: Tea) -> None:
    with serving(tea.runtime, receive_s=HELD_S) as url:
        status, headers, body = sent(url, start)
        assert (status, headers["connection"], body) == (408, "close", b"")
        assert_guarded(headers)
        assert knock(url, BODY, signed(BODY, SECRET, DOMAIN, "w-1")).status_code == 200


@pytest.mark.parametrize("start", [b"", b"\r\n\r\n"], ids=["nothing", "empty lines"])
def test_a_line_on_which_nothing_comes_is_closed_without_a_word(start: bytes, hurried_url: str) -> None:
    with line_to(hurried_url) as line:
        line.sendall(start)
        assert line.recv(1_000) == b""


def test_a_body_after_its_answer_does_not_hold_the_line(hurried_url: str) -> None:
    with line_to(hurried_url) as line:
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: door\r\nContent-Length: 5\r\n\r\n")
        status, _headers, _body = heard(line)
    assert status == 413


@ON_SQLITE
def test_a_connection_too_many_is_told_so(tea: Tea) -> None:
    with serving(tea.runtime, connections_max=2) as url, ExitStack() as held:
        for _ in range(2):
            line = held.enter_context(line_to(url))
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: door\r\n\r\n")
            assert b" 200 " in line.recv(4_096)
        status, headers, _body = sent(url, b"GET /healthz HTTP/1.1\r\nHost: door\r\n\r\n")
        assert (status, headers["connection"], int(headers["retry-after"]) > 0) == (503, "close", True)
        assert_guarded(headers)


# ---- Budgets: the clock stands still, so that nothing is ever filled again -------------------------------------------


@pytest.mark.req("K15")
def test_who_signs_is_heard_however_many_others_do_not(tea: Tea) -> None:
    with serving_app(create_app(tea.runtime, lambda: 1_000.0)) as url, httpx2.Client(trust_env=False) as client:
        statuses = []
        for number in range(REFUSED.at_once + 20):
            headers = {"x-shopify-topic": "t", "x-shopify-webhook-id": "w", "x-shopify-hmac-sha256": "canary"}
            headers["x-shopify-shop-domain"] = f"made-up-{number}.myshopify.com"
            answer = client.post(url + DOOR_PATH, content=BODY, headers=headers)
            statuses.append(answer.status_code)
            assert answer.status_code == 401 or int(answer.headers["retry-after"]) > 0
        assert statuses == [401] * REFUSED.at_once + [429] * 20
        assert knock(url, BODY, signed(BODY, SECRET, DOMAIN, "w-1")).status_code == 200
        assert knock(url, BODY + b" ", signed(BODY, SECRET, DOMAIN, "w-1")).status_code == 429
        assert 'onewriter_deliveries_total{status="429"} 21.0' in client.get(url + "/metrics").text


@ON_SQLITE
def test_routes_that_cost_us_something_have_a_budget_each(tea: Tea) -> None:
    with serving_app(create_app(tea.runtime, lambda: 1_000.0)) as url, httpx2.Client(trust_env=False) as client:
        for path, rate in (("/metrics", METRICS), ("/readyz", READY), (CALLBACK_PATH, METRICS)):
            answers = [client.get(url + path) for _ in range(rate.at_once + 1)]
            assert 429 not in {answer.status_code for answer in answers[:-1]}, path
            assert (answers[-1].status_code, answers[-1].headers["retry-after"], answers[-1].content) == (429, "1", b"")
        assert client.get(url + "/healthz").status_code == 200


# ---- Who waits for whom ---------------------------------------------------------------------------------------------


@pytest.mark.req("K15")
def test_the_door_and_what_watches_us_wait_for_no_page(tea: Tea) -> None:
    asked = asyncio.run(asked_while_all_threads_are_taken(tea))
    assert asked == {DOOR_PATH: 200, "/readyz": 200, "/metrics": 200}


async def asked_while_all_threads_are_taken(tea: Tea) -> dict[str, int]:
    """What is answered while pages and calls that take long have every thread that pages and calls have."""
    transport = httpx2.ASGITransport(app=create_app(tea.runtime))
    threads = to_thread.current_default_thread_limiter()
    for number in range(int(threads.total_tokens)):
        threads.acquire_on_behalf_of_nowait(number)
    async with httpx2.AsyncClient(transport=transport, base_url="http://door") as client, asyncio.timeout(20):
        delivered = await client.post(DOOR_PATH, content=BODY, headers=signed(BODY, SECRET, DOMAIN, "w-1"))
        watched = [await client.get(path) for path in ("/readyz", "/metrics")]
        return {each.request.url.path: each.status_code for each in (delivered, *watched)}


# ---- What waits in law ----------------------------------------------------------------------------------------------


@ON_SQLITE
def test_the_figures_tell_of_privacy_requests_and_of_the_nearest_deadline(tea: Tea, url: str) -> None:
    def figures() -> dict[str, float]:
        with httpx2.Client(trust_env=False) as client:
            lines = client.get(url + "/metrics").text.splitlines()
        return {name: float(value) for line in lines if line[0] != "#" for name, value in [line.rsplit(" ", 1)]}

    before = figures()
    assert before["onewriter_privacy_requests"] == 0
    assert "onewriter_privacy_deadline_seconds" not in before
    for topic, body in (("customers/update", BODY), ("customers/data_request", data_request(101))):
        assert knock(url, body, signed(body, SECRET, DOMAIN, topic, topic=topic)).status_code == 200
    drain_all(tea.runtime, now())
    after = figures()
    assert after["onewriter_privacy_requests"] == 1
    assert 29 * 86_400 < after["onewriter_privacy_deadline_seconds"] <= 30 * 86_400


# ---- An error that nobody expected ----------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", [False, True])
def test_an_error_tells_its_type_to_the_log_and_nothing_to_anybody(
    begun: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("canary")

    edges = Edges(broken)

    async def without_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await edges(scope, receive, send)

    with capture_logs() as said, serving_app(without_lifespan) as url:
        status, headers, body = sent(url, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert (status, body) == ((200, b"half") if begun else (500, b""))
    assert_guarded(headers)
    assert [line for line in said if line["log_level"] == "error"] == [
        {"event": "request failed", "error": "ValueError", "log_level": "error"}
    ]
    captured = capfd.readouterr()
    assert "canary" not in json.dumps(said) + captured.out + captured.err


def test_an_address_with_letters_that_none_has_is_a_problem_for_programs() -> None:
    """Our server lets none through; another in front of the application may."""
    told: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nothing of it is read")

    async def send(message: Message) -> None:
        told.append(message)

    scope = {"type": "http", "method": "GET", "path": f"{PREFIX}/overview", "headers": []}
    asyncio.run(Edges(Response("not this"))(scope | {"query_string": "shop=\u00e9".encode()}, receive, send))
    assert told[0]["status"] == 400
    assert (b"content-type", PROBLEM.encode()) in told[0]["headers"]
    assert json.loads(told[1]["body"])["status"] == 400
