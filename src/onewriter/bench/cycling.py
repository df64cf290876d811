"""Cycles of an SQL system: reading it for the first time, writing fields of each record, and finding nothing to do.

The shop is imported from a sandbox, and a table beside it has a record of each customer, without names and addresses.
What is measured is the code that a worker runs:

- the first reading: every record is taken in and linked to its customer by Shopify's number;
- send: every first and last name and every address is written, each record read before and after; what is counted are
  fields; beside it the bare driver, which updates the same columns in one transaction, and reads nothing;
- a cycle that finds nothing to do, by its cursor, as a run from its beginning to its end; beside it the bare query for
  what changed since.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, create_engine, select, text

from onewriter.bench.costs import Sampler
from onewriter.bench.figures import Cost, Figure
from onewriter.bench.importing import imported
from onewriter.bench.parts import Caller, peak_mb, started
from onewriter.bench.stage import Stage, connect, settings_of
from onewriter.connectors.sql_place import place as place_of
from onewriter.customers import policies, runs, shops, systems
from onewriter.db.tables import customers
from onewriter.errors import Permanent
from onewriter.intake import cycle
from onewriter.intake.cycle import Cycle
from onewriter.records import RunState
from onewriter.rules.policy import Direction, FieldMap, Policy
from onewriter.runtime import Runtime, now
from onewriter.workflows import cycling, reaching

DEFAULT = 100_000
"""Customers, each with a record in the system."""
SYSTEM = "crm"
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
TABLE = """CREATE TABLE people (
    id INTEGER PRIMARY KEY, shop_no VARCHAR(20),
    first VARCHAR(200), last VARCHAR(200), mail VARCHAR(200), updated TIMESTAMP NOT NULL
)"""
SENT = {"first_name": "first", "last_name": "last", "email": "mail"}
"""The fields that are written, and the columns that they stand in."""
MAPS = {
    name: FieldMap(remote=column, direction=Direction.OUT) for name, column in {"shopify_id": "shop_no", **SENT}.items()
}
ANY = 1_000_000_000
ROWS = 10_000
PIECE = 1_000
"""Rows of one statement of the baseline."""


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Import a shop of `n` customers, connect a table, and run its cycles."""
    place = stage.place("cycle")
    with started("sandbox", customers=n) as sandbox:
        imported(place, connect(place, sandbox.hear()))
    with started("cycle", place=place, url=stage.beside("crm")) as part:
        told = part.hear()
    if told["trouble"]:
        raise Permanent(f"The cycle that was measured did not do its work: {told['trouble']}")
    costs = [Cost(name, share) for name, share in told["costs"][:3]]
    read, quiet = told["read_s"], told["quiet_s"]
    yield Figure("cycle: first reading", stage.database, n, n / read, took_s=read)
    yield Figure(
        "send", stage.database, told["fields"], told["fields"] / told["send_s"], told["fields"] / told["bare_send_s"],
        told["peak_mb"], took_s=told["send_s"], largest_costs=costs,
    )  # fmt: skip
    yield Figure("cycle: nothing to do", stage.database, n, n / quiet, n / told["bare_quiet_s"], took_s=quiet)


def cycle_all(caller: Caller) -> None:
    """A part: connect a table to an imported place, take it in, write it, and find nothing to do."""
    engine = create_engine(place_of(caller.given["url"]))
    with Runtime(settings_of(caller.given["place"])) as runtime:
        shop_id = _make(runtime, engine)
        _connect(runtime, shop_id, caller.given["url"])
        told = _read_and_send(runtime, shop_id)
        quiet = _nothing_to_do(runtime, shop_id)
    told |= quiet | _bare(engine)
    engine.dispose()
    missing = told["fields"] - told["filled"]
    trouble = told.pop("trouble") or (f"{missing} values are missing in the table" if missing else None)
    caller.tell(**told, trouble=trouble, peak_mb=peak_mb())


def _make(runtime: Runtime, engine: Engine) -> int:
    """A record of each customer, changed a minute after the one before."""
    with runtime.database.read() as db:
        shop_id = shops.every(db)[0].id
        numbers = list(db.execute(select(customers.c.shopify_id).order_by(customers.c.shopify_id)).scalars())
    insert = text("INSERT INTO people (id, shop_no, updated) VALUES (:id, :shop_no, :updated)")
    with engine.begin() as there:
        there.execute(text(TABLE))
        for start in range(0, len(numbers), ROWS):
            rows = [
                {"id": at + 1, "shop_no": str(number), "updated": f"{FIRST + timedelta(minutes=at):%Y-%m-%d %H:%M:%S}"}
                for at, number in enumerate(numbers[start : start + ROWS], start)
            ]
            there.execute(insert, rows)
        there.execute(text("CREATE INDEX ix_people_updated ON people (updated)"))
    return shop_id


def _connect(runtime: Runtime, shop_id: int, url: str) -> None:
    """Connect the table, as if a person had agreed to all that its first cycle writes."""
    moment = now()
    configuration = {"url": url, "table": "people", "key": "id", "updated": "updated"}
    box = systems.seal_configuration(runtime.vault(shop_id), SYSTEM, configuration)
    since = {"added_at": moment, "added_by": "bench", "changed_at": moment}
    with runtime.database.write() as db:
        before = policies.of_shop(db, shop_id)
        values = {"kind": "sql", "state": systems.ACTIVE, "box": box, "creates": False, "full_hours": 24}
        systems.add(db, shop_id, SYSTEM, {**values, **since, "agreed_version": 0, "allowed": {}})
        wanted = Policy(version=before.version, fields=before.fields, systems={SYSTEM: MAPS}, identity=before.identity)
        policy = policies.save(db, shop_id, wanted, "bench", None, moment)
        allowed = dict.fromkeys(MAPS, ANY)
        systems.change(db, shop_id, SYSTEM, moment, agreed_version=policy.version, allowed=allowed)


def _read_and_send(runtime: Runtime, shop_id: int) -> dict[str, Any]:
    with runtime.database.read() as db:
        system = systems.get(db, shop_id, SYSTEM)
        names = tuple(systems.names(db, shop_id))
    with reaching.opened(runtime, system, None) as target:
        it = Cycle(runtime.database, system, target, now, time.sleep, names)  # type: ignore[arg-type]
        began = time.perf_counter()
        it.read(None)
        read_s = time.perf_counter() - began
        sampler = Sampler(waits=True)
        began = time.perf_counter()
        with sampler:
            sent = cycle.send(runtime.database, target, system, now, time.sleep, lambda: None, now())
        send_s = time.perf_counter() - began
    return {
        "read_s": read_s,
        "send_s": send_s,
        "fields": sum(sent.fields[each] for each in SENT),
        "costs": sampler.shares(),
    }


def _nothing_to_do(runtime: Runtime, shop_id: int) -> dict[str, Any]:
    """A full cycle, so that there is a cursor, and then the one that is measured."""
    _cycle(runtime, shop_id)
    began = time.perf_counter()
    run = _cycle(runtime, shop_id)
    quiet_s = time.perf_counter() - began
    wrote = run.checkpoint.get(cycling.WROTE)
    done = run.state is RunState.DONE and wrote == {"in": {}, "out": {}}
    return {"quiet_s": quiet_s, "trouble": None if done else run.reason or f"it wrote {wrote}"}


def _cycle(runtime: Runtime, shop_id: int) -> runs.Run:
    with runtime.database.write() as db:
        run_id = cycling.queue(runtime, db, shop_id, SYSTEM, "bench", now())
    with runtime.database.write() as db:
        run = runs.begin(db, run_id, now())
    return cycling.carry_out_cycle(runtime, run)


def _bare(engine: Engine) -> dict[str, Any]:
    """The same update and the same query by the driver alone."""
    with engine.connect() as there:
        rows = [dict(row._mapping) for row in there.execute(text("SELECT id, first, last, mail FROM people"))]
        last = there.execute(text("SELECT max(updated) FROM people")).scalar_one()
    filled = sum(row[column] is not None for row in rows for column in SENT.values())
    update = text("UPDATE people SET first = :first, last = :last, mail = :mail WHERE id = :id")
    began = time.perf_counter()
    with engine.begin() as there:
        for start in range(0, len(rows), PIECE):
            there.execute(update, rows[start : start + PIECE])
    send_s = time.perf_counter() - began
    began = time.perf_counter()
    with engine.connect() as there:
        there.execute(text("SELECT * FROM people WHERE updated >= :l"), {"l": last}).all()
    return {"bare_send_s": send_s, "bare_quiet_s": time.perf_counter() - began, "filled": filled}
