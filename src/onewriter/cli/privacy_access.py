"""`onewriter privacy access`: who saw or changed protected data, proof that the log of it is whole, and an export."""

import csv
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import Role, permit
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, limit_option, shop_option
from onewriter.cli.output import answer, plain, say, table
from onewriter.customers import access_lines, find, findings, people, shops
from onewriter.customers.access import EXPORT_LOG
from onewriter.customers.access_lines import Line, Wanted
from onewriter.customers.access_proof import Proof, prove
from onewriter.errors import BadSetting, UnknownCustomer
from onewriter.records import Instant, id_text, instant, iso
from onewriter.runtime import Runtime
from onewriter.vault.keystore import KeyStore

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""
FIELDS = (
    "position", "at", "actor", "role", "action", "allowed", "shop", "customer", "subject", "fields", "reason",
)  # fmt: skip


class Day(click.DateTime):
    """A day, of which the first moment is meant, in UTC."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])


def _begin(day: datetime | None, *, days: int = 0) -> Instant | None:
    return None if day is None else instant(day.replace(tzinfo=UTC) + timedelta(days=days))


@click.group("access")
def access() -> None:
    """See who saw or changed protected data, prove that the log of it is whole, and export it."""


@access.command("list")
@click.option("--actor", metavar="NAME", help="Only of that operating-system user.")
@click.option("--customer", metavar="ID", help="Only about that customer: Shopify's number or gid, or our id.")
@click.option("--action", metavar="ACTION", help="Only that, such as reveal.")
@click.option("--since", type=Day(), metavar="DATE", help="From that day on, in UTC.")
@click.option("--until", type=Day(), metavar="DATE", help="Up to the end of that day, in UTC.")
@shop_option
@limit_option
@as_json
def list_access(
    actor: str | None,
    customer: str | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    domain: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the newest lines of the access log, the newest first.

    Owners see the reasons too. A reason was sealed with the key of the customer that it is about, and is gone with it.
    --customer with our id finds what was done about a customer even after it was erased.
    """
    with session.opened() as runtime:
        with runtime.database.read() as db:
            role = people.role_of(db, session.actor())
            whose = None if customer is None else _customer_id(db, domain, customer)
            who = None if actor is None else people.PREFIX + actor.removeprefix(people.PREFIX)
            wanted = Wanted(who, whose, action, _begin(since), _begin(until, days=1))
            lines = access_lines.newest(db, wanted, limit)
            domains = _domains(db)
        documents = _documents(runtime.keys, lines, domains, with_reasons=role.covers(Role.OWNER))

    def tell() -> None:
        if not documents:
            say("No such access is in the log.")
            return
        columns = [name for name in FIELDS if name in documents[0]]
        table([name.upper() for name in columns], ([_shown(one[name]) for name in columns] for one in documents))

    answer(as_json, documents, tell)


def _shown(value: Any) -> Any:
    return (" ".join(value) or None) if isinstance(value, list) else value


def _customer_id(db: Connection, domain: str | None, text: str) -> bytes:
    """Our id of the customer that is meant, which may be gone by now."""
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        shop = session.choose_shop(db, domain)
        found = findings.customer_id_of(db, shop.id, find.shopify_id_meant(db, shop.id, text))
    if found is None:
        raise UnknownCustomer(
            "No customer of this shop has that id; of one that was erased, only our id is known here."
        )
    return found


def _domains(db: Connection) -> dict[int, str]:
    return {shop.id: shop.domain for shop in shops.every(db)}


def _documents(
    keys: KeyStore, lines: Sequence[Line], domains: dict[int, str], *, with_reasons: bool
) -> list[dict[str, Any]]:
    documents = [_document(line, domains) for line in lines]
    if with_reasons:
        for document, reason in zip(documents, access_lines.reasons(keys, lines), strict=True):
            document["reason"] = reason
    return documents


def _document(line: Line, domains: dict[int, str]) -> dict[str, Any]:
    return {
        "position": line.position,
        "at": iso(line.at),
        "actor": line.actor,
        "role": line.role,
        "action": line.action,
        "allowed": line.allowed,
        "shop": None if line.shop_id is None else domains.get(line.shop_id),
        "customer": None if line.customer_id is None else id_text(line.customer_id),
        "subject": line.subject,
        "fields": line.fields.split(),
    }


# ---- Proof


@access.command("verify")
@as_json
def verify(as_json: bool) -> int:
    """Prove that no line of the access log was changed, removed or added; exits with 1 when one was.

    The key of the proof is in the key store, so whoever has the main database alone cannot make it fit again. After a
    backup of the main database was restored, the log goes on behind a line that says so. Two things it cannot tell: an
    access that was never written, and a log that somebody with both databases and the master key wrote anew.
    """
    with session.opened() as runtime:
        proof = prove(runtime.database, runtime.keys)
    document = {
        "ok": proof.wrong_at is None,
        "lines": proof.lines,
        "wrong_at": proof.wrong_at,
        "how": proof.how,
        "restored": [{"position": one.position, "subject": one.subject} for one in proof.restored],
    }
    answer(as_json, document, lambda: _tell_proof(proof))
    return DONE if proof.wrong_at is None else FINDINGS


def _tell_proof(proof: Proof) -> None:
    for one in proof.restored:
        say(f"Line {one.position}: a restore, {one.subject}.")
    if proof.wrong_at is None:
        say(f"The access log is whole: {proof.lines} line{'' if proof.lines == 1 else 's'}.")
    else:
        say(
            f"The access log is NOT whole: position {proof.wrong_at} is {proof.how}; {proof.lines} lines before it fit."
        )


# ---- Export


@access.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@as_json
def export(file: Path, as_json: bool) -> None:
    """Write the whole access log into a new FILE, .csv or .json, with the reasons; that is logged as well.

    Only you can read the file, and a file that is there is never overwritten. In CSV a quote mark goes before what a
    spreadsheet would take for a formula. FILE holds what people typed as reasons: guard it, and delete it in time.
    """
    write = WRITERS.get(file.suffix.lower())
    if write is None:
        raise click.UsageError("FILE must end in .csv or .json")
    with session.opened() as runtime:
        permit(runtime, Role.OWNER, EXPORT_LOG)
        with _new_file(file) as opened:
            count = write(opened, _every(runtime))
    answer(as_json, {"file": str(file), "lines": count}, lambda: say(f"Wrote {count} lines to {file}."))


def _every(runtime: Runtime) -> Iterator[dict[str, Any]]:
    with runtime.database.snapshot() as db:
        domains = _domains(db)
        for lines in access_lines.every(db, Wanted()):
            yield from _documents(runtime.keys, lines, domains, with_reasons=True)


def _new_file(file: Path) -> TextIO:
    try:
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="")
    except FileExistsError:
        raise BadSetting(
            "There is a file of that name already, and nothing was written; choose another name."
        ) from None
    except OSError as error:
        raise BadSetting(f"The file cannot be written ({error.strerror}).") from None


def _write_csv(opened: TextIO, documents: Iterator[dict[str, Any]]) -> int:
    writer = csv.DictWriter(opened, FIELDS)
    writer.writeheader()
    count = 0
    for document in documents:
        writer.writerow({name: _cell(document[name]) for name in FIELDS})
        count += 1
    return count


def _cell(value: Any) -> Any:
    """A value as a cell holds it: text that no spreadsheet takes for a formula."""
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, bool):
        return plain(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _write_json(opened: TextIO, documents: Iterator[dict[str, Any]]) -> int:
    count = 0
    opened.write("[")
    for document in documents:
        opened.write(",\n" if count else "\n")
        opened.write(json.dumps(document, ensure_ascii=False))
        count += 1
    opened.write("\n]\n")
    return count


WRITERS: dict[str, Callable[[TextIO, Iterator[dict[str, Any]]], int]] = {".csv": _write_csv, ".json": _write_json}
