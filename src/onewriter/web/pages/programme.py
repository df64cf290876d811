"""The programme: the rules that give points, other rules seen before they are set, and points day by day."""

from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.desk import programme
from onewriter.desk.programme import ProgrammeMoved
from onewriter.errors import BadInput, Permanent
from onewriter.loyalty.programme_toml import BadProgramme
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import whole

DAYS = 30
EXAMPLE = """currency = "EUR"

[signup]
points = 50

[order]
points_per_unit = 1
pending_days = 14
"""


def show(visit: Visit) -> Response:
    """The rules in force, and what they came to."""
    return _shown(visit, 200)


def _shown(visit: Visit, code: int, **more: Any) -> Response:
    found = programme.shown(visit.caller, visit.shop_named)
    days = programme.points_by_day(visit.caller, visit.shop_named, DAYS)
    common = {"found": found, "days": days, "wrong": None, "planned": None, "toml": found["toml"] or "", "why": ""}
    common["example"] = EXAMPLE
    return visit.render("programme/show.html", code, **common | more)


def change(visit: Visit) -> Response:
    """Show what other rules would change; or, once that was seen, set them."""
    given = visit.form.get("toml")
    toml = given.replace("\r\n", "\n") if isinstance(given, str) else ""
    typed = {"toml": toml, "why": visit.text("why")}
    try:
        planned = programme.plan(visit.caller, visit.shop_named, toml)
        told = programme.change_document(planned)
        if not visit.text("do_it"):
            return _shown(visit, 200, planned=told, **typed)
        number = programme.put(visit.caller, planned, visit.text("why"), whole(visit.text("known")))
    except BadInput as error:
        return _shown(visit, 422, wrong=str(error), planned=told, **typed)
    except BadProgramme as error:
        return _shown(visit, 422, wrong=str(error), **typed)
    except (ProgrammeMoved, Permanent) as error:
        return _shown(visit, 409, wrong=str(error), **typed)
    return visit.go("/programme", f"Set as version {number}: the rules count from now on, and for nothing before.")


PAGES = [Page("/programme", show), Page("/programme", change, "POST", Role.OWNER)]
