"""Orders are read and posted: the ledger gets what an order's present state implies, whatever rang for it, how often.

An order that is older than the token may see reads null. Of such a one, what deliveries told of it stands for it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from onewriter.customers import findings, order_marks
from onewriter.customers.findings import Finding
from onewriter.customers.order_marks import OrderMark, Told
from onewriter.db.engine import is_outage
from onewriter.errors import MasterKeyWrong, Temporary
from onewriter.intake.apply import lock, read_again
from onewriter.intake.refetch import AT_ONCE, MarkedReads
from onewriter.loyalty import orders as ledger
from onewriter.records import Instant, Order
from onewriter.rules.ordering import TRIES_MAX
from onewriter.shopify.orders import OrderRung, OrdersRead, customers_of, read_orders
from onewriter.vault.vault import ShopVault

UNSETTLED_ORDER = "unsettled order"
"""The kind of finding of an order that reading does not settle."""
REASON = "order"
"""Why the customer of such an order is read."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of some orders, and which of them wait for whom, by Shopify ids."""

    outcomes: Mapping[int, str]
    waiting: Mapping[int, int]
    unclear: Mapping[int, str]
    """Orders that wait for news of their customers, and why: a merge that we have not heard of, or no deletion."""


def post_orders(
    db: Connection,
    vault: ShopVault,
    orders: Sequence[Order],
    now: Instant,
    *,
    run_id: str | None = None,
    insist: Collection[int] = (),
) -> Posted:
    """Post what these orders imply, under the locks of their customers, and have those read that we do not know yet."""
    lock(db, vault, customers_of(orders))
    outcomes = ledger.post(db, vault, orders, now, run_id=run_id, insist=insist)
    waiting = {
        order.id: order.customer
        for order in orders
        if order.customer is not None and outcomes[order.id] == ledger.UNKNOWN_CUSTOMER
    }
    read_again(db, vault, dict.fromkeys(waiting.values(), frozenset({REASON})), now)
    unclear = {number: why for number, why in outcomes.items() if why in (ledger.ELSEWHERE, ledger.HIDDEN)}
    return Posted(outcomes, waiting, unclear)


def told_by(rung: OrderRung, currency: str | None) -> Told:
    """What a delivery told that can stand for its order; not an amount in another currency than the shop's."""
    if rung.refund is None or rung.currencies - {currency}:
        return Told(cancelled=rung.cancelled)
    return Told((rung.refund,), rung.cancelled)


@dataclass(frozen=True, slots=True)
class OrderReads(MarkedReads):
    """Reads the orders that were rung for."""

    def once(self, shop_id: int) -> int:
        """Read and post the orders that are due in this shop, up to 250; returns how many were read."""
        began = self.clock()
        with self.database.read() as db:
            marks = order_marks.due(db, shop_id, began, AT_ONCE)
        if not marks:
            return 0
        read = read_orders(self.client_of(shop_id), [mark.order_id for mark in marks], began)
        vault = self.vault_of(shop_id)
        for mark in marks:
            if mark.order_id in read.none:
                self._stand_in(vault, mark)
        self._settle_each(vault, [mark for mark in marks if mark.order_id not in read.none], read)
        return len(marks)

    def _settle_each(self, vault: ShopVault, marks: Sequence[OrderMark], read: OrdersRead) -> None:
        """Settle these together, or each by itself: one that cannot be posted must not keep the others waiting."""
        try:
            self._settle(vault, marks, read)
        except (Temporary, MasterKeyWrong):
            raise
        except Exception as error:
            if is_outage(error):
                raise
            if len(marks) == 1:
                log.warning("order failed", order=marks[0].order_id, error=type(error).__name__)
                failed = {marks[0].order_id: f"it could not be posted ({type(error).__name__})"}
                self._settle(vault, marks, OrdersRead(), failed)
                return
            for mark in marks:
                self._settle_each(vault, [mark], read)

    def _stand_in(self, vault: ShopVault, mark: OrderMark) -> None:
        """Post what deliveries told of an order that reads null; where they told nothing, nothing can be posted."""
        now = self.clock()
        # One order a transaction: which customers are locked for it is known only when it is posted.
        with self.database.write() as db:
            if mark.told:
                ledger.post_told(db, vault, mark.order_id, mark.told.as_json(), now)
            order_marks.clear(db, vault.shop_id, [mark])
            _heal(db, vault.shop_id, {mark.order_id}, now)

    def _settle(
        self, vault: ShopVault, marks: Sequence[OrderMark], read: OrdersRead, failed: Mapping[int, str] | None = None
    ) -> None:
        if not marks:
            return
        now = self.clock()
        with self.database.write() as db:
            told = {mark.order_id for mark in marks}
            # The customers' locks are everybody's first, and the marks' come after.
            lock(db, vault, customers_of(order for order in read.orders if order.id in told))
            marks = order_marks.still(db, vault.shop_id, marks)
            wanted = {mark.order_id for mark in marks}
            last = {mark.order_id for mark in marks if mark.tries + 1 >= TRIES_MAX}
            posted = post_orders(db, vault, [order for order in read.orders if order.id in wanted], now, insist=last)
            why = {number: f"Shopify would not show it ({code})" for number, code in read.unread.items()}
            why |= dict.fromkeys(posted.waiting, "its customer could not be read") | dict(failed or {})
            why |= posted.unclear
            open_marks = [mark for mark in marks if mark.order_id in why]
            spent = [mark for mark in open_marks if mark.tries + 1 >= TRIES_MAX]
            settled = [mark for mark in marks if mark not in open_marks]
            order_marks.clear(db, vault.shop_id, settled + spent)
            later = {mark: posted.waiting.get(mark.order_id) for mark in open_marks if mark not in spent}
            order_marks.put_off(db, vault.shop_id, later, now)
            # The newest word on an order stands for the ones before.
            _heal(db, vault.shop_id, {mark.order_id for mark in settled + spent}, now)
            for mark in spent:
                evidence = {"order": mark.order_id, "tries": mark.tries + 1}
                findings.add(db, vault.shop_id, Finding(UNSETTLED_ORDER, why[mark.order_id], evidence=evidence), now)


def _heal(db: Connection, shop_id: int, order_ids: Collection[int], now: Instant) -> None:
    """Say that these orders are settled, or that a newer finding speaks of them."""
    known = findings.open_of(db, shop_id, UNSETTLED_ORDER)
    findings.heal(db, [each for each, evidence in known.items() if evidence["order"] in order_ids], now)
