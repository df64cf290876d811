"""`onewriter systems`: connect a shop's other systems, run their cycles, take one back, and take a system off."""

from collections import Counter

import click

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.frame import FINDINGS
from onewriter.cli.inputs import REASON_MAX, as_json, confirm, limit_option, shop_option, yes_option
from onewriter.cli.output import answer, say, table
from onewriter.cli.systems_conformance import conformance
from onewriter.cli.systems_runs import cycle, undo
from onewriter.cli.systems_setup import add, change_settings, kinds
from onewriter.cli.systems_told import tell_checked, tell_system
from onewriter.customers import disconnecting, erasing, policies, questions, systems
from onewriter.customers.systems import ACTIVE, PAUSED, System
from onewriter.desk import systems as told_of
from onewriter.desk.systems import check_documents, standing_of, system_document, whole_document
from onewriter.errors import Permanent
from onewriter.rules.ownership import errors
from onewriter.runtime import Runtime, now
from onewriter.workflows import asking, discovering, reaching


class NotRemovable(Permanent):
    """Shopify is what everything here stands on."""


@click.group("systems")
def group() -> None:
    """Connect other systems, and run, show and take back their cycles."""


for _command in (kinds, add, change_settings, cycle, undo, conformance):
    group.add_command(_command)


# ---- Show -----------------------------------------------------------------------------------------------------------


@group.command("list")
@shop_option
@as_json
def list_systems(domain: str | None, as_json: bool) -> None:
    """List the systems of a shop, Shopify among them: how each stands."""
    with session.opened() as runtime, runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        documents = [system_document(shop, each, standing_of(db, each)) for each in systems.every(db, shop.id)]

    def tell() -> None:
        columns = ("name", "kind", "state", "records", "pending", "parked", "complete_at", "due_at", "trouble")
        names = ("SYSTEM", "KIND", "STATE", "RECORDS", "PENDING", "PARKED", "LAST COMPLETE", "DUE", "TROUBLE")
        table(names, ([one[column] for column in columns] for one in documents))

    answer(as_json, documents, tell)


@group.command("show")
@click.argument("name", metavar="SYSTEM")
@shop_option
@limit_option
@as_json
def show(name: str, domain: str | None, limit: int, as_json: bool) -> None:
    """Show a system: how it stands, its mapping, what it told of its fields, and what waits for it.

    How it is reached stays sealed; `onewriter systems set` replaces it.
    """
    with session.opened() as runtime, runtime.database.read() as db:
        shop = session.choose_shop(db, domain)
        system = systems.get(db, shop.id, name)
        document = whole_document(db, shop, system)
    answer(as_json, document, lambda: tell_system(document, limit))


@group.command("check")
@click.argument("name", metavar="SYSTEM")
@shop_option
@as_json
@click.pass_context
def check(context: click.Context, name: str, domain: str | None, as_json: bool) -> None:
    """Ask a system whether it lets us do what its mapping needs; nothing is written to it.

    Looks at the credentials, the rights, each mapped field, and the system's clock, and asks the system anew for its
    fields. Exits with 1 when something is wrong, and with 3 when it cannot be reached.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            shop = session.choose_shop(db, domain)
            system = systems.get(db, shop.id, name)
            policy = policies.of_shop(db, shop.id)
        found = reaching.check(runtime, system, policy)
        if not system.is_shopify:
            _discover(runtime, system)
        with runtime.database.read() as db:
            problems = [each for each in policies.problems_of(db, shop.id, policy) if each.system == name]
    document = {"system": name, "ok": not found and not errors(problems)} | check_documents(found, problems)
    answer(as_json, document, lambda: tell_checked(name, document, policy))
    if not document["ok"]:
        context.exit(FINDINGS)


def _discover(runtime: Runtime, system: System) -> None:
    """Keep what the system says of its fields now: whoever looks may refresh that, and changes nothing by it."""
    discovery = discovering.discover(runtime, system)
    moment = now()
    with runtime.database.write() as db:
        systems.change(
            db, system.shop_id, system.name, moment, discovered=discovering.kept(discovery), discovered_at=moment
        )


# ---- Change ---------------------------------------------------------------------------------------------------------


def _reason(_context: click.Context, _option: click.Parameter, given: str) -> str:
    if not 0 < len(given.strip()) <= REASON_MAX:
        raise click.UsageError(f"--why must be a reason of 1 to {REASON_MAX} letters")
    return given.strip()


@group.command("pause")
@click.argument("name", metavar="SYSTEM")
@shop_option
@click.option("--why", metavar="TEXT", required=True, callback=_reason, help="The reason; it is logged with your name.")
@as_json
def pause(name: str, domain: str | None, why: str, as_json: bool) -> None:
    """Pause a system: it is neither read nor written until you resume it, and what is to be written waits.

    A cycle under way goes on to its end.
    """
    with session.opened() as runtime:
        told_of.pause(session.caller(runtime), session.shop_named(runtime, domain), name, why)
    document = {"system": name, "state": PAUSED}
    answer(as_json, document, lambda: say(f"Paused {name}; `onewriter systems resume {name}` ends that."))


@group.command("resume")
@click.argument("name", metavar="SYSTEM")
@shop_option
@as_json
def resume(name: str, domain: str | None, as_json: bool) -> None:
    """Let a paused system go on: its next cycle is due now, if it has a schedule."""
    with session.opened() as runtime:
        told_of.resume(session.caller(runtime), session.shop_named(runtime, domain), name)
    document = {"system": name, "state": ACTIVE}
    answer(as_json, document, lambda: say(f"Resumed {name}."))


@group.command("remove")
@click.argument("name", metavar="SYSTEM")
@shop_option
@yes_option
@as_json
def remove(name: str, domain: str | None, yes: bool, as_json: bool) -> None:
    """Take a system off, with its links, what it said of its records, and what is pending or parked for it.

    Nothing is written to the system. What the field log says of it stays. Refused while the policy names it.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.OWNER)
            shop = session.choose_shop(db, domain)
            system = systems.get(db, shop.id, name)
            if system.is_shopify:
                raise NotRemovable(
                    f"Shopify cannot be taken off; `onewriter shop disconnect {shop.domain}` ends the connection."
                )
            disconnecting.refuse_used(db, system)
            found = disconnecting.counted(db, shop.id, name)
        confirm(f"Take {name} off {shop.domain}, with {found['links']} links and {found['parked']} parked values?", yes)
        about = [About(subject=f"system {name}: remove")]
        permit(runtime, Role.OWNER, told_of.SYSTEM, about, shop_id=shop.id)
        moment = now()
        with runtime.database.write() as db:
            found = disconnecting.remove(db, system, moment)
            for kind in (asking.FIRST_WRITES, asking.MASS_WRITES):
                questions.withdraw(db, shop.id, kind, [name], moment)
        erasing.end(runtime.database, runtime.keys, moment)
    told = ", ".join(f"{count} {what}" for what, count in Counter(found).items() if count) or "nothing that was kept"
    answer(as_json, {"system": name, "removed": dict(found)}, lambda: say(f"Took {name} off, with {told}."))
