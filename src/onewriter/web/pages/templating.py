"""How pages are written out: the templates, what every one of them may use, and how values look on them."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from onewriter import __version__
from onewriter.desk.spans import span
from onewriter.web import statics

NAVIGATION = (
    ("/", "Overview"),
    ("/customers", "Customers"),
    ("/fields", "Fields"),
    ("/cases", "Cases"),
    ("/systems", "Systems"),
    ("/imports", "Imports"),
    ("/programme", "Programme"),
    ("/privacy", "Privacy"),
    ("/inbox", "Inbox"),
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

DASH = "–"


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
    made.filters |= {"when": when, "number": number, "counted": counted, "shown": shown, "words": words, "span": span}
    return made


def when(moment: str | None) -> Markup | str:
    """A time as people read it, in UTC; the browser tells it in the time of the person besides."""
    if moment is None:
        return DASH
    read = datetime.fromisoformat(moment)
    # A time that was read and is written anew has nothing in it to be escaped, and pages are full of them.
    return Markup(f'<time datetime="{read.isoformat()}">{read.day} {read:%b %Y, %H:%M:%S}</time>')  # noqa: S704


def number(value: int | float | None) -> str:
    """A number with its thousands apart."""
    return DASH if value is None else f"{value:,}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """So many of something: "1 row", "2 rows"; `many` is its plural, where an s alone does not make it."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def shown(value: Any) -> str:
    """A value of a field as one text."""
    if value is None or value == "":
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {shown(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value)) or DASH
    return str(value)


def words(name: str) -> str:
    """A name of ours as words: fix_applied is "fix applied"."""
    return name.replace("_", " ")
