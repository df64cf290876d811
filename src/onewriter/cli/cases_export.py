"""`onewriter cases export`: the evidence of a case as a folder of files, which `onewriter diagnose` reads anywhere."""

from collections.abc import Sequence
from pathlib import Path

import click
from sqlalchemy import Connection, select

from onewriter.audit import bundle_writing, gathering
from onewriter.audit.gathering import Chosen, Gathered
from onewriter.cli import session
from onewriter.cli.access import About, Role, require
from onewriter.cli.exported import refuse_existing
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, plain, say
from onewriter.cli.revealing import permit_reveal
from onewriter.customers import policies, systems
from onewriter.customers.shops import Shop
from onewriter.db.casetables import case_rows, cases
from onewriter.errors import Permanent, UnknownSystem
from onewriter.rules.diagnosis.evidence import Side
from onewriter.rules.policy import POINTS
from onewriter.runtime import Runtime, now
from onewriter.workflows import constraining


class NothingToExport(Permanent):
    """There is no such case, or nothing is wrong in it any more."""


@click.command("export")
@click.argument("words", metavar="[CASE] DIR", nargs=-1, required=True)
@shop_option
@click.option(
    "--system", "name", metavar="SYSTEM", help="Everything that is not in step with this system, in place of a case."
)
@click.option("--why", metavar="TEXT", required=True, help="The reason; it is logged with your name.")
@as_json
def export(words: Sequence[str], domain: str | None, name: str | None, why: str, as_json: bool) -> None:
    """Write the evidence of a case into the new folder DIR: what both sides say, who wrote it, and the rules.

    It holds the whole records of the customers of the case and of some that are in step, in clear, and the log of them.
    Who is in it stands in the access log. `onewriter diagnose DIR` reads it on any machine, without this database.
    Delete it when it has served.
    """
    number, folder = _words(words, name)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
            system, chosen = _choose(runtime, db, shop, number, name)
            fields = sorted(policies.of_shop(db, shop.id).maps(system).keys() - {POINTS})
        refuse_existing(folder)
        subject = f"case {number}" if number is not None else f"system {system}: what is not in step"
        about = [About(each, subject, fields) for each in sorted(chosen.people)] or [About(None, subject, fields)]
        permit_reveal(runtime, shop, about, why)
        gathered = _gather(runtime, shop, system, chosen)
        bundle_writing.write(folder, gathered.evidence)
    counts = {side.value: len(gathered.evidence.records[side]) for side in Side}
    document = {"shop": shop.domain, "case": number, "system": system, "folder": str(folder), "records": counts}
    told = f"{counts['source']:,} customers and {counts['target']:,} records of {system}"
    answer(
        as_json, document, lambda: say(f"Wrote {told} into {plain(folder)}, in clear; delete it when it has served.")
    )


def _words(words: Sequence[str], name: str | None) -> tuple[int | None, Path]:
    if name is not None and len(words) == 1:
        return None, Path(words[0])
    if name is None and len(words) == 2 and words[0].isascii() and words[0].isdigit() and len(words[0]) < 10:
        return int(words[0]), Path(words[1])
    raise click.UsageError("Name a case by its number and a new folder, or a folder and --system SYSTEM")


def _choose(runtime: Runtime, db: Connection, shop: Shop, number: int | None, name: str | None) -> tuple[str, Chosen]:
    """The system, and whom to open; nothing is opened yet."""
    vault, moment = runtime.vault(shop.id), now()
    if number is None:
        system = systems.get(db, shop.id, str(name))
        if system.is_shopify:
            raise UnknownSystem("Shopify is the shop's own side; name the system on the other side.")
        apart = gathering.choose(db, vault, system.name, moment).people
        return system.name, gathering.choose(db, vault, system.name, moment, only=apart)
    case = db.execute(select(cases.c.system).where(cases.c.shop_id == shop.id, cases.c.number == number)).first()
    if case is None:
        raise NothingToExport("There is no such case; `onewriter cases list` shows those that there are.")
    rows = select(case_rows.c.customer_id).where(case_rows.c.shop_id == shop.id, case_rows.c.number == number)
    people = {bytes(each) for each in db.execute(rows.where(case_rows.c.gone_at.is_(None))).scalars()}
    if not people:
        raise NothingToExport("Nothing is wrong in this case any more, so there is nothing to export.")
    return case.system, gathering.choose(db, vault, case.system, moment, only=people)


def _gather(runtime: Runtime, shop: Shop, name: str, chosen: Chosen) -> Gathered:
    with runtime.database.snapshot() as db:
        system = systems.get(db, shop.id, name)
        bounds = constraining.known(runtime, db, shop, system, days=constraining.DAYS)
        return gathering.gather(db, runtime.vault(shop.id), shop, system, bounds, now(), chosen=chosen)
