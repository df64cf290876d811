"""`onewriter points award` and `points audit`: what is done to all customers of a shop at once."""

import click

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, note, say, table
from onewriter.cli.pointed import OneLine
from onewriter.cli.watch import watch_run
from onewriter.customers import runs
from onewriter.desk.points_by_hand import WHY_MAX
from onewriter.loyalty import audit as auditing
from onewriter.loyalty import awards
from onewriter.records import id_text
from onewriter.runtime import now
from onewriter.workflows import points

wait_option = click.option("--wait", is_flag=True, help="Watch the run until it is over, and exit as it ended.")


@click.command("award")
@click.argument("rule", metavar="[RULE]", required=False, type=click.Choice(awards.RULES))
@shop_option
@click.option("--dry-run", is_flag=True, help="Say who would get it, and give nothing.")
@click.option("--take-back", metavar="RUN", help="Take back what that award gave, in place of giving.")
@click.option("--why", type=OneLine(WHY_MAX), metavar="TEXT", help="The reason for --take-back.")
@wait_option
@yes_option
@as_json
def award(
    rule: str | None,
    domain: str | None,
    dry_run: bool,
    take_back: str | None,
    why: str | None,
    wait: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Queue giving RULE to every customer who has not got it; a worker carries it out.

    Customers from before the install or before the rule get nothing by themselves; this is how a person decides
    otherwise. Whoever has it already gets nothing, so asking twice does no harm. --take-back drops what an award gave;
    who has spent it has less than nothing then.
    """
    if (rule is None) == (take_back is None):
        raise click.UsageError("Name the rule to award, or the award to --take-back")
    if (take_back is None) != (why is None):
        raise click.UsageError("--take-back and --why go together")
    moment = now()
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain, connected=True)
        if not dry_run:
            what = f"Give {rule} to every customer" if rule else f"Take back award {take_back}"
            confirm(f"{what} of {shop.domain}?", yes)
        with runtime.database.write() as db:
            actor = session.actor()
            if rule is not None:
                run_id = points.queue_award(runtime, db, shop.id, rule, actor, moment, dry=dry_run)
            else:
                run_id = points.queue_taking_back(runtime, db, shop.id, str(take_back), str(why), actor, moment)
            lives = session.worker_lives(runtime, db)
        if wait:
            note(f"Queued run {run_id}.")
            code = watch_run(runtime, run_id, as_json=as_json, wait=True)
            with runtime.database.read() as db:
                run = runs.get(db, run_id)
            for line in awards.told(run.counts, run.checkpoint) if not as_json else ():
                say(line)
            return code

    def tell() -> None:
        say(f"Queued run {run_id} of {shop.domain}; `onewriter runs watch` shows it.")
        if not lives:
            note(session.NO_WORKER)

    answer(as_json, {"run": run_id, "shop": shop.domain, "state": "queued", "worker_lives": lives}, tell)
    return DONE


@click.command("audit")
@shop_option
@as_json
def audit(domain: str | None, as_json: bool) -> int:
    """Work out every account of a shop anew from its entries; exits with 1 when one differs.

    Reads only. A difference is a fault of onewriter or of whoever wrote to its database: please report it. The next
    posting to the account makes it right again.
    """
    with session.opened() as runtime, runtime.database.snapshot() as db:
        shop = session.choose_shop(db, domain)
        found = auditing.audit(db, shop.id, lambda seen: note(f"{seen} entries ..."))

    def tell() -> None:
        say(f"{found.entries} entries of {found.customers} customers: {len(found.differences)} differences.")
        if found.differences:
            rows = ([id_text(each.customer_id), each.what, each.kept, each.found] for each in found.differences)
            table(("CUSTOMER", "WHAT", "WRITTEN DOWN", "BY THE ENTRIES"), rows)

    document = {
        "shop": shop.domain,
        "entries": found.entries,
        "customers": found.customers,
        "differences": [
            {"customer": id_text(each.customer_id), "what": each.what, "kept": each.kept, "found": each.found}
            for each in found.differences
        ],
    }
    answer(as_json, document, tell)
    return FINDINGS if found.differences else DONE
