"""The inbox: what Shopify delivered, what waits and what is parked for a person, and deciding about that."""

import json

from starlette.responses import Response

from onewriter.customers.inbox import PARKED, UnknownDelivery
from onewriter.customers.people import Role
from onewriter.desk import inbox
from onewriter.errors import BadInput, KeyDestroyed
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import number

LIMIT = 50


def listed(visit: Visit) -> Response:
    """Deliveries, the newest first, and how many of them wait."""
    state = visit.asked("state")
    found = inbox.listed(visit.caller, state, visit.asked("cursor"), LIMIT)
    counted = inbox.counted(visit.caller)
    return visit.render("inbox/list.html", found=found, counted=counted, state=state, states=inbox.STATES)


def show(visit: Visit) -> Response:
    """One delivery, without its body."""
    return _whole(visit, 200)


def reveal(visit: Visit) -> Response:
    """The same with its body, for a reason that is in the access log by then."""
    try:
        return _whole(visit, 200, why=visit.text("why"))
    except BadInput as error:
        return _whole(visit, 422, wrong=str(error))
    except KeyDestroyed as error:
        return _whole(visit, 409, wrong=str(error))


def _whole(visit: Visit, code: int, *, why: str | None = None, wrong: str | None = None) -> Response:
    one = inbox.shown(visit.caller, number(visit, "position"), why)
    body = json.dumps(one["body"], indent=2, ensure_ascii=False) if "body" in one else None
    return visit.render("inbox/show.html", code, one=one, body=body, parked=one["state"] == PARKED, wrong=wrong)


def retry(visit: Visit) -> Response:
    """Try a parked delivery again."""
    decided = inbox.retry(visit.caller, number(visit, "position"))
    return visit.go(f"/inbox/{decided['position']}", inbox.retried(decided))


def before_drop(visit: Visit) -> Response:
    """What giving it up means, before it is done."""
    one = inbox.droppable(visit.caller, number(visit, "position"))
    if one["state"] != PARKED:
        raise UnknownDelivery(f"Delivery {one['position']} is not parked, so there is nothing to decide.")
    of_law = inbox.drop_needs(one["topic"]) is Role.OWNER
    return visit.render("inbox/drop.html", one=one, of_law=of_law)


def drop(visit: Visit) -> Response:
    """Give a parked delivery up."""
    position = number(visit, "position")
    inbox.drop(visit.caller, position)
    return visit.go(f"/inbox/{position}", f"Delivery {position} is given up.")


PAGES = [
    Page("/inbox", listed),
    Page("/inbox/{position}", show),
    Page("/inbox/{position}", reveal, "POST"),
    Page("/inbox/{position}/retry", retry, "POST"),
    Page("/inbox/{position}/drop", before_drop, role=Role.STAFF),
    Page("/inbox/{position}/drop", drop, "POST"),
]
