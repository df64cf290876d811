"""Links: the pairs of a record and a customer that wait for a person, and what a person says of any pair."""

from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.desk import links
from onewriter.errors import BadInput, Permanent
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.problems import status_of

LIMIT = 25
TOLD = {
    "accept": "Linked: the record is that customer's.",
    "refuse": "Refused: the two are never proposed again.",
    "link": "Linked: the record is that customer's.",
    "break": "Taken apart: the record is not that customer's, and is never linked to it again by itself.",
}


def listed(visit: Visit) -> Response:
    """The pairs that wait, a page at a time."""
    return _page(visit, 200)


def _page(visit: Visit, code: int, why: str | None = None, **more: Any) -> Response:
    system = visit.asked("system")
    found = links.waiting(visit.caller, visit.shop_named, visit.asked("cursor"), LIMIT, system=system, why=why)
    names = links.linkable(visit.caller, visit.shop_named)
    common: dict[str, Any] = {
        "found": found,
        "system": system,
        "systems": names,
        "revealed": why,
        "wrong": None,
        "typed": {},
    }
    return visit.render("links/list.html", code, **common | more)


def reveal(visit: Visit) -> Response:
    """The same pairs in clear, for a reason that is in the access log by then."""
    try:
        return _page(visit, 200, visit.text("why"))
    except BadInput as error:
        return _page(visit, 422, wrong=str(error))


def decide(visit: Visit) -> Response:
    """Say of a record and a customer that they are one, or two."""
    typed = {name: visit.text(name) for name in ("what", "system", "record", "customer", "why")}
    try:
        links.decide(visit.caller, visit.shop_named, **typed)
    except (BadInput, Permanent) as error:
        return _page(visit, status_of(error), wrong=str(error), typed=typed)
    return visit.go(_back(visit), TOLD[typed["what"]])


def _back(visit: Visit) -> str:
    """Where it was decided: the list, or the page of a customer."""
    back = visit.text("back")
    return back if back.startswith("/customers/") else "/links"


PAGES = [
    Page("/links", listed),
    Page("/links/reveal", reveal, "POST", Role.STAFF),
    Page("/links", decide, "POST", Role.STAFF),
]
