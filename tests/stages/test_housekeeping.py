"""Housekeeping ends what has had its time, and nothing at all while no other clock agrees with ours."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text

from onewriter.customers import findings, inbox, marks, questions, runs, shops
from onewriter.customers.findings import Finding
from onewriter.db.tables import inbox as inbox_table
from onewriter.errors import KeyDestroyed
from onewriter.intake.again import try_again
from onewriter.records import DAY, HOUR, SECOND, Delivery, Instant, RunState
from onewriter.runtime import Runtime, now
from onewriter.shopify.topics import LINE_TOPIC
from onewriter.vault.vault import day_of
from onewriter.workflows.clock import TICKS_MIN, TIDY, clock_doubt
from onewriter.workflows.housekeeping import tidy
from tests.support.joined import drain_all, put_in_inbox, states_of
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea, told

OLD = b'{"id": 101, "updated_at": "2026-03-02T10:00:00+00:00"}'
POISON = b'{"id": 102, "updated_at": "yesterday"}'


def hear_clock(tea: Tea, theirs: Instant, heard: Instant) -> None:
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"shopify_date": theirs, "shopify_date_heard": heard})


def deliver(tea: Tea, name: str, body: bytes, received: Instant, topic: str = "customers/update") -> None:
    put_in_inbox(tea.runtime, tea.vault, [Delivery(tea.shop_id, name, topic, body, received)])


def at(runtime: Runtime, moment: Instant) -> Runtime:
    """The same installation on a machine whose clock stands there. Close it."""
    return Runtime(runtime.settings, clock=lambda: moment)


def tidied(runtime: Runtime, moment: Instant) -> bool:
    with at(runtime, moment) as elsewhere:
        return tidy(elsewhere)


def key_lives(tea: Tea, received: Instant) -> bool:
    with Runtime(tea.runtime.settings) as fresh:
        try:
            fresh.keys.day_key(tea.shop_id, day_of(received))
        except KeyDestroyed:
            return False
        return True


@pytest.mark.req("K5")
def test_what_has_had_its_time_is_ended_and_the_rest_stays(tea: Tea) -> None:
    moment = now()
    old, young = moment - 32 * DAY, moment - 20 * DAY
    for name, received in (("old", old), ("young", young)):
        deliver(tea, name, OLD, received)
    drain_all(tea.runtime, moment)
    hear_clock(tea, moment - 60 * SECOND, moment - 30 * SECOND)
    assert tidied(tea.runtime, moment)
    assert [row["webhook_id"] for row in states_of(tea.runtime)["done"]] == ["young"]
    assert (key_lives(tea, old), key_lives(tea, young)) == (False, True)


@ON_SQLITE
@pytest.mark.parametrize(
    ("ours", "theirs", "heard", "trusted"),
    [
        (0, 0, 0, True),
        (0, HOUR, 0, True),
        (0, -HOUR, 0, True),
        (0, HOUR + SECOND, 0, False),
        (0, -HOUR - SECOND, 0, False),
        (47 * HOUR, 0, 0, True),
        (49 * HOUR, 0, 0, False),
        (31 * DAY, 0, 0, False),
        (31 * DAY, 0, 31 * DAY, False),
        (-DAY, 0, 0, True),
        (-DAY, 0, -DAY, False),
    ],
    ids=[
        "the same", "an hour ahead", "an hour behind", "more than an hour ahead", "more than an hour behind",
        "heard two days ago", "heard too long ago", "a jump of a month", "a jump of a month and heard since",
        "heard before it was put back", "put back and heard since",
    ],
)  # fmt: skip
def test_our_clock_is_trusted_only_if_shopifys_agrees(
    tea: Tea, ours: Instant, theirs: Instant, heard: Instant, trusted: bool
) -> None:
    moment = now()
    received = moment - 29 * DAY
    deliver(tea, "old", OLD, received)
    hear_clock(tea, moment + theirs, moment + heard)
    assert tidied(tea.runtime, moment + ours) is trusted
    if not trusted:
        assert (len(states_of(tea.runtime)["waiting"]), key_lives(tea, received)) == (1, True), "nothing was ended"


def test_of_several_shops_the_one_that_was_heard_last_decides(tea: Tea) -> None:
    moment = now()
    hear_clock(tea, moment, moment - HOUR)
    with tea.runtime.database.write() as db:
        one = shops.by_id(db, tea.shop_id)
        columns: dict[str, Any] = {
            name: getattr(one, name) for name in ("admin_url", "public_url", "api_version", "box")
        }
        columns |= {"domain": "wrong.myshopify.com", "state": "connected", "scopes": [], "installed_at": 1}
        other = shops.add(db, columns | {"connected_at": 1, "shopify_date": moment - DAY, "shopify_date_heard": moment})
    with at(tea.runtime, moment) as elsewhere:
        doubt = clock_doubt(elsewhere)
        assert doubt is not None
        assert doubt.wrong
        with tea.runtime.database.write() as db:
            shops.disconnect(db, other, moment)
        assert clock_doubt(elsewhere) is None, "a shop that has left tells no time"


def strikes(runtime: Runtime, *moments: Instant) -> None:
    """Write down that housekeeping struck at these moments, as the durable jobs do."""
    schema = "" if runtime.database.is_sqlite else "dbos."
    for moment in moments:
        job: Any = runtime.jobs.enqueue({"workflow_name": TIDY, "queue_name": "nobody's"})
        with runtime.database.write() as db:
            db.execute(
                text(f"UPDATE {schema}workflow_status SET created_at = :at WHERE workflow_uuid = :id"),
                {"at": moment // 1000, "id": job.get_workflow_id()},
            )


@pytest.mark.parametrize(
    ("moments", "trusted"),
    [
        (lambda moment: [], False),
        (lambda moment: [moment - n * HOUR for n in range(TICKS_MIN)], True),
        (lambda moment: [moment - n * HOUR for n in range(TICKS_MIN - 1)], False),
        (lambda moment: [moment - n * SECOND for n in range(20)], False),
        (lambda moment: [moment - 31 * DAY - n * HOUR for n in range(20)] + [moment], False),
    ],
    ids=["never", "evenly", "too few", "all at once, as after a jump", "evenly before a jump"],
)
def test_without_a_connected_shop_our_clock_must_have_struck_evenly(
    tea: Tea, moments: Callable[[Instant], list[Instant]], trusted: bool
) -> None:
    runtime, moment = tea.runtime, now()
    received = moment - 40 * DAY
    deliver(tea, "old", OLD, received)
    with runtime.database.write() as db:
        shops.disconnect(db, tea.shop_id, moment)
    strikes(runtime, *moments(moment))
    assert tidied(runtime, moment) is trusted
    assert key_lives(tea, received) is not trusted


# ---- What is parked -------------------------------------------------------------------------------------------------


@pytest.mark.req("K15")
def test_a_parked_delivery_outlives_its_body_and_then_its_customer_is_read(tea: Tea) -> None:
    moment = now()
    received = moment - 32 * DAY
    deliver(tea, "poison", POISON, received)
    drain_all(tea.runtime, moment)
    tea.apply(told(102, moment - HOUR, {"first_name": "Ann"}), now=moment)
    with tea.runtime.database.write() as db:
        marks.clear(db, tea.shop_id, marks.due(db, tea.shop_id, moment, 10))
    hear_clock(tea, moment, moment)
    assert tidied(tea.runtime, moment)
    [row] = states_of(tea.runtime)["parked"]
    with tea.runtime.database.read() as db:
        assert db.execute(select(inbox_table.c.box)).scalar_one() is None
        assert [each.subject for each in questions.waiting(db, 10)] == [str(row["position"])], "it still waits"
    with Runtime(tea.runtime.settings) as fresh, fresh.database.write() as db:
        assert try_again(db, fresh.vault(tea.shop_id), row["position"], moment) == inbox.DONE
    assert tea.marked(moment) == {102: frozenset({"retry"})}


def test_a_line_of_an_import_that_nobody_can_open_any_more_is_dropped(tea: Tea) -> None:
    moment = now()
    deliver(tea, "line", b"{", moment - 32 * DAY, LINE_TOPIC)
    drain_all(tea.runtime, moment)
    assert [row["topic"] for row in states_of(tea.runtime)["parked"]] == [LINE_TOPIC]
    hear_clock(tea, moment, moment)
    assert tidied(tea.runtime, moment)
    assert states_of(tea.runtime) == {}


def test_a_delivery_of_a_customer_that_was_merged_away_has_both_read(tea: Tea) -> None:
    moment = now()
    body = b'{"admin_graphql_api_customer_kept_id":"gid://shopify/Customer/7","status":3,'
    deliver(
        tea,
        "merge",
        body + b'"admin_graphql_api_customer_deleted_id":"gid://shopify/Customer/8"}',
        moment,
        "customers/merge",
    )
    drain_all(tea.runtime, moment)
    [row] = states_of(tea.runtime)["parked"]
    for number in (7, 8, 9):
        tea.apply(told(number, moment - HOUR, {"first_name": "Ann"}), now=moment)
    with tea.runtime.database.write() as db:
        marks.clear(db, tea.shop_id, marks.due(db, tea.shop_id, moment, 10))
    tea.runtime.keys.end_days(day_of(moment) + 1, moment)
    with tea.runtime.database.write() as db:
        try_again(db, tea.vault, row["position"], moment)
    assert set(tea.marked(moment)) == {7, 8}


def test_rows_of_the_durable_jobs_that_ended_long_ago_are_dropped(tea: Tea) -> None:
    moment = now()
    hear_clock(tea, moment, moment)
    job: Any = tea.runtime.jobs.enqueue({"workflow_name": "run", "queue_name": "nobody's"})
    tea.runtime.jobs.cancel_workflow(job.get_workflow_id())
    assert tidied(tea.runtime, moment)
    assert len(tea.runtime.jobs.list_workflows()) == 1
    hear_clock(tea, moment + 40 * DAY, moment + 40 * DAY)
    assert tidied(tea.runtime, moment + 40 * DAY)
    assert tea.runtime.jobs.list_workflows() == []
    with tea.runtime.database.read() as db:
        assert runs.newest(db, 10) == []


def test_hourly_runs_that_found_nothing_are_dropped_and_every_other_stays(tea: Tea) -> None:
    moment = now()
    long_ago = moment - 31 * DAY
    hear_clock(tea, moment, moment)
    ended: dict[str, tuple[str, RunState, Instant]] = {
        "found nothing": (runs.RECENT, RunState.DONE, long_ago),
        "found something": (runs.RECENT, RunState.DONE, long_ago),
        "failed": (runs.RECENT, RunState.FAILED, long_ago),
        "of last week": (runs.RECENT, RunState.DONE, moment - 7 * DAY),
        "nightly": (runs.RECONCILE, RunState.DONE, long_ago),
        "import": (runs.IMPORT, RunState.DONE, long_ago),
    }
    for run_id, (kind, state, at_that) in ended.items():
        with tea.runtime.database.write() as db:
            runs.add(db, run_id, tea.shop_id, kind, "schedule", at_that)
            runs.finish(db, runs.begin(db, run_id, at_that), state, None, at_that)
    with tea.runtime.database.write() as db:
        findings.add(db, tea.shop_id, Finding("drift", "late", run_id="found something"), long_ago)
    assert tidied(tea.runtime, moment)
    with tea.runtime.database.read() as db:
        assert {run.id for run in runs.newest(db, 10)} == ended.keys() - {"found nothing"}
