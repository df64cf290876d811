"""`onewriter inbox`: look at deliveries, and decide about parked ones."""

import json
from collections.abc import Mapping
from typing import Any

import click
from sqlalchemy import Connection

from onewriter.cli import session
from onewriter.cli.access import About, Role, permit, require
from onewriter.cli.inputs import as_json, check_reveal, confirm, limit_option, reveal_options, yes_option
from onewriter.cli.output import answer, details, plain, say, table
from onewriter.cli.revealing import permit_reveal
from onewriter.customers import inbox, questions, requests, shops
from onewriter.customers.inbox import PARKED_DELIVERY
from onewriter.errors import KeyDestroyed
from onewriter.intake.again import READ_INSTEAD, try_again
from onewriter.intake.door import inbox_binding
from onewriter.records import iso
from onewriter.runtime import Runtime, now
from onewriter.shopify.topics import COMPLIANCE_TOPICS
from onewriter.vault.seal import Cipher

GIVE_UP = "give up"


@click.group("inbox")
def group() -> None:
    """Look at deliveries, and decide about parked ones."""


@group.command("list")
@click.option(
    "--state", type=click.Choice([inbox.WAITING, inbox.DONE, inbox.PARKED, inbox.DROPPED]), help="Only those in it."
)
@limit_option
@as_json
def list_deliveries(state: str | None, limit: int, as_json: bool) -> None:
    """List the newest deliveries, without their bodies."""
    with session.opened() as runtime, runtime.database.read() as db:
        domains = {shop.id: shop.domain for shop in shops.every(db)}
        documents = [_document(row, domains[row["shop_id"]]) for row in inbox.listed(db, state, limit)]

    def tell() -> None:
        columns = ("position", "shop", "topic", "state", "received_at", "attempts", "outcome")
        names = ("POSITION", "SHOP", "TOPIC", "STATE", "RECEIVED", "ATTEMPTS", "OUTCOME")
        table(names, ([one[column] for column in columns] for one in documents))

    answer(as_json, documents, tell)


@group.command("show")
@click.argument("position", type=int)
@reveal_options
@as_json
def show(position: int, reveal: bool, why: str | None, as_json: bool) -> None:
    """Show a delivery; its body only with --reveal and --why."""
    reason = check_reveal(reveal, why)
    with session.opened() as runtime:
        with runtime.database.read() as db:
            row = inbox.get(db, position)
            shop = shops.by_id(db, row["shop_id"])
        document = _document(row, shop.domain)
        if reason is not None:
            key = _key(runtime, row)
            permit_reveal(runtime, shop, [About(subject=f"delivery {position}", fields=["body"])], reason)
            document["body"] = _body(key, row)

    def tell() -> None:
        details({name: value for name, value in document.items() if name != "body"})
        if "body" in document:
            lines = json.dumps(document["body"], indent=2, ensure_ascii=False).splitlines()
            say("\n" + "\n".join(plain(line) for line in lines))

    answer(as_json, document, tell)


def _document(row: Mapping[str, Any], domain: str) -> dict[str, Any]:
    return {
        "position": row["position"],
        "shop": domain,
        "topic": row["topic"],
        "state": row["state"],
        "attempts": row["attempts"],
        "outcome": row["outcome"],
        "triggered_at": iso(row["triggered_at"]),
        "received_at": iso(row["received_at"]),
        "due_at": iso(row["due_at"] or None) if row["state"] == inbox.WAITING else None,
        "ended_at": iso(row["ended_at"]),
        "webhook_id": row["webhook_id"],
        "event_id": row["event_id"],
        "api_version": row["api_version"],
    }


def _key(runtime: Runtime, row: Mapping[str, Any]) -> Cipher:
    """The key of a body, where there is a body to be opened."""
    if row["box"] is None:
        raise KeyDestroyed("The body of that delivery was deleted on purpose and cannot be opened any more.")
    return runtime.keys.day_key(row["shop_id"], row["day"])


def _body(key: Cipher, row: Mapping[str, Any]) -> Any:
    """The body, as JSON where it is JSON, else as text."""
    text = key.open(bytes(row["box"]), inbox_binding(row["shop_id"], row["webhook_id"])).decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


@group.command("retry")
@click.argument("position", type=int)
@as_json
def retry(position: int, as_json: bool) -> None:
    """Try a parked delivery again, and close the question about it.

    Once its body cannot be opened any more, the customer that it names is read from Shopify instead.
    """
    with session.opened() as runtime, runtime.database.write() as db:
        require(db, Role.STAFF)
        shop_id = inbox.get(db, position)["shop_id"]
        state = try_again(db, runtime.vault(shop_id), position, now())
        _close_question(db, shop_id, position)
    text = f"Delivery {position} is tried again." if state == inbox.WAITING else f"Delivery {position}: {READ_INSTEAD}."
    answer(as_json, {"position": position, "state": state}, lambda: say(text))


@group.command("drop")
@click.argument("position", type=int)
@yes_option
@as_json
def drop(position: int, yes: bool, as_json: bool) -> None:
    """Give a parked delivery up, and close the question about it; it stays in the list."""
    with session.opened() as runtime:
        with runtime.database.read() as db:
            require(db, Role.STAFF)
            row = inbox.get(db, position)
        if row["topic"] in COMPLIANCE_TOPICS:
            # To give up what the law asks is not for everybody, and must be seen later.
            about = [About(subject=f"delivery {position}, {plain(row['topic'])}: given up")]
            permit(runtime, Role.OWNER, GIVE_UP, about, shop_id=row["shop_id"])
        confirm(f"Give delivery {position} ({plain(row['topic'])}) up?", yes)
        with runtime.database.write() as db:
            inbox.drop(db, position, now())
            requests.give_up(db, row["shop_id"], position, session.actor(), now())
            _close_question(db, row["shop_id"], position)
    answer(as_json, {"position": position, "state": inbox.DROPPED}, lambda: say(f"Delivery {position} is given up."))


def _close_question(db: Connection, shop_id: int, position: int) -> None:
    questions.withdraw(db, shop_id, PARKED_DELIVERY, [str(position)], now())
