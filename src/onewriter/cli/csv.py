"""`onewriter csv`: look at a file of customers before it is imported, import it, take it back, and write one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.csv_export import export
from onewriter.cli.csv_told import check_document, import_document, tell_check, tell_import
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import REASON_MAX, as_json, confirm, shop_option, yes_option
from onewriter.cli.output import answer, emit, note, say
from onewriter.cli.watch import CODES, watch_run
from onewriter.customers import policies, runs, systems
from onewriter.customers.shops import Shop
from onewriter.customers.systems import System
from onewriter.intake import csv_check
from onewriter.intake.undoing import Undoing
from onewriter.records import iso
from onewriter.rules.policy_check import is_known
from onewriter.runtime import Runtime, now
from onewriter.workflows import files, reaching, undoing
from onewriter.workflows.files import Given

NAME = "csv"
"""The system that a file counts as, if no other is named."""
COLUMNS_MAX = 100

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
    named = _named(columns)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            # Whoever may try values in a file learns which of them are right.
            require(db, Role.STAFF)
            shop = session.choose_shop(db, domain)
        document = _checked(runtime, shop, file, name, named, key)
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
    _refuse_reason(allow_share, why)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF if allow_share is None else Role.OWNER)
            shop = session.choose_shop(db, domain, connected=True)
            files.require(db, shop.id, name)
            # What the columns mean is known before anybody is asked.
            files.rows_of(file, policies.of_shop(db, shop.id), name, _named(columns), key)
        confirm(f"Import {file.name} as {name}? `onewriter csv check` says what it would do.", yes)
        subject = f"system {name}: import a file" + ("" if allow_share is None else f", {allow_share} % may change")
        role = Role.STAFF if allow_share is None else Role.OWNER
        permit(runtime, role, "system", [About(subject=subject)], shop_id=shop.id, why=why)
        given = Given(str(file.resolve()), files.digest_of(file), _named(columns), key, allow_share)
        with runtime.database.write() as db:
            run_id = files.queue(runtime, db, shop.id, name, given, session.actor(), now())
            lives = session.worker_lives(runtime, db)
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
        with runtime.database.read() as db:
            require(db, Role.OWNER)
            run = runs.get(db, run_id)
        if runs.family(run.kind) != runs.FILE:
            raise undoing.NotUndone("That run is no import of a file; `onewriter systems undo` takes a cycle back.")
        undoing.require_undoable(run)
        if dry_run:
            counts = _would_undo(runtime, run)
            answer(as_json, {"run": run_id, "dry_run": True, "counts": counts}, lambda: _tell_undo(counts))
            return None
        confirm(f"Take back what the import of {iso(run.requested_at)} wrote?", yes)
        permit(runtime, Role.OWNER, "system", [About(subject=f"run {run_id}: undo")], shop_id=run.shop_id)
        with runtime.database.write() as db:
            undo_id = undoing.queue(runtime, db, run_id, session.actor(), now())
            lives = session.worker_lives(runtime, db)
        return _told(runtime, undo_id, "undo", lives=lives, wait=wait, as_json=as_json)


group.add_command(export)


# ---- What was given -------------------------------------------------------------------------------------------------


def _named(columns: tuple[str, ...]) -> dict[str, str]:
    """What the columns mean, as somebody said by hand."""
    found = {}
    for each in columns:
        heading, sign, field = each.rpartition("=")
        if not sign or not heading:
            raise click.UsageError("--map is given as COLUMN=FIELD")
        if not is_known(field) or field == "addresses":
            raise click.UsageError(f"{field!r} is no field of a column; `onewriter fields show` lists the fields")
        found[heading] = field
    if len(found) > COLUMNS_MAX:
        raise click.UsageError(f"At most {COLUMNS_MAX} columns are named")
    return found


def _refuse_reason(allow_share: int | None, why: str | None) -> None:
    if (allow_share is None) != (why is None):
        raise click.UsageError("--allow-share and --why go together")
    if why is not None and not 0 < len(why.strip()) <= REASON_MAX:
        raise click.UsageError(f"--why must be a reason of 1 to {REASON_MAX} letters")


# ---- What is done ---------------------------------------------------------------------------------------------------


def _checked(
    runtime: Runtime, shop: Shop, file: Path, name: str, named: Mapping[str, str], key: str | None
) -> dict[str, Any]:
    with runtime.database.read() as db:
        policy = policies.of_shop(db, shop.id)
        there = name in systems.names(db, shop.id)
        system = files.require(db, shop.id, name) if there else _absent(shop, name)
    rows = files.rows_of(file, policy, name, named, key)
    reading = files.reading_of(runtime, system, policy, rows, None)
    checked = csv_check.check(runtime.database, reading, rows, now())
    limit = runtime.settings.number("file_share_percent")
    return {"shop": shop.domain, "system": name, "system_there": there} | check_document(checked, rows, policy, limit)


def _absent(shop: Shop, name: str) -> System:
    """A system that is not there yet: a file can be looked at before, and owns nothing then."""
    return System(
        shop_id=shop.id, name=name, kind="file", state=systems.ACTIVE, box=b"", creates=False, cycle_minutes=None,
        full_hours=24, cursor_box=None, due_at=None, cycle_at=None, full_at=None, agreed_version=0, allowed={},
        retry_at=None, trouble=None, trouble_since=None, discovered=None, discovered_at=None, added_at=0, added_by="",
        changed_at=0,
    )  # fmt: skip


def _would_undo(runtime: Runtime, run: runs.Run) -> dict[str, int]:
    with runtime.database.read() as db:
        system = systems.get(db, run.shop_id, str(run.checkpoint[files.SYSTEM]))
    with reaching.opened(runtime, system, None) as target:
        looked = Undoing(runtime.database, target, run.id, (), session.actor(), dry=True)
        return dict(+looked.run(now()))


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
