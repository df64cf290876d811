"""The pages over a line that is slow or refuses: what moves still moves, and what was typed last is looked for."""

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page, Route, expect

from onewriter.customers import runs
from onewriter.customers.people import Role
from onewriter.records import Instant
from onewriter.runtime import now as clock
from onewriter.web.pages.frame import COOKIE
from tests.support.browser import PageOf
from tests.support.doors import serving
from tests.support.pages import let_in
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea, told

pytestmark = ON_SQLITE

LATE_MS = 1_000
PEOPLE = {101: "Ana", 102: "Ben"}


@pytest.fixture
def window(tea: Tea, page_of: PageOf, now: Instant) -> Iterator[Page]:
    """An owner who looks at the tea shop, which has two customers and a run that goes on."""
    for number, name in PEOPLE.items():
        tea.apply(told(number, now, {"first_name": name, "last_name": "Ruiz"}), now=now)
    with tea.runtime.database.write() as db:
        runs.add(db, "live1", tea.shop_id, runs.IMPORT, "user:test", clock())
        runs.move(db, runs.begin(db, "live1", clock()), clock(), done=100, total=1_000)
    with serving(tea.runtime) as url:
        opened = page_of(url, cookies={COOKIE: let_in(tea.runtime, "olga", Role.OWNER)})
        yield opened
        opened.close()


def late(route: Route) -> None:
    """Let a request wait, as on a slow line; who asked may have thought better of it meanwhile."""
    with contextlib.suppress(Error):
        route.request.frame.page.wait_for_timeout(LATE_MS)
        route.continue_()


def test_progress_moves_though_a_script_comes_late(tea: Tea, window: Page) -> None:
    window.route("**/hx-sse.min.js", late)
    window.goto("/")
    with tea.runtime.database.write() as db:
        runs.move(db, runs.get(db, "live1"), clock(), done=700)
    expect(window.get_by_text("700 of 1,000")).to_be_visible()


def test_progress_stays_where_nobody_else_can_be_told(page_of: PageOf, window: Page) -> None:
    page_of.expect(503)
    window.route("**/live", lambda route: route.fulfill(status=503))
    with window.expect_response("**/live"):
        window.goto("/")
    window.wait_for_timeout(LATE_MS / 4)
    expect(window.get_by_text("100 of 1,000")).to_be_visible()


def test_what_was_typed_last_is_what_is_found_though_answers_are_slow(window: Page) -> None:
    window.goto("/customers")
    field = window.get_by_role("searchbox")
    window.route("**/customers", late)
    for text in ("Zoe", "Ana", "Ben"):
        field.fill(text)
        window.wait_for_timeout(LATE_MS / 2)
    expect(window.locator("#found tbody tr")).to_have_count(1, timeout=3 * LATE_MS)
    window.wait_for_timeout(2 * LATE_MS)
    expect(window.locator("#found tbody tr")).to_contain_text("102")
