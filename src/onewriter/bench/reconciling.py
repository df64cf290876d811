"""The full reconcile of a shop where nothing has changed: rows a second from the first to the last, and what it writes.

The shop is a sandbox in a process of its own, and the wait for its bulk operation is left out. The baseline does the
least that can be done with the same rows: it reads the same file by the same client, digests each line, and asks the
bare driver for the digests of the same customers, as many at a time.

Nothing may be written but how far the run is: the measurement fails if any other row of the database has changed.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

from sqlalchemy import select

from onewriter.bench.costs import Sampler
from onewriter.bench.figures import Cost, Figure
from onewriter.bench.importing import imported
from onewriter.bench.parts import Caller, peak_mb, started
from onewriter.bench.stage import Place, Stage, connect, settings_of
from onewriter.customers import runs, shops
from onewriter.db import tables
from onewriter.errors import Permanent
from onewriter.records import SECOND, RunState
from onewriter.runtime import Runtime, now
from onewriter.shopify import bulk
from onewriter.vault.vault import ShopVault

DEFAULT = 100_000
"""Customers."""
LINES = 2_000
"""Lines that the baseline asks the database about at a time."""
TELLING = ("runs", "workers", "shops", "systems")
"""The tables in which a run tells how far it is."""


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Import a shop of `n` customers, and reconcile it with nothing changed."""
    place = stage.place("reconcile")
    with started("sandbox", customers=n) as sandbox:
        imported(place, connect(place, sandbox.hear()))
        before = fingerprint(place)
        with started("reconcile", place=place) as part:
            told = part.hear()
        with started("bare reconcile", place=place, n=n) as part:
            bare = part.hear()
    _check(told, n, sorted(name for name, print_ in fingerprint(place).items() if before[name] != print_))
    costs = [Cost(name, share) for name, share in told["costs"][:3]]
    yield Figure("reconcile", stage.database, n, told["rate"], bare["rate"], told["peak_mb"], largest_costs=costs)


def _check(told: dict[str, Any], n: int, changed: list[str]) -> None:
    if told["state"] != RunState.DONE.value:
        raise Permanent(f"The reconcile that was measured ended as {told['state']}: {told['reason']}")
    if told["counts"] != {"read": n, "unchanged": n} or changed:
        raise Permanent(f"Nothing had changed, and yet: {told['counts']}; tables written: {changed}")


def fingerprint(place: Place) -> dict[str, int]:
    """A number for each table of an installation that is another one as soon as one of its rows is."""
    found = {}
    with Runtime(settings_of(place)) as runtime, runtime.database.read() as db:
        for name, table in tables.metadata.tables.items():
            if name not in TELLING:
                rows = db.execution_options(yield_per=LINES).execute(select(table))
                found[name] = sum(hash(str(tuple(row))) for row in rows)
    return found


def reconcile_all(caller: Caller) -> None:
    """A part: carry out a full reconcile of the one shop of a place."""
    from onewriter.workflows.carrying import carry_out
    from onewriter.workflows.reconciling import queue

    with Runtime(settings_of(caller.given["place"])) as runtime:
        with runtime.database.write() as db:
            run_id = queue(runtime, db, shops.every(db)[0].id, "bench", now())
        with Sampler(waits=True) as sampler:
            carry_out(runtime, run_id)
        with runtime.database.read() as db:
            run = runs.get(db, run_id)
    told = {"state": run.state.value, "reason": run.reason, "counts": dict(run.counts), "rate": run.rate(now())}
    caller.tell(**told, peak_mb=peak_mb(), costs=sampler.shares())


def compare_bare(caller: Caller) -> None:
    """A part: read a bulk file, digest its lines, and ask for the digests that we hold of the same customers."""
    with Runtime(settings_of(caller.given["place"])) as runtime:
        with runtime.database.read() as db:
            shop = shops.every(db)[0]
        client, vault = runtime.client(shop.id), runtime.vault(shop.id)
        operation = bulk.wait(client, bulk.start_customers(client).id, deadline=now() + 600 * SECOND)
        mark = "?" if runtime.database.is_sqlite else "%s"
        began, count, same = time.perf_counter(), 0, 0
        stream = client.stream_lines(operation.url or "")
        with closing(runtime.database.engine.raw_connection()) as lent:
            while lines := list(islice(stream, LINES)):
                same += _same(lent.driver_connection, vault, lines, mark)
                count += len(lines)
        took = time.perf_counter() - began
    if not same == count == caller.given["n"]:
        raise Permanent(f"The baseline read {count} lines and knew {same} of them.")
    caller.tell(rate=count / took)


def _same(driver: Any, vault: ShopVault, lines: Sequence[bytes], mark: str) -> int:
    """How many of the lines have the digest that we hold."""
    digests = {line[30 : line.index(b'"', 30)].decode(): vault.key.raw_digest(line) for line in lines}
    marks = ", ".join([mark] * len(digests))
    asked = f"SELECT record_id, raw_digest FROM sides WHERE shop_id = {vault.shop_id} AND record_id IN ({marks})"
    cursor = driver.cursor()
    known = dict(cursor.execute(asked, list(digests)).fetchall())
    cursor.close()
    return sum(known.get(name) == digest for name, digest in digests.items())
