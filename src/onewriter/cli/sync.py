"""`onewriter sync`: queue work that brings us in step with Shopify."""

import click

from onewriter.cli import session
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, note, say
from onewriter.cli.watch import watch_run
from onewriter.customers import runs
from onewriter.runtime import Runtime, new_run_id, now


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
    with session.opened() as runtime:
        run_id, shop_domain, lives = _queue(runtime, domain)
        if wait:
            note(f"Queued run {run_id}.")
            return watch_run(runtime, run_id, as_json=as_json, wait=True)

    def tell() -> None:
        say(f"Queued the import of {shop_domain}: run {run_id}. `onewriter runs watch` shows it.")
        if not lives:
            note(session.NO_WORKER)

    answer(as_json, {"run": run_id, "shop": shop_domain, "state": "queued", "worker_lives": lives}, tell)
    return None


def _queue(runtime: Runtime, domain: str | None) -> tuple[str, str, bool]:
    """Queue the run: its id, its shop, and whether a worker will take it."""
    moment = now()
    run_id = new_run_id(moment)
    with runtime.database.write() as db:
        shop = session.choose_shop(db, domain, connected=True)
        runs.add(db, run_id, shop.id, runs.IMPORT, session.actor(), moment)
        runtime.enqueue(db, run_id)
        return run_id, shop.domain, session.worker_lives(runtime, db)
