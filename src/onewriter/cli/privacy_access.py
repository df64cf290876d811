"""`onewriter privacy access`: who saw or changed protected data, proof that the log of it is whole, and an export."""

import csv
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import click

from onewriter.cli import session
from onewriter.cli.frame import DONE, FINDINGS
from onewriter.cli.inputs import as_json, limit_option, shop_option
from onewriter.cli.output import answer, plain, say, table
from onewriter.desk import accesses
from onewriter.desk.accesses import AccessDocument, ProofDocument
from onewriter.errors import BadSetting
from onewriter.records import Instant, instant
from onewriter.runtime import Runtime

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
        caller = session.caller(runtime)
        named = None if customer is None else _shop_of(runtime, domain, customer)
        asked = accesses.wanted(
            caller, named, actor=actor, customer=customer, action=action, since=_begin(since),
            until=_begin(until, days=1),
        )  # fmt: skip
        documents = accesses.listed(caller, asked, None, limit, with_reasons=True)["items"]

    def tell() -> None:
        if not documents:
            say("No such access is in the log.")
            return
        columns = [name for name in FIELDS if name in documents[0]]
        table(
            [name.upper() for name in columns],
            ([_shown(one[name]) for name in columns] for one in map(dict, documents)),
        )

    answer(as_json, documents, tell)


def _shown(value: Any) -> Any:
    return (" ".join(value) or None) if isinstance(value, list) else value


def _shop_of(runtime: Runtime, domain: str | None, customer: str) -> str | None:
    """The shop in which a customer is looked for; our ids are the same in all."""
    if domain is None and accesses.is_own_id(customer):
        return None
    with runtime.database.read() as db:
        return session.choose_shop(db, domain).domain


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
        document = accesses.verified(session.caller(runtime))
    answer(as_json, document, lambda: _tell_proof(document))
    return DONE if document["ok"] else FINDINGS


def _tell_proof(proof: ProofDocument) -> None:
    for one in proof["restored"]:
        say(f"Line {one['position']}: a restore, {one['subject']}.")
    lines = proof["lines"]
    if proof["ok"]:
        say(f"The access log is whole: {lines} line{'' if lines == 1 else 's'}.")
    else:
        say(
            f"The access log is NOT whole: position {proof['wrong_at']} is {proof['how']}; {lines} lines before it fit."
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
        lines = accesses.exported(session.caller(runtime))
        with _new_file(file) as opened:
            count = write(opened, lines)
    answer(as_json, {"file": str(file), "lines": count}, lambda: say(f"Wrote {count} lines to {file}."))


def _new_file(file: Path) -> TextIO:
    try:
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="")
    except FileExistsError:
        raise BadSetting(
            "There is a file of that name already, and nothing was written; choose another name."
        ) from None
    except OSError as error:
        raise BadSetting(f"The file cannot be written ({error.strerror}).") from None


def _write_csv(opened: TextIO, documents: Iterator[AccessDocument]) -> int:
    writer = csv.DictWriter(opened, FIELDS)
    writer.writeheader()
    count = 0
    for document in documents:
        writer.writerow({name: _cell(dict(document)[name]) for name in FIELDS})
        count += 1
    return count


def _cell(value: Any) -> Any:
    """A value as a cell holds it: text that no spreadsheet takes for a formula."""
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, bool):
        return plain(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _write_json(opened: TextIO, documents: Iterator[AccessDocument]) -> int:
    count = 0
    opened.write("[")
    for document in documents:
        opened.write(",\n" if count else "\n")
        opened.write(json.dumps(document, ensure_ascii=False))
        count += 1
    opened.write("\n]\n")
    return count


WRITERS: dict[str, Callable[[TextIO, Iterator[AccessDocument]], int]] = {".csv": _write_csv, ".json": _write_json}
