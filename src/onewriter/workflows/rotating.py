"""Rotation: a run that wraps every key of one shop with the master key that was current when it was asked for.

It goes through the key store in batches, and each batch is committed there before the run's own row says so: killed in
between, it looks at those keys again and finds nothing left to do. It asks nothing of Shopify.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import runs
from onewriter.customers.runs import Run
from onewriter.db.engine import DoorBell
from onewriter.errors import MasterKeyWrong
from onewriter.records import Instant, RunState
from onewriter.runtime import Runtime, new_run_id
from onewriter.vault import rewrap
from onewriter.vault.master import MasterKey
from onewriter.vault.rewrap import KINDS, Kind

PASSES = 3
"""How often the keys are gone through, for those that another process still wrapped with an older master key."""
TO, KIND, AFTER, BEGAN, BEFORE = "to", "kind", "after", "rows_began", "rows_before"
NOT_OPENED = "not_opened"


def queue(runtime: Runtime, db: Connection, shop_id: int, by: str, now: Instant) -> str:
    """Queue wrapping the keys of a shop with the current master key, and return the run's id.

    Raises AlreadyRunning while one is under way in the shop.
    """
    run_id = new_run_id(now)
    runs.add(db, run_id, shop_id, runs.ROTATE, by, now, checkpoint={TO: runtime.keys.current.id})
    runtime.enqueue(db, run_id)
    return run_id


def carry_out_rotation(runtime: Runtime, run: Run) -> Run:
    """Carry out a rotation that was begun; the run as it ended."""
    wanted = str(run.checkpoint[TO])
    to = runtime.keys.masters.find(wanted)
    if to is None:
        raise MasterKeyWrong(
            f"The worker does not have the master key {wanted}; put it first in the worker's settings, start the "
            "worker again, and then `onewriter keys rotate`."
        )
    with runtime.bell() as bell:
        return Rotating(runtime, to, bell).run(run)


@dataclass(slots=True)
class Rotating:
    """Carries one rotation out."""

    runtime: Runtime
    to: MasterKey
    bell: DoorBell | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _checkpoint: dict[str, Any] = field(default_factory=dict)

    def run(self, run: Run) -> Run:
        """Wrap what is left from wherever the run stands; the run as it ended."""
        now, left = self.runtime.now(), self._left(run)
        # A batch that was committed before the worker died is in what is left, and not yet in what is done.
        done = max(run.done, (run.total or 0) - left)
        self._counts = Counter(run.counts)
        self._checkpoint = {BEGAN: now, BEFORE: done} | dict(run.checkpoint)
        self._move(run, done, done + left)
        for _turn in range(PASSES):
            done = self._go_through(run, done, done + left)
            left = self._left(run)
            if left <= self._counts[NOT_OPENED]:
                break
            self._begin_anew()
        return self._end(run, left)

    def _left(self, run: Run) -> int:
        with self.runtime.key_database.read() as db:
            return rewrap.left(db, self.to)[run.shop_id]

    def _begin_anew(self) -> None:
        self._checkpoint |= {KIND: KINDS[0].name, AFTER: None}
        self._counts[NOT_OPENED] = 0

    def _go_through(self, run: Run, done: int, total: int) -> int:
        """Go through all kinds of keys, from where the checkpoint stands; how many are done after it."""
        names = [kind.name for kind in KINDS]
        for kind in KINDS[names.index(self._checkpoint.get(KIND, names[0])) :]:
            after = _read(self._checkpoint.get(AFTER), kind)
            while (batch := rewrap.wrap_batch(self.runtime.keys, self.to, run.shop_id, kind, after)).after is not None:
                after = batch.after
                done += batch.wrapped
                self._counts[kind.name] += batch.wrapped
                self._counts[NOT_OPENED] += batch.not_opened
                self._checkpoint |= {KIND: kind.name, AFTER: after.hex() if isinstance(after, bytes) else after}
                self._move(run, done, max(done, total))
            self._checkpoint[AFTER] = None
        return done

    def _move(self, run: Run, done: int, total: int) -> None:
        """Say how far the run is; raises Superseded, and then another worker goes on with it."""
        if self.bell is not None:
            self.bell.give_way()
        moved = {"done": done, "total": total, "counts": dict(self._counts), "checkpoint": self._checkpoint}
        with self.runtime.database.write() as db:
            runs.move(db, run, self.runtime.now(), **moved)

    def _end(self, run: Run, left: int) -> Run:
        now, not_opened = self.runtime.now(), self._counts[NOT_OPENED]
        self._counts["retired"] = len(rewrap.retire_older(self.runtime.keys, self.to, now))
        state = RunState.PARTIAL if left else RunState.DONE
        reason = _why(left, not_opened) if left else None
        with self.runtime.database.write() as db:
            runs.move(db, run, now, counts=dict(+self._counts))
            runs.finish(db, run, state, reason, now)
            return runs.get(db, run.id)


def _why(left: int, not_opened: int) -> str:
    """Why keys are left that an older master key wraps, and what a person can do about it."""
    if left <= not_opened:
        return f"{left} keys do not open with their master key and stay as they are; restore a copy of the key store."
    return (
        f"{left} keys are still wrapped with an older master key, which another process goes on using: start it again "
        "with the new one, and then `onewriter keys rotate`."
    )


def _read(after: Any, kind: Kind) -> Any:
    """Where to go on, as it stands in a checkpoint; the beginning where nothing does."""
    if after is None:
        return kind.first
    return bytes.fromhex(after) if isinstance(kind.first, bytes) else after
