"""Files of customers: sent, looked at before anything is written, imported by a worker, and taken back.

A file that was sent is kept sealed for a day, so that what is said of it can be said anew without sending it again.
"""

from typing import Any

from starlette.responses import Response

from onewriter.customers.people import Role
from onewriter.customers.runs import AlreadyRunning
from onewriter.desk import imports
from onewriter.desk.imported import TOLD
from onewriter.desk.imports import NAME, Wish
from onewriter.errors import BadInput, BadSetting, SystemRefused, UnknownSystem
from onewriter.web import apart
from onewriter.web.limits import FILE_MAX
from onewriter.web.pages.frame import Page, Visit
from onewriter.web.pages.numbered import whole
from onewriter.web.problems import status_of
from onewriter.workflows.uploads import FileGone, NotKept, TooManyFiles

LIMIT = 50
OF_THE_FILE = (BadInput, BadSetting, SystemRefused, UnknownSystem, AlreadyRunning)
"""What is wrong with a file, or with what was said of it, and is told beside the form."""


def listed(visit: Visit) -> Response:
    """What was imported, and the form that a file is sent with."""
    return _listed(visit, 200)


def _listed(visit: Visit, code: int, wrong: str | None = None) -> Response:
    names = imports.file_systems(visit.caller, visit.shop_named)
    found = imports.listed(visit.caller, visit.shop_named, LIMIT)
    typed = {"system": visit.text("system"), "map": visit.text("map"), "key": visit.text("key")}
    kept = imports.waiting(visit.caller, visit.shop_named) if visit.may("staff") else []
    common: dict[str, Any] = {"found": found, "systems": names, "wrong": wrong, "typed": typed, "kept": kept}
    return visit.render("imports/list.html", code, limit=LIMIT, most=FILE_MAX, **common)


def send(visit: Visit) -> Response:
    """Take a file; what it would do is on the page that follows."""
    given = visit.file("file")
    try:
        if given is None:
            raise BadInput("Choose the file with the customers.", "file")
        given.file.seek(0)
        identity = imports.keep(visit.caller, visit.shop_named, given.file.read(), _wish(visit))
    except (BadInput, TooManyFiles, NotKept) as error:
        return _listed(visit, status_of(error), str(error))
    return visit.go(f"/imports/files/{identity}")


def _wish(visit: Visit) -> Wish:
    return Wish(visit.text("system") or NAME, imports.named(visit.lines("map")), visit.text("key") or None)


def look(visit: Visit) -> Response:
    """What importing the file would do."""
    return _looked(visit, 200)


def _looked(visit: Visit, code: int, wrong: str | None = None) -> Response:
    identity = visit.part("file_id")
    held, wish = imports.kept(visit.caller, visit.shop_named, identity)
    checked = None
    try:
        checked = apart.look(visit.caller, visit.shop_named, identity, len(held.body))
    except OF_THE_FILE as error:
        code, wrong = (status_of(error), str(error)) if wrong is None else (code, wrong)
    columns = "\n".join(f"{heading}={field}" for heading, field in (wish.columns or {}).items())
    typed = {"system": wish.system, "map": visit.text("map") or columns, "key": visit.text("key") or wish.key or ""}
    typed |= {"allow": visit.text("allow"), "why": visit.text("why")}
    names = imports.file_systems(visit.caller, visit.shop_named)
    common: dict[str, Any] = {"checked": checked, "wrong": wrong, "typed": typed, "titles": TOLD}
    return visit.render("imports/look.html", code, file_id=identity, systems=names, **common)


def decide(visit: Visit) -> Response:
    """Say anew what the columns mean, import the file, or forget it."""
    identity, what = visit.part("file_id"), visit.text("what")
    try:
        if what == "drop":
            imports.drop(visit.caller, visit.shop_named, identity)
            return visit.go("/imports", "The file is forgotten; nothing of it was imported.")
        if what == "start":
            allow = _percent(visit.text("allow"))
            why = None if allow is None else visit.text("why")
            queued = imports.start_kept(visit.caller, visit.shop_named, identity, allow=allow, why=why)
            return visit.go(f"/runs/{queued['run']}", "Queued; this page follows it.")
        held, _ = imports.kept(visit.caller, visit.shop_named, identity)
        imports.keep(visit.caller, visit.shop_named, held.body, _wish(visit), identity)
    except FileGone:
        raise
    except OF_THE_FILE as error:
        return _looked(visit, status_of(error), str(error))
    return visit.go(f"/imports/files/{identity}")


def _percent(given: str) -> int | None:
    percent = whole(given)
    if given and percent is None:
        raise BadInput("Give the share that may change in percent, from 0 to 100.", "allow")
    return percent


PAGES = [
    Page("/imports", listed),
    Page("/imports/check", send, "POST", Role.STAFF, file=True),
    Page("/imports/files/{file_id}", look, role=Role.STAFF, slow=True),
    Page("/imports/files/{file_id}", decide, "POST", Role.STAFF, slow=True),
]
