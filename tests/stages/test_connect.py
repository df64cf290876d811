"""Connecting a shop: it and its one import are written together, and nothing is imported yet."""

from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from onewriter.customers import owners as ownership
from onewriter.customers import runs, shops
from onewriter.db import tables
from onewriter.db.engine import Database
from onewriter.errors import ScopeMissing, TokenRefused
from onewriter.intake.connect import Connector, WrongShop
from onewriter.records import FIELDS, HOUR, SECOND, SHOPIFY, RunState
from onewriter.runtime import Runtime, new_run_id, now
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.shopify.auth import Credentials
from onewriter.shopify.reads import survey
from onewriter.shopify.webhooks import TOPICS
from tests.support.joined import connect, joined, wish_of


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
            assert ownership.of_shop(db, shop.shop_id) == dict.fromkeys(FIELDS, SHOPIFY)


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
        assert rows_in(runtime.database, "shops", "runs", "owners") == [0, 0, 0]
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
        assert rows_in(runtime.database, "shops", "runs", "owners") == [0, 0, 0]
        assert rows_of_keys(runtime.key_database) == 0
        assert sandbox.shop.subscriptions.all() == []


def rows_of_keys(database: Database) -> int:
    with database.read() as db:
        return int(db.exec_driver_sql("SELECT count(*) FROM shop_keys").scalar_one())


def test_a_refused_topic_is_reported_and_the_shop_is_connected_all_the_same(runtime: Runtime) -> None:
    with RunningSandbox(2, faults=Faults(topics_refused=True)) as sandbox:
        done = connect(runtime, sandbox)
    assert {topic for topic, _why in done.report.refused} == {
        topic for topic in TOPICS if topic.startswith("customer")
    }
    assert set(done.report.made) == {"app/uninstalled", "bulk_operations/finish"}
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
        with runtime.database.read() as db:
            kept = runtime.credentials(shops.by_id(db, done.shop_id))
        assert kept.access_token is not None
        assert sandbox.shop.access.allows(kept.access_token)
