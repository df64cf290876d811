"""`onewriter privacy export`: everything that is held of one person, as files for whoever asked for it."""

import csv
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, plain, say
from onewriter.customers import exporting, find, findings, requests, shops
from onewriter.customers.exporting import Held, Whom
from onewriter.customers.requests import Request
from onewriter.customers.shops import Shop
from onewriter.errors import BadSetting, Permanent
from onewriter.records import FIELDS, Instant, id_text, iso
from onewriter.runtime import Runtime, now
from onewriter.shopify.topics import DATA_REQUEST_TOPIC

EXPORT = "export"
_BEGINNING = re.compile(r"(^|[;\t\r\n])([ \ufeff\u00a0]*)(?=[=+\-@＝＋－＠])")
"""Where a spreadsheet sees the beginning of a formula and would carry it out, wherever it parts its columns."""
NOTHING = "nothing is held: there was nothing to export"


class NothingHeld(Permanent):
    """There is nothing to export."""


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
    moment = now()
    with session.opened() as runtime:
        with runtime.database.read() as db:
            request = None if request_id is None else _open_request(db, request_id)
            shop = session.choose_shop(db, domain) if request is None else shops.by_id(db, request.shop_id)
            who = _whom(runtime, db, shop, whose, request)
            held = who is not None and exporting.is_held(db, runtime.vault(shop.id), who)
        if who is None or not held:
            document = _nothing(runtime, shop, request, moment)
        else:
            refuse_existing(folder)
            _permit(runtime, shop, who, request, why)
            document = _write(runtime, shop, who, request, folder, moment)
    answer(as_json, document, lambda: say(_told(document)))


def _words(words: Sequence[str]) -> tuple[str | None, Path]:
    return (words[0] if len(words) > 1 else None), Path(words[-1])


def _open_request(db: Connection, request_id: int) -> Request:
    request = requests.get(db, request_id)
    if request.topic != DATA_REQUEST_TOPIC:
        raise requests.UnknownRequest(
            f"Request {request_id} does not ask for data but for {request.topic}; see `onewriter privacy requests`."
        )
    if request.over:
        raise requests.UnknownRequest(f"Request {request_id} has ended already: {request.outcome}.")
    return request


def _whom(runtime: Runtime, db: Connection, shop: Shop, whose: str | None, request: Request | None) -> Whom | None:
    """Who is meant; None for a request whose customer is not here any more."""
    vault = runtime.vault(shop.id)
    if whose is not None:
        who = exporting.whom(db, vault, find.shopify_id_meant(db, shop.id, whose))
        if request is not None and request.subject_hash is not None and request.subject_hash not in who.hashes:
            raise requests.UnknownRequest(f"Request {request.id} asks for another customer's data; leave ID out.")
        return who
    assert request is not None
    if request.customer_id is None:
        if request.subject_hash is not None:
            return None
        raise NothingHeld(
            f"Request {request.id} does not say clearly who is meant; name the customer: "
            f"`onewriter privacy export ID DIR --request {request.id}`."
        )
    number = findings.shopify_id_of(db, shop.id, request.customer_id)
    return None if number is None else exporting.whom(db, vault, number)


def _nothing(runtime: Runtime, shop: Shop, request: Request | None, moment: Instant) -> dict[str, Any]:
    """Nothing is held: a request is answered with that."""
    if request is None:
        raise NothingHeld(f"Nothing is held of that customer of {shop.domain}.")
    permit(runtime, Role.OWNER, EXPORT, [About(subject=f"request {request.id}")], shop_id=shop.id)
    with runtime.database.write() as db:
        requests.end(db, request.id, NOTHING, session.actor(), moment)
    return {"shop": shop.domain, "request": request.id, "folder": None, "files": [], "rows": 0}


def refuse_existing(folder: Path) -> None:
    """Raise BadSetting if there is something of that name: an export never writes over anything."""
    if os.path.lexists(folder):
        raise BadSetting(f"{folder} is there already; name a new folder.")


def _permit(runtime: Runtime, shop: Shop, who: Whom, request: Request | None, why: str | None) -> None:
    subject = None if request is None else f"request {request.id}"
    about = [About(each, subject, FIELDS) for each in who.ids] or [About(None, subject)]
    permit(runtime, Role.OWNER, EXPORT, about, shop_id=shop.id, why=why or subject)


def _write(
    runtime: Runtime, shop: Shop, who: Whom, request: Request | None, folder: Path, moment: Instant
) -> dict[str, Any]:
    with runtime.database.snapshot() as db:
        keep_days = runtime.settings.number("inbox_keep_days")
        found = exporting.everything(db, runtime.vault(shop.id), who, keep_days)
    head = {
        "shop": shop.domain,
        "made_at": iso(moment),
        "request": None if request is None else request.id,
        "customers": [id_text(each) for each in who.ids],
    }
    files = write_folder(folder, head, found)
    if request is not None:
        with runtime.database.write() as db:
            requests.end(db, request.id, "exported", session.actor(), moment)
    document = {"shop": shop.domain, "request": head["request"], "folder": str(folder)}
    return document | {"files": files, "rows": sum(len(each.rows) for each in found)}


def write_folder(folder: Path, head: Mapping[str, Any], found: Sequence[Held]) -> list[str]:
    """Write the export into a new folder that only its owner can read; the names of its files.

    What cannot be written whole is taken away again.
    """
    tables = {each.table: {"why": each.why, "rows": list(each.rows)} for each in found}
    made: list[Path] = []
    try:
        folder.mkdir(mode=0o700)
        try:
            _new_file(
                folder / "customer.json", made, json.dumps({**head, "tables": tables}, indent=2, ensure_ascii=False)
            )
            for each in found:
                if each.rows:
                    _new_csv(folder / f"{each.table}.csv", made, each.rows)
        except BaseException:
            for path in made:
                path.unlink()
            with suppress(OSError):
                folder.rmdir()
            raise
    except OSError as error:
        raise BadSetting(f"{folder} cannot be written ({error.strerror}); name another new folder.") from None
    return [path.name for path in made]


def _new_file(path: Path, made: list[Path], text: str) -> None:
    with os.fdopen(_opened(path, made), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def _new_csv(path: Path, made: list[Path], rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with os.fdopen(_opened(path, made), "w", encoding="utf-8", newline="") as file:
        # Quoted throughout: a spreadsheet may part its columns elsewhere than at commas.
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        writer.writerows([_cell(row.get(name)) for name in names] for row in rows)


def _opened(path: Path, made: list[Path]) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    made.append(path)
    return descriptor


def _cell(value: Any) -> Any:
    """A cell of a CSV file: what a spreadsheet would carry out in a text begins with an apostrophe."""
    if value is None or isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = f"'{text}" if text.startswith(("\t", "\r", "\n")) else text
    return _BEGINNING.sub(r"\1'\2", text)


def _told(document: Mapping[str, Any]) -> str:
    if document["folder"] is None:
        return f"Nothing is held, so nothing was written. Request {document['request']} is done."
    done = "" if document["request"] is None else f" Request {document['request']} is done."
    return (
        f"Wrote {document['rows']} rows into {plain(document['folder'])}, in clear.{done} "
        "Hand the folder over, and delete it."
    )
