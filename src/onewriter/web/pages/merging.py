"""Merges: what merging two customers would come to for their points, the receipts, and giving points back."""

from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.desk import merging
from onewriter.errors import BadInput, Permanent, UnknownShop
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.problems import status_of

LIMIT = 50


def listed(visit: Visit) -> Response:
    """The receipts, and the form that names two customers."""
    return _listed(visit, 200)


def _listed(visit: Visit, code: int, **more: Any) -> Response:
    try:
        _, found = merging.listed(visit.caller, visit.shop_named, LIMIT)
    except UnknownShop:
        found = []
    deleted, kept = visit.text("deleted") or visit.asked("deleted") or "", visit.text("kept")
    common: dict[str, Any] = {
        "found": found,
        "planned": None,
        "wrong": None,
        "typed": {"deleted": deleted, "kept": kept},
    }
    return visit.render("merges/list.html", code, **common | more)


def plan(visit: Visit) -> Response:
    """What a merge of the two would come to. They are sent in a form: either may be an address or a number."""
    deleted, kept = visit.text("deleted"), visit.text("kept")
    try:
        if not deleted or not kept:
            raise BadInput("Name two customers: who would be deleted, and who would be kept.", "kept")
        planned = merging.plan(visit.caller, visit.shop_named, deleted, kept)
    except (BadInput, Permanent) as error:
        return _listed(visit, status_of(error), wrong=str(error))
    return _listed(visit, 200, planned=planned)


def show(visit: Visit) -> Response:
    """One receipt in full."""
    return _shown(visit, 200)


def _shown(visit: Visit, code: int, wrong: str | None = None) -> Response:
    one = merging.of_id(visit.caller, visit.shop_named, visit.part("receipt_id"))
    question = None
    if visit.may("staff") and one["undone_at"] is None:
        question = _question(visit)
    common: dict[str, Any] = {"one": one, "question": question, "wrong": wrong, "typed": visit.text("why")}
    return visit.render("merges/show.html", code, **common)


def _question(visit: Visit) -> str | None:
    """What is asked before; None where it cannot be undone any more."""
    try:
        return merging.question(visit.caller, visit.shop_named, visit.part("receipt_id"))
    except Permanent:
        return None


def undo(visit: Visit) -> Response:
    """Give the points back, for a reason."""
    receipt_id = visit.part("receipt_id")
    try:
        merging.undo(visit.caller, visit.shop_named, receipt_id, visit.text("why"))
    except (BadInput, Permanent) as error:
        return _shown(visit, status_of(error), str(error))
    return visit.go(f"/merges/{receipt_id}", "Undone: the points are given back. In Shopify the two stay merged.")


PAGES = [
    Page("/merges", listed),
    Page("/merges", plan, "POST"),
    Page("/merges/{receipt_id}", show),
    Page("/merges/{receipt_id}/undo", undo, "POST", Role.STAFF),
]
