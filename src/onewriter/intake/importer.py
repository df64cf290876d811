"""The import: one bulk read of all customers, streamed into `apply`, a line a customer.

A byte offset is a checkpoint, committed with the rows that come before it: a worker that is killed at any point loses
nothing and doubles nothing, and the next one goes on from there. The file is never written to our disk.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import find, questions, runs
from onewriter.customers.questions import Ask
from onewriter.customers.runs import Run
from onewriter.db.engine import Database, DoorBell
from onewriter.errors import BulkRefused, NotUnderstood
from onewriter.intake.apply import apply
from onewriter.intake.door import park
from onewriter.records import HOUR, SECOND, Change, Delivery, Instant, RunState
from onewriter.shopify import bulk, reads, scopes
from onewriter.shopify.bulk import BulkOperation
from onewriter.shopify.client import AdminClient
from onewriter.shopify.payloads import change_from_bulk_line
from onewriter.vault.vault import ShopVault

LINE_TOPIC = "import/line"
ROWS_FIRST = 50
ROWS_MAX = 500
LOCK_AIM: Instant = 25_000
"""How long one batch should hold SQLite's write lock, in microseconds: a door that waits must not wait long."""


@dataclass(slots=True)
class _Batch:
    """Lines that will be applied in one transaction."""

    changes: list[Change] = field(default_factory=list)
    broken: list[tuple[int, bytes, str]] = field(default_factory=list)
    end: int = 0
    """The byte offset after the last line."""

    @property
    def lines(self) -> int:
        return len(self.changes) + len(self.broken)


@dataclass(slots=True)
class Importer:
    """Imports all customers of one shop."""

    database: Database
    vault: ShopVault
    client: AdminClient
    clock: Callable[[], Instant]
    wait_hours: int
    bell: DoorBell | None = None
    _rows: int = ROWS_FIRST
    _denied: frozenset[str] = frozenset()

    def run(self, run: Run) -> Run:
        """Carry a run that was begun to its end from wherever it stands, and return it as it ended.

        Raises Superseded when another attempt has it, Temporary errors as they are, and Permanent ones when another try
        will not mend it; the caller ends the run then, if it is still this attempt's.
        """
        run = self._survey(run)
        run = self._ask(run)
        operation = self._wait(run.checkpoint["operation"])
        run = self._opened(run, operation)
        if operation.url is not None:
            self._stream(run, operation)
        return self._finish(run, operation)

    def _survey(self, run: Run) -> Run:
        """Look at the scopes and count the customers before anything is read: never "0 customers" for "no access"."""
        scopes.require(reads.survey(self.client).scopes, "Grant it and import again.")
        if run.total is not None:
            return run
        counted = reads.count_customers(self.client)
        return self._move(run, total=counted, counts={"in_shop_at_start": counted})

    def _ask(self, run: Run) -> Run:
        """The run with the bulk operation that it waits for written down: its own from before, or a new one."""
        if "operation" in run.checkpoint:
            return run
        if "asked" in run.checkpoint:
            # A worker died between asking and writing the id down: what it started is running without an owner.
            operation = self._orphan(run.checkpoint["asked"]) or bulk.start_customers(self.client)
        else:
            run = self._move(run, checkpoint={**run.checkpoint, "asked": self.clock()})
            operation = bulk.start_customers(self.client)
        return self._move(run, checkpoint={**run.checkpoint, "operation": operation.id})

    def _orphan(self, asked: Instant) -> BulkOperation | None:
        # Shopify gives whole seconds, so the one we asked for may seem a second older than our asking.
        since = asked - SECOND
        return next((operation for operation in bulk.running(self.client) if operation.created >= since), None)

    def _wait(self, operation_id: str) -> BulkOperation:
        deadline = self.clock() + self.wait_hours * HOUR
        operation = bulk.wait(self.client, operation_id, deadline=deadline)
        if not operation.is_over:
            raise BulkRefused(
                f"Shopify's bulk operation was not done after {self.wait_hours} hours; import again, or raise "
                "bulk_wait_hours."
            )
        if operation.status != "COMPLETED":
            code = f", {operation.error_code}" if operation.error_code else ""
            raise BulkRefused(
                f"Shopify's bulk operation ended as {operation.status.lower()}{code}; import again, and if it fails "
                "again look at Shopify's status page."
            )
        return operation

    def _opened(self, run: Run, operation: BulkOperation) -> Run:
        """Know what the token may not see, and when the rows began to flow."""
        self._denied = reads.denied_paths(self.client)
        checkpoint = {**run.checkpoint, "rows_began": self.clock(), "rows_before": run.done}
        return self._move(run, checkpoint=checkpoint, total=operation.object_count)

    def _stream(self, run: Run, operation: BulkOperation) -> None:
        assert operation.url is not None
        offset = int(run.checkpoint.get("offset", 0))
        counts = Counter(run.counts)
        done = run.done
        for batch in self._batches(operation, offset):
            counts, done = self._commit(run, batch, counts, done)
            if self.bell is not None:
                self.bell.give_way()

    def _batches(self, operation: BulkOperation, offset: int) -> Iterator[_Batch]:
        batch = _Batch()
        for line in self.client.stream_lines(operation.url or "", offset):
            end = offset + len(line) + 1
            if line:
                self._read(batch, line, offset, operation.created)
            offset = batch.end = end
            if batch.lines >= self._rows:
                yield batch
                batch = _Batch()
        if batch.lines:
            yield batch

    def _read(self, batch: _Batch, line: bytes, offset: int, began: Instant) -> None:
        digest = self.vault.key.raw_digest(line)
        try:
            change = change_from_bulk_line(line, began=began, position=0, raw_digest=digest, denied=self._denied)
            batch.changes.append(change)
        except NotUnderstood as error:
            batch.broken.append((offset, line, str(error)))

    def _commit(self, run: Run, batch: _Batch, counts: Counter[str], done: int) -> tuple[Counter[str], int]:
        """Apply one batch and its checkpoint in one transaction; how long that took sizes the next one."""
        now = self.clock()
        with self.database.write() as db:
            began = self.clock()
            applied = apply(db, self.vault, batch.changes, now, run_id=run.id)
            for offset, line, why in batch.broken:
                self._keep_broken(db, run, offset, line, why, now)
            counts = counts + applied.counts + Counter({"unreadable": len(batch.broken)})
            done += batch.lines
            checkpoint = dict(run.checkpoint) | {"offset": batch.end}
            runs.move(db, run, now, done=done, counts=dict(counts), checkpoint=checkpoint)
        self._size_next(self.clock() - began)
        return counts, done

    def _size_next(self, took: Instant) -> None:
        if self.bell is None:
            self._rows = ROWS_MAX
        elif took < LOCK_AIM // 2:
            self._rows = min(ROWS_MAX, self._rows * 2)
        elif took > LOCK_AIM:
            self._rows = max(ROWS_FIRST, self._rows * 2 // 3)

    def _keep_broken(self, db: Connection, run: Run, offset: int, line: bytes, why: str, now: Instant) -> None:
        """A line that cannot be read is kept sealed beside the deliveries that cannot be, and the import goes on."""
        delivery = Delivery(self.vault.shop_id, f"{run.id}:{offset}", LINE_TOPIC, line, now)
        park(db, delivery, self.vault, why)
        questions.ask(db, self.vault.shop_id, _question(run), now)

    def _finish(self, run: Run, operation: BulkOperation) -> Run:
        with self.database.write() as db:
            now = self.clock()
            ended = runs.get(db, run.id)
            if ended.done != operation.object_count:
                raise BulkRefused(
                    f"The file holds {ended.done} customers but Shopify announced {operation.object_count}; "
                    "import again."
                )
            counts = dict(ended.counts) | find.account(db, self.vault.shop_id, ended.started_at or now, now)
            state = RunState.PARTIAL if counts.get("unreadable") else RunState.DONE
            reason = f"{counts['unreadable']} lines could not be read" if state is RunState.PARTIAL else None
            runs.move(db, run, now, counts=counts)
            runs.finish(db, run, state, reason, now)
            return runs.get(db, run.id)

    def _move(self, run: Run, **values: Any) -> Run:
        with self.database.write() as db:
            runs.move(db, run, self.clock(), **values)
            return runs.get(db, run.id)


def _question(run: Run) -> Ask:
    return Ask(
        kind="unreadable lines",
        subject=run.id,
        text="Some lines of an import could not be read; `onewriter inbox list --state parked` shows them.",
        answers={"noted": "leave them; the customers they stand for are read when Shopify next tells of them"},
        otherwise="they stay parked until their day's key ends",
        evidence={"run": run.id},
    )
