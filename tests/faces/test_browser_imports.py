"""Files of customers in a real browser: sent by the mouse, looked at, imported, followed, and taken back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from onewriter.customers import runs
from onewriter.customers.people import Role
from onewriter.records import RunState
from onewriter.web.limits import FILE_MAX
from onewriter.web.pages.frame import COOKIE
from onewriter.workflows import carrying
from tests.support.browser import PageOf, look
from tests.support.crm import ANN
from tests.support.doors import serving
from tests.support.given import NAME, TIER, Files
from tests.support.live import begun, carried_on
from tests.support.pages import let_in
from tests.support.raw import ON_SQLITE

pytestmark = [ON_SQLITE, pytest.mark.time_limit(180)]

GOLD = f"email,{TIER},note\nann@example.com,gold,from a file\nnobody@example.com,tin,\n"
WHY = "they asked for it"
INKED = """async () => {
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  const canvas = document.querySelector("[data-follows] canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, at) => at % 4 === 3 && value > 0);
}"""


@dataclass
class Stage:
    """The shop with Ann, whose tier is what files say, and whoever looks at its pages."""

    shop: Files
    url: str
    page_of: PageOf
    cookie: str

    def window(self, **asked: object) -> Page:
        return self.page_of(self.url, cookies={COOKIE: self.cookie}, **asked)  # type: ignore[arg-type]

    def work(self, window: Page) -> runs.Run:
        """Carry out the run whose page the window shows."""
        runtime, run_id = self.shop.beside.tea.runtime, window.url.rpartition("/")[2]
        with self.page_of.aside():
            carrying.carry_out(runtime, run_id)
        with runtime.database.read() as db:
            return runs.get(db, run_id)


@pytest.fixture
def stage(given: Files, page_of: PageOf) -> Iterator[Stage]:
    """Its pages, looked at by an owner."""
    given.beside.customer(101, **ANN)
    runtime = given.beside.tea.runtime
    with serving(runtime) as url:
        yield Stage(given, url, page_of, let_in(runtime, "olga", Role.OWNER))


def choose(window: Page, file: Path) -> None:
    """Send a file by the mouse."""
    window.get_by_role("link", name="Imports").click()
    window.get_by_label("File", exact=True).set_input_files(file)
    window.get_by_role("button", name="See what it would do").click()


def test_a_file_is_sent_looked_at_imported_and_taken_back_by_the_mouse(stage: Stage) -> None:
    window = stage.window()
    window.goto("/")
    choose(window, stage.shop.write(GOLD))
    expect(window.get_by_role("heading", name="What the file would do")).to_be_visible()
    expect(window.get_by_text("Would be overwritten")).to_be_visible()
    assert look(window, "imports-look") == []
    window.get_by_label("Percent that may change").fill("100")
    window.get_by_label("Why").fill(WHY)
    window.get_by_role("button", name="Import it").click()
    expect(window.get_by_text("Queued; this page follows it.")).to_be_visible()
    assert stage.work(window).state is RunState.DONE
    window.get_by_role("link", name="See what came of it").click()
    expect(window.get_by_role("table", name="What the file wrote")).to_contain_text(TIER)
    window.get_by_text("Take it back").first.click()
    window.get_by_role("button", name="See what it would put back").click()
    expect(window.get_by_text("1 value would be put back.")).to_be_visible()
    assert look(window, "imports-undo") == []
    window.get_by_label("Why").fill(WHY)
    window.get_by_role("button", name="Take it back").click()
    expect(window.get_by_text("it takes back what that run wrote")).to_be_visible()
    assert stage.work(window).counts == {"undone": 1}
    window.goto("/imports")
    expect(window.get_by_role("table").locator("tbody tr")).to_have_count(2)
    assert look(window, "imports-some") == []


def test_the_same_goes_without_scripts(stage: Stage) -> None:
    window = stage.window(scripts=False)
    window.goto("/imports")
    choose(window, stage.shop.write(GOLD))
    expect(window.get_by_text("Would be overwritten")).to_be_visible()
    window.goto("/imports")
    expect(window.get_by_role("heading", name="Files that are kept")).to_be_visible()


def test_a_file_that_is_too_large_is_not_sent(stage: Stage, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(FILE_MAX)
    window = stage.window()
    window.goto("/imports")
    window.get_by_label("File", exact=True).set_input_files(large)
    window.get_by_role("button", name="See what it would do").click()
    assert window.evaluate("document.querySelector('#file').validationMessage") != ""
    assert window.url.endswith("/imports")


def test_it_is_said_while_a_file_is_being_sent_and_it_is_sent_once(stage: Stage) -> None:
    window = stage.window()
    sent: list[str] = []

    def stay(route: Route) -> None:
        # What has no content leaves the browser where it is, as an answer that is long in coming does.
        sent.append(route.request.method)
        route.fulfill(status=204)

    window.goto("/imports")
    window.route("**/imports/check", stay)
    window.get_by_label("File", exact=True).set_input_files(stage.shop.write(GOLD))
    button = window.get_by_role("button", name="See what it would do")
    button.click()
    expect(window.get_by_role("status")).to_contain_text("being sent")
    button.click()
    window.wait_for_timeout(200)
    assert sent == ["POST"]


@pytest.mark.parametrize("kind", [runs.IMPORT, runs.file_of(NAME)])
def test_how_it_goes_is_drawn_of_what_came_since_the_page_was_opened(stage: Stage, kind: str) -> None:
    tea = stage.shop.beside.tea
    run = begun(tea.runtime.database, tea.shop_id, kind)
    window = stage.window()
    window.goto("/runs/live1")
    expect(window.get_by_text("100 of 1,000")).to_be_visible()
    expect(window.locator("figure")).to_be_hidden()
    with carried_on(tea.runtime.database, run, 0.6):
        expect(window.locator("figure")).to_be_visible()
        assert window.evaluate(INKED)
        expect(window.get_by_role("link", name="See what came of it")).to_be_visible(timeout=30_000)
    window.get_by_text("As a table").click()
    rows = window.get_by_role("table", name="Records done").locator("tbody tr")
    told = [re.sub(r"\D", "", each) for each in rows.locator("td").all_inner_texts()]
    assert told == sorted(told, key=int)
    assert (told[0] in ("100", "200"), told[-1], len(told) > 3) == (True, "1000", True)
    assert look(window, "runs-curve") == []


def test_a_long_run_keeps_its_whole_curve_in_a_short_table(stage: Stage) -> None:
    tea = stage.shop.beside.tea
    begun(tea.runtime.database, tea.shop_id, runs.IMPORT, done=1, total=9_000)
    window = stage.window()
    # The stream says that it is over, since what it told in between would be one more point.
    over = {"content_type": "text/event-stream", "body": "event: over\ndata: over\n\n"}
    window.route("**/runs/live1/live", lambda route: route.fulfill(**over))
    window.goto("/runs/live1")
    window.evaluate(
        """async () => {
          for (let done = 2; done <= 1500; done++) {
            const line = document.querySelector(".run [data-done]");
            line.dataset.at = new Date(1_800_000_000_000 + done * 1000).toISOString();
            line.dataset.done = String(done);
            line.append(" ");
            await Promise.resolve();
          }
        }"""
    )
    rows = window.locator("[data-follows] details tbody tr")
    assert 300 <= rows.count() <= 600
    assert (rows.first.locator("td").text_content(), rows.last.locator("td").text_content()) == ("1", "1,500")
