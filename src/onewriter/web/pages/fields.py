"""Fields: who owns each, how every system takes part in it, and a change that is seen before it is set."""

from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.customers.policies import PolicyMoved
from onewriter.desk import fields
from onewriter.desk.fields import Make
from onewriter.errors import BadInput, UnknownSystem
from onewriter.rules.policy import MANUAL, Direction
from onewriter.rules.policy_toml import BadPolicy
from onewriter.rules.transforms import TRANSFORMS
from onewriter.web.pages.flow import draw
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import whole

EMPTY_WORDS = ("clear", "keep")


def show(visit: Visit) -> Response:
    """The ownership matrix."""
    return _shown(visit, 200)


def _shown(visit: Visit, code: int, **more: Any) -> Response:
    found = fields.policy(visit.caller, visit.shop_named)
    names = fields.connected(visit.caller, visit.shop_named)
    common = {
        "found": found, "systems": names, "owners": [*names, MANUAL], "wrong": None, "typed": {}, "planned": None,
        "transforms": list(TRANSFORMS), "directions": [each.value for each in Direction], "flow": draw(found),
    }  # fmt: skip
    return visit.render("fields/show.html", code, **common | more)


def change(visit: Visit) -> Response:
    """Show what another owner or mapping would come to; or, once that was seen, set it."""
    typed = {name: visit.text(name) for name in visit.form}
    try:
        planned = fields.plan(visit.caller, visit.shop_named, _make(visit))
        told = fields.change_document(planned, is_set=False)
        if not visit.text("do_it"):
            return _shown(visit, 200, planned=told, typed=typed | {"version": str(planned.before.version)})
        done = fields.put(visit.caller, planned, visit.text("why"), whole(visit.text("version")))
    except BadInput as error:
        again = fields.change_document(planned, is_set=False) if error.about == "why" else None
        return _shown(visit, 422, wrong=str(error), typed=typed, planned=again)
    except (BadPolicy, PolicyMoved, UnknownSystem) as error:
        return _shown(visit, 409, wrong=str(error), typed=typed)
    told_so = f"Set as version {done['version']} of the policy." if done["set"] else "That is so already."
    return visit.go("/fields", told_so)


def _make(visit: Visit) -> Make:
    field = visit.text("field")
    if visit.text("what") == "own":
        return fields.owning(field, visit.text("owner"))
    length = visit.text("max_length")
    letters = whole(length)
    if length and not (letters and letters <= 1_000_000):
        raise BadInput("Give the letters that it holds as a whole number.", "max_length")
    given = {
        "remote": visit.text("remote") or None,
        "direction": visit.text("direction") or None,
        "transform": visit.text("transform") or None,
        "options": visit.lines("options"),
        "words": visit.lines("words"),
        "max_length": letters,
        "empty": visit.text("empty") or None,
    }
    return fields.mapping(visit.text("system"), field, given, remove=visit.text("what") == "unmap")


PAGES = [Page("/fields", show), Page("/fields", change, "POST", Role.OWNER)]
