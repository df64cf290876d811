"""`onewriter sync`: queue work that brings us in step with Shopify."""

import time
from collections.abc import Callable

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.frame import DONE, FINDINGS, PartlyDone
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, note, say
from onewriter.cli.watch import LOOK_EACH_S, watch_run
from onewriter.customers import find, findings, marks, runs
from onewriter.customers.find import Found
from onewriter.customers.shops import Shop
from onewriter.desk.findings import count_found
from onewriter.errors import UnknownCustomer
from onewriter.intake.apply import read_again
from onewriter.intake.refetch import UNSETTLED
from onewriter.records import Instant
from onewriter.runtime import Runtime, new_run_id, now
from onewriter.workflows import orders, reconciling

ASKED = "asked"
"""Why a customer is marked that somebody wants to be read."""

Queue = Callable[[Runtime, Connection, int, Instant], str]


@click.group("sync")
def group() -> None:
    """Queue work that brings us in step with Shopify."""


@group.command("import")
@shop_option
@click.option("--wait", is_flag=True, help="Watch the run until it is over, and exit as it ended.")
@as_json
def import_customers(domain: str | None, wait: bool, as_json: bool) -> int | None:
    """Queue an import of all customers of a shop; a worker carries it out.

    One import of a shop runs at a time. Customers that did not change cost almost nothing, so importing again is safe
    at any time.
    """
    return _run("import", _queue_import, domain, wait=wait, as_json=as_json)


@group.command("reconcile")
@shop_option
@click.option("--recent", is_flag=True, help="Only customers that Shopify changed since the last time.")
@click.option("--dry-run", is_flag=True, help="Report what differs, and heal nothing.")
@click.option("--wait", is_flag=True, help="Watch the run until it is over, and exit as it ended.")
@as_json
def reconcile(domain: str | None, recent: bool, dry_run: bool, wait: bool, as_json: bool) -> int | None:
    """Queue a comparison of all customers with Shopify; a worker carries it out.

    What differs is read from Shopify directly, reported with the probable reason, and healed. One such run of a shop
    runs at a time, and there is no other limit. `onewriter runs show` shows what was found. With --dry-run and --wait,
    exits with 1 when something was found.
    """

    def queue(runtime: Runtime, db: Connection, shop_id: int, moment: Instant) -> str:
        return reconciling.queue(runtime, db, shop_id, session.actor(), moment, recent=recent, dry=dry_run)

    return _run("recent reconcile" if recent else "reconcile", queue, domain, wait=wait, as_json=as_json)


@group.command("orders")
@shop_option
@click.option("--wait", is_flag=True, help="Watch the run until it is over, and exit as it ended.")
@as_json
def reconcile_orders(domain: str | None, wait: bool, as_json: bool) -> int | None:
    """Queue a read of the orders that changed lately; a worker posts what they earn.

    That is done every hour anyway, for what Shopify never delivered. Orders older than 60 days are read only with the
    scope read_all_orders. One such run of a shop runs at a time; nothing is ever posted twice.
    """

    def queue(runtime: Runtime, db: Connection, shop_id: int, moment: Instant) -> str:
        return orders.queue(runtime, db, shop_id, session.actor(), moment)

    return _run("order reconcile", queue, domain, wait=wait, as_json=as_json)


@group.command("customer")
@click.argument("customer", metavar="ID")
@shop_option
@click.option("--wait", is_flag=True, help="Wait until the customer was read.")
@as_json
def read_customer(customer: str, domain: str | None, wait: bool, as_json: bool) -> int:
    """Have one customer read from Shopify now; a worker does it.

    ID is Shopify's number or gid, or our id. A customer that we do not know yet is made. There is no limit to how often
    this may be asked.
    """
    moment = now()
    with session.opened() as runtime:
        with runtime.database.write() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain, connected=True)
            number = find.shopify_id_meant(db, shop.id, customer)
            vault = runtime.vault(shop.id)
            find.refuse_erased(db, vault, number)
            read_again(db, vault, {number: frozenset({ASKED})}, moment)
            marks.release_one(db, shop.id, number, moment)
            lives = session.worker_lives(runtime, db)
        found = _wait_for(runtime, shop, number, moment) if wait else None
    document = {"shop": shop.domain, "shopify_id": number, "read": wait, "worker_lives": lives}
    if found is not None:
        document |= {"customer": found.id_text, "state": found.state}

    def tell() -> None:
        if found is not None:
            say(f"Customer {found.id_text} was read, and is {found.state}.")
            return
        say(f"Customer {number} will be read now; `onewriter customers show {number}` shows it.")
        if not lives:
            note(session.NO_WORKER)

    answer(as_json, document, tell)
    return DONE


def _run(what: str, queue: Queue, domain: str | None, *, wait: bool, as_json: bool) -> int | None:
    """Queue a run and tell of it, or watch it to its end; the exit code."""
    moment = now()
    with session.opened() as runtime:
        with runtime.database.write() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain, connected=True)
            run_id = queue(runtime, db, shop.id, moment)
            lives = session.worker_lives(runtime, db)
        if wait:
            note(f"Queued run {run_id}.")
            code = watch_run(runtime, run_id, as_json=as_json, wait=True)
            return code or _code_of_findings(runtime, run_id)

    def tell() -> None:
        say(f"Queued the {what} of {shop.domain}: run {run_id}. `onewriter runs watch` shows it.")
        if not lives:
            note(session.NO_WORKER)

    answer(as_json, {"run": run_id, "shop": shop.domain, "state": "queued", "worker_lives": lives}, tell)
    return None


def _queue_import(runtime: Runtime, db: Connection, shop_id: int, moment: Instant) -> str:
    run_id = new_run_id(moment)
    runs.add(db, run_id, shop_id, runs.IMPORT, session.actor(), moment)
    runtime.enqueue(db, run_id)
    return run_id


def _code_of_findings(runtime: Runtime, run_id: str) -> int:
    """What a dry run found is there still; what another found is healed, or told by how it ended."""
    with runtime.database.read() as db:
        run = runs.get(db, run_id)
        return FINDINGS if reconciling.is_dry(run) and count_found(db, run) else DONE


def _wait_for(runtime: Runtime, shop: Shop, number: int, asked: Instant) -> Found:
    """Wait until the mark of a customer is gone; the customer as it then is. Raises what it came to otherwise."""
    warned = False
    while True:
        with runtime.database.read() as db:
            if not marks.standing(db, shop.id, [number]):
                break
            lives = session.worker_lives(runtime, db)
        if not lives and not warned:
            note(session.NO_WORKER)
        warned = not lives
        time.sleep(LOOK_EACH_S)
    with runtime.database.read() as db:
        customer_id = findings.customer_id_of(db, shop.id, number)
        if customer_id is None:
            raise UnknownCustomer("Shopify has no customer of that id, or would not show it; none was made here.")
        why = findings.newest_reason(db, customer_id, UNSETTLED, asked)
        if why is not None:
            raise PartlyDone(f"The customer could not be read to the end: {why}. What we hold stays.")
        return find.show(db, runtime.vault(shop.id), str(number))
