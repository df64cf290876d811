"""The door over real HTTP: a delivery that is acknowledged is on disk, and nobody learns anything from a refusal."""

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import event, select

from onewriter.customers import shops
from onewriter.db.engine import Database
from onewriter.db.tables import inbox
from onewriter.intake.connect import DOOR_PATH
from onewriter.intake.door import inbox_binding
from onewriter.runtime import Runtime, now
from onewriter.web.limits import BODY_MAX
from tests.support.doors import knock, serving, signed
from tests.support.joined import drain_all
from tests.support.keeping import keep_credentials
from tests.support.raw import ON_SQLITE, raw_bytes
from tests.support.shops import DOMAIN, SECRET, Tea

BODY = b'{"id":101,"updated_at":"2026-03-02T10:00:00+00:00","email":"canary.ann@example.com","first_name":"Ann"}'


@pytest.fixture
def url(tea: Tea) -> Iterator[str]:
    """The address of a door that knows the tea shop."""
    with serving(tea.runtime) as address:
        yield address


def kept(runtime: Runtime) -> dict[str, tuple[str, str]]:
    """Topic and state of every delivery that is on disk, by webhook id."""
    with runtime.database.read() as db:
        return {row.webhook_id: (row.topic, row.state) for row in db.execute(select(inbox))}


def body_of(tea: Tea, webhook_id: str) -> bytes:
    with tea.runtime.database.read() as db:
        row = db.execute(select(inbox).where(inbox.c.webhook_id == webhook_id)).one()
    key = tea.runtime.keys.day_key(tea.shop_id, row.day)
    return key.open(bytes(row.box), inbox_binding(tea.shop_id, webhook_id))


@pytest.mark.req("K15", "K17", "K21", "K30")
def test_a_signed_delivery_is_on_disk_when_it_is_acknowledged_and_not_yet_applied(tea: Tea, url: str) -> None:
    for topic in ("customers/create", "customers/update", "customers/delete"):
        answer = knock(url, BODY, signed(BODY, SECRET, DOMAIN, topic, topic=topic))
        assert (answer.status_code, answer.content) == (200, b"")
        assert kept(tea.runtime)[topic] == (topic, "waiting")
        assert body_of(tea, topic) == BODY
    with tea.runtime.database.read() as db:
        row = db.execute(select(inbox).where(inbox.c.webhook_id == "customers/create")).one()
    assert (row.event_id, row.api_version, bytes(row.subject_hash)) == ("e-1", "2026-10", tea.vault.key.id_hash(101))
    assert tea.profile(101) is None, "the work comes later"


@pytest.mark.req("K15")
def test_refusals_are_alike_and_keep_nothing(tea: Tea, url: str) -> None:
    true = signed(BODY, SECRET, DOMAIN, "w-1")
    signature = true["X-Shopify-Hmac-Sha256"]
    refused: list[dict[str, str | bytes]] = [
        {**true, "X-Shopify-Hmac-Sha256": signed(BODY, "another", DOMAIN, "w")["X-Shopify-Hmac-Sha256"]},
        {**true, "X-Shopify-Hmac-Sha256": ""},
        {**true, "X-Shopify-Hmac-Sha256": "ünïcode".encode()},
        {**true, "X-Shopify-Hmac-Sha256": b"\xff\xfe\x80"},
        {**true, "X-Shopify-Hmac-Sha256": signature.lower()},
        {**true, "X-Shopify-Shop-Domain": "unknown.myshopify.com"},
        {**true, "X-Shopify-Shop-Domain": "not a shop"},
        {name: value for name, value in true.items() if name != "X-Shopify-Hmac-Sha256"},
        {name: value for name, value in true.items() if name != "X-Shopify-Webhook-Id"},
        {},
    ]
    answers = [knock(url, BODY, headers) for headers in refused]
    answers.append(knock(url, BODY + b" ", true))
    shapes = {(each.status_code, each.content, tuple(sorted(set(each.headers) - {"date"}))) for each in answers}
    assert [status for status, *_ in shapes] == [401], shapes
    assert kept(tea.runtime) == {}
    assert knock(url, BODY, true).status_code == 200, "the true one is let in"


def test_a_body_over_one_mebibyte_is_refused_whether_announced_or_not(tea: Tea, url: str) -> None:
    largest = b'"' + b"x" * (BODY_MAX - 2) + b'"'
    too_large = largest + b" "
    assert knock(url, largest, signed(largest, SECRET, DOMAIN, "w-1")).status_code == 200
    headers = signed(too_large, SECRET, DOMAIN, "w-2")
    assert knock(url, too_large, headers).status_code == 413
    in_chunks = (too_large[at : at + 65_536] for at in range(0, len(too_large), 65_536))
    assert knock(url, in_chunks, headers).status_code == 413
    assert kept(tea.runtime).keys() == {"w-1"}


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(tea: Tea, url: str) -> None:
    host = urlsplit(url)
    with socket.create_connection((host.hostname, host.port), timeout=10) as line:
        line.sendall(f"POST {DOOR_PATH} HTTP/1.1\r\nHost: door\r\nContent-Length: {BODY_MAX + 1}\r\n\r\n".encode())
        assert b" 413 " in line.recv(1024).split(b"\r\n")[0]


@pytest.mark.req("K15")
def test_a_delivery_that_comes_twice_is_one_row_and_acknowledged_twice(tea: Tea, url: str) -> None:
    headers = signed(BODY, SECRET, DOMAIN, "w-1")
    assert [knock(url, BODY, headers).status_code for _ in range(3)] == [200] * 3
    assert list(kept(tea.runtime)) == ["w-1"]
    drain_all(tea.runtime, now())
    assert knock(url, BODY, headers).status_code == 200
    assert kept(tea.runtime) == {"w-1": ("customers/update", "done")}


@pytest.mark.req("K15")
def test_both_secrets_are_accepted_while_one_replaces_the_other(tea: Tea) -> None:
    with tea.runtime.database.read() as db:
        given = tea.runtime.credentials(shops.by_id(db, tea.shop_id))
    keep_credentials(tea.runtime, tea.shop_id, replace(given, api_secrets=("the new one", SECRET)))
    with serving(tea.runtime) as url:
        for name, secret, status in (("old", SECRET, 200), ("new", "the new one", 200), ("empty", "", 401)):
            assert knock(url, BODY, signed(BODY, secret, DOMAIN, name)).status_code == status
    assert kept(tea.runtime).keys() == {"old", "new"}


def test_a_disconnected_shop_is_still_heard_so_that_its_redaction_can_come(tea: Tea, url: str) -> None:
    with tea.runtime.database.write() as db:
        shops.disconnect(db, tea.shop_id, 1)
    body = b'{"shop_id":1,"shop_domain":"tea.myshopify.com"}'
    assert knock(url, body, signed(body, SECRET, DOMAIN, "w-1", topic="shop/redact")).status_code == 200
    assert kept(tea.runtime) == {"w-1": ("shop/redact", "waiting")}


@pytest.mark.req("K17")
def test_what_nobody_understands_is_kept_all_the_same(tea: Tea, url: str) -> None:
    for name, topic, body in (
        ("unknown", "orders/made_up", BODY),
        ("broken", "customers/update", b'{"id": 101, "email": "canary'),
        ("empty", "customers/update", b""),
        ("binary", "customers/create", bytes(range(256))),
        ("deep", "customers/update", b"[" * 50_000),
    ):
        assert knock(url, body, signed(body, SECRET, DOMAIN, name, topic=topic)).status_code == 200
        assert body_of(tea, name) == body
    assert len(kept(tea.runtime)) == 5


def test_missing_optional_headers_are_no_error(tea: Tea, url: str) -> None:
    headers = signed(BODY, SECRET, DOMAIN, "w-1", api_version=None, triggered_at=None, event_id=None)
    assert knock(url, BODY, headers).status_code == 200
    headers = signed(BODY, SECRET, DOMAIN, "w-2", triggered_at="the day before yesterday")
    assert knock(url, BODY, headers).status_code == 200
    assert len(kept(tea.runtime)) == 2


@pytest.mark.req("K5")
def test_the_body_is_sealed_before_it_reaches_the_disk(tea: Tea, url: str) -> None:
    assert knock(url, BODY, signed(BODY, SECRET, DOMAIN, "webhook-1")).status_code == 200
    raw = raw_bytes(tea.runtime.database)
    assert b"webhook-1" in raw, "the row itself is there to be read"
    assert b"canary" not in raw


@ON_SQLITE
def test_while_the_database_is_locked_the_door_asks_for_another_try_and_acknowledges_nothing(
    tea: Tea, database_url: str
) -> None:
    runtime = tea.runtime
    runtime.database.close()
    runtime.database = Database(database_url, busy_ms=150)
    blocker = Database(database_url)
    with serving(runtime) as url:
        assert knock(url, BODY, signed(BODY, SECRET, DOMAIN, "w-0")).status_code == 200
        with blocker.write():
            answers = [knock(url, BODY, signed(BODY, SECRET, DOMAIN, f"w-{n}")) for n in (1, 2)]
        assert [(each.status_code, int(each.headers["Retry-After"]) > 0) for each in answers] == [(503, True)] * 2
        assert kept(runtime).keys() == {"w-0"}
        assert knock(url, BODY, signed(BODY, SECRET, DOMAIN, "w-1")).status_code == 200, "it has recovered"
    blocker.close()
    assert kept(runtime).keys() == {"w-0", "w-1"}


@pytest.mark.req("K15")
def test_two_hundred_at_once_share_commits_and_are_all_on_disk(tea: Tea, url: str) -> None:
    writes: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "INTO inbox" in statement:
            writes.append(statement)

    event.listen(tea.runtime.database.engine, "before_cursor_execute", count)

    async def send_all() -> list[int]:
        async with httpx2.AsyncClient(trust_env=False, timeout=30, limits=httpx2.Limits(max_connections=200)) as client:
            sent = (
                client.post(url + DOOR_PATH, content=BODY, headers=signed(BODY, SECRET, DOMAIN, f"w-{n}"))
                for n in range(200)
            )
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, send_all()).result() == [200] * 200
    assert kept(tea.runtime).keys() == {f"w-{n}" for n in range(200)}
    assert 0 < len(writes) < 150, "many deliveries share a commit"


def test_a_client_that_hangs_up_while_it_sends_leaves_nothing_and_harms_nobody(tea: Tea, url: str) -> None:
    host = urlsplit(url)
    head = f"POST {DOOR_PATH} HTTP/1.1\r\nHost: door\r\nContent-Length: 500\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in signed(BODY, SECRET, DOMAIN, "half").items())
    with socket.create_connection((host.hostname, host.port), timeout=10) as line:
        line.sendall(head.encode() + b"\r\n" + BODY)
    assert knock(url, BODY, signed(BODY, SECRET, DOMAIN, "w-1")).status_code == 200
    assert kept(tea.runtime).keys() == {"w-1"}


def test_health_and_figures_tell_what_the_door_did(tea: Tea, url: str) -> None:
    knock(url, BODY, signed(BODY, SECRET, DOMAIN, "w-1"))
    knock(url, BODY, {})
    with httpx2.Client(trust_env=False) as client:
        assert client.get(f"{url}/healthz").json() == {"ok": True}
        ready = client.get(f"{url}/readyz")
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "faults": []})
        figures = client.get(f"{url}/metrics").text
        assert client.get(url + DOOR_PATH).status_code == 405
    assert 'onewriter_deliveries_total{status="200"} 1.0' in figures
    assert 'onewriter_deliveries_total{status="401"} 1.0' in figures
    assert 'onewriter_inbox{state="waiting"} 1.0' in figures
    assert "canary" not in figures
