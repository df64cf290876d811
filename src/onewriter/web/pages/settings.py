"""Settings: the shop and its health, people, API tokens, master keys, and every setting with its value."""

from collections.abc import Callable

from starlette.responses import Response

from onewriter.customers import sessions
from onewriter.customers.people import Role, UnknownPerson
from onewriter.desk import choosing, entering, health, people, settings, shops
from onewriter.errors import BadInput, Forbidden, UnknownShop
from onewriter.web.pages.frame import COOKIE, Page, Visit
from onewriter.web.pages.numbered import whole

ROLES = tuple(each.value for each in Role)
DAYS = "365"
"""For how long a token lets somebody in, unless another number is given."""


def show(visit: Visit) -> Response:
    """The shop that is looked at, and whether all is well with it."""
    try:
        shop = shops.shown(visit.caller, visit.shop_named)
    except UnknownShop:
        return visit.render("settings/show.html", one=None)
    return visit.render("settings/show.html", one=shop, health=health.health(visit.caller, shop["domain"]))


def choose(visit: Visit) -> Response:
    """Look at another shop from now on."""
    with visit.runtime.database.read() as db:
        shop = choosing.choose_shop(db, visit.text("shop"))
    with visit.runtime.database.write() as db:
        sessions.choose_shop(db, visit.request.cookies[COOKIE], shop.id)
    return visit.go("/", f"You look at {shop.domain} now.")


def values(visit: Visit) -> Response:
    """Every setting that is in force; secrets are never shown."""
    return visit.render("settings/values.html", found=settings.listed(visit.caller))


def keys(visit: Visit) -> Response:
    """The master keys by their fingerprints."""
    return visit.render("settings/keys.html", found=settings.master_keys(visit.caller))


# ---- People ---------------------------------------------------------------------------------------------------------


def everybody(visit: Visit) -> Response:
    """Who has which role."""
    return _people(visit, 200)


def _people(visit: Visit, code: int, **more: object) -> Response:
    common = {"found": people.listed(visit.caller), "roles": ROLES, "invited": None, "wrong": None, "name": ""}
    return visit.render("settings/people.html", code, **common | more)


def invite(visit: Visit) -> Response:
    """Make the link by which somebody comes in; it is on this one page alone."""
    name = visit.text("name")
    try:
        invited = entering.invite(visit.caller, name, _role(visit), str(visit.request.base_url))
    except BadInput as error:
        return _people(visit, 422, wrong=str(error), name=name)
    return _people(visit, 200, invited=invited)


def set_role(visit: Visit) -> Response:
    """Give somebody another role."""
    name = visit.text("name")
    return _changed(visit, lambda: f"{people.set_role(visit.caller, name, _role(visit))['name']} has another role now.")


def before_removal(visit: Visit) -> Response:
    """What taking a role away means, before it is done."""
    name = people.full_name(visit.asked("name") or "")
    found = [each for each in people.listed(visit.caller) if each["name"] == name]
    if not found:
        raise UnknownPerson("Nobody of that name has a role; the list of people shows who has one.")
    return visit.render("settings/remove.html", one=found[0])


def remove(visit: Visit) -> Response:
    """Take somebody's role away."""
    name = visit.text("name")
    return _changed(visit, lambda: f"{people.remove(visit.caller, name)['name']} has no role any more.")


def log_out(visit: Visit) -> Response:
    """End every session of somebody."""
    name = visit.text("name")
    return _changed(visit, lambda: f"{entering.log_out(visit.caller, name)['name']} is logged out everywhere.")


def _changed(visit: Visit, change: Callable[[], str]) -> Response:
    """Do it, and go back to the list with a sentence; where it cannot be done, the list says why."""
    try:
        told = change()
    except BadInput as error:
        return _people(visit, 422, wrong=str(error))
    except Forbidden as error:
        if not visit.may(Role.OWNER):
            raise
        # That there must be an owner is said beside the list.
        return _people(visit, 403, wrong=str(error))
    return visit.go("/settings/people", told)


def _role(visit: Visit) -> Role:
    given = visit.text("role")
    if given not in ROLES:
        raise BadInput("A role is owner, staff or viewer.", "role")
    return Role(given)


# ---- API tokens -----------------------------------------------------------------------------------------------------


def tokens(visit: Visit) -> Response:
    """The tokens of programs, without their secrets."""
    return _tokens(visit, 200)


def _tokens(visit: Visit, code: int, **more: object) -> Response:
    found = entering.listed_tokens(visit.caller)
    common = {"found": found, "roles": ROLES, "made": None, "wrong": None, "name": "", "days": DAYS}
    return visit.render("settings/tokens.html", code, **common | more)


def make_token(visit: Visit) -> Response:
    """Make a token; its secret is on this one page alone."""
    name, days = visit.text("name"), visit.text("days")
    try:
        made = entering.make_token(visit.caller, name, _role(visit), _days(days))
    except BadInput as error:
        return _tokens(visit, 422, wrong=str(error), name=name, days=days)
    return _tokens(visit, 200, made=made)


def _days(given: str) -> int:
    days = whole(given)
    if days is None:
        raise BadInput("Give the days as a number.", "days")
    return days


def revoke(visit: Visit) -> Response:
    """Let nobody in by a token any more."""
    revoked = entering.revoke_token(visit.caller, visit.text("name"))
    return visit.go("/settings/tokens", f"Token {revoked['name']} lets nobody in any more.")


PAGES = [
    Page("/settings", show),
    Page("/settings/shop", choose, "POST"),
    Page("/settings/values", values, role=Role.STAFF),
    Page("/settings/keys", keys, role=Role.STAFF),
    Page("/settings/people", everybody),
    Page("/settings/people/invite", invite, "POST"),
    Page("/settings/people/role", set_role, "POST"),
    Page("/settings/people/remove", before_removal, role=Role.OWNER),
    Page("/settings/people/remove", remove, "POST"),
    Page("/settings/people/log-out", log_out, "POST"),
    Page("/settings/tokens", tokens, role=Role.OWNER),
    Page("/settings/tokens", make_token, "POST"),
    Page("/settings/tokens/revoke", revoke, "POST"),
]
