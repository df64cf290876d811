"""How pages are written out: the templates, and what every one of them may use."""

from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from onewriter import __version__
from onewriter.web import statics
from onewriter.web.pages import wording

NAVIGATION = (
    ("/", "Overview"),
    ("/customers", "Customers"),
    ("/fields", "Fields"),
    ("/cases", "Cases"),
    ("/systems", "Systems"),
    ("/runs", "Runs"),
    ("/imports", "Imports"),
    ("/programme", "Programme"),
    ("/privacy", "Privacy"),
    ("/inbox", "Inbox"),
    ("/questions", "Questions"),
    ("/settings", "Settings"),
)
"""Where people go, in the order of the story."""

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # With no referrer at all browsers would not say either from where a form is sent.
    "referrer-policy": "same-origin",
}
"""What differs on a page from any other answer."""


def page(template: str, code: int = 200, /, **values: Any) -> HTMLResponse:
    """A page made from a template."""
    return HTMLResponse(environment().get_template(template).render(**values), code, headers=HEADERS)


@lru_cache(1)
def environment() -> Environment:
    """The templates, read once; what a template names must be there."""
    made = Environment(
        loader=PackageLoader("onewriter.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False, extensions=["jinja2.ext.do"],
    )  # fmt: skip
    made.globals |= {"asset": statics.url_of, "navigation": NAVIGATION, "version": __version__}
    made.filters |= wording.FILTERS
    return made
