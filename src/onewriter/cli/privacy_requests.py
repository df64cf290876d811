"""`onewriter privacy requests`: what is asked of us in law, by when it must be done, and what became of it."""

import click

from onewriter.cli import session
from onewriter.cli.access import check_why
from onewriter.cli.inputs import as_json, limit_option
from onewriter.cli.output import answer, plain, say, table
from onewriter.desk import requests


@click.group("requests", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Those that are done, too.")
@limit_option
@as_json
@click.pass_context
def group(context: click.Context, everything: bool, limit: int, as_json: bool) -> None:
    """List what Shopify asks of us in law, the nearest deadline first.

    Each must be done within thirty days of its receipt. Redactions are carried out on arrival; a request for data waits
    for `onewriter privacy export`, and whatever is unclear for an answer to its question.
    """
    if context.invoked_subcommand is not None:
        return
    with session.opened() as runtime:
        documents = requests.listed(session.caller(runtime), None, limit, everything=everything)["items"]

    def tell() -> None:
        if not documents:
            say("No request was ever made." if everything else "No request is open.")
            return
        names = ("ID", "SHOP", "TOPIC", "STATE", "ASKED", "DAYS LEFT", "QUESTION", "OUTCOME")
        columns = ("id", "shop", "topic", "state", "asked_at", "days_left", "question", "outcome")
        table(names, ([one[column] for column in columns] for one in map(dict, documents)))

    answer(as_json, documents, tell)


@group.command("close")
@click.argument("request_id", metavar="REQUEST", type=int)
@click.option("--why", metavar="TEXT", required=True, help="How it was answered elsewhere; logged with your name.")
@as_json
def close(request_id: int, why: str, as_json: bool) -> None:
    """Close a request that was answered elsewhere, and the question that it asks."""
    check_why(why)
    with session.opened() as runtime:
        document = requests.close(session.caller(runtime), request_id, why)
    answer(as_json, document, lambda: say(f"Request {request_id} of {plain(document['shop'])} is closed."))
