"""Refetch: reading again the customers that a delivery alone could not settle."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from onewriter.customers import aliases, findings, marks, questions
from onewriter.customers.aliases import UNSETTLED_MERGE
from onewriter.customers.findings import Finding
from onewriter.customers.marks import Mark
from onewriter.customers.questions import Ask, Question
from onewriter.db.engine import Database, is_outage
from onewriter.errors import MasterKeyWrong, Temporary
from onewriter.intake.apply import apply, lock, read_again
from onewriter.records import DAY, Instant, Path, id_text
from onewriter.rules.aliasing import ASK_FOR
from onewriter.rules.ordering import TRIES_MAX
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import Read, read_customers
from onewriter.vault.vault import ShopVault

log = structlog.get_logger(__name__)

AT_ONCE = 250
"""Shopify reads at most 250 nodes in one call."""


UNSETTLED = "unsettled"
"""The kind of finding of a customer that reading does not settle."""
ASK_AGAIN = "ask again"
NOT_MERGED = "not merged"


@dataclass(frozen=True, slots=True)
class MarkedReads:
    """What reading whatever is marked needs. `client_of` and `vault_of` open a shop's client and vault."""

    database: Database
    client_of: Callable[[int], AdminClient]
    vault_of: Callable[[int], ShopVault]
    clock: Callable[[], Instant]


@dataclass(frozen=True, slots=True)
class Refetch(MarkedReads):
    """Reads marked customers again."""

    def once(self, shop_id: int) -> int:
        """Read the marks that are due in this shop, up to 250; returns how many were read."""
        began = self.clock()
        with self.database.read() as db:
            wanted = marks.due(db, shop_id, began, AT_ONCE)
        if not wanted:
            return 0
        ids = [mark.shopify_id for mark in wanted]
        read = read_customers(self.client_of(shop_id), ids, began=began, position=0)
        self._apply_each(shop_id, wanted, read)
        return len(wanted)

    def _apply_each(self, shop_id: int, wanted: Sequence[Mark], read: Read) -> None:
        """Apply these together, or each by itself: one that cannot be applied must not keep the others waiting."""
        try:
            self._apply(shop_id, wanted, read)
        except (Temporary, MasterKeyWrong):
            raise
        except Exception as error:
            if is_outage(error):
                raise
            if len(wanted) == 1:
                log.warning("customer failed", shop=shop_id, error=type(error).__name__)
                with self.database.write() as db:
                    marks.put_off(db, shop_id, wanted, self.clock())
                return
            for mark in wanted:
                mine = [change for change in read.changes if change.record_id == mark.shopify_id]
                self._apply_each(shop_id, [mark], Read(mine, read.unread))

    def _apply(self, shop_id: int, wanted: Sequence[Mark], read: Read) -> None:
        now = self.clock()
        vault = self.vault_of(shop_id)
        with self.database.write() as db:
            # What a merge made of the kept customer is told by nothing but the read that it asks for.
            after_merge = {mark.shopify_id: Path.MERGE for mark in wanted if "merge" in mark.reasons}
            applied = apply(db, vault, read.changes, now, logged_as=after_merge)
            merging = self._merging(db, vault, wanted)
            settled = [mark for mark in wanted if mark.shopify_id in applied.settled and mark not in merging]
            # A merge is asked about for a day; anything else a few times.
            spent = [mark for mark in wanted if mark not in settled and _is_spent(mark, mark in merging, now)]
            marks.clear(db, shop_id, settled + spent)
            marks.put_off(db, shop_id, [mark for mark in wanted if mark not in settled and mark not in spent], now)
            for mark in spent:
                if mark in merging and mark.shopify_id in applied.settled:
                    self._ask(db, shop_id, mark, now)
                else:
                    self._report(db, shop_id, mark, read, now)
            findings.heal_read(db, shop_id, [mark.shopify_id for mark in settled], {UNSETTLED}, now)

    def _merging(self, db: Connection, vault: ShopVault, wanted: Sequence[Mark]) -> set[Mark]:
        """Customers that were told to be merged away, and are not known to be gone yet."""
        asked = [mark for mark in wanted if "merge" in mark.reasons]
        known = aliases.load(db, vault, [mark.shopify_id for mark in asked])
        return {mark for mark in asked if mark.shopify_id in known and known[mark.shopify_id].is_pending}

    def _ask(self, db: Connection, shop_id: int, mark: Mark, now: Instant) -> None:
        customer_id = findings.customer_id_of(db, shop_id, mark.shopify_id)
        if customer_id is not None:
            questions.ask(db, shop_id, _unsettled(customer_id, mark, now), now)

    def _report(self, db: Connection, shop_id: int, mark: Mark, read: Read, now: Instant) -> None:
        """A customer that cannot be settled by reading is a finding: somebody must look."""
        hidden = any(change.denied and change.record_id == mark.shopify_id for change in read.changes)
        why = read.unread.get(mark.shopify_id, "ACCESS_DENIED" if hidden else None)
        reason = f"Shopify would not show it ({why})" if why else "every read was older than what we hold"
        customer_id = findings.customer_id_of(db, shop_id, mark.shopify_id)
        evidence = {"reasons": sorted(mark.reasons), "tries": mark.tries + 1}
        # The newest word on a customer stands for the ones before.
        findings.heal_read(db, shop_id, [mark.shopify_id], {UNSETTLED}, now)
        findings.add(db, shop_id, Finding(UNSETTLED, reason, customer_id, evidence=evidence), now)


def _is_spent(mark: Mark, is_merging: bool, now: Instant) -> bool:
    return now - mark.set_at > ASK_FOR if is_merging else mark.tries + 1 >= TRIES_MAX


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
    if shopify_id is not None:
        lock(db, vault, [shopify_id])
    known = {} if shopify_id is None else aliases.load(db, vault, [shopify_id])
    if shopify_id is None or shopify_id not in known or not known[shopify_id].is_pending:
        return "noted, since the merge was settled another way"
    if question.answer == ASK_AGAIN:
        read_again(db, vault, {shopify_id: frozenset({"merge"})}, now)
        return "the customer is read again for a day"
    aliases.save(db, vault, known, {shopify_id: known[shopify_id].fail()})
    return "the merge counts as failed"
