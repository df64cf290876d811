"""What became of order deliveries: of orders too old to be read, of marks, and of what is parked or fails."""

import json

import pytest
from sqlalchemy import update

from onewriter.customers import inbox, order_marks, questions, shops
from onewriter.customers.inbox import PARKED
from onewriter.customers.order_marks import Told
from onewriter.db import tables
from onewriter.errors import ScopeMissing
from onewriter.intake import again
from onewriter.intake.again import BodyGone
from onewriter.intake.drain import Drain
from onewriter.intake.orders import UNSETTLED_ORDER
from onewriter.records import DAY, SECOND, Refund
from onewriter.runtime import Runtime
from onewriter.sandbox.faults import SCOPES
from onewriter.shopify import scopes
from onewriter.shopify.topics import ORDER_TOPICS
from onewriter.vault.vault import day_of
from onewriter.workflows.worker import Worker
from tests.support import ordering
from tests.support.drifting import drifting
from tests.support.joined import KEEP_DAYS
from tests.support.ordering import follow, marks, points, read_orders, set_rules

# ---- Older than the token may see -----------------------------------------------------------------------------------


def test_refunds_and_cancellations_of_an_order_too_old_to_be_read_are_taken_from_their_bodies(
    runtime: Runtime,
) -> None:
    with drifting(runtime, 2, scopes=list(SCOPES)) as stage:
        assert scopes.ALL_ORDERS not in SCOPES
        set_rules(stage)
        first, second = stage.shop.ids[:2]
        refunded = stage.shop.place_order(first, 10_000)
        cancelled = stage.shop.place_order(second, 3_000)
        follow(stage)
        stage.clock.pass_by(61 * DAY / SECOND)
        stage.shop.refund_order(refunded.id, 1_000)
        stage.clock.pass_by(60)
        stage.shop.refund_order(refunded.id, 2_000)
        stage.shop.cancel_order(cancelled.id)
        said = list(stage.waiting)
        follow(stage)
        assert points(stage) == {first: 70, second: 0}
        for each in said:
            ordering.deliver(stage, each.topic, json.loads(each.body), f"again {each.webhook_id}")
        follow(stage)
        assert points(stage) == {first: 70, second: 0}, "once for each refund"
        assert (marks(stage), ordering.found(stage, UNSETTLED_ORDER)) == ([], [])


def test_nothing_is_posted_from_an_order_that_reads_null_and_of_which_nothing_was_told(runtime: Runtime) -> None:
    with drifting(runtime, 2, scopes=list(SCOPES)) as stage:
        set_rules(stage)
        order = stage.shop.place_order(stage.shop.ids[0], 10_000, paid=False)
        follow(stage)
        stage.clock.pass_by(61 * DAY / SECOND)
        stage.shop.pay_order(order.id)
        follow(stage)
        assert (points(stage), marks(stage), ordering.found(stage, UNSETTLED_ORDER)) == ({}, [], [])


# ---- Marks ----------------------------------------------------------------------------------------------------------


def test_marks_gather_what_was_told_and_keep_their_first_moment(runtime: Runtime) -> None:
    with drifting(runtime, 1) as stage:
        first, second = Refund(1, 5, 10), Refund(2, 6, 9)
        for told in (Told((first,)), Told((second, first), 40), Told(cancelled=30)):
            stage.clock.pass_by(5)
            with runtime.database.write() as db:
                order_marks.set_marks(db, stage.shop_id, {7: told, 3: Told()}, stage.clock.now)
        by_id = {mark.order_id: mark for mark in marks(stage)}
        assert by_id[7].told == Told((second, first), 30)
        assert (by_id[7].serial, by_id[3].serial, by_id[3].told) == (3, 3, Told())
        assert by_id[7].set_at == stage.clock.now - 10 * SECOND


def test_a_shop_that_is_disconnected_has_no_order_due(runtime: Runtime) -> None:
    with drifting(runtime, 1) as stage, runtime.database.write() as db:
        order_marks.set_marks(db, stage.shop_id, {7: Told()}, stage.clock.now)
        assert order_marks.shops_due(db, stage.clock.now) == [stage.shop_id]
        assert order_marks.shops_due(db, stage.clock.now - SECOND) == []
        shops.disconnect(db, stage.shop_id, stage.clock.now)
        assert order_marks.shops_due(db, stage.clock.now) == []


def test_a_shop_whose_orders_cannot_be_read_keeps_its_marks(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        stage.shop.place_order(stage.shop.ids[0], 1_000)
        stage.hear()
        stage.drain()
        stage.shop.set_faults({"token_revoked": True})
        with pytest.raises(Exception, match="refused the access token"):
            read_orders(stage)
        assert [mark.tries for mark in marks(stage)] == [0]


# ---- Parked deliveries ----------------------------------------------------------------------------------------------


@pytest.mark.req("K15")
def test_what_is_not_understood_is_parked_and_can_be_tried_again(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        buyer = stage.shop.ids[0]
        order = stage.shop.place_order(buyer, 1_000)
        good = json.loads(stage.waiting[-1].body)
        stage.waiting.clear()
        ordering.deliver(stage, "orders/paid", good | {"admin_graphql_api_id": "gid://shopify/Customer/1"})
        ordering.deliver(stage, "orders/updated", good)
        stage.drain()
        [bad, fine] = ordering.inbox_rows(stage, ("orders/paid", "orders/updated"))
        assert (bad.state, fine.outcome) == (PARKED, "marked"), "it holds nobody back"
        assert bad.box is not None
        with runtime.database.read() as db:
            [question] = questions.waiting(db, 10)
        assert "orders/paid" in question.text
        with runtime.database.write() as db:
            assert again.try_again(db, stage.vault, bad.position, stage.clock.now) == inbox.WAITING
        stage.drain()
        assert [row.state for row in ordering.inbox_rows(stage, ("orders/paid",))] == [PARKED]
        follow(stage)
        assert (points(stage), order.customer_id) == ({buyer: 10}, buyer)


def test_a_parked_delivery_without_its_body_says_what_reads_its_order(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        ordering.deliver(stage, "orders/paid", {"id": 1})
        stage.drain()
        [row] = ordering.inbox_rows(stage, ("orders/paid",))
        runtime.keys.end_days(day_of(stage.clock.now) + 1, stage.clock.now)
        with runtime.database.write() as db, pytest.raises(BodyGone, match="onewriter sync orders"):
            again.try_again(db, stage.vault, row.position, stage.clock.now)


def test_a_delivery_that_fails_is_tried_again_and_marks_then(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        stage.shop.place_order(stage.shop.ids[0], 1_000)
        stage.hear()
        with monkeypatch.context() as patch:
            patch.setattr(order_marks, "set_marks", lambda *_: 1 // 0)
            Drain(runtime.database, runtime.vault, KEEP_DAYS).once(stage.clock.now)
        [row] = ordering.inbox_rows(stage, ("orders/paid",))
        assert (row.state, row.attempts, row.box is not None) == (inbox.WAITING, 1, True)
        stage.clock.pass_by(60)
        stage.drain()
        assert len(marks(stage)) == 1


def test_orders_are_asked_for_only_where_the_scope_is_granted(runtime: Runtime) -> None:
    with drifting(runtime, 1, scopes=["read_customers"]) as stage:
        assert not {one.topic for one in stage.shop.subscriptions.all()} & set(ORDER_TOPICS)
        with pytest.raises(ScopeMissing, match="read_orders"):
            scopes.require_orders(stage.shop_row().scopes)
        with runtime.database.write() as db:
            db.execute(update(tables.shops).values(scopes=["write_orders"]))
        scopes.require_orders(stage.shop_row().scopes)


def test_a_worker_reads_the_orders_of_every_shop_that_can_be_read(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        stage.shop.place_order(stage.shop.ids[0], 1_000)
        stage.hear()
        stage.drain()
        worker = Worker(runtime)
        with stage.runtime.database.write() as db:
            db.execute(update(tables.shops).values(state="disconnected"))
        worker._read_orders()
        assert points(stage) == {}
        with stage.runtime.database.write() as db:
            db.execute(update(tables.shops).values(state="connected"))
        rest_s = worker._read_orders()
        assert points(stage) == {stage.shop.ids[0]: 10}
        assert worker._read_orders() > rest_s, "there is nothing more to do"
