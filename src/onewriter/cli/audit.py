"""`onewriter audit`: where to begin when systems disagree. The boundary comes first, single records after it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.audit_runs import run
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, note, say
from onewriter.customers import find, policies, systems
from onewriter.customers.shops import Shop
from onewriter.customers.systems import System
from onewriter.errors import UnknownSystem
from onewriter.rules.constraints import boundary
from onewriter.rules.evidence import Check, Outcome
from onewriter.rules.policy_check import is_known
from onewriter.runtime import Runtime
from onewriter.workflows import constraining
from onewriter.workflows.constraining import NotTried, Tried

DAYS_MAX = 3650
TRY = "try rights"
Document = dict[str, Any]


@click.group("audit")
def group() -> None:
    """Find where to begin when systems disagree."""


group.add_command(run)


@group.command("check")
@shop_option
@click.option("--system", "name", metavar="SYSTEM", help="Only this system; else each one that is connected.")
@click.option("--field", metavar="FIELD", help="Only what concerns this field, which is the one in question.")
@click.option("--days", type=click.IntRange(1, DAYS_MAX), default=30, show_default=True, help="Of the log to look at.")
@click.option(
    "--try", "customer", metavar="ID|EMAIL|PHONE",
    help="Write back to this customer's record what stands there, to try the rights; needs --system.",
)  # fmt: skip
@yes_option
@as_json
def check(
    name: str | None, domain: str | None, field: str | None, days: int, customer: str | None, yes: bool, as_json: bool
) -> int:
    """Look at the boundary between the shop and each system before any record is looked at.

    Six looks: does each field go the way that its owner needs; do the keys link; is what is needed carried, tags, notes
    and consents among it; does each path write a value in the same form; may we write; can the log tell who wrote. Each
    passes, fails, or is unknown, with the evidence under it. Exits with 1 when one fails. Where direction, match key,
    coverage or permissions fail, begin there: no record can be right before that is.

    A right is known only when it is tried. --try writes back to one customer's record, field by field, what stands in
    it; consents are left out. It asks first, and is logged.
    """
    if customer is not None and name is None:
        raise click.UsageError("--try needs --system: whose rights are to be tried")
    if field is not None and not is_known(field):
        raise click.UsageError(f"{field!r} is no field; `onewriter fields show` lists the fields")
    with session.opened() as runtime:
        tried: Sequence[Tried] = ()
        if customer is not None and name is not None:
            tried = _try(runtime, domain, name, customer, field, yes)
        with runtime.database.read() as db:
            require(db, Role.VIEWER)
            shop = session.choose_shop(db, domain)
            found = {
                each.name: constraining.check(runtime, db, shop, each, days=days, asked=field)
                for each in _chosen(db, shop, name)
            }
    document = {
        "shop": shop.domain,
        "field": field,
        "days": days,
        "tried": [{"field": one.field, "taken": one.taken, "reason": one.reason} for one in tried],
        "systems": [_document(system, checks, field) for system, checks in found.items()],
    }
    answer(as_json, document, lambda: _tell(document))
    is_wrong = any(each.outcome is Outcome.FAIL for checks in found.values() for each in checks)
    return FINDINGS if is_wrong else DONE


def _chosen(db: Connection, shop: Shop, name: str | None) -> list[System]:
    """The system that was named, or all that are connected beside Shopify, which is the shop's own side."""
    if name is None:
        return [each for each in systems.every(db, shop.id) if not each.is_shopify]
    system = systems.get(db, shop.id, name)
    if system.is_shopify:
        raise UnknownSystem("Shopify is the shop's own side of each boundary; name the system on the other side.")
    return [system]


def _try(
    runtime: Runtime, domain: str | None, name: str, customer: str, field: str | None, yes: bool
) -> Sequence[Tried]:
    with runtime.database.read() as db:
        require(db, Role.STAFF)
        shop = session.choose_shop(db, domain, connected=True)
        [system] = _chosen(db, shop, name)
        whose = find.show(db, runtime.vault(shop.id), customer).id
        fields = constraining.triable(policies.of_shop(db, shop.id), name, field)
    if not fields:
        raise NotTried(f"Nothing of it is written to {name} whose right could be tried this way.")
    confirm(f"Write back to one customer's record in {name} what stands in {', '.join(fields)}?", yes)
    permit(runtime, Role.STAFF, TRY, [About(whose, subject=f"system {name}", fields=fields)], shop_id=shop.id)
    return constraining.try_rights(runtime, system, whose, fields)


def _document(system: str, checks: Iterable[Check], field: str | None) -> Document:
    found = list(checks)
    told = boundary(found, field)
    return {
        "system": system,
        "class": told.kind,
        "begin_at": list(told.begin_at),
        "confidence": told.confidence,
        "checks": [
            {
                "check": each.name,
                "outcome": each.outcome.value,
                "fields": list(each.fields),
                "evidence": list(each.evidence),
            }
            for each in found
        ],
    }


def _tell(document: Mapping[str, Any]) -> None:
    for one in document["tried"]:
        words = {True: "taken", False: "refused", None: "not tried"}[one["taken"]]
        note(", ".join(filter(None, (f"{one['field']}: {words}", one["reason"]))))
    if not document["systems"]:
        say("No system is connected beside Shopify, so there is no boundary; `onewriter systems add` connects one.")
    for each in document["systems"]:
        say(", ".join(filter(None, (each["system"], document["field"]))))
        for one in each["checks"]:
            first, *rest = one["evidence"]
            say(f"  {one['outcome']:<7}  {one['check']:<11}  {first}")
            for line in rest:
                say(f"{'':24}{line}")
        say(_end(each))


def _end(each: Mapping[str, Any]) -> str:
    unsure = [one["check"] for one in each["checks"] if one["outcome"] == Outcome.UNKNOWN.value]
    if each["class"] is not None:
        told = f"The boundary is where to begin: {', '.join(each['begin_at'])}. No record can be right before that is."
    else:
        known = f", as far as it is known (not: {', '.join(unsure)})" if unsure else ""
        told = f"The boundary holds{known}; look at the records."
    if each["confidence"] == "full":
        return told
    return f"{told} The log does not prove who wrote: the pattern of the records is the only evidence."
