"""Coming in and going out: the one-time link, the login, and what was typed when a session ended."""

from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest
from urllib.parse import urlsplit

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from onewriter.customers import invitations, logins, people, sessions
from onewriter.errors import BadInput, Forbidden, OnewriterError
from onewriter.runtime import Runtime
from onewriter.web.limits import STRANGERS, Clock, TokenBucket
from onewriter.web.pages import frame, templating
from onewriter.web.pages.frame import COOKIE, Page, Visit
from onewriter.web.problems import status_of

COOKIE_S = 14 * 86_400
KEPT = "kept:"
"""What the names of carried fields begin with, so that they are no fields of the login itself."""
TOO_MANY = "Too many have tried to log in; wait a minute, and try again."

log = structlog.get_logger(__name__)


class Entering:
    """The routes for people who are not logged in."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock
        self._bucket = TokenBucket(STRANGERS, clock())

    def routes(self) -> list[Route]:
        """All of them."""
        answers: dict[str, Callable[[Request, FormData], Response]] = {
            "/login": self._log_in,
            "/welcome": self._welcome,
        }
        return [Route(path, self._limited(answer), methods=["GET", "POST"]) for path, answer in answers.items()]

    def _limited(self, answer: Callable[[Request, FormData], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if request.method == "POST" and not self._bucket.take(self._clock()):
                return templating.page("outside.html", 429, title="Wait", told=TOO_MANY)
            form = await frame.read_form(request)
            if form is None:
                return frame.unreadable()
            return await run_in_threadpool(self._guarded, answer, request, form)

        return endpoint

    def _guarded(self, answer: Callable[[Request, FormData], Response], request: Request, form: FormData) -> Response:
        try:
            if request.method == "POST":
                frame.refuse_foreign(request, self._runtime, form, None)
            return answer(request, form)
        except OnewriterError as error:
            return templating.page("outside.html", status_of(error), title="This cannot be done", told=str(error))

    # ---- Logging in -------------------------------------------------------------------------------------------------

    def _log_in(self, request: Request, form: FormData) -> Response:
        where = _local(_text(form, "next") or request.query_params.get("next", "/"))
        if request.method != "POST":
            return templating.page("login.html", told=None, next=where, resume=False, kept=[], name="", wrong=None)
        name, resume, kept = _text(form, "name"), bool(_text(form, "resume")), _carried(form)
        try:
            who = self._prove(name, _raw(form, "password"))
        except BadInput as error:
            common = {"next": where, "resume": resume, "kept": kept, "name": name}
            return templating.page("login.html", 422, told=None, wrong=str(error), **common)
        return self._let_in(request, who, where, kept if resume else None)

    def _prove(self, name: str, password: str) -> str:
        """The person, if name and password are theirs; raises BadInput, which does not say which of them is wrong."""
        try:
            who = people.full_name(name)
        except ValueError:
            who = people.PREFIX
        checked = logins.check(self._runtime.database, who, password, self._runtime.now())
        if checked.wait_s:
            raise BadInput(f"Too many tries for this name; wait {checked.wait_s} seconds, and try again.", "password")
        if not checked.ok:
            log.info("login refused")
            raise BadInput("This name and this password do not go together; try again.", "password")
        return who

    def _let_in(
        self, request: Request, who: str, where: str, kept: Sequence[tuple[str, str]] | None = None
    ) -> Response:
        """Begin a session, and lead there; to what is `kept`, to be sent there, where it was a form."""
        with self._runtime.database.write() as db:
            cookie = sessions.begin(db, who, self._runtime.now())
        log.info("logged in", actor=who)
        answer: Response = RedirectResponse(where, 303)
        if kept is not None:
            csrf = sessions.csrf_of(cookie)
            answer = templating.page("resume.html", where=where, kept=kept, csrf=csrf)
        secure = request.url.scheme == "https" or self._runtime.settings.text("web_url").startswith("https:")
        answer.set_cookie(COOKIE, cookie, COOKIE_S, httponly=True, samesite="lax", secure=secure)
        return answer

    # ---- The one-time link ------------------------------------------------------------------------------------------

    def _welcome(self, request: Request, form: FormData) -> Response:
        link = _raw(form, "link") or request.query_params.get("link", "")
        with self._runtime.database.read() as db:
            invited = invitations.look(db, link, self._runtime.now())
        if invited is None:
            raise Forbidden(
                "This link was used or has ended; an owner makes another by `onewriter people invite NAME ROLE`, or in "
                "Settings."
            )
        named = None if invited.name is None else invited.name.removeprefix(people.PREFIX)
        name = named or _text(form, "name")
        common = {"link": link, "named": named, "name": name, "role": invited.role}
        if request.method != "POST":
            return templating.page("welcome.html", wrong=None, **common)
        try:
            who = self._register(link, name, form)
        except BadInput as error:
            return templating.page("welcome.html", 422, wrong=str(error), **common)
        return self._let_in(request, who, "/")

    def _register(self, link: str, name: str, form: FormData) -> str:
        """Take the link, and keep the password; the name of whoever came by it."""
        try:
            who = people.full_name(name)
        except ValueError:
            raise BadInput("Choose a name of 1 to 64 letters, without a space.", "name") from None
        password = _raw(form, "password")
        if not compare_digest(password.encode(), _raw(form, "password_again").encode()):
            raise BadInput("The two passwords are not the same; type them again.", "password_again")
        invitations.accept(self._runtime.database, link, who, password, self._runtime.now())
        return who


def _log_out(visit: Visit) -> Response:
    with visit.runtime.database.write() as db:
        if visit.text("everywhere"):
            sessions.end_every(db, visit.session.name)
        else:
            sessions.end(db, visit.request.cookies[COOKIE])
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE)
    return answer


PAGES = [Page(frame.LOG_OUT, _log_out, "POST")]


def _raw(form: FormData, name: str) -> str:
    given = form.get(name)
    return given if isinstance(given, str) else ""


def _text(form: FormData, name: str) -> str:
    return _raw(form, name).strip()


def _carried(form: FormData) -> list[tuple[str, str]]:
    """What was typed before the login, out of the fields in which it was carried."""
    return [(name.removeprefix(KEPT), value) for name, value in frame.typed(form) if name.startswith(KEPT)]


def _local(where: str) -> str:
    """The page to go on to: one of ours, whatever was asked for."""
    try:
        parts = urlsplit(where)
    except ValueError:
        return "/"
    # Browsers leave out tabs and line ends, and read a backslash as a slash.
    plain = where.isascii() and where.isprintable() and "\\" not in where
    is_ours = where.startswith("/") and not where.startswith("//") and not parts.netloc and not parts.scheme
    return where if plain and is_ours else "/"
