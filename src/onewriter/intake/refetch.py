"""Refetch: reading again the customers that a delivery alone could not settle."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from onewriter.customers import aliases, findings, marks, questions
from onewriter.customers.findings import Finding
from onewriter.customers.marks import Mark
from onewriter.customers.questions import Ask, Question
from onewriter.db.engine import Database
from onewriter.intake.apply import apply
from onewriter.records import DAY, Instant, id_text
from onewriter.rules.aliasing import ASK_FOR
from onewriter.rules.ordering import TRIES_MAX
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import Read, read_customers
from onewriter.vault.vault import ShopVault

AT_ONCE = 250
"""Shopify reads at most 250 nodes in one call."""


UNSETTLED_MERGE = "unsettled merge"
"""The kind of question that a merge asks whose deleted customer is still there."""
ASK_AGAIN = "ask again"
NOT_MERGED = "not merged"


@dataclass(frozen=True, slots=True)
class Refetch:
    """Reads marked customers again. `client_of` and `vault_of` open a shop's client and vault."""

    database: Database
    client_of: Callable[[int], AdminClient]
    vault_of: Callable[[int], ShopVault]
    clock: Callable[[], Instant]

    def once(self, shop_id: int) -> int:
        """Read the marks that are due in this shop, up to 250; returns how many were read."""
        began = self.clock()
        with self.database.read() as db:
            wanted = marks.due(db, shop_id, began, AT_ONCE)
        if not wanted:
            return 0
        ids = [mark.shopify_id for mark in wanted]
        read = read_customers(self.client_of(shop_id), ids, began=began, position=0)
        self._apply(shop_id, wanted, read)
        return len(wanted)

    def _apply(self, shop_id: int, wanted: Sequence[Mark], read: Read) -> None:
        now = self.clock()
        vault = self.vault_of(shop_id)
        with self.database.write() as db:
            applied = apply(db, vault, read.changes, now)
            pending = self._pending(db, vault, [mark for mark in wanted if mark.shopify_id in applied.settled], now)
            unsettled = [mark for mark in wanted if mark.shopify_id not in applied.settled or mark in pending]
            spent = [mark for mark in unsettled if mark not in pending and mark.tries + 1 >= TRIES_MAX]
            over = spent + [mark for mark, overdue in pending.items() if overdue]
            marks.clear(db, shop_id, [mark for mark in wanted if mark not in unsettled or mark in over])
            marks.put_off(db, shop_id, [mark for mark in unsettled if mark not in over], now)
            for mark in spent:
                self._report(db, shop_id, mark, read, now)

    def _pending(self, db: Connection, vault: ShopVault, read: Sequence[Mark], now: Instant) -> dict[Mark, bool]:
        """Customers that were told to be merged away and are still there: asked again for a day, then a person is.

        True for one whose day is over.
        """
        asked = [mark for mark in read if "merge" in mark.reasons]
        known = aliases.load(db, vault, [mark.shopify_id for mark in asked])
        pending = [mark for mark in asked if mark.shopify_id in known and known[mark.shopify_id].is_pending]
        overdue = [mark for mark in pending if now - mark.set_at > ASK_FOR]
        for mark in overdue:
            customer_id = findings.customer_id_of(db, vault.shop_id, mark.shopify_id)
            if customer_id is not None:
                questions.ask(db, vault.shop_id, _unsettled(customer_id, mark, now), now)
        return {mark: mark in overdue for mark in pending}

    def _report(self, db: Connection, shop_id: int, mark: Mark, read: Read, now: Instant) -> None:
        """A customer that cannot be settled by reading is a finding: somebody must look."""
        hidden = any(change.denied and change.record_id == mark.shopify_id for change in read.changes)
        why = read.unread.get(mark.shopify_id, "ACCESS_DENIED" if hidden else None)
        reason = f"Shopify would not show it ({why})" if why else "every read was older than what we hold"
        customer_id = findings.customer_id_of(db, shop_id, mark.shopify_id)
        evidence = {"reasons": sorted(mark.reasons), "tries": mark.tries + 1}
        findings.add(db, shop_id, Finding("unsettled", reason, customer_id, evidence=evidence), now)


def _unsettled(customer_id: bytes, mark: Mark, now: Instant) -> Ask:
    who = id_text(customer_id)
    return Ask(
        kind=UNSETTLED_MERGE,
        subject=who,
        text=f"Customer {who} was told to be merged into another one, and after a day Shopify still has it.",
        answers={
            ASK_AGAIN: "read the customer again for another day",
            NOT_MERGED: "the merge did not happen; both customers stay as they are",
        },
        otherwise="both customers stay as they are; if Shopify has the one no more later, it counts as merged",
        deadline=now + 30 * DAY,
        evidence={"customer": who, "tries": mark.tries + 1},
    )


def answer_unsettled(db: Connection, vault: ShopVault, question: Question, now: Instant) -> str:
    """Do what the answer to an unsettled merge says; in words, what was done."""
    shopify_id = findings.shopify_id_of(db, vault.shop_id, uuid.UUID(question.subject).bytes)
    known = {} if shopify_id is None else aliases.load(db, vault, [shopify_id])
    if shopify_id is None or shopify_id not in known or not known[shopify_id].is_pending:
        return "noted, since the merge was settled another way"
    if question.answer == ASK_AGAIN:
        marks.set_marks(db, vault.shop_id, {shopify_id: frozenset({"merge"})}, now)
        return "the customer is read again for a day"
    aliases.save(db, vault, known, {shopify_id: known[shopify_id].fail()})
    return "the merge counts as failed"
