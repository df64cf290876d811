"""The pages in a real browser: looked at in both themes, used by mouse and by keyboard alone, and seen to move."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from onewriter.customers import find, logins, runs, sessions
from onewriter.customers.people import Role
from onewriter.runtime import Runtime, now
from onewriter.web.pages.every import PAGES
from onewriter.web.pages.frame import COOKIE
from tests.stages.test_proving import LOSSY, spoilt
from tests.support.browser import PageOf, axe, look
from tests.support.doors import serving
from tests.support.live import begun, carried_on
from tests.support.mending import Mending, mending
from tests.support.pages import let_in
from tests.support.raw import ON_SQLITE

pytestmark = [ON_SQLITE, pytest.mark.time_limit(300)]

GZIPPED_MAX = 60_000
"""Bytes of one page with all that it loads, as they go over the wire."""
ASKED = {"/settings/people/remove": "?name=olga"}
"""What a page must be asked for, beside its path."""
LOGIN = "four words make one"
TWICE = "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, place, all) => all.indexOf(id) < place)"


@dataclass
class Stage:
    """A shop with a CRM, a case that is open, and somebody who looks at it."""

    both: Mending
    url: str
    page_of: PageOf
    cookie: str

    def window(self, role: Role = Role.OWNER, **asked: object) -> Page:
        cookie = self.cookie if role is Role.OWNER else let_in(self.both.runtime, role.value * 2, role)
        return self.page_of(self.url, cookies={COOKIE: cookie}, **asked)  # type: ignore[arg-type]


@pytest.fixture
def stage(runtime: Runtime, tmp_path: Path, page_of: PageOf) -> Iterator[Stage]:
    """The pages of a shop in which one mapping loses all but the first word of a note."""
    with mending(runtime, tmp_path, LOSSY) as both:
        with page_of.aside():
            spoilt(both)
        with serving(runtime) as url:
            yield Stage(both, url, page_of, let_in(runtime, "olga", Role.OWNER))


def paths_of(both: Mending) -> dict[str, str]:
    """Every page that there is, by a name for its picture."""
    with both.runtime.database.read() as db:
        run = runs.newest(db, 1)[0].id
        customer = find.show(db, both.runtime.vault(both.shop.shop_id), str(both.ids[0])).id_text
    named = {"customer_id": customer, "run_id": run, "number": "1", "name": "crm"}
    found = {}
    for page in PAGES:
        wanted = re.findall(r"{(\w+)(?::\w+)?}", page.path)
        if page.method == "GET" and set(wanted) <= set(named) and not page.path.endswith("/live"):
            path = re.sub(r"{(\w+)(?::\w+)?}", lambda part: named[part[1]], page.path)
            path += ASKED.get(page.path, "")
            found[re.sub(r"{|}", "", page.path).strip("/").replace("/", "-") or "overview"] = path
    return found


# ---- Every page -----------------------------------------------------------------------------------------------------


def test_every_page_is_usable_by_everybody_in_both_themes_and_small(stage: Stage) -> None:
    window = stage.window()
    wrong, large = [], []
    for name, path in {**paths_of(stage.both), "login": "/login"}.items():
        answer = window.goto(path)
        assert answer is not None
        if answer.headers.get("content-disposition") or answer.status != 200:
            wrong.append(f"{path}: {answer.status}")
            continue
        wrong += [f"{path}: {line}" for line in look(window, name)]
        wrong += [f"{path}: two have the id {each}" for each in window.evaluate(TWICE)]
        loaded = window.evaluate(
            "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
            ".reduce((sum, each) => sum + each.encodedBodySize, 0)"
        )
        large += [f"{path}: {loaded:,}"] if loaded > GZIPPED_MAX else []
    assert wrong == []
    assert large == []


def test_every_page_fits_a_phone(stage: Stage) -> None:
    window = stage.window(phone=True)
    wide = []
    for path in paths_of(stage.both).values():
        window.goto(path)
        if window.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(path)
    assert wide == []


NUMBER_CONTROLS = """() => {
  const all = "a[href], button, input:not([type=hidden]), select, textarea, summary";
  const seen = (each) => each.checkVisibility({ visibilityProperty: true }) && !each.disabled;
  // Of a group of radio buttons the Tab key leads to one; the arrow keys lead to the others.
  const first = (each) => each.type !== "radio"
    || each === document.querySelector(`input[type=radio][name="${each.name}"]:checked`);
  const found = [...document.querySelectorAll(all)].filter((each) => seen(each) && first(each));
  found.forEach((each, place) => { each.dataset.place = place; });
  document.activeElement.blur();
  return found.map((each) => each.outerHTML.slice(0, 100));
}"""
REACHED = """() => {
  const active = document.activeElement;
  const drawn = getComputedStyle(active).outlineStyle !== "none";
  return active === document.body ? null : [active.dataset.place ?? "", drawn, active.outerHTML.slice(0, 100)];
}"""


def test_every_control_of_every_page_is_reached_by_the_tab_key_in_its_order_and_seen(stage: Stage) -> None:
    """Nothing is for the mouse alone, nothing holds the keyboard, and whoever types sees where they are."""
    window = stage.window()
    wrong = []
    for path in paths_of(stage.both).values():
        window.goto(path)
        controls = window.evaluate(NUMBER_CONTROLS)
        reached: list[str] = []
        for _ in range(2 * len(controls) + 20):
            window.keyboard.press("Tab")
            found = window.evaluate(REACHED)
            # Behind the last one stands the browser itself, or, where it has nothing of its own, the first again.
            if found is None or (reached and found[0] == "0"):
                break
            place, drawn, written = found
            # A date has parts, which the browser draws itself.
            if place and reached[-1:] != [controls[int(place)]]:
                reached.append(controls[int(place)])
                wrong += [] if drawn else [f"{path}: not seen: {written}"]
        else:
            wrong.append(f"{path}: the keyboard is held")
        wrong += [f"{path}: never reached: {each}" for each in controls if each not in reached]
        wrong += [f"{path}: in another order"] if reached != controls else []
    assert wrong == []


# ---- The open case, by mouse and by keyboard ------------------------------------------------------------------------


def test_the_overview_leads_to_the_open_case_and_a_fix_by_the_mouse(stage: Stage) -> None:
    window = stage.window()
    window.goto("/")
    window.get_by_role("link", name="Look at the first").click()
    expect(window.get_by_role("heading", name="What to do first")).to_be_visible()
    expect(window.get_by_text("Replace the transform of note")).to_be_visible()
    window.get_by_label("Transform").select_option("same")
    window.get_by_label("Why (if you like)").fill("the printer takes all of it")
    window.get_by_text("Something speaks against it").click()
    window.get_by_label("Why you go on").fill("it is the same for all")
    window.get_by_role("button", name="Show what it would do").click()
    expect(window.get_by_role("heading", name="This is what it would do")).to_be_visible()
    assert stage.both.case().fixed_at is None
    assert axe(window) == []
    window.get_by_role("button", name="Do it").click()
    expect(window.get_by_text("Its proof has begun")).to_be_visible()
    assert stage.both.case().fixed_at is not None
    expect(window.get_by_role("heading", name="Proof")).to_be_visible()
    window.get_by_role("button", name="Take it back").click()
    expect(window.get_by_text("What was done is taken back")).to_be_visible()


def to(window: Page, wanted: str, tag: str) -> None:
    """Go to an element by the Tab key alone, as who has no mouse must."""
    for _ in range(200):
        window.keyboard.press("Tab")
        found = window.evaluate(
            "[document.activeElement.tagName, document.activeElement.innerText || '', "
            "document.activeElement.getAttribute('name') || '']"
        )
        if found[0] == tag and wanted in (found[1].strip(), found[2]):
            assert window.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", wanted
            return
    raise AssertionError(f"No Tab leads to {wanted}.")


def test_the_same_goes_by_the_keyboard_alone(stage: Stage) -> None:
    window = stage.window()
    window.goto("/")
    window.keyboard.press("Tab")
    assert window.evaluate("document.activeElement.innerText") == "Skip to the content"
    to(window, "Look at the first", "A")
    window.keyboard.press("Enter")
    window.wait_for_url("**/cases/1")
    to(window, "transform", "SELECT")
    window.keyboard.type("same")
    to(window, "Something speaks against it, and you go on all the same", "SUMMARY")
    window.keyboard.press("Enter")
    to(window, "override", "INPUT")
    window.keyboard.type("it is the same for all")
    to(window, "Show what it would do", "BUTTON")
    window.keyboard.press("Enter")
    expect(window.get_by_role("heading", name="This is what it would do")).to_be_visible()
    to(window, "Do it", "BUTTON")
    window.keyboard.press("Enter")
    expect(window.get_by_text("Its proof has begun")).to_be_visible()
    assert stage.both.case().fixed_at is not None


def test_two_browsers_at_once_and_the_second_is_told(stage: Stage) -> None:
    stage.page_of.expect(409)
    first, second = stage.window(), stage.window()
    for window in (first, second):
        window.goto("/cases/1")
        window.get_by_text("Close it", exact=True).first.click()
        window.locator("#close-why").fill("it is fine as it is")
        window.get_by_label("Close it though its fix is not proved").check()
    first.get_by_role("button", name="Close it").click()
    expect(first.get_by_text("Case 1 is closed.")).to_be_visible()
    second.get_by_role("button", name="Close it").click()
    expect(second.get_by_role("alert")).to_contain_text("closed")


# ---- What moves, and what is not lost -------------------------------------------------------------------------------


def test_the_progress_of_a_run_is_seen_to_move_and_to_end(stage: Stage) -> None:
    database = stage.both.runtime.database
    run = begun(database, stage.both.shop.shop_id, runs.IMPORT)
    window = stage.window()
    window.goto("/")
    expect(window.get_by_text("100 of 1,000")).to_be_visible()
    with carried_on(database, run, 0.3):
        expect(window.get_by_text(re.compile("[4-8]00 of 1,000"))).to_be_visible()
        expect(window.locator("progress")).to_have_count(0, timeout=20_000)
        expect(window.get_by_text("1,000 of 1,000")).to_be_visible()


def test_a_search_finds_while_somebody_types(stage: Stage) -> None:
    window = stage.window()
    window.goto("/customers")
    window.get_by_label("Id, email, phone or name").press_sequentially(str(stage.both.ids[2]))
    rows = window.locator("#found tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(str(stage.both.ids[2]))
    assert window.url.endswith("/customers")


def log_out(stage: Stage) -> None:
    """Their session ends, behind their back."""
    hashed = logins.hash_of("user:olga", LOGIN)
    with stage.both.runtime.database.write() as db:
        logins.set_password(db, "user:olga", hashed, now())
        sessions.end_every(db, "user:olga")


def log_in(window: Page) -> None:
    """They are told so, and log in again."""
    expect(window.get_by_text("what you typed is kept")).to_be_visible()
    assert axe(window) == []
    window.get_by_label("Name").fill("olga")
    window.get_by_label("Password").fill(LOGIN)
    window.get_by_role("button", name="Log in").click()


def test_a_search_after_a_session_has_ended_is_sent_after_the_login(stage: Stage) -> None:
    """A script asks for it while it is typed, and puts what it is answered into a part of the page."""
    stage.page_of.expect(401)
    window = stage.window()
    window.goto("/customers")
    log_out(stage)
    window.locator("#text").press_sequentially(str(stage.both.ids[0]))
    log_in(window)
    window.get_by_role("button", name="Send it now").click()
    expect(window.locator("#found tbody tr")).to_have_count(1)


def test_a_session_that_ends_in_the_middle_of_a_form_loses_nothing(stage: Stage) -> None:
    stage.page_of.expect(401)
    window = stage.window()
    window.goto("/cases/1")
    window.get_by_text("Close it", exact=True).first.click()
    window.locator("#close-why").fill("a reason that took a while to write")
    window.get_by_label("Close it though its fix is not proved").check()
    log_out(stage)
    window.get_by_role("button", name="Close it").click()
    log_in(window)
    expect(window.get_by_text("a reason that took a while to write")).to_be_visible()
    assert axe(window) == []
    window.get_by_role("button", name="Send it now").click()
    expect(window.get_by_text("Case 1 is closed.")).to_be_visible()
    assert stage.both.case().why == "a reason that took a while to write"


def test_the_theme_that_somebody_chose_stays(stage: Stage) -> None:
    window = stage.window()
    window.goto("/")
    window.locator(".me summary").click()
    before = window.evaluate("getComputedStyle(document.body).backgroundColor")
    window.get_by_role("button", name="Dark or light").click()
    after = window.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    window.goto("/cases")
    assert window.evaluate("getComputedStyle(document.body).backgroundColor") == after


COLOURED = """async () => {
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  const canvas = document.querySelector("[data-chart] canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at + 3] && Math.abs(data[at] - data[at + 2]) > 60) coloured++;
  return coloured;
}"""


def test_a_picture_is_drawn_in_the_colours_of_the_theme_from_the_table_beside_it(stage: Stage) -> None:
    window = stage.window()
    window.goto("/cases")
    for scheme in ("light", "dark"):
        window.emulate_media(color_scheme=scheme)
        assert window.evaluate(COLOURED) > 20, scheme
    window.get_by_text("As a table").click()
    expect(window.get_by_role("table", name="Open at the end of each day").locator("tbody tr")).to_have_count(30)


def test_pages_work_without_scripts(stage: Stage) -> None:
    window = stage.window(scripts=False)
    window.goto("/customers")
    window.get_by_label("Id, email, phone or name").fill(str(stage.both.ids[1]))
    window.get_by_role("button", name="Search").click()
    expect(window.locator("#found tbody tr")).to_have_count(1)


def test_a_viewer_is_offered_nothing_that_they_may_not_do(stage: Stage) -> None:
    window = stage.window(Role.VIEWER)
    for path in ("/cases/1", f"/customers/{stage.both.ids[0]}"):
        window.goto(path)
        assert window.locator("main form").count() == 0
