"""`onewriter runs` and `sync import`: how far a run is, how it ended, and whether the customers add up."""

import json
import threading
import time
from collections.abc import Callable

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, PARTLY
from onewriter.customers import runs, workers
from onewriter.desk.spans import span
from onewriter.records import SECOND, RunState, SizeClass
from onewriter.runtime import Runtime, now
from onewriter.sandbox import RunningSandbox
from tests.faces.conftest import Onewriter, carry_out, deliver


def half_way(run_id: str, total: int, *, state: RunState | None = None, live: bool = False) -> None:
    """Put a run where 100 of its customers took ten seconds; with `state`, end it there."""
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        run = runs.begin(db, run_id, now())
        moment = now()
        checkpoint = {"rows_began": moment - 10 * SECOND, "rows_before": 0}
        runs.move(db, run, moment, done=100, total=total, checkpoint=checkpoint)
        if state is not None:
            runs.finish(db, run, state, "Because.", moment)
        if live:
            workers.enter(db, "worker", moment)


@pytest.mark.req("K9")
@pytest.mark.parametrize(
    ("customers", "size"),
    [(999, SizeClass.SMALL), (1_000, SizeClass.MEDIUM), (10_000, SizeClass.MEDIUM), (10_001, SizeClass.LARGE)],
)
def test_a_run_shows_the_size_class_the_rate_and_the_time_left(
    installed: Onewriter, sandbox: RunningSandbox, customers: int, size: SizeClass
) -> None:
    run_id = installed.connect(sandbox)["run"]
    half_way(run_id, customers, live=True)
    shown = installed.json("runs", "show", run_id)
    assert (shown["size_class"], shown["done"], shown["total"]) == (size.value, 100, customers)
    assert shown["rate_per_s"] == pytest.approx(10.0, abs=0.5)
    assert shown["eta_s"] == pytest.approx((customers - 100) / 10, rel=0.05)
    told = installed("runs", "show", run_id).out
    assert f"running, {size.value} shop (" in told
    assert f"100 of {customers:,}, 10 a second, {span((customers - 100) / 10)} left" in told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3_599, "59 min 59 s"), (3_660, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.req("K3")
def test_a_run_shows_whether_its_customers_add_up(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    run_id = installed.json("sync", "import")["run"]
    sandbox.shop.create(email="queued@example.com")
    time.sleep(1.1)  # Shopify's clock has whole seconds, and what was there before the count is in the count
    sandbox.shop.set_faults({"bulk_seconds": 6.0})
    gone = next(customer.id for customer in sandbox.shop.snapshot() if not customer.orders)
    made: list[int] = []

    def live() -> None:
        made.append(sandbox.shop.create(email="meanwhile@example.com").id)
        sandbox.shop.delete(gone)
        deliver("customers/delete", {"id": gone})

    shop_lives = later(live, 1.1)
    carry_out(run_id)
    shop_lives.join()
    shown = installed.json("runs", "show", run_id)
    assert shown["state"] == "done", shown
    assert shown["account"] == {
        "in_shop_at_start": 31,
        "created_meanwhile": made,
        "deleted_meanwhile": [gone],
        "deleted_before_we_read_them": 0,
        "erased": 0,
        "active_at_end": 31,
        "active_now": 31,
        "difference": 0,
    }
    told = installed("runs", "show", run_id).out
    assert f"1: {made[0]}" in told
    assert f"1: {gone}" in told


def test_a_run_that_is_over_is_shown_as_it_ended(installed: Onewriter, sandbox: RunningSandbox) -> None:
    run_id = installed.imported(sandbox)
    told = installed("runs", "watch", run_id)
    assert told.out.startswith("done, small shop (fewer than 1,000 customers), 30 of 30")
    document = installed.json("runs", "watch")
    assert (document["state"], document["counts"]["created"]) == ("done", 30)
    assert document["finished_at"].endswith("Z")


@pytest.mark.parametrize(("state", "code"), [(RunState.DONE, 0), (RunState.PARTIAL, PARTLY), (RunState.FAILED, FAILED)])
def test_watching_exits_as_the_run_ended(
    onewriter: Onewriter, sandbox: RunningSandbox, state: RunState, code: int
) -> None:
    run_id = onewriter.connect(sandbox)["run"]
    half_way(run_id, 100, state=state)
    assert onewriter("runs", "watch", code=code).out.rstrip().endswith("Because.")
    assert onewriter.json("runs", "watch", code=code)["reason"] == "Because."


def test_watching_prints_a_document_a_change(installed: Onewriter, sandbox: RunningSandbox) -> None:
    run_id = installed.connect(sandbox)["run"]
    worker = later(lambda: carry_out(run_id))
    told = installed("runs", "watch", "--json")
    worker.join()
    states = [json.loads(line)["state"] for line in told.out.splitlines()]
    assert states[0] == "queued"
    assert states[-1] == "done"
    assert len(set(told.out.splitlines())) == len(states)


def newest_run() -> str:
    with Runtime(settings.load()) as runtime, runtime.database.read() as db:
        return runs.newest(db, 1)[0].id


def later(action: Callable[[], None], seconds: float = 1.0) -> threading.Timer:
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


def test_watching_says_when_nobody_will_take_the_run(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    run_id = onewriter.connect(sandbox)["run"]
    told = onewriter("runs", "watch", "--no-wait", code=FAILED)
    assert "No worker is running" in told.err
    worker = later(lambda: carry_out(run_id))
    told = onewriter("runs", "watch")
    worker.join()
    assert told.err.count("No worker is running") == 1
    assert told.out.startswith("done")


def test_importing_again_queues_a_run(installed: Onewriter, sandbox: RunningSandbox) -> None:
    installed.imported(sandbox)
    queued = installed.json("sync", "import")
    assert (queued["state"], queued["worker_lives"]) == ("queued", False)
    running = installed.json("sync", "import", code=FAILED)
    assert running["error"]["kind"] == "AlreadyRunning"
    carry_out(queued["run"])
    assert [run["state"] for run in installed.json("runs", "list")] == ["done", "done"]
    assert installed.json("runs", "list", "--limit", "1")[0]["id"] == queued["run"]
    assert installed.json("runs", "list")[0]["requested_by"].startswith("user:")
    assert installed.json("shop", "show")["customers"] == 30
    assert "Queued the import of sandbox-shop.myshopify.com: run " in installed("sync", "import").out


def test_importing_can_wait_for_the_end(onewriter: Onewriter, sandbox: RunningSandbox) -> None:
    onewriter.imported(sandbox)
    sandbox.shop.set_faults({"scopes": ["read_orders"]})
    worker = later(lambda: carry_out(newest_run()))
    told = onewriter("sync", "import", "--wait", code=FAILED)
    worker.join()
    assert told.out.startswith("failed")


def test_a_run_that_is_not_there(onewriter: Onewriter) -> None:
    assert onewriter.json("runs", "show", code=FAILED)["error"]["kind"] == "UnknownRun"
    assert onewriter.json("runs", "watch", "nothing", code=FAILED)["error"]["kind"] == "UnknownRun"
    assert onewriter.json("runs", "list") == []


def test_a_failed_import_says_why(installed: Onewriter) -> None:
    with RunningSandbox(3) as sandbox:
        run_id = installed.connect(sandbox)["run"]
        sandbox.shop.set_faults({"scopes": ["read_orders"]})
        carry_out(run_id)
    shown = installed.json("runs", "show")
    assert shown["state"] == "failed"
    assert shown["reason"].endswith(".")


def test_a_paused_run_says_why_and_goes_on_when_it_is_resumed(installed: Onewriter, sandbox: RunningSandbox) -> None:
    run_id = installed.connect(sandbox)["run"]
    sandbox.shop.set_faults({"token_revoked": True})
    carry_out(run_id)
    told = installed("runs", "watch", run_id, code=PARTLY).out
    assert told.startswith("paused")
    assert "connect the shop again" in told
    assert "runs resume" in installed("runs", "show", run_id).err
    assert installed("runs", "resume").out.startswith(f"Queued again: {run_id}.")
    assert installed.json("runs", "show", run_id)["state"] == "queued"
    assert installed.json("runs", "resume", run_id, code=FAILED)["error"]["kind"] == "NotPaused"
    assert installed.json("runs", "resume")["resumed"] == []
    carry_out(run_id)
    assert installed.json("runs", "show", run_id)["state"] == "paused", "the token is refused as before"
