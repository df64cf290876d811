"""`onewriter privacy due` and `privacy purge`: who is kept and until when, and purging whose time is over."""

import click

from onewriter.cli import session
from onewriter.cli.inputs import as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, details, note, say, table
from onewriter.desk import retaining
from onewriter.runtime import Runtime


@click.command("due")
@shop_option
@as_json
def due(domain: str | None, as_json: bool) -> None:
    """Show how many deleted customers are kept, until when, and what holds up those whose time is over.

    Each hour whoever is due is purged by itself. A deletion that Shopify has not confirmed is asked about first, and a
    person is asked about customers with points who vanished without a word, and about far more than usual at once.
    """
    with session.opened() as runtime:
        document = retaining.due(session.caller(runtime), _named(runtime, domain))

    def tell() -> None:
        details({name: value for name, value in document.items() if name != "upcoming"})
        if document["upcoming"]:
            say()
            table(("DUE ON", "CUSTOMERS"), document["upcoming"].items())

    answer(as_json, document, tell)


@click.command("purge")
@shop_option
@yes_option
@as_json
def purge(domain: str | None, yes: bool, as_json: bool) -> None:
    """Purge the deleted customers whose time is over now, and not within the hour, when it happens by itself.

    Everything of them goes for good, their points too; what stays is a receipt without personal data. Nothing is purged
    while our clock and Shopify's differ by more than an hour.
    """
    with session.opened() as runtime:
        caller, named = session.caller(runtime), _named(runtime, domain)
        standing = retaining.due(caller, named)
        if standing["due"]:
            confirm(f"Purge {standing['due']} deleted customers of {named}, for good?", yes)
        document = retaining.purge(caller, named)
        _warn(runtime, document["run"])
    answer(as_json, document, lambda: say("\n".join(retaining.told(document))))


def _named(runtime: Runtime, domain: str | None) -> str:
    with runtime.database.read() as db:
        return session.choose_shop(db, domain).domain


def _warn(runtime: Runtime, run_id: str | None) -> None:
    if run_id is not None:
        with runtime.database.read() as db:
            if not session.worker_lives(runtime, db):
                note(session.NO_WORKER)
