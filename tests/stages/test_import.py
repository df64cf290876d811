"""The import: every customer of the shop, once, as the shop has it; and a run that cannot do that says why."""

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from onewriter.customers import questions, runs
from onewriter.customers.runs import Run
from onewriter.db import tables
from onewriter.db.tables import field_log, inbox
from onewriter.errors import ShopifyUnreachable, Superseded
from onewriter.intake.door import inbox_binding
from onewriter.intake.importer import Importer
from onewriter.records import DAY, SECOND, RunState, SizeClass
from onewriter.runtime import Runtime, now
from onewriter.shopify import bulk
from onewriter.shopify.topics import LINE_TOPIC
from onewriter.workflows.carrying import carry_out
from tests.support.importing import adds_up, begun, importer
from tests.support.joined import joined, states_of
from tests.support.shops import Tea


def everything(runtime: Runtime) -> dict[str, Any]:
    """Every row of every table but the runs, which a second import adds to, and the workers."""
    shown = {name: table for name, table in tables.metadata.tables.items() if name not in ("runs", "workers", "shops")}
    with runtime.database.read() as db:
        return {
            name: db.execute(select(table).order_by(*table.primary_key.columns)).all() for name, table in shown.items()
        }


@pytest.mark.req("K3", "K4", "K9", "K18", "K26", "K27", "K29")
def test_every_customer_is_imported_once_and_as_the_shop_has_it(runtime: Runtime) -> None:
    with joined(runtime, 150) as shop:
        run = shop.carry_out()
        assert (run.state, run.done, run.total, run.reason) == (RunState.DONE, 150, 150, None)
        assert run.counts["created"] == run.counts["active"] == run.counts["in_shop_at_start"] == 150
        assert shop.held() == shop.truth()
        assert adds_up(run)
        assert run.size is SizeClass.SMALL
        assert run.rate(now()) > 0
        assert run.eta_s(now()) is None, "it is over"
        states = {fields["state"] for fields in shop.held().values()}
        assert states == {"disabled", "enabled", "invited", "declined"}, "the seed shows each state"


@pytest.mark.req("K4")
def test_a_second_import_changes_no_row(runtime: Runtime) -> None:
    with joined(runtime, 60) as shop:
        shop.carry_out()
        before = everything(runtime)
        again = shop.import_again()
        assert (again.state, again.done, dict(again.counts)["unchanged"]) == (RunState.DONE, 60, 60)
        assert everything(runtime) == before
        assert len(before["customers"]) == 60


@pytest.mark.req("K4", "K22")
def test_a_second_import_takes_up_what_changed_and_nothing_else(runtime: Runtime) -> None:
    with joined(runtime, 30) as shop:
        shop.carry_out()
        number = shop.shop.ids[3]
        shop.shop.update(number, first_name="Renamed", phone=None, note=None)
        shop.shop.add_tags(number, ["vip", "tea"])
        wait_for_the_next_second()
        again = shop.import_again()
        assert (again.counts["changed"], again.counts["unchanged"]) == (1, 29)
        assert shop.held() == shop.truth()


@pytest.mark.req("K3")
def test_the_account_adds_up_when_customers_come_and_go_meanwhile(runtime: Runtime) -> None:
    with joined(runtime, 40, bulk_seconds=3) as shop:
        ids = list(shop.shop.ids)
        removable = [number for number in ids if not shop.shop.customers[number].orders]
        # Before the run is taken up: neither is news to it, since it counts only when it starts.
        shop.shop.create(first_name="Early", email="early@example.com")
        shop.shop.delete(removable[0])
        wait_for_the_next_second()
        worker = threading.Thread(target=shop.carry_out)
        worker.start()
        wait_until(lambda: len(shop.bulk_operations) == 1 and shop.bulk_operations[0].object_count > 0)
        wait_for_the_next_second()
        created = shop.shop.create(first_name="Late", email="late@example.com")
        shop.shop.delete(removable[1])
        shop.shop.delete(removable[2])
        shop.hear()
        shop.drain()
        worker.join()
        run = shop.run()
        assert run.state is RunState.DONE
        assert run.counts["in_shop_at_start"] == 40
        assert (run.counts["created_meanwhile"], run.counts["deleted_meanwhile"]) == (1, 2)
        assert adds_up(run), run.counts
        assert created.id in shop.held()
        assert not {removable[1], removable[2]} & shop.held().keys()


def wait_for_the_next_second() -> None:
    """The shop's times are whole seconds, so what is to count as later must lie in a second of its own."""
    second = now() // SECOND
    wait_until(lambda: now() // SECOND > second)


def wait_until(condition: Any, most_s: float = 20.0) -> None:
    pause, until = threading.Event(), now() + most_s * SECOND
    while not condition():
        assert now() < until, "What the test waits for did not come."
        pause.wait(0.005)


@pytest.mark.req("K12")
def test_a_delivery_that_is_newer_than_the_row_is_not_overwritten_by_the_import(runtime: Runtime) -> None:
    with joined(runtime, 10, bulk_seconds=0.4) as shop:
        number = shop.shop.ids[0]
        worker = threading.Thread(target=shop.carry_out)
        worker.start()
        # The file is a picture of the moment at which it was made; what happens now is not in it.
        wait_until(lambda: len(shop.bulk_operations) == 1 and shop.bulk_operations[0].object_count == 10)
        shop.shop.update(number, first_name="Newer")
        shop.hear()
        shop.drain()
        worker.join()
        assert shop.run().state is RunState.DONE
        assert shop.profile(number).own["first_name"] == "Newer"
        shop.follow()
        assert shop.held() == shop.truth()


def test_lines_that_cannot_be_read_are_kept_sealed_and_asked_about_and_the_rest_is_imported(runtime: Runtime) -> None:
    with joined(runtime, 50, corrupt_lines=3) as shop:
        run = shop.carry_out()
        assert (run.state, run.done, run.reason) == (RunState.PARTIAL, 50, "3 lines could not be read")
        assert (run.counts["unreadable"], run.counts["created"]) == (3, 47)
        truth = shop.truth()
        assert shop.held() == {number: truth[number] for number in shop.held()}
        assert len(shop.held()) == 47
        parked = states_of(runtime)["parked"]
        assert [row["topic"] for row in parked] == [LINE_TOPIC] * 3
        with runtime.database.read() as db:
            asked = questions.waiting(db, 10)
            [box] = db.execute(select(inbox.c.box, inbox.c.day, inbox.c.webhook_id).limit(1)).all()
        assert [(each.kind, each.subject) for each in asked] == [("unreadable lines", run.id)]
        line = runtime.keys.day_key(shop.shop_id, box.day).open(
            bytes(box.box), inbox_binding(shop.shop_id, box.webhook_id)
        )
        assert b"gid://shopify/Customer/" in line


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ({"scopes": ["read_orders"]}, "lacks the scope read_customers: no customer can be imported"),
        ({"cost_query_limit": 0}, "would cost more than Shopify allows one query"),
    ],
)
def test_a_run_that_cannot_be_done_fails_with_its_reason(runtime: Runtime, faults: dict[str, Any], says: str) -> None:
    with joined(runtime, 30) as shop:
        shop.shop.set_faults(faults)
        run = shop.carry_out()
        assert run.state is RunState.FAILED
        assert run.finished_at is not None
        assert says in (run.reason or "")
        assert "active" not in run.counts, "a run that failed claims no account, least of all 0 customers"
        assert shop.import_again().state is RunState.FAILED, "the next one is not locked out"


@pytest.mark.req("K3")
def test_after_a_failed_run_the_next_one_imports_everybody(runtime: Runtime) -> None:
    with joined(runtime, 30) as shop:
        granted = list(shop.shop.faults.scopes)
        shop.shop.set_faults({"scopes": []})
        assert shop.carry_out().state is RunState.FAILED
        shop.shop.set_faults({"scopes": granted})
        run = shop.import_again()
        assert (run.state, run.done) == (RunState.DONE, 30)
        assert shop.held() == shop.truth()
        assert adds_up(run)


def test_a_download_that_breaks_off_goes_on_where_it_was(runtime: Runtime) -> None:
    with joined(runtime, 60, drop_connection_after_bytes=20_000) as shop:
        run = shop.carry_out()
        assert (run.state, run.done, run.counts["created"]) == (RunState.DONE, 60, 60)
        assert shop.bulk_operations[0].file.size > 40_000, "it broke off at least twice"
        assert shop.held() == shop.truth()


@pytest.mark.req("K8")
def test_a_bulk_read_that_a_dead_worker_asked_for_is_adopted(runtime: Runtime) -> None:
    with joined(runtime, 20, bulk_seconds=0.4) as shop:
        with runtime.database.write() as db:
            run = runs.begin(db, shop.run_id, now())
            runs.move(db, run, now(), checkpoint={runs.FEED: {"asked": now()}})
        # Here the worker died: Shopify has taken the operation on, and nobody has its id.
        bulk.start_customers(runtime.client(shop.shop_id))
        run = shop.carry_out()
        assert (run.state, run.done, run.attempt) == (RunState.DONE, 20, 2)
        assert len(shop.bulk_operations) == 1


@pytest.mark.req("K8")
def test_a_run_goes_on_from_its_checkpoint_and_not_from_the_start(runtime: Runtime) -> None:
    with joined(runtime, 400) as shop:

        def killed_once_rows_flow() -> int:
            if shop.run().done:
                raise KeyboardInterrupt
            return now()

        with pytest.raises(KeyboardInterrupt):
            importer(shop, killed_once_rows_flow).run(begun(shop))
        half = shop.run()
        assert (half.state, 0 < half.done < 400) == (RunState.RUNNING, True)
        run = shop.carry_out()
        assert (run.state, run.done, run.counts["created"], run.attempt) == (RunState.DONE, 400, 400, 2)
        assert "unchanged" not in run.counts, "nothing was read twice"
        assert len(shop.bulk_operations) == 1
        with runtime.database.read() as db:
            assert db.execute(select(func.count()).select_from(field_log)).scalar_one() == 400
        assert shop.held() == shop.truth()


def test_of_two_workers_at_one_run_the_older_stops_without_a_trace(runtime: Runtime) -> None:
    with joined(runtime, 300) as shop:
        done: list[Run] = []
        before: dict[str, Any] = {}

        def overtaken_once_rows_flow() -> int:
            # The first look after a commit is outside of any transaction, so SQLite's one writer is free.
            if not done and shop.run().done:
                done.append(shop.carry_out())
                before.update(everything(runtime))
            return now()

        with pytest.raises(Superseded):
            importer(shop, overtaken_once_rows_flow).run(begun(shop))
        assert [(run.state, run.done, run.attempt) for run in done] == [(RunState.DONE, 300, 2)]
        assert shop.run() == done[0]
        assert everything(runtime) == before


def test_an_older_worker_that_fails_does_not_end_the_run_of_the_newer_one(runtime: Runtime) -> None:
    with joined(runtime, 5, stall=True) as shop:
        older = threading.Thread(target=shop.carry_out)
        older.start()
        wait_until(lambda: shop.bulk_operations and "operation" in shop.run().checkpoint.get(runs.FEED, {}))
        with runtime.database.write() as db:
            newer = runs.begin(db, shop.run_id, now())
        shop.sandbox._app.state.gateway.operations.cancel(shop.bulk_operations[0].id)
        older.join()
        run = shop.run()
        assert (run.state, run.attempt, run.reason) == (RunState.RUNNING, newer.attempt, None)


def test_an_error_that_nobody_expected_ends_the_run_without_telling_a_value(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("canary")

    with joined(runtime, 3) as shop:
        monkeypatch.setattr(Importer, "run", fail)
        run = shop.carry_out()
    assert run.state is RunState.FAILED
    assert "ZeroDivisionError" in (run.reason or "")
    assert "canary" not in (run.reason or "")


@pytest.mark.req("K3")
def test_an_empty_shop_is_imported_as_empty(runtime: Runtime) -> None:
    with joined(runtime, 0) as shop:
        run = shop.carry_out()
        assert (run.state, run.done, run.total, run.counts["active"]) == (RunState.DONE, 0, 0, 0)
        assert adds_up(run)


@pytest.mark.req("K9")
@pytest.mark.parametrize(
    ("customers", "size"),
    [(999, "small"), (1_000, "medium"), (10_000, "medium"), (10_001, "large")],
)
def test_the_run_tells_the_size_of_the_shop_its_rate_and_when_it_will_be_done(
    tea: Tea, now: int, customers: int, size: str
) -> None:
    with tea.runtime.database.write() as db:
        runs.add(db, "run-1", tea.shop_id, runs.IMPORT, "test", now)
        run = runs.begin(db, "run-1", now)
        assert (run.size, run.eta_s(now)) == (None, None)
        runs.move(db, run, now, total=customers, checkpoint={"rows_began": now, "rows_before": 0})
        runs.move(db, run, now + 4 * SECOND, done=400)
        run = runs.get(db, "run-1")
    assert run.size is not None
    assert (run.size.value, run.rate(now), run.eta_s(now)) == (size, 100.0, (customers - 400) / 100)


def test_a_run_that_goes_on_after_a_night_tells_the_rate_of_today(tea: Tea, now: int) -> None:
    with tea.runtime.database.write() as db:
        runs.add(db, "run-1", tea.shop_id, runs.IMPORT, "test", now)
        run = runs.begin(db, "run-1", now)
        runs.move(
            db, run, now + DAY, total=2_000, done=1_500, checkpoint={"rows_began": now + DAY, "rows_before": 1_000}
        )
        runs.move(db, run, now + DAY + 10 * SECOND)
        assert runs.get(db, "run-1").rate(now) == 50.0


@pytest.mark.req("K6", "K7")
@pytest.mark.parametrize(("customers", "size"), [(1_000, "medium"), (10_000, "medium")])
def test_ten_thousand_customers_are_imported_within_the_time_that_a_test_may_take(
    runtime: Runtime, customers: int, size: str
) -> None:
    """Merchants are told minutes for 1,000 and hours for 10,000; every test here is ended after two minutes."""
    with joined(runtime, customers) as shop:
        run = shop.carry_out()
        assert (run.state, run.done) == (RunState.DONE, customers)
        assert run.size is not None
        assert run.size.value == size
        assert adds_up(run)


def test_an_older_worker_that_must_wait_does_not_take_the_run_back(runtime: Runtime) -> None:
    with joined(runtime, 5) as shop:
        newer: list[Run] = []

        def unreachable(*_: Any, **__: Any) -> Any:
            with runtime.database.write() as db:
                newer.append(runs.begin(db, shop.run_id, now()))
            raise ShopifyUnreachable("Shopify cannot be reached.")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Importer, "run", unreachable)
            carry_out(runtime, shop.run_id, sleep=lambda _s: None)
        assert len(newer) == 1
        assert shop.run() == newer[0]
