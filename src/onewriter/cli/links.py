"""`onewriter links`: which record of which connected system is whose, by which key, and what a person says of it."""

from collections.abc import Callable

import click

from onewriter.cli import session
from onewriter.cli.access import check_why
from onewriter.cli.inputs import as_json, check_reveal, confirm, limit_option, reveal_options, shop_option, yes_option
from onewriter.cli.linked import tell_links, tell_pairs
from onewriter.cli.output import answer, say
from onewriter.customers.links import LINKED
from onewriter.desk import links as told_of
from onewriter.desk.linked import LinkDocument

why_option = click.option("--why", metavar="TEXT", required=True, help="The reason; it is logged with your name.")
system_option = click.option("--system", metavar="SYSTEM", help="Only records of this system.")


def _about_a_pair(command: Callable[..., None]) -> Callable[..., None]:
    """Add what each command takes by which a person says of a record and a customer whether they are one."""
    for option in (as_json, why_option, shop_option, *map(click.argument, ("customer", "record", "system"))):
        command = option(command)
    return command


@click.group("links")
def group() -> None:
    """See which record of which system is whose, and take records apart or together.

    A record is its id in its system, or the keyed name that is shown in its place: ids of records can be personal. A
    customer is Shopify's number or gid, our id, an email address or a phone number.
    """


@group.command("show")
@click.argument("text", metavar="CUSTOMER|RECORD")
@click.option("--system", metavar="SYSTEM", help="The record of this system, and not a customer.")
@shop_option
@reveal_options
@as_json
def show(text: str, system: str | None, domain: str | None, reveal: bool, why: str | None, as_json: bool) -> None:
    """Show which records are a customer's, or whose a record is: by which key, since when, and why.

    What was taken apart, and what waits to be looked at, is shown as well. With --reveal the ids that the systems have
    for their records are shown, too.
    """
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        caller, shop = session.caller(runtime), session.shop_named(runtime, domain)
        told = (
            told_of.of_record(caller, shop, system, text, reason)
            if system
            else told_of.of_customer(caller, shop, text, reason)
        )
    answer(as_json, told, lambda: tell_links(told, reveal=reason is not None))


# ---- Looking at what is in doubt


@group.group("review")
def review() -> None:
    """Look at records that may be somebody's, and say whether they are."""


@review.command("list")
@system_option
@shop_option
@limit_option
@reveal_options
@as_json
def review_list(
    system: str | None, domain: str | None, limit: int, reveal: bool, why: str | None, as_json: bool
) -> None:
    """List the pairs that wait for a person: what the record says beside what the customer has."""
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        caller, shop = session.caller(runtime), session.shop_named(runtime, domain)
        told = told_of.waiting(caller, shop, None, limit, system=system, why=reason)["items"]
    answer(as_json, told, lambda: tell_pairs(told))


@review.command("accept")
@_about_a_pair
def accept(system: str, record: str, customer: str, domain: str | None, why: str, as_json: bool) -> None:
    """Say that a record which waits is this customer's; the next cycle treats it so."""
    _decide("accept", domain, system, record, customer, why, as_json)


@review.command("refuse")
@_about_a_pair
def refuse(system: str, record: str, customer: str, domain: str | None, why: str, as_json: bool) -> None:
    """Say that a record which waits is not this customer's; the two are never proposed again."""
    _decide("refuse", domain, system, record, customer, why, as_json)


# ---- Deciding by hand


@group.command("link")
@_about_a_pair
def link(system: str, record: str, customer: str, domain: str | None, why: str, as_json: bool) -> None:
    """Link a record to a customer by hand, whatever their keys say, and though they were taken apart once."""
    _decide("link", domain, system, record, customer, why, as_json)


@group.command("break")
@click.argument("system")
@click.argument("record")
@shop_option
@why_option
@yes_option
@as_json
def break_link(system: str, record: str, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Take a record and the customer whose it is apart, for good.

    The record is nobody's then, and the two are never proposed again. What the customer took over from the record stays
    with it: `onewriter customers show CUSTOMER --history` tells what that was.
    """
    check_why(why)
    with session.opened() as runtime:
        caller, shop = session.caller(runtime), session.shop_named(runtime, domain)
        whose = told_of.owner_of(caller, shop, system, record)
        confirm(f"Take that record of {system} and customer {whose} apart, for good?", yes)
        document = told_of.decide(caller, shop, "break", system, record, whose, why)
    answer(as_json, document, lambda: _tell(document))


def _decide(what: str, domain: str | None, system: str, record: str, customer: str, why: str, as_json: bool) -> None:
    check_why(why)
    with session.opened() as runtime:
        caller, shop = session.caller(runtime), session.shop_named(runtime, domain)
        document = told_of.decide(caller, shop, what, system, record, customer, why)
    answer(as_json, document, lambda: _tell(document))


def _tell(document: LinkDocument) -> None:
    done = "is linked to" if document["state"] == LINKED else "is taken apart from"
    say(f"Record {document['record']} of {document['system']} {done} customer {document['customer']}.")
