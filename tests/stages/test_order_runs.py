"""The order reconcile: what no delivery told is read by `updated_at`, posted once, reported, and never posted twice."""

import pytest

from onewriter.customers import findings, runs
from onewriter.customers.findings import Finding
from onewriter.errors import ScopeMissing
from onewriter.intake import order_runs
from onewriter.intake.order_runs import LOST_ORDER, OVERLAP, SEEN
from onewriter.intake.orders import UNSETTLED_ORDER
from onewriter.records import DAY, SECOND, RunState
from onewriter.runtime import Runtime
from onewriter.sandbox.faults import SCOPES
from onewriter.shopify.orders import read_order_page
from onewriter.workflows import schedules
from onewriter.workflows.orders import NoOrderRule
from tests.support import ordering
from tests.support.drifting import LATER_S, Drifting, drifting
from tests.support.ordering import follow, marks, newest_runs, points, queue, reconcile, set_rules


def lost(stage: Drifting) -> list[tuple[int, bool]]:
    """The orders that were found to be lost, and whether each is healed."""
    return [(each["evidence"]["order"], each["healed_at"] is not None) for each in ordering.found(stage, LOST_ORDER)]


@pytest.mark.req("K16")
def test_what_was_never_delivered_is_healed_and_reported_once(runtime: Runtime) -> None:
    with drifting(runtime, 3) as stage:
        set_rules(stage)
        first, second = stage.shop.ids[:2]
        heard = stage.shop.place_order(first, 10_000)
        follow(stage)
        with stage.losing():
            stage.shop.refund_order(heard.id, 3_000)
            made = stage.shop.place_order(second, 2_000)
        assert points(stage) == {first: 100}
        run = reconcile(stage)
        assert (run.state, run.done, run.reason) == (RunState.DONE, 2, None)
        assert run.counts == {"posted": 2, "lost": 2}
        assert points(stage) == {first: 70, second: 20}
        assert sorted(lost(stage)) == [(heard.id, True), (made.id, True)]
        again = reconcile(stage)
        assert (again.counts, len(lost(stage))) == ({}, 2)
        assert [each["customer_id"] for each in ordering.found(stage, LOST_ORDER)] != [None, None]


def test_what_the_normal_path_is_still_at_is_no_loss(runtime: Runtime) -> None:
    with drifting(runtime, 4) as stage:
        set_rules(stage)
        waiting, marked, young, refunded = stage.shop.ids
        old = stage.shop.place_order(refunded, 1_000)
        follow(stage)
        stage.shop.place_order(marked, 1_000)
        stage.hear()
        stage.drain()
        stage.shop.place_order(waiting, 1_000)
        stage.hear()
        stage.clock.pass_by(LATER_S)
        stage.shop.faults.lose = 1.0
        stage.shop.place_order(young, 1_000)
        stage.clock.pass_by(10)
        run = reconcile(stage)
        assert run.counts == {"posted": 3}
        assert lost(stage) == []
        stage.shop.faults.lose = 0.0
        follow(stage)
        stage.shop.refund_order(old.id, 500)
        stage.hear()
        stage.clock.pass_by(LATER_S)
        assert reconcile(stage).counts == {"posted": 1}
        assert lost(stage) == [], "a refund that waits does not say whose it is"
        assert points(stage) == dict.fromkeys((waiting, marked, young), 10) | {refunded: 5}


def test_an_order_of_an_unknown_customer_is_left_to_the_reads(runtime: Runtime) -> None:
    with drifting(runtime, 1) as stage:
        set_rules(stage)
        stage.clock.pass_by(60)
        with stage.losing():
            made = stage.shop.create(first_name="New")
            stage.shop.place_order(made.id, 4_000)
        run = reconcile(stage)
        assert (run.counts, points(stage), len(marks(stage))) == ({"waiting": 1}, {}, 1)
        follow(stage)
        assert (points(stage), marks(stage)) == ({made.id: 40}, [])
        assert ordering.found(stage, UNSETTLED_ORDER) == []


def test_it_goes_on_from_the_newest_change_that_it_read(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        since = -(-(stage.clock.now - SECOND) // SECOND) * SECOND
        stage.clock.pass_by(DAY / SECOND)
        first = stage.shop.place_order(stage.shop.ids[0], 1_000)
        run = reconcile(stage)
        assert run.checkpoint["since"] == since
        assert ordering.orders_to(stage) == first.updated_at * SECOND
        assert "feed" not in run.checkpoint, "a cursor may hold an id"
        stage.clock.pass_by(2 * LATER_S)
        run = reconcile(stage)
        assert (run.checkpoint["since"], run.done) == (first.updated_at * SECOND - OVERLAP, 1)
        assert ordering.orders_to(stage) == first.updated_at * SECOND, "nothing moves it back"


@pytest.mark.parametrize("all_orders", [True, False])
def test_it_looks_back_as_far_as_the_token_may_see(runtime: Runtime, all_orders: bool) -> None:
    granted = [*SCOPES, "read_all_orders"] if all_orders else list(SCOPES)
    with drifting(runtime, 2, scopes=granted) as stage:
        set_rules(stage)
        since = -(-(stage.clock.now - SECOND) // SECOND) * SECOND
        with stage.losing():
            stage.shop.place_order(stage.shop.ids[0], 1_000)
        stage.clock.pass_by(100 * DAY / SECOND)
        run = reconcile(stage)
        assert run.checkpoint["since"] == (since if all_orders else stage.clock.now - SEEN)
        assert points(stage) == ({stage.shop.ids[0]: 10} if all_orders else {})


def test_what_happened_before_there_was_a_rule_earns_nothing(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        stage.shop.place_order(stage.shop.ids[0], 1_000)
        follow(stage)
        set_rules(stage)
        assert (reconcile(stage).counts, points(stage)) == ({}, {})


@pytest.mark.req("K16")
def test_a_run_that_was_interrupted_goes_on_behind_its_last_page(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with drifting(runtime, 3) as stage:
        set_rules(stage)
        monkeypatch.setattr(order_runs, "PAGE", 2)
        with stage.losing():
            for _ in range(7):
                stage.shop.place_order(stage.shop.ids[0], 1_000)
        run_id = queue(stage)
        pages = 0
        read = read_order_page

        def counted(*args: object, **given: object) -> object:
            nonlocal pages
            pages += 1
            if pages == 3:
                stage.begin(run_id)  # another worker has taken it over
            return read(*args, **given)  # type: ignore[arg-type]

        monkeypatch.setattr(order_runs, "read_order_page", counted)
        stage.carry_out(run_id)
        halfway = stage.run(run_id)
        assert (halfway.state, halfway.done, halfway.counts) == (RunState.RUNNING, 4, {"posted": 4, "lost": 4})
        run = stage.carry_out(run_id)
        assert (run.state, run.done, run.counts) == (RunState.DONE, 7, {"posted": 7, "lost": 7})
        assert pages == 5
        assert (points(stage), len(lost(stage))) == ({stage.shop.ids[0]: 70}, 7)


def test_a_cursor_that_has_ended_begins_its_second_anew(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        monkeypatch.setattr(order_runs, "PAGE", 2)
        with stage.losing():
            for _ in range(5):
                stage.shop.place_order(stage.shop.ids[0], 1_000)
                stage.clock.pass_by(1)
        run_id = queue(stage)
        read = read_order_page
        ended: list[str] = []

        def forgetful(*args: object, after: str | None = None, **given: object) -> object:
            if after is not None and not ended:
                ended.append(after)
                after = "nonsense"
            return read(*args, after=after, **given)  # type: ignore[arg-type]

        monkeypatch.setattr(order_runs, "read_order_page", forgetful)
        run = stage.carry_out(run_id)
        assert (run.state, run.counts, len(ended)) == (RunState.DONE, {"posted": 5, "lost": 5}, 1)
        assert points(stage) == {stage.shop.ids[0]: 50}


# ---- When it is queued ----------------------------------------------------------------------------------------------


def test_it_is_queued_every_hour_where_orders_can_earn(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        assert schedules.attend(runtime, stage.shop_id)
        assert newest_runs(stage) == []
        set_rules(stage)
        assert schedules.attend(runtime, stage.shop_id)
        assert schedules.attend(runtime, stage.shop_id)
        [run] = newest_runs(stage)
        assert (run.state, run.requested_by) == (RunState.QUEUED, "schedule")
        assert stage.carry_out(run.id).state is RunState.DONE
        stage.shop.set_faults({"scopes": ["read_customers"]})
        assert schedules.attend(runtime, stage.shop_id)
        assert len(newest_runs(stage)) == 1


def test_where_it_can_come_to_nothing_it_says_why(runtime: Runtime) -> None:
    with drifting(runtime, 1) as stage:
        with pytest.raises(NoOrderRule, match="no order to read"):
            queue(stage)
        set_rules(stage)
        run_id = queue(stage)
        stage.shop.set_faults({"scopes": ["read_customers"]})
        run = stage.carry_out(run_id)
        assert run.state is RunState.FAILED
        assert "read_orders" in (run.reason or "")
        schedules.attend(runtime, stage.shop_id)
        with pytest.raises(ScopeMissing, match="read_orders"):
            queue(stage)


def test_runs_that_came_to_nothing_are_dropped_in_time(runtime: Runtime) -> None:
    with drifting(runtime, 1) as stage:
        set_rules(stage)
        with stage.losing():
            stage.shop.place_order(stage.shop.ids[0], 1_000)
        eventful = reconcile(stage)
        reconcile(stage)
        stage.clock.pass_by(DAY / SECOND)
        with runtime.database.write() as db:
            assert runs.drop_uneventful(db, "test", stage.clock.now) == 1
        assert [run.id for run in newest_runs(stage)] == [eventful.id]


def test_an_order_that_reading_did_not_settle_is_asked_for_again(runtime: Runtime) -> None:
    with drifting(runtime, 2) as stage:
        set_rules(stage)
        buyer = stage.shop.ids[0]
        with stage.losing():
            order = stage.shop.place_order(buyer, 1_000)
        reconcile(stage)
        stage.clock.pass_by(40 * DAY / SECOND)
        with runtime.database.write() as db:
            unsettled = Finding(UNSETTLED_ORDER, "its customer could not be read", evidence={"order": order.id})
            findings.add(db, stage.shop_id, unsettled, stage.clock.now)
        reconcile(stage)
        assert [mark.order_id for mark in marks(stage)] == [order.id]
        follow(stage)
        with runtime.database.read() as db:
            assert findings.open_of(db, stage.shop_id, UNSETTLED_ORDER) == {}
        assert points(stage) == {buyer: 10}
