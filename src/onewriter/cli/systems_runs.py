"""`onewriter systems cycle` and `undo`: have a system read and written now, or take back what a cycle wrote."""

import click

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.cycled import tell_cycle
from onewriter.cli.inputs import REASON_MAX, as_json, confirm, limit_option, shop_option, yes_option
from onewriter.cli.output import answer, emit, note, say
from onewriter.cli.watch import CODES, watch_run
from onewriter.customers import runs
from onewriter.desk import cycling as told_of
from onewriter.desk.cycles import cycle_document
from onewriter.desk.cycling import VANISHED, Queued
from onewriter.records import iso
from onewriter.rules.policy_check import is_known
from onewriter.runtime import Runtime


@click.command("cycle")
@click.argument("name", metavar="SYSTEM")
@shop_option
@click.option("--dry-run", is_flag=True, help="Read, and show each value that would be written; write nothing.")
@click.option("--full", is_flag=True, help="Read every record, not only what changed.")
@click.option("--customer", metavar="ID|EMAIL|PHONE", help="Only this customer.")
@click.option(
    "--allow", multiple=True, metavar=f"FIELD|{VANISHED}",
    help="Let the next complete cycle change however many values of this field, or take it that records are gone.",
)  # fmt: skip
@click.option("--why", metavar="TEXT", help="The reason for --allow; it is logged with your name.")
@click.option("--wait", is_flag=True, help="Watch the cycle until it is over, and exit as it ended.")
@limit_option
@as_json
def cycle(
    name: str,
    domain: str | None,
    dry_run: bool,
    full: bool,
    customer: str | None,
    allow: tuple[str, ...],
    why: str | None,
    wait: bool,
    limit: int,
    as_json: bool,
) -> int | None:
    """Queue a cycle of a system; a worker carries it out.

    A cycle reads what changed there, takes up what the system owns, refuses and parks what it does not, and writes to
    it what the owners say. The first one after a change of the policy writes nothing and asks; so does one that would
    change far more values than usual. With --dry-run and --wait each write that it would do is listed: whose, which
    field, which way, and who owns the field.
    """
    _refuse_reason(allow, why)
    with session.opened() as runtime:
        caller, shop = session.caller(runtime), session.shop_named(runtime, domain, connected=True)
        how = {"dry": dry_run, "full": full}
        queued = told_of.queue(caller, shop, name, **how, customer=customer, allow=allow, why=why or "")
        return _tell(runtime, f"cycle of {name}", queued, wait=wait, limit=limit, as_json=as_json)


@click.command("undo")
@click.argument("run_id", metavar="RUN")
@click.option("--wait", is_flag=True, help="Watch it until it is over, and exit as it ended.")
@yes_option
@limit_option
@as_json
def undo(run_id: str, wait: bool, yes: bool, limit: int, as_json: bool) -> int | None:
    """Take back what a cycle wrote, here and in the system; a worker does it.

    The system is paused, since its next cycle would do the same again: change the owner or the mapping, then resume it.
    A value that somebody changed since is left alone, and so is a record that the cycle made. Old values are kept for
    some weeks only (`onewriter settings`), and an older cycle cannot be taken back.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.OWNER)
            undone = runs.get(db, run_id)
        confirm(f"Take back what the {undone.kind} of {iso(undone.requested_at)} wrote, and pause the system?", yes)
        queued = told_of.undo(session.caller(runtime), run_id)
        return _tell(runtime, "undo", queued, wait=wait, limit=limit, as_json=as_json)


def _refuse_reason(allow: tuple[str, ...], why: str | None) -> None:
    if bool(allow) != (why is not None):
        raise click.UsageError("--allow and --why go together")
    if why is not None and not 0 < len(why.strip()) <= REASON_MAX:
        raise click.UsageError(f"--why must be a reason of 1 to {REASON_MAX} letters")
    for field in allow:
        if field != VANISHED and not is_known(field):
            raise click.UsageError(f"{field!r} is no field; `onewriter fields show` lists the fields")


def _tell(runtime: Runtime, what: str, queued: Queued, *, wait: bool, limit: int, as_json: bool) -> int | None:
    """Tell of a run that was queued, or watch it to its end; the exit code."""
    if wait:
        note(f"Queued run {queued['run']}.")
        return _watch(runtime, queued["run"], limit, as_json)

    def tell() -> None:
        say(f"Queued the {what}: run {queued['run']}. `onewriter runs watch` shows it.")
        if not queued["worker_lives"]:
            note(session.NO_WORKER)

    answer(as_json, queued, tell)
    return None


def _watch(runtime: Runtime, run_id: str, limit: int, as_json: bool) -> int:
    watch_run(runtime, run_id, as_json=as_json, wait=True)
    with runtime.database.read() as db:
        run = runs.get(db, run_id)
    if as_json:
        emit({"run": run_id, "state": run.state.value, "reason": run.reason} | cycle_document(run))
    else:
        tell_cycle(run, limit)
    return CODES[run.state]
