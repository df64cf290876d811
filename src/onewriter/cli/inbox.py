"""`onewriter inbox`: look at deliveries, and decide about parked ones."""

import json

import click

from onewriter.cli import session
from onewriter.cli.inputs import as_json, check_reveal, confirm, limit_option, reveal_options, yes_option
from onewriter.cli.output import answer, details, plain, say, table
from onewriter.desk import inbox


@click.group("inbox")
def group() -> None:
    """Look at deliveries, and decide about parked ones."""


@group.command("list")
@click.option("--state", type=click.Choice(inbox.STATES), help="Only those in it.")
@limit_option
@as_json
def list_deliveries(state: str | None, limit: int, as_json: bool) -> None:
    """List the newest deliveries, without their bodies."""
    with session.opened() as runtime:
        documents = inbox.listed(session.caller(runtime), state, None, limit)["items"]

    def tell() -> None:
        columns = ("position", "shop", "topic", "state", "received_at", "attempts", "outcome")
        names = ("POSITION", "SHOP", "TOPIC", "STATE", "RECEIVED", "ATTEMPTS", "OUTCOME")
        table(names, ([dict(one)[column] for column in columns] for one in documents))

    answer(as_json, documents, tell)


@group.command("show")
@click.argument("position", type=int)
@reveal_options
@as_json
def show(position: int, reveal: bool, why: str | None, as_json: bool) -> None:
    """Show a delivery; its body only with --reveal and --why."""
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        document = inbox.shown(session.caller(runtime), position, reason)

    def tell() -> None:
        details({name: value for name, value in document.items() if name != "body"})
        if "body" in document:
            lines = json.dumps(document["body"], indent=2, ensure_ascii=False).splitlines()
            say("\n" + "\n".join(plain(line) for line in lines))

    answer(as_json, document, tell)


@group.command("retry")
@click.argument("position", type=int)
@as_json
def retry(position: int, as_json: bool) -> None:
    """Try a parked delivery again, and close the question about it.

    Once its body cannot be opened any more, the customer that it names is read from Shopify instead.
    """
    with session.opened() as runtime:
        decided = inbox.retry(session.caller(runtime), position)
    answer(as_json, decided, lambda: say(inbox.retried(decided)))


@group.command("drop")
@click.argument("position", type=int)
@yes_option
@as_json
def drop(position: int, yes: bool, as_json: bool) -> None:
    """Give a parked delivery up, and close the question about it; it stays in the list."""
    with session.opened() as runtime:
        caller = session.caller(runtime)
        found = inbox.droppable(caller, position)
        confirm(f"Give delivery {position} ({plain(found['topic'])}) up?", yes)
        decided = inbox.drop(caller, position)
    answer(as_json, decided, lambda: say(f"Delivery {position} is given up."))
