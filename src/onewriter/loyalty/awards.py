"""Awards: giving customers who were there before a rule what the rule gives, and taking such an award back.

Nobody gets by itself what is older than the install or the rule; this is how a person decides otherwise. A run goes
through the customers in pieces, and each piece is a transaction with its checkpoint: killed anywhere, it goes on, and
what was given once is never given twice, neither by the same award again nor beside what a customer got when it came.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from onewriter.customers import runs
from onewriter.customers.profiles import ACTIVE
from onewriter.customers.runs import Run
from onewriter.db.engine import Database, DoorBell
from onewriter.db.pointtables import entries as entry_table
from onewriter.db.tables import customers
from onewriter.errors import Permanent
from onewriter.loyalty import programme, receipts
from onewriter.loyalty.books import Book, Books, open_books
from onewriter.loyalty.points import NoRule
from onewriter.loyalty.receipts import AWARD, Receipt
from onewriter.records import EntryKind, Instant, RunState, id_text, sortable_id
from onewriter.rules.earning import NEWSLETTER, SIGNUP, Gift, Version, gift
from onewriter.vault.vault import ShopVault

RUN = "award"
"""The kind of run; one that takes an award back is of the same kind, so that the two never cross."""
RULES = (SIGNUP, NEWSLETTER)
"""The rules that give once in a life, which is what can be awarded."""
PIECE = 250
SHOWN = 10

RULE, DRY, REVERSES, AFTER, FIRST, RECEIPT = "rule", "dry_run", "reverses", "after", "first", "receipt"

_NEXT = (
    select(customers.c.id)
    .where(
        customers.c.shop_id == bindparam("shop_id"), customers.c.state == ACTIVE, customers.c.id > bindparam("after")
    )
    .order_by(customers.c.id)
    .limit(PIECE)
)
_COUNT = (
    select(func.count())
    .select_from(customers)
    .where(customers.c.shop_id == bindparam("shop_id"), customers.c.state == ACTIVE)
)
_GIVEN = (
    select(entry_table.c.customer_id)
    .where(
        entry_table.c.run_id == bindparam("run_id"),
        entry_table.c.kind == EntryKind.EARN.value,
        entry_table.c.dropped_by.is_(None),
    )
    .order_by(entry_table.c.customer_id)
    .limit(PIECE)
)


class NotAnAward(Permanent):
    """That run gave nothing that could be taken back."""


def refuse_unknown(db: Connection, shop_id: int, rule: str) -> tuple[Version, Gift]:
    """The rule as it stands now; raises NoRule if it cannot be awarded."""
    version = programme.current(db, shop_id)
    given = None if version is None else {SIGNUP: version.rules.signup, NEWSLETTER: version.rules.newsletter}.get(rule)
    if version is None or given is None:
        raise NoRule(f"The programme has no rule {rule!r} now that could be awarded: set it first, as [{rule}].")
    return version, given


def refuse_other(run: Run, shop_id: int) -> None:
    """Raise NotAnAward unless the run was an award of this shop that gave something."""
    if run.kind != RUN or run.shop_id != shop_id or run.checkpoint.get(DRY) or run.checkpoint.get(REVERSES):
        raise NotAnAward("That run is no award that could be taken back; `onewriter runs list` shows the awards.")
    if not run.over:
        raise NotAnAward("That award is still under way; wait until it has ended.")


@dataclass(slots=True)
class Awarding:
    """Carries one run out: an award, its dry run, or taking one back."""

    database: Database
    vault: ShopVault
    clock: Callable[[], Instant]
    bell: DoorBell | None = None
    _counts: Counter[str] = field(default_factory=Counter)
    _checkpoint: dict[str, Any] = field(default_factory=dict)

    def run(self, run: Run) -> Run:
        """Carry a run that was begun to its end from wherever it stands; the run as it ended."""
        self._counts, self._checkpoint = Counter(run.counts), dict(run.checkpoint)
        step = self._take_back if run.checkpoint.get(REVERSES) else self._award
        done = run.done
        while True:
            with self.database.write() as db:
                now = self.clock()
                seen = step(db, run, now)
                if seen:
                    done += seen
                    total = max(done, self._total(db, run))
                    moved = {"done": done, "total": total, "counts": dict(self._counts)}
                    runs.move(db, run, now, checkpoint=self._checkpoint, **moved)
                else:
                    runs.finish(db, run, RunState.DONE, None, now)
                    return runs.get(db, run.id)
            if self.bell is not None:
                self.bell.give_way()

    def _total(self, db: Connection, run: Run) -> int:
        if run.checkpoint.get(REVERSES):
            return 0
        counted: int = db.execute(_COUNT, {"shop_id": run.shop_id}).scalar_one()
        return counted

    # ---- Giving

    def _award(self, db: Connection, run: Run, now: Instant) -> int:
        """Give the next customers what the rule gives; how many were looked at."""
        rule = str(run.checkpoint[RULE])
        after = bytes.fromhex(self._checkpoint.get(AFTER, ""))
        ids = [bytes(each) for each in db.execute(_NEXT, {"shop_id": run.shop_id, "after": after}).scalars()]
        if not ids:
            return 0
        version, given = refuse_unknown(db, run.shop_id, rule)
        books = open_books(db, self.vault, ids)
        item = replace(gift(version, rule, given, run.requested_at, "award", once=True), reason=f"awarded: {rule}")
        for customer_id in ids:
            self._give(books, customer_id, item, run, now)
        if not run.checkpoint.get(DRY):
            books.settle(now)
            books.save(db)
        self._checkpoint[AFTER] = ids[-1].hex()
        return len(ids)

    def _give(self, books: Books, customer_id: bytes, item: Any, run: Run, now: Instant) -> None:
        book = books.of(customer_id)
        if book is None:
            return
        if any(entry.once_key == item.once_key for entry in book.counting):
            self._counts["had_it"] += 1
            return
        if book.give(item, customer_id, now, source=run.requested_by, run_id=run.id) is None:
            self._counts["excluded"] += 1
            return
        self._counts["awarded"] += 1
        self._counts["points"] += item.points
        first = self._checkpoint.setdefault(FIRST, [])
        if len(first) < SHOWN:
            first.append(id_text(customer_id))

    # ---- Taking back

    def _take_back(self, db: Connection, run: Run, now: Instant) -> int:
        """Drop what the award gave the next customers; how many that were."""
        award = str(run.checkpoint[REVERSES])
        ids = [bytes(each) for each in db.execute(_GIVEN, {"run_id": award}).scalars()]
        if not ids:
            return 0
        receipt = self._receipt(db, run, award, now)
        books = open_books(db, self.vault, ids)
        for book in books.by_holder.values():
            self._drop(book, award, receipt, now)
        books.save(db)
        return len(ids)

    def _receipt(self, db: Connection, run: Run, award: str, now: Instant) -> Receipt:
        """The one receipt of the whole run, made with its first piece."""
        if RECEIPT in self._checkpoint:
            receipt_id = bytes.fromhex(self._checkpoint[RECEIPT])
            return receipts.of_ids(db, [receipt_id])[receipt_id]
        receipt_id = sortable_id(now, os.urandom(10))
        why = run.checkpoint.get("why")
        receipt = Receipt(
            receipt_id, run.shop_id, AWARD, None, None, now, now, run.requested_by, {}, run_id=award, why=why
        )
        receipts.add(db, receipt)
        self._checkpoint[RECEIPT] = receipt_id.hex()
        return receipt

    def _drop(self, book: Book, award: str, receipt: Receipt, now: Instant) -> None:
        mine = [entry for entry in book.counting if entry.run_id == award and entry.kind is EntryKind.EARN]
        book.take_back(mine, receipt)
        balance = book.settle(now).balance
        self._counts["taken_back"] += len(mine)
        self._counts["points"] -= sum(entry.points for entry in mine)
        self._counts["below_zero"] += balance < 0


def told(counts: Mapping[str, int], checkpoint: Mapping[str, Any]) -> Sequence[str]:
    """What a run of this kind came to, in sentences."""
    if checkpoint.get(REVERSES):
        below = counts.get("below_zero", 0)
        spent = f" {below} of them had spent it, and have less than nothing now." if below else ""
        return [f"Taken back from {counts.get('taken_back', 0)} customers, {-counts.get('points', 0)} points.{spent}"]
    would = "would get" if checkpoint.get(DRY) else "got"
    return [
        f"{counts.get('awarded', 0)} customers {would} {counts.get('points', 0)} points in all.",
        f"{counts.get('had_it', 0)} had it already, and {counts.get('excluded', 0)} are excluded.",
    ]
