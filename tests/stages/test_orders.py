"""Orders as doorbells: a delivery only says that an order must be read, and the ledger gets what its state implies."""

import json
from random import Random
from typing import Any

import pytest

from onewriter.intake.drain import NO_ORDER_RULE
from onewriter.intake.orders import UNSETTLED_ORDER
from onewriter.loyalty import orders as ledger
from onewriter.rules.ordering import TRIES_MAX
from onewriter.runtime import Runtime
from onewriter.shopify import queries
from onewriter.shopify.client import Answer, CostTooHigh, QueryError
from onewriter.shopify.orders import read_orders as read_by_id
from onewriter.shopify.topics import ORDER_TOPICS
from tests.support import ordering
from tests.support.drifting import Drifting, drifting
from tests.support.ordering import follow, marks, points, read_orders, set_rules


def redacted(stage: Drifting, number: int) -> dict[str, Any]:
    told = {"shop_id": 1, "shop_domain": stage.shop.domain, "orders_to_redact": []}
    return told | {"customer": {"id": number, "email": None, "phone": None}}


@pytest.mark.req("K14")
def test_what_becomes_of_an_order_follows_from_its_deliveries(runtime: Runtime) -> None:
    with drifting(runtime, 3) as stage:
        set_rules(stage)
        first, second = stage.shop.ids[:2]
        paid = stage.shop.place_order(first, 12_000)
        unpaid = stage.shop.place_order(second, 5_000, paid=False)
        follow(stage)
        assert points(stage) == {first: 120}
        stage.shop.pay_order(unpaid.id)
        stage.shop.refund_order(paid.id, 4_000)
        follow(stage)
        assert points(stage) == {first: 80, second: 50}
        stage.shop.cancel_order(paid.id)
        stage.shop.place_order(None, 9_900)
        follow(stage)
        assert points(stage) == {first: 0, second: 50}
        assert marks(stage) == []


def test_a_rule_that_waits_for_the_goods_is_met_when_they_are_sent(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage, ordering.WHEN_SENT)
        buyer = stage.shop.ids[0]
        order = stage.shop.place_order(buyer, 3_000)
        stage.shop.fulfil_order(order.id, partly=True)
        follow(stage)
        assert points(stage) == {}
        stage.shop.fulfil_order(order.id)
        follow(stage)
        assert points(stage) == {buyer: 30}


@pytest.mark.req("K15")
@pytest.mark.parametrize("seed", range(3))
def test_neither_order_nor_repetition_of_deliveries_matters(runtime: Runtime, seed: int) -> None:
    with drifting(runtime, 3) as stage:
        set_rules(stage)
        first, second = stage.shop.ids[:2]
        order = stage.shop.place_order(first, 10_000)
        other = stage.shop.place_order(second, 2_000, paid=False)
        stage.shop.refund_order(order.id, 2_500)
        stage.shop.pay_order(other.id)
        stage.shop.refund_order(order.id, 2_500)
        rng = Random(seed)
        rng.shuffle(stage.waiting)
        sent = list(stage.waiting)
        for place, each in enumerate(sent):
            stage.waiting[:] = [each]
            follow(stage, wait_s=rng.choice((0.0, 1.0)))
            if place % 2:
                ordering.deliver(stage, each.topic, json.loads(each.body), f"again {place}")
                follow(stage, wait_s=0.0)
        assert points(stage) == {first: 50, second: 20}
        entries = ordering.many_entries(stage)
        ordering.reconcile(stage)
        assert ordering.many_entries(stage) == entries, "there was nothing left to post"


@pytest.mark.req("K31")
def test_the_body_of_a_doorbell_is_not_kept(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        order = stage.shop.place_order(stage.shop.ids[0], 1_000)
        stage.shop.cancel_order(order.id)
        stage.hear()
        rows = ordering.inbox_rows(stage, ORDER_TOPICS)
        assert {row.topic for row in rows} == {"orders/paid", "orders/updated", "orders/cancelled", "refunds/create"}
        assert all(row.box for row in rows)
        assert all(row.subject_hash for row in rows if row.topic != "refunds/create")
        stage.drain()
        rows = ordering.inbox_rows(stage, ORDER_TOPICS)
        assert {(row.outcome, row.box) for row in rows} == {("marked", None)}
        [mark] = marks(stage)
        assert (mark.order_id, len(mark.told.refunds), mark.told.cancelled is not None) == (order.id, 1, True)


def test_without_an_order_rule_no_order_is_read_and_no_body_is_kept(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        stage.shop.place_order(stage.shop.ids[0], 1_000)
        follow(stage)
        rows = ordering.inbox_rows(stage, ORDER_TOPICS)
        assert {(row.state, row.outcome, row.box) for row in rows} == {("done", NO_ORDER_RULE, None)}
        assert marks(stage) == []


@pytest.mark.req("K37")
def test_a_delivery_of_who_was_erased_is_refused(runtime: Runtime) -> None:
    with drifting(runtime, 3) as stage:
        set_rules(stage)
        gone, other = stage.shop.ids[:2]
        ordering.deliver(stage, "customers/redact", redacted(stage, gone))
        stage.drain()
        stage.shop.place_order(gone, 1_000)
        stage.shop.place_order(other, 1_000)
        stage.hear()
        stage.drain()
        rows = ordering.inbox_rows(stage, ("orders/paid",))
        assert sorted((row.outcome, row.box) for row in rows) == [("marked", None), ("refused: erased", None)]
        assert len(marks(stage)) == 1
        follow(stage)
        assert points(stage) == {other: 10}


def test_an_erasure_in_the_same_batch_comes_first(runtime: Runtime) -> None:
    with drifting(runtime, 3) as stage:
        set_rules(stage)
        gone = stage.shop.ids[0]
        stage.shop.place_order(gone, 1_000)
        stage.hear()
        ordering.deliver(stage, "customers/redact", redacted(stage, gone))
        stage.drain()
        [row] = ordering.inbox_rows(stage, ("orders/paid",))
        assert (row.outcome, row.box, marks(stage)) == ("refused: erased", None, [])


# ---- The customer is not known yet ----------------------------------------------------------------------------------


@pytest.mark.req("K20")
def test_an_order_heard_before_its_customer_waits_for_it(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        stage.clock.pass_by(60)
        with stage.losing():
            made = stage.shop.create(first_name="New")
        stage.shop.place_order(made.id, 7_000)
        stage.hear()
        stage.drain()
        assert read_orders(stage) == 1
        [mark] = marks(stage)
        assert (mark.tries, read_orders(stage)) == (1, 0), "it waits"
        assert stage.refetch() == 1, "its customer is read"
        assert read_orders(stage) == 1, "and that ends the waiting at once"
        assert points(stage) == {made.id: 70}
        assert (marks(stage), ordering.found(stage, UNSETTLED_ORDER)) == ([], [])


def test_an_order_whose_customer_never_comes_is_a_finding_until_it_is_settled(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        stage.clock.pass_by(60)
        with stage.losing():
            made = stage.shop.create(first_name="New")
        order = stage.shop.place_order(made.id, 7_000)
        stage.wire.refused = {made.id}
        stage.hear()
        stage.drain()
        turns = 0
        while marks(stage):
            turns += read_orders(stage)
            stage.refetch()
            stage.clock.pass_by(3600)
        assert turns == TRIES_MAX
        assert ordering.open_findings(stage, UNSETTLED_ORDER) == [{"order": order.id, "tries": TRIES_MAX}]
        stage.wire.refused = set()
        stage.shop.refund_order(order.id, 1_000)
        follow(stage)
        assert ordering.open_findings(stage, UNSETTLED_ORDER) == []
        assert points(stage) == {made.id: 60}


# ---- Reading --------------------------------------------------------------------------------------------------------


def hidden(stage: Drifting, monkeypatch: pytest.MonkeyPatch, path: tuple[str | int, ...], **changes: Any) -> None:
    """Have Shopify answer each read of an order with an error, and the first order changed."""
    client = stage.runtime.client(stage.shop_id)
    query = client.query

    def with_error(document: str, variables: Any = None) -> Answer:
        answer = query(document, variables)
        if document != queries.ORDERS:
            return answer
        nodes = answer.data["nodes"]
        nodes[0] = None if changes.get("node", ...) is None else {**nodes[0], **changes}
        return Answer(answer.data, (QueryError("ACCESS_DENIED", path),), answer.date, answer.cost)

    monkeypatch.setattr(client, "query", with_error)


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        (("nodes", 0), {"node": None}),
        (("nodes", 0, "customer"), {"customer": None}),
        ((), {"customer": None}),
        (("nodes", 0, "refunds", 0, "totalRefundedSet"), {"refunds": None}),
    ],
)
def test_an_order_that_is_hidden_in_part_is_unread_and_never_nobodys(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, path: tuple[str | int, ...], changes: dict[str, Any]
) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        order = stage.shop.place_order(stage.shop.ids[0], 7_000)
        stage.hear()
        stage.drain()
        with monkeypatch.context() as patch:
            hidden(stage, patch, path, **changes)
            while marks(stage):
                read_orders(stage)
                stage.clock.pass_by(3600)
        [found] = ordering.found(stage, UNSETTLED_ORDER)
        assert "ACCESS_DENIED" in found["reason"]
        assert (found["evidence"], found["healed_at"]) == ({"order": order.id, "tries": TRIES_MAX}, None)
        assert points(stage) == {}


def test_orders_are_read_as_many_at_a_time_as_a_query_may_cost(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with drifting(runtime, 1) as stage:
        made = [stage.shop.place_order(stage.shop.ids[0], 100).id for _ in range(9)]
        client = stage.runtime.client(stage.shop_id)
        query, asked = client.query, []

        def dear(document: str, variables: Any = None) -> Answer:
            asked.append(len(variables["ids"]))
            if len(variables["ids"]) > 2:
                raise CostTooHigh("too dear")
            return query(document, variables)

        monkeypatch.setattr(client, "query", dear)
        read = read_by_id(client, [*made, made[0], 5], stage.clock.now)
        assert {order.id for order in read.orders} == set(made)
        assert (read.none, read.unread) == ({5}, {})
        assert (asked, client.at_once) == ([10, 5, 2, 2, 2, 2, 2], {"Customer": 250, "Order": 2})


def test_a_read_that_another_delivery_overtakes_posts_and_clears_nothing(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        buyer = stage.shop.ids[0]
        order = stage.shop.place_order(buyer, 7_000)
        stage.hear()
        stage.drain()
        client = stage.runtime.client(stage.shop_id)
        query = client.query

        def overtaken(document: str, variables: Any = None) -> Answer:
            answer = query(document, variables)
            monkeypatch.undo()
            stage.shop.refund_order(order.id, 2_000)
            stage.hear()
            stage.drain()
            return answer

        monkeypatch.setattr(client, "query", overtaken)
        read_orders(stage)
        assert points(stage).get(buyer, 0) == 0
        assert [mark.order_id for mark in marks(stage)] == [order.id]
        follow(stage)
        assert points(stage) == {buyer: 50}


def test_an_order_that_cannot_be_posted_keeps_no_other_waiting(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with drifting(runtime, 3) as stage:
        set_rules(stage)
        first, second, _third = stage.shop.ids
        bad = stage.shop.place_order(first, 1_000)
        stage.shop.place_order(second, 1_000)
        stage.hear()
        stage.drain()
        post = ledger.post

        def poisoned(db: Any, vault: Any, orders: Any, *rest: Any, **more: Any) -> Any:
            if any(order.id == bad.id for order in orders):
                raise ZeroDivisionError(str(bad))
            return post(db, vault, orders, *rest, **more)

        with monkeypatch.context() as patch:
            patch.setattr(ledger, "post", poisoned)
            assert read_orders(stage) == 2
            assert points(stage) == {second: 10}
            while marks(stage):
                stage.clock.pass_by(3600)
                read_orders(stage)
        [found] = ordering.found(stage, UNSETTLED_ORDER)
        assert found["reason"] == "it could not be posted (ZeroDivisionError)"
        ordering.reconcile(stage)
        assert points(stage) == {first: 10, second: 10}
