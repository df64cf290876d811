"""`onewriter parked`: values that had nowhere to go, and what a person makes of them."""

import uuid
from collections.abc import Sequence
from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.inputs import as_json, check_reveal, confirm, limit_option, reveal_options, shop_option, yes_option
from onewriter.cli.output import answer, say, table
from onewriter.cli.revealing import permit_reveal
from onewriter.customers import find, parked
from onewriter.customers.parked import Parked
from onewriter.customers.shops import Shop
from onewriter.intake import releasing
from onewriter.records import DAY, HOUR, Instant, dated, id_text, iso
from onewriter.rules.masking import mask
from onewriter.runtime import Runtime, now

RELEASE = "release parked"
DROP = "drop parked"


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
        with runtime.database.read() as db:
            shop = session.choose_shop(db, domain)
            whose = None if customer is None else find.show(db, runtime.vault(shop.id), customer).id
            found = parked.listed(db, shop.id, limit, system=system, field=field, customer_id=whose, ended=ended)
        if reason is not None and found:
            permit_reveal(runtime, shop, _about(found), reason)
        documents = _documents(runtime, shop, found, reveal=reason is not None)

    def tell() -> None:
        if not documents:
            say("Nothing is parked.")
            return
        columns = ("id", "age", "system", "direction", "field", "value", "customer", "reason")
        table([name.upper() for name in columns], ([each[name] for name in columns] for each in documents))

    answer(as_json, documents, tell)


def _about(found: Sequence[Parked]) -> list[About]:
    fields: dict[bytes, list[str]] = {}
    for one in found:
        fields.setdefault(one.customer_id, []).append(one.field)
    return [About(customer, fields=sorted(set(names))) for customer, names in fields.items()]


def _documents(runtime: Runtime, shop: Shop, found: Sequence[Parked], *, reveal: bool) -> list[dict[str, Any]]:
    values, moment = parked.values(runtime.vault(shop.id), found), now()
    return [
        {
            "id": id_text(one.id),
            "shop": shop.domain,
            "customer": id_text(one.customer_id),
            "system": one.system,
            "direction": one.direction,
            "field": one.field,
            "value": dated(values[one.id]) if reveal else mask(one.field, values[one.id]),
            "reason": one.reason,
            "parked_at": iso(one.parked_at),
            "age": age((one.ended_at or moment) - one.parked_at),
            "run": one.run_id,
            "ended_at": iso(one.ended_at),
            "outcome": one.outcome,
            "ended_by": one.ended_by,
        }
        for one in found
        if one.id in values
    ]


def age(span: Instant) -> str:
    """How long something has waited, as people say it."""
    if span >= 2 * DAY:
        return f"{span // DAY} days"
    return f"{span // HOUR} hours" if span >= 2 * HOUR else f"{max(span, 0) // (HOUR // 60)} minutes"


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
        shop, one = _one(runtime, domain, identity)
        about = [About(one.customer_id, fields=[one.field])]
        permit(runtime, Role.STAFF, RELEASE, about, shop_id=shop.id, why=why)
        keep_days = runtime.settings.number("log_values_keep_days")
        with runtime.database.write() as db:
            told = releasing.release(db, runtime.vault(shop.id), one.id, session.actor(), now(), keep_days=keep_days)
    answer(
        as_json, {"id": id_text(one.id), "outcome": parked.RELEASED, "told": told}, lambda: say(f"Released: {told}.")
    )


@group.command("drop")
@click.argument("identity", metavar="ID")
@shop_option
@click.option("--why", metavar="TEXT", required=True, help="The reason; it is logged with your name.")
@yes_option
@as_json
def drop(identity: str, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Give a parked value up: it goes nowhere, and its line in the list says so."""
    with session.opened() as runtime:
        shop, one = _one(runtime, domain, identity)
        confirm(f"Drop the parked {one.field} of one customer?", yes)
        permit(runtime, Role.STAFF, DROP, [About(one.customer_id, fields=[one.field])], shop_id=shop.id, why=why)
        with runtime.database.write() as db:
            parked.get(db, shop.id, one.id)
            parked.end_one(db, one.id, parked.DROPPED, session.actor(), now())
    answer(as_json, {"id": id_text(one.id), "outcome": parked.DROPPED}, lambda: say("Dropped."))


def _one(runtime: Runtime, domain: str | None, identity: str) -> tuple[Shop, Parked]:
    try:
        wanted = uuid.UUID(identity.strip()).bytes
    except ValueError:
        raise click.UsageError("ID is one that `onewriter parked list` shows") from None
    with runtime.database.read() as db:
        require(db, Role.STAFF)
        shop = session.choose_shop(db, domain)
        return shop, parked.get(db, shop.id, wanted)
