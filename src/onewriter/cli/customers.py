"""`onewriter customers`: find customers and show them, masked unless their values are asked for with a reason."""

from typing import Any
from uuid import UUID

import click

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.history import tell_history
from onewriter.cli.inputs import as_json, check_reveal, limit_option, reveal_options, shop_option
from onewriter.cli.output import answer, details, note, say, table
from onewriter.cli.restoring import restore_customer
from onewriter.cli.setting import set_customer
from onewriter.cli.writes import corrections, refused_writes
from onewriter.customers.search import search
from onewriter.desk import customers as told


@click.group("customers")
def group() -> None:
    """Find customers and show them."""


@group.command("find")
@click.argument("text")
@shop_option
@limit_option
@click.option("--active", is_flag=True, help="Leave out those who were deleted or merged away.")
@reveal_options
@as_json
def find(text: str, domain: str | None, limit: int, active: bool, reveal: bool, why: str | None, as_json: bool) -> int:
    """Find customers by Shopify id, our id, email address, phone number or name; exits with 1 when there is none.

    Of a name three letters are enough, and neither case nor accents matter; several words must all be there. A phone
    number may be written in any way. A viewer must give whole words of a name. Deleted customers are found too, and say
    so. Everything is looked up in an index that cannot be read back.
    """
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            shop = session.choose_shop(db, domain)
            may = require(db, Role.VIEWER).covers(Role.STAFF)
            answered = search(db, runtime.vault(shop.id), text, limit, only_live=active, beginnings=may)
        found = answered.found
        if reason is not None:
            found = told.revealed(session.caller(runtime), shop, found, reason)

    def tell() -> None:
        if not found:
            return
        names = ("ID", "SHOPIFY ID", "STATE", "FIRST", "LAST", "EMAIL", "PHONE")
        fields = ("first_name", "last_name", "email", "phone")
        table(names, ([one.id_text, one.shopify_id, one.state, *map(one.fields.get, fields)] for one in found))

    answer(as_json, [told.document(shop, one) for one in found], tell)
    for line in told.caveats(answered, shop, beginnings=may):
        note(line)
    return DONE if found else FINDINGS


@group.command("show")
@click.argument("text", metavar="ID|EMAIL|PHONE")
@shop_option
@click.option("--history", is_flag=True, help="Who wrote which field, when, through what, and whether it was allowed.")
@click.option("--field", metavar="FIELD", help="With --history: only what concerns this field.")
@reveal_options
@as_json
def show(
    text: str, domain: str | None, history: bool, field: str | None, reveal: bool, why: str | None, as_json: bool
) -> None:
    """Show one customer: every field with its owner, the state and the times.

    The history says of each write who wrote which fields, when, from which system, in which run, and whether that was
    allowed; and when each field was last in step with each system. With --reveal it shows the values before and after
    where they are kept: those of Shopify's own changes never are.
    """
    reason = check_reveal(reveal, why)
    if field is not None and not history:
        raise click.UsageError("--field goes with --history")
    with session.opened() as runtime:
        caller = session.caller(runtime)
        with runtime.database.read() as db:
            named = session.choose_shop(db, domain).domain
        document: dict[str, Any] = dict(told.shown(caller, named, text, reason))
        if history:
            document |= told.history(caller, UUID(document["id"]).bytes, field, reason)

    def tell() -> None:
        apart = ("fields", "owners", "history", "last_clean")
        details({name: value for name, value in document.items() if name not in apart})
        say()
        table(
            ("FIELD", "VALUE", "OWNER"),
            ([name, value, document["owners"].get(name)] for name, value in document["fields"].items()),
        )
        if history:
            say()
            tell_history(document)

    answer(as_json, document, tell)


group.add_command(restore_customer)
group.add_command(set_customer)
group.add_command(refused_writes)
group.add_command(corrections)
