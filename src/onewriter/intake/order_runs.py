"""The order reconcile: what changed lately is read by pages and posted, so that no lost delivery costs anybody points.

It posts by the very rules that deliveries are posted by, so that it can find nothing twice. A page and the place behind
it are committed together: whoever takes a run over goes on from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import findings, inbox, order_marks, runs, shops
from onewriter.customers.findings import Finding
from onewriter.customers.inbox import WAITING
from onewriter.customers.order_marks import Told
from onewriter.customers.runs import FEED, Run
from onewriter.db.engine import Database, DoorBell
from onewriter.intake.orders import UNSETTLED_ORDER, post_orders
from onewriter.loyalty import orders as ledger
from onewriter.loyalty import programme
from onewriter.records import DAY, SECOND, Instant, Order, RunState
from onewriter.shopify import nodes, reads, scopes
from onewriter.shopify.client import AdminClient
from onewriter.shopify.orders import OrderPage, customers_of, read_order_page
from onewriter.shopify.topics import ORDER_TOPICS, REFUND_CREATED
from onewriter.vault.vault import ShopVault

PAGE = 100
"""Orders of a page, which is also a transaction: SQLite's door waits for no more."""
OVERLAP: Instant = 15 * 60 * SECOND
"""How far a run looks back behind the last one: Shopify's lists lag behind its orders."""
SEEN: Instant = 60 * DAY
"""How old an order may be to be read without the scope for all of them."""
UNSETTLED_MAX = 250
"""How many orders that reading did not settle are asked for again by one run."""
LOST_ORDER = "lost order"
"""The kind of finding of an order that no delivery brought us to read."""
NEVER = "Shopify never delivered what changed this order, or not yet"
SINCE, NEWEST = "since", "newest"
"""Where in its checkpoint a run keeps from when on it reads, and the newest change that it has read."""


@dataclass(slots=True)
class OrderRun:
    """Reads and posts the orders of one shop that changed lately, once: an object carries one run."""

    database: Database
    vault: ShopVault
    client: AdminClient
    clock: Callable[[], Instant]
    grace: Instant
    """How long a change may take to be delivered before it counts as lost."""
    bell: DoorBell | None = None
    _checkpoint: dict[str, Any] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _done: int = 0

    def run(self, run: Run) -> Run:
        """Carry a run that was begun to its end from wherever it stands, and return it as it ended.

        Raises ScopeMissing where orders may not be read, Superseded when another attempt has it, and what the client
        raises.
        """
        granted = reads.survey(self.client).scopes
        scopes.require_orders(granted)
        self._checkpoint, self._counts, self._done = dict(run.checkpoint), dict(run.counts), run.done
        if SINCE not in self._checkpoint:
            self._checkpoint[SINCE] = self._since(may_all=scopes.grants(granted, scopes.ALL_ORDERS))
        if self._checkpoint[SINCE] is not None:
            while "over" not in self._checkpoint.get(FEED, {}):
                self._turn(run)
                if self.bell is not None:
                    self.bell.give_way()
        return self._finish(run)

    def _since(self, *, may_all: bool) -> Instant | None:
        """From when on orders are read; None where no order earns anything."""
        with self.database.read() as db:
            shop, first = shops.by_id(db, self.vault.shop_id), programme.orders_since(db, self.vault.shop_id)
        if first is None:
            return None
        since = first if shop.orders_to is None else shop.orders_to - OVERLAP
        return since if may_all else max(since, self.clock() - SEEN)

    def _turn(self, run: Run) -> None:
        began = self.clock()

        def read(since: Instant | None, after: str | None) -> OrderPage:
            return read_order_page(self.client, PAGE, began, since=since, after=after)

        page, start = nodes.turn(read, self._checkpoint.get(FEED, {}), self._checkpoint[SINCE])
        newest = max(page.newest or 0, self._checkpoint.get(NEWEST, 0))
        checkpoint = self._checkpoint | {FEED: nodes.behind(page, start), NEWEST: newest}
        now, done = self.clock(), self._done + len(page.orders)
        with self.database.write() as db:
            counts = self._add(self._post(db, page, run, now))
            runs.move(db, run, now, done=done, counts=counts, checkpoint=checkpoint)
        self._checkpoint, self._counts, self._done = checkpoint, counts, done

    def _post(self, db: Connection, page: OrderPage, run: Run, now: Instant) -> dict[str, int]:
        """Post a page; what became of its orders, counted. What it cannot settle is marked to be read by itself."""
        shop_id = self.vault.shop_id
        marked = order_marks.standing(db, shop_id, [order.id for order in page.orders])
        posted = post_orders(db, self.vault, page.orders, now, run_id=run.id)
        fresh = [order for order in page.orders if posted.outcomes[order.id] == ledger.POSTED]
        expected = marked | self._under_way(db, page, fresh)
        lost = [order for order in fresh if order.id not in expected]
        for order in lost:
            findings.add(db, shop_id, _lost(db, shop_id, order, run), now, healed_at=now)
        unsettled = [*posted.waiting, *posted.unclear, *page.unread]
        order_marks.set_marks(db, shop_id, dict.fromkeys(unsettled, Told()), now)
        told = {"posted": len(fresh), "lost": len(lost), "waiting": len(posted.waiting)}
        return told | {"unread": len(page.unread), "hidden": page.hidden}

    def _under_way(self, db: Connection, page: OrderPage, orders: Sequence[Order]) -> set[int]:
        """The orders of which the normal path may still hear, or may not have had the time to."""
        shop_id = self.vault.shop_id
        if orders and inbox.any_waiting(db, shop_id, REFUND_CREATED):
            return {order.id for order in orders}  # that topic does not say whose order it is of
        hashes = {number: self.vault.key.id_hash(number) for number in customers_of(orders)}
        told = inbox.told_of(db, shop_id, list(hashes.values()))
        ringing = {
            number
            for number, name in hashes.items()
            if any(each.state == WAITING and each.topic in ORDER_TOPICS for each in told[name])
        }
        return {order.id for order in orders if order.version > page.began - self.grace or order.customer in ringing}

    def _add(self, counts: Mapping[str, int]) -> dict[str, int]:
        added = {name: self._counts.get(name, 0) + number for name, number in counts.items()}
        return {**self._counts, **{name: number for name, number in added.items() if number}}

    def _finish(self, run: Run) -> Run:
        now = self.clock()
        with self.database.write() as db:
            shop, newest = shops.by_id(db, self.vault.shop_id), self._checkpoint.get(NEWEST, 0)
            shops.change(db, shop.id, {"orders_to": max(newest, shop.orders_to or 0) or None})
            hidden = self._counts.get("hidden")
            lacking = f"{hidden} orders were hidden by errors of Shopify's." if hidden else None
            self._ask_again(db, now)
            runs.finish(db, run, RunState.PARTIAL if lacking else RunState.DONE, lacking, now)
            return runs.get(db, run.id)

    def _ask_again(self, db: Connection, now: Instant) -> None:
        """Have orders read once more that reading did not settle: their customer may be known now."""
        unsettled = findings.open_of(db, self.vault.shop_id, UNSETTLED_ORDER)
        orders = [int(evidence["order"]) for evidence in unsettled.values()][:UNSETTLED_MAX]
        order_marks.set_marks(db, self.vault.shop_id, dict.fromkeys(orders, Told()), now)


def _lost(db: Connection, shop_id: int, order: Order, run: Run) -> Finding:
    customer_id = None if order.customer is None else findings.customer_id_of(db, shop_id, order.customer)
    return Finding(
        LOST_ORDER, NEVER, customer_id, evidence={"order": order.id, "version": order.version}, run_id=run.id
    )
