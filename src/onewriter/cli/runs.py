"""`onewriter runs`: list, show, watch and resume runs."""

from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import Role, require
from onewriter.cli.cycled import cycle_document, is_cycle, tell_cycle
from onewriter.cli.findings import found_documents, tell_found
from onewriter.cli.inputs import as_json, limit_option
from onewriter.cli.output import answer, details, note, say, table
from onewriter.cli.progress import line_of, run_document
from onewriter.cli.watch import watch_run
from onewriter.customers import find, runs, shops
from onewriter.customers.runs import Run
from onewriter.errors import UnknownRun
from onewriter.intake.batch import ERASED
from onewriter.records import Instant, RunState
from onewriter.runtime import now

IDS_SHOWN = 20
"""Ids that are printed for people; --json has all."""

BELOW = ("counts", "account", "findings", "cycle")
"""What is shown below the lines of the run itself."""

PAUSED = "The run stands still; mend the reason, then `onewriter runs resume` lets it go on from there."


@click.group("runs")
def group() -> None:
    """List, show, watch and resume runs."""


@group.command("list")
@limit_option
@as_json
def list_runs(limit: int, as_json: bool) -> None:
    """List the newest runs."""
    moment = now()
    with session.opened() as runtime, runtime.database.read() as db:
        found = runs.newest(db, limit)
        domains = {shop.id: shop.domain for shop in shops.every(db)}
        lives = session.worker_lives(runtime, db)
    documents = [run_document(run, domains[run.shop_id], moment) for run in found]

    def tell() -> None:
        columns = ("id", "shop", "kind", "state", "done", "total", "size_class", "requested_at", "requested_by")
        names = ("RUN", "SHOP", "KIND", "STATE", "DONE", "OF", "SIZE", "REQUESTED", "BY")
        table(names, ([one[column] for column in columns] for one in documents))
        if not lives and any(not run.over for run in found):
            note(session.NO_WORKER)

    answer(as_json, documents, tell)


@group.command("show")
@click.argument("run_id", metavar="[ID]", required=False)
@as_json
def show(run_id: str | None, as_json: bool) -> None:
    """Show a run: how far it is, its counts, and what came of it; without ID, the newest.

    Of an import, the account says how many customers the shop had at the start, which ones Shopify made and deleted
    meanwhile, and how many are active here. Of a reconcile, the findings say what differed, why, and what is healed. Of
    a cycle, by field, what it took from the system, wrote to it and refused, or would.
    """
    moment = now()
    with session.opened() as runtime, runtime.database.read() as db:
        run = _run(db, run_id)
        shop = shops.by_id(db, run.shop_id)
        document = run_document(run, shop.domain, moment)
        if run.kind == runs.IMPORT:
            document |= {"account": _account(db, run, moment)}
        elif is_cycle(run):
            document |= {"cycle": cycle_document(run), "findings": found_documents(db, run)}
        else:
            document |= {"findings": found_documents(db, run)}
        lives = session.worker_lives(runtime, db)

    def tell() -> None:
        details({name: value for name, value in document.items() if name not in BELOW})
        say(f"\n{line_of(run, moment)}\n")
        details(dict(run.counts))
        if run.kind == runs.IMPORT:
            _tell_account(document["account"])
        else:
            tell_cycle(run, IDS_SHOWN)
            if document["findings"] or not is_cycle(run):
                tell_found(document["findings"])
        if run.state is RunState.PAUSED:
            note(PAUSED)
        elif not run.over and not lives:
            note(session.NO_WORKER)

    answer(as_json, document, tell)


@group.command("watch")
@click.argument("run_id", metavar="[ID]", required=False)
@click.option("--no-wait", is_flag=True, help="Do not wait for a worker where none is running.")
@as_json
def watch(run_id: str | None, no_wait: bool, as_json: bool) -> int:
    """Watch a run until it is over or paused; without ID, the newest.

    Exits with 0 when it is done, 5 when it is partly done or paused, 4 when it failed. With --json, each change is a
    document on a line of its own. Ending this command does not end the run.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            chosen = _run(db, run_id).id
        return watch_run(runtime, chosen, as_json=as_json, wait=not no_wait)


@group.command("resume")
@click.argument("run_id", metavar="[ID]", required=False)
@as_json
def resume(run_id: str | None, as_json: bool) -> None:
    """Queue a paused run again; without ID, every paused run.

    It goes on from where it stood. Mend its reason first: connecting the shop again resumes its runs by itself, and so
    does the hourly check once Shopify takes the token.
    """
    moment = now()
    with session.opened() as runtime, runtime.database.write() as db:
        require(db, Role.STAFF)
        ids = runs.paused(db) if run_id is None else [run_id]
        for one in ids:
            runs.resume(db, one, moment)
            runtime.enqueue(db, one)
        lives = session.worker_lives(runtime, db)

    def tell() -> None:
        say(f"Queued again: {', '.join(ids)}." if ids else "No run is paused.")
        if ids and not lives:
            note(session.NO_WORKER)

    answer(as_json, {"resumed": ids, "worker_lives": lives}, tell)


def _run(db: Connection, run_id: str | None) -> Run:
    if run_id is not None:
        return runs.get(db, run_id)
    newest = runs.newest(db, 1)
    if not newest:
        raise UnknownRun("There is no run yet; `onewriter shop connect` queues the first.")
    return newest[0]


def _account(db: Connection, run: Run, moment: Instant) -> dict[str, Any]:
    """What an import must add up to; at its end where it is over, since the shop has moved on."""
    # The shop is counted when a worker begins, so that what happened in the queue is in that count already.
    since, until = run.started_at or run.requested_at, run.finished_at or moment
    counted = find.account(db, run.shop_id, since, until)
    # As it was when the run ended: who was erased since is not in our rows any more.
    then = {name: run.counts.get(name, number) for name, number in counted.items()}
    # Of who was erased Shopify may go on having a line, or have none any more.
    erased = max(then["erased_meanwhile"], run.counts.get(ERASED, 0))
    deleted = sorted(find.deleted_between(db, run.shop_id, since, until))
    at_start, at_end = run.counts.get("in_shop_at_start"), run.counts.get("active")
    difference = None
    if at_start is not None and at_end is not None:
        difference = at_end - (at_start + then["created_meanwhile"] - then["deleted_meanwhile"] - erased)
    return {
        "in_shop_at_start": at_start,
        "created_meanwhile": sorted(find.created_between(db, run.shop_id, since, until)),
        "deleted_meanwhile": deleted,
        "deleted_before_we_read_them": max(0, counted["deleted_meanwhile"] - len(deleted)),
        "erased": erased,
        "active_at_end": at_end,
        "active_now": counted["active"],
        "difference": difference,
    }


def _tell_account(account: dict[str, Any]) -> None:
    shown = {name: _few(value) if isinstance(value, list) else value for name, value in account.items()}
    say()
    details(shown)
    if account["difference"]:
        say("It does not add up; a customer may still wait to be read. `onewriter sync import` reads all.")


def _few(ids: list[int]) -> str:
    more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
    return f"{len(ids)}: {', '.join(map(str, ids[:IDS_SHOWN]))}{more}" if ids else "0"
