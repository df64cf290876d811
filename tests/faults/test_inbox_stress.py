"""The inbox under stress: poison, floods, several workers and full disks. Each delivery once, in order."""

import json
import resource
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from onewriter.customers import inbox, questions
from onewriter.db.engine import Database
from onewriter.db.tables import field_log
from onewriter.db.tables import inbox as inbox_table
from onewriter.errors import DatabaseBusy
from onewriter.intake.drain import Drain
from onewriter.records import DAY, HOUR, SECOND, Delivery, Instant
from onewriter.rules.retry import ATTEMPTS_MAX
from onewriter.runtime import Runtime, now
from tests.support.doors import knock, serving, signed
from tests.support.joined import KEEP_DAYS, drain_all, put_in_inbox, states_of
from tests.support.processes import started, wait_until
from tests.support.raw import ON_SQLITE
from tests.support.shops import DOMAIN, SECRET, Tea


def body_of(number: int, turn: int = 0, **fields: Any) -> bytes:
    """The body of a customers/update; each turn is a second later than the one before."""
    updated = f"2026-03-02T10:{turn // 60:02d}:{turn % 60:02d}+00:00"
    return json.dumps({"id": number, "updated_at": updated, "first_name": f"Name {turn}"} | fields).encode()


def update_of(tea: Tea, name: str, body: bytes, received: Instant) -> Delivery:
    return Delivery(tea.shop_id, name, "customers/update", body, received)


def attempts(runtime: Runtime) -> set[int]:
    with runtime.database.read() as db:
        return set(db.execute(select(inbox_table.c.attempts)).scalars())


# ---- Poison ---------------------------------------------------------------------------------------------------------


@contextmanager
def poison(database: Database, number: int, error: Callable[[], Exception]) -> Iterator[None]:
    """A database that fails whenever this customer is written down, whatever the reason."""

    def before(_db: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if ("customers" in statement or "sides" in statement) and str(number) in str(parameters):
            raise error()

    event.listen(database.engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", before)


@pytest.mark.req("K15")
def test_poison_in_a_flood_holds_nobody_back_and_ends_parked_with_a_question(tea: Tea, now: Instant) -> None:
    people = [*range(1, 41), 666_666]
    made = [update_of(tea, f"{n}-{turn}", body_of(n, turn), now) for turn in range(5) for n in people]
    put_in_inbox(tea.runtime, tea.vault, made)
    drain, moment = Drain(tea.runtime.database, tea.runtime.vault, KEEP_DAYS), now
    with poison(tea.runtime.database, 666_666, lambda: ZeroDivisionError("canary")):
        while drain.once(moment):
            pass
        assert sorted(tea.dump()["customers"]) == people[:-1], "nobody waits for it"
        rounds = 0
        while "waiting" in states_of(tea.runtime):
            rounds, moment = rounds + 1, moment + HOUR // 2
            assert rounds <= ATTEMPTS_MAX
            while drain.once(moment):
                pass
    parked = states_of(tea.runtime)["parked"]
    assert [row["webhook_id"] for row in parked] == [f"666666-{turn}" for turn in range(5)]
    assert {row["outcome"] for row in parked} == {f"failed {ATTEMPTS_MAX} times (ZeroDivisionError)"}
    with tea.runtime.database.write() as db:
        asked = questions.waiting(db, 100)
        assert [each.subject for each in asked] == [str(row["position"]) for row in parked]
        for row in parked:
            inbox.retry(db, row["position"])
    while drain.once(moment):
        pass
    assert states_of(tea.runtime).keys() == {"done"}
    assert tea.dump()["customers"][666_666]["fields"]["first_name"] == "Name 4", "later ones did not go before"


@pytest.mark.req("K15")
def test_poison_and_an_outage_together_count_the_poison_only(tea: Tea, now: Instant) -> None:
    made = [update_of(tea, f"w-{n}", body_of(n), now) for n in (1, 2, 666_666)]
    put_in_inbox(tea.runtime, tea.vault, made)
    drain = Drain(tea.runtime.database, tea.runtime.vault, KEEP_DAYS)
    with poison(tea.runtime.database, 666_666, ZeroDivisionError):
        with poison(tea.runtime.database, 2, lambda: DatabaseBusy("The disk is full.")), pytest.raises(DatabaseBusy):
            drain.once(now)
        assert attempts(tea.runtime) == {0}
        assert drain.once(now) == 3
    states = {row["webhook_id"]: row["attempts"] for row in states_of(tea.runtime)["waiting"]}
    assert states == {"w-666666": 1}


@pytest.mark.req("K15")
@pytest.mark.parametrize("put_off_at", [DAY, -DAY, 0], ids=["a day ahead", "a day back", "right"])
def test_what_was_put_off_by_another_clock_is_tried_again_when_its_time_comes(
    tea: Tea, now: Instant, put_off_at: Instant
) -> None:
    put_in_inbox(tea.runtime, tea.vault, [update_of(tea, "w-1", body_of(5), now)])
    drain = Drain(tea.runtime.database, tea.runtime.vault, KEEP_DAYS)
    with poison(tea.runtime.database, 5, ZeroDivisionError):
        assert drain.once(now + put_off_at) == 1
    if put_off_at == 0:
        assert drain.once(now) == 0
    assert drain.once(now + 2 * SECOND) == 1
    assert list(tea.dump()["customers"]) == [5]


# ---- Several workers ------------------------------------------------------------------------------------------------


@dataclass
class Batch:
    """What one transaction of a drain did: from when it knew its rows until it committed."""

    worker: int
    read: float
    positions: list[int] = field(default_factory=list)
    committed: float = 0.0


@contextmanager
def watched(database: Database, worker: int, batches: list[Batch]) -> Iterator[None]:
    """Write down every batch that is applied on this database."""
    under_way: dict[Connection, Batch] = {}

    def before(
        connection: Connection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> None:
        if statement.startswith("SELECT inbox.position, inbox.shop_id"):
            under_way[connection] = Batch(worker, time.monotonic())
        elif statement.startswith("UPDATE inbox") and connection in under_way:
            rows = parameters if many else [parameters]
            named = [row["b_position"] if isinstance(row, dict) else row[-1] for row in rows]
            under_way[connection].positions += named

    def commit(connection: Connection) -> None:
        batch = under_way.pop(connection, None)
        if batch is not None:
            batch.committed = time.monotonic()
            batches.append(batch)

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "commit", commit)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", before)
        event.remove(database.engine, "commit", commit)


@pytest.mark.req("K15")
def test_two_workers_never_interleave_one_customer_while_a_flood_arrives(tea: Tea, now: Instant) -> None:
    people, turns = range(1, 7), 50
    flood = [[update_of(tea, f"{n}-{turn}", body_of(n, turn), now) for n in people] for turn in range(turns)]
    batches: list[Batch] = []
    failures: list[BaseException] = []
    arrived = threading.Event()

    def arrive() -> None:
        for made in flood:
            put_in_inbox(tea.runtime, tea.vault, made)
        arrived.set()

    def work(number: int) -> None:
        try:
            with Runtime(tea.runtime.settings) as mine, watched(mine.database, number, batches):
                drain = Drain(mine.database, mine.vault, KEEP_DAYS)
                while not arrived.is_set() or "waiting" in states_of(mine):
                    drain.once(now)
        except BaseException as error:  # noqa: BLE001 - what goes wrong in a thread must be seen in the test
            failures.append(error)

    threads = [threading.Thread(target=arrive), *(threading.Thread(target=work, args=(n,)) for n in range(2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    check_each_customer_in_order(tea, batches, len(people) * turns)


def check_each_customer_in_order(tea: Tea, batches: list[Batch], total: int) -> None:
    """Each delivery was applied once; those of a customer one batch after the other, in the order of positions."""
    who = {row["position"]: row["webhook_id"].split("-")[0] for row in states_of(tea.runtime)["done"]}
    assert sorted(position for batch in batches for position in batch.positions) == sorted(who)
    assert len(who) == total
    by_customer: dict[str, list[tuple[float, float, list[int]]]] = defaultdict(list)
    for batch in batches:
        mine: dict[str, list[int]] = defaultdict(list)
        for position in batch.positions:
            mine[who[position]].append(position)
        for customer, positions in mine.items():
            by_customer[customer].append((batch.read, batch.committed, positions))
    for turns in by_customer.values():
        turns.sort()
        for (_, committed, before), (read, _, after) in pairwise(turns):
            assert committed <= read, "nobody reads a customer's rows before the one who had them has committed"
            assert max(before) < min(after)
    with tea.runtime.database.read() as db:
        log = db.execute(select(field_log.c.customer_id, field_log.c.cause).where(field_log.c.accepted)).all()
    assert len(log) == len({row.cause for row in log}) == total, "each was newer than all before it, and written once"


# ---- A full disk ----------------------------------------------------------------------------------------------------


def send(url: str, number: int, **fields: Any) -> int:
    body = body_of(number, **fields)
    answer = knock(url, body, signed(body, SECRET, DOMAIN, f"w-{number}"))
    assert answer.status_code in (200, 503)
    assert ("Retry-After" in answer.headers) == (answer.status_code == 503)
    return answer.status_code


def kept(runtime: Runtime) -> set[str]:
    with runtime.database.read() as db:
        return set(db.execute(select(inbox_table.c.webhook_id)).scalars())


@contextmanager
def room_for(database: Database, pages: int) -> Iterator[None]:
    """A file that can grow by so many pages and then no more, as on a disk that is full."""
    with database.read() as db:
        most = db.exec_driver_sql("PRAGMA page_count").scalar_one() + pages

    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={most}")

    event.listen(database.engine, "connect", limit)
    database.close()
    try:
        yield
    finally:
        event.remove(database.engine, "connect", limit)
        database.close()


@ON_SQLITE
@pytest.mark.req("K15")
def test_on_a_full_disk_the_door_takes_what_fits_and_goes_on_when_there_is_room(tea: Tea) -> None:
    with serving(tea.runtime) as url:
        with room_for(tea.runtime.database, 8):
            answers = {f"w-{n}": send(url, n, note="n" * 8_000) for n in range(1, 9)}
            taken = {name for name, status in answers.items() if status == 200}
            assert 0 < len(taken) < 8
            assert kept(tea.runtime) == taken, "exactly what was acknowledged"
        assert {send(url, n, note="n" * 8_000) for n in range(1, 9)} == {200}
    assert len(kept(tea.runtime)) == 8
    drain_all(tea.runtime, now())
    assert states_of(tea.runtime).keys() == {"done"}


@ON_SQLITE
@pytest.mark.req("K15")
def test_a_full_disk_undoes_the_batch_and_counts_for_no_delivery(tea: Tea) -> None:
    moment = now()
    made = [update_of(tea, f"w-{n}", body_of(n, note="n" * 4_000), moment) for n in range(1, 31)]
    put_in_inbox(tea.runtime, tea.vault, made)
    drain = Drain(tea.runtime.database, tea.runtime.vault, KEEP_DAYS)
    with room_for(tea.runtime.database, 2):
        for _ in range(ATTEMPTS_MAX + 1):
            with pytest.raises(DatabaseBusy):
                drain.once(moment)
    assert (attempts(tea.runtime), tea.dump()["customers"]) == ({0}, {})
    assert drain.once(moment) == 30
    assert states_of(tea.runtime).keys() == {"done"}


def limit_files(pid: int, most: int) -> None:
    """Let no file of a process grow beyond so many bytes, as a full disk does; the writes fail in the middle."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))


LONG = "n" * 60_000
"""Eight of these are more than an empty database, so that its journal grows beyond the limit."""


@ON_SQLITE
@pytest.mark.req("K15")
@pytest.mark.time_limit(100)
def test_real_processes_on_a_full_disk_lose_nothing_and_go_on_when_there_is_room(tea: Tea, tmp_path: Path) -> None:
    runtime, people = tea.runtime, range(1, 9)
    with (
        started(runtime, "web", "--port", "0", log=tmp_path / "web") as web,
        started(runtime, "worker", log=tmp_path / "worker") as worker,
    ):
        url, pids = web.told["url"], (web.process.pid, worker.process.pid)
        assert send(url, 1_000) == 200
        wait_until(lambda: states_of(runtime).keys() == {"done"})
        for pid in pids:
            limit_files(pid, largest(tmp_path) + 20_000)
        first = {n: send(url, n, note=LONG) for n in people}
        assert 503 in first.values(), "it was full"
        taken = {f"w-{n}" for n, status in first.items() if status == 200}
        assert taken <= kept(runtime)
        for pid in pids:
            limit_files(pid, resource.RLIM_INFINITY)
        wait_until(lambda: send(url, 1, note=LONG) == 200)
        assert {send(url, n, note=LONG) for n in people} == {200}
        wait_until(lambda: states_of(runtime).keys() == {"done"})
        assert worker.stop() == 0
    assert kept(runtime) == {"w-1000", *(f"w-{n}" for n in people)}
    assert attempts(runtime) == {0}, "no delivery was blamed"
    assert len(tea.dump()["customers"]) == len(people) + 1


def largest(folder: Path) -> int:
    return max(path.stat().st_size for path in folder.rglob("*") if path.is_file())
