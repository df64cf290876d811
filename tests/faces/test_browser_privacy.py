"""Privacy, inbox, questions and settings in a real browser, with something on each, in both themes and on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from onewriter.customers import shops
from onewriter.customers.people import Role
from onewriter.desk import erasures
from onewriter.desk.caller import Caller
from onewriter.records import DAY
from onewriter.web.pages.frame import COOKIE
from tests.support.browser import PageOf, axe, look
from tests.support.doors import serving
from tests.support.lawful import data_request
from tests.support.pages import let_in, token_of
from tests.support.purging import delete
from tests.support.raw import ON_SQLITE
from tests.support.redacting import ANN, BEN, CARO, deliver, person
from tests.support.shops import Tea

pytestmark = [ON_SQLITE, pytest.mark.time_limit(240)]

WIDE = "document.documentElement.scrollWidth > window.innerWidth"
PATHS = (
    "/privacy", "/privacy/requests", "/privacy/requests/3", "/privacy/receipts", "/privacy/purge", "/privacy/erase",
    "/privacy/export", "/privacy/access", "/inbox", "/inbox/1", "/inbox/1/drop", "/questions", "/questions/1",
    "/questions?of=all", "/settings", "/settings/people", "/settings/people/remove?name=olga", "/settings/tokens",
    "/settings/keys", "/settings/values",
)  # fmt: skip


@pytest.fixture
def full(tea: Tea, page_of: PageOf) -> Tea:
    """A shop with something on every page: parked deliveries, requests, a receipt, and customers who fall due."""
    moment = tea.runtime.now()
    with page_of.aside(), tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"shopify_date": moment, "shopify_date_heard": moment})
    numbers = (ANN, BEN, CARO, 104, 105)
    tea.apply(*(person(each, moment - 200 * DAY, email=f"{each}@example.com") for each in numbers), now=moment)
    with page_of.aside():
        for each in range(2):
            deliver(tea, moment, "orders/fancy", b'{"email": "canary@example.com"}', f"w-{each}")
        deliver(tea, moment - 28 * DAY, "customers/data_request", data_request(BEN), "w-soon")
        deliver(tea, moment - 40 * DAY, "customers/data_request", data_request(ANN), "w-late")
        deliver(tea, moment, "customers/data_request", data_request(None, email="who@example.com"), "w-unclear")
    delete(tea, 104, moment - 100 * DAY)
    delete(tea, 105, moment - 10 * DAY)
    erasures.erase(Caller(tea.runtime, "user:olga"), None, str(CARO), "she asked at the till", seen=1)
    token_of(tea.runtime, "till", Role.VIEWER)
    return tea


@pytest.fixture
def window(full: Tea, page_of: PageOf) -> Iterator[Page]:
    """An owner's window."""
    with serving(full.runtime) as url:
        yield page_of(url, cookies={COOKIE: let_in(full.runtime, "olga", Role.OWNER)})


def test_every_page_with_something_on_it_is_usable_by_everybody(window: Page) -> None:
    wrong = []
    for path in PATHS:
        answer = window.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        name = path.strip("/").partition("?")[0].replace("/", "-")
        wrong += [f"{path}: {line}" for line in look(window, f"full-{name}")]
    assert wrong == []


def test_every_page_with_something_on_it_fits_a_phone(full: Tea, page_of: PageOf) -> None:
    with serving(full.runtime) as url:
        phone = page_of(url, cookies={COOKIE: let_in(full.runtime, "olga", Role.OWNER)}, phone=True)
        wide = []
        for path in PATHS:
            phone.goto(path)
            wide += [path] if phone.evaluate(WIDE) else []
    assert wide == []


def test_a_customer_is_erased_by_the_mouse_after_being_asked_twice(window: Page) -> None:
    window.goto("/privacy")
    window.get_by_role("link", name="Erase a customer").click()
    window.get_by_label("Customer").fill(str(ANN))
    window.get_by_label("Why").fill("he asked by letter")
    window.get_by_role("button", name="See whom it takes").click()
    expect(window.get_by_text("It cannot be undone.")).to_be_visible()
    assert axe(window) == []
    window.get_by_label("I am sure").check()
    window.get_by_role("button", name="Erase for good").click()
    expect(window.get_by_role("status")).to_contain_text("Erased: 1. Receipt")


def test_a_question_is_answered_a_body_seen_and_a_reason_read_by_the_mouse(window: Page) -> None:
    window.goto("/inbox/1")
    window.get_by_label("Why").fill("to see what it is")
    window.get_by_role("button", name="Show it").click()
    expect(window.get_by_text("canary@example.com")).to_be_visible()
    assert axe(window) == []
    window.goto("/questions/1")
    window.get_by_label("Why").fill("nobody needs it")
    window.get_by_role("button", name="Give it up").click()
    expect(window.get_by_role("status")).to_contain_text("delivery 1 is given up")
    window.goto("/privacy/access")
    window.get_by_text("Show the reasons that people gave").click()
    window.get_by_label("Why").fill("the yearly look")
    window.get_by_role("button", name="Show them").click()
    expect(window.get_by_text("to see what it is")).to_be_visible()
    assert axe(window) == []
    window.get_by_role("button", name="Prove that it is whole").click()
    expect(window.get_by_role("heading", name="The log is whole")).to_be_visible()
    assert axe(window) == []


def test_everything_of_a_customer_is_downloaded_for_a_request(window: Page) -> None:
    window.goto("/privacy/requests")
    window.get_by_role("link", name="Request 1").click()
    with window.expect_download() as downloaded:
        window.get_by_role("button", name="Download everything").click()
    assert downloaded.value.suggested_filename.endswith(".zip")
    window.reload()
    expect(window.get_by_text("exported")).to_be_visible()


def test_previews_links_and_secrets_that_are_shown_once_are_usable_by_everybody(window: Page, page_of: PageOf) -> None:
    page_of.expect(422)
    window.goto("/privacy")
    window.get_by_label("Days from the deletion to the purge").fill("5")
    window.get_by_role("button", name="See what that means").click()
    expect(window.get_by_text("purged for good within the hour")).to_be_visible()
    found = axe(window)
    window.goto("/settings/people")
    window.get_by_label("Name", exact=True).fill("ben")
    window.get_by_role("button", name="Make the link").click()
    expect(window.get_by_text("/welcome?link=")).to_be_visible()
    found += axe(window)
    window.goto("/settings/tokens")
    window.get_by_label("Name", exact=True).fill("two words")
    window.get_by_role("button", name="Make it").click()
    expect(window.get_by_role("alert")).to_be_visible()
    found += axe(window)
    window.get_by_label("Name", exact=True).fill("feed")
    window.get_by_role("button", name="Make it").click()
    expect(window.get_by_text("ow_")).to_be_visible()
    assert found + axe(window) == []
