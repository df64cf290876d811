"""A virtual clock, and who acts next: one thing at a time, in an order that follows from a seed.

What a process does over time (a loop, a run) is a `Strand`: a thread of its own that holds the baton while it acts and
hands it back when it sleeps. Only the holder of the baton runs, so that the same seed gives the same order however the
machine's own threads are scheduled.
"""

import threading
from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from random import Random

from onewriter.records import SECOND, Instant

SLIP: Instant = 2_000
"""Things that are due at one moment happen within so many microseconds of it, in an order that the seed decides."""
BATON_MAX_S = 120.0
"""Seconds of real time that a strand may act without sleeping; more is a deadlock."""


class Stuck(Exception):
    """A strand neither slept nor ended: two of them wait for each other."""


class Timeline:
    """The clock and the line of what is due. `clock` is ours in microseconds, `seconds` the shop's."""

    def __init__(self, start: Instant, rng: Random) -> None:
        self.now = start
        self._told = blake2b(digest_size=8)
        self._rng = rng
        self._due: list[tuple[Instant, int, Callable[[], None]]] = []
        self._sequence = 0
        self._holder: Strand | None = None
        self._back = threading.Semaphore(0)

    def clock(self) -> Instant:
        """The time in microseconds; it moves on by one each time that somebody looks, as time does."""
        self.now += 1
        return self.now

    def seconds(self) -> float:
        """The time in seconds."""
        return self.clock() / SECOND

    @property
    def holder_name(self) -> str | None:
        """What acts at this moment; None for what is in no strand."""
        return None if self._holder is None else self._holder.name

    def tell(self, what: str) -> None:
        """Take something that happened at this moment into the trace."""
        self._told.update(f"{self.now} {what}\n".encode())

    @property
    def trace(self) -> str:
        """A digest of everything that happened so far, and when."""
        return self._told.hexdigest()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something so many seconds from now."""
        self.at(self.now + int(seconds * SECOND), action)

    def at(self, moment: Instant, action: Callable[[], None]) -> None:
        """Do something at a moment; at once, if that is over."""
        self._sequence += 1
        slip = self._rng.randrange(SLIP)
        heappush(self._due, (max(self.now, moment) + slip, self._sequence, action))

    def step(self, until: Instant) -> bool:
        """Do the next thing that is due up to a moment; False, and it is that moment, when there is none."""
        if not self._due or self._due[0][0] > until:
            self.now = max(self.now, until)
            return False
        moment, _, action = heappop(self._due)
        self.now = max(self.now, moment)
        self.tell("step")
        action()
        return True

    def run(self, until: Instant) -> None:
        """Do everything that is due up to a moment."""
        while self.step(until):
            continue

    def sleep(self, seconds: float) -> None:
        """Let the strand that acts sleep, and the others act. What is in no strand acts on without a pause."""
        if self._holder is None:
            self.now += int(seconds * SECOND)
            return
        self._holder.sleep(seconds)

    def rest(self, seconds: float) -> None:
        """Let the strand that acts rest, until something calls it."""
        assert self._holder is not None
        self._holder.rest(seconds)

    def hand_over(self, strand: "Strand") -> None:
        """Let a strand act until it sleeps or ends."""
        before, self._holder = self._holder, strand
        self.tell(strand.name)
        strand.take_baton()
        if not self._back.acquire(timeout=BATON_MAX_S):
            raise Stuck(f"{strand.name} neither slept nor ended")
        self._holder = before

    def give_back(self) -> None:
        """The strand that acts is done for now."""
        self._back.release()


class Strand:
    """One thing that a process does over time. `ended` is told of the error that it ended with, None if it was done."""

    def __init__(
        self,
        timeline: Timeline,
        name: str,
        work: Callable[[], None],
        ended: Callable[["Strand", BaseException | None], None],
    ) -> None:
        self.name = name
        self.is_over = False
        self._timeline, self._work, self._ended = timeline, work, ended
        self._baton = threading.Semaphore(0)
        self._error: BaseException | None = None
        self._doom: BaseException | None = None
        self._turn = 0
        self._is_resting = False
        self._called_s: float | None = None
        self._held_until: Instant = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def start(self, after_s: float = 0.0) -> "Strand":
        """Begin, so many seconds from now."""
        self._wake(after_s)
        return self

    def call(self, after_s: float) -> None:
        """End its rest by then. One that is in the middle of something hears of it when it would rest."""
        if self._is_resting:
            self._wake(after_s)
        else:
            self._called_s = after_s

    def _wake(self, after_s: float) -> None:
        turn = self._turn
        self._timeline.after(after_s, lambda: self._act(turn))

    def doom(self, error: BaseException) -> None:
        """End it where it stands: the error is raised there, and whenever it would sleep again."""
        if not self.is_over:
            self._doom = error
            self._act(self._turn)

    def hold(self, until: Instant) -> None:
        """Let it stand still until then, whatever would wake it."""
        self._held_until = until

    def take_baton(self) -> None:
        """Act on; called by the timeline."""
        self._baton.release()

    def sleep(self, seconds: float) -> None:
        """Hand the baton back for so many seconds; called by the strand itself."""
        self._check()
        self._wake(seconds)
        self._timeline.give_back()
        self._baton.acquire()
        self._check()

    def rest(self, seconds: float) -> None:
        """Sleep until somebody calls, or so many seconds; called by the strand itself."""
        called_s, self._called_s = self._called_s, None
        self._is_resting = True
        try:
            self.sleep(seconds if called_s is None else min(seconds, called_s))
        finally:
            self._is_resting = False

    def _check(self) -> None:
        if self._doom is not None:
            raise self._doom

    def _act(self, turn: int) -> None:
        if self.is_over or turn != self._turn:
            return
        if self._doom is None and self._timeline.now < self._held_until:
            self._timeline.at(self._held_until, lambda: self._act(turn))
            return
        self._turn += 1
        self._timeline.hand_over(self)
        if self._has_ended():  # meanwhile, in its own thread
            self._thread.join()
            self._ended(self, self._error)

    def _has_ended(self) -> bool:
        return self.is_over

    def _run(self) -> None:
        self._baton.acquire()
        try:
            self._check()
            self._work()
        except BaseException as error:  # noqa: BLE001 - whatever ended it, others must act on and be told
            self._error = error
        self.is_over = True
        self._timeline.give_back()
