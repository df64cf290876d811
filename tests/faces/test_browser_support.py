"""The browser of the tests is a real one, and no page gets away with what no page of ours may do."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route, Router

from onewriter.web import statics
from onewriter.web.pages.templating import HEADERS
from tests.support import browser
from tests.support.browser import SCREENSHOTS, Chromium, Misbehaved, PageOf, axe, look
from tests.support.doors import serving_app

PAGE = (
    '<!doctype html><html lang="en"><head><title>Tea</title><meta name="viewport" content="width=device-width">'
    '<link rel="icon" href="data:,">{head}</head><body><main><h1>Tea</h1>{body}</main></body></html>'
)
ELSEWHERE = "http://192.0.2.1/picture.png"
CONFIG = """<meta name="htmx-config" content='{"extensions": "sse", "includeIndicatorCSS": false, "history": false}'>"""
# Deferred, htmx would begin on its own before its extension is there, and no stream would be opened.
SCRIPTS = (
    f'{CONFIG}<script src="{statics.url_of("vendor/htmx.min.js")}"></script>'
    f'<script src="{statics.url_of("vendor/hx-sse.min.js")}" defer></script>'
)
SEARCH = (
    '<form action="/found" hx-get="/found" hx-trigger="input delay:50ms" hx-target="#found" hx-sync="this:replace">'
    '<label for="name">Name</label><input id="name" name="name"></form><p id="found">Nobody</p>'
)
LIVE = '<div id="live" hx-sse:connect="/live" hx-sse:close="over" hx-swap="innerHTML">Waiting</div>'

FILES: Mapping[str, tuple[str, str]] = {
    "complaining.js": ("text/javascript", "console.error('It is cold.')"),
    "warning.js": ("text/javascript", "console.warn('It cools down.')"),
    "throwing.js": ("text/javascript", "throw new Error('It is spilt.')"),
    "talking.js": ("text/javascript", "new WebSocket('ws://192.0.2.1/talk')"),
    "styling.js": ("text/javascript", "onload = () => { document.body.innerHTML = '<p style=\"color: red\">Red</p>' }"),
    "pale.css": ("text/css", "body { background: white } @media (prefers-color-scheme: light) { p { color: #ddd } }"),
}
FAULTS = {
    "foreign": (f'<img alt="" src="{ELSEWHERE}">', "", "img-src *"),
    "talking": ("", '<script src="/file/talking.js"></script>', "script-src 'self'; connect-src *; img-src data:"),
    "complaining": ("", '<script src="/file/complaining.js"></script>', None),
    "warning": ("", '<script src="/file/warning.js"></script>', None),
    "throwing": ("", '<script src="/file/throwing.js"></script>', None),
    "inline": ("<script>document.title = 'Changed'</script>", "", None),
    "styled": ('<p style="color: red">Red</p>', "", None),
    "styling": ("", '<script src="/file/styling.js"></script>', None),
}


def page(body: str = "", head: str = "", policy: str | None = None, code: int = 200) -> Response:
    headers = HEADERS if policy is None else HEADERS | {"content-security-policy": policy}
    return HTMLResponse(PAGE.format(head=head, body=body), code, headers)


async def plain(_request: Request) -> Response:
    return page("<p>Nothing is wrong here.</p>")


async def faulty(request: Request) -> Response:
    return page(*FAULTS[request.path_params["name"]])


async def refused(_request: Request) -> Response:
    return page("<p>Not that.</p>", code=422)


async def pale(_request: Request) -> Response:
    return page("<p>Pale</p>", '<link rel="stylesheet" href="/file/pale.css">')


async def file(request: Request) -> Response:
    media_type, text = FILES[request.path_params["name"]]
    return Response(text, media_type=media_type)


async def moving(_request: Request) -> Response:
    return page(SEARCH + LIVE, SCRIPTS)


async def found(request: Request) -> Response:
    return HTMLResponse(f"Found {len(request.query_params['name'])}")


async def live(_request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        for done in ("1 of 2", "2 of 2"):
            yield f"data: <b>{done}</b>\n\n"
            await asyncio.sleep(0.05)
        yield "event: over\ndata: over\n\n"

    return StreamingResponse(parts(), media_type="text/event-stream")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A small site: pages with one fault each, and some without."""
    answers = {"/": plain, "/refused": refused, "/pale": pale, "/moving": moving, "/found": found, "/live": live}
    routes = [Route(path, answer) for path, answer in answers.items()]
    routes += [Route("/faulty/{name}", faulty), Route("/file/{name}", file), *statics.ROUTES]
    with serving_app(Router(routes)) as url:
        yield url


@pytest.fixture
def unchecked(chromium: Chromium) -> Iterator[PageOf]:
    """Windows whose pages may misbehave, so that it can be seen whether that is noted."""
    with chromium.attended():
        opened = PageOf(chromium.browser)
        yield opened
        opened.close()


def test_a_page_without_fault_passes(page_of: PageOf, url: str) -> None:
    window = page_of(url)
    window.goto("/")
    assert window.get_by_role("heading").inner_text() == "Tea"
    assert axe(window) == []


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("foreign", r"asked another host: http://192\.0\.2\.1/picture\.png"),
        ("talking", r"asked another host: ws://192\.0\.2\.1/talk"),
        ("complaining", r"console error: It is cold"),
        ("warning", r"console warning: It cools down"),
        ("throwing", r"uncaught: .*It is spilt"),
        ("inline", r"console error: .*script-src 'self'"),
        ("styled", r"console error: .*style-src 'self'"),
        ("styling", r"console error: .*style-src 'self'"),
    ],
)
def test_a_fault_is_noted(unchecked: PageOf, url: str, fault: str, complaint: str) -> None:
    unchecked(url).goto(f"/faulty/{fault}")
    unchecked.close()
    with pytest.raises(Misbehaved, match=complaint):
        unchecked.check()
    unchecked.check()


def test_a_refusal_is_noted_unless_it_is_expected(unchecked: PageOf, url: str) -> None:
    window = unchecked(url)
    window.goto("/refused")
    with pytest.raises(Misbehaved, match="422"):
        unchecked.check()
    unchecked.expect(422)
    window.reload()
    unchecked.check()


def test_axe_finds_what_cannot_be_read_in_one_scheme(page_of: PageOf, url: str) -> None:
    window = page_of(url)
    window.goto("/pale")
    found = look(window, "pale")
    assert [line for line in found if not line.startswith("light: color-contrast")] == []
    assert len(found) == 1
    pictures = [SCREENSHOTS / f"pale-{scheme}.png" for scheme in ("light", "dark")]
    assert pictures[0].read_bytes() != pictures[1].read_bytes()
    for picture in pictures:
        picture.unlink()


def test_htmx_and_its_stream_work_under_our_policy(page_of: PageOf, url: str) -> None:
    window = page_of(url)
    window.goto("/moving")
    window.get_by_text("2 of 2").wait_for()
    window.get_by_label("Name").press_sequentially("Ana")
    window.get_by_text("Found 3").wait_for()
    assert axe(window) == []


def test_people_have_windows_of_their_own(page_of: PageOf, url: str) -> None:
    ana, ben = page_of(url, cookies={"who": "ana"}), page_of(url, scheme="dark", phone=True)
    ana.goto("/")
    ben.goto("/")
    assert ana.evaluate("document.cookie") == "who=ana"
    assert ben.evaluate("document.cookie") == ""
    dark = "matchMedia('(prefers-color-scheme: dark)').matches"
    assert [each.evaluate(dark) for each in (ana, ben)] == [False, True]
    assert [each.evaluate("innerWidth") for each in (ana, ben)] == [1280, 390]


def test_a_window_without_scripts_runs_none(page_of: PageOf, url: str) -> None:
    window = page_of(url, scripts=False)
    window.goto("/faulty/complaining")
    assert window.get_by_role("heading").inner_text() == "Tea"


def test_other_loops_can_run_beside_the_browser(page_of: PageOf, url: str) -> None:
    window = page_of(url)
    window.goto("/")
    with page_of.aside():
        assert asyncio.run(asyncio.sleep(0, "done")) == "done"
    assert window.title() == "Tea"


def test_other_loops_can_run_between_tests_with_a_browser(chromium: Chromium) -> None:
    assert chromium.browser.is_connected()
    assert asyncio.run(asyncio.sleep(0, "done")) == "done"


def run(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    """Run one test that asks for windows, with the plugin alone."""
    pytester.makepyfile(f"def test_it(page_of):\n    {body}")
    return pytester.runpytest_inprocess("-rs", "-p", "no:hypothesispytest", plugins=[browser])


def test_a_test_whose_page_misbehaves_does_not_pass(pytester: pytest.Pytester, url: str, chromium: Chromium) -> None:
    assert chromium.browser.is_connected()
    ran = run(pytester, f"page_of({url!r}).goto('/faulty/complaining')")
    ran.assert_outcomes(passed=1, errors=1)
    ran.stdout.fnmatch_lines("*Misbehaved: console error: It is cold.*")


def test_without_a_browser_tests_are_skipped_and_say_so(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    ran = run(pytester, "assert False")
    ran.assert_outcomes(skipped=1)
    ran.stdout.fnmatch_lines("SKIPPED*There is no Chromium on the path; `make browser` says what to install.")


def test_in_continuous_integration_there_has_to_be_one(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    run(pytester, "assert False").assert_outcomes(errors=1)
