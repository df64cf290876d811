"""Runs that go on while somebody looks at them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from onewriter.customers import runs
from onewriter.customers.runs import Run
from onewriter.db.engine import Database
from onewriter.records import RunState
from onewriter.runtime import now


def begun(database: Database, shop_id: int, kind: str, done: int = 100, total: int = 1_000) -> Run:
    """A run, named live1, that has done so much."""
    with database.write() as db:
        runs.add(db, "live1", shop_id, kind, "user:test", now())
        run = runs.begin(db, "live1", now())
        runs.move(db, run, now(), done=done, total=total)
    return run


@contextmanager
def carried_on(database: Database, run: Run, each_s: float) -> Iterator[None]:
    """A worker that does a hundred each so many seconds, until all thousand are done."""

    def work() -> None:
        for done in range(200, 1_001, 100):
            time.sleep(each_s)
            with database.write() as db:
                runs.move(db, run, now(), done=done)
        with database.write() as db:
            runs.finish(db, run, RunState.DONE, None, now())

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        worker.join()
