"""Customers: searched and listed, and each with its profile, its points and who wrote what when."""

from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.desk import customers, links
from onewriter.desk.customers import WholeCustomer
from onewriter.errors import BadInput
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.order import draw

LIMIT = 50
LISTS = {"": False, "gone": True}
"""What the list is of: all, the newest first; or those who are gone from the shop, the latest first."""


def listed(visit: Visit) -> Response:
    """The list, a page at a time."""
    which = visit.asked("of") or ""
    if which not in LISTS:
        raise BadInput("That list is not there; choose all customers, or those who are gone.", "of")
    found = customers.listed(visit.caller, visit.shop_named, visit.asked("cursor"), LIMIT, gone=LISTS[which])
    return visit.render(
        "customers/list.html", found=found, which=which, text="", caveats=[], searched=False, wrong=None
    )


def search(visit: Visit) -> Response:
    """Whom a text can mean. It is sent in a form and never in an address: it may be somebody's name."""
    text = visit.text("text")
    common = {"which": "", "text": text, "searched": True}
    if not text:
        return visit.go("/customers")
    try:
        found = customers.searched(visit.caller, visit.shop_named, text, LIMIT)
    except BadInput as error:
        nobody: dict[str, Any] = {"items": [], "next": None}
        return visit.render("customers/list.html", 422, found=nobody, caveats=[], wrong=str(error), **common)
    told = {"items": found["items"], "next": None}
    return visit.render("customers/list.html", found=told, caveats=found["caveats"], wrong=None, **common)


def show(visit: Visit) -> Response:
    """One customer, masked."""
    return _whole(visit, customers.shown(visit.caller, visit.shop_named, _id_of(visit)), None)


def reveal(visit: Visit) -> Response:
    """The same with its values, for a reason that is in the access log by then. It is never kept by the browser."""
    why = visit.text("why")
    try:
        found = customers.shown(visit.caller, visit.shop_named, _id_of(visit), why)
    except BadInput as error:
        return _whole(visit, customers.shown(visit.caller, visit.shop_named, _id_of(visit)), None, wrong=str(error))
    return _whole(visit, found, why)


def _whole(visit: Visit, found: WholeCustomer, why: str | None, wrong: str | None = None) -> Response:
    history = customers.history(visit.caller, customers.own_id(found), visit.asked("field"), why)
    code = 200 if wrong is None else 422
    chosen = visit.asked("field")
    linked = links.of_customer(visit.caller, visit.shop_named, found["id"])
    more = {"chosen": chosen, "revealed": why, "wrong": wrong, "links": linked, "order": draw(history["history"])}
    return visit.render("customers/show.html", code, one=found, **more, **history)


def _id_of(visit: Visit) -> str:
    return customers.id_only(visit.part("customer_id"))


PAGES = [
    Page("/customers", listed),
    Page("/customers", search, "POST"),
    Page("/customers/{customer_id}", show),
    Page("/customers/{customer_id}", reveal, "POST", Role.STAFF),
]
