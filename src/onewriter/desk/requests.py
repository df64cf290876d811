"""Requests in law: what is asked of us, by when it must be done, and what became of it."""

from collections.abc import Sequence

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import questions, requests, shops
from onewriter.customers.people import Role
from onewriter.customers.requests import KINDS, Request
from onewriter.desk import paging
from onewriter.desk.caller import About, Caller, reason
from onewriter.records import Instant, id_text, iso

CLOSE = "close request"
BY_HAND = "closed by hand: answered elsewhere"


class RequestDocument(TypedDict):
    """What Shopify asked of us in law; `days_left` is below zero once the deadline is past."""

    id: int
    shop: str
    topic: str
    state: str
    outcome: str
    delivery: int | None
    asked_at: str | None
    received_at: str | None
    deadline: str | None
    days_left: int | None
    customer: str | None
    question: int | None
    receipt: str | None
    ended_at: str | None
    ended_by: str | None


class RequestPage(TypedDict):
    """A page of requests, the nearest deadline first."""

    items: list[RequestDocument]
    next: str | None


def document(request: Request, domain: str, question: int | None, moment: Instant) -> RequestDocument:
    """A request as one JSON document."""
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


def listed(caller: Caller, cursor: str | None, limit: int, *, everything: bool = False) -> RequestPage:
    """A page of what is not done, the nearest deadline first; with `everything` what is done follows, newest first."""
    keys = paging.behind(cursor, int, int)
    behind = None if keys is None else (keys[0], keys[1])
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        domains = {shop.id: shop.domain for shop in shops.every(db)}
        look = requests.every if everything else requests.waiting
        kept, following = paging.page(
            look(db, limit + 1, behind), limit, lambda each: (int(each.over) if everything else each.deadline, each.id)
        )
        asked = _asked(db, kept)
    items = [document(each, domains[each.shop_id], asked.get(each.id), caller.now) for each in kept]
    return {"items": items, "next": following}


def _asked(db: Connection, found: Sequence[Request]) -> dict[int, int]:
    """The question that waits about each request, by the request's id."""
    waiting = [
        each
        for shop_id in {one.shop_id for one in found if not one.over}
        for kind in KINDS
        for each in questions.waiting_of(db, shop_id, kind)
    ]
    return {int(each.subject): each.id for each in waiting}


def shown(caller: Caller, request_id: int) -> RequestDocument:
    """One request."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        request = requests.get(db, request_id)
        asked = _asked(db, [request]).get(request_id)
        return document(request, shops.by_id(db, request.shop_id).domain, asked, caller.now)


def close(caller: Caller, request_id: int, why: str) -> RequestDocument:
    """Close a request that was answered elsewhere, and the question that it asks."""
    said = reason(why)
    with caller.runtime.database.read() as db:
        shop_id = requests.get(db, request_id).shop_id
        domain = shops.by_id(db, shop_id).domain
    caller.permit(Role.OWNER, CLOSE, [About(subject=f"request {request_id}")], shop_id=shop_id, why=said)
    with caller.runtime.database.write() as db:
        requests.end(db, request_id, BY_HAND, caller.who, caller.now)
        return document(requests.get(db, request_id), domain, None, caller.now)
