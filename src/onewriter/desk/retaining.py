"""Retention: which deleted customers are kept and until when, and purging those whose time is over."""

from typing import NotRequired

from typing_extensions import TypedDict

from onewriter.customers import retention
from onewriter.customers.people import Role
from onewriter.customers.retention import Standing
from onewriter.customers.shops import Shop
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import choose_shop
from onewriter.records import iso
from onewriter.workflows import purging

PURGE = "purge"


class Due(TypedDict):
    """How the retention of a shop stands; `upcoming` counts who falls due on each day that is still to come."""

    shop: str
    retention_days: int
    hidden: int
    due: int
    wait_for_shopify: int
    wait_for_a_person: int
    points_of_those: int
    at_once_without_asking: int
    upcoming: NotRequired[dict[str, int]]


class Purged(Due):
    """What looking for what is due came to: the run that was queued, and the questions that must be answered first."""

    run: str | None
    questions: list[int]


def _document(shop: Shop, standing: Standing) -> Due:
    return {
        "shop": shop.domain,
        "retention_days": shop.retention_days,
        "hidden": standing.hidden,
        "due": standing.due,
        "wait_for_shopify": standing.unconfirmed,
        "wait_for_a_person": standing.untold,
        "points_of_those": standing.untold_points,
        "at_once_without_asking": standing.limit,
    }


def due(caller: Caller, named: str | None) -> Due:
    """How many deleted customers are kept, until when, and what holds up those whose time is over."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        standing = retention.look(db, shop, caller.now)
        days = retention.upcoming(db, shop, caller.now)
    return {**_document(shop, standing), "upcoming": {(iso(day) or "")[:10]: many for day, many in days.items()}}


def purge(caller: Caller, named: str | None, why: str | None = None) -> Purged:
    """Purge the deleted customers whose time is over now, and not within the hour, when it happens by itself."""
    with caller.runtime.database.read() as db:
        shop = choose_shop(db, named)
    caller.permit(Role.OWNER, PURGE, shop_id=shop.id, why=why)
    looked = purging.look_for_due(caller.runtime, shop.id, caller.who)
    return {**_document(shop, looked.standing), "run": looked.run_id, "questions": list(looked.asked)}


def told(purged: Purged) -> list[str]:
    """What looking for what is due came to, in sentences."""
    lines = []
    if purged["run"] is not None:
        lines.append(f"Queued the purge of {purged['due']} customers of {purged['shop']}: run {purged['run']}.")
    lines += [
        f"Question {number} must be answered first; `onewriter questions show {number}` tells more."
        for number in purged["questions"]
    ]
    if purged["wait_for_shopify"]:
        lines.append(f"Shopify is asked first about {purged['wait_for_shopify']} customers.")
    return lines or [f"No deleted customer of {purged['shop']} is due."]
