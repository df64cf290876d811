"""Connecting a shop: it and its one import are written together, and nothing is imported yet."""

import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection, func, select

from onewriter.customers import policies, runs, shops
from onewriter.db import tables
from onewriter.db.engine import Database
from onewriter.errors import ScopeMissing, TokenRefused
from onewriter.intake.connect import Connector, NotSubscribed, WrongShop
from onewriter.records import DAY, FIELDS, HOUR, SECOND, SHOPIFY, RunState
from onewriter.runtime import Runtime, new_run_id, now
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.shopify import queries
from onewriter.shopify.auth import Credentials
from onewriter.shopify.reads import survey
from onewriter.shopify.webhooks import TOPIC_SCOPES, TOPICS
from tests.support.doors import knock, serving, signed
from tests.support.joined import connect, joined, wish_of
from tests.support.keeping import keep_credentials
from tests.support.shops import DOMAIN, SECRET, Tea


def rows_in(database: Database, *names: str) -> list[int]:
    """How many rows each of these tables holds."""
    with database.read() as db:
        return [
            db.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar_one() for name in names
        ]


@pytest.mark.req("K1", "K2")
def test_connecting_writes_the_shop_and_one_queued_import_and_asks_for_no_bulk_read(runtime: Runtime) -> None:
    with joined(runtime, 5) as shop:
        run = shop.run()
        assert (run.state, run.kind, run.attempt, run.shop_id) == (RunState.QUEUED, "import", 0, shop.shop_id)
        assert rows_in(runtime.database, "shops", "runs", "customers") == [1, 1, 0]
        [job] = runtime.jobs.list_workflows()
        assert (job.workflow_id, job.status) == (run.id, "ENQUEUED")
        assert shop.bulk_operations == []
        assert {held.topic for held in shop.shop.subscriptions.all()} == set(TOPICS)
        with runtime.database.read() as db:
            assert policies.of_shop(db, shop.shop_id).owners == dict.fromkeys(FIELDS, SHOPIFY)


@pytest.mark.req("K1")
def test_a_failure_while_the_import_is_queued_leaves_neither_shop_nor_run(runtime: Runtime) -> None:
    def fail(db: Connection, run_id: str) -> None:
        runtime.enqueue(db, run_id)
        raise RuntimeError("the power went out")

    with RunningSandbox(2) as sandbox:
        wish = wish_of(sandbox)
        with runtime.client_for(wish.admin_url, wish.credentials, wish.api_version) as client:
            connector = Connector(runtime.database, runtime.keys, fail, new_run_id)
            with pytest.raises(RuntimeError, match="power"):
                connector.connect(client, wish, "test", now())
        assert rows_in(runtime.database, "shops", "runs", "policies") == [0, 0, 0]
        assert runtime.jobs.list_workflows() == []
        assert connect(runtime, sandbox).run_id is not None, "and it can be tried again"


@pytest.mark.req("K1")
def test_connecting_twice_keeps_the_install_date_and_queues_no_second_import(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        with runtime.database.read() as db:
            first = shops.by_id(db, shop.shop_id)
        again = connect(runtime, shop.sandbox, at=now() + 48 * HOUR)
        with runtime.database.read() as db:
            second = shops.by_id(db, shop.shop_id)
            assert [run.id for run in runs.newest(db, 9)] == [shop.run_id]
        assert (again.shop_id, again.run_id) == (shop.shop_id, None)
        assert second.installed_at == first.installed_at
        assert second.connected_at > first.connected_at
        assert abs(first.installed_at - now()) < 60 * SECOND, "the install date is Shopify's clock"
        assert set(again.report.present) == set(TOPICS)


def test_connecting_anew_after_a_disconnection_brings_the_shop_back_with_its_customers(runtime: Runtime) -> None:
    with joined(runtime, 4) as shop:
        shop.carry_out()
        with runtime.database.write() as db:
            shops.disconnect(db, shop.shop_id, now())
        again = connect(runtime, shop.sandbox)
        assert again.run_id not in (None, shop.run_id)
        assert rows_in(runtime.database, "shops", "customers") == [1, 4]
        with runtime.database.read() as db:
            found = shops.by_id(db, shop.shop_id)
        assert (found.state, found.disconnected_at) == ("connected", None)


@pytest.mark.parametrize(
    ("faults", "changes", "error", "says"),
    [
        ({"scopes": ["read_orders"]}, {}, ScopeMissing, "read_customers: no customer can be imported"),
        ({}, {"domain": "coffee.myshopify.com"}, WrongShop, "answers for sandbox-shop.myshopify.com, not for coffee"),
        ({}, {"credentials": Credentials("token", access_token="shpat_wrong")}, TokenRefused, "refused the access"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    runtime: Runtime, faults: dict[str, Any], changes: dict[str, Any], error: type[Exception], says: str
) -> None:
    with RunningSandbox(2, faults=Faults(**faults)) as sandbox:
        with pytest.raises(error, match=says) as caught:
            connect(runtime, sandbox, **changes)
        assert "shpat" not in str(caught.value)
        assert rows_in(runtime.database, "shops", "runs", "policies") == [0, 0, 0]
        assert rows_of_keys(runtime.key_database) == 0
        assert sandbox.shop.subscriptions.all() == []


def rows_of_keys(database: Database) -> int:
    with database.read() as db:
        return int(db.exec_driver_sql("SELECT count(*) FROM shop_keys").scalar_one())


def test_a_refused_topic_is_reported_and_the_shop_is_connected_all_the_same(runtime: Runtime) -> None:
    with RunningSandbox(2, faults=Faults(topics_refused=True)) as sandbox:
        done = connect(runtime, sandbox)
    assert {topic for topic, _why in done.report.refused} == {topic for topic, scope in TOPIC_SCOPES.items() if scope}
    assert set(done.report.made) == {"app/uninstalled", "app/scopes_update", "bulk_operations/finish"}
    assert done.run_id is not None


def test_a_token_that_was_renewed_is_kept_sealed_for_the_next_process(runtime: Runtime) -> None:
    with RunningSandbox(2) as sandbox:
        info = sandbox.info
        app = Credentials(
            "client_credentials",
            client_id=info.client_id,
            client_secret=info.client_secret,
            api_secrets=(info.api_secret,),
        )
        done = connect(runtime, sandbox, credentials=app)
        sandbox.shop.access.revoke()
        survey(runtime.client(done.shop_id))
        kept = kept_by(runtime, done.shop_id)
        assert kept.access_token is not None
        assert sandbox.shop.access.allows(kept.access_token)


def kept_by(runtime: Runtime, shop_id: int) -> Credentials:
    """The credentials of a shop as they are written down."""
    with runtime.database.read() as db:
        return runtime.credentials(shops.by_id(db, shop_id))


def of(sandbox: RunningSandbox, *secrets: str) -> Credentials:
    """The sandbox's token with these webhook secrets."""
    return Credentials("token", access_token=sandbox.info.access_token, api_secrets=secrets)


@pytest.mark.req("K15")
def test_a_replaced_secret_is_accepted_for_two_days_unless_it_is_dropped(runtime: Runtime) -> None:
    with RunningSandbox(2) as sandbox:
        began = now()
        done = connect(runtime, sandbox, credentials=of(sandbox, "one"), at=began)
        connect(runtime, sandbox, credentials=of(sandbox, "two"), at=began + DAY)
        connect(runtime, sandbox, credentials=of(sandbox, "three"), at=began + 2 * DAY)
        held = kept_by(runtime, done.shop_id)
        assert set(held.live_secrets(began + 2 * DAY)) == {"three", "two", "one"}
        assert set(held.live_secrets(began + 3 * DAY)) == {"three", "two"}
        assert set(held.live_secrets(began + 4 * DAY)) == {"three"}
        connect(runtime, sandbox, credentials=of(sandbox, "four"), drop_old_secrets=True)
        assert kept_by(runtime, done.shop_id).live_secrets(began) == ("four",)


@pytest.mark.req("K15")
def test_the_door_takes_what_a_replaced_secret_signed_until_its_time_is_over(runtime: Runtime, tea: Tea) -> None:
    with runtime.database.read() as db:
        held = runtime.credentials(shops.by_id(db, tea.shop_id))
    retired = (("old", now() + HOUR), ("older", now() - 1))
    keep_credentials(runtime, tea.shop_id, replace(held, retired=retired))
    with serving(runtime) as url:
        for number, (secret, status) in enumerate([(SECRET, 200), ("old", 200), ("older", 401)]):
            headers = signed(b"{}", secret, DOMAIN, f"w-{number}")
            assert knock(url, b"{}", headers).status_code == status


def test_connecting_again_queues_the_paused_runs_again_as_new_jobs(runtime: Runtime) -> None:
    with joined(runtime, 3) as shop:
        with runtime.database.write() as db:
            run = runs.begin(db, shop.run_id, now())
            runs.pause(db, run, "the token was refused", now())
        again = connect(runtime, shop.sandbox)
        assert (again.resumed, again.run_id) == ([shop.run_id], None)
        assert shop.run().state is RunState.QUEUED
        jobs = {job.workflow_id: job.status for job in runtime.jobs.list_workflows()}
        assert jobs == {shop.run_id: "ENQUEUED", f"{shop.run_id}/1": "ENQUEUED"}
        assert shop.carry_out().state is RunState.DONE
        assert shop.held() == shop.truth()


def test_paused_runs_and_the_new_credentials_are_written_together(runtime: Runtime) -> None:
    with joined(runtime, 3) as shop:
        with runtime.database.write() as db:
            runs.pause(db, runs.begin(db, shop.run_id, now()), "the token was refused", now())
        before = kept_by(runtime, shop.shop_id)

        def fail(db: Connection, run_id: str) -> None:
            runtime.enqueue(db, run_id)
            raise RuntimeError("the power went out")

        wish = wish_of(shop.sandbox, credentials=of(shop.sandbox, "another"))
        with runtime.client_for(wish.admin_url, wish.credentials, wish.api_version) as client:
            connector = Connector(runtime.database, runtime.keys, fail, new_run_id)
            with pytest.raises(RuntimeError, match="power"):
                connector.connect(client, wish, "test", now())
        assert shop.run().state is RunState.PAUSED
        assert kept_by(runtime, shop.shop_id) == before
        assert len(runtime.jobs.list_workflows()) == 1


def test_a_client_is_opened_anew_once_the_shop_was_connected_again(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        first = runtime.client(shop.shop_id)
        assert runtime.client(shop.shop_id) is first
        connect(runtime, shop.sandbox)
        assert runtime.client(shop.shop_id) is not first
        assert survey(first).domain == shop.sandbox.info.domain, "whoever is in the middle of something goes on"


def test_a_shop_whose_old_credentials_cannot_be_opened_can_be_connected_again(runtime: Runtime) -> None:
    with joined(runtime, 2) as shop:
        with runtime.database.write() as db:
            shops.change(db, shop.shop_id, {"box": b"lost"})
        connect(runtime, shop.sandbox)
        assert survey(runtime.client(shop.shop_id)).domain == shop.sandbox.info.domain


def test_webhooks_that_could_not_be_looked_at_leave_the_shop_connected(runtime: Runtime) -> None:
    with RunningSandbox(2) as sandbox:
        wish = wish_of(sandbox)
        options = {"transport": Refusing(httpx2.HTTPTransport(), queries.SUBSCRIPTIONS)}
        runtime.client_options = options
        with (
            runtime.client_for(wish.admin_url, wish.credentials, wish.api_version) as client,
            pytest.raises(NotSubscribed, match="is connected and its import is queued, but no webhook"),
        ):
            runtime.connector().connect(client, wish, "test", now())
        with runtime.database.read() as db:
            assert [shop.state for shop in shops.every(db)] == ["connected"]
            assert [run.state for run in runs.newest(db, 9)] == [RunState.QUEUED]


class Refusing(httpx2.BaseTransport):
    """The wire to a shop that refuses one document."""

    def __init__(self, wire: httpx2.BaseTransport, document: str) -> None:
        self._wire, self._document = wire, document

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if json.loads(request.read())["query"] == self._document:
            return httpx2.Response(404)
        return self._wire.handle_request(request)

    def close(self) -> None:
        self._wire.close()
