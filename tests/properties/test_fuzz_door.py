"""Anything may come to the web process, and anything signed through the door: nothing falls over, nothing is told."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from onewriter.intake.authorize import CALLBACK_PATH
from onewriter.intake.connect import DOOR_PATH
from onewriter.runtime import now
from onewriter.shopify.webhooks import COMPLIANCE_TOPICS, TOPICS, sign
from onewriter.web.app import create_app
from tests.support.doors import signed
from tests.support.joined import drain_all, states_of
from tests.support.raw import ON_SQLITE
from tests.support.shops import DOMAIN, SECRET, Tea

Headers = Sequence[tuple[bytes, bytes]]
PAGES = ("/", "/login", "/welcome", "/customers", "/cases/1", "/logout", "/api/v1/customers", "/static/x/app.css")
PATHS = (DOOR_PATH, CALLBACK_PATH, "/healthz", "/readyz", "/metrics", *PAGES)
ANYBODY = (200, 303, 400, 401, 403, 404, 405, 413, 422, 429)
"""What a page or a call is answered to whoever is not known."""
FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"multipart/form-data")
NAMES = ("topic", "hmac-sha256", "shop-domain", "webhook-id", "triggered-at", "event-id", "api-version")
ANY_HEADER = st.tuples(st.just(b"content-type"), st.sampled_from(FORMS)) | st.tuples(
    st.one_of(
        st.sampled_from([f"x-shopify-{name}".encode() for name in NAMES]),
        st.sampled_from([b"content-length", b"content-type", b"content-encoding", b"transfer-encoding", b"expect"]),
        st.binary(min_size=1, max_size=20),
    ),
    st.one_of(st.binary(max_size=40), st.just(DOMAIN.encode()), st.integers().map(lambda n: str(n).encode())),
)
PIECES = st.lists(st.binary(max_size=300), max_size=4)
CANARY = "zyxcanary"
BIG = st.integers(-(2**70), 2**70)
LEAVES = st.one_of(st.none(), st.booleans(), BIG, st.floats(allow_nan=False), st.just(CANARY), st.text(max_size=9))


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and objects of these."""
    return st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3))


SHAPES = st.recursive(LEAVES, nested, max_leaves=8)
FEW = settings(max_examples=40, suppress_health_check=list(HealthCheck), database=None)


def ask(
    app: Callable[..., Any], method: str, path: str, query: bytes, headers: Headers, pieces: Sequence[bytes]
) -> int:
    """Send one request to the application in this process, its body in pieces; the status of the answer."""
    said = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting: list[Mapping[str, Any]] = [*said, {"type": "http.request", "body": b"", "more_body": False}]
    heard: list[int] = []

    async def receive() -> Mapping[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            heard.append(message["status"])

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode("utf-8", "replace"), "query_string": query, "root_path": "",
        "headers": [(name.lower(), value) for name, value in headers],
        "client": ("127.0.0.1", 1), "server": ("door", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    [status] = heard
    return status


@ON_SQLITE
def test_no_request_whatever_makes_an_error(tea: Tea) -> None:
    described = json.loads((Path(__file__).parents[2] / "docs/reference/openapi.json").read_text())["paths"]
    app = create_app(tea.runtime)

    @FEW
    @given(
        st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"]),
        st.one_of(st.sampled_from(PATHS), st.text(max_size=30).map("/".__add__)),
        st.binary(max_size=60),
        st.lists(ANY_HEADER, max_size=8),
        PIECES,
    )
    def any_request(method: str, path: str, query: bytes, headers: Headers, pieces: Sequence[bytes]) -> None:
        status = ask(app, method, path, query, headers, pieces)
        known = described.get(path, {}).get(method.lower(), {"responses": {}})["responses"]
        usual = (400, 404, 405, 413) if path in described else ANYBODY
        assert str(status) in known or status in usual, (status, method, path)
        assert status < 500

    any_request()


def bodies() -> st.SearchStrategy[bytes]:
    """Bodies as Shopify sends them with something changed, any JSON, and what is no JSON at all."""
    true = {
        "id": 101, "customer_id": 101, "customerId": "gid://shopify/Customer/101", "order_id": 7, "shop_id": 1,
        "shop_domain": DOMAIN, "updated_at": "2026-03-02T10:00:00+00:00", "email": f"{CANARY}@example.com",
        "first_name": CANARY, "phone": "+12025550147", "addresses": [{"id": 1, "city": CANARY}],
        "customer": {"id": 101, "email": f"{CANARY}@example.com", "phone": "+12025550147"}, "status": "success",
        "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/101", "data_request": {"id": 9},
        "orders_to_redact": [7],
        "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/102", "current": ["read_customers"],
    }  # fmt: skip
    changed = st.dictionaries(st.sampled_from(sorted(true)), SHAPES, max_size=3)
    left_out = st.sets(st.sampled_from(sorted(true)), max_size=8)
    mutated = st.builds(lambda new, out: {k: v for k, v in (true | new).items() if k not in out}, changed, left_out)
    written = st.one_of(mutated, SHAPES).map(lambda value: json.dumps(value).encode())
    cut = st.builds(lambda body, at: body[:at], written, st.integers(0, 200))
    return st.one_of(written, cut, st.binary(max_size=60))


@pytest.mark.req("K17")
def test_whatever_is_signed_ends_done_or_parked_and_is_told_to_nobody(
    tea: Tea, capfd: pytest.CaptureFixture[str]
) -> None:
    app = create_app(tea.runtime)
    number = [0]
    topics = [*TOPICS, *COMPLIANCE_TOPICS, "customers/purchasing_summary", "import/line", "nothing/known"]

    @FEW
    @given(st.lists(st.tuples(st.sampled_from(topics), bodies()), min_size=len(topics) // 4, max_size=len(topics)))
    def any_deliveries(given_: list[tuple[str, bytes]]) -> None:
        for topic, body in given_:
            number[0] += 1
            headers = signed(body, SECRET, DOMAIN, f"w-{number[0]}", topic=topic, hmac_sha256=sign(body, SECRET))
            encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
            assert ask(app, "POST", DOOR_PATH, b"", encoded, [body[:9], body[9:]]) == 200
        moment = now()
        # A row that failed is tried again later, at most eight times.
        for tries in range(12):
            drain_all(tea.runtime, moment + tries * 86_400_000_000)
        ended = states_of(tea.runtime)
        assert ended.keys() <= {"done", "parked"}
        # What cannot be understood is parked at once; only an error that nobody expected is tried again.
        assert {row["attempts"] for rows in ended.values() for row in rows} == {0}

    with capture_logs() as said:
        any_deliveries()
    assert states_of(tea.runtime).keys() == {"done", "parked"}
    captured = capfd.readouterr()
    told = json.dumps(said, default=repr) + captured.out + captured.err
    assert CANARY not in told
    assert "2025550147" not in told
