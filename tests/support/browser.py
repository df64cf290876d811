"""A pytest plugin with a real browser, which fails a test for whatever the page does that no page of ours may do.

A page may ask nothing but the server of the test, write nothing to the console that is a warning or an error, and break
no policy. One Chromium is started for each worker that has such a test; each person has a window, cookies and cache of
their own. Where there is no Chromium the tests are skipped and say so, but never on a continuous-integration machine.
"""

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    WebSocket,
    sync_playwright,
)

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "build" / "axe" / "axe.min.js"
SCREENSHOTS = ROOT / "build" / "screenshots"

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    # Pages are told apart from the world by more than our own eyes: no name and no other address leads anywhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
WAIT_MAX_MS = 15_000

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
DESK: Mapping[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: Mapping[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of (\d{3})")
RUN_AXE = """async () => (await axe.run({ resultTypes: ["violations"] })).violations.map(
  (each) => `${each.id} (${each.impact}): ${each.help}: ${each.nodes.map((node) => node.target.join(" ")).join(", ")}`
)"""


class Misbehaved(AssertionError):
    """A page did what no page of ours may do."""


@dataclass(frozen=True, slots=True)
class Chromium:
    """A running browser, and the loop that speaks to it."""

    browser: Browser
    loop: asyncio.AbstractEventLoop

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Let it be used from this thread, which cannot begin another loop meanwhile."""
        asyncio._set_running_loop(self.loop)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)


class PageOf:
    """Opens windows on the server of a test, and notes what their pages do that they may not."""

    def __init__(self, browser: Browser) -> None:
        self.complaints: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._expected: set[int] = set()

    def __call__(
        self,
        url: str,
        *,
        cookies: Mapping[str, str] | None = None,
        scheme: Scheme = "light",
        phone: bool = False,
        scripts: bool = True,
    ) -> Page:
        """A new person's window on the server at that address; `page.goto("/customers")` goes on from there."""
        context = self._browser.new_context(
            base_url=url,
            color_scheme=scheme,
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
            service_workers="block",
            java_script_enabled=scripts,
            **(PHONE if phone else DESK),
        )
        context.set_default_timeout(WAIT_MAX_MS)
        context.add_cookies([{"name": name, "value": value, "url": url} for name, value in (cookies or {}).items()])
        self._watch(context, url)
        self._contexts.append(context)
        return context.new_page()

    def expect(self, *statuses: int) -> None:
        """Say that answers with these statuses are part of this test; the browser notes each as an error."""
        self._expected.update(statuses)

    def check(self) -> None:
        """Raise Misbehaved for what pages did until now."""
        self._hear()
        complaints, self.complaints = self.complaints, []
        if complaints:
            raise Misbehaved("\n".join(complaints))

    def close(self) -> None:
        """Close every window."""
        self._hear()
        for context in self._contexts:
            context.close()
        self._contexts.clear()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let asyncio be used in between, as by a stage that runs a loop; no page can be used meanwhile."""
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        try:
            yield
        finally:
            asyncio._set_running_loop(loop)

    def _hear(self) -> None:
        """Wait until all is told that the pages did: the browser answers in order, but tells of some things late."""
        for page in (page for context in self._contexts for page in context.pages):
            # A page that is on its way elsewhere cannot be asked.
            with contextlib.suppress(Error):
                page.evaluate("0")

    def _watch(self, context: BrowserContext, url: str) -> None:
        home = url.rstrip("/") + "/"

        def asked(request: Request) -> None:
            self._note_address(request.url, home)

        def opened(page: Page) -> None:
            page.on("websocket", connected)

        def connected(socket: WebSocket) -> None:
            self._note_address(socket.url, home)

        context.on("request", asked)
        context.on("page", opened)
        context.on("console", self._note_line)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))

    def _note_address(self, address: str, home: str) -> None:
        if not address.startswith((home, "data:", "blob:", "about:")):
            self.complaints.append(f"asked another host: {address}")

    def _note_line(self, line: ConsoleMessage) -> None:
        answered = ANSWERED.match(line.text)
        expected = answered is not None and int(answered[1]) in self._expected
        if line.type in ("error", "warning") and not expected:
            self.complaints.append(f"console {line.type}: {line.text} ({line.location['url']})")


def axe(page: Page) -> list[str]:
    """What axe-core finds on the page as it is now: a line for each rule that is broken, and where."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[str] = page.evaluate(RUN_AXE)
    return found


def look(page: Page, name: str) -> list[str]:
    """Take the page's picture in both colour schemes, and give what axe-core finds in either."""
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}.png", full_page=True, animations="disabled")
        found += [f"{scheme}: {line}" for line in axe(page)]
    return found


def missing() -> str | None:
    """Why no page can be looked at on this machine; None where it can."""
    if not any(map(shutil.which, NAMES)):
        return "There is no Chromium on the path; `make browser` says what to install."
    return None if AXE.exists() else "axe-core was not fetched; `make browser` fetches it."


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The browser of this worker."""
    reason = missing()
    if reason is not None:
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    program = next(place for place in map(shutil.which, NAMES) if place)
    playwright = sync_playwright().start()
    # As playwright leaves it, this thread takes itself for a running loop, and no other test could begin one.
    chromium = Chromium(playwright.chromium.launch(executable_path=program, args=FLAGS), asyncio.get_running_loop())
    asyncio._set_running_loop(None)
    yield chromium
    with chromium.attended():
        chromium.browser.close()
        playwright.stop()


@pytest.fixture
def page_of(chromium: Chromium) -> Iterator[PageOf]:
    """Windows for this test; it fails if one of their pages misbehaved."""
    with chromium.attended():
        opened = PageOf(chromium.browser)
        try:
            yield opened
        finally:
            opened.close()
        opened.check()
