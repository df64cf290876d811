"""`onewriter privacy export`: everything that is held of one person, as files for whoever asked for it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import check_why
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, plain, say
from onewriter.desk import exports
from onewriter.desk.caller import Caller
from onewriter.desk.exports import EXPORT as EXPORT
from onewriter.desk.exports import Sought
from onewriter.errors import BadSetting
from onewriter.runtime import Runtime


@click.command("export")
@click.argument("words", metavar="[ID] DIR", nargs=-1, required=True)
@shop_option
@click.option("--request", "request_id", metavar="N", type=int, help="The request that this answers; done afterwards.")
@click.option("--why", metavar="TEXT", help="The reason, logged with your name; needed without --request.")
@as_json
def export(words: tuple[str, ...], domain: str | None, request_id: int | None, why: str | None, as_json: bool) -> None:
    """Write everything that is held of a customer into the new folder DIR, in clear, for whoever asked for it.

    ID is Shopify's number or gid, or our id; with --request it is the customer that the request names. Whom a merge
    took away into that customer, and deleted customers too, are included; nobody else is. customer.json holds all of
    it, and each table is a CSV file as well, where a text that a spreadsheet would take for a formula begins with an
    apostrophe. Each row says why it is kept and until when. The files are readable for you alone: hand them over, and
    delete them.
    """
    whose, folder = _words(words)
    if (whose is None and request_id is None) or len(words) > 2:
        raise click.UsageError("Name a customer and a new folder, or a folder and --request N")
    if request_id is None and not (why or "").strip():
        raise click.UsageError("Without --request it needs a reason: add --why TEXT")
    check_why(why)
    with session.opened() as runtime:
        caller = session.caller(runtime)
        named = _named(runtime, domain) if request_id is None else None
        wanted = exports.sought(caller, named, whose, request_id)
        document = _write(caller, wanted, folder, why)
    answer(as_json, document, lambda: say(_told(document)))


def _named(runtime: Runtime, domain: str | None) -> str:
    with runtime.database.read() as db:
        return session.choose_shop(db, domain).domain


def _words(words: Sequence[str]) -> tuple[str | None, Path]:
    return (words[0] if len(words) > 1 else None), Path(words[-1])


def refuse_existing(folder: Path) -> None:
    """Raise BadSetting if there is something of that name: an export never writes over anything."""
    if os.path.lexists(folder):
        raise BadSetting(f"{folder} is there already; name a new folder.")


def _write(caller: Caller, wanted: Sought, folder: Path, why: str | None) -> dict[str, Any]:
    """Write what is held, and say of the request that it is answered; of nobody, only that."""
    request = None if wanted.request is None else wanted.request.id
    told: dict[str, Any] = {"shop": wanted.shop.domain, "request": request}
    if wanted.whom is None:
        exports.permit(caller, wanted, why)
        exports.end(caller, wanted)
        return told | {"folder": None, "files": [], "rows": 0}
    refuse_existing(folder)
    exports.permit(caller, wanted, why)
    document = exports.opened(caller, wanted)
    files = write_folder(folder, document)
    exports.end(caller, wanted)
    rows = sum(len(each["rows"]) for each in document["tables"].values())
    return told | {"folder": str(folder), "files": files, "rows": rows}


def write_folder(folder: Path, document: Mapping[str, Any]) -> list[str]:
    """Write the export into a new folder that only its owner can read; the names of its files.

    What cannot be written whole is taken away again.
    """
    made: list[Path] = []
    try:
        folder.mkdir(mode=0o700)
        try:
            for name, text in exports.files(document):
                with os.fdopen(_opened(folder / name, made), "w", encoding="utf-8", newline="") as file:
                    file.write(text)
        except BaseException:
            for path in made:
                path.unlink()
            with suppress(OSError):
                folder.rmdir()
            raise
    except OSError as error:
        raise BadSetting(f"{folder} cannot be written ({error.strerror}); name another new folder.") from None
    return [path.name for path in made]


def _opened(path: Path, made: list[Path]) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    made.append(path)
    return descriptor


def _told(document: Mapping[str, Any]) -> str:
    if document["folder"] is None:
        return f"Nothing is held, so nothing was written. Request {document['request']} is done."
    done = "" if document["request"] is None else f" Request {document['request']} is done."
    return (
        f"Wrote {document['rows']} rows into {plain(document['folder'])}, in clear.{done} "
        "Hand the folder over, and delete it."
    )
