"""A shop without threads: its clock is a number of the test, and every send goes through the test's own hands."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from onewriter.sandbox import Player
from onewriter.sandbox.deliveries import RETRIES_MAX
from onewriter.sandbox.front import Front
from onewriter.sandbox.transport import Transport
from tests.sandbox.stage import VirtualShop

RUN = """mutation { bulkOperationRunQuery(query: "{ customers { edges { node { id note } } } }") {
  bulkOperation { id status } userErrors { message }
} }"""
STATUS = "query Status($id: ID!) { bulkOperation(id: $id) { status objectCount url createdAt completedAt } }"
CANCEL = "mutation Cancel($id: ID!) { bulkOperationCancel(id: $id) { userErrors { message } } }"


@pytest.fixture
def no_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at a clock of this machine, sleeps, or starts a thread fails the test."""

    def refused(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("A shop in virtual time has no other clock and no threads")

    for name in ("time", "monotonic", "sleep"):
        monkeypatch.setattr(time, name, refused)
    monkeypatch.setattr(threading.Thread, "start", refused)


def started(virtual: VirtualShop) -> str:
    return str(virtual.data(RUN)["bulkOperationRunQuery"]["bulkOperation"]["id"])


def status(virtual: VirtualShop, operation: str) -> Any:
    return virtual.data(STATUS, id=operation)["bulkOperation"]


def file_of(virtual: VirtualShop, operation: str) -> list[Any]:
    found = virtual.gateway.operations.get(int(operation.rpartition("/")[2]))
    assert found is not None
    assert found.file is not None
    return [json.loads(line) for line in b"".join(found.file.read(0, found.file.size)).splitlines()]


@pytest.mark.usefixtures("no_real_time")
def test_a_shop_with_a_schedule_reads_no_other_clock() -> None:
    virtual = VirtualShop(bulk_seconds=90.0, merge_seconds=30.0, delay=5.0, duplicate=0.2, reorder=0.2)
    virtual.subscribe("CUSTOMERS_CREATE", "CUSTOMERS_UPDATE", "CUSTOMERS_MERGE", "BULK_OPERATIONS_FINISH")
    virtual.shop.courier.start()
    player = Player(virtual.shop)
    for _ in range(60):
        player.event()
        virtual.now += 1.0
    operation = started(virtual)
    virtual.now += 90.0
    assert status(virtual, operation)["status"] == "COMPLETED"
    assert {each.topic for each in virtual.sends()} >= {
        "customers/create",
        "customers/update",
        "bulk_operations/finish",
    }
    assert virtual.shop.courier.settle(60.0)
    virtual.shop.courier.stop()


def test_the_same_seed_schedules_the_same_sends() -> None:
    def played() -> list[tuple[float, str, int | None]]:
        virtual = VirtualShop(30, 4, delay=20.0, duplicate=0.3, reorder=0.3, lose=0.1)
        virtual.subscribe("CUSTOMERS_CREATE", "CUSTOMERS_UPDATE", "CUSTOMERS_DELETE", "CUSTOMER_TAGS_ADDED")
        player = Player(virtual.shop)
        for _ in range(80):
            player.event()
            virtual.now += 3.0
        return [(virtual.now, each.webhook_id, each.customer_id) for each in virtual.sends()]

    assert played() == played()


def test_sends_are_told_with_their_wait_and_settle_never_waits_for_them() -> None:
    virtual = VirtualShop(5, delay=10.0)
    virtual.subscribe("CUSTOMERS_UPDATE")
    for place in range(5):
        virtual.shop.update(virtual.shop.ids[0], note=f"note {place}")
    assert virtual.shop.courier.outstanding == 5
    assert not virtual.shop.courier.settle(60.0)
    began = virtual.now
    notes = [body["note"] for _, body in virtual.told()]
    assert sorted(notes) == [f"note {place}" for place in range(5)]
    assert notes != sorted(notes), "with a delay they overtake each other"
    assert began < virtual.now < began + 10.0
    assert virtual.shop.courier.settle(0.0)


def test_nobody_at_home_for_four_hours_ends_the_subscription() -> None:
    virtual = VirtualShop(5)
    virtual.subscribe("CUSTOMERS_UPDATE")
    virtual.shop.update(virtual.shop.ids[0], note="never")
    began = virtual.now
    assert len(virtual.sends(lambda delivery, retry: False)) == 1 + RETRIES_MAX
    assert virtual.now == pytest.approx(began + 4 * 3600)
    assert [(each.status, each.attempts) for each in virtual.shop.deliveries] == [("failed", 9)]
    assert virtual.shop.subscriptions.all() == []


def test_a_late_acknowledgement_keeps_the_subscription() -> None:
    virtual = VirtualShop(5)
    virtual.subscribe("CUSTOMERS_UPDATE")
    virtual.shop.update(virtual.shop.ids[0], note="late")
    virtual.sends(lambda delivery, retry: retry == RETRIES_MAX)
    assert [(each.status, each.attempts) for each in virtual.shop.deliveries] == [("acknowledged", 9)]
    assert len(virtual.shop.subscriptions.all()) == 1


def test_a_bulk_operation_lives_by_the_shops_clock() -> None:
    virtual = VirtualShop(10, bulk_seconds=100.0)
    virtual.subscribe("BULK_OPERATIONS_FINISH")
    operation, began = started(virtual), virtual.now
    seen = []
    for seconds in (0.0, 24.0, 25.0, 99.0, 100.0, 500.0):
        virtual.now = began + seconds
        seen.append(status(virtual, operation)["status"])
    assert seen == ["CREATED", "CREATED", "RUNNING", "RUNNING", "COMPLETED", "COMPLETED"]
    assert len(file_of(virtual, operation)) == 10
    ((topic, body),) = virtual.told()
    assert (topic, body["admin_graphql_api_id"], body["status"]) == ("bulk_operations/finish", operation, "completed")


def test_a_bulk_operation_reads_the_customers_of_its_own_second_however_late_we_look() -> None:
    virtual = VirtualShop(3, bulk_seconds=100.0)
    operation, began = started(virtual), virtual.now
    number = virtual.shop.ids[0]
    for seconds, note in ((10.0, "before"), (30.0, "after")):
        virtual.now = began + seconds
        virtual.shop.update(number, note=note)
    virtual.now = began + 7_000.0
    assert virtual.shop.next_due() == began + 100.0
    found = status(virtual, operation)
    assert next(line["note"] for line in file_of(virtual, operation) if line["id"].endswith(f"/{number}")) == "before"
    assert (found["createdAt"], found["completedAt"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:01:40Z")
    assert virtual.shop.next_due() is None


def test_a_stalled_operation_waits_for_its_cancel() -> None:
    virtual = VirtualShop(3, bulk_seconds=10.0, stall=True)
    operation = started(virtual)
    virtual.now += 1_000_000.0
    assert status(virtual, operation)["status"] == "RUNNING"
    virtual.data(CANCEL, id=operation)
    assert status(virtual, operation)["status"] == "CANCELED"


def test_what_is_due_is_done_in_its_order_though_one_deed_looks_at_the_shop_itself() -> None:
    virtual = VirtualShop(4, bulk_seconds=100.0, merge_seconds=30.0)
    began, (one, two) = virtual.now, virtual.shop.ids[:2]
    operation = started(virtual)
    merge = virtual.shop.merge(one, two)
    virtual.now += 1_000.0
    assert virtual.shop.tick() == 3
    assert len(file_of(virtual, operation)) == 4, "it read the customers five seconds before they were merged"
    assert virtual.shop.customers[merge.kept].updated_at == int(began + 30.0)


def test_a_canceled_operation_stays_canceled() -> None:
    virtual = VirtualShop(3, bulk_seconds=100.0)
    virtual.subscribe("BULK_OPERATIONS_FINISH")
    operation = started(virtual)
    virtual.now += 50.0
    virtual.data(CANCEL, id=operation)
    virtual.now += 500.0
    assert status(virtual, operation)["status"] == "CANCELED"
    assert [body["status"] for _, body in virtual.told()] == ["canceled"]


def test_an_operation_that_is_canceled_before_it_read_anything_has_no_file() -> None:
    virtual = VirtualShop(3, bulk_seconds=10.0)
    operation = started(virtual)
    virtual.data(CANCEL, id=operation)
    virtual.now += 100.0
    found = status(virtual, operation)
    assert (found["status"], found["objectCount"], found["url"]) == ("CANCELED", "0", None)


def test_the_bucket_fills_by_the_shops_clock() -> None:
    virtual = VirtualShop(5, cost_maximum=60.0, cost_restore=10.0)
    query = "{ customers(first: 50) { nodes { id } } }"
    answers = []
    for seconds in (0.0, 0.0, 0.0, 30.0):
        virtual.now += seconds
        answers.append("errors" in virtual.answer(query))
        virtual.gateway.bucket.take(40.0)
    assert answers == [False, True, True, False]


@pytest.fixture
def inside() -> Callable[[VirtualShop], httpx2.Client]:
    def client(virtual: VirtualShop) -> httpx2.Client:
        front = Front(virtual.shop)
        headers = {"X-Shopify-Access-Token": virtual.shop.access.token}
        return httpx2.Client(transport=Transport(front), base_url="https://shop.example.com", headers=headers)

    return client


@pytest.mark.usefixtures("no_real_time")
def test_an_http_client_reaches_the_shop_without_a_port(inside: Callable[[VirtualShop], httpx2.Client]) -> None:
    virtual = VirtualShop(700, bulk_seconds=10.0)
    http = inside(virtual)

    def asked(query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        return http.post("/admin/api/2026-10/graphql.json", json=body).json()["data"]

    operation = asked(RUN)["bulkOperationRunQuery"]["bulkOperation"]["id"]
    virtual.now += 10.0
    url = asked(STATUS, id=operation)["bulkOperation"]["url"]
    assert url.startswith("https://shop.example.com/bulk/")
    whole = http.get(url).content
    assert len(whole.splitlines()) == 700
    rest = http.get(url, headers={"Range": "bytes=100-"})
    assert (rest.status_code, rest.content) == (206, whole[100:])
    virtual.shop.set_faults({"drop_connection_after_bytes": 100})
    with pytest.raises(httpx2.RemoteProtocolError):
        http.get(url)
    assert http.get("/admin/somewhere").status_code == 404
    assert http.get("/admin/oauth/access_token").status_code == 405
    http.headers["X-Shopify-Access-Token"] = "wrong"
    assert http.post("/admin/api/2026-10/graphql.json", json={"query": "{ shop { name } }"}).status_code == 401
