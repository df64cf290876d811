"""`onewriter keys copy` and `onewriter keys restore-copy`: the newest copy of the key store, and back."""

from pathlib import Path

import click

from onewriter.cli import session
from onewriter.cli.access import Role, permit, require
from onewriter.cli.backup import counting, file_argument, saying, told_counts
from onewriter.cli.inputs import as_json, confirm, yes_option
from onewriter.cli.output import answer, say, when
from onewriter.records import iso
from onewriter.runtime import Runtime, now
from onewriter.vault import copying
from onewriter.vault.sealedfile import SealedFile
from onewriter.workflows import backups, recovering

COPY = "copy key store"


@click.command("copy")
@file_argument
@as_json
def copy(file: Path, as_json: bool) -> None:
    """Copy the key store to an encrypted file, in the place of the copy that is there.

    Without the key store nothing in the database and its backups can be opened, so keep a copy on another disk. Keep
    the newest only: an older one still has the keys of who was erased since, and would open what an older backup holds
    of them. With the setting keys_copy_file a worker does this by itself, within five minutes of every erasure. The
    master keys are not in it; keep them apart.
    """
    with session.opened() as runtime:
        permit(runtime, Role.OWNER, COPY)
        moment = now()
        rows = copying.write_copy(runtime.keys, file, moment)
    document = {"file": str(file), "made_at": iso(moment), "rows": rows, "bytes": file.stat().st_size}
    answer(as_json, document, lambda: say(f"{file}: {rows:,} keys and marks as of {when(moment)}."))


@click.command("restore-copy")
@file_argument
@yes_option
@as_json
def restore_copy(file: Path, yes: bool, as_json: bool) -> None:
    """Put a copy in the place of the key store.

    Stop the service first, the web process too. The whole copy is looked through before anything is touched: it is
    refused when a master key that its keys need is not here, or when it lacks the key of a shop that the key store here
    still has. Keys that were destroyed since the copy are destroyed again: those that
    the database names nobody for, and whatever the key store that is here still knows to be ended. Keys that were made
    since the copy are lost; their customers keep their points and are read again from Shopify.
    """
    with session.unprepared() as runtime, session.opening():
        opened = backups.open_copy(runtime, file)
        _restore(runtime, opened, yes)
    with session.opened() as runtime, saying("recovering") as tell:
        recovered = recovering.finish(runtime, tell)
    document = {"made_at": iso(opened.header.made_at)}
    named = {name.replace(" ", "_"): number for name, number in recovered.counts.items()}
    answer(as_json, document | {"recovered": named}, lambda: say(f"Restored. {told_counts(recovered.counts)}"))


def _restore(runtime: Runtime, file: SealedFile, yes: bool) -> None:
    moment = now()
    backups.prepare_main(runtime)
    with runtime.database.read() as db:
        require(db, Role.OWNER)
    backups.refuse_while_working(runtime, moment)
    with counting("keys looked at") as count:
        looked = backups.look_through(runtime, file, count)
    backups.refuse_useless(runtime, looked)
    rows = sum(looked.trailer.rows.values())
    confirm(f"Replace the key store by these {rows:,} keys and marks of {when(file.header.made_at)}?", yes)
    backups.restore_keys(runtime, file, session.actor(), moment)
