"""The simulation with real processes: HTTP between the shop and the service, and kill -9 at random moments.

The shop runs here, and `onewriter serve` beside it. It promises the end, not the interleaving: two runs of one seed
have the same shop and the same troubles, and the machine decides what meets when.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from onewriter.bench.simulate import compare
from onewriter.bench.simulate.person import answer_all
from onewriter.bench.simulate.service import Service
from onewriter.bench.simulate.tally import Tally
from onewriter.bench.stage import Place, settings_of
from onewriter.runtime import Runtime
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.sandbox.play import Player

CUSTOMERS = 300
PLAY_S = 12.0
KILLS = 5
TROUBLES: Mapping[str, Sequence[Any]] = {
    "duplicate": (0.0, 0.2),
    "reorder": (0.0, 0.3),
    "delay": (0.0, 1.0),
    "lose": (0.0, 0.1),
    "server_errors": (0.0, 0.1),
    "drop_connection_after_bytes": (0, 60_000),
}
"""What each switch of the sandbox may be while the shop lives; the first is for afterwards."""
QUIET_S = 90.0
LOOK_S = 0.2


def play_real(seed: int, place: Place, database: str, events: int) -> Tally:
    """Play one seed with processes of their own."""
    rng = Random(f"{seed}/real")
    tally = Tally(seed, database, withheld=True)
    faults = Faults(retry_scale=0.001, bulk_seconds=1.0, merge_seconds=0.5)
    with RunningSandbox(CUSTOMERS, seed, faults=faults) as sandbox, Service(place) as service:
        _Real(tally, rng, sandbox, service, events).play()
    return tally


class _Real:
    def __init__(self, tally: Tally, rng: Random, sandbox: RunningSandbox, service: Service, events: int) -> None:
        self._tally, self._rng, self._sandbox, self._service, self._events = tally, rng, sandbox, service, events

    def play(self) -> None:
        self._service.start()
        self._service.connect(self._sandbox.info)
        self._live()
        self._sandbox.shop.set_faults({name: values[0] for name, values in TROUBLES.items()})
        with Runtime(settings_of(self._service.place)) as reader:
            self._grow_quiet(reader)
            self._tally.before = len(compare.differences(reader, self._sandbox.shop))
            self._service.type("sync", "reconcile")
            self._grow_quiet(reader)
            self._judge(reader)

    def _live(self) -> None:
        """Live some seconds of events, while one process after the other is killed."""
        self._sandbox.shop.set_faults({name: self._rng.choice(values) for name, values in TROUBLES.items()})
        player = Player(self._sandbox.shop)
        living = threading.Thread(target=lambda: self._tally.events.update(player.play(self._events, PLAY_S)))
        living.start()
        for _ in range(KILLS):
            time.sleep(self._rng.uniform(0.2, 2 * PLAY_S / KILLS))
            self._tally.crashes[self._service.kill(self._rng.choice(("web", "worker", "serve")))] += 1
            self._service.start()
            # The first import may still be under way, and then there is no second one.
            self._service.type("sync", "import", must=False)
        living.join()

    def _grow_quiet(self, reader: Runtime) -> None:
        """Wait until everything was delivered, applied, read and answered."""
        self._sandbox.shop.courier.settle(QUIET_S)
        until = time.monotonic() + QUIET_S
        while not self._is_quiet(reader):
            if time.monotonic() > until:
                self._tally.wrong.append("it never grew quiet")
                return
            time.sleep(LOOK_S)
            answer_all(reader, self._sandbox.shop, self._rng)

    def _is_quiet(self, reader: Runtime) -> bool:
        return not self._sandbox.shop.courier.outstanding and compare.is_settled(reader)

    def _judge(self, reader: Runtime) -> None:
        tally, shop = self._tally, self._sandbox.shop
        after = compare.differences(reader, shop)
        tally.after, tally.missing = len(after), len(compare.missing(reader, shop))
        tally.deliveries = len(shop.deliveries)
        tally.duplicates = sum(sent.copies - 1 for sent in shop.deliveries)
        tally.losses = sum(sent.status in ("lost", "failed") for sent in shop.deliveries)
        tally.wrong += compare.doubled(reader)
        if after:
            tally.wrong.append(f"{len(after)} x not as in the shop after the reconcile: {after[:5]}")
        if tally.missing:
            tally.wrong.append(f"{tally.missing} acknowledged deliveries are not in the inbox exactly once")
