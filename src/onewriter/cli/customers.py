"""`onewriter customers`: find customers and show them, masked unless their values are asked for with a reason."""

from collections.abc import Iterator
from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import About, Role, require
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.history import history_of, tell_history
from onewriter.cli.inputs import as_json, check_reveal, limit_option, reveal_options, shop_option
from onewriter.cli.output import answer, details, note, say, table
from onewriter.cli.restoring import restore_customer
from onewriter.cli.revealing import permit_reveal
from onewriter.cli.setting import set_customer
from onewriter.cli.writes import corrections, refused_writes
from onewriter.customers import aliases, policies, retention
from onewriter.customers import find as finding
from onewriter.customers.find import Found
from onewriter.customers.search import Answer, search
from onewriter.customers.shops import Shop
from onewriter.errors import UnknownCustomer
from onewriter.records import dated, iso
from onewriter.runtime import Runtime
from onewriter.vault.vault import ShopVault


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
            found = _revealed(runtime, shop, found, reason)

    def tell() -> None:
        if not found:
            return
        names = ("ID", "SHOPIFY ID", "STATE", "FIRST", "LAST", "EMAIL", "PHONE")
        fields = ("first_name", "last_name", "email", "phone")
        table(names, ([one.id_text, one.shopify_id, one.state, *map(one.fields.get, fields)] for one in found))

    answer(as_json, [_document(shop, one) for one in found], tell)
    for line in _caveats(answered, shop, may):
        note(line)
    return DONE if found else FINDINGS


def _caveats(answered: Answer, shop: Shop, beginnings: bool) -> Iterator[str]:
    """What must be said of an answer, beside it: whom it may be silent of, and why."""
    if answered.building:
        yield "The index is still being built: somebody may not be found by name yet; `onewriter runs list` shows it."
    if answered.more:
        yield "More may match: give more letters, another word, or a larger --limit."
    if not beginnings:
        yield "A viewer finds names by whole words alone; by their beginnings, whoever may see names."
    if answered.found:
        return
    if answered.too_short:
        yield "Nobody has just that as a name; for the beginning of a name give three letters or more."
    else:
        yield f"No customer of {shop.domain} has that id, email address, phone number or name."


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
        document = _shown(runtime, domain, text, reason)
        if history:
            document |= history_of(runtime, bytes.fromhex(document["id"].replace("-", "")), field, reason)

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


def _shown(runtime: Runtime, domain: str | None, text: str, reason: str | None) -> dict[str, Any]:
    with runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        found = finding.show(db, runtime.vault(shop.id), text)
    if reason is not None:
        revealed = _revealed(runtime, shop, [found], reason)
        if not revealed:
            raise UnknownCustomer("That customer was erased at this moment.")
        found = revealed[0]
    with runtime.database.read() as db:
        document = _document(shop, found) | _merges(db, runtime.vault(shop.id), found)
        document |= _kept(db, shop, found)
        document["owners"] = dict(policies.of_shop(db, shop.id).owners)
    return document


def _revealed(runtime: Runtime, shop: Shop, found: list[Found], reason: str) -> list[Found]:
    """The same customers with their values, opened once it is written down who sees them."""
    permit_reveal(runtime, shop, [About(one.id, fields=list(one.fields)) for one in found], reason)
    with runtime.database.read() as db:
        return finding.opened(db, runtime.vault(shop.id), [one.id for one in found])


def _merges(db: Connection, vault: ShopVault, found: Found) -> dict[str, Any]:
    """Into whom the customer was merged, at the end of the chain, and who was merged into it; by Shopify id."""
    if found.shopify_id is None:
        return {}
    return {
        "merged_into": aliases.into(db, vault, found.shopify_id),
        "merged_from": list(aliases.merged_away(db, vault, found.shopify_id)),
    }


def _kept(db: Connection, shop: Shop, found: Found) -> dict[str, Any]:
    """Why somebody is still here whom Shopify has no more, and until when."""
    kept = retention.kept_of(db, shop, found.id)
    return {} if kept is None else {"kept_until": iso(kept.until), "kept_because": kept.why}


def _document(shop: Shop, found: Found) -> dict[str, Any]:
    return {
        "id": found.id_text,
        "shop": shop.domain,
        "shopify_id": found.shopify_id,
        "state": found.state,
        "created_at": iso(found.created_at),
        "heard_at": iso(found.heard_at),
        "changed_at": iso(found.changed_at),
        "deleted_at": iso(found.deleted_at),
        "confirmed_at": iso(found.confirmed_at),
        "fields": {name: dated(value) for name, value in found.fields.items()},
    }


group.add_command(restore_customer)
group.add_command(set_customer)
group.add_command(refused_writes)
group.add_command(corrections)
