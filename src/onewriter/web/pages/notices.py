"""Notices: what people were told of without looking, whether it arrived, and a test of every channel."""

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.desk import notices
from onewriter.errors import BadSetting
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import number

LIMIT = 50


def listed(visit: Visit) -> Response:
    """The newest notices, and the channels that are set."""
    try:
        ways, wrong = notices.ways(visit.caller), None
    except BadSetting as error:
        ways, wrong = [], str(error)
    found = notices.listed(visit.caller, visit.asked("cursor"), LIMIT)
    return visit.render("settings/notices.html", found=found, ways=ways, wrong=wrong)


def try_out(visit: Visit) -> Response:
    """Send a test over every channel."""
    tried = notices.try_out(visit.caller)
    told = [f"{each['channel']}: {'arrived' if each['arrived'] else each['error']}" for each in tried]
    return visit.go("/settings/notices", "; ".join(told) or "No channel is set, so nothing was sent.")


def retry(visit: Visit) -> Response:
    """Have a notice sent again that was given up."""
    notice = number(visit, "notice_id")
    notices.retry(visit.caller, notice)
    return visit.go("/settings/notices", f"Notice {notice} is sent again within a minute, while a worker runs.")


PAGES = [
    Page("/settings/notices", listed),
    Page("/settings/notices/test", try_out, "POST", Role.STAFF, slow=True),
    Page("/settings/notices/{notice_id}/retry", retry, "POST", Role.STAFF),
]
