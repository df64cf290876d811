"""`onewriter csv export`: the shop's customers as a file that leads back: importing it again changes nothing."""

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.exported import EXPORT, refuse_existing
from onewriter.cli.inputs import as_json, shop_option
from onewriter.cli.output import answer, plain, say
from onewriter.customers import owned, policies
from onewriter.customers.shops import Shop
from onewriter.errors import BadSetting
from onewriter.records import SHOPIFY
from onewriter.rules.csv_cells import Column, cell_of, columns_of, export_headings
from onewriter.rules.policy import Policy
from onewriter.rules.policy_check import is_known
from onewriter.runtime import Runtime

AT_ONCE = 500
NOBODY = ""
"""The system of an export: none, so that each field is written as it is here."""


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--fields", metavar="FIELD,FIELD", help="Only these fields, beside Shopify's id.")
@click.option(
    "--format", "style", type=click.Choice([SHOPIFY, "plain"]), default=SHOPIFY, show_default=True,
    help="Shopify's own headings, or our names of the fields.",
)  # fmt: skip
@shop_option
@click.option("--why", metavar="TEXT", required=True, help="The reason; it is logged with your name.")
@as_json
def export(file: Path, fields: str | None, style: str, domain: str | None, why: str, as_json: bool) -> None:
    """Write the customers of the shop into the new file FILE, in clear and readable for you alone.

    What a spreadsheet would run as a formula begins with an apostrophe, which an import takes away again: importing the
    file as it is changes nothing. What cannot be written so that it leads back is left empty and counted. Who wrote it,
    and why, stands in the access log. Delete it when it has served.
    """
    wanted = [each.strip() for each in (fields or "").split(",") if each.strip()]
    unknown = [each for each in wanted if not is_known(each) or each in ("addresses", "points")]
    if unknown:
        raise click.UsageError(f"{unknown[0]!r} is no field of a column; `onewriter fields show` lists the fields")
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.OWNER)
            shop = session.choose_shop(db, domain)
            policy = policies.of_shop(db, shop.id)
        refuse_existing(file)
        headings = export_headings(style, policy, wanted)
        columns = columns_of(headings, policy, NOBODY, {})
        names = [each.field for each in columns]
        permit(runtime, Role.OWNER, EXPORT, [About(None, "csv: all customers", names)], shop_id=shop.id, why=why)
        written, left = _write(runtime, shop, policy, columns, file)
    document = {"shop": shop.domain, "file": str(file), "customers": written, "left_empty": left, "fields": names}
    told = f"Wrote {written:,} customers into {plain(str(file))}, in clear; delete it when it has served."
    answer(as_json, document, lambda: say(told + (f" {left:,} values could not be written." if left else "")))


def _write(runtime: Runtime, shop: Shop, policy: Policy, columns: Sequence[Column], file: Path) -> tuple[int, int]:
    """How many customers were written, and how many of their values could not be."""
    count = left = 0
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadSetting(f"{file} cannot be written ({error.strerror}); name another new file.") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as text:
            writer = csv.writer(text)
            writer.writerow(each.heading for each in columns)
            for cells in _cells(runtime, shop, policy, columns):
                writer.writerow("" if cell is None else cell for cell in cells)
                count, left = count + 1, left + cells.count(None)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return count, left


def _cells(runtime: Runtime, shop: Shop, policy: Policy, columns: Sequence[Column]) -> Iterator[list[str | None]]:
    """One row a customer. A transaction of its own for each piece: none stays open for as long as all of it takes."""
    after = b""
    while True:
        with runtime.database.read() as db:
            ids = owned.live_ids(db, shop.id, after, AT_ONCE)
            people = owned.load(db, runtime.vault(shop.id), ids, policy.namespaces)
        if not ids:
            return
        after = ids[-1]
        for identity in ids:
            if identity in people:
                yield [cell_of(column, people[identity].fields) for column in columns]
