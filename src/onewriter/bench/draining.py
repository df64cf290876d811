"""The drain: deliveries a second from the inbox into customers, by the code that a worker runs.

Three of four deliveries update a customer that an import has brought, the fourth tells of a new one. The baseline is
the bare driver, which writes what the drain left behind in batches of the same size: each delivery's customer and side
as they are in the end (inserted, or written over), its lines of the field log, the keys and marks of new customers, and
the inbox row as done. It opens, decides and seals nothing, and reads nothing back.
"""

import asyncio
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, insert, select

from onewriter.bench.bare import Bare
from onewriter.bench.costs import Sampler
from onewriter.bench.figures import Cost, Figure
from onewriter.bench.importing import imported
from onewriter.bench.parts import Caller, peak_mb, started
from onewriter.bench.stage import SEED, Place, Stage, connect, copy_shops, prepared, settings_of
from onewriter.customers.inbox import DONE, WAITING, counts
from onewriter.db.keytables import subject_keys
from onewriter.db.tables import customers, field_log, inbox, refetch_marks, shops, sides
from onewriter.errors import Permanent
from onewriter.intake.door import QUEUE_MAX, Door
from onewriter.intake.drain import BATCH, Drain
from onewriter.records import Delivery
from onewriter.runtime import Runtime, now

DEFAULT = 20_000
"""Deliveries."""
SHOP_SHARE = 4
"""Deliveries for each customer that the shop has at the start."""
AT_ONCE = QUEUE_MAX // 2


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Fill the inbox with `n` deliveries, drain it, then let the bare driver write the same."""
    place = stage.place("drain")
    shop_size = max(1, n // SHOP_SHARE)
    with started("sandbox", customers=shop_size) as sandbox:
        imported(place, connect(place, sandbox.hear()))
    asyncio.run(_fill(place, n, shop_size))
    with started("drain", place=place) as part:
        told = part.hear()
    if told["states"] != {DONE: n}:
        raise Permanent(f"The drain that was measured left the inbox as {told['states']}, and not {n} as done.")
    with started("bare drain", source=place, target=stage.place("bare")) as part:
        bare = part.hear()["rate"]
    costs = [Cost(name, share) for name, share in told["costs"][:3]]
    yield Figure("drain", stage.database, n, n / told["took"], bare, told["peak_mb"], largest_costs=costs)


# ---- The inbox ------------------------------------------------------------------------------------------------------


async def _fill(place: Place, n: int, shop_size: int) -> None:
    """Send the deliveries through the real door."""
    with Runtime(settings_of(place)) as runtime:
        with runtime.database.read() as db:
            shop_id = db.execute(select(shops.c.id)).scalar_one()
        vault, door = runtime.vault(shop_id), Door(runtime.database, None)
        told = list(_deliveries(n, shop_size))
        for start in range(0, n, AT_ONCE):
            deliveries = [
                Delivery(shop_id, str(uuid.uuid4()), topic, body, now(), triggered=now())
                for topic, body in told[start : start + AT_ONCE]
            ]
            await asyncio.gather(*(door.receive(delivery, vault) for delivery in deliveries))
        door.close()


def _deliveries(n: int, shop_size: int) -> Iterator[tuple[str, bytes]]:
    """Topics and bodies, mixed; updates of one customer keep their order, as nearly all do."""
    from onewriter.sandbox import payloads
    from onewriter.sandbox.seeding import seeded

    rng = Random(SEED)
    records = list(seeded(shop_size + n // SHOP_SHARE + 1, SEED + 1))
    known = [replace(record, id=old.id) for record, old in zip(records, seeded(shop_size, SEED), strict=False)]
    newcomers = iter(records[shop_size:])
    for number in range(n):
        if number % SHOP_SHARE == 0:
            newcomer = next(newcomers)
            newcomer = replace(newcomer, id=newcomer.id + 1)
            yield "customers/create", msgspec.json.encode(payloads.customer(newcomer))
        else:
            someone = known[int(rng.random() * shop_size)]
            newer = replace(someone, updated_at=2_000_000_000 + number, note=f"Asked for delivery {number}")
            yield "customers/update", msgspec.json.encode(payloads.customer(newer))


def drain_all(caller: Caller) -> None:
    """A part: drain the inbox until nothing waits."""
    with Runtime(settings_of(caller.given["place"])) as runtime:
        drain = Drain(runtime.database, runtime.vault, runtime.settings.number("inbox_keep_days"))
        with runtime.database.read() as db:
            shop_id = db.execute(select(shops.c.id)).scalar_one()
        runtime.vault(shop_id)  # a worker has it open
        with Sampler(waits=True) as sampler:
            began = time.perf_counter()
            while drain.once(now()):
                pass
            took = time.perf_counter() - began
        with runtime.database.read() as db:
            states = counts(db)
    caller.tell(took=took, states=states, peak_mb=peak_mb(), costs=sampler.shares())


# ---- The baseline ---------------------------------------------------------------------------------------------------

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Written:
    """What one batch of deliveries left behind."""

    positions: Sequence[int]
    customers: Rows
    sides: Rows
    log: Rows
    marks: Rows
    keys: Rows


def write_bare(caller: Caller) -> None:
    """A part: write what the drain of one place left behind into another, where the inbox still waits."""
    with prepared(caller.given["source"]) as source, prepared(caller.given["target"]) as target:
        copy_shops(source, target)
        new = _new_customers(source)
        _copy_before(source, target, new)
        batches = list(_batches(source, new))
        with closing(Bare(target.database)) as main, closing(Bare(target.key_database)) as keys:
            began = time.perf_counter()
            for written in batches:
                _write(main, keys, written)
            took = time.perf_counter() - began
    caller.tell(rate=sum(len(written.positions) for written in batches) / took)


def _new_customers(source: Runtime) -> frozenset[bytes]:
    """The customers whom a delivery told of first; an import leaves a read behind."""
    with source.database.read() as db:
        query = select(sides.c.customer_id).where(sides.c.read_began.is_(None))
        return frozenset(bytes(found) for found in db.execute(query).scalars())


def _copy_before(source: Runtime, target: Runtime, new: frozenset[bytes]) -> None:
    """The state before the drain: the customers of the import, and every delivery waiting."""
    with source.database.read() as read, target.database.write() as write:
        for table, owner in ((customers, "id"), (sides, "customer_id")):
            old = [dict(row) for row in read.execute(select(table)).mappings() if bytes(row[owner]) not in new]
            write.execute(insert(table), old)
        waiting = [dict(row) | {"state": WAITING} for row in read.execute(select(inbox)).mappings()]
        write.execute(insert(inbox), waiting)


def _batches(source: Runtime, new: frozenset[bytes]) -> Iterator[_Written]:
    with source.database.read() as db:
        known = {bytes(row[0]): row for row in _all(db, customers)}
        their_sides = {bytes(row[3]): row for row in _all(db, sides)}
        marks = {row[1]: row for row in _all(db, refetch_marks)}
        log: dict[int, Rows] = {}
        for row in _all(db, field_log):
            if row[7] is not None:
                log.setdefault(row[7], []).append(row)
        positions = list(db.execute(select(inbox.c.position).order_by(inbox.c.position)).scalars())
    with source.key_database.read() as db:
        keys = {bytes(row[0]): row for row in _all(db, subject_keys)}
    for start in range(0, len(positions), BATCH):
        some = positions[start : start + BATCH]
        lines = [line for position in some for line in log.get(position, ())]
        touched = dict.fromkeys(bytes(line[2]) for line in lines)
        made = [known[identity] for identity in touched if identity in new]
        yield _Written(
            some,
            [known[identity] for identity in touched],
            [their_sides[identity] for identity in touched],
            lines,
            [marks[row[2]] for row in made],
            [keys[bytes(row[0])] for row in made],
        )


def _all(db: Connection, table: Table) -> Rows:
    return [tuple(row) for row in db.execute(select(table))]


def _write(main: Bare, keys: Bare, written: _Written) -> None:
    if written.keys:
        with keys.transaction():
            keys.insert(subject_keys, written.keys)
    with main.transaction():
        main.upsert(customers, written.customers)
        main.upsert(sides, written.sides)
        main.insert(field_log, written.log)
        main.insert(refetch_marks, written.marks)
        main.end_deliveries([(DONE, "changed", now(), position) for position in written.positions])
