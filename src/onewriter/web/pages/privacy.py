"""Privacy: what the law asks by when, who is purged when, the receipts, and for how long a deleted customer is kept."""

from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.customers.runs import AlreadyRunning
from onewriter.desk import erasures, requests, retaining, shops
from onewriter.desk.caller import reason
from onewriter.errors import BadInput, UnknownShop
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import number, whole
from onewriter.workflows.purging import ClockDoubted

LIMIT = 50
FIRST = 10
"""Requests and receipts that the first page shows."""
DAYS_SHOWN = 60
"""Days of the purge calendar that are shown."""


def show(visit: Visit) -> Response:
    """What waits, what comes, and what was done."""
    return _overview(visit, 200)


def _overview(visit: Visit, code: int, *, wrong: str | None = None, days: str | None = None) -> Response:
    try:
        due = retaining.due(visit.caller, visit.shop_named)
    except UnknownShop:
        return visit.render("privacy/show.html", code, due=None)
    upcoming = list(due["upcoming"].items())
    calendar = {"days": upcoming[:DAYS_SHOWN], "later": sum(many for _day, many in upcoming[DAYS_SHOWN:])}
    waiting = requests.listed(visit.caller, None, FIRST)
    receipts = erasures.receipts(visit.caller, None, FIRST)
    kept = str(due["retention_days"]) if days is None else days
    return visit.render(
        "privacy/show.html",
        code,
        due=due,
        calendar=calendar,
        waiting=waiting,
        receipts=receipts,
        wrong=wrong,
        days=kept,
    )


# ---- Requests -------------------------------------------------------------------------------------------------------


def listed(visit: Visit) -> Response:
    """The requests, the nearest deadline first; or all of them."""
    which = visit.asked("of") or ""
    if which not in ("", "all"):
        raise BadInput("That list is not there; choose those that are open, or all.", "of")
    found = requests.listed(visit.caller, visit.asked("cursor"), LIMIT, everything=which == "all")
    return visit.render("privacy/requests.html", found=found, which=which)


def request(visit: Visit) -> Response:
    """One request, and what can be done about it."""
    return _request(visit, 200)


def _request(visit: Visit, code: int, *, wrong: str | None = None, why: str = "") -> Response:
    one = requests.shown(visit.caller, number(visit, "request_id"))
    return visit.render("privacy/request.html", code, one=one, wrong=wrong, why=why)


def close(visit: Visit) -> Response:
    """Close a request that was answered elsewhere."""
    request_id, why = number(visit, "request_id"), visit.text("why")
    try:
        requests.close(visit.caller, request_id, why)
    except BadInput as error:
        return _request(visit, 422, wrong=str(error), why=why)
    return visit.go(f"/privacy/requests/{request_id}", f"Request {request_id} is closed.")


# ---- Receipts -------------------------------------------------------------------------------------------------------


def receipts(visit: Visit) -> Response:
    """The receipts of erasures, the newest first."""
    found = erasures.receipts(visit.caller, visit.asked("cursor"), LIMIT)
    return visit.render("privacy/receipts.html", found=found)


# ---- Retention ------------------------------------------------------------------------------------------------------


def before_purge(visit: Visit) -> Response:
    """Whom a purge would take now."""
    return _before_purge(visit, 200)


def _before_purge(visit: Visit, code: int, *, wrong: str | None = None, why: str = "") -> Response:
    due = retaining.due(visit.caller, visit.shop_named)
    return visit.render("privacy/purge.html", code, due=due, wrong=wrong, why=why)


def purge(visit: Visit) -> Response:
    """Purge now whoever is due."""
    why = visit.text("why")
    try:
        purged = retaining.purge(visit.caller, visit.shop_named, reason(why))
    except BadInput as error:
        return _before_purge(visit, 422, wrong=str(error), why=why)
    except (AlreadyRunning, ClockDoubted) as error:
        return _before_purge(visit, 409, wrong=str(error), why=why)
    where = "/privacy" if purged["run"] is None else f"/runs/{purged['run']}"
    return visit.go(where, " ".join(retaining.told(purged)))


def retention(visit: Visit) -> Response:
    """Show what another number of days comes to; or, once that was seen, set it."""
    given, why = visit.text("days"), visit.text("why")
    common: dict[str, Any] = {"why": why, "wrong": None}
    try:
        days = whole(given) or 0
        effect = shops.retention_effect(visit.caller, visit.shop_named, days)
    except BadInput as error:
        return _overview(visit, 422, wrong=str(error), days=given)
    if not visit.text("do_it"):
        return visit.render("privacy/retention.html", effect=effect, **common)
    try:
        shops.set_retention(visit.caller, visit.shop_named, days, reason(why))
    except BadInput as error:
        return visit.render("privacy/retention.html", 422, effect=effect, **common | {"wrong": str(error)})
    return visit.go("/privacy", f"Deleted customers are kept for {days} days now.")


PAGES = [
    Page("/privacy", show),
    Page("/privacy/requests", listed),
    Page("/privacy/requests/{request_id}", request),
    Page("/privacy/requests/{request_id}/close", close, "POST"),
    Page("/privacy/receipts", receipts),
    Page("/privacy/purge", before_purge, role=Role.OWNER),
    Page("/privacy/purge", purge, "POST"),
    Page("/privacy/retention", retention, "POST"),
]
