"""`onewriter privacy requests`: what is asked of us in law, by when it must be done, and what became of it."""

from collections.abc import Sequence
from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit
from onewriter.cli.inputs import as_json, limit_option
from onewriter.cli.output import answer, plain, say, table
from onewriter.customers import questions, requests, shops
from onewriter.customers.requests import KINDS, Request
from onewriter.records import Instant, id_text, iso
from onewriter.runtime import now

CLOSE = "close request"


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
    moment = now()
    with session.opened() as runtime, runtime.database.read() as db:
        domains = {shop.id: shop.domain for shop in shops.every(db)}
        found = requests.every(db, limit) if everything else requests.waiting(db, limit)
        asked = _asked(db, found)
    documents = [_document(one, domains[one.shop_id], asked.get(one.id), moment) for one in found]

    def tell() -> None:
        if not documents:
            say("No request was ever made." if everything else "No request is open.")
            return
        names = ("ID", "SHOP", "TOPIC", "STATE", "ASKED", "DAYS LEFT", "QUESTION", "OUTCOME")
        columns = ("id", "shop", "topic", "state", "asked_at", "days_left", "question", "outcome")
        table(names, ([one[column] for column in columns] for one in documents))

    answer(as_json, documents, tell)


@group.command("close")
@click.argument("request_id", metavar="REQUEST", type=int)
@click.option("--why", metavar="TEXT", required=True, help="How it was answered elsewhere; logged with your name.")
@as_json
def close(request_id: int, why: str, as_json: bool) -> None:
    """Close a request that was answered elsewhere, and the question that it asks."""
    with session.opened() as runtime:
        with runtime.database.read() as db:
            request = requests.get(db, request_id)
            domain = shops.by_id(db, request.shop_id).domain
        permit(runtime, Role.OWNER, CLOSE, [About(subject=f"request {request_id}")], shop_id=request.shop_id, why=why)
        moment = now()
        with runtime.database.write() as db:
            requests.end(db, request_id, "closed by hand: answered elsewhere", session.actor(), moment)
            request = requests.get(db, request_id)
    document = _document(request, domain, None, moment)
    answer(as_json, document, lambda: say(f"Request {request_id} of {plain(domain)} is closed."))


def _asked(db: Connection, found: Sequence[Request]) -> dict[int, int]:
    """The question that waits about each request, by the request's id."""
    waiting = [
        each
        for shop_id in {one.shop_id for one in found if not one.over}
        for kind in KINDS
        for each in questions.waiting_of(db, shop_id, kind)
    ]
    return {int(each.subject): each.id for each in waiting}


def _document(request: Request, domain: str, question: int | None, moment: Instant) -> dict[str, Any]:
    return {
        "id": request.id,
        "shop": domain,
        "topic": request.topic,
        "state": request.state,
        "outcome": request.outcome,
        "delivery": request.position,
        "asked_at": iso(request.asked_at),
        "received_at": iso(request.received_at),
        "deadline": iso(request.deadline),
        "days_left": None if request.over else request.days_left(moment),
        "customer": None if request.customer_id is None else id_text(request.customer_id),
        "question": question,
        "receipt": None if request.receipt_id is None else id_text(request.receipt_id),
        "ended_at": iso(request.ended_at),
        "ended_by": request.ended_by,
    }
