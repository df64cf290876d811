"""The import: all customers of a shop, streamed into `apply`, from one bulk file where that can be had, else by pages.

Where the feed stands is the checkpoint, committed with the rows that come before it: a worker that is killed at any
point loses nothing and doubles nothing, and the next one goes on from there. The file is never written to our disk.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import find, questions, runs, tombstones
from onewriter.customers.questions import Ask
from onewriter.customers.runs import Run
from onewriter.db.engine import Database, DoorBell
from onewriter.errors import NotUnderstood
from onewriter.intake.apply import apply
from onewriter.intake.batch import ERASED
from onewriter.intake.door import park
from onewriter.records import Change, Delivery, Instant, RunState
from onewriter.shopify import reads, scopes
from onewriter.shopify.client import AdminClient
from onewriter.shopify.feed import Feed, Piece
from onewriter.shopify.payloads import change_from_bulk_line
from onewriter.shopify.topics import LINE_TOPIC, number_in_line
from onewriter.vault.vault import ShopVault

ROWS_FIRST = 50
ROWS_MAX = 500
LOCK_AIM: Instant = 100_000
"""How long one batch should hold SQLite's write lock, in microseconds: a door that waits must not wait long."""


@dataclass(slots=True)
class _Batch:
    """Lines that will be applied in one transaction."""

    changes: list[Change] = field(default_factory=list)
    broken: list[tuple[bytes, str]] = field(default_factory=list)
    """Lines that cannot be read, and why."""


@dataclass(slots=True)
class Importer:
    """Imports all customers of one shop, once: an object carries one run."""

    database: Database
    vault: ShopVault
    client: AdminClient
    clock: Callable[[], Instant]
    wait_hours: int
    stall_minutes: int
    bell: DoorBell | None = None
    _rows: int = ROWS_FIRST
    _counts: Counter[str] = field(default_factory=Counter)
    _checkpoint: dict[str, Any] = field(default_factory=dict)

    def run(self, run: Run) -> Run:
        """Carry a run that was begun to its end from wherever it stands, and return it as it ended.

        Raises Superseded when another attempt has it, Temporary errors as they are, and Permanent ones when another try
        will not mend it; what becomes of the run then is the caller's to say.
        """
        self._counts, self._checkpoint = Counter(run.counts), dict(run.checkpoint)
        self._survey(run)
        feed = Feed(
            self.client,
            self.clock,
            self._checkpoint.get(runs.FEED, {}),
            lambda state: self._keep(run, state),
            wait_hours=self.wait_hours,
            stall_minutes=self.stall_minutes,
        )
        fresh = True
        for piece in feed.pieces(lambda: self._rows):
            if fresh or not piece.before:
                self._start_anew(piece)
            self._commit(run, piece, self._read(piece), feed.total)
            fresh = False
            if self.bell is not None:
                self.bell.give_way()
        return self._finish(run, feed)

    def _survey(self, run: Run) -> None:
        """Look at the scopes and count the customers before anything is read: never "0 customers" for "no access"."""
        scopes.require(reads.survey(self.client).scopes, "Grant it and import again.")
        if run.total is None:
            counted = reads.count_customers(self.client)
            self._counts["in_shop_at_start"] = counted
            self._move(run, total=counted, counts=dict(self._counts))

    def _keep(self, run: Run, state: Mapping[str, Any]) -> None:
        self._checkpoint[runs.FEED] = dict(state)
        self._move(run, checkpoint=self._checkpoint)

    def _move(self, run: Run, **values: Any) -> None:
        with self.database.write() as db:
            runs.move(db, run, self.clock(), **values)

    def _start_anew(self, piece: Piece) -> None:
        """Know when the rows began to flow, in this attempt or of this source; another source has everybody again."""
        self._checkpoint |= {"rows_began": self.clock(), "rows_before": piece.before}
        if not piece.before:
            del self._counts["unreadable"]

    def _read(self, piece: Piece) -> _Batch:
        batch = _Batch()
        for line in piece.lines:
            digest = self.vault.key.raw_digest(line) if piece.raw else None
            try:
                change = change_from_bulk_line(
                    line, began=piece.began, position=0, raw_digest=digest, denied=piece.denied
                )
                batch.changes.append(change)
            except NotUnderstood as error:
                batch.broken.append((line, str(error)))
        return batch

    def _commit(self, run: Run, piece: Piece, batch: _Batch, total: int | None) -> None:
        """Apply one batch and its checkpoint in one transaction; how long that took sizes the next one."""
        now = self.clock()
        with self.database.write() as db:
            began = self.clock()
            applied = apply(db, self.vault, batch.changes, now, run_id=run.id)
            counts = self._counts.copy()
            counts.update(applied.counts)
            if batch.broken:
                counts.update(self._keep_broken(db, run, batch.broken, now))
            checkpoint = self._checkpoint | {runs.FEED: dict(piece.state)}
            done = piece.before + len(piece.lines)
            # Of pages there may be more than were counted: who changes meanwhile comes again.
            runs.move(db, run, now, done=done, total=max(total or 0, done), counts=dict(counts), checkpoint=checkpoint)
        self._counts, self._checkpoint = counts, checkpoint
        self._size_next(self.clock() - began)

    def _size_next(self, took: Instant) -> None:
        if self.bell is None:
            self._rows = ROWS_MAX
        elif took < LOCK_AIM // 2:
            self._rows = min(ROWS_MAX, self._rows * 2)
        elif took > LOCK_AIM:
            self._rows = max(ROWS_FIRST, self._rows * 2 // 3)

    def _keep_broken(self, db: Connection, run: Run, broken: list[tuple[bytes, str]], now: Instant) -> Counter[str]:
        """Keep lines that cannot be read sealed beside the deliveries that cannot be, and go on with the import.

        Nothing is kept of who was erased. Returns how many there were of each.
        """
        numbers = {line: number for line, _why in broken if (number := number_in_line(line)) is not None}
        erased = tombstones.purged(db, self.vault, numbers.values())
        kept = [(line, why) for line, why in broken if numbers.get(line) not in erased]
        for line, why in kept:
            name = self.vault.key.raw_digest(line).hex()
            park(db, Delivery(self.vault.shop_id, f"{run.id}:{name}", LINE_TOPIC, line, now), self.vault, why)
        if kept:
            questions.ask(db, self.vault.shop_id, _question(run), now)
        # The plus leaves out what there was none of.
        return +Counter({"unreadable": len(kept), ERASED: len(broken) - len(kept)})

    def _finish(self, run: Run, feed: Feed) -> Run:
        with self.database.write() as db:
            now = self.clock()
            ended = runs.get(db, run.id)
            counts = dict(ended.counts) | find.account(db, self.vault.shop_id, ended.started_at or now, now)
            if feed.by_pages:
                counts |= {"by_pages": ended.done} | ({"unread": feed.unread} if feed.unread else {})
            runs.move(db, run, now, counts=counts)
            lacking = _lacking(counts)
            reason = " ".join(filter(None, (_because(feed), lacking))) or None
            runs.finish(db, run, RunState.PARTIAL if lacking else RunState.DONE, reason, now)
            return runs.get(db, run.id)


def _because(feed: Feed) -> str:
    return f"{feed.note} All customers were read by pages instead." if feed.note else ""


def _lacking(counts: Mapping[str, int]) -> str:
    """Who was not imported, in words; empty when everybody was."""
    lines, unread = counts.get("unreadable", 0), counts.get("unread", 0)
    told = [f"{lines} lines could not be read"] if lines else []
    told += [f"{unread} customers were hidden by errors of Shopify's; import again"] if unread else []
    return "; ".join(told)


def _question(run: Run) -> Ask:
    return Ask(
        kind="unreadable lines",
        subject=run.id,
        text="Some lines of an import could not be read; `onewriter inbox list --state parked` shows them.",
        answers={"noted": "leave them; the customers they stand for are read when Shopify next tells of them"},
        otherwise="they stay parked until their day's key ends",
        evidence={"run": run.id},
    )
