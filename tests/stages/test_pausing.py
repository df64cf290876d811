"""A refused token pauses a run where it stands, and with a good one it goes on from there; what is temporary waits."""

from collections.abc import Callable

import httpx2
import pytest
from sqlalchemy import func, select

from onewriter.customers import runs, shops
from onewriter.customers.runs import NotPaused, Run
from onewriter.db.tables import field_log
from onewriter.records import RunState
from onewriter.runtime import RUN_QUEUE, Runtime, now
from onewriter.shopify.auth import Credentials
from onewriter.workflows import carrying
from onewriter.workflows.carrying import carry_out, resume_if_possible
from tests.support.importing import begun, importer
from tests.support.joined import Joined, connect, joined
from tests.support.wire import Wire, is_page, nothing

CONNECT_AGAIN = "refused the access token (401); connect the shop again with a valid one."


def status(code: int) -> Callable[[bytes], httpx2.Response]:
    """Answer everything with that status."""
    return lambda _body: httpx2.Response(code)


def logged(runtime: Runtime) -> int:
    """How many lines the field log has: one for each customer that was created, if nothing was doubled."""
    with runtime.database.read() as db:
        count: int = db.execute(select(func.count()).select_from(field_log)).scalar_one()
        return count


def jobs_of(runtime: Runtime, run_id: str) -> list[str]:
    """The durable jobs that wait for a worker with that run."""
    waiting = runtime.jobs.list_workflows(status="ENQUEUED", queue_name=RUN_QUEUE)
    return sorted(job.workflow_id for job in waiting if job.workflow_id.startswith(run_id))


def other_credentials(shop: Joined) -> Credentials:
    """Credentials that get a token of their own."""
    info = shop.sandbox.info
    return Credentials(
        "client_credentials",
        client_id=info.client_id,
        client_secret=info.client_secret,
        api_secrets=(info.api_secret,),
    )


def finished_whole(shop: Joined, run: Run) -> bool:
    """True when nothing of 400 customers was lost, and none was applied twice."""
    assert (run.state, run.done, run.counts["created"], logged(shop.runtime)) == (RunState.DONE, 400, 400, 400)
    assert len(shop.bulk_operations) == 1
    return shop.held() == shop.truth()


@pytest.mark.req("K8")
def test_a_bulk_import_whose_token_is_revoked_goes_on_at_its_offset_once_the_shop_is_connected_again(
    runtime: Runtime,
) -> None:
    with joined(runtime, 400) as shop:

        def dies_once_rows_flow() -> int:
            if shop.run().done:
                # The file's server asks for no token; the worker that takes the run over does need one.
                shop.shop.set_faults({"token_revoked": True})
                raise KeyboardInterrupt
            return now()

        with pytest.raises(KeyboardInterrupt):
            importer(shop, dies_once_rows_flow).run(begun(shop))
        stood = shop.run()
        paused = shop.carry_out()
        assert (paused.state, paused.done, paused.finished_at) == (RunState.PAUSED, stood.done, None)
        assert paused.checkpoint == stood.checkpoint
        assert CONNECT_AGAIN in (paused.reason or "")
        assert resume_if_possible(runtime, shop.shop_id) == [], "the token is still refused"
        connect(runtime, shop.sandbox, credentials=other_credentials(shop))
        assert (shop.run().state, jobs_of(runtime, shop.run_id)) == (
            RunState.QUEUED,
            [shop.run_id, f"{shop.run_id}/{paused.attempt}"],
        )
        run = shop.carry_out()
        assert "unchanged" not in run.counts, "nothing was read twice"
        assert finished_whole(shop, run)


@pytest.mark.req("K8")
def test_an_import_by_pages_is_paused_amid_them_and_resumed_when_the_token_is_taken_again(
    runtime: Runtime, wire: Wire
) -> None:
    with joined(runtime, 400, wrong_count=1, cost_restore=1e6) as shop:
        wire.answer = lambda _body: httpx2.Response(401) if wire.pages >= 4 else None
        paused = shop.carry_out()
        assert (paused.state, 0 < paused.done < 400) == (RunState.PAUSED, True)
        assert resume_if_possible(runtime, shop.shop_id) == []
        wire.answer = nothing
        assert resume_if_possible(runtime, shop.shop_id) == [shop.run_id]
        assert jobs_of(runtime, shop.run_id)[-1] == f"{shop.run_id}/{paused.attempt}"
        assert resume_if_possible(runtime, shop.shop_id) == [], "it is queued already"
        run = shop.carry_out()
        assert run.counts["unchanged"] == 399, "the file had 399, and no page came twice"
        assert finished_whole(shop, run)


def test_only_a_paused_run_of_a_connected_shop_is_resumed(runtime: Runtime, wire: Wire) -> None:
    with joined(runtime, 3) as shop:
        with runtime.database.write() as db, pytest.raises(NotPaused, match="is queued"):
            runs.resume(db, shop.run_id, now())
        wire.answer = status(401)
        assert shop.carry_out().state is RunState.PAUSED
        wire.answer = nothing
        with runtime.database.write() as db:
            assert runs.paused(db) == runs.paused(db, shop.shop_id) == [shop.run_id]
            assert runs.paused(db, shop.shop_id + 1) == []
            shops.disconnect(db, shop.shop_id, now())
        assert resume_if_possible(runtime, shop.shop_id) == []
        assert shop.run().state is RunState.PAUSED


def test_an_older_worker_whose_token_is_refused_does_not_pause_the_run_of_the_newer_one(
    runtime: Runtime, wire: Wire
) -> None:
    with joined(runtime, 5) as shop:
        newer: list[Run] = []

        def overtaken(_body: bytes) -> httpx2.Response:
            newer.append(begun(shop))
            return httpx2.Response(401)

        wire.answer = overtaken
        carry_out(runtime, shop.run_id)
        assert len(newer) == 1
        assert shop.run() == newer[0]


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> int:
    """Runs that do not move are waited for only so many seconds."""
    monkeypatch.setattr(carrying, "RETRY_FOR_S", 100)
    return 100


def test_a_run_that_does_not_move_is_given_up_in_the_end(runtime: Runtime, wire: Wire, brief: int) -> None:
    with joined(runtime, 5) as shop:
        wire.answer = status(503)
        slept: list[float] = []
        carry_out(runtime, shop.run_id, sleep=slept.append)
        run = shop.run()
        assert (run.state, sum(slept) >= brief) == (RunState.FAILED, True)
        assert "could not answer (503)" in (run.reason or "")


@pytest.mark.req("K8")
def test_a_run_that_moves_is_waited_for_however_often_that_is(runtime: Runtime, wire: Wire, brief: int) -> None:
    with joined(runtime, 400, wrong_count=1, cost_restore=1e6) as shop:
        shop.shop.set_faults({"cost_query_limit": 100})
        # A client tries five times by itself; at the sixth time, in the next attempt, it gets its page.
        wire.answer = lambda body: httpx2.Response(503) if is_page(body) and wire.pages % 6 else None
        slept: list[float] = []
        carry_out(runtime, shop.run_id, sleep=slept.append)
        run = shop.run()
        assert (len(slept), run.attempt) == (wire.pages // 6, len(slept) + 1)
        assert len(slept) > 20
        assert finished_whole(shop, run)
