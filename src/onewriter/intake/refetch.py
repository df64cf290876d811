"""Refetch: reading again the customers that a delivery alone could not settle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from onewriter.customers import findings, marks
from onewriter.customers.findings import Finding
from onewriter.customers.marks import Mark
from onewriter.db.engine import Database
from onewriter.intake.apply import apply
from onewriter.records import Instant
from onewriter.rules.ordering import TRIES_MAX
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import Read, read_customers
from onewriter.vault.vault import ShopVault

AT_ONCE = 250
"""Shopify reads at most 250 nodes in one call."""


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
        with self.database.write() as db:
            applied = apply(db, self.vault_of(shop_id), read.changes, now)
            settled = [mark for mark in wanted if mark.shopify_id in applied.settled]
            unsettled = [mark for mark in wanted if mark.shopify_id not in applied.settled]
            spent = [mark for mark in unsettled if mark.tries + 1 >= TRIES_MAX]
            marks.clear(db, shop_id, settled + spent)
            marks.put_off(db, shop_id, [mark for mark in unsettled if mark not in spent], now)
            for mark in spent:
                self._report(db, shop_id, mark, read, now)

    def _report(self, db: Connection, shop_id: int, mark: Mark, read: Read, now: Instant) -> None:
        """A customer that cannot be settled by reading is a finding: somebody must look."""
        hidden = any(change.denied and change.record_id == mark.shopify_id for change in read.changes)
        why = read.unread.get(mark.shopify_id, "ACCESS_DENIED" if hidden else None)
        reason = f"Shopify would not show it ({why})" if why else "every read was older than what we hold"
        customer_id = findings.customer_id_of(db, shop_id, mark.shopify_id)
        evidence = {"reasons": sorted(mark.reasons), "tries": mark.tries + 1}
        findings.add(db, shop_id, Finding("unsettled", reason, customer_id, evidence=evidence), now)
