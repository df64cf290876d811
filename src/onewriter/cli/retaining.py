"""`onewriter privacy due` and `privacy purge`: who is kept and until when, and purging whose time is over."""

from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import Role, permit
from onewriter.cli.inputs import as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, details, note, say, table
from onewriter.customers import retention
from onewriter.customers.retention import Standing
from onewriter.customers.shops import ERASED, Shop
from onewriter.errors import UnknownShop
from onewriter.records import iso
from onewriter.runtime import Runtime, now
from onewriter.workflows import purging

PURGE = "purge"


@click.command("due")
@shop_option
@as_json
def due(domain: str | None, as_json: bool) -> None:
    """Show how many deleted customers are kept, until when, and what holds up those whose time is over.

    Each hour whoever is due is purged by itself. A deletion that Shopify has not confirmed is asked about first, and a
    person is asked about customers with points who vanished without a word, and about far more than usual at once.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        shop = _chosen(session.choose_shop(db, domain))
        moment = now()
        standing = retention.look(db, shop, moment)
        days = retention.upcoming(db, shop, moment)
    document = _document(shop, standing) | {"upcoming": {(iso(day) or "")[:10]: many for day, many in days.items()}}

    def tell() -> None:
        details({name: value for name, value in document.items() if name != "upcoming"})
        if days:
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
        with runtime.database.read() as db:
            shop = _chosen(session.choose_shop(db, domain))
            standing = retention.look(db, shop, now())
        permit(runtime, Role.OWNER, PURGE, shop_id=shop.id)
        if standing.due:
            confirm(f"Purge {standing.due} deleted customers of {shop.domain}, for good?", yes)
        looked = purging.look_for_due(runtime, shop.id, session.actor())
        document = _document(shop, looked.standing) | {"run": looked.run_id, "questions": list(looked.asked)}
        _warn(runtime, looked.run_id)

    def tell() -> None:
        if looked.run_id is not None:
            say(f"Queued the purge of {looked.standing.due} customers of {shop.domain}: run {looked.run_id}.")
        for number in looked.asked:
            say(f"Question {number} must be answered first; `onewriter questions show {number}` tells more.")
        if looked.standing.unconfirmed:
            say(f"Shopify is asked first about {looked.standing.unconfirmed} customers.")
        if looked.run_id is None and not looked.asked and not looked.standing.unconfirmed:
            say(f"No deleted customer of {shop.domain} is due.")

    answer(as_json, document, tell)


def _warn(runtime: Runtime, run_id: str | None) -> None:
    if run_id is not None:
        with runtime.database.read() as db:
            if not session.worker_lives(runtime, db):
                note(session.NO_WORKER)


def _chosen(shop: Shop) -> Shop:
    if shop.state == ERASED:
        raise UnknownShop(f"Everything of {shop.domain} was erased already, as Shopify asked.")
    return shop


def _document(shop: Shop, standing: Standing) -> dict[str, Any]:
    return {
        "shop": shop.domain,
        "retention_days": shop.retention_days,
        "hidden": standing.hidden,
        "due": standing.due,
        "wait_for_shopify": standing.unconfirmed,
        "wait_for_a_person": standing.untold,
        "points_of_those": standing.untold_points,
        "at_once_without_asking": standing.limit,
    }
