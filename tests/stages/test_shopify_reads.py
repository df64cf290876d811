"""Customers read by id and by bulk file: what is absent, what is refused, and where a broken file goes on."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from onewriter.errors import (
    BulkRefused,
    NotUnderstood,
    OnewriterError,
    ShopifyRefused,
    ShopifyUnreachable,
    Temporary,
)
from onewriter.records import SECOND, Kind
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.shopify import bulk, reads, subscriptions
from onewriter.shopify.auth import Credentials
from onewriter.shopify.client import AdminClient
from onewriter.shopify.payloads import change_from_bulk_line
from onewriter.shopify.queries import API_VERSION
from onewriter.shopify.shapes import denied_fields
from onewriter.shopify.webhooks import TOPICS
from tests.support.rehearsal import COUNTED, START, Rehearsal, data, error

FILE = "https://files.example/bulk.jsonl"

# ---- Reads by id ----------------------------------------------------------------------------------------------------


def node(number: int, **changed: Any) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("firstName", "lastName", "note", "defaultEmailAddress", "defaultPhoneNumber", "defaultAddress")
    )
    return (
        empty
        | {
            "id": f"gid://shopify/Customer/{number}",
            "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-01-02T00:00:00Z",
            "state": "ENABLED",
            "locale": "en",
            "tags": [],
            "addresses": [],
        }
        | changed
    )


def test_null_is_absent_only_without_an_error() -> None:
    errors = [error("INTERNAL_SERVER_ERROR", "nodes", 2), error("ACCESS_DENIED", "nodes", 3, "firstName")]
    nodes = [node(1), None, None, node(4), node(99), node(6, tags="canary")]
    stage = Rehearsal(data(nodes=nodes, errors=errors))
    read = reads.read_customers(stage.client, [1, 2, 3, 4, 5, 6], began=START, position=9)
    assert [(change.record_id, change.kind) for change in read.changes] == [
        (1, Kind.PRESENT),
        (2, Kind.ABSENT),
        (4, Kind.PRESENT),
    ]
    assert read.unread == {3: "INTERNAL_SERVER_ERROR", 5: "NOT_UNDERSTOOD", 6: "NOT_UNDERSTOOD"}
    assert read.changes[2].denied == {"first_name"}


def test_an_error_without_a_place_makes_no_null_certain() -> None:
    stage = Rehearsal(data(nodes=[node(1), None], errors=[error("TIMEOUT")]))
    read = reads.read_customers(stage.client, [1, 2], began=START, position=9)
    assert ([change.record_id for change in read.changes], read.unread) == ([1], {2: "TIMEOUT"})


def test_one_customer_with_half_a_character_does_not_hide_the_others() -> None:
    answer = httpx2.Response(200, text=json.dumps({"data": {"nodes": [node(1, note="\ud800"), node(2)]}}))
    read = reads.read_customers(Rehearsal(answer).client, [1, 2], began=START, position=9)
    assert ([change.record_id for change in read.changes], read.unread) == ([2], {1: "NOT_UNDERSTOOD"})


def test_a_read_that_costs_too_much_is_halved_and_the_size_is_remembered() -> None:
    def play(request: httpx2.Request) -> httpx2.Response:
        ids = json.loads(request.content)["variables"]["ids"]
        if len(ids) > 70:
            return data(errors=[error("MAX_COST_EXCEEDED")])
        return data(nodes=[node(int(each.rpartition("/")[2])) for each in ids])

    stage = Rehearsal(play)
    read = reads.read_customers(stage.client, [*range(1, 301), 1], began=START, position=9)
    assert [change.record_id for change in read.changes] == list(range(1, 301))
    assert (stage.client.at_once["Customer"], len(stage.seen)) == (62, 2 + 5)


def test_a_probe_tells_what_a_bulk_file_cannot() -> None:
    with RunningSandbox(customers=40, faults=Faults(protected_denied=True)) as shop:
        token = Credentials("token", access_token=shop.info.access_token)
        with AdminClient(shop.info.admin_url, token, api_version=API_VERSION, clock=lambda: START) as client:
            denied = denied_fields(reads.denied_paths(client))
    assert denied >= {"first_name", "last_name", "email", "phone", "addresses"}
    assert not denied & {"tags", "state"}


# ---- Bulk files -----------------------------------------------------------------------------------------------------

LINES = [json.dumps({"n": n, "pad": "x" * (n % 700)}).encode() for n in range(3_000)]
WHOLE = b"".join(line + b"\n" for line in LINES)


class Broken(httpx2.SyncByteStream):
    """A body that breaks off."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self.body
        raise httpx2.ReadError("canary")


def ranged(request: httpx2.Request, whole: bytes = WHOLE, keep: int | None = None) -> httpx2.Response:
    start = int(request.headers.get("Range", "bytes=0-")[6:-1])
    if start >= len(whole):
        return httpx2.Response(416, headers={"Content-Range": f"bytes */{len(whole)}"})
    headers = {"Content-Range": f"bytes {start}-{len(whole) - 1}/{len(whole)}"} if start else {}
    stream = httpx2.ByteStream(whole[start:]) if keep is None else Broken(whole[start : start + keep])
    return httpx2.Response(206 if start else 200, headers=headers, stream=stream)


@pytest.mark.req("K8")
def test_a_file_that_breaks_off_is_resumed_at_the_last_complete_line() -> None:
    stage = Rehearsal(*[lambda request: ranged(request, keep=300_000)] * 3, httpx2.Response(503), ranged)
    assert list(stage.client.stream_lines(FILE)) == LINES
    assert all("X-Shopify-Access-Token" not in request.headers for request in stage.seen)
    for request in stage.seen[1:]:
        start = int(request.headers["Range"][6:-1])
        assert WHOLE[start - 1 : start] == b"\n"


@pytest.mark.req("K8")
@pytest.mark.parametrize("at", [1, 1_500, 3_000])
def test_a_file_is_read_from_a_checkpoint(at: int) -> None:
    offset = sum(len(line) + 1 for line in LINES[:at])
    assert list(Rehearsal(ranged).client.stream_lines(FILE, offset)) == LINES[at:]
    ignored = httpx2.Response(200, content=WHOLE)
    assert list(Rehearsal(ignored).client.stream_lines(FILE, offset)) == LINES[at:]


def test_a_last_line_needs_no_newline() -> None:
    def play(request: httpx2.Request) -> httpx2.Response:
        return ranged(request, whole=b"one\ntwo")

    assert list(Rehearsal(play).client.stream_lines(FILE)) == [b"one", b"two"]
    assert list(Rehearsal(play).client.stream_lines(FILE, 8)) == []


def test_a_file_that_gives_nothing_more_is_given_up() -> None:
    stage = Rehearsal(lambda request: ranged(request, keep=0))
    with pytest.raises(ShopifyUnreachable):
        list(stage.client.stream_lines(FILE))
    assert len(stage.seen) == 5


def test_an_expired_link_and_an_endless_line_are_refused() -> None:
    with pytest.raises(ShopifyRefused, match="expired"):
        list(Rehearsal(httpx2.Response(403)).client.stream_lines(FILE))
    with pytest.raises(NotUnderstood):
        list(Rehearsal(httpx2.Response(200, content=b"x" * (9 * 1024 * 1024))).client.stream_lines(FILE))


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("OPERATION_IN_PROGRESS", bulk.BulkBusy, "OPERATION_IN_PROGRESS"),
        ("LIMIT_REACHED", bulk.BulkBusy, "LIMIT_REACHED"),
        ("INVALID", BulkRefused, "INVALID"),
        ("not a code: canary", BulkRefused, "NO_CODE"),
        (None, BulkRefused, "NO_CODE"),
    ],
)
def test_a_refused_bulk_operation_tells_its_code_and_whether_that_passes(
    code: str | None, kind: type[OnewriterError], says: str
) -> None:
    refusal = {"code": code, "field": None, "message": "canary"}
    stage = Rehearsal(data(bulkOperationRunQuery={"bulkOperation": None, "userErrors": [refusal]}))
    with pytest.raises(kind, match=says) as refused:
        bulk.start_customers(stage.client)
    assert "canary" not in str(refused.value)
    assert isinstance(refused.value, Temporary) == (kind is bulk.BulkBusy)


@pytest.mark.parametrize(
    "answer",
    [
        data(bulkOperationCancel={"bulkOperation": None, "userErrors": [{"field": None, "message": "canary"}]}),
        data(errors=[error("ACCESS_DENIED")]),
        httpx2.Response(503),
    ],
)
def test_what_cannot_be_cancelled_is_left_as_it_is(answer: httpx2.Response) -> None:
    operation = bulk.BulkOperation("gid://shopify/BulkOperation/7", "RUNNING", START, 3)
    assert bulk.cancel(Rehearsal(answer).client, operation) == operation


# ---- The whole, against the sandbox shop ----------------------------------------------------------------------------


def test_a_shop_is_surveyed_subscribed_to_and_read() -> None:
    with RunningSandbox(customers=40) as shop:
        known = Credentials("client_credentials", client_id=shop.info.client_id, client_secret=shop.info.client_secret)
        clock = Rehearsal(COUNTED)
        with AdminClient(shop.info.admin_url, known, api_version=API_VERSION, clock=lambda: clock.now) as client:
            found = reads.survey(client)
            assert (found.domain, "read_customers" in found.scopes) == (shop.info.domain, True)
            assert reads.count_customers(client) == 40

            door = "http://127.0.0.1:9/webhooks/shopify"
            assert subscriptions.ensure(client, door, TOPICS).made == tuple(TOPICS)
            assert subscriptions.ensure(client, door, TOPICS).present == tuple(TOPICS)
            assert len(subscriptions.listed(client)) == len(TOPICS)

            started = bulk.start_customers(client)
            assert [operation.id for operation in bulk.running(client)] == [started.id]
            ended = bulk.wait(client, started.id, poll_s=0.05, deadline=clock.now + 60 * SECOND)
            assert (ended.status, ended.object_count) == ("COMPLETED", 40)
            lines = client.stream_lines(ended.url or "")
            told = [change_from_bulk_line(line, began=ended.created, position=0, raw_digest=None) for line in lines]

            gone = 10**15
            read = reads.read_customers(client, [*(each.record_id for each in told), gone], began=0, position=0)
            assert {each.record_id: each.fields for each in read.changes[:-1]} == {
                each.record_id: each.fields for each in told
            }
            assert (read.changes[-1].record_id, read.changes[-1].kind) == (gone, Kind.ABSENT)
