"""What a shop holds of an order. Amounts are whole cents of the shop's currency, times whole seconds since 1970."""

from dataclasses import dataclass

CANCEL_REASONS = ("CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "OTHER", "STAFF")


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that was given back, at times none. `returned_cents` of it took something off, the rest was owed anyway."""

    id: int
    order_id: int
    created_at: int
    cents: int
    returned_cents: int


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """One shipment: of the first line, or of all that was left."""

    id: int
    created_at: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Order:
    """One order. `total_cents` and `subtotal_cents` are before returns, the current ones after edits and returns.

    An edit that takes something away leaves it in the first two, as Shopify leaves the lines. Without a customer it is
    a guest's.
    """

    id: int
    number: int
    customer_id: int | None
    email: str | None
    created_at: int
    processed_at: int
    updated_at: int
    total_cents: int
    subtotal_cents: int
    current_total_cents: int
    current_subtotal_cents: int
    received_cents: int = 0
    refunds: tuple[Refund, ...] = ()
    fulfilments: tuple[Fulfilment, ...] = ()
    cancelled_at: int | None = None
    cancel_reason: str | None = None
    closed_at: int | None = None
    test: bool = False

    @property
    def name(self) -> str:
        return f"#{self.number}"

    @property
    def line_ids(self) -> tuple[int, int]:
        """Every order has two lines, so that one of them can be sent alone."""
        return self.id + 1, self.id + 2

    @property
    def refunded_cents(self) -> int:
        return sum(each.cents for each in self.refunds)

    @property
    def kept_cents(self) -> int:
        """What was paid and not given back."""
        return self.received_cents - self.refunded_cents

    @property
    def owed_cents(self) -> int:
        """What is still to be paid; below zero it is owed to the buyer."""
        return self.current_total_cents - self.kept_cents

    @property
    def is_fulfilled(self) -> bool:
        return any(each.whole for each in self.fulfilments)

    @property
    def financial_status(self) -> str:
        if self.refunded_cents:
            return "PARTIALLY_REFUNDED" if self.kept_cents else "REFUNDED"
        if not self.received_cents and self.cancelled_at is not None and self.total_cents:
            return "VOIDED"
        if self.owed_cents > 0:
            return "PARTIALLY_PAID" if self.received_cents else "PENDING"
        return "PAID"

    @property
    def fulfilment_status(self) -> str:
        if self.is_fulfilled:
            return "FULFILLED"
        return "PARTIALLY_FULFILLED" if self.fulfilments else "UNFULFILLED"


def money_text(cents: int) -> str:
    """An amount as webhooks write it, with two decimals."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"


def decimal_text(cents: int) -> str:
    """An amount as the Admin API writes it: no more decimals than it needs, and always one."""
    text = money_text(cents)
    return text[:-1] if text.endswith("0") else text
