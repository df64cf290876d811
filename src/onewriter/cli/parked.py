"""`onewriter parked`: values that had nowhere to go, and what a person makes of them."""

import click

from onewriter.cli import session
from onewriter.cli.inputs import as_json, check_reveal, confirm, limit_option, reveal_options, shop_option, yes_option
from onewriter.cli.output import answer, say, table
from onewriter.desk import parked as told
from onewriter.desk.parked import Wanted


@click.group("parked")
def group() -> None:
    """See values that had nowhere to go, and release or drop them."""


@group.command("list")
@shop_option
@click.option("--system", metavar="SYSTEM", help="Only what this system said, or cannot take.")
@click.option("--field", metavar="FIELD", help="Only values of this field.")
@click.option("--customer", metavar="ID|EMAIL|PHONE", help="Only values of this customer.")
@click.option("--all", "ended", is_flag=True, help="Those too that were released, dropped, replaced or settled.")
@limit_option
@reveal_options
@as_json
def list_parked(
    domain: str | None,
    system: str | None,
    field: str | None,
    customer: str | None,
    ended: bool,
    limit: int,
    reveal: bool,
    why: str | None,
    as_json: bool,
) -> None:
    """List parked values with their age, the oldest first.

    `in` is what a system said of a field that it does not own; `out` is an owner's value that a system cannot take.
    """
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        wanted = Wanted(system=system, field=field, customer=customer, ended=ended)
        found = told.listed(session.caller(runtime), session.shop_named(runtime, domain), wanted, None, limit, reason)
    documents = found["items"]

    def tell() -> None:
        if not documents:
            say("Nothing is parked.")
            return
        columns = ("id", "age", "system", "direction", "field", "value", "customer", "reason")
        table([name.upper() for name in columns], ([dict(each)[name] for name in columns] for each in documents))

    answer(as_json, documents, tell)


@group.command("release")
@click.argument("identity", metavar="ID")
@shop_option
@click.option("--why", metavar="TEXT", required=True, help="The reason; it is logged with your name.")
@as_json
def release(identity: str, domain: str | None, why: str, as_json: bool) -> None:
    """Send a parked value on after all.

    What a system said (`in`) is set as if you had typed it with `customers set`: it goes to the field's owner. What a
    system could not take (`out`) is sent to it again, as its owner has it by now.
    """
    with session.opened() as runtime:
        document = told.release(session.caller(runtime), session.shop_named(runtime, domain), identity, why)
    answer(as_json, document, lambda: say(f"Released: {document['told']}."))


@group.command("drop")
@click.argument("identity", metavar="ID")
@shop_option
@click.option("--why", metavar="TEXT", required=True, help="The reason; it is logged with your name.")
@yes_option
@as_json
def drop(identity: str, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Give a parked value up: it goes nowhere, and its line in the list says so."""
    with session.opened() as runtime:
        told.id_of(identity)
        confirm("Drop this parked value of one customer?", yes)
        document = told.drop(session.caller(runtime), session.shop_named(runtime, domain), identity, why)
    answer(as_json, document, lambda: say("Dropped."))
