"""The account of a reconcile: how far it is and what came of it, in memory, and from time to time in its row."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import runs
from onewriter.customers.runs import FEED, Run
from onewriter.records import SECOND, Instant

DRY_RUN = "dry_run"
"""What a run's checkpoint holds from its beginning when it shall report and heal nothing."""
SINCE = "since"
"""Of a recent run: the version from which on it reads."""
NEWEST = "newest"
"""Of a recent run: the newest version that it has read."""

ROW_COUNTS = ("read", "unchanged", "learnt", "compared", "newer_here", "unreadable", "erased")
"""The counts that begin anew where reading does."""
OUTCOMES = ("different", "missing", "in_flight", "absent", "held_back", "healed", "unread", "merges_proposed")

TOLD_EVERY_ROWS = 20_000
TOLD_EVERY: Instant = SECOND

MOVING = ("offset", "lines")
"""The parts of the feed's state that say how far into a file it is."""


@dataclass(slots=True)
class Account:
    """The account of one run that was begun. Each of its methods that takes `db` raises Superseded when it was lost."""

    run: Run
    checkpoint: dict[str, Any]
    rows: Counter[str]
    outcomes: Counter[str]
    done: int = 0
    total: int | None = None
    _rows_told: Mapping[str, int] = field(default_factory=dict)
    """The rows' counts as of the last checkpoint: those behind it would be counted again after a crash."""
    _done_told: int = 0
    _told_at: Instant = 0

    @classmethod
    def of(cls, run: Run) -> "Account":
        """The account as the run's row has it."""
        rows, outcomes = (
            Counter({name: run.counts[name] for name in names if name in run.counts})
            for names in (ROW_COUNTS, OUTCOMES)
        )
        return cls(run, dict(run.checkpoint), rows, outcomes, run.done, run.total, dict(rows))

    @property
    def is_dry(self) -> bool:
        """True for a run that reports and heals nothing."""
        return bool(self.checkpoint.get(DRY_RUN))

    def begin(self, before: int, now: Instant) -> None:
        """Rows begin to flow, in this attempt or from another source, where so many came before."""
        self.checkpoint |= {"rows_began": now, "rows_before": before}
        if not before:
            self.rows.clear()
            # Whoever was unread, and whoever was held back, is met again.
            self.outcomes["unread"] = self.outcomes["held_back"] = 0
        self._rows_told, self._done_told, self._told_at = dict(self.rows), before, now

    def count(self, counts: Mapping[str, int], done: int) -> None:
        """Take rows in."""
        self.rows.update(counts)
        self.done = done

    def is_due(self, now: Instant) -> bool:
        """True when the run should say how far it is: after so many rows or so much time, whichever comes first."""
        return self.done - self._done_told >= TOLD_EVERY_ROWS or now - self._told_at >= TOLD_EVERY

    def keep(self, db: Connection, state: Mapping[str, Any], now: Instant) -> None:
        """Write down what the feed relies on, but not how far it is in a file: that is read from its beginning."""
        self.checkpoint[FEED] = {name: value for name, value in state.items() if name not in MOVING}
        runs.move(db, self.run, now, checkpoint=self.checkpoint)

    def add(self, db: Connection, outcomes: Mapping[str, int], now: Instant) -> None:
        """Write down what came of some customers, in the transaction that dealt with them."""
        self.outcomes.update(outcomes)
        runs.move(db, self.run, now, counts={**self._rows_told, **self.outcomes})

    def tell(self, db: Connection, now: Instant) -> None:
        """Say how far the run is. Whatever the rows so far have nominated must be settled by then."""
        total = None if self.total is None else max(self.total, self.done)
        counts = {**self.rows, **self.outcomes}
        runs.move(db, self.run, now, done=self.done, total=total, counts=counts, checkpoint=self.checkpoint)
        self._rows_told, self._done_told, self._told_at = dict(self.rows), self.done, now
