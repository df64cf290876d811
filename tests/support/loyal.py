"""A shop with a programme: customers and orders told to it, their points looked at, all by the public functions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from onewriter.customers import findings, shops
from onewriter.loyalty import accounts, entries, orders, points, programme, receipts
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.points import Done
from onewriter.loyalty.receipts import Receipt
from onewriter.records import HOUR, SECOND, Change, Entry, Instant, Kind, Order, Path, Refund
from tests.support.shops import Tea, absent, merged

UNIT = 1_000_000

RULES = """
currency = "EUR"
[signup]
points = 50
[newsletter]
points = 20
[order]
points_per_unit = 1
[custom.review]
points = 30
"""


@dataclass(frozen=True)
class Loyal:
    """The tea shop with its programme, which began a day before `now`."""

    tea: Tea
    now: Instant

    def write(self) -> Any:
        return self.tea.runtime.database.write()

    def set_programme(self, text: str, at: Instant) -> None:
        with self.write() as db:
            programme.add(db, shops.by_id(db, self.tea.shop_id), text, "test", None, at)

    def customer(self, number: int, created: Instant | None = None, **fields: Any) -> None:
        """A customer that Shopify made at that time, told by a read."""
        made = self.now if created is None else created
        self.tea.apply(self.told(number, made, **fields), now=self.now)

    def told(self, number: int, created: Instant, **fields: Any) -> Change:
        given = {"first_name": f"N{number}", "state": "disabled", "tags": None, "email_consent": None} | fields
        return Change(number, Kind.PRESENT, Path.READ, given, created, self.now, created=created)

    def order(self, order_id: int, customer: int | None, units: int, **changes: Any) -> Order:
        """A paid order of so many units of the currency, placed now."""
        made = Order(
            order_id, customer, self.now, self.now, "EUR", units * UNIT, units * UNIT, paid=True,
        )  # fmt: skip
        return replace(made, **changes)

    def post(self, *told: Order, at: Instant | None = None, insist: bool = False) -> dict[int, str]:
        moment, names = self.now if at is None else at, [order.id for order in told]
        with self.write() as db:
            return orders.post(db, self.tea.vault, told, moment, insist=names if insist else ())

    def merge(self, deleted: int, kept: int, at: Instant) -> None:
        """Shopify merged them: told, and then the deleted one reads as gone."""
        self.tea.apply(merged(deleted, kept, at), now=at)
        self.tea.apply(absent(deleted, at + SECOND), now=at + SECOND)

    def id(self, number: int) -> bytes:
        with self.tea.runtime.database.read() as db:
            found = findings.customer_id_of(db, self.tea.shop_id, number)
        assert found is not None
        return found

    def account(self, number: int, at: Instant | None = None) -> Account:
        with self.tea.runtime.database.read() as db:
            return points.account_of(db, self.tea.vault, self.id(number), self.now if at is None else at)

    def kept_account(self, number: int) -> Account | None:
        """The row as it was written down."""
        with self.tea.runtime.database.read() as db:
            return accounts.load(db, [self.id(number)]).get(self.id(number))

    def entries(self, number: int, *, dropped: bool = False) -> list[Entry]:
        """What a customer has now, in the order of posting."""
        with self.tea.runtime.database.read() as db:
            return [
                each for each in entries.load(db, [self.id(number)])[self.id(number)] if dropped or not each.dropped_by
            ]

    def lines(self, number: int) -> list[tuple[str, int]]:
        """The same in short: the reason and the points of what counts."""
        return [(entry.reason or entry.rule, entry.points) for entry in self.entries(number)]

    def figures(self, number: int, at: Instant | None = None) -> tuple[int, int, int]:
        """Balance, pending and earned."""
        account = self.account(number, at)
        return account.balance, account.pending, account.earned

    def redeem(self, number: int, many: int, key: str, at: Instant | None = None) -> Done:
        with self.write() as db:
            moment = self.now if at is None else at
            return points.redeem(db, self.tea.vault, self.id(number), many, key, "user:test", moment)

    def receipt(self, deleted: int) -> Receipt:
        with self.tea.runtime.database.read() as db:
            found = receipts.of_merge(db, self.id(deleted))
        assert found is not None
        return found

    def findings(self, kind: str) -> Mapping[bytes, Mapping[str, Any]]:
        with self.tea.runtime.database.read() as db:
            return findings.open_of(db, self.tea.shop_id, kind)


def refunds(*given: tuple[int, int, Instant]) -> tuple[Refund, ...]:
    """Refunds of (id, units, time)."""
    return tuple(Refund(number, units * UNIT, at) for number, units, at in given)


@pytest.fixture
def loyal(tea: Tea, now: Instant) -> Loyal:
    """A shop that was installed two days ago, and set its programme a day ago."""
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"currency": "EUR", "installed_at": now - 48 * HOUR})
    shop = Loyal(tea, now)
    shop.set_programme(RULES, now - 24 * HOUR)
    return shop
