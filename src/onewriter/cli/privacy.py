"""`onewriter privacy`: erase a customer, and see what was erased and when."""

from typing import Any

import click

from onewriter.cli import session
from onewriter.cli.access import check_why
from onewriter.cli.exported import export
from onewriter.cli.inputs import as_json, confirm, limit_option, shop_option, yes_option
from onewriter.cli.output import answer, say, table
from onewriter.cli.privacy_access import access
from onewriter.cli.privacy_requests import group as requests
from onewriter.cli.retaining import due, purge
from onewriter.desk import erasures


@click.group("privacy")
def group() -> None:
    """Do what the law asks: export, erase and purge customers, and see who saw what."""


@group.command("erase")
@click.argument("customer", metavar="ID")
@shop_option
@click.option(
    "--why", metavar="TEXT", required=True, help="The reason; it is logged with your name, and goes with the customer."
)
@yes_option
@as_json
def erase(customer: str, domain: str | None, why: str, yes: bool, as_json: bool) -> None:
    """Erase a customer and all who were merged into it, for good.

    ID is Shopify's number or gid, or our id. Every row and the key that sealed it go, and nothing of that id is ever
    taken up again. Shopify's own customers/redact does this by itself on arrival; this is for one that a person must
    decide. Copies in other systems and in Shopify stay: erase them there. It cannot be undone.
    """
    check_why(why)
    with session.opened() as runtime:
        caller = session.caller(runtime)
        with runtime.database.read() as db:
            named = session.choose_shop(db, domain).domain
        meant = erasures.whom(caller, named, customer)
        confirm(f"Erase {meant.told} of {named}, for good?", yes)
        document = erasures.erase(caller, named, customer, why, seen=meant.customers)
    held = "" if document["erased"] else " Nothing was held of that id, and nothing will be."
    said = f"Erased of {named}: {document['erased']}. Receipt {document['receipt']}.{held}"
    answer(as_json, document, lambda: say(said))


@group.command("receipts")
@limit_option
@as_json
def receipts(limit: int, as_json: bool) -> None:
    """List the receipts of erasures, the newest first.

    A receipt holds hashes of ids, counts and times, and nothing of a person. Its keys are destroyed right after the
    rows; where a process died in between, within five minutes by any worker. Until then what they sealed could still
    be opened from a backup.
    """
    with session.opened() as runtime:
        documents = erasures.receipts(session.caller(runtime), None, limit)["items"]

    def tell() -> None:
        if not documents:
            say("Nothing was erased yet.")
            return
        names = ("ERASED", "SHOP", "CAUSE", "DELIVERY", "IDS", "ROWS", "KEYS DESTROYED")
        columns = ("erased_at", "shop", "cause", "delivery", "ids", "rows", "keys_destroyed_at")
        table(names, ([_shown(one[column]) for column in columns] for one in map(dict, documents)))

    answer(as_json, documents, tell)


def _shown(value: Any) -> Any:
    """Hashes are counted for people, and so are rows of tables."""
    if isinstance(value, list):
        return len(value)
    return sum(value.values()) if isinstance(value, dict) else value


group.add_command(export)
group.add_command(requests)
group.add_command(due)
group.add_command(purge)
group.add_command(access)
