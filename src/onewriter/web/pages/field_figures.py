"""What keeping fields in step comes to: whether it is worth it, how often each changes, and how often it is trouble."""

from starlette.responses import Response

from onewriter.desk import field_figures
from onewriter.desk.field_figures import WEEKS_MAX
from onewriter.errors import BadInput
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import whole

WEEKS, LIMIT = 4, 100
DAYS = 7


def show(visit: Visit) -> Response:
    """The figures of so many weeks, with the advice that follows."""
    asked = visit.asked("weeks") or str(WEEKS)
    wrong = None
    try:
        weeks = _weeks(asked)
    except BadInput as error:
        weeks, wrong = WEEKS, str(error)
    fit = field_figures.fit(visit.caller, visit.shop_named, weeks, None, LIMIT)
    rates = field_figures.rates(visit.caller, visit.shop_named, weeks * DAYS, LIMIT)
    code = 200 if wrong is None else 422
    return visit.render("fields/figures.html", code, fit=fit, rates=rates, asked=asked, wrong=wrong, most=WEEKS_MAX)


def _weeks(asked: str) -> int:
    weeks = whole(asked)
    if weeks is None or not 2 <= weeks <= WEEKS_MAX:
        raise BadInput(f"Count back 2 to {WEEKS_MAX} weeks.", "weeks")
    return weeks


PAGES = [Page("/fields/figures", show)]
