"""What is shown before it is done, in a real browser: usable by everybody, by mouse and by keyboard alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from onewriter.customers import find
from onewriter.customers.people import Role
from onewriter.runtime import Runtime
from onewriter.web.pages.frame import COOKIE
from tests.support.browser import PageOf, axe
from tests.support.crm import CRM
from tests.support.doors import serving
from tests.support.mending import mending
from tests.support.pages import let_in
from tests.support.raw import ON_SQLITE

pytestmark = [ON_SQLITE, pytest.mark.time_limit(300)]


@pytest.fixture
def shown(runtime: Runtime, tmp_path: Path, page_of: PageOf) -> Iterator[tuple[Page, str, str]]:
    """A browser in front of a shop with a CRM, in which a value is parked; and the ids of two customers."""
    with mending(runtime, tmp_path) as both:
        with page_of.aside():
            both.crm.edit(both.record(both.ids[0]), first="Mallory")
            both.cycle()
        with runtime.database.read() as db:
            vault = runtime.vault(both.shop.shop_id)
            one, other = (find.show(db, vault, str(number)).id_text for number in both.ids[:2])
        with serving(runtime) as url:
            yield page_of(url, cookies={COOKIE: let_in(runtime, "olga", Role.OWNER)}), one, other


def usable(page: Page) -> None:
    """Nothing that axe-core finds, in either theme."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert axe(page) == [], (page.url, scheme)


def test_a_file_is_sent_by_mouse_looked_at_and_forgotten(shown: tuple[Page, str, str], tmp_path: Path) -> None:
    page, _, _ = shown
    (tmp_path / "people.csv").write_text("email,note\nann@example.com,likes tea\n")
    page.goto("/imports")
    usable(page)
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "people.csv")
    page.get_by_role("button", name="See what it would do").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What the file would do")
    usable(page)
    page.get_by_text("Say otherwise what its columns mean").click()
    page.get_by_label("What columns mean").fill("note=first_name")
    page.get_by_role("button", name="Look at it again").click()
    expect(page.get_by_role("region", name="Columns")).to_contain_text("first_name")
    page.get_by_role("button", name="Forget the file").first.click()
    expect(page.get_by_text("The file is forgotten")).to_be_visible()


def test_points_are_given_by_keyboard_alone(shown: tuple[Page, str, str]) -> None:
    page, customer, _ = shown
    page.goto(f"/customers/{customer}/points")
    page.get_by_text("Give or take by hand").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("25")
    page.keyboard.press("Tab")
    page.keyboard.type("sorry for the wait")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="This is what would come of it")).to_be_visible()
    usable(page)
    page.get_by_role("button", name="Do it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The balance is 25 points")).to_be_visible()
    usable(page)


def test_keys_links_and_what_is_parked_are_seen_first(shown: tuple[Page, str, str]) -> None:
    page, customer, other = shown
    page.goto("/fields/keys")
    page.get_by_text("Try other keys").click()
    page.get_by_label("Keys").fill("id, phone")
    page.get_by_role("button", name="See what it would change").click()
    expect(page.get_by_role("heading", name="This is what it would change")).to_be_visible()
    usable(page)
    page.goto(f"/systems/{CRM}")
    page.get_by_label("Why, of").first.fill("they may keep it")
    page.get_by_role("button", name="Give up").first.click()
    expect(page.get_by_role("button", name="Give it up")).to_be_visible()
    usable(page)
    page.goto("/links")
    page.get_by_text("Link a record by hand").click()
    usable(page)
    page.goto("/merges")
    page.get_by_label("Who would be deleted").fill(customer)
    page.get_by_label("Who would be kept").fill(other)
    page.get_by_role("button", name="Show what it comes to").click()
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    usable(page)
