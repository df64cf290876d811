"""`onewriter runs`: list, show, watch and resume runs."""

from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.cycled import tell_cycle
from onewriter.cli.findings import tell_found
from onewriter.cli.inputs import as_json, limit_option
from onewriter.cli.output import answer, details, note, say, table
from onewriter.cli.progress import line_of
from onewriter.cli.watch import watch_run
from onewriter.customers import runs, shops
from onewriter.desk import runs as told
from onewriter.desk.cycles import is_cycle
from onewriter.records import RunState
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
    documents = [dict(told.run_document(run, domains[run.shop_id], moment)) for run in found]

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
        run = runs.last(db) if run_id is None else runs.get(db, run_id)
        document = told.whole(db, run, moment)
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
            chosen = (runs.last(db) if run_id is None else runs.get(db, run_id)).id
        return watch_run(runtime, chosen, as_json=as_json, wait=not no_wait)


@group.command("resume")
@click.argument("run_id", metavar="[ID]", required=False)
@as_json
def resume(run_id: str | None, as_json: bool) -> None:
    """Queue a paused run again; without ID, every paused run.

    It goes on from where it stood. Mend its reason first: connecting the shop again resumes its runs by itself, and so
    does the hourly check once Shopify takes the token.
    """
    with session.opened() as runtime:
        document = told.resume(session.caller(runtime), run_id)

    def tell() -> None:
        ids = document["resumed"]
        say(f"Queued again: {', '.join(ids)}." if ids else "No run is paused.")
        if ids and not document["worker_lives"]:
            note(session.NO_WORKER)

    answer(as_json, document, tell)


def _tell_account(account: dict[str, Any]) -> None:
    shown = {name: _few(value) if isinstance(value, list) else value for name, value in account.items()}
    say()
    details(shown)
    if account["difference"]:
        say("It does not add up; a customer may still wait to be read. `onewriter sync import` reads all.")


def _few(ids: list[int]) -> str:
    more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
    return f"{len(ids)}: {', '.join(map(str, ids[:IDS_SHOWN]))}{more}" if ids else "0"
