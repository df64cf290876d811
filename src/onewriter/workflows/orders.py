"""Orders: the hourly reconcile of those that changed lately, queued and carried out."""

from sqlalchemy import Connection

from onewriter.customers import runs, shops
from onewriter.customers.runs import ORDERS, Run
from onewriter.errors import Permanent
from onewriter.intake.order_runs import OrderRun
from onewriter.loyalty import programme
from onewriter.records import SECOND, Instant
from onewriter.runtime import Runtime, new_run_id
from onewriter.shopify import scopes


class NoOrderRule(Permanent):
    """No rule of the shop's programme gives points for orders."""


def queue(runtime: Runtime, db: Connection, shop_id: int, by: str, now: Instant) -> str:
    """Queue an order reconcile and return its id.

    Raises ScopeMissing and NoOrderRule where it could come to nothing, and AlreadyRunning while one is queued, running
    or paused in the shop.
    """
    scopes.require_orders(shops.by_id(db, shop_id).scopes)
    if not programme.wants_orders(db, shop_id):
        raise NoOrderRule("No rule of the shop's programme gives points for orders, so there is no order to read.")
    run_id = new_run_id(now)
    runs.add(db, run_id, shop_id, ORDERS, by, now)
    runtime.enqueue(db, run_id)
    return run_id


def are_wanted(db: Connection, shop_id: int) -> bool:
    """True if the shop lets us read orders and has a rule that gives points for them."""
    return scopes.grants(shops.by_id(db, shop_id).scopes, scopes.ORDERS) and programme.wants_orders(db, shop_id)


def reconcile_orders(runtime: Runtime, run: Run) -> Run:
    """Carry out an order reconcile that was begun; the run as it ended."""
    grace = runtime.settings.number("delivery_grace_s") * SECOND
    with runtime.bell() as bell:
        vault, client = runtime.vault(run.shop_id), runtime.client(run.shop_id)
        return OrderRun(runtime.database, vault, client, runtime.now, grace, bell).run(run)
