"""The purge: deleted customers whose time is over, a second, from the first to the last with the cleaning after it.

The shop was imported, so that each customer has its side, its log, its name in the index and its key. The baseline is
the bare driver, which deletes the same rows of the same tables by the customers' ids and empties the same keys, as many
at a time and with as many commits; it writes no receipt, leaves no tombstone, and cleans nothing.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import select, update

from onewriter.bench.bare import Bare
from onewriter.bench.costs import Sampler
from onewriter.bench.figures import Cost, Figure
from onewriter.bench.importing import imported
from onewriter.bench.parts import Caller, peak_mb, started
from onewriter.bench.stage import Stage, connect, settings_of
from onewriter.customers import runs, shops
from onewriter.customers.profiles import DELETED
from onewriter.db.keytables import subject_keys
from onewriter.db.tables import customers
from onewriter.errors import Permanent
from onewriter.records import DAY, SECOND, RunState
from onewriter.runtime import Runtime, new_run_id, now
from onewriter.workflows.purging import DUE, LIMIT, PIECE

DEFAULT = 100_000
"""Customers."""
TABLES = (("customers", "id"), ("sides", "customer_id"), ("field_log", "customer_id"), ("name_tokens", "customer_id"))


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Import a shop of `n` customers, let all of them be due, and purge them; beside it the bare driver."""
    place, bare_place = stage.place("purge"), stage.place("bare")
    for each in (place, bare_place):
        with started("sandbox", customers=n) as sandbox:
            imported(each, connect(each, sandbox.hear()))
    with started("purge", place=place) as part:
        told = part.hear()
    with started("bare purge", place=bare_place) as part:
        bare = part.hear()
    if told["purged"] != n:
        raise Permanent(f"The purge that was measured took {told['purged']} of {n} customers: {told['reason']}")
    costs = [Cost(name, share) for name, share in told["costs"][:3]]
    rate, baseline = n / told["took"], n / bare["took"]
    yield Figure("purge", stage.database, n, rate, baseline, told["peak_mb"], largest_costs=costs)


def purge_all(caller: Caller) -> None:
    """A part: carry out the purge of everybody in a place."""
    from onewriter.workflows.carrying import carry_out

    with Runtime(settings_of(caller.given["place"])) as runtime:
        run_id = _queue(runtime)
        sampler = Sampler(waits=True)
        began = time.perf_counter()
        with sampler:
            carry_out(runtime, run_id)
        took = time.perf_counter() - began
        with runtime.database.read() as db:
            run = runs.get(db, run_id)
    purged = run.done if run.state is RunState.DONE else 0
    caller.tell(purged=purged, reason=run.reason, took=took, peak_mb=peak_mb(), costs=sampler.shares())


def _queue(runtime: Runtime) -> str:
    """Delete everybody in Shopify long ago, and queue the purge as if a person had agreed to it."""
    moment = now()
    run_id = new_run_id(moment)
    with runtime.database.write() as db:
        shop = shops.every(db)[0]
        shops.change(db, shop.id, {"shopify_date": moment, "shopify_date_heard": moment})
        long_ago = moment - 91 * DAY
        gone = {"state": DELETED, "deleted_at": long_ago, "confirmed_at": long_ago + SECOND}
        count = db.execute(update(customers).values(**gone)).rowcount
        runs.add(db, run_id, shop.id, runs.PURGE, "bench", moment, checkpoint={LIMIT: count, DUE: count})
    return run_id


def purge_bare(caller: Caller) -> None:
    """A part: delete the same rows by the bare driver; reading the ids is not counted."""
    with Runtime(settings_of(caller.given["place"])) as runtime:
        with runtime.database.read() as db:
            ids = [bytes(each) for each in db.execute(select(customers.c.id).order_by(customers.c.id)).scalars()]
        with closing(Bare(runtime.database)) as main, closing(Bare(runtime.key_database)) as keys:
            began = time.perf_counter()
            for start in range(0, len(ids), PIECE):
                _delete(main, keys, ids[start : start + PIECE])
            took = time.perf_counter() - began
    caller.tell(took=took)


def _delete(main: Bare, keys: Bare, ids: Sequence[Any]) -> None:
    with main.transaction():
        for table, column in TABLES:
            main.by_ids(f"DELETE FROM {table} WHERE {column}", ids)
    with keys.transaction():
        keys.by_ids(f"UPDATE {subject_keys.name} SET wrapped = NULL WHERE id", ids)
