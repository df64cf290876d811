"""Systems: how each stands, its cycles, what is pending for it, and what is parked."""

from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.customers.runs import AlreadyRunning
from onewriter.desk import cycling, parked, systems
from onewriter.desk.parked import Wanted
from onewriter.errors import BadInput
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.problems import status_of

RUNS_MAX = 20
PARKED_MAX = 200


def listed(visit: Visit) -> Response:
    """The systems of the shop."""
    return visit.render("systems/list.html", found=systems.listed(visit.caller, visit.shop_named))


def show(visit: Visit) -> Response:
    """One system whole."""
    return _whole(visit, 200)


def _whole(visit: Visit, code: int, wrong: str | None = None) -> Response:
    name = visit.part("name")
    told = systems.shown(visit.caller, visit.shop_named, name)
    found = cycling.of_system(visit.caller, visit.shop_named, name, RUNS_MAX)
    waits = parked.listed(visit.caller, visit.shop_named, Wanted(system=name), None, PARKED_MAX)["items"]
    common: dict[str, Any] = {"one": told, "runs": found, "parked": waits, "most": PARKED_MAX, "wrong": wrong}
    return visit.render("systems/show.html", code, **common)


def act(visit: Visit) -> Response:
    """Pause it, let it go on, or queue a cycle."""
    name, what = visit.part("name"), visit.text("what")
    here = f"/systems/{name}"
    try:
        if what == "pause":
            systems.pause(visit.caller, visit.shop_named, name, visit.text("why"))
            return visit.go(here, f"{name} is paused: it is neither read nor written until you let it go on.")
        if what == "resume":
            systems.resume(visit.caller, visit.shop_named, name)
            return visit.go(here, f"{name} goes on.")
        full = bool(visit.text("full"))
        run_id = cycling.queue(visit.caller, visit.shop_named, name, dry=what == "dry", full=full)["run"]
    except (BadInput, AlreadyRunning) as error:
        return _whole(visit, status_of(error), str(error))
    return visit.go(f"/runs/{run_id}", "Queued; this page follows it.")


def waits(visit: Visit) -> Response:
    """One parked value, before it is decided what becomes of it."""
    return _parked(visit, 200)


def _parked(visit: Visit, code: int, wrong: str | None = None) -> Response:
    one = parked.shown(visit.caller, visit.shop_named, visit.part("parked_id"))
    return visit.render("systems/parked.html", code, one=one, wrong=wrong, typed=visit.text("why"))


def decide(visit: Visit) -> Response:
    """Release a parked value; or give it up, once it was seen what that means."""
    identity, why, what = visit.part("parked_id"), visit.text("why"), visit.text("what")
    if what not in ("release", "drop"):
        return _parked(visit, 200)
    try:
        if what == "drop":
            parked.drop(visit.caller, visit.shop_named, identity, why)
            told = "It is given up, and goes nowhere."
        else:
            told = f"Released: {parked.release(visit.caller, visit.shop_named, identity, why)['told']}."
    except BadInput as error:
        return _parked(visit, 422, str(error))
    return visit.go(visit.text("back") if visit.text("back").startswith("/systems/") else "/systems", told)


PAGES = [
    Page("/systems", listed),
    Page("/systems/{name}", show),
    Page("/systems/{name}", act, "POST", Role.STAFF),
    Page("/parked/{parked_id}", waits),
    Page("/parked/{parked_id}", decide, "POST", Role.STAFF),
]
