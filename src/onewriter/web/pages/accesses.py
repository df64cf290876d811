"""The access log: who saw or changed whose data, when; its reasons to an owner who says why; and its proof."""

from collections.abc import Callable
from datetime import date

from starlette.responses import Response

from onewriter.customers import find
from onewriter.customers.access_lines import Wanted
from onewriter.desk import accesses
from onewriter.desk.accesses import AccessPage
from onewriter.errors import BadInput, Unknown
from onewriter.records import DAY, Instant
from onewriter.web.pages.frame import Page, Visit

LIMIT = 50
FILTERS = ("actor", "customer", "action", "since", "until")
TEXT_MAX = 100
EPOCH = date(1970, 1, 1)


def listed(visit: Visit) -> Response:
    """The log, a page at a time, without a reason."""
    typed = {name: (visit.asked(name) or "")[:TEXT_MAX] for name in FILTERS}
    return _told(visit, typed, lambda wanted: accesses.listed(visit.caller, wanted, visit.asked("cursor"), LIMIT))


def opened(visit: Visit) -> Response:
    """The same with the reasons that people gave; that somebody read them is in the log by then."""
    typed = {name: visit.text(name)[:TEXT_MAX] for name in FILTERS}
    cursor, why = visit.text("cursor") or None, visit.text("why")
    try:
        return _told(
            visit, typed, lambda wanted: accesses.opened(visit.caller, wanted, cursor, LIMIT, why), opened=True
        )
    except BadInput as error:
        wrong = str(error)
    return _told(visit, typed, lambda wanted: accesses.listed(visit.caller, wanted, cursor, LIMIT), wrong=wrong)


def _told(
    visit: Visit,
    typed: dict[str, str],
    look: Callable[[Wanted], AccessPage],
    *,
    opened: bool = False,
    wrong: str | None = None,
) -> Response:
    found: AccessPage = {"items": [], "next": None}
    try:
        wanted = _wanted(visit, typed)
    except (BadInput, Unknown) as error:
        wrong = str(error)
    else:
        found = look(wanted)
    given = {name: value for name, value in typed.items() if value}
    cursor = visit.asked("cursor") or visit.text("cursor")
    return visit.render(
        "privacy/access.html", 422 if wrong else 200, found=found, typed=typed, given=given, opened=opened, wrong=wrong,
        cursor=cursor,
    )  # fmt: skip


def _wanted(visit: Visit, typed: dict[str, str]) -> Wanted:
    """Which lines are asked for; a customer is named by an id alone, since it stands in the address."""
    customer = typed["customer"]
    if customer and not find.is_id(customer):
        raise BadInput("Name the customer by Shopify's number or our id.", "customer")
    return accesses.wanted(
        visit.caller,
        visit.shop_named if customer else None,
        actor=typed["actor"] or None,
        customer=customer or None,
        action=typed["action"] or None,
        since=_day(typed["since"], 0),
        until=_day(typed["until"], 1),
    )


def _day(given: str, after: int) -> Instant | None:
    """The moment in which that day begins in UTC, or one that begins so many days after."""
    if not given:
        return None
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise BadInput("A day looks like 2026-01-31.", "since") from None
    return ((day - EPOCH).days + after) * DAY


def prove(visit: Visit) -> Response:
    """Walk the whole log, and say whether a line was changed, removed or added."""
    return visit.render("privacy/proof.html", proof=accesses.verified(visit.caller))


PAGES = [
    Page("/privacy/access", listed),
    Page("/privacy/access", opened, "POST"),
    Page("/privacy/access/proof", prove, "POST", slow=True),
]
