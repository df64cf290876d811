"""`onewriter customers set`: correct fields of one customer by hand, and be told where that will not last."""

from dataclasses import replace
from typing import Any

import click
from sqlalchemy import Connection

from onewriter.audit import cases
from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, note, table
from onewriter.customers import find, log, policies, shops
from onewriter.customers.shops import Shop
from onewriter.errors import UnknownCustomer
from onewriter.intake import hand
from onewriter.intake.hand import Edit, Outcome, Wish
from onewriter.records import Value, id_text
from onewriter.rules.diagnosis.advice import EDIT, warning
from onewriter.rules.masking import mask
from onewriter.runtime import Runtime, now

SET = "set by hand"
FIELDS_MAX = 50


@click.command("set")
@click.argument("text", metavar="ID|EMAIL|PHONE")
@click.argument("given", metavar="FIELD=VALUE", nargs=-1)
@shop_option
@click.option("--clear", "cleared", metavar="FIELD", multiple=True, help="Empty this field; may be given again.")
@click.option("--why", metavar="TEXT", required=True, help="The reason; it is logged with your name.")
@click.option("--dry-run", is_flag=True, help="Say what it would do, and change nothing.")
@as_json
def set_customer(
    text: str,
    given: tuple[str, ...],
    domain: str | None,
    cleared: tuple[str, ...],
    why: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Set or clear fields of a customer by hand; exits with 1 when a field was parked and not set.

    A field that people own is set at once, and every system is told of it. A value for a field that a system owns is
    sent to that system, and is the customer's once it says so itself; where we may not write it there, it is parked.
    Several tags are separated by commas, and take the place of all tags of that field. A consent is `subscribed` or
    `unsubscribed`.
    """
    typed = _typed(given, cleared)
    with session.opened() as runtime:
        shop, wish = _wish(runtime, domain, text, typed)
        with runtime.database.read() as db:
            found = find.show(db, runtime.vault(shop.id), str(wish.shopify_id))
            planned = hand.plan(db, runtime.vault(shop.id), wish, now())
            known = {each.field: _of_cases(db, shop, found.id, each) for each in planned}
        edits = planned
        if not dry_run:
            permit(runtime, Role.STAFF, SET, [About(found.id, fields=list(typed))], shop_id=shop.id, why=why)
            with runtime.database.write() as db:
                edits = hand.set_fields(db, runtime.vault(shop.id), wish, now())
        edits = [replace(each, warnings=(*each.warnings, *known[each.field])) for each in edits]
    document: dict[str, Any] = {
        "shop": shop.domain,
        "id": id_text(found.id),
        "shopify_id": found.shopify_id,
        "dry_run": dry_run,
    }
    document |= {"fields": [_edit(each) for each in edits]}
    answer(as_json, document, lambda: _tell(edits))
    for each in edits:
        for told in each.warnings:
            note(f"warning: {told}")
    return FINDINGS if any(each.outcome is Outcome.PARKED for each in edits) else DONE


def _of_cases(db: Connection, shop: Shop, customer_id: bytes, edit: Edit) -> list[str]:
    """What the open cases about this field of this customer say of correcting it by hand (M8, M27, M64)."""
    if edit.outcome is Outcome.UNCHANGED:
        return []
    times = log.times_by_hand(db, customer_id, edit.field)
    told = []
    for case in cases.about(db, shop.id, customer_id, edit.field):
        is_mended = case.fixed_at is not None and case.returned_at is None
        warned = warning(cases.limits(case), EDIT, is_mended=is_mended, hand_edits=times)
        said = warned or f"Case {case.number} is open about this value. {case.told['first_move']}"
        told.append(f"{said} `onewriter cases show {case.number}` tells why.")
    return told


def _typed(given: tuple[str, ...], cleared: tuple[str, ...]) -> dict[str, str | None]:
    """What was typed, by field; None is to be cleared."""
    found: dict[str, str | None] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise click.UsageError("Give each field as FIELD=VALUE, such as phone='+41 44 668 18 00'")
        if name.strip() in found:
            raise click.UsageError(f"{name.strip()} is given twice")
        found[name.strip()] = value
    for name in cleared:
        if found.get(name) is not None:
            raise click.UsageError(f"{name} is to be set and to be cleared")
        found[name] = None
    if not 0 < len(found) <= FIELDS_MAX:
        raise click.UsageError(f"Give 1 to {FIELDS_MAX} fields: FIELD=VALUE, or --clear FIELD")
    return found


def _wish(runtime: Runtime, domain: str | None, text: str, typed: dict[str, str | None]) -> tuple[Shop, Wish]:
    with runtime.database.read() as db:
        require(db, Role.STAFF)
        shop = session.choose_shop(db, domain)
        found = find.show(db, runtime.vault(shop.id), text)
        policy = policies.of_shop(db, shop.id)
        region = shops.by_id(db, shop.id).region
    if found.shopify_id is None:
        raise UnknownCustomer("Shopify has no customer of that id, so nothing can be set on it.")
    values: dict[str, Value] = {
        name: hand.read_value(policy, name, value, region=region) for name, value in typed.items()
    }
    keep_days = runtime.settings.number("log_values_keep_days")
    return shop, Wish(shopify_id=found.shopify_id, values=values, by=session.actor(), keep_days=keep_days)


def _edit(edit: Edit) -> dict[str, Any]:
    return {
        "field": edit.field,
        "value": mask(edit.field, edit.value),
        "owner": edit.owner,
        "outcome": edit.outcome.value,
        "reason": edit.reason,
        "warnings": list(edit.warnings),
    }


def _tell(edits: list[Edit]) -> None:
    names = ("FIELD", "VALUE", "OWNER", "OUTCOME", "WHY")
    table(names, ([each.field, mask(each.field, each.value), each.owner, each.outcome, each.reason] for each in edits))
