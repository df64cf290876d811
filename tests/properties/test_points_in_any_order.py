"""Points in any order: whatever we hear first and however often, the same balance, pending, earned and open lots.

A model shop lives a history of customers and orders, tells of it, and answers the reads that we ask for.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from onewriter.customers import shops
from onewriter.db import pointtables, tables
from onewriter.intake.orders import post_orders
from onewriter.loyalty.books import open_books
from onewriter.records import DAY, HOUR, SECOND, Change, Instant, Kind, Order, Path, Refund
from tests.support.loyal import UNIT, Loyal
from tests.support.shops import Tea, absent, merged, rung, told

NUMBERS = (101, 102, 103)
READS_MAX = 60
LATER = (3 * HOUR, 30 * HOUR, 3 * DAY)
"""When the ends are looked at: at once, when the first points have opened and ended, and when all have."""
FIRST = """
currency = "EUR"
[signup]
points = 50
[newsletter]
points = 20
pending_days = 1
[order]
points_per_unit = "0.7"
on = "{on}"
{expiry}
"""
SECOND_ONE = """
currency = "EUR"
[signup]
points = 80
[order]
points_per_unit = 2
pending_days = 1
{expiry}
"""
ENDS = ("", "[expiry]\nafter_days = 1\n")

Told = Change | Order


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """On SQLite: what is posted in which order is the same on both databases."""
    return sqlite_url


@dataclass
class ModelShop:
    """A shop that remembers what happened, what it told of it, and how it stands. It tells each state of an order."""

    start: Instant
    created: dict[int, Instant] = field(default_factory=dict)
    fields: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Of the customers who are there."""
    versions: dict[int, Instant] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)

    def live(self, events: Iterable[tuple[int, str, int, int]]) -> None:
        """Live through events: (customer, what, how much, minutes since the last event)."""
        at = self.start
        for number, what, much, pause in events:
            at += pause * 60 * SECOND + SECOND
            if number not in self.created:
                self._come(number, at)
            elif number in self.fields:
                self._happen(number, what, much, at)

    def _come(self, number: int, at: Instant) -> None:
        self.created[number] = at
        self.fields[number] = {"first_name": f"N{number}", "tags": None, "email_consent": None}
        self._tell(number, at)

    def _happen(self, number: int, what: str, much: int, at: Instant) -> None:
        mine = [order for order in self.orders.values() if order.customer == number]
        if what == "update":
            self.fields[number]["first_name"] = f"N{much}"
            self._tell(number, at)
        elif what == "newsletter":
            # Once: one that comes and goes between two reads is one that nobody can know of.
            if self.fields[number]["email_consent"] is None:
                self.fields[number]["email_consent"] = {"state": "subscribed", "level": None, "at": at}
            self.told.append(rung(number, at))
        elif what == "merge":
            self._merge(number, much, at)
        elif what == "order" or not mine:
            made = Order(
                7_000 + len(self.orders), number, at, at, "EUR", much * UNIT, much * UNIT, paid=what != "unpaid"
            )
            self._keep(made, at)
        else:
            self._change(mine[much % len(mine)], what, much, at)

    def _change(self, order: Order, what: str, much: int, at: Instant) -> None:
        left = order.total - sum(refund.amount for refund in order.refunds)
        if order.cancelled is not None:
            return
        if what == "refund" and left:
            refund = Refund(order.id * 10 + len(order.refunds), min(left, much * UNIT), at)
            order = replace(order, refunds=(*order.refunds, refund))
        elif what == "edit":
            order = replace(order, total=order.total + much * UNIT, subtotal=order.subtotal + much * UNIT)
        elif what == "cancel":
            order = replace(order, cancelled=at)
        else:
            order = replace(order, paid=True, fulfilled=order.fulfilled or at)
        self._keep(order, at)

    def _keep(self, order: Order, at: Instant) -> None:
        self.orders[order.id] = replace(order, version=at)
        self.told.append(self.orders[order.id])

    def _tell(self, number: int, at: Instant) -> None:
        self.versions[number] = at
        self.told.append(self._present(number, {"first_name": self.fields[number]["first_name"]}, at))

    def _present(self, number: int, said: dict[str, Any], heard: Instant, path: Path = Path.WEBHOOK) -> Change:
        change = told(number, self.versions[number], said, heard=heard, path=path)
        return replace(change, created=self.created[number])

    def _merge(self, number: int, much: int, at: Instant) -> None:
        others = [other for other in self.fields if other != number]
        if not others:
            return
        kept = others[much % len(others)]
        del self.fields[number]
        self.told.append(merged(number, kept, at))
        for order in list(self.orders.values()):
            if order.customer == number:
                self._keep(replace(order, customer=kept), at)
        self._tell(kept, at)

    def reads(self, began: Instant) -> list[Change]:
        """A direct read of everybody who was ever there, that began now."""
        return [self.read(number, began) for number in sorted(self.created)]

    def read(self, number: int, began: Instant) -> Change:
        """A direct read as the shop stands."""
        if number not in self.fields:
            return absent(number, began)
        return self._present(number, {**self.fields[number], "state": "disabled"}, began, Path.READ)


BEGINNING = ((101, "", 1, 0), (102, "", 1, 0), (101, "order", 60, 0))
"""So that whatever is drawn meets an order of somebody."""
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(NUMBERS),
        st.sampled_from(
            ["update", "newsletter", "order", "unpaid", "fulfil", "refund", "edit", "edit", "cancel", "merge", "merge"]
        ),
        st.integers(1, 90),
        st.sampled_from([0, 1, 30]),
    ),
    min_size=3,
    max_size=10,
)
TABLES = (
    *(tables.field_log, tables.sides, tables.customers, tables.tombstones, tables.refetch_marks, tables.aliases),
    *(tables.findings, pointtables.entries, pointtables.accounts, pointtables.receipts, pointtables.order_marks),
    pointtables.programmes,
)


def is_merge(change: Told) -> TypeGuard[Change]:
    return isinstance(change, Change) and change.kind is Kind.MERGED


def empty(tea: Tea) -> None:
    with tea.runtime.database.write() as db:
        for table in TABLES:
            db.execute(delete(table))


def take(tea: Tea, shop: ModelShop, change: Told, now: Instant) -> None:
    """Take one thing in as it was told, in a transaction of its own."""
    if isinstance(change, Change):
        tea.apply(change, now=now)
        return
    with tea.runtime.database.write() as db:
        post_orders(db, tea.vault, [change], now)


def settle(tea: Tea, shop: ModelShop, now: Instant) -> None:
    """Read whatever is to be read until nothing is; each order once more at last, as its doorbells ask."""
    for _ in range(READS_MAX):
        marked = tea.marked(now)
        for number in marked:
            if number in tea.apply(shop.read(number, now), now=now).settled:
                with tea.runtime.database.write() as db:
                    db.execute(delete(tables.refetch_marks).where(tables.refetch_marks.c.shopify_id == number))
        with tea.runtime.database.write() as db:
            waiting = post_orders(db, tea.vault, list(shop.orders.values()), now).waiting
        now += SECOND
        if not marked and not waiting:
            return
    raise AssertionError("reading never ends")


def end_of(loyal: Loyal, shop: ModelShop, rules: Sequence[str], changes: Sequence[Told], now: Instant) -> Any:
    """How everybody's points stand after these changes in this order, at once and on later days."""
    tea = loyal.tea
    empty(tea)
    for place, text in enumerate(rules):
        loyal.set_programme(text, shop.start + place * HOUR)
    for change in changes:
        take(tea, shop, change, now)
    settle(tea, shop, now + SECOND)
    return [standings(tea, now + wait) for wait in LATER]


def standings(tea: Tea, now: Instant) -> dict[int, Any]:
    """Balance, pending, earned and open lots by when they open and end, of each customer who is there."""
    there = select(tables.customers.c.id, tables.customers.c.shopify_id).where(tables.customers.c.state == "active")
    found: dict[int, Any] = {}
    with tea.runtime.database.write() as db:
        numbers = {bytes(row.id): row.shopify_id for row in db.execute(there)}
        books = open_books(db, tea.vault, numbers)
        for customer_id, number in numbers.items():
            standing = books.by_holder[customer_id].settle(now)
            lots: defaultdict[tuple[Instant, Instant | None], int] = defaultdict(int)
            for lot in standing.lots:
                lots[lot.available_at, lot.expires_at] += lot.points
            found[number] = (standing.balance, standing.pending, standing.earned, dict(lots))
    return found


@pytest.mark.req("K15", "K46")
@pytest.mark.time_limit(240)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(events=EVENTS, on=st.sampled_from(["paid", "fulfilled"]), ends=st.sampled_from(ENDS), data=st.data())
def test_any_order_and_repetition_gives_the_same_points(
    loyal: Loyal, now: Instant, events: list[tuple[int, str, int, int]], on: str, ends: str, data: st.DataObject
) -> None:
    shop = ModelShop(now)
    half = len(events) // 2
    shop.live([*BEGINNING, *events[:half]])
    rows = shop.reads(now + 13 * HOUR)
    # Some merges are settled at once, before more is heard of the orders that they moved.
    rows += [absent(each.record_id, each.heard + SECOND) for each in shop.told if is_merge(each)][:2]
    shop.start += 13 * HOUR + SECOND
    shop.live(events[half:])
    shop.start = now
    heard = [*shop.told, *rows]
    shuffled = data.draw(st.permutations(heard))
    again = data.draw(st.lists(st.sampled_from(heard), max_size=3)) if heard else []
    rules = [FIRST.format(on=on, expiry=ends), SECOND_ONE.format(expiry=ends)]
    moment = now + 40 * HOUR
    end = end_of(loyal, shop, rules, [*shuffled, *again], moment)
    assert end == end_of(loyal, shop, rules, heard, moment)
    assert end[0].keys() == shop.fields.keys()


@pytest.mark.req("K15", "K46")
@pytest.mark.time_limit(120)
def test_every_order_of_an_order_that_goes_through_a_chain_of_merges(loyal: Loyal, now: Instant) -> None:
    shop = ModelShop(now)
    shop.live([(number, "", 1, 0) for number in NUMBERS])
    there = list(shop.told)
    shop.start += HOUR
    shop.live([(101, "order", 100, 0), (101, "merge", 0, 1), (102, "edit", 50, 1), (102, "merge", 1, 1)])
    shop.live([(103, "refund", 30, 200)])
    shop.start = now
    states = [each for each in shop.told if isinstance(each, Order)]
    assert [state.customer for state in states] == [101, 102, 102, 103, 103]
    # Each merge is settled as soon as it is told: the customer is read, and gone.
    merges: list[list[Told]] = [
        [each, absent(each.record_id, each.heard + SECOND)] for each in shop.told if is_merge(each)
    ]
    news: list[list[Told]] = [[states[0]], merges[0], [states[2]], merges[1], [states[4]]]
    apart = [list(itertools.chain(*order)) for order in itertools.permutations(news)]
    rules = [FIRST.format(on="paid", expiry=ENDS[1])]
    ends = [end_of(loyal, shop, rules, [*there, *order], now + 10 * HOUR) for order in apart]
    assert ends[0][0][103][:3] == (50 + 84, 0, 50 + 84)
    assert all(end == ends[0] for end in ends)


@pytest.mark.req("K15")
def test_the_model_shop_gives_points_of_each_kind(loyal: Loyal, now: Instant) -> None:
    """So that the property above is about something."""
    shop = ModelShop(now)
    shop.live([(101, "", 1, 0), (101, "newsletter", 1, 0), (101, "order", 100, 1), (101, "refund", 30, 1)])
    shop.live([(102, "", 1, 2), (102, "order", 10, 1), (102, "merge", 0, 1)])
    with loyal.write() as db:
        assert shops.by_id(db, loyal.tea.shop_id).installed_at < now
    ends = end_of(loyal, shop, [FIRST.format(on="paid", expiry="")], shop.told, now + 2 * HOUR)
    assert [each[101][:3] for each in ends] == [(106, 20, 126), (126, 0, 126), (126, 0, 126)]
