"""A customer's points: the statement, and what people do with them, each seen before it is done and done once.

What is done twice by one form, because somebody pressed twice or loaded the page again, is done once: the form brings
the key that names it.
"""

import os
from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.desk import points_by_hand, statements
from onewriter.desk.customers import id_only
from onewriter.desk.points_by_hand import Decision, Deed
from onewriter.errors import BadInput, Permanent
from onewriter.records import id_text, sortable_id
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import whole
from onewriter.web.problems import status_of

LINES_MAX = 200
"""Lines of a statement."""
DEEDS = ("redeem", "give", "take", "rule")
FIELDS = ("what", "points", "why", "key", "rule", "reference", "days")


def show(visit: Visit) -> Response:
    """The statement of a customer's points."""
    return _shown(visit, 200)


def _shown(visit: Visit, code: int, **more: Any) -> Response:
    found = statements.shown(visit.caller, visit.shop_named, _id_of(visit), LINES_MAX)
    common: dict[str, Any] = {"wrong": None, "seen": None, "typed": {name: visit.text(name) for name in FIELDS}}
    fresh = id_text(sortable_id(visit.caller.now, os.urandom(10)))
    return visit.render("customers/points.html", code, found=found, fresh=fresh, **common | more)


def act(visit: Visit) -> Response:
    """Do something with the points, once it was seen what would come of it; or decide who earns, and how long."""
    customer, what = _id_of(visit), visit.text("what")
    try:
        if what in DEEDS:
            dry = not visit.text("do_it")
            told = points_by_hand.do(visit.caller, visit.shop_named, customer, _deed(visit, what), dry=dry)
            if dry:
                return _shown(visit, 200, seen=told)
        else:
            told = points_by_hand.decide(visit.caller, visit.shop_named, customer, _decision(visit, what))
    except (BadInput, Permanent) as error:
        return _shown(visit, status_of(error), wrong=str(error))
    return visit.go(f"/customers/{customer}/points", told["told"])


def undo(visit: Visit) -> Response:
    """Give back what was redeemed under a key."""
    try:
        told = points_by_hand.take_back(visit.caller, visit.shop_named, visit.text("key"), visit.text("why"))
    except (BadInput, Permanent) as error:
        return _shown(visit, status_of(error), wrong=str(error))
    return visit.go(f"/customers/{_id_of(visit)}/points", told["told"])


def _deed(visit: Visit, what: str) -> Deed:
    if what == "rule":
        return points_by_hand.giving(visit.caller, visit.text("rule"), visit.text("reference"))
    many, why, key = whole(visit.text("points").replace(",", "")) or 0, visit.text("why"), visit.text("key")
    if what == "redeem":
        return points_by_hand.redeeming(visit.caller, many, key, why or None)
    return points_by_hand.adjusting(visit.caller, many if what == "give" else -many, why, key)


def _decision(visit: Visit, what: str) -> Decision:
    if what == "exclude":
        return points_by_hand.excluding(visit.text("why"))
    if what == "include":
        return points_by_hand.excluding(None)
    if what == "days":
        return points_by_hand.lasting(visit.text("days"))
    raise BadInput("Redeem, give or take points, or decide who earns.", "what")


def _id_of(visit: Visit) -> str:
    return id_only(visit.part("customer_id"))


PAGES = [
    Page("/customers/{customer_id}/points", show),
    Page("/customers/{customer_id}/points", act, "POST", Role.STAFF),
    Page("/customers/{customer_id}/points/undo", undo, "POST", Role.STAFF),
]
