"""What the measurement of points is made of: a shop with a programme, ledgers written in bulk, bare baselines."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from random import Random
from typing import Any

from sqlalchemy import insert, select

from onewriter.bench.bare import Bare
from onewriter.bench.costs import Sampler
from onewriter.bench.parts import Caller, peak_mb
from onewriter.bench.stage import SEED, copy_shops, prepared, settings_of
from onewriter.customers import shops
from onewriter.customers.profiles import ACTIVE
from onewriter.db.bulk import insert_rows
from onewriter.db.pointtables import accounts as account_table
from onewriter.db.pointtables import entries as entry_table
from onewriter.db.tables import customers
from onewriter.errors import Permanent
from onewriter.loyalty import entries, merges, orders, points, programme
from onewriter.loyalty.accounts import Account
from onewriter.loyalty.audit import audit
from onewriter.loyalty.books import open_books
from onewriter.loyalty.merges import Pair
from onewriter.records import DAY, HOUR, SECOND, Entry, EntryKind, Instant, Order, Refund
from onewriter.runtime import Runtime, now
from onewriter.vault.vault import ShopVault

RULES = """
currency = "{currency}"
[signup]
points = 50
[order]
points_per_unit = 1
[expiry]
after_days = 365
"""
UNIT = 1_000_000
AT_ONCE = 250
"""Order events in one transaction."""
EACH = 10
"""Entries of a customer, of which a shop's audit has many."""
LOOKS = 2_000
ROWS = 20_000
FIRST = 1_000_000
"""The lowest Shopify id of a customer here."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The one shop of a place, opened."""

    runtime: Runtime
    vault: ShopVault
    currency: str
    began: Instant
    """Before anything that happens in it."""


def with_shop(measure: Callable[[Caller, Shop], dict[str, Any]]) -> Callable[[Caller], None]:
    """A part that works in the shop of a place, and tells what it found."""

    def part(caller: Caller) -> None:
        with Runtime(settings_of(caller.given["place"])) as runtime:
            with runtime.database.read() as db:
                shop = shops.every(db)[0]
            opened = Shop(runtime, runtime.vault(shop.id), shop.currency or "EUR", shop.installed_at)
            told = measure(caller, opened)
        caller.tell(**told, peak_mb=peak_mb())

    return part


# ---- The shop and its ledgers ---------------------------------------------------------------------------------------


def _set_programme(shop: Shop) -> None:
    """Rules that count since a thousand days ago, so that what is told of that time earns."""
    began = now() - 1_000 * DAY
    with shop.runtime.database.write() as db:
        shops.change(db, shop.vault.shop_id, {"installed_at": began, "shopify_date": None})
        here = shops.by_id(db, shop.vault.shop_id)
        programme.add(db, here, RULES.format(currency=shop.currency), "bench", None, began)


def _add_customers(shop: Shop, count: int) -> list[bytes]:
    """Customers of whom nothing is known but that they are there."""
    random = Random(SEED)
    ids = sorted(random.randbytes(16) for _ in range(count))
    known = {"shop_id": shop.vault.shop_id, "state": ACTIVE, "box": b"", "heard_at": shop.began}
    with shop.runtime.database.write() as db:
        for start in range(0, count, ROWS):
            some = enumerate(ids[start : start + ROWS], FIRST + start)
            rows = [{"id": each, "shopify_id": number, "changed_at": shop.began, **known} for number, each in some]
            db.execute(insert(customers), rows)
    return ids


class Ledgers:
    """Writes entries and accounts as whole rows, many at a time, past all rules."""

    def __init__(self, shop: Shop) -> None:
        self._random = Random(SEED)
        self.shop, self.fresh = shop, list[Entry]()

    def entry(self, customer: bytes, kind: EntryKind, many: int, at: Instant, **more: Any) -> Entry:
        """An entry of a customer, which is written down with the next ones."""
        given: dict[str, Any] = {"available_at": at, "rule": kind.value, "reason": more.get("reference")} | more
        made = Entry(
            id=self._random.randbytes(16), customer_id=customer, origin_id=customer, kind=kind, points=many,
            rule_version=1, occurred_at=at, posted_at=at, **given,
        )  # fmt: skip
        self.fresh.append(made)
        return made

    def order(self, customer: bytes, number: int, many: int, at: Instant, refunded: int = 0) -> Entry:
        """What an order has earned, and what a refund took back of it two days later."""
        of = {"rule": "order", "order_id": number, "version": at}
        earn = self.entry(
            customer, EntryKind.EARN, many, at, **of, expires_at=at + 365 * DAY, reference=str(number),
            amount=many * UNIT,
        )  # fmt: skip
        if refunded:
            later, back = at + 2 * DAY, refunded * UNIT
            self.entry(customer, EntryKind.REVERSE, -refunded, later, **of, reference=f"refund {number}", amount=back)
        return earn

    def write(self) -> None:
        """Write down what has been made since the last time."""
        with self.shop.runtime.database.write() as db:
            entries.add(db, self.shop.vault.shop_id, self.fresh)
        self.fresh = []

    def settle(self, customer: bytes) -> None:
        """Post what follows from a customer's entries, and make its account."""
        with self.shop.runtime.database.write() as db:
            books = open_books(db, self.shop.vault, [customer])
            books.settle(now())
            books.save(db)


# ---- Orders ---------------------------------------------------------------------------------------------------------


def order_events(shop: Shop, count: int, people: int) -> Iterator[list[Order]]:
    """Reads of orders in batches; a third of them finds an order that came in an earlier batch partly refunded."""
    random, at = Random(SEED), now() - HOUR
    open_orders: list[Order] = []
    placed = 0
    for start in range(0, count, AT_ONCE):
        batch: list[Order] = []
        fresh: list[Order] = []
        for number in range(start, min(start + AT_ONCE, count)):
            moment = at + number
            if number % 3 == 2 and open_orders:
                place = int(random.random() * len(open_orders))
                open_orders[place], open_orders[-1] = open_orders[-1], open_orders[place]
                order = open_orders.pop()
                refund = Refund(number + 1, order.total // 4, moment)
                batch.append(replace(order, version=moment, refunds=(refund,)))
                continue
            placed += 1
            total = (10 + int(random.random() * 190)) * UNIT
            customer = FIRST + int(random.random() * people)
            fresh.append(Order(placed, customer, moment, moment, shop.currency, total, total, paid=True))
        open_orders += fresh
        yield batch + fresh


@with_shop
def post_orders(caller: Caller, shop: Shop) -> dict[str, Any]:
    """A part: apply so many order events to the ledgers of so many customers."""
    _set_programme(shop)
    _add_customers(shop, caller.given["customers"])
    events = list(order_events(shop, caller.given["n"], caller.given["customers"]))
    posted, moment = 0, now()
    with Sampler(waits=True) as sampler:
        began = time.perf_counter()
        for number, batch in enumerate(events):
            with shop.runtime.database.write() as db:
                # A time of its own for each batch tells the baseline what was written together.
                outcomes = orders.post(db, shop.vault, batch, moment + number)
            posted += sum(outcome == orders.POSTED for outcome in outcomes.values())
        took = time.perf_counter() - began
    if posted != caller.given["n"]:
        raise Permanent(f"Of {caller.given['n']} order events {posted} were posted.")
    return {"took": took, "costs": sampler.shares()}


def write_orders_bare(caller: Caller) -> None:
    """A part: write what the order events of one place left behind into another, in the same batches."""
    with prepared(caller.given["source"]) as source, prepared(caller.given["target"]) as target:
        copy_shops(source, target)
        with source.database.read() as db:
            place = entry_table.c.keys().index("posted_at")
            written = [tuple(row) for row in db.execute(select(entry_table).order_by(entry_table.c.posted_at))]
            known = {bytes(row.customer_id): tuple(row) for row in db.execute(select(account_table))}
        batches = [list(rows) for _at, rows in groupby(written, key=lambda row: row[place])]
        touched = [[known[each] for each in sorted({bytes(row[2]) for row in rows})] for rows in batches]
        with closing(Bare(target.database)) as bare:
            began = time.perf_counter()
            for rows, of_customers in zip(batches, touched, strict=True):
                with bare.transaction():
                    bare.insert(entry_table, rows)
                    bare.upsert(account_table, of_customers)
            took = time.perf_counter() - began
    caller.tell(took=took)


# ---- Balances -------------------------------------------------------------------------------------------------------


@with_shop
def look_at_balances(caller: Caller, shop: Shop) -> dict[str, Any]:
    """A part: look at the balance of a customer with few entries, of one with many, and at a bare row."""
    _set_programme(shop)
    sizes = caller.given["sizes"]
    ids = _add_customers(shop, len(sizes))
    ledgers = Ledgers(shop)
    for customer, size in zip(ids, sizes, strict=True):
        for number in range(size):
            ledgers.order(customer, number + 1, 10, now() - HOUR + number)
        ledgers.write()
        ledgers.settle(customer)
    found = [_look(shop, customer, 10 * size) for customer, size in zip(ids, sizes, strict=True)]
    return {"looks_s": found, "bare_s": _look_bare(shop, ids[-1])}


def _look(shop: Shop, customer: bytes, balance: int) -> float:
    """How long one look at a balance takes, in seconds."""
    with shop.runtime.database.read() as db:
        began = time.perf_counter()
        for _ in range(LOOKS):
            account = points.account_of(db, shop.vault, customer, now())
        took = time.perf_counter() - began
    if account.balance != balance:
        raise Permanent(f"The balance that was looked at is {account.balance}, and not {balance}.")
    return took / LOOKS


def _look_bare(shop: Shop, customer: bytes) -> float:
    database = shop.runtime.database
    asked = f"SELECT * FROM accounts WHERE customer_id = {'?' if database.is_sqlite else '%s'}"
    with closing(database.engine.raw_connection()) as lent:
        cursor = lent.cursor()
        began = time.perf_counter()
        for _ in range(LOOKS):
            cursor.execute(asked, (customer,))
            cursor.fetchone()
        took = time.perf_counter() - began
        cursor.close()
    return took / LOOKS


# ---- The audit ------------------------------------------------------------------------------------------------------


@with_shop
def audit_all(caller: Caller, shop: Shop) -> dict[str, Any]:
    """A part: audit the points of so many customers with ten entries each."""
    _set_programme(shop)
    ids = _add_customers(shop, caller.given["n"])
    ledgers, made = Ledgers(shop), now()
    for start in range(0, len(ids), ROWS // EACH):
        some = enumerate(ids[start : start + ROWS // EACH], start)
        known = [_ten_entries(ledgers, number, customer, made) for number, customer in some]
        ledgers.write()
        rows = [tuple(getattr(each, column.name) for column in account_table.columns) for each in known]
        with shop.runtime.database.write() as db:
            insert_rows(db, account_table, rows)
    with shop.runtime.database.read() as db, Sampler(waits=True) as sampler:
        began = time.perf_counter()
        found = audit(db, shop.vault.shop_id)
        took = time.perf_counter() - began
    if found.entries != EACH * len(ids) or found.differences:
        raise Permanent(f"Of {found.entries} entries the audit names {len(found.differences)} customers.")
    return {"took": took, "costs": sampler.shares()}


def _ten_entries(ledgers: Ledgers, number: int, customer: bytes, made: Instant) -> Account:
    """Ten entries with all that ledgers have: refunds, redemptions, what is pending, and what has expired."""
    first, base = made - 500 * DAY, number * EACH
    signup = ledgers.entry(
        customer, EntryKind.EARN, 50, first, rule="signup", once_key="signup", expires_at=first + 365 * DAY
    )
    ledgers.entry(customer, EntryKind.REDEEM, -30, first + DAY, reference=f"key {customer.hex()}")
    ledgers.entry(customer, EntryKind.EXPIRE, -20, first + 365 * DAY, rule="age", lot_id=signup.id)
    ledgers.order(customer, base, 120, made - 90 * DAY, refunded=40)
    ledgers.order(customer, base + 1, 75, made - 60 * DAY)
    ledgers.order(customer, base + 2, 200, made - 30 * DAY, refunded=100)
    ledgers.entry(customer, EntryKind.REDEEM, -100, made - 20 * DAY, reference=f"another {customer.hex()}")
    waits = made + 10 * DAY
    ledgers.entry(customer, EntryKind.EARN, 30, made - 4 * DAY, rule="newsletter", once_key="newsletter",
                  available_at=waits, expires_at=waits + 365 * DAY)  # fmt: skip
    return Account(
        customer, ledgers.shop.vault.shop_id, balance=155, pending=30, earned=335, activity_at=made - 4 * DAY,
        valid_until=waits, programme_version=1, changed_at=made, lapse_since=first,
    )  # fmt: skip


@with_shop
def read_bare(_caller: Caller, shop: Shop) -> dict[str, Any]:
    """A part: read every entry of a place by the bare driver, in the order in which the audit does."""
    with closing(shop.runtime.database.engine.raw_connection()) as lent:
        driver: Any = lent.driver_connection
        cursor = driver.cursor() if shop.runtime.database.is_sqlite else driver.cursor("read", withhold=True)
        began, count = time.perf_counter(), 0
        cursor.execute("SELECT * FROM entries ORDER BY customer_id")
        while rows := cursor.fetchmany(5_000):
            count += len(rows)
        took = time.perf_counter() - began
        cursor.close()
    return {"took": took, "count": count}


# ---- Merges ---------------------------------------------------------------------------------------------------------


@with_shop
def merge_two(caller: Caller, shop: Shop) -> dict[str, Any]:
    """A part: merge two customers with some so many entries each, a quarter of them of the same orders."""
    _set_programme(shop)
    kept, deleted, bare, empty = _add_customers(shop, 4)
    ledgers = Ledgers(shop)
    for number, customer in enumerate((kept, deleted, bare)):
        _long_ledger(ledgers, customer, number, caller.given["n"])
        ledgers.write()
        ledgers.settle(customer)
    before = _count(shop, deleted)
    with Sampler(waits=True) as sampler:
        began = time.perf_counter()
        with shop.runtime.database.write() as db:
            receipt = merges.merge(db, shop.vault, Pair(deleted, kept, now() - SECOND), now(), "bench")
        took = time.perf_counter() - began
    if receipt is None or not receipt.figures["dropped"] or receipt.figures["moved"] != before:
        raise Permanent(f"The merge that was measured came to {receipt and receipt.figures}.")
    return {"took": took, "costs": sampler.shares(), "moved": before, "bare": _move_bare(shop, bare, empty)}


def _long_ledger(ledgers: Ledgers, customer: bytes, number: int, size: int) -> None:
    """A quarter are of orders that others have too, with refunds; the rest own orders, redemptions and expiries."""
    shared, own = size // 8, size * 3 // 8
    at, step = now() - 900 * DAY, 890 * DAY // own
    for place in range(shared):
        ledgers.order(customer, place + 1, 100, at + place * step, refunded=20)
    for place in range(own):
        when = at + (place + 1) * step
        if place % 7 == 6:
            ledgers.entry(customer, EntryKind.REDEEM, -60, when, reference=f"key {number} {place}")
        else:
            ledgers.order(customer, 10_000_000 * (number + 1) + place, 80, when)


def _count(shop: Shop, customer: bytes) -> int:
    with shop.runtime.database.read() as db:
        return len(entries.load(db, [customer])[customer])


def _move_bare(shop: Shop, source: bytes, target: bytes) -> float:
    """Rows a second of one statement that hands a customer's entries to another, committed."""
    database = shop.runtime.database
    mark = "?" if database.is_sqlite else "%s"
    with closing(database.engine.raw_connection()) as lent:
        driver: Any = lent.driver_connection
        cursor = driver.cursor()
        began = time.perf_counter()
        if database.is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(f"UPDATE entries SET customer_id = {mark} WHERE customer_id = {mark}", (target, source))
        moved = int(cursor.rowcount)
        driver.commit()
        took = time.perf_counter() - began
        cursor.close()
    return moved / took
