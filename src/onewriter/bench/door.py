"""The door: durable deliveries a second over 32 connections, alone and while an import writes to the same database.

The web process is the real one. The baseline is the same process with a door that answers at once: all that HTTP and
the signature cost, and nothing of sealing and of the disk.
"""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from statistics import quantiles
from typing import Any
from unittest import mock

from onewriter.bench.costs import Sampler
from onewriter.bench.figures import Cost, Figure
from onewriter.bench.parts import Caller, Part, started
from onewriter.bench.stage import Place, Stage, connect, settings_of
from onewriter.customers import runs
from onewriter.errors import Permanent
from onewriter.intake.door import Door
from onewriter.records import Delivery, RunState
from onewriter.runtime import Runtime
from onewriter.vault.vault import ShopVault

DEFAULT = 20_000
"""Deliveries."""
CONNECTIONS = 32
SECONDS = 15.0
IMPORT_FACTOR = 3
"""Customers of the shop for each delivery, so that the import goes on for as long as the deliveries."""
ROWS_WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """What became of the deliveries: when each was answered and after how many milliseconds, and the server's costs."""

    answers: list[tuple[float, float]]
    refused: int
    costs: list[Cost]

    @property
    def rate(self) -> float:
        moments = [moment for moment, _ms in self.answers]
        took = max(moments) - min(moments) if moments else 0.0
        return len(moments) / took if took else 0.0

    @property
    def p99_ms(self) -> float | None:
        waits = [ms for _moment, ms in self.answers]
        return quantiles(waits, n=100)[98] if len(waits) > 1 else None

    def until(self, moment: float) -> "Load":
        """Only what was answered before that moment."""
        return Load([answer for answer in self.answers if answer[0] <= moment], self.refused, self.costs)

    def figure(self, bench: str, database: str, baseline: float | None) -> Figure:
        return Figure(
            bench, database, len(self.answers), self.rate, baseline,
            p99_ms=self.p99_ms, refused=self.refused, largest_costs=self.costs,
        )  # fmt: skip


def measure(stage: Stage, n: int) -> Iterator[Figure]:
    """Send `n` deliveries, or as many as 15 seconds take, to no door, to the door, and to the door beside an import."""
    place = stage.place("door")
    with started("sandbox", customers=n * IMPORT_FACTOR) as sandbox:
        shop = sandbox.hear()
        run = connect(place, shop)
        bare = _alone(place, shop, n, bare=True)
        yield _alone(place, shop, n, bare=False).figure("door", stage.database, bare.rate)
        yield _beside_import(place, shop, n, run).figure("door while importing", stage.database, bare.rate)


def _alone(place: Place, shop: Mapping[str, Any], n: int, *, bare: bool) -> Load:
    with started("web", place=place, bare=bare) as web, loaded(web, shop, n) as (load, _):
        load.go()
        return heard(web, load)


def _beside_import(place: Place, shop: Mapping[str, Any], n: int, run: str) -> Load:
    """The load while rows flow; what was answered after the import had ended is left out."""
    with (
        started("web", place=place, bare=False) as web,
        loaded(web, shop, n) as (load, _),
        started("import", place=place, run=run, alone=False) as importer,
    ):
        _wait_for_rows(place, run)
        load.go()
        came = heard(web, load)
        if not importer.is_over:
            return came
        told = importer.hear()
    if told["state"] != RunState.DONE.value:
        raise Permanent(f"The import beside the deliveries ended as {told['state']}: {told['reason']}")
    return came.until(told["ended"])


@contextmanager
def loaded(web: Part, shop: Mapping[str, Any], n: int) -> Iterator[tuple[Part, int]]:
    """A load with all its deliveries signed, that waits to be told to go; and the port that the web process is on."""
    given = {"domain": shop["domain"], "secret": shop["secret"], "connections": CONNECTIONS, "seconds": SECONDS}
    port = web.hear()["port"]
    with started("load", port=port, n=n, **given) as load:
        load.hear()
        yield load, port


def heard(web: Part, load: Part) -> Load:
    """What became of the deliveries, once all are answered or their time is over; it ends the web process."""
    return gathered(load.hear(), web)


def gathered(told: Mapping[str, Any], web: Part) -> Load:
    """What a load told, with what the web process says of its costs when it is ended here."""
    costs = [Cost(name, share) for name, share in web.finish()["costs"][:3]]
    return Load([(moment, ms) for moment, ms in told["answers"]], told["refused"], costs)


def _wait_for_rows(place: Place, run_id: str) -> None:
    """Return once the import has committed its first rows, or has ended."""
    until = time.monotonic() + ROWS_WAIT_S
    with Runtime(settings_of(place)) as runtime:
        while time.monotonic() < until:
            with runtime.database.read() as db:
                run = runs.get(db, run_id)
            if run.done or run.over:
                return
            time.sleep(0.05)
    raise Permanent("The import that should run beside the deliveries did not begin.")


async def answer_at_once(_door: Door, _delivery: Delivery, _vault: ShopVault) -> None:
    """The door of the baseline: nothing is written down."""


def serve_door(caller: Caller) -> None:
    """A part: the web process, on a free port of loopback, until its caller ends it."""
    from onewriter.web.app import create_server

    door = mock.patch.object(Door, "receive", answer_at_once) if caller.given["bare"] else nullcontext()
    sampler = Sampler(waits=False)
    with Runtime(settings_of(caller.given["place"]), door=True) as runtime, socket.socket() as listening, door:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        server = create_server(runtime)
        threading.Thread(target=_end_server, args=(caller, server), daemon=True).start()
        caller.tell(port=listening.getsockname()[1])
        with sampler:
            server.run(sockets=[listening])
    caller.tell(costs=sampler.shares())


def _end_server(caller: Caller, server: Any) -> None:
    caller.ended.wait()
    server.should_exit = True
