"""What every page has in common: who is there, what was sent, and what is answered when something is in the way.

Nobody who is not logged in sees a page. What somebody had typed when their session ended is carried through the login
in the browser itself, and is not lost. A form is taken only with the token of its session, from a page of ours.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import structlog
from anyio import to_thread
from python_multipart.multipart import parse_options_header
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from onewriter.customers import sessions, shops
from onewriter.customers.people import Role
from onewriter.customers.sessions import Session
from onewriter.customers.shops import ERASED, Shop
from onewriter.desk.caller import Caller
from onewriter.desk.choosing import SeveralShops, choose_shop
from onewriter.errors import DatabaseBusy, Forbidden, OnewriterError
from onewriter.runtime import Runtime
from onewriter.web import said, sending
from onewriter.web.limits import FILE_MAX
from onewriter.web.live import Streams
from onewriter.web.pages import templating
from onewriter.web.problems import TooLarge, status_of
from onewriter.web.threads import SLOWLY

COOKIE = "onewriter"
CSRF = "csrf"
FIELDS_MAX = 500
"""Fields of a form; a form of every field of a shop has some hundreds."""
MULTIPART = "multipart/form-data"
LOG_OUT = "/logout"
TOO_EARLY = "Your session has ended. Log in again, and send the file once more: it was not taken."
IS_KEPT = "Your session has ended. Log in again, and go on where you were: what you typed is kept."
IS_OUT = "You were logged out already."
FOREIGN = "This form was not sent from a page of yours that is open; load the page again, and send it."
NOT_KEPT = (CSRF, "password")
"""What is never carried through a login."""

log = structlog.get_logger(__name__)


class Page(NamedTuple):
    """One route of a page."""

    path: str
    answer: "Callable[[Visit], Response]"
    method: str = "GET"
    role: Role = Role.VIEWER
    """Whoever has less is told so; acts ask again for themselves."""
    file: bool = False
    """Whether a file is sent there: it is held in memory alone, of one person at a time, who is known before."""
    slow: bool = False
    """Whether it may take a minute: one of these is answered at a time, beside all others."""


@dataclass(frozen=True)
class Visit:
    """One look at a page, or one form that was sent, by somebody who is logged in."""

    request: Request
    runtime: Runtime
    session: Session
    form: FormData
    streams: Streams

    @property
    def caller(self) -> Caller:
        """Whoever it is, to ask the desk with."""
        return Caller(self.runtime, self.session.name)

    @cached_property
    def role(self) -> Role:
        """The role that they have now."""
        with self.runtime.database.read() as db:
            return self.caller.role(db)

    def may(self, role: str) -> bool:
        """Whether they may do what needs that role; for templates."""
        return self.role.covers(Role(role))

    def shop(self, db: Connection) -> Shop:
        """The shop that they look at: the one that they chose, or the only one; raises UnknownShop."""
        if self.session.shop_id is not None:
            chosen = shops.by_id(db, self.session.shop_id)
            if chosen.state != ERASED:
                return chosen
        try:
            return choose_shop(db, None)
        except SeveralShops:
            return next(each for each in shops.every(db) if each.state != ERASED)

    @cached_property
    def shop_named(self) -> str | None:
        """The domain of that shop; None where none is connected."""
        with self.runtime.database.read() as db:
            known = any(each.state != ERASED for each in shops.every(db))
            return self.shop(db).domain if known else None

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def asked(self, name: str) -> str | None:
        """A parameter of the address; None where it is missing or empty."""
        return self.request.query_params.get(name) or None

    def text(self, name: str) -> str:
        """A field of the form as it was typed, without space around it; empty where it is missing."""
        given = self.form.get(name)
        return given.strip() if isinstance(given, str) else ""

    def texts(self, name: str) -> list[str]:
        """Every value of a field that may be given several times."""
        return [each for each in self.form.getlist(name) if isinstance(each, str)]

    def lines(self, name: str) -> list[str]:
        """The lines of a field that has one thing a line; empty ones are none."""
        return [each.strip() for each in self.text(name).splitlines() if each.strip()]

    def file(self, name: str) -> UploadFile | None:
        """A file that was sent; None where none was chosen."""
        given = self.form.get(name)
        return given if isinstance(given, UploadFile) and given.filename else None

    def render(self, template: str, code: int = 200, /, **values: Any) -> Response:
        """A page."""
        with self.runtime.database.read() as db:
            known = [each.domain for each in shops.every(db) if each.state != ERASED]
            here = self.shop(db).domain if known else None
        common = {"visit": self, "here": self.request.url.path, "shop": here, "shops": known}
        answer = templating.page(template, code, said=said.hear(self.request, self.session.csrf), **common, **values)
        said.forget(answer, self.request)
        return answer

    def go(self, path: str, told: str | None = None) -> Response:
        """Send the browser on after a form was taken, with a sentence for the page that it opens."""
        answer = RedirectResponse(path, 303)
        if told is not None:
            said.say(answer, told, self.session.csrf)
        return answer


Typed = Mapping[str, Sequence[str]]


def routes(pages: Sequence[Page], runtime: Runtime, streams: Streams) -> list[Route]:
    """The routes of these pages, for people who are logged in."""
    return [Route(each.path, _guarded(each, runtime, streams), methods=[each.method]) for each in pages]


def _guarded(page: Page, runtime: Runtime, streams: Streams) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if not page.file:
            return await answered(request)
        # Nobody is asked for megabytes before we know who they are, and that they may send them.
        refused = await run_in_threadpool(_refused, page, runtime, streams, request)
        if refused is not None:
            return refused
        return await sending.alone(request, lambda: answered(request), _busy)

    async def answered(request: Request) -> Response:
        form = await read_form(request, files=1 if page.file else 0)
        if form is None:
            return unreadable()
        try:
            if page.slow:
                return await to_thread.run_sync(_answer, page, runtime, streams, request, form, limiter=SLOWLY)
            return await run_in_threadpool(_answer, page, runtime, streams, request, form)
        finally:
            await form.close()

    return endpoint


class InMemory(MultiPartParser):
    """A form with a file, of which nothing is ever written to a disk: it may be somebody's customers."""

    spool_max_size = FILE_MAX + 1


async def read_form(request: Request, *, files: int = 0) -> FormData | None:
    """The form that was sent; None for what is none."""
    limits = {"max_files": files, "max_fields": FIELDS_MAX, "max_part_size": FILE_MAX}
    try:
        kind, more = parse_options_header(request.headers.get("content-type"))
        if more.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"us-ascii"):
            return None
        if kind == MULTIPART.encode():
            return await InMemory(request.headers, request.stream(), **limits).parse()
        return await request.form(**limits)
    except TooLarge:
        raise
    except (MultiPartException, HTTPException, ClientDisconnect, UnicodeError):
        return None


def _refused(page: Page, runtime: Runtime, streams: Streams, request: Request) -> Response | None:
    """What is answered before anything is read to somebody who may not send a file there; None where they may."""
    session = session_of(request, runtime)
    if session is None:
        return _log_in_page(TOO_EARLY, request.url.path.rpartition("/")[0])
    visit = Visit(request, runtime, session, FormData(), streams)
    try:
        with runtime.database.read() as db:
            visit.caller.require(db, page.role)
    except Forbidden as error:
        return visit.render("wrong.html", 403, status=403, told=str(error))
    return None


def _busy() -> Response:
    return wait(sending.BUSY)


def wait(told: str) -> Response:
    """What is answered to somebody who must try again; it asks the database nothing."""
    answer = templating.page("outside.html", 503, title="In a moment", told=f"{told} Go back, and try again.")
    answer.headers["Retry-After"] = str(sending.RETRY_AFTER_S)
    return answer


def unreadable() -> Response:
    """What is answered to a form that is none."""
    told = "What was sent is no form that a page of ours sends; load the page again, and send it."
    return templating.page("outside.html", 400, title="Not understood", told=told)


def _answer(page: Page, runtime: Runtime, streams: Streams, request: Request, form: FormData) -> Response:
    try:
        session = session_of(request, runtime)
        if session is None:
            return _ask_to_log_in(request, form, runtime)
        return _seen(page, Visit(request, runtime, session, form, streams))
    except DatabaseBusy as error:
        log.warning("page not answered", page=page.path, error=type(error).__name__)
        return wait(str(error))


def _seen(page: Page, visit: Visit) -> Response:
    try:
        if visit.request.method == "POST":
            refuse_foreign(visit.request, visit.runtime, visit.form, visit.session)
        with visit.runtime.database.read() as db:
            visit.caller.require(db, page.role)
        return page.answer(visit)
    except DatabaseBusy:
        raise
    except OnewriterError as error:
        status = status_of(error)
        if status >= 500:
            log.warning("page not answered", page=page.path, error=type(error).__name__)
        return visit.render("wrong.html", status, status=status, told=str(error))


def session_of(request: Request, runtime: Runtime) -> Session | None:
    """The session of whoever asks; None for nobody we know, and for one that has ended."""
    cookie = request.cookies.get(COOKIE)
    return None if cookie is None else sessions.resume(runtime.database, cookie, runtime.now())


def _ask_to_log_in(request: Request, form: FormData, runtime: Runtime) -> Response:
    """The login, which leads back to where somebody was going, with what they had typed."""
    if request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        where = "" if request.url.path == "/" else f"?next={quote(request.url.path + query, safe='')}"
        led: Response = RedirectResponse(f"/login{where}", 303)
        # Asked for by a script of a page that is open: the page goes, not the part of it.
        if "hx-request" in request.headers:
            led = Response(status_code=401, headers={"HX-Redirect": f"/login{where}"})
        return led
    if request.url.path == LOG_OUT:
        return _log_in_page(IS_OUT, "/")
    # What another site sent in somebody's name is not offered to them as what they had typed.
    if is_foreign(request, runtime):
        return _log_in_page(FOREIGN, "/")
    answer = _log_in_page(IS_KEPT, request.url.path, typed(form))
    if "hx-request" in request.headers:
        # A script asked for a part of a page that is open: the login takes the place of all of it.
        answer.headers.update({"HX-Retarget": "body", "HX-Reselect": "main", "HX-Reswap": "innerHTML"})
    return answer


def _log_in_page(told: str, where: str, kept: Sequence[tuple[str, str]] | None = None) -> Response:
    """The login that leads there; with what was typed, which is offered to be sent there."""
    common = {"resume": kept is not None, "kept": kept or [], "name": "", "wrong": None}
    return templating.page("login.html", 401, told=told, next=where, **common)


def typed(form: FormData) -> list[tuple[str, str]]:
    """What was typed into a form, but for what is secret and for files."""
    return [
        (name, value) for name, value in form.multi_items() if isinstance(value, str) and not name.startswith(NOT_KEPT)
    ]


def _place_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def is_foreign(request: Request, runtime: Runtime) -> bool:
    """Whether the browser says that a form was sent by a page of another site."""
    own = {request.headers.get("host", ""), urlsplit(runtime.settings.text("web_url")).netloc}
    origin = request.headers.get("origin")
    return origin is not None and _place_of(origin) not in own


def refuse_foreign(request: Request, runtime: Runtime, form: FormData, session: Session | None) -> None:
    """Raise Forbidden for a form that no page of ours sent, or one of another session."""
    given = form.get(CSRF)
    unproved = session is not None and not (isinstance(given, str) and sessions.is_csrf(session, given))
    if is_foreign(request, runtime) or unproved:
        raise Forbidden(FOREIGN)
