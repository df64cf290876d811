"""The first page: whether all is well, and what to look at first."""

from starlette.responses import Response

from onewriter.desk import overview
from onewriter.errors import UnknownShop
from onewriter.web.pages.frame import Page, Visit


def show(visit: Visit) -> Response:
    """The overview of the shop that is looked at; what to do first where there is none."""
    try:
        found = overview.overview(visit.caller, visit.shop_named)
    except UnknownShop:
        return visit.render("overview.html", found=None)
    return visit.render("overview.html", found=found)


PAGES = [Page("/", show)]
