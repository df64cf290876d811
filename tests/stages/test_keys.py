"""Master keys: they are replaced while everything works on, and nothing opens the worse for it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from onewriter.customers import runs, shops
from onewriter.customers.runs import AlreadyRunning, Run
from onewriter.db import keytables
from onewriter.db.tables import runs as run_table
from onewriter.errors import KeyDestroyed, MasterKeyWrong
from onewriter.records import DAY, HOUR, Instant, RunState
from onewriter.runtime import Runtime
from onewriter.vault import chain, rewrap
from onewriter.vault.keystore import KeyStore
from onewriter.vault.master import parse_keys, put_new_first
from onewriter.vault.standing import CURRENT, GONE, HERE, MISSING, Standing, standings
from onewriter.workflows import rotating
from onewriter.workflows.carrying import carry_out
from tests.support.shops import Tea


@dataclass
class Ring:
    """A shop with keys of every kind, and what a person does to its master keys."""

    tea: Tea
    now: Instant
    subjects: list[bytes]
    first: str

    @property
    def file(self) -> Path:
        return self.tea.runtime.settings.master_key_file

    def add(self) -> str:
        """Put a new master key first, as `keys create` does in a process of its own."""
        put_new_first(self.file)
        with self.process() as other:
            other.keys.prove(self.now + HOUR)
            return other.keys.current.id

    def take_out(self, master_id: str) -> None:
        left = [line for line in self.file.read_text().splitlines() if parse_keys(line)[0].id != master_id]
        self.file.write_text("\n".join(left))

    def process(self) -> Runtime:
        """Another process."""
        return Runtime(self.tea.runtime.settings, clock=lambda: self.now + 2 * HOUR)

    def opens(self, runtime: Runtime) -> None:
        """Everything opens in a process."""
        keys, shop_id = runtime.keys, self.tea.shop_id
        assert len(keys.subject_keys(self.subjects)) == len(self.subjects)
        assert keys.shop_key(shop_id).token("email", "x") == self.tea.vault.key.token("email", "x")
        assert keys.day_key(shop_id, 7)
        assert chain.opened(keys, "access")

    def rotate(self, before_batch: Callable[[int], None] = lambda _number: None) -> Run:
        """Queue a rotation and carry it out as a worker would."""
        with self.process() as worker:
            run_id = self.queued()
            with Watched(worker, before_batch):
                carry_out(worker, run_id, sleep=lambda _s: None)
        return self.run(run_id)

    def queued(self) -> str:
        with self.process() as command, command.database.write() as db:
            return rotating.queue(command, db, self.tea.shop_id, "user:ann", self.now)

    def run(self, run_id: str) -> Run:
        with self.tea.runtime.database.read() as db:
            return runs.get(db, run_id)

    def standing(self) -> dict[str, Standing]:
        with self.process() as other, other.key_database.read() as db:
            return {one.id: one for one in standings(db, other.keys)}

    def rows(self) -> list[Any]:
        tables = (*(kind.table for kind in rewrap.KINDS), keytables.log_heads)
        with self.tea.runtime.key_database.read() as db:
            return [row for table in tables for row in db.execute(select(table).order_by(*table.primary_key.columns))]


class Watched:
    """Calls `before_batch` with the number of each batch that a process is about to wrap."""

    def __init__(self, runtime: Runtime, before_batch: Callable[[int], None]) -> None:
        self._engine, self._before, self._count = runtime.key_database.engine, before_batch, 0

    def __enter__(self) -> None:
        event.listen(self._engine, "before_cursor_execute", self._look)

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._look)

    def _look(self, _db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE") and "wrapped" in statement:
            self._count += 1
            self._before(self._count)


@pytest.fixture
def ring(tea: Tea, now: Instant, monkeypatch: pytest.MonkeyPatch) -> Ring:
    keys = tea.runtime.keys
    subjects = [identity for identity, _key in keys.make_subject_keys(tea.shop_id, 25, now)]
    keys.day_key_for_writing(tea.shop_id, 7, now)
    keys.make_shop_key(99, now)
    chain.opened_for_writing(keys, "access", now)
    # The fixture's clock is that of the machine, and a master key is older than another by its time.
    with tea.runtime.key_database.write() as db:
        db.execute(update(keytables.master_keys).values(made_at=now))
    monkeypatch.setattr(rewrap.wrap_batch, "__defaults__", (10,))
    return Ring(tea, now, subjects, keys.current.id)


def test_a_service_that_runs_opens_what_is_wrapped_with_a_key_that_came_later(ring: Ring) -> None:
    service = ring.tea.runtime
    new = ring.add()
    with ring.process() as other:
        made = other.keys.make_subject_keys(ring.tea.shop_id, 1, ring.now)
    assert service.keys.current.id == ring.first
    assert service.keys.subject_keys([made[0][0]])
    assert service.keys.current.id == new, "and what it makes is wrapped with it"


def test_a_service_that_runs_wraps_new_keys_with_the_newest_master_key(ring: Ring) -> None:
    new = ring.add()
    [(identity, _key)] = ring.tea.runtime.keys.make_subject_keys(ring.tea.shop_id, 1, ring.now)
    with ring.tea.runtime.key_database.read() as db:
        table = keytables.subject_keys
        assert db.execute(select(table.c.master_id).where(table.c.id == identity)).scalar_one() == new


@pytest.mark.req("K5")
def test_after_a_rotation_the_old_master_key_may_be_taken_out(ring: Ring) -> None:
    new = ring.add()
    before = ring.standing()
    assert (before[new].state, before[ring.first].state, before[ring.first].may_retire) == (CURRENT, HERE, True)
    run = ring.rotate()
    assert (run.state, run.done, run.total, run.counts["subject"]) == (RunState.DONE, 27, 27, 25)
    assert not ring.standing()[ring.first].may_go, "the log and another shop still need it"
    with ring.process() as command:
        assert rewrap.wrap_logs(command.keys, command.keys.current) == 1
        rewrap.wrap_all(command.keys, command.keys.current, 99)
        assert rewrap.retire_older(command.keys, command.keys.current, ring.now + 2 * HOUR) == [ring.first]
    after = ring.standing()
    assert (after[ring.first].wraps, after[ring.first].may_go, after[new].wraps) == (0, True, 29)
    ring.take_out(ring.first)
    assert ring.standing()[ring.first].state == GONE
    with ring.process() as later:
        ring.opens(later)
    ring.opens(ring.tea.runtime)


def test_a_rotation_that_is_killed_goes_on_where_it_was(ring: Ring) -> None:
    ring.add()
    run_id = ring.queued()

    def killed(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with ring.process() as worker, Watched(worker, killed), pytest.raises(KeyboardInterrupt):
        carry_out(worker, run_id)
    stood = ring.run(run_id)
    assert (stood.state, stood.done, stood.total) == (RunState.RUNNING, 20, 27)
    counted: list[int] = []
    with ring.process() as worker, Watched(worker, counted.append):
        carry_out(worker, run_id)
    ended = ring.run(run_id)
    assert (ended.state, ended.done, ended.total, ended.attempt) == (RunState.DONE, 27, 27, 2)
    assert len(counted) == 3, "five customers, the shop and the day; nothing twice"
    ring.opens(ring.tea.runtime)


def test_a_batch_that_was_committed_before_the_worker_died_is_counted_once(ring: Ring) -> None:
    new = ring.add()
    run_id = ring.queued()
    with ring.process() as lost:
        rewrap.wrap_batch(lost.keys, lost.keys.current, ring.tea.shop_id, rewrap.KINDS[0], b"")
    with ring.process() as worker:
        carry_out(worker, run_id)
    assert (ring.run(run_id).state, ring.run(run_id).done, ring.run(run_id).total) == (RunState.DONE, 17, 17)
    assert ring.standing()[new].counts["subject"] == 25


def test_a_superseded_worker_stops(ring: Ring) -> None:
    ring.add()
    run_id = ring.queued()

    def taken_over(number: int) -> None:
        if number == 2:
            with ring.tea.runtime.database.write() as db:
                db.execute(update(run_table).values(attempt=run_table.c.attempt + 1))

    with ring.process() as worker, Watched(worker, taken_over):
        carry_out(worker, run_id)
    assert (ring.run(run_id).state, ring.run(run_id).done) == (RunState.RUNNING, 10)


def test_a_key_that_is_destroyed_meanwhile_stays_destroyed(ring: Ring) -> None:
    ring.add()
    gone = ring.subjects[3]

    def destroy(number: int) -> None:
        if number == 2:
            done.append(threading.Thread(target=ring.tea.runtime.keys.destroy_subjects, args=([gone, last], ring.now)))
            done[0].start()

    last, done = ring.subjects[15], list[threading.Thread]()
    run = ring.rotate(destroy)
    done[0].join()
    assert run.state is RunState.DONE
    for identity in (gone, last):
        with pytest.raises(KeyDestroyed):
            ring.tea.runtime.keys.subject_keys([identity])
    assert sum(row.wrapped is None for row in ring.rows()) == 2


def test_a_rotation_needs_no_connected_shop(ring: Ring) -> None:
    with ring.tea.runtime.database.write() as db:
        shops.disconnect(db, ring.tea.shop_id, ring.now)
    ring.add()
    assert ring.rotate().state is RunState.DONE


def test_one_rotation_of_a_shop_at_a_time(ring: Ring) -> None:
    ring.add()
    ring.queued()
    with pytest.raises(AlreadyRunning):
        ring.queued()


def test_a_second_rotation_finds_nothing_to_do(ring: Ring) -> None:
    ring.add()
    ring.rotate()
    rows = ring.rows()
    again = ring.rotate()
    assert (again.state, again.done, again.total) == (RunState.DONE, 0, 0)
    assert ring.rows() == rows


def test_an_old_master_key_that_is_taken_out_too_early_is_one_clear_sentence_and_no_harm(ring: Ring) -> None:
    new = ring.add()
    right, rows = ring.file.read_text(), ring.rows()
    ring.take_out(ring.first)
    assert ring.standing()[ring.first].state == MISSING
    run = ring.rotate()
    assert run.state is RunState.FAILED
    assert f"master key {ring.first} is missing; add it" in (run.reason or "")
    assert ring.rows() == rows
    ring.file.write_text(right)
    assert ring.rotate().state is RunState.DONE
    assert ring.standing()[new].counts["subject"] == 25


def test_a_worker_without_the_new_master_key_says_so(ring: Ring) -> None:
    old = ring.file.read_text()
    ring.add()
    run_id = ring.queued()
    ring.file.write_text(old)
    with ring.process() as worker:
        carry_out(worker, run_id)
    run = ring.run(run_id)
    assert (run.state, run.done) == (RunState.FAILED, 0)
    assert "The worker does not have the master key" in (run.reason or "")


def test_a_key_that_does_not_open_is_left_as_it_is_and_told(ring: Ring) -> None:
    with ring.tea.runtime.key_database.write() as db:
        table = keytables.subject_keys
        db.execute(update(table).where(table.c.id == ring.subjects[4]).values(wrapped=b"\x01" * 60))
    ring.add()
    run = ring.rotate()
    assert (run.state, run.counts["subject"], run.counts["not_opened"]) == (RunState.PARTIAL, 24, 1)
    assert "1 keys do not open with their master key" in (run.reason or "")


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_keys_that_another_process_wraps_with_the_old_one_meanwhile_are_wrapped_too(ring: Ring) -> None:
    """On SQLite nobody writes between two of our statements."""
    ring.add()

    def straggle(number: int) -> None:
        if number == 4:
            with ring.tea.runtime.key_database.engine.connect() as db, db.begin():
                row = {"shop_id": ring.tea.shop_id, "day": 8, "master_id": ring.first, "made_at": ring.now}
                box = old.wrap(b"k" * 32, f"day|{ring.tea.shop_id}|8".encode())
                db.execute(insert(keytables.day_keys).values(wrapped=box, **row))

    old = ring.tea.runtime.keys.master(ring.first)
    assert ring.rotate(straggle).done == 28
    assert ring.tea.runtime.keys.day_key(ring.tea.shop_id, 8)


# ---- A master key that was retired ----------------------------------------------------------------------------------


def retired(ring: Ring) -> None:
    ring.add()
    ring.rotate()
    with ring.process() as command:
        rewrap.wrap_logs(command.keys, command.keys.current)
        rewrap.wrap_all(command.keys, command.keys.current, 99)
        assert rewrap.retire_older(command.keys, command.keys.current, ring.now + 2 * HOUR) == [ring.first]


def test_nothing_is_wrapped_with_a_retired_master_key_again(ring: Ring) -> None:
    old = ring.file.read_text()
    keys = KeyStore(ring.tea.runtime.key_database, parse_keys(old), lambda: parse_keys(old))
    retired(ring)
    rows = ring.rows()
    for act in (
        lambda: keys.make_subject_keys(ring.tea.shop_id, 1, ring.now),
        lambda: keys.day_key_for_writing(ring.tea.shop_id, 9, ring.now),
        lambda: keys.make_shop_key(5, ring.now),
        lambda: keys.prove(ring.now),
    ):
        with pytest.raises(MasterKeyWrong, match=r"was replaced at .* put the newer one first"):
            act()
    assert ring.rows() == rows


def test_a_service_that_had_only_the_retired_one_takes_up_the_new_one_by_itself(ring: Ring) -> None:
    service = ring.tea.runtime.keys
    retired(ring)
    assert service.current.id == ring.first
    [(identity, _key)] = service.make_subject_keys(ring.tea.shop_id, 1, ring.now)
    ring.take_out(ring.first)
    with ring.process() as later:
        assert later.keys.subject_keys([identity])


def test_a_master_key_is_not_retired_while_somebody_wraps_with_it(ring: Ring) -> None:
    """On SQLite whoever retires waits for the writer; on PostgreSQL for the row that the writer holds."""
    ring.add()
    ring.rotate()
    slow, told = KeyStore(ring.tea.runtime.key_database, parse_keys(ring.file.read_text())[1:]), list[Any]()
    with ring.process() as command:
        to = command.keys.current
        rewrap.wrap_logs(command.keys, to)
        rewrap.wrap_all(command.keys, to, 99)
        retiring = threading.Thread(target=lambda: told.append(rewrap.retire_older(command.keys, to, ring.now)))
        with slow.database.write() as db:
            held = slow.hold(db, ring.now)
            retiring.start()
            row = {"shop_id": ring.tea.shop_id, "day": 11, "master_id": held.id, "made_at": ring.now}
            box = held.wrap(b"k" * 32, f"day|{ring.tea.shop_id}|11".encode())
            db.execute(insert(keytables.day_keys).values(wrapped=box, **row))
        retiring.join()
    assert told == [[]]
    assert ring.standing()[ring.first].wraps == 1


def test_a_master_key_that_wraps_nothing_yet_is_not_retired_by_a_rotation_to_an_older_one(ring: Ring) -> None:
    second = ring.add()
    run_id = ring.queued()
    put_new_first(ring.file)
    with ring.process() as other:
        other.keys.prove(ring.now + DAY)
        third = other.keys.current.id
        carry_out(other, run_id)
    assert ring.run(run_id).state is RunState.DONE
    found = ring.standing()
    assert (found[third].state, found[third].retired_at, found[second].retired_at) == (CURRENT, None, None)
