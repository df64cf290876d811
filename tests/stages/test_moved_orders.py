"""Orders that Shopify has moved to another customer: a merge that was not heard of yet, or never will be."""

import pytest

from onewriter.customers import order_marks
from onewriter.customers.order_marks import Told
from onewriter.loyalty.merges import AT_TWO
from onewriter.rules.ordering import TRIES_MAX
from onewriter.runtime import Runtime
from onewriter.sandbox.customer import gid as sandbox_gid
from tests.support.drifting import Drifting, drifting
from tests.support.ordering import deliver, follow, found, marks, points, read_orders, set_rules


def gid(number: int) -> str:
    return sandbox_gid("Customer", number)


def merge(stage: Drifting) -> tuple[int, int, int]:
    """Two customers with an order of 70 points each, merged: who is gone, who is kept, and the order that moved."""
    bought = {number: stage.shop.place_order(number, 7_000).id for number in stage.shop.ids[:2]}
    follow(stage)
    with stage.losing():
        kept = stage.shop.merge(*bought).kept
    (gone,) = bought.keys() - {kept}
    with stage.runtime.database.write() as db:
        order_marks.set_marks(db, stage.shop_id, {bought[gone]: Told()}, stage.clock.now)
    return gone, kept, bought[gone]


@pytest.mark.req("K43", "K46")
def test_an_order_that_a_merge_has_moved_earns_nothing_twice_before_the_merge_is_heard_of(runtime: Runtime) -> None:
    with drifting(runtime, 3) as stage:
        set_rules(stage)
        gone, kept, order = merge(stage)
        read_orders(stage)
        assert points(stage) == {gone: 70, kept: 70}
        assert [mark.order_id for mark in marks(stage)] == [order]
        told = {"admin_graphql_api_customer_kept_id": gid(kept), "admin_graphql_api_customer_deleted_id": gid(gone)}
        deliver(stage, "customers/merge", told | {"status": "completed", "errors": []})
        stage.clock.pass_by(900)
        follow(stage)
        assert points(stage) == {kept: 140}
        assert (marks(stage), found(stage, AT_TWO)) == ([], [])


def test_an_order_that_belongs_to_another_customer_for_good_is_posted_in_the_end_and_reported(
    runtime: Runtime,
) -> None:
    with drifting(runtime, 3) as stage:
        set_rules(stage)
        gone, kept, order = merge(stage)
        for _ in range(TRIES_MAX):
            assert points(stage) == {gone: 70, kept: 70}
            read_orders(stage)
            stage.clock.pass_by(900)
        assert points(stage) == {gone: 70, kept: 140}
        assert [each["evidence"]["order"] for each in found(stage, AT_TWO)] == [order]
        assert marks(stage) == []
