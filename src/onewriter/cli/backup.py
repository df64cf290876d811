"""`onewriter backup` and `onewriter restore-backup`: the main database in one encrypted file, and back."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import Progress

from onewriter.cli import session
from onewriter.cli.access import Role, permit, require
from onewriter.cli.inputs import as_json, confirm, yes_option
from onewriter.cli.output import answer, console, say, when
from onewriter.records import iso
from onewriter.runtime import Runtime, now
from onewriter.vault.sealedfile import SealedFile
from onewriter.workflows import backups, recovering
from onewriter.workflows.recovering import Recovered

BACKUP = "backup"

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.command("backup")
@file_argument
@click.option("--force", is_flag=True, help="Replace the file if it is there already.")
@as_json
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Write an encrypted backup of the main database.

    It may run while everything else does, and holds the database as it was at one moment. Only the master keys open
    it. The key store is never in it, so that what is erased later cannot be opened from it: keep the newest copy of the
    key store apart from your backups (`onewriter keys copy FILE`, or the setting keys_copy_file), and never an older
    one. A master key that was replaced since must be kept until the last backup that was made with it is deleted.
    Hashes of ids and blind indexes of who is erased later stay in the file, so delete it by the date that is told.
    """
    with session.opened() as runtime:
        permit(runtime, Role.OWNER, BACKUP)
        with counting("rows written") as count:
            made = backups.make(runtime, file, now(), count, force=force)
    rows = sum(made.rows.values())
    document: dict[str, object] = {"file": str(file)}
    document |= {"made_at": iso(made.made_at), "delete_by": iso(made.delete_by), "bytes": file.stat().st_size}
    document["rows"] = dict(made.rows)
    said = f"{file}: {rows:,} rows as of {when(made.made_at)}. Delete it by {when(made.delete_by)}."
    answer(as_json, document, lambda: say(said))


@click.command("restore-backup")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--resume", is_flag=True, help="Finish a restore that was interrupted after the database was replaced.")
@yes_option
@as_json
def restore_backup(file: Path | None, resume: bool, yes: bool, as_json: bool) -> None:
    """Put a backup in the place of everything in the main database.

    Stop the service first, the web process too. The whole file is looked through before anything is touched, and then
    all of it is restored, or nothing. It works across databases and versions: a backup of SQLite can be restored on
    PostgreSQL, and one of an earlier schema is brought up to date. On a new machine put the master key in its place and
    run `onewriter keys restore-copy FILE` before this.

    What was erased since the backup is erased again, before anything else can read it. A customer whose key was lost
    keeps the points and is read again from Shopify. Then each shop is read and compared in full, and its orders too.
    What only onewriter knew and no read can bring back is lost: redemptions, adjustments and answers to questions since
    the backup, requests in law that came since, restored and kept customers, roles that were given or taken, and the
    lines of the access log.
    """
    if (file is None) != resume:
        raise click.UsageError("Give either the FILE of a backup, or --resume")
    with session.unprepared() as runtime:
        with session.opening():
            restored = None if file is None else _restore(runtime, file, yes)
            if resume:
                runtime.prepare()
                _as_owner(runtime)
        with saying("recovering") as tell:
            recovered = recovering.finish(runtime, tell)
    document = {"made_at": iso(restored.header.made_at) if restored is not None else None, **_document(recovered)}
    answer(as_json, document, lambda: say(_told(recovered)))


def _restore(runtime: Runtime, path: Path, yes: bool) -> SealedFile:
    moment = now()
    file = backups.open_backup(runtime, path, moment)
    runtime.prepare()
    _as_owner(runtime)
    backups.refuse_while_working(runtime, moment)
    with counting("rows looked at") as count:
        looked = backups.look_through(runtime, file, count)
    backups.refuse_without_shop_keys(runtime, looked.shop_ids)
    rows = sum(looked.trailer.rows.values())
    made_at = when(file.header.made_at)
    confirm(f"Replace everything in the main database by these {rows:,} rows of {made_at}?", yes)
    with counting("rows restored") as count:
        backups.restore(runtime, file, looked, session.actor(), moment, count)
    return file


def _as_owner(runtime: Runtime) -> None:
    with runtime.database.read() as db:
        require(db, Role.OWNER)


def _document(recovered: Recovered) -> dict[str, object]:
    named = {name.replace(" ", "_"): number for name, number in recovered.counts.items()}
    return {"recovered": named, "runs": list(recovered.runs)}


def _told(recovered: Recovered) -> str:
    return f"Restored. {told_counts(recovered.counts)} Runs queued: {len(recovered.runs)}; start the service."


def told_counts(counts: Mapping[str, int]) -> str:
    """What a recovery came to, in words."""
    erased, lost, dropped = (counts.get(name, 0) for name in ("erased again", "lost", "deliveries dropped"))
    return (
        f"Erased again: {erased:,}. Read again from Shopify, since their keys are lost: {lost:,}. "
        f"Deliveries that cannot be opened any more: {dropped:,}."
    )


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Count rows on standard error, where somebody sees it."""
    with Progress("{task.completed:,.0f}", what, console=console(stderr=True), transient=True) as progress:
        progress.disable = not console(stderr=True).is_terminal
        task = progress.add_task(what, total=None)
        yield lambda rows: progress.advance(task, rows)


@contextmanager
def saying(what: str) -> Iterator[Callable[[str], None]]:
    """Say on standard error which step is under way, where somebody sees it."""
    with console(stderr=True).status(what) as status:
        yield lambda step: status.update(f"{what}: {step}")
