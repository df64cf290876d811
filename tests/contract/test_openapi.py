"""docs/reference/openapi.json describes the web process as it is: each route, each status, and nothing else."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, checks
from starlette.routing import Route

from onewriter.intake.connect import DOOR_PATH
from onewriter.intake.door import Door
from onewriter.web.app import create_app, routes
from onewriter.web.limits import HEADERS_MAX, READY, REFUSED, URL_MAX
from tests.support.doors import knock, serving, serving_app, signed
from tests.support.raw import ON_SQLITE
from tests.support.shops import DOMAIN, SECRET, Tea
from tests.support.tree import ROOT

DOCUMENT: dict[str, Any] = json.loads((ROOT / "docs" / "reference" / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {
    (method.upper(), path): given for path, item in DOCUMENT["paths"].items() for method, given in item.items()
}
CHECKED = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
CALLBACK = ("GET", "/auth/shopify/callback")
NEEDS_A_MERCHANT = {"200", "403", "503"}
"""What the callback answers once a merchant has agreed; tests/faces/test_authorize.py sees each."""


def statuses(method: str, path: str) -> set[str]:
    return set(OPERATIONS[method, path]["responses"])


@ON_SQLITE
def test_each_route_is_described_and_no_other(tea: Tea) -> None:
    door = Door(tea.runtime.database, None)
    served = [route for route in routes(tea.runtime, door, lambda: 0.0) if isinstance(route, Route)]
    door.close()
    methods = {(method, route.path) for route in served for method in route.methods or ()}
    assert methods - {("HEAD", CALLBACK[1])} == set(OPERATIONS)


# ---- By schemathesis ------------------------------------------------------------------------------------------------


@pytest.fixture
def url(tea: Tea) -> Iterator[str]:
    """The address of a web process that knows the tea shop."""
    with serving(tea.runtime) as address:
        yield address


@ON_SQLITE
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as described", "otherwise"])
def test_whatever_is_asked_the_answer_is_a_described_one(url: str, mode: GenerationMode) -> None:
    described = schemathesis.openapi.from_dict(DOCUMENT)
    strategies = []
    for found in described.get_all_operations():
        operation = cast(Any, found).ok()
        if mode is GenerationMode.POSITIVE or operation.method.upper() in ("POST", "GET"):
            strategies.append(operation.as_strategy(mode))

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), database=None)
    @given(st.one_of(strategies))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(base_url=url, checks=CHECKED)

    ask()


# ---- Each described status is possible ------------------------------------------------------------------------------


def asked(url: str, method: str, path: str, *, head: bytes = b"Host: a\r\n", body: bytes = b"") -> str:
    where = urlsplit(url)
    request = f"{method} {path} HTTP/1.1\r\n".encode() + head + b"\r\n" + body
    with socket.create_connection((where.hostname, where.port), timeout=10) as line:
        line.sendall(request)
        return line.recv(4_096).split(b" ")[1].decode()


def refused_by_the_server(url: str, method: str, path: str) -> set[str]:
    return {
        asked(url, method, path, head=b"no header\r\n"),
        asked(url, method, f"{path}?{'a' * URL_MAX}"),
        asked(url, method, path, head=b"a: b\r\n" * (HEADERS_MAX + 1)),
        asked(url, method, path, head=b"Host: "),
        asked(url, method, path, head=b"Content-Length: 1048577\r\n"),
    }


@ON_SQLITE
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_each_described_status_is_possible(tea: Tea, method: str, path: str) -> None:
    app = create_app(tea.runtime, lambda: 1_000.0)
    with ExitStack() as stack:
        url = stack.enter_context(serving_app(app, receive_s=0.1, connections_max=1))
        seen = refused_by_the_server(url, method, path)
        seen |= {asked(url, method, path) for _ in range(max(READY.at_once, REFUSED.at_once) + 1)}
        if path == DOOR_PATH:
            seen.add(str(knock(url, b"{}", signed(b"{}", SECRET, DOMAIN, "w-1")).status_code))
        held = stack.enter_context(socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=10))
        held.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b" 200 " in held.recv(4_096)
        seen.add(asked(url, method, path))
    if (method, path) == CALLBACK:
        seen.add("401")
        seen |= NEEDS_A_MERCHANT
    assert seen == statuses(method, path)
