"""Rotation: keys of customers a second that a run wraps with a new master key, checkpoints and the last count included.

The keys are written in bulk, and not counted. The baseline is the bare driver, which writes the wrapped keys that the
run left behind over as many others, by the same statement and in transactions of the same size; it opens and seals
nothing, and reads nothing.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from sqlalchemy import bindparam, select

from onewriter.bench.bare import Bare
from onewriter.bench.costs import Sampler
from onewriter.bench.figures import Cost, Figure
from onewriter.bench.parts import Caller, peak_mb, started
from onewriter.bench.stage import Stage, prepared
from onewriter.customers import runs, shops
from onewriter.db.bulk import insert_rows
from onewriter.db.keytables import subject_keys
from onewriter.errors import Permanent
from onewriter.records import RunState
from onewriter.runtime import Runtime, now
from onewriter.vault.keystore import SUBJECT_BYTES, subject_name
from onewriter.vault.master import put_new_first
from onewriter.vault.rewrap import BATCH

DEFAULT = 100_000
"""Customers, each with its key."""
ROWS = 20_000
SHOP: dict[str, Any] = {"domain": "bench.myshopify.com", "admin_url": "", "public_url": "", "api_version": ""}
SHOP |= {"state": "disconnected", "scopes": [], "box": b"", "installed_at": 1, "connected_at": 1}
_NEXT = (
    select(subject_keys.c.master_id, subject_keys.c.wrapped, subject_keys.c.id)
    .where(subject_keys.c.id > bindparam("after"))
    .order_by(subject_keys.c.id)
    .limit(BATCH)
)


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Wrap `n` keys anew; beside it the bare driver."""
    place = stage.place("rotate")
    with started("rotate", place=place, n=n) as part:
        told = part.hear()
    if told["wrapped"] != n:
        raise Permanent(f"The rotation that was measured wrapped {told['wrapped']} of {n} keys: {told['reason']}")
    with started("bare rotate", source=place, target=stage.place("bare"), n=n) as part:
        bare = part.hear()
    costs = [Cost(name, share) for name, share in told["costs"][:3]]
    rate, baseline = n / told["took"], n / bare["took"]
    yield Figure("rotate", stage.database, n, rate, baseline, told["peak_mb"], largest_costs=costs)


def rotate_all(caller: Caller) -> None:
    """A part: make the keys of a place and another master key, and carry out the rotation."""
    from onewriter.workflows.carrying import carry_out

    with prepared(caller.given["place"]) as runtime:
        with runtime.database.write() as db:
            shop_id = shops.add(db, SHOP)
        _make(runtime, shop_id, caller.given["n"])
        put_new_first(runtime.settings.master_key_file)
        runtime.keys.masters.read_again(at_once=True)
        runtime.keys.prove(now())
        run_id = _queue(runtime, shop_id)
        sampler = Sampler(waits=True)
        began = time.perf_counter()
        with sampler:
            carry_out(runtime, run_id)
        took = time.perf_counter() - began
        with runtime.database.read() as db:
            run = runs.get(db, run_id)
    wrapped = run.counts.get("subject", 0) if run.state is RunState.DONE else 0
    caller.tell(wrapped=wrapped, reason=run.reason, took=took, peak_mb=peak_mb(), costs=sampler.shares())


def _queue(runtime: Runtime, shop_id: int) -> str:
    from onewriter.workflows import rotating

    with runtime.database.write() as db:
        return rotating.queue(runtime, db, shop_id, "bench", now())


def _make(runtime: Runtime, shop_id: int, n: int) -> None:
    master = runtime.keys.current
    for start in range(0, n, ROWS):
        count = min(ROWS, n - start)
        chance = sorted(os.urandom(12) for _ in range(count))
        ids = [start.to_bytes(4, "big") + each for each in chance]
        rows = [
            (each, shop_id, master.id, master.wrap(os.urandom(SUBJECT_BYTES), subject_name(shop_id, each)), None)
            for each in ids
        ]
        with runtime.key_database.write() as db:
            insert_rows(db, subject_keys, rows)


def rotate_bare(caller: Caller) -> None:
    """A part: write what the rotation of another place left over keys of the same ids; only the writing is counted."""
    took = 0.0
    with prepared(caller.given["source"]) as source, prepared(caller.given["target"]) as target:
        batches = list(_batches(source))
        with target.key_database.write() as db:
            for batch in batches:
                insert_rows(db, subject_keys, [(each, 1, "0" * 16, wrapped, None) for _master, wrapped, each in batch])
        with closing(Bare(target.key_database)) as bare:
            for batch in batches:
                began = time.perf_counter()
                with bare.transaction():
                    bare.replace_keys(batch)
                took += time.perf_counter() - began
    caller.tell(took=took)


def _batches(runtime: Runtime) -> Iterator[list[tuple[str, bytes, bytes]]]:
    after = b""
    while True:
        with runtime.key_database.read() as db:
            rows = [(row.master_id, bytes(row.wrapped), bytes(row.id)) for row in db.execute(_NEXT, {"after": after})]
        if not rows:
            return
        after = rows[-1][2]
        yield rows
