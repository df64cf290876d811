"""The import: customers a second from the first row to the last, by the code that a worker runs.

The shop is a sandbox in a process of its own, and the wait for its bulk operation is left out. The baseline is the bare
driver, which inserts the same finished rows (customers, sides, field log and keys, as the import left them) into
identical empty tables, with a commit in each of the two databases a batch; the best of three batch sizes counts.

All runs stream: the most memory that the import holds does not grow with the number of customers.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from typing import Any

from sqlalchemy import Table, select

from onewriter.bench.bare import Bare
from onewriter.bench.costs import Sampler
from onewriter.bench.figures import Cost, Figure
from onewriter.bench.parts import Caller, peak_mb, started
from onewriter.bench.stage import Place, Stage, connect, copy_shops, prepared, settings_of
from onewriter.customers import runs
from onewriter.db.engine import Database
from onewriter.db.keytables import subject_keys
from onewriter.db.tables import customers, field_log, sides
from onewriter.errors import Permanent
from onewriter.records import RunState
from onewriter.runtime import Runtime, now

DEFAULT = 100_000
"""Customers."""
BATCHES = (500, 2_000, 10_000)
"""Rows of each table in one transaction of the bare driver."""

MAIN = ((customers, customers.c.id), (sides, sides.c.customer_id), (field_log, field_log.c.id))


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Import a shop of `n` customers, then let the bare driver insert what came of it."""
    place = stage.place("import")
    with started("sandbox", customers=n) as sandbox:
        told = imported(place, connect(place, sandbox.hear()))
    bare = max(_bare(place, stage.place(f"bare-{batch}"), batch) for batch in BATCHES)
    costs = [Cost(name, share) for name, share in told["costs"][:3]]
    yield Figure("import", stage.database, n, told["rate"], bare, told["peak_mb"], largest_costs=costs)


def imported(place: Place, run: str) -> dict[str, Any]:
    """Carry the import run out in a process of its own; Permanent if it did not end well."""
    with started("import", place=place, run=run, alone=True) as part:
        told = part.hear()
    if told["state"] != RunState.DONE.value:
        raise Permanent(f"The import that was measured ended as {told['state']}: {told['reason']}")
    return told


def import_all(caller: Caller) -> None:
    """A part: carry out the one import run of a place. Only one that is alone there may be looked at for its costs."""
    from onewriter.workflows.carrying import carry_out

    run_id = caller.given["run"]
    with Runtime(settings_of(caller.given["place"])) as runtime:
        sampler = Sampler(waits=True)
        with sampler if caller.given["alone"] else nullcontext():
            carry_out(runtime, run_id)
        with runtime.database.read() as db:
            run = runs.get(db, run_id)
    told = {"state": run.state.value, "reason": run.reason, "rate": run.rate(now())}
    caller.tell(**told, ended=time.monotonic(), peak_mb=peak_mb(), costs=sampler.shares())


def _bare(source: Place, target: Place, batch: int) -> float:
    with started("bare import", source=source, target=target, batch=batch) as part:
        return float(part.hear()["rate"])


def insert_bare(caller: Caller) -> None:
    """A part: insert the finished rows of one place into another; reading them is not counted."""
    batch = caller.given["batch"]
    with prepared(caller.given["source"]) as source, prepared(caller.given["target"]) as target:
        copy_shops(source, target)
        with closing(Bare(target.database)) as main, closing(Bare(target.key_database)) as keys:
            count, took = 0, 0.0
            for rows in finished(source, batch):
                began = time.perf_counter()
                _insert(main, keys, rows)
                took += time.perf_counter() - began
                count += len(rows[0])
    caller.tell(rate=count / took if took else 0.0)


def finished(source: Runtime, batch: int) -> Iterator[tuple[Sequence[Any], ...]]:
    """Rows of customers, sides, field log and keys, so many of each at a time, in the order they were written."""
    streams = [_stream(source.database, table, order, batch) for table, order in MAIN]
    streams.append(_stream(source.key_database, subject_keys, subject_keys.c.id, batch))
    return zip(*streams, strict=True)


def _stream(database: Database, table: Table, order: Any, batch: int) -> Iterator[Sequence[Any]]:
    with database.read() as db:
        result = db.execution_options(yield_per=batch).execute(select(table).order_by(order))
        for rows in result.partitions(batch):
            yield [tuple(row) for row in rows]


def _insert(main: Bare, keys: Bare, rows: tuple[Sequence[Any], ...]) -> None:
    with keys.transaction():
        keys.insert(subject_keys, rows[-1])
    with main.transaction():
        for (table, _order), some in zip(MAIN, rows, strict=False):
            main.insert(table, some)
