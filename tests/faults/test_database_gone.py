"""A database that goes away at any moment: nothing that was acknowledged is lost, and no delivery is blamed for it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, Connection, event, func, select
from sqlalchemy.exc import SQLAlchemyError

from onewriter.bench.postgres import running_postgres
from onewriter.customers import marks
from onewriter.db.engine import Database
from onewriter.db.tables import field_log, refetch_marks
from onewriter.db.tables import inbox as inbox_table
from onewriter.errors import DatabaseBusy, OnewriterError
from onewriter.intake.drain import Drain
from onewriter.intake.refetch import Refetch
from onewriter.records import Delivery
from onewriter.runtime import Runtime, now
from onewriter.settings import load
from tests.support.doors import knock, serving, signed
from tests.support.joined import KEEP_DAYS, Joined, drain_all, joined, put_in_inbox, states_of
from tests.support.processes import started, wait_until
from tests.support.raw import ON_POSTGRES, ON_SQLITE
from tests.support.shops import DOMAIN, SECRET, Tea

LAST_STATEMENT_MAX = 60


# ---- Ways of going away ---------------------------------------------------------------------------------------------


def administrator(url: URL) -> psycopg.Connection[Any]:
    """A connection beside ours, to another database of the same server."""
    plain = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def terminate(url: URL, pid: int | None = None) -> None:
    """End the connections to a database, or one of them, as an administrator or a failing server does."""
    with administrator(url) as beside:
        wanted = "datname = %s" if pid is None else "pid = %s"
        named = url.database if pid is None else pid
        beside.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {wanted}".encode(), (named,))


@contextmanager
def gone(*databases: Database) -> Iterator[None]:
    """PostgreSQL databases that end every connection and take none, for the length of the block."""
    for database in databases:
        _allow(database.url, False)
        terminate(database.url)
    try:
        yield
    finally:
        for database in databases:
            _allow(database.url, True)


def _allow(url: URL, allowed: bool) -> None:
    with administrator(url) as beside:
        beside.execute(f'ALTER DATABASE "{url.database}" ALLOW_CONNECTIONS {str(allowed).lower()}'.encode())


@contextmanager
def ended_before(database: Database, statement: int) -> Iterator[list[int]]:
    """The server ends our connection just before the n-th statement that changes something, or before the commit.

    Gives the list of statements that were reached.
    """
    reached: list[int] = []

    def before(connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "COPY", "SAVEPOINT", "RELEASE")):
            strike(connection)

    def strike(connection: Connection) -> None:
        reached.append(len(reached))
        if len(reached) - 1 == statement:
            driver: Any = connection.connection.driver_connection
            terminate(database.url, driver.info.backend_pid)

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "commit", strike)
    try:
        yield reached
    finally:
        event.remove(database.engine, "before_cursor_execute", before)
        event.remove(database.engine, "commit", strike)


def at_every_statement(database: Database, work: Callable[[], object], check: Callable[[], None]) -> int:
    """Do the work over and over, ended each time one statement later, until nothing ends it; how often it was ended."""
    for statement in range(LAST_STATEMENT_MAX):
        with ended_before(database, statement) as reached:
            try:
                work()
            except DatabaseBusy:
                assert len(reached) > statement
            else:
                return statement
        check()
    raise AssertionError("The work never came to its end.")


# ---- The door -------------------------------------------------------------------------------------------------------


def body_of(number: int) -> bytes:
    return json.dumps({"id": number, "updated_at": "2026-03-02T10:00:00+00:00", "first_name": "Guest"}).encode()


def send(url: str, number: int) -> tuple[int, bool]:
    """Send one delivery; the status, and whether the answer says when to try again."""
    answer = knock(url, body_of(number), signed(body_of(number), SECRET, DOMAIN, f"w-{number}"))
    assert answer.content == b""
    return answer.status_code, "Retry-After" in answer.headers


def kept(runtime: Runtime) -> set[str]:
    with runtime.database.read() as db:
        return set(db.execute(select(inbox_table.c.webhook_id)).scalars())


@ON_POSTGRES
@pytest.mark.req("K15")
@pytest.mark.parametrize("parts", [("main",), ("keys",), ("main", "keys")], ids=" and ".join)
def test_while_a_database_is_gone_the_door_asks_for_another_try_and_then_goes_on(
    tea: Tea, parts: tuple[str, ...]
) -> None:
    runtime = tea.runtime
    away = [{"main": runtime.database, "keys": runtime.key_database}[part] for part in parts]
    with serving(runtime) as url:
        with gone(*away):
            assert [send(url, number) for number in (1, 2, 3)] == [(503, True)] * 3, "nobody is acknowledged"
        assert [send(url, number) for number in (1, 2)] == [(200, False)] * 2, "Shopify sends them again"
    assert kept(runtime) == {"w-1", "w-2"}


@ON_POSTGRES
@pytest.mark.req("K15")
def test_a_door_that_knows_its_keys_asks_for_another_try_too(tea: Tea) -> None:
    with serving(tea.runtime) as url:
        assert send(url, 1) == (200, False)
        with gone(tea.runtime.database):
            assert send(url, 2) == (503, True)
        terminate(tea.runtime.database.url)
        taken = [send(url, number)[0] for number in (3, 3)]
        assert taken[-1] == 200, "a connection that was ended is opened anew"
    assert kept(tea.runtime) >= {"w-1", "w-3"}
    assert "w-2" not in kept(tea.runtime)


@ON_POSTGRES
@pytest.mark.req("K15")
def test_a_door_whose_connection_ends_in_the_middle_acknowledges_nothing_that_is_not_kept(tea: Tea) -> None:
    with serving(tea.runtime) as url:
        assert send(url, 1) == (200, False)
        with ended_before(tea.runtime.database, 0) as reached:
            status, _ = send(url, 2)
        assert (status, reached) == (503, [0])
        assert kept(tea.runtime) == {"w-1"}
        assert send(url, 2) == (200, False)
    assert kept(tea.runtime) == {"w-1", "w-2"}


@ON_SQLITE
@pytest.mark.req("K15")
def test_while_somebody_else_holds_the_write_lock_the_door_asks_for_another_try(tea: Tea, database_url: str) -> None:
    runtime = tea.runtime
    runtime.database.close()
    runtime.database = Database(database_url, busy_ms=100)
    other = Database(database_url)
    with serving(runtime) as url:
        with other.write():
            assert [send(url, number) for number in (1, 2)] == [(503, True)] * 2
            assert send(url, 1)[0] == 503, "however often it comes"
        assert [send(url, number) for number in (1, 2)] == [(200, False)] * 2
    other.close()
    assert kept(runtime) == {"w-1", "w-2"}


def test_a_server_that_was_stopped_is_a_reason_to_send_again(tmp_path: Path) -> None:
    # A server of its own, since that of the other tests must not be stopped.
    with running_postgres() as server:
        runtime = installation(server, tmp_path)
    with pytest.raises(DatabaseBusy), runtime.database.read():
        pass
    with serving(runtime) as url:
        assert send(url, 1) == (503, True)
    runtime.close()


def installation(server: str, folder: Path) -> Runtime:
    environment = {
        "ONEWRITER_DATABASE_URL": f"{server}/postgres",
        "ONEWRITER_KEYSTORE_URL": f"{server}/template1",
        "ONEWRITER_DATA_DIR": str(folder),
    }
    runtime = Runtime(load(environment, folder))
    runtime.prepare()
    return runtime


# ---- The inbox ------------------------------------------------------------------------------------------------------


def attempts(runtime: Runtime) -> dict[str, int]:
    with runtime.database.read() as db:
        return {row.webhook_id: row.attempts for row in db.execute(select(inbox_table))}


@ON_POSTGRES
@pytest.mark.req("K15")
def test_a_connection_that_ends_in_the_middle_of_a_batch_undoes_it_and_counts_for_nobody(tea: Tea) -> None:
    moment = now()
    made = [Delivery(tea.shop_id, f"w-{n}", "customers/create", body_of(n), moment) for n in range(1, 6)]
    put_in_inbox(tea.runtime, tea.vault, made)
    drain = Drain(tea.runtime.database, tea.runtime.vault, KEEP_DAYS)

    def nothing_was_done() -> None:
        assert tea.dump()["customers"] == {}, "all or nothing"
        assert [row["state"] for row in states_of(tea.runtime)["waiting"]] == ["waiting"] * 5
        assert set(attempts(tea.runtime).values()) == {0}

    assert at_every_statement(tea.runtime.database, lambda: drain.once(moment), nothing_was_done) >= 5
    assert sorted(tea.dump()["customers"]) == [1, 2, 3, 4, 5]
    with tea.runtime.database.read() as db:
        assert db.execute(select(func.count()).select_from(field_log)).scalar_one() == 5, "each was written once"


@ON_POSTGRES
@pytest.mark.req("K15")
@pytest.mark.parametrize("part", ["main", "keys"])
def test_a_drain_waits_for_a_database_that_is_gone_and_blames_no_delivery(tea: Tea, part: str) -> None:
    moment = now()
    put_in_inbox(tea.runtime, tea.vault, [Delivery(tea.shop_id, "w-1", "customers/create", body_of(1), moment)])
    with Runtime(tea.runtime.settings) as fresh:
        drain = Drain(fresh.database, fresh.vault, KEEP_DAYS)
        assert fresh.keys is not None, "the master key was proved before anything went away"
        with gone({"main": fresh.database, "keys": fresh.key_database}[part]):
            for _ in range(10):
                with pytest.raises(DatabaseBusy):
                    drain.once(moment)
        assert attempts(tea.runtime) == {"w-1": 0}
        assert drain.once(moment) == 1
    assert list(tea.dump()["customers"]) == [1]


# ---- Reading again --------------------------------------------------------------------------------------------------


def tries(shop: Joined) -> list[int]:
    with shop.runtime.database.read() as db:
        return list(db.execute(select(refetch_marks.c.tries)).scalars())


@ON_POSTGRES
@pytest.mark.req("K16")
def test_a_connection_that_ends_in_the_middle_of_a_read_leaves_its_marks(runtime: Runtime) -> None:
    with joined(runtime, 3) as shop:
        shop.carry_out()
        shop.follow()
        first, second, *_ = shop.shop.ids
        shop.shop.add_tags(first, ["gold"])
        shop.shop.add_tags(second, ["gold"])
        with runtime.database.write() as db:
            marks.set_marks(db, shop.shop_id, dict.fromkeys((first, second), frozenset({"test"})), now())
        refetch = Refetch(runtime.database, runtime.client, runtime.vault, now)
        held = shop.held()

        def nothing_was_done() -> None:
            assert shop.held() == held
            assert tries(shop) == [0, 0]

        assert at_every_statement(runtime.database, lambda: refetch.once(shop.shop_id), nothing_was_done) >= 3
        assert tries(shop) == []
        assert shop.held() == shop.truth()


@ON_POSTGRES
@pytest.mark.req("K16")
def test_a_read_waits_for_a_database_that_is_gone(runtime: Runtime) -> None:
    with joined(runtime, 1) as shop:
        shop.carry_out()
        shop.follow()
        [number] = shop.shop.ids
        with runtime.database.write() as db:
            marks.set_marks(db, shop.shop_id, {number: frozenset({"test"})}, now())
        for database in (runtime.database, runtime.key_database):
            with Runtime(runtime.settings) as fresh:
                assert fresh.keys is not None
                with gone(database), pytest.raises(OnewriterError):
                    Refetch(fresh.database, fresh.client, fresh.vault, now).once(shop.shop_id)
            assert tries(shop) == [0]
        assert shop.refetch() == 1
        assert shop.held() == shop.truth()


# ---- All of it ------------------------------------------------------------------------------------------------------


@ON_POSTGRES
@pytest.mark.req("K15")
@pytest.mark.time_limit(100)
def test_the_processes_of_the_service_outlive_a_database_that_goes_and_comes(tea: Tea, tmp_path: Path) -> None:
    runtime = tea.runtime
    with (
        started(runtime, "web", "--port", "0", log=tmp_path / "web") as web,
        started(runtime, "worker", log=tmp_path / "worker", worker_beat_s="1") as worker,
    ):
        url = web.told["url"]
        wait_until(lambda: send(url, 1)[0] == 200)
        wait_until(lambda: applied(runtime) == {"w-1"})
        with gone(runtime.database, runtime.key_database):
            assert send(url, 2) == (503, True)
        wait_until(lambda: send(url, 2)[0] == 200)
        wait_until(lambda: applied(runtime) == {"w-1", "w-2"})
        assert (web.process.poll(), worker.process.poll()) == (None, None)
        assert worker.stop() == 0
    assert set(attempts(runtime).values()) == {0}
    drain_all(runtime, now())
    assert sorted(tea.dump()["customers"]) == [1, 2]


def applied(runtime: Runtime) -> set[str]:
    try:
        return {row["webhook_id"] for row in states_of(runtime).get("done", [])}
    except (OnewriterError, SQLAlchemyError):
        return set()
