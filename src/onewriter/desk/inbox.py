"""Deliveries: listed without their bodies, opened to who says why, and the parked ones tried again or given up."""

import json
from collections.abc import Mapping
from typing import Any, NotRequired

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import inbox, questions, requests, shops
from onewriter.customers.inbox import PARKED_DELIVERY
from onewriter.customers.people import Role
from onewriter.desk import paging
from onewriter.desk.caller import About, Caller, reason
from onewriter.errors import BadInput, KeyDestroyed
from onewriter.intake.again import READ_INSTEAD, try_again
from onewriter.intake.door import inbox_binding
from onewriter.records import iso
from onewriter.runtime import Runtime
from onewriter.shopify.topics import COMPLIANCE_TOPICS
from onewriter.vault.seal import Cipher

GIVE_UP = "give up"
STATES = (inbox.WAITING, inbox.DONE, inbox.PARKED, inbox.DROPPED)


class DeliveryDocument(TypedDict):
    """A delivery; its body only where it was revealed."""

    position: int
    shop: str
    topic: str
    state: str
    attempts: int
    outcome: str | None
    triggered_at: str | None
    received_at: str | None
    due_at: str | None
    ended_at: str | None
    webhook_id: str
    event_id: str | None
    api_version: str | None
    body: NotRequired[Any]


class DeliveryPage(TypedDict):
    """A page of deliveries, the newest first."""

    items: list[DeliveryDocument]
    next: str | None


class Waiting(TypedDict):
    """How many deliveries wait, how many are parked for a person, and how long the oldest has waited."""

    waiting: int
    parked: int
    oldest_s: float


class Decided(TypedDict):
    """What a parked delivery is by now."""

    position: int
    state: str


def document(row: Mapping[str, Any], domain: str) -> DeliveryDocument:
    """A delivery as one JSON document."""
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


# ---- Looking --------------------------------------------------------------------------------------------------------


def listed(caller: Caller, state: str | None, cursor: str | None, limit: int) -> DeliveryPage:
    """A page of deliveries, the newest first."""
    if state is not None and state not in STATES:
        raise BadInput(f"A delivery is {', '.join(STATES[:-1])} or {STATES[-1]}.", "state")
    keys = paging.behind(cursor, int)
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        domains = {shop.id: shop.domain for shop in shops.every(db)}
        found = inbox.listed(db, state, limit + 1, None if keys is None else keys[0])
    kept, following = paging.page(found, limit, lambda row: (row["position"],))
    return {"items": [document(row, domains[row["shop_id"]]) for row in kept], "next": following}


def counted(caller: Caller) -> Waiting:
    """How many deliveries wait and are parked; cheap however many were applied."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        counts = inbox.open_counts(db)
        oldest_s = inbox.backlog_s(db, caller.now)
    return {"waiting": counts[inbox.WAITING], "parked": counts[inbox.PARKED], "oldest_s": round(oldest_s, 1)}


def shown(caller: Caller, position: int, why: str | None = None) -> DeliveryDocument:
    """One delivery; with a reason its body too, which is in the access log first."""
    runtime = caller.runtime
    with runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        row = inbox.get(db, position)
        shop = shops.by_id(db, row["shop_id"])
    told = document(row, shop.domain)
    if why is not None:
        said = reason(why)
        key = _key(runtime, row)
        caller.permit_reveal(shop, [About(subject=f"delivery {position}", fields=["body"])], said)
        told["body"] = _body(key, row)
    return told


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


# ---- Deciding -------------------------------------------------------------------------------------------------------


def retry(caller: Caller, position: int) -> Decided:
    """Try a parked delivery again, and close the question about it.

    Once its body cannot be opened any more, the customer that it names is read from Shopify instead.
    """
    with caller.runtime.database.write() as db:
        caller.require(db, Role.STAFF)
        shop_id = inbox.get(db, position)["shop_id"]
        state = try_again(db, caller.runtime.vault(shop_id), position, caller.now)
        _close_question(db, shop_id, position, caller)
    return {"position": position, "state": state}


def retried(decided: Decided) -> str:
    """What trying again came to, in a sentence."""
    again = decided["state"] == inbox.WAITING
    return (
        f"Delivery {decided['position']} is tried again."
        if again
        else (f"Delivery {decided['position']}: {READ_INSTEAD}.")
    )


def droppable(caller: Caller, position: int) -> DeliveryDocument:
    """A delivery that somebody is about to give up; who may give up none is told so before they are asked."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
    return shown(caller, position)


def drop_needs(topic: str) -> Role:
    """The role that may give a delivery of that topic up: to give up what the law asks is not for everybody."""
    return Role.OWNER if topic in COMPLIANCE_TOPICS else Role.STAFF


def drop(caller: Caller, position: int) -> Decided:
    """Give a parked delivery up, and close the question about it; it stays in the list."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.STAFF)
        row = inbox.get(db, position)
    shop_id, topic = row["shop_id"], row["topic"]
    if drop_needs(topic) is Role.OWNER:
        # What the law asks must be seen later.
        about = [About(subject=f"delivery {position}, {topic}: given up")]
        caller.permit(Role.OWNER, GIVE_UP, about, shop_id=shop_id)
    with caller.runtime.database.write() as db:
        inbox.drop(db, position, caller.now)
        requests.give_up(db, shop_id, position, caller.who, caller.now)
        _close_question(db, shop_id, position, caller)
    return {"position": position, "state": inbox.DROPPED}


def _close_question(db: Connection, shop_id: int, position: int, caller: Caller) -> None:
    questions.withdraw(db, shop_id, PARKED_DELIVERY, [str(position)], caller.now)
