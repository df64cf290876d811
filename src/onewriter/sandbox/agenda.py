"""What a shop has still to do at a certain time: carry out merges that it accepted, run bulk operations.

Nothing runs by itself. Whoever looks at the shop, or changes it, first carries out what is due; since nobody saw or
changed anything in between, the end is as if each thing had been done at its own second.
"""

import threading
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Deed = Callable[[], None]


class Agenda:
    """Deeds by the time at which they are due. `lock` is the shop's, so that nobody sees one half done."""

    def __init__(self, clock: Callable[[], float], lock: threading.RLock) -> None:
        self._clock, self._lock = clock, lock
        self._waiting: list[tuple[float, int, Deed]] = []
        self._sequence = count()
        self._at: float | None = None

    def now(self) -> float:
        """The time that the shop writes down: that of the deed being carried out, else the clock's."""
        return self._clock() if self._at is None else self._at

    def add(self, due: float, deed: Deed) -> None:
        with self._lock:
            heappush(self._waiting, (due, next(self._sequence), deed))

    def next_due(self) -> float | None:
        """When the next deed is due, None if there is none."""
        with self._lock:
            return self._waiting[0][0] if self._waiting else None

    def carry_out(self) -> int:
        """Do what is due, in its order; how many deeds that were."""
        done = 0
        with self._lock:
            if self._at is not None:
                return 0
            while self._waiting and self._waiting[0][0] <= self._clock():
                self._at, _, deed = heappop(self._waiting)
                try:
                    deed()
                finally:
                    self._at = None
                done += 1
        return done
