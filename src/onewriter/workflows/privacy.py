"""Erasing a whole shop, as Shopify asks two days after the app was removed: batch by batch, and then every key.

Rows before keys, and the receipt last. From its first transaction on the shop is closed: its deliveries are refused,
its other runs end, and it cannot be connected until all is done. A run that dies goes on where it stood.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, func, select, tuple_

from onewriter.customers import erasing, questions, requests, runs, shops
from onewriter.customers.erasing import Asked
from onewriter.customers.requests import SHOP_REDACTION, Request
from onewriter.customers.runs import AlreadyRunning, Run
from onewriter.customers.shops import DISCONNECTED, ERASED, Shop
from onewriter.db.bulk import STRIPES, lock_stripes
from onewriter.db.pointtables import order_marks
from onewriter.db.register import REGISTER, Entry
from onewriter.db.tables import customers, refetch_marks
from onewriter.db.webtables import metadata
from onewriter.intake.requests import ERASED_BEFORE, ask_about_shop, is_gone_since
from onewriter.records import SECOND, Instant, RunState
from onewriter.runtime import Runtime, new_run_id
from onewriter.shopify.topics import SHOP_REDACT_TOPIC
from onewriter.vault.shopending import destroy_shop
from onewriter.workflows import purging

PIECE = 500
ROWS = 1_000
AGAIN: Instant = 600 * SECOND
"""How long a run that failed is left alone before another one is queued."""
REQUEST = "request"
BY = "onewriter"
STOPPED = "Everything of the shop is erased, as Shopify asked."
POINTS = "points"

_SOME = select(customers.c.id).where(customers.c.shop_id == bindparam("shop_id")).limit(bindparam("most"))
_MANY = select(func.count()).select_from(customers).where(customers.c.shop_id == bindparam("shop_id"))

log = structlog.get_logger(__name__)


def queue_accepted(runtime: Runtime) -> list[str]:
    """Queue a run for every shop whose erasure was accepted and that has none; returns their ids."""
    queued: list[str] = []
    moment = runtime.now()
    with runtime.database.read() as db:
        waiting = requests.accepted(db, SHOP_REDACT_TOPIC)
        last = {each.shop_id: runs.last_requested(db, each.shop_id, runs.SHOP_REDACTION) for each in waiting}
    for each in waiting:
        before = last[each.shop_id]
        if before is not None and abs(moment - before) < AGAIN:
            continue
        run_id = new_run_id(moment)
        with suppress(AlreadyRunning), runtime.database.write() as db:
            runs.add(db, run_id, each.shop_id, runs.SHOP_REDACTION, BY, moment, checkpoint={REQUEST: each.id})
            runtime.enqueue(db, run_id)
            queued.append(run_id)
    return queued


def erase_shop(runtime: Runtime, run: Run) -> Run:
    """Erase everything of a shop, if it is still gone; else a person is asked, and nothing is erased."""
    request_id = int(run.checkpoint[REQUEST])
    if not _close(runtime, run, request_id):
        with runtime.database.read() as db:
            return runs.get(db, run.id)
    with runtime.giving_way() as give_way:
        _Erasing(runtime, run, Counter(run.counts), give_way).all_rows()
        destroy_shop(runtime.keys, run.shop_id, runtime.now())
        purging.clean(runtime)
    with runtime.database.write() as db:
        _end(db, run, request_id, runtime.now())
        return runs.get(db, run.id)


def erase_again(runtime: Runtime, run: Run, cause: str) -> Counter[str]:
    """Erase a shop that a restored backup has brought back after it was erased: nobody need be asked once more.

    It may be called again when a process died in it. Returns how many rows of which table went.
    """
    counts: Counter[str] = Counter()
    with runtime.database.write() as db:
        shops.empty(db, run.shop_id)
    _Erasing(runtime, run, counts, lambda: None).all_rows()
    destroy_shop(runtime.keys, run.shop_id, runtime.now())
    moment = runtime.now()
    points = counts.pop(POINTS, 0)
    with runtime.database.write() as db:
        erasing.write_receipt(db, run.shop_id, Asked(cause, moment, run_id=run.id), counts, points, moment)
        shops.change(db, run.shop_id, {"erased_at": moment})
    return counts


def _close(runtime: Runtime, run: Run, request_id: int) -> bool:
    """Look once more, under the shop's lock, whether it may be erased, and close it.

    False if there is nothing to erase any more, or a person is asked; the run has ended then.
    """
    moment = runtime.now()
    with runtime.database.write() as db:
        lock_stripes(db, run.shop_id, range(STRIPES))
        shop = shops.locked(db, run.shop_id)
        if shop.state == ERASED and shop.erased_at is None:
            return True
        request = requests.get(db, request_id)
        if request.over or shop.state == ERASED:
            # A restored backup can bring back a request whose shop has been erased meanwhile.
            if not request.over:
                requests.end(db, request_id, ERASED_BEFORE, BY, moment)
            runs.finish(db, run, RunState.DONE, None, moment)
            return False
        if not _may_be_erased(db, shop, request):
            ask_about_shop(db, request, shop, moment)
            runs.finish(db, run, RunState.FAILED, "The shop is in use again, so a person is asked.", moment)
            return False
        shops.empty(db, shop.id)
        runs.stop_others(db, run, STOPPED, moment)
        # Nothing is asked of Shopify any more, which could bring somebody back.
        for table in (refetch_marks, order_marks):
            db.execute(delete(table).where(table.c.shop_id == shop.id))
        total: int = db.execute(_MANY, {"shop_id": shop.id}).scalar_one()
        runs.move(db, run, moment, total=total)
    log.warning("shop is erased", shop=run.shop_id, request=request_id)
    return True


def _may_be_erased(db: Connection, shop: Shop, request: Request) -> bool:
    if request.state != requests.ACCEPTED or shop.state != DISCONNECTED:
        return False
    decided = questions.newest_of(db, shop.id, SHOP_REDACTION, str(request.id))
    return is_gone_since(shop, request.asked_at) or (decided is not None and decided.answer == "erase")


@dataclass(slots=True)
class _Erasing:
    """The rows of one shop while they are erased; what is counted is committed with each batch."""

    runtime: Runtime
    run: Run
    counts: Counter[str]
    give_way: Callable[[], None]

    def all_rows(self) -> None:
        """Take every row of the shop, those that lead to a customer with their customers."""
        while self._batch(self._customers):
            self.give_way()
        for entry in REGISTER:
            table = metadata.tables[entry.table]
            if not entry.outlives_shop and "shop_id" in table.columns:
                while self._batch(lambda db, table=table: self._rows(db, table)):  # type: ignore[misc]
                    self.give_way()

    def _batch(self, take: Callable[[Connection], int]) -> int:
        """Take some rows in a transaction of their own; returns how many went."""
        before = Counter(self.counts)
        with self.runtime.database.write() as db:
            # Whoever was at work for the shop when it was closed has ended when we have the locks.
            lock_stripes(db, self.run.shop_id, range(STRIPES))
            taken = take(db)
            if self.counts != before:
                done = self.counts["customers"]
                runs.move(db, self.run, self.runtime.now(), done=done, counts=dict(self.counts))
        return taken

    def _customers(self, db: Connection) -> int:
        """Take some customers, with all rows that only their ids lead to."""
        some = [bytes(each) for each in db.execute(_SOME, {"shop_id": self.run.shop_id, "most": PIECE}).scalars()]
        if not some:
            return 0
        self.counts[POINTS] += erasing.points_of(db, some)
        for entry in REGISTER:
            if not entry.outlives_shop and (column := _leads(entry)) is not None:
                table = metadata.tables[entry.table]
                self._count(table, db.execute(delete(table).where(column.in_(some))).rowcount)
        return len(some)

    def _rows(self, db: Connection, table: Table) -> int:
        keys = list(table.primary_key.columns)
        some = select(*keys).where(table.c.shop_id == self.run.shop_id).limit(ROWS)
        key = tuple_(*keys) if len(keys) > 1 else keys[0]
        return self._count(table, db.execute(delete(table).where(key.in_(some))).rowcount)

    def _count(self, table: Table, number: int) -> int:
        if number:
            self.counts[table.name] += number
        return number


def _leads(entry: Entry) -> ColumnElement[bytes] | None:
    """The column of a table that has our id of its customer."""
    table = metadata.tables[entry.table]
    if table is customers:
        return customers.c.id
    return table.c.customer_id if entry.subject == "customer_id" else None


def _end(db: Connection, run: Run, request_id: int, now: Instant) -> None:
    """Write the receipt, end whatever was asked of the shop, and let it be connected anew."""
    request = requests.get(db, request_id)
    counts = dict(runs.get(db, run.id).counts)
    points = counts.pop(POINTS, 0)
    asked = Asked(request.topic, request.asked_at, request.position, run.id)
    identity = erasing.write_receipt(db, run.shop_id, asked, counts, points, now)
    for each in requests.waiting_of(db, run.shop_id):
        requests.end(db, each.id, "everything of the shop was erased", BY, now, receipt=identity)
    shops.change(db, run.shop_id, {"erased_at": now})
    runs.finish(db, run, RunState.DONE, None, now)
