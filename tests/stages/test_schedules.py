"""What is done by the clock: every shop each hour and each night, though one cannot be asked and clocks are moved."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from onewriter.customers import runs, shops, workers
from onewriter.customers.shops import Shop
from onewriter.db import tables
from onewriter.records import DAY, HOUR, SECOND, Instant, RunState
from onewriter.runtime import Runtime, now
from onewriter.sandbox import RunningSandbox
from onewriter.workflows import schedules
from tests.support.joined import Joined, connect, joined
from tests.support.processes import started, wait_until
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea

COFFEE = "coffee.myshopify.com"


def row(shop: Joined) -> Shop:
    with shop.runtime.database.read() as db:
        return shops.by_id(db, shop.shop_id)


def queued(runtime: Runtime, shop_id: int) -> list[str]:
    """The kinds of runs that the clock queued in a shop, oldest first."""
    with runtime.database.read() as db:
        made = [run for run in runs.newest(db, 100) if run.shop_id == shop_id and run.requested_by == "schedule"]
    return [run.kind for run in reversed(made)]


def end_runs(runtime: Runtime) -> None:
    """End every run that is under way, well."""
    with runtime.database.write() as db:
        for run in runs.newest(db, 100):
            if not run.over:
                runs.finish(db, runs.begin(db, run.id, now()), RunState.DONE, None, now())


def change(shop: Joined, **values: Instant | None) -> None:
    with shop.runtime.database.write() as db:
        shops.change(db, shop.shop_id, values)


def at(hour: int, minute: int) -> datetime:
    """That time of this day; a strike that is still to come is not past."""
    return datetime.fromtimestamp(now() / SECOND, UTC).replace(hour=hour, minute=minute, second=0) + DAY_AHEAD


DAY_AHEAD = datetime.fromtimestamp(86_400, UTC) - datetime.fromtimestamp(0, UTC)


@pytest.fixture
def silent(runtime: Runtime, tea: Tea) -> Tea:
    """A connected shop at whose address nobody answers."""
    with runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"admin_url": "http://127.0.0.1:9"})
    return tea


def without_waiting(runtime: Runtime) -> None:
    """Let no client of the runtime rest between its tries."""
    runtime.client_options = {"sleep": lambda _seconds: None}


@pytest.mark.req("K14")
def test_every_hour_each_connected_shop_is_watched_and_its_recent_changes_are_compared(
    runtime: Runtime, silent: Tea
) -> None:
    without_waiting(runtime)
    with joined(runtime, 1) as shop, RunningSandbox(1, 2, domain=COFFEE) as other:
        coffee = connect(runtime, other).shop_id
        shop.shop.subscriptions.clear()
        other.shop.subscriptions.clear()
        schedules.hourly(runtime)
        assert len(shop.shop.subscriptions.all()) == len(other.shop.subscriptions.all()) > 3
        assert row(shop).checked_at is not None
        assert queued(runtime, shop.shop_id) == queued(runtime, coffee) == [runs.RECENT]
        assert queued(runtime, silent.shop_id) == [], "it cannot be asked, and keeps nobody else waiting"
        schedules.hourly(runtime)
        assert queued(runtime, shop.shop_id) == [runs.RECENT], "one at a time"


@pytest.mark.req("K16")
def test_every_night_each_connected_shop_is_compared_in_full(runtime: Runtime, silent: Tea) -> None:
    with joined(runtime, 1) as shop, RunningSandbox(1, 2, domain=COFFEE) as other:
        coffee = connect(runtime, other).shop_id
        with runtime.database.write() as db:
            runs.add(db, "under way", shop.shop_id, runs.RECONCILE, "somebody", now())
            shops.disconnect(db, coffee, now())
        schedules.nightly(runtime)
        assert queued(runtime, shop.shop_id) == [], "one is under way"
        assert queued(runtime, coffee) == [], "it has left"
        assert queued(runtime, silent.shop_id) == [runs.RECONCILE]
        end_runs(runtime)
        schedules.nightly(runtime)
        assert queued(runtime, shop.shop_id) == [runs.RECONCILE]


def test_a_queued_run_is_in_the_hands_of_the_workers(runtime: Runtime, silent: Tea) -> None:
    schedules.nightly(runtime)
    with runtime.database.read() as db:
        [run] = runs.newest(db, 10)
    assert [job.workflow_id for job in runtime.jobs.list_workflows(name="run")] == [run.id]


def test_each_strike_is_for_one_part_of_the_shops_so_that_they_do_not_start_together(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        ours = shop.shop_id % schedules.SLOTS * schedules.STRIKE_MINUTES
        for minute in range(0, 60, schedules.STRIKE_MINUTES):
            if minute != ours:
                schedules.strike(runtime, at(12, minute))
        assert (row(shop).checked_at, queued(runtime, shop.shop_id)) == (None, [])
        schedules.strike(runtime, at(12, ours))
        assert row(shop).checked_at is not None
        assert queued(runtime, shop.shop_id) == [runs.RECENT]
        schedules.strike(runtime, at(runtime.settings.number("nightly_hour"), ours))
        assert queued(runtime, shop.shop_id) == [runs.RECENT, runs.RECONCILE]


def test_a_clock_that_was_put_forward_does_not_catch_up_on_every_hour_it_passed(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        ours = shop.shop_id % schedules.SLOTS * schedules.STRIKE_MINUTES
        passed = datetime.fromtimestamp(now() / SECOND, UTC).replace(minute=ours) - DAY_AHEAD
        schedules.strike(runtime, passed)
        assert (row(shop).checked_at, queued(runtime, shop.shop_id)) == (None, [])


def test_a_run_that_paused_goes_on_when_the_shop_answers_again(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        with runtime.database.write() as db:
            runs.pause(db, runs.begin(db, shop.run_id, now()), "The token was refused.", now())
        shop.shop.set_faults({"scopes": []})
        schedules.hourly(runtime)
        assert shop.run().state is RunState.PAUSED, "without the scope it would only fail"
        assert queued(runtime, shop.shop_id) == []
        shop.shop.set_faults({"scopes": ["read_customers"]})
        schedules.hourly(runtime)
        assert shop.run().state is RunState.QUEUED


# ---- What no strike has brought about -------------------------------------------------------------------------------


@pytest.mark.req("K14")
def test_scopes_that_change_are_looked_at_at_once(runtime: Runtime) -> None:
    with joined(runtime, 1, scopes=["read_customers"]) as shop:
        assert [each.id for each in schedules.unwatched(runtime)] == [shop.shop_id], "a new shop is looked at at once"
        assert schedules.catch_up(runtime, row(shop))
        assert schedules.unwatched(runtime) == []
        assert queued(runtime, shop.shop_id) == [], "its import has only begun"
        shop.shop.set_faults({"scopes": ["read_customers", "read_customer_merge"]})
        shop.hear()
        shop.drain()
        [asks] = schedules.unwatched(runtime)
        assert schedules.catch_up(runtime, asks)
        assert schedules.unwatched(runtime) == []
        assert "read_customer_merge" in row(shop).scopes
        assert len(shop.shop.subscriptions.of("customers/merge")) == 1


def test_a_shop_that_cannot_be_asked_stays_unwatched(runtime: Runtime, silent: Tea) -> None:
    without_waiting(runtime)
    [asks] = schedules.unwatched(runtime)
    assert not schedules.catch_up(runtime, asks)
    assert [each.id for each in schedules.unwatched(runtime)] == [silent.shop_id]


@pytest.mark.parametrize(
    ("looked", "waits"),
    [
        (lambda moment: moment, False),
        (lambda moment: moment - HOUR, False),
        (lambda moment: moment - 3 * HOUR, True),
        (lambda moment: moment + 5 * SECOND, False),
        (lambda moment: moment + DAY, True),
    ],
    ids=["now", "an hour ago", "no strike for three hours", "a moment ahead", "the clock was put back"],
)
def test_what_no_strike_brought_about_is_made_up_for(
    runtime: Runtime, looked: Callable[[Instant], Instant], waits: bool
) -> None:
    with joined(runtime, 1) as shop:
        change(shop, checked_at=looked(now()))
        assert bool(schedules.unwatched(runtime)) is waits
        for each in schedules.unwatched(runtime):
            assert schedules.catch_up(runtime, each)
            assert queued(runtime, shop.shop_id) == [runs.RECENT]
        assert schedules.unwatched(runtime) == []


@pytest.mark.req("K16")
@pytest.mark.parametrize("ahead", [False, True], ids=["nobody ran at night", "the clock was put back"])
def test_a_full_reconcile_that_no_night_brought_is_queued_by_the_hour_but_not_each_hour(
    runtime: Runtime, ahead: bool
) -> None:
    with joined(runtime, 1) as shop:
        schedules.hourly(runtime)
        assert queued(runtime, shop.shop_id) == [runs.RECENT], "it was connected just now"
        change(shop, full_at=now() + 2 * DAY if ahead else now() - 2 * DAY)
        for _ in range(3):
            end_runs(runtime)
            schedules.hourly(runtime)
        assert queued(runtime, shop.shop_id).count(runs.RECONCILE) == 1
        with runtime.database.read() as db:
            assert runs.last_requested(db, shop.shop_id, runs.RECONCILE) is not None
            assert runs.last_requested(db, 99, runs.RECONCILE) is None


def test_two_workers_that_watch_one_shop_at_once_report_once(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop, Runtime(runtime.settings) as other:
        schedules.hourly(runtime)
        end_runs(runtime)
        shop.shop.subscriptions.clear()
        together(lambda: schedules.look(runtime, shop.shop_id), lambda: schedules.look(other, shop.shop_id))
        topics = [each.topic for each in shop.shop.subscriptions.all()]
        assert len(topics) == len(set(topics)) > 3
        with runtime.database.read() as db:
            made = [run for run in runs.newest(db, 100) if run.requested_by == "webhook watch"]
        assert len(made) == 1


@pytest.mark.req("K14")
@pytest.mark.time_limit(100)
def test_a_worker_strikes_and_looks_at_once_at_what_asks_for_it(runtime: Runtime, tmp_path: Path) -> None:
    with joined(runtime, 1) as shop, started(runtime, "worker", log=tmp_path / "log") as worker:
        wait_until(lambda: row(shop).checked_at is not None)
        struck = {each["schedule_name"]: each["schedule"] for each in runtime.jobs.list_schedules()}
        assert struck == {"housekeeping": "17 * * * *", "shops": "*/5 * * * *"}
        shop.shop.subscriptions.clear()
        change(shop, checked_at=None)
        wait_until(lambda: row(shop).checked_at is not None)
        assert len(shop.shop.subscriptions.of("customers/update")) == 1
        assert worker.stop() == 0


@ON_SQLITE
@pytest.mark.req("K8")
def test_a_silent_worker_is_known_by_its_silence_and_not_by_comparing_clocks(runtime: Runtime, tmp_path: Path) -> None:
    with started(runtime, "worker", log=tmp_path / "log", worker_beat_s="1", worker_dead_s="5") as worker:
        ours = worker.told["worker"]
        with runtime.database.write() as db:
            for name, beat_at in (("long ago", 1), ("a day ahead", now() + DAY)):
                values = {"id": name, "host": "elsewhere.example", "pid": 1, "started_at": 1, "beat_at": beat_at}
                db.execute(insert(tables.workers).values(**values))
            workers.leave(db, ours)
        wait_until(lambda: listed(runtime) == {"long ago", "a day ahead", ours})
        wait_until(lambda: listed(runtime) == {ours})
        assert worker.stop() == 0
    assert listed(runtime) == set()


def listed(runtime: Runtime) -> set[str]:
    with runtime.database.read() as db:
        return {each.id for each in workers.every(db)}


def together(*turns: Callable[[], object]) -> None:
    threads = [threading.Thread(target=turn) for turn in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
