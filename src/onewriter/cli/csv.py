"""`onewriter csv`: look at a file of customers before it is imported, import it, take it back, and write one."""

from collections.abc import Mapping
from pathlib import Path

import click

from onewriter.cli import session
from onewriter.cli.csv_export import export
from onewriter.cli.csv_told import tell_check, tell_import
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, emit, note, say
from onewriter.cli.watch import CODES, watch_run
from onewriter.customers import policies, runs
from onewriter.desk import cycling, imports
from onewriter.desk.imported import import_document
from onewriter.desk.imports import NAME, Wish
from onewriter.records import iso
from onewriter.runtime import Runtime
from onewriter.workflows import files

file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
as_option = click.option("--as", "name", default=NAME, show_default=True, help="The system that the file counts as.")
map_option = click.option("--map", "columns", multiple=True, metavar="COLUMN=FIELD", help="What a column means.")
key_option = click.option("--key", metavar="COLUMN", help="The column that names a row for ever, if it has one.")


@click.group("csv")
def group() -> None:
    """Check, import and write files of customers, and take an import back."""


@group.command("check")
@file_argument
@as_option
@map_option
@key_option
@shop_option
@as_json
def check(file: Path, name: str, columns: tuple[str, ...], key: str | None, domain: str | None, as_json: bool) -> int:
    """Say what importing FILE would do; nothing is written.

    It tells how the file is written and what its columns mean, what a spreadsheet has spoilt, which rows are one
    customer, which values would be overwritten and whose they are, which would be refused, which consents would change,
    and the share of the file's customers that would change. No value is shown: rows are named by their numbers, the
    first line being row 1. Shopify's own export and import are known by their headings. Exits 1 where there is anything
    that a person should look at.
    """
    with session.opened() as runtime:
        document = imports.check(
            session.caller(runtime), session.shop_named(runtime, domain), file, _wish(name, columns, key)
        )
    answer(as_json, document, lambda: tell_check(document))
    return FINDINGS if document["findings"] else DONE


@group.command("import")
@file_argument
@as_option
@map_option
@key_option
@click.option("--dry-run", is_flag=True, help="Say what it would do, as `csv check` does; write nothing.")
@click.option("--allow-share", type=click.IntRange(0, 100), metavar="PERCENT", help="Let it change so many customers.")
@click.option("--why", metavar="TEXT", help="The reason for --allow-share; it is logged with your name.")
@click.option("--wait", is_flag=True, help="Watch it until it is over, and exit as it ended.")
@yes_option
@shop_option
@as_json
@click.pass_context
def import_(
    ctx: click.Context,
    file: Path,
    name: str,
    columns: tuple[str, ...],
    key: str | None,
    dry_run: bool,
    allow_share: int | None,
    why: str | None,
    wait: bool,
    yes: bool,
    domain: str | None,
    as_json: bool,
) -> int | None:
    """Import FILE: take up what its system owns, and refuse and park what it does not; a worker carries it out.

    The file counts as a system of the kind `file` (`onewriter systems add csv --kind file --by-hand`), and may write
    the fields that this system owns. Nobody is made of a row that is nobody's; each is counted. No cycle begins while a
    file is imported, and a file waits for those under way. An import that died goes on by itself, the same file again
    changes nothing, and `onewriter csv undo RUN` takes it back.
    """
    if dry_run:
        return int(ctx.invoke(check, file=file, name=name, columns=columns, key=key, domain=domain, as_json=as_json))
    if (allow_share is None) != (why is None):
        raise click.UsageError("--allow-share and --why go together")
    wish = _wish(name, columns, key)
    with session.opened() as runtime:
        caller = session.caller(runtime)
        shop = imports.ready(caller, session.shop_named(runtime, domain), name, allow_share)
        with runtime.database.read() as db:
            # What the columns mean is known before anybody is asked.
            files.rows_of(file, policies.of_shop(db, shop.id), name, wish.columns or {}, key)
        confirm(f"Import {file.name} as {name}? `onewriter csv check` says what it would do.", yes)
        queued = imports.start(caller, shop.domain, file, wish, allow=allow_share, why=why)
        run_id, lives = queued["run"], queued["worker_lives"]
        return _told(runtime, run_id, "import", lives=lives, wait=wait, as_json=as_json)


@group.command("undo")
@click.argument("run_id", metavar="RUN")
@click.option("--dry-run", is_flag=True, help="Say how many values would be put back; change nothing.")
@click.option("--wait", is_flag=True, help="Watch it until it is over, and exit as it ended.")
@yes_option
@as_json
def undo(run_id: str, dry_run: bool, wait: bool, yes: bool, as_json: bool) -> int | None:
    """Take back what the import RUN wrote; a worker does it.

    A value that somebody changed since is left alone and counted, and so is a consent: who opted out has opted out. Old
    values are kept for some weeks only (`onewriter settings`), and an older import cannot be taken back.
    """
    with session.opened() as runtime:
        caller = session.caller(runtime)
        run = imports.import_of(caller, run_id)
        if dry_run:
            counts = imports.would_undo(caller, run_id)["counts"]
            answer(as_json, {"run": run_id, "dry_run": True, "counts": counts}, lambda: _tell_undo(counts))
            return None
        confirm(f"Take back what the import of {iso(run.requested_at)} wrote?", yes)
        queued = cycling.undo(caller, run_id)
        undo_id, lives = queued["run"], queued["worker_lives"]
        return _told(runtime, undo_id, "undo", lives=lives, wait=wait, as_json=as_json)


group.add_command(export)


# ---- What was given -------------------------------------------------------------------------------------------------


def _wish(name: str, columns: tuple[str, ...], key: str | None) -> Wish:
    return Wish(name, imports.named(columns), key)


# ---- What is done ---------------------------------------------------------------------------------------------------


def _tell_undo(counts: Mapping[str, int]) -> None:
    left = ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()) if what != "undone")
    say(f"{counts.get('undone', 0):,} values would be put back." + (f" Left as they are: {left}." if left else ""))


def _told(runtime: Runtime, run_id: str, what: str, *, lives: bool, wait: bool, as_json: bool) -> int | None:
    """Tell of a run that was queued, or watch it to its end; the exit code."""
    if not wait:

        def tell() -> None:
            say(f"Queued the {what}: run {run_id}. `onewriter runs watch` shows it.")
            if not lives:
                note(session.NO_WORKER)

        answer(as_json, {"run": run_id, "state": "queued", "worker_lives": lives}, tell)
        return None
    note(f"Queued run {run_id}.")
    watch_run(runtime, run_id, as_json=as_json, wait=True)
    with runtime.database.read() as db:
        run = runs.get(db, run_id)
    if as_json:
        emit({"run": run_id, "state": run.state.value, "reason": run.reason} | import_document(run))
    else:
        tell_import(run)
    return CODES[run.state]
