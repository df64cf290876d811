"""The recent reconcile: who was changed lately by Shopify's clock is read by pages and compared."""

import pytest

from onewriter.audit.reconcile import OVERLAP
from onewriter.customers.runs import RECENT
from onewriter.records import DAY, SECOND, RunState
from onewriter.runtime import Runtime
from tests.support.drifting import LATER_S, NEVER, drifting, lose_delete, lose_update


@pytest.mark.req("K16")
def test_what_was_lost_lately_is_healed_and_nothing_else_is_read(runtime: Runtime) -> None:
    with drifting(runtime, 30) as stage:
        with stage.losing():
            number, kind, field = lose_update(stage)
            made = stage.shop.create(first_name="New")
        run = stage.reconcile(RECENT)
        assert stage.found(run) == sorted(
            [(number, kind, field, NEVER, True), (made.id, "missing here", None, NEVER, True)], key=str
        )
        assert (run.state, run.counts["read"], run.done, run.total) == (RunState.DONE, 2, 2, 2)
        assert stage.held() == stage.truth()


@pytest.mark.req("K16")
def test_a_page_that_ends_within_a_second_loses_nobody(runtime: Runtime) -> None:
    with drifting(runtime, 620) as stage:
        with stage.losing():
            for number in stage.shop.ids:
                stage.shop.update(number, note="all in one second")
        assert len({record.updated_at for record in stage.shop.snapshot()}) == 1
        run = stage.reconcile(RECENT)
        assert (run.counts["read"], run.counts["healed"], run.counts[NEVER]) == (620, 620, 620)
        assert stage.held() == stage.truth()


def test_it_goes_on_from_the_newest_change_that_it_read_with_an_overlap(runtime: Runtime) -> None:
    with drifting(runtime, 10) as stage:
        assert stage.shop_row().recent_to is None
        first, second = stage.shop.ids[:2]
        stage.clock.pass_by(DAY / SECOND)
        stage.shop.update(first, note="one")
        stage.follow()
        stage.reconcile(RECENT)
        newest = stage.shop.customers[first].updated_at * SECOND
        assert stage.shop_row().recent_to == newest
        stage.clock.pass_by(2 * LATER_S)
        assert stage.reconcile(RECENT).counts["read"] == 1, "the overlap is counted from the newest change, inclusive"
        stage.shop.update(second, note="two")
        stage.follow()
        run = stage.reconcile(RECENT)
        assert run.counts["read"] == 2
        assert run.checkpoint["since"] == newest - OVERLAP
        assert stage.shop_row().recent_to == stage.shop.customers[second].updated_at * SECOND


def test_the_first_looks_back_to_the_connection_and_no_further_than_a_day(runtime: Runtime) -> None:
    with drifting(runtime, 5) as stage:
        run = stage.reconcile(RECENT)
        assert run.checkpoint["since"] == stage.shop_row().connected_at - OVERLAP
        stage.clock.pass_by(3 * DAY / SECOND)
        asked = stage.clock.now
        assert stage.reconcile(RECENT).checkpoint["since"] == asked - DAY - OVERLAP


def test_nothing_moves_it_back(runtime: Runtime) -> None:
    with drifting(runtime, 5) as stage:
        made = stage.shop.create(first_name="Newest")
        stage.follow()
        stage.reconcile(RECENT)
        was = stage.shop_row().recent_to
        assert was == stage.shop.customers[made.id].updated_at * SECOND
        stage.shop.delete(made.id)
        stage.follow()
        stage.reconcile(RECENT, dry=True)
        assert stage.shop_row().recent_to == was
        stage.reconcile(RECENT)
        assert stage.shop_row().recent_to == was


def test_a_list_of_who_changed_says_nothing_of_who_is_gone(runtime: Runtime) -> None:
    with drifting(runtime, 12) as stage:
        with stage.losing():
            number, _kind, _field = lose_delete(stage)
        run = stage.reconcile(RECENT)
        assert (run.state, stage.found(run)) == (RunState.DONE, [])
        assert number in stage.held()


def test_a_run_that_was_interrupted_goes_on_behind_its_last_page(runtime: Runtime) -> None:
    with drifting(runtime, 620) as stage:
        with stage.losing():
            for number in stage.shop.ids:
                stage.shop.update(number, note="lost")
        run_id = stage.queue(RECENT)
        stage.wire.after_read = lambda: stage.begin(run_id)
        stage.carry_out(run_id)
        assert stage.run(run_id).state is RunState.RUNNING, "another worker has it, and was killed"
        assert stage.run(run_id).counts.get("healed", 0) < 620
        run = stage.carry_out(run_id)
        assert (run.state, run.counts["healed"], run.counts["read"]) == (RunState.DONE, 620, 620)
        assert stage.held() == stage.truth()
