"""`onewriter customers`: find customers and show them, masked unless their values are asked for with a reason."""

from collections.abc import Mapping
from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, check_reveal, limit_option, reveal_options, shop_option
from onewriter.cli.output import answer, details, note, say, table
from onewriter.cli.revealing import note_reveal
from onewriter.customers import aliases, log, owners
from onewriter.customers import find as finding
from onewriter.customers.find import Found
from onewriter.customers.shops import Shop
from onewriter.records import Value, iso
from onewriter.runtime import Runtime
from onewriter.vault.vault import ShopVault

LINES_MAX = 200


@click.group("customers")
def group() -> None:
    """Find customers and show them."""


@group.command("find")
@click.argument("text")
@shop_option
@limit_option
@reveal_options
@as_json
def find(text: str, domain: str | None, limit: int, reveal: bool, why: str | None, as_json: bool) -> int:
    """Find customers by Shopify id, our id, email address or phone number; exits with 1 when there is none.

    Deleted customers are found too, and say so. Email and phone are looked up in an index that cannot be read back.
    """
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            shop = session.choose_shop(db, domain)
            found = finding.find(db, runtime.vault(shop.id), text, limit, reveal=reveal)
        _log_reveal(shop, found, reason)

    def tell() -> None:
        if not found:
            note(f"No customer of {shop.domain} has that id, email address or phone number.")
            return
        names = ("ID", "SHOPIFY ID", "STATE", "FIRST", "LAST", "EMAIL", "PHONE")
        fields = ("first_name", "last_name", "email", "phone")
        table(names, ([one.id_text, one.shopify_id, one.state, *map(one.fields.get, fields)] for one in found))

    answer(as_json, [_document(shop, one) for one in found], tell)
    return DONE if found else FINDINGS


@group.command("show")
@click.argument("text", metavar="ID|EMAIL|PHONE")
@shop_option
@click.option("--history", is_flag=True, help="Who wrote which field, when, through what, and whether it was allowed.")
@reveal_options
@as_json
def show(text: str, domain: str | None, history: bool, reveal: bool, why: str | None, as_json: bool) -> None:
    """Show one customer: every field with its owner, the state and the times."""
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        shop, found, document = _shown(runtime, domain, text, reveal=reveal, history=history)
        _log_reveal(shop, [found], reason)

    def tell() -> None:
        apart = ("fields", "owners", "history")
        details({name: value for name, value in document.items() if name not in apart})
        say()
        table(
            ("FIELD", "VALUE", "OWNER"),
            ([name, value, document["owners"].get(name)] for name, value in document["fields"].items()),
        )
        if history:
            say()
            _tell_history(document["history"])

    answer(as_json, document, tell)


def _shown(
    runtime: Runtime, domain: str | None, text: str, *, reveal: bool, history: bool
) -> tuple[Shop, Found, dict[str, Any]]:
    with runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        found = finding.show(db, runtime.vault(shop.id), text, reveal=reveal)
        document = _document(shop, found) | _merges(db, runtime.vault(shop.id), found)
        document["owners"] = owners.of_shop(db, shop.id)
        if history:
            document["history"] = _history(db, found)
    return shop, found, document


def _merges(db: Connection, vault: ShopVault, found: Found) -> dict[str, Any]:
    """Into whom the customer was merged, at the end of the chain, and who was merged into it; by Shopify id."""
    if found.shopify_id is None:
        return {}
    return {
        "merged_into": aliases.into(db, vault, found.shopify_id),
        "merged_from": list(aliases.merged_away(db, vault, found.shopify_id)),
    }


def _log_reveal(shop: Shop, found: list[Found], reason: str | None) -> None:
    for one in found if reason is not None else ():
        note_reveal(shop.domain, reason or "", fields=list(one.fields), customer=one.id_text)


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
        "fields": {name: _dated(value) for name, value in found.fields.items()},
    }


def _history(db: Connection, found: Found) -> list[dict[str, Any]]:
    lines = log.of_customer(db, found.id, LINES_MAX)
    return [dict(line) | {"at": iso(line["at"]), "heard_at": iso(line["heard_at"])} for line in lines]


def _tell_history(lines: list[Mapping[str, Any]]) -> None:
    names = ("HEARD", "WRITER", "SYSTEM", "PATH", "FIELDS", "ALLOWED", "WHY")
    columns = ("heard_at", "writer", "system", "path", "fields", "accepted", "reason")
    table(names, ([" ".join(line[c]) if c == "fields" else line[c] for c in columns] for line in lines))


def _dated(value: Value) -> Value:
    """A consent with its time as people read it; anything else as it is."""
    if isinstance(value, dict) and "at" in value:
        return value | {"at": iso(value["at"])}
    return value
