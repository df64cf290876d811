"""The identity rule: by what a person is known, and what other keys would split and join before they are set."""

from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.customers.policies import PolicyMoved
from onewriter.desk import fields, key_rules
from onewriter.desk.key_rules import KINDS, SHARED_MAX, Given, TooManyRecords
from onewriter.errors import BadInput
from onewriter.rules.policy_toml import BadPolicy
from onewriter.web import apart
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import whole
from onewriter.web.problems import status_of


def show(visit: Visit) -> Response:
    """The keys that count now."""
    return _shown(visit, 200)


def _shown(visit: Visit, code: int, **more: Any) -> Response:
    now = key_rules.now(visit.caller, visit.shop_named)
    typed = {**now, "keys": ", ".join(now["keys"])}
    common: dict[str, Any] = {"now": now, "typed": typed, "checked": None, "planned": None, "wrong": None}
    more_words = {"words_of": KINDS, "shared_max": SHARED_MAX}
    return visit.render("fields/keys.html", code, **common | more_words | more)


def change(visit: Visit) -> Response:
    """Show what other keys would split and join; or, once that was seen, set them."""
    typed = {
        "keys": visit.text("keys"), "soft_email": bool(visit.text("soft_email")),
        "shared_by_max": visit.text("shared_by_max"), "why": visit.text("why"),
    }  # fmt: skip
    try:
        given = _given(visit)
        planned = fields.plan(visit.caller, visit.shop_named, fields.knowing(given))
        told = fields.change_document(planned, is_set=False)
        if not visit.text("do_it"):
            found = _checked(visit, given)
            typed |= {"version": str(planned.before.version)}
            return _shown(visit, 200, checked=found, planned=told, typed=typed)
        done = fields.put(visit.caller, planned, visit.text("why"), whole(visit.text("version")))
    except BadInput as error:
        return _shown(visit, 422, wrong=str(error), typed=typed)
    except (BadPolicy, PolicyMoved) as error:
        return _shown(visit, status_of(error), wrong=str(error), typed=typed)
    return visit.go("/fields/keys", f"Set as version {done['version']} of the policy." if done["set"] else None)


def _given(visit: Visit) -> Given:
    most = whole(visit.text("shared_by_max"))
    if most is None:
        raise BadInput(f"A value that links is shared by 1 to {SHARED_MAX:,}.", "shared_by_max")
    return {
        "named": visit.text("keys"),
        "soft_email": bool(visit.text("soft_email")),
        "shared_by_max": most,
    }


def _checked(visit: Visit, given: Given) -> dict[str, Any]:
    """What it would change; of too many records only that, since a browser does not wait so long."""
    try:
        return {"found": apart.other_keys(visit.caller, visit.shop_named, given), "too_many": None}
    except TooManyRecords as error:
        return {"found": None, "too_many": str(error)}


PAGES = [Page("/fields/keys", show), Page("/fields/keys", change, "POST", Role.OWNER, slow=True)]
