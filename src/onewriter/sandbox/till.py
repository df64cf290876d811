"""Where orders are placed, paid, sent, edited, given back and cancelled, and what each of these tells."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from onewriter.sandbox import news, order_payloads
from onewriter.sandbox.agenda import Agenda
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.customers import Customers
from onewriter.sandbox.faults import Faults
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.order import CANCEL_REASONS, Fulfilment, Order, Refund
from onewriter.sandbox.orders import Orders
from onewriter.sandbox.payloads import Body

Tell = Callable[[Iterable[news.Item]], None]


class Till:
    """The verbs of orders. The caller holds the shop's lock.

    A customer's counters follow; test orders count nowhere. Whether that moves the customer's `updated_at` is not
    documented, and here it does not.
    """

    def __init__(self, customers: Customers, orders: Orders, agenda: Agenda, faults: Faults, tell: Tell) -> None:
        self._customers, self._orders, self._agenda, self._faults, self._tell = customers, orders, agenda, faults, tell

    def place(
        self, buyer: Customer | None, total: int, subtotal: int, *, paid: bool, processed_at: int | None, test: bool
    ) -> Order:
        _check_amounts(total, subtotal)
        now = int(self._agenda.now())
        if processed_at is not None and processed_at > now:
            raise Refused(Mistake(("processedAt",), "Processed at must not be in the future"))
        number = next(self._orders.new_ids)
        made = Order(
            id=number,
            number=next(self._orders.new_numbers),
            customer_id=None if buyer is None else buyer.id,
            email=None if buyer is None else buyer.email,
            created_at=now,
            processed_at=now if processed_at is None else processed_at,
            updated_at=now,
            total_cents=total,
            subtotal_cents=subtotal,
            current_total_cents=total,
            current_subtotal_cents=subtotal,
            received_cents=total if paid else 0,
            test=test,
        )
        # What costs nothing is paid as soon as it is placed.
        topics = ("orders/create", "orders/paid") if made.owed_cents <= 0 else ("orders/create",)
        return self._write(None, made, topics)

    def pay(self, number: int) -> Order:
        """Pay all that is owed."""
        before = self._open(number)
        if before.owed_cents <= 0:
            raise Refused(Mistake(("id",), "Order cannot be marked as paid."))
        after = replace(before, received_cents=before.received_cents + before.owed_cents)
        return self._write(before, after, ("orders/paid", "orders/updated"))

    def fulfil(self, number: int, *, partly: bool) -> Order:
        before = self._open(number)
        if before.is_fulfilled or (partly and before.fulfilments):
            raise Refused(Mistake(("id",), "Fulfillment order has an unfulfillable status= closed."))
        made = Fulfilment(next(self._orders.new_parts), int(self._agenda.now()), not partly)
        after = replace(before, fulfilments=(*before.fulfilments, made))
        topic = "orders/partially_fulfilled" if partly else "orders/fulfilled"
        return self._write(before, after, (topic, "orders/updated"))

    def edit(self, number: int, total: int, subtotal: int) -> Order:
        """Let the order cost something else from now on. What it costs already is no edit, and tells nobody."""
        before = self._open(number)
        _check_amounts(total, subtotal)
        if before.is_fulfilled:
            raise Refused(Mistake(("id",), "The order cannot be edited."))
        more, more_goods = total - before.current_total_cents, subtotal - before.current_subtotal_cents
        if not (more or more_goods):
            return before
        after = replace(
            before,
            total_cents=before.total_cents + max(0, more),
            subtotal_cents=min(before.subtotal_cents + max(0, more_goods), before.total_cents + max(0, more)),
            current_total_cents=total,
            current_subtotal_cents=subtotal,
        )
        after, told = self._taken_off(after, min(more, more_goods))
        body = order_payloads.edited(after, next(self._orders.new_parts), self._agenda.now(), more or more_goods)
        return self._write(before, after, ("orders/updated",), [*told, (after.customer_id, "orders/edited", body)])

    def refund(self, number: int, cents: int) -> Order:
        before = self._orders.known(number)
        if type(cents) is not int or cents <= 0:
            raise Refused(Mistake(("amount",), "Refund amount must be greater than zero"))
        if cents > before.kept_cents:
            raise Refused(Mistake(("amount",), "Refund amount cannot be greater than the amount that is left"))
        after, told = self._given_back(before, cents)
        return self._write(before, after, ("orders/updated",), told)

    def cancel(self, number: int, *, refund: bool, reason: str) -> Order:
        before = self._open(number)
        if reason not in CANCEL_REASONS:
            raise Refused(Mistake(("reason",), f"Reason must be one of {', '.join(CANCEL_REASONS)}"))
        if before.is_fulfilled and before.kept_cents:
            raise Refused(Mistake(("orderId",), "Cannot cancel a paid and fulfilled order"))
        if refund and before.kept_cents:
            after, told = self._given_back(before, before.kept_cents)
        else:
            after, told = self._taken_off(before, -before.current_total_cents)
        # Nothing is left of a cancelled order, even where the money is kept.
        now = int(self._agenda.now())
        after = replace(after, cancelled_at=now, cancel_reason=reason, current_total_cents=0, current_subtotal_cents=0)
        return self._write(before, after, ("orders/cancelled", "orders/updated"), told)

    def hand_over(self, deleted: Customer, kept: Customer) -> list[news.Item]:
        """A merged-away customer's orders go to the kept one, under its email; what there is to tell of it."""
        told: list[news.Item] = []
        for before in self._orders.of(deleted.id):
            after = replace(before, customer_id=kept.id, email=kept.email, updated_at=self._moved(before))
            self._orders.put(before, after)
            told.append((kept.id, "orders/updated", self._body(after)))
        return told

    # ---- How a write is made

    def _open(self, number: int) -> Order:
        found = self._orders.known(number)
        if found.cancelled_at is not None:
            raise Refused(Mistake(("id",), "Order has been cancelled"))
        return found

    def _given_back(self, before: Order, cents: int) -> tuple[Order, list[news.Item]]:
        """The order after a refund, and its delivery.

        What the buyer has paid too much, after an edit or a cancellation, takes nothing off the order. Anything else
        does, the goods first.
        """
        returned = max(0, cents - max(0, -before.owed_cents))
        made = Refund(next(self._orders.new_parts), before.id, int(self._agenda.now()), cents, returned)
        total = before.current_total_cents - returned
        goods = before.current_subtotal_cents
        if self._faults.refund_lowers_subtotal:
            goods = min(total, max(0, goods - returned))
        after = replace(
            before, refunds=(*before.refunds, made), current_total_cents=total, current_subtotal_cents=goods
        )
        return after, [(before.customer_id, "refunds/create", order_payloads.refund(before, made))]

    def _taken_off(self, order: Order, change: int) -> tuple[Order, list[news.Item]]:
        """With the switch for it, the refund without money that removed lines make, and its delivery."""
        if change >= 0 or not self._faults.empty_refunds:
            return order, []
        made = Refund(next(self._orders.new_parts), order.id, int(self._agenda.now()), 0, 0)
        told = (order.customer_id, "refunds/create", order_payloads.refund(order, made))
        return replace(order, refunds=(*order.refunds, made)), [told]

    def _write(
        self, before: Order | None, after: Order, topics: Iterable[str], others: Iterable[news.Item] = ()
    ) -> Order:
        """Write an order down and tell of it: after `others` the `topics` whose body is the order itself."""
        moved = self._moved(after)
        is_over = after.cancelled_at is not None or after.is_fulfilled
        closed = (after.closed_at or moved) if is_over and after.owed_cents == 0 else None
        after = replace(after, updated_at=moved, closed_at=closed)
        self._orders.put(before, after)
        counted = self._count(before, after)
        body = self._body(after)
        self._tell([*others, *((after.customer_id, topic, body) for topic in topics), *counted])
        return after

    def _moved(self, record: Order) -> int:
        # Never backwards, even if the machine's clock was set back.
        return max(int(self._agenda.now()), record.updated_at)

    def _body(self, record: Order) -> Body:
        buyer = None if record.customer_id is None else self._customers.by_id[record.customer_id]
        return order_payloads.order(record, buyer, denied=self._faults.protected_denied)

    def _count(self, before: Order | None, after: Order) -> list[news.Item]:
        """The customer's counters, kept up; what there is to tell of them."""
        orders = int(before is None)
        cents = after.kept_cents - (before.kept_cents if before else 0)
        if after.customer_id is None or after.test or not (orders or cents):
            return []
        buyer = self._customers.by_id[after.customer_id]
        counted = replace(buyer, orders=buyer.orders + orders, spent_cents=buyer.spent_cents + cents)
        self._customers.put(buyer, counted)
        last = self._orders.of(buyer.id)[-1].id
        summary = order_payloads.purchases(counted, last, self._agenda.now())
        return [(buyer.id, "customers/purchasing_summary", summary)]


def _check_amounts(total: int, subtotal: int) -> None:
    """Whole cents, and the goods at most all of it; the rest is shipping."""
    if type(total) is not int or type(subtotal) is not int or not 0 <= subtotal <= total:
        raise Refused(Mistake(("totalCents",), "Amounts are whole cents, and the subtotal is at most the total"))
