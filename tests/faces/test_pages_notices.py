"""Notices on pages and for programs: what was told, whether it arrived, and a test by those who may."""

from collections.abc import Iterator
from typing import Any

import pytest

from onewriter.customers import notices, shops
from onewriter.customers.people import Role
from onewriter.records import DAY, Instant
from onewriter.rules.notifying import Kind, Notice
from tests.support.doors import serving
from tests.support.pages import Program, Site, let_in, token_of
from tests.support.raw import ON_SQLITE
from tests.support.receivers import Receiver, hook, outbox, telling, webhook
from tests.support.shops import DOMAIN, Tea

pytestmark = ON_SQLITE

HERE = "/settings/notices"


@pytest.fixture
def given_up(tea: Tea, now: Instant) -> int:
    """A notice that was tried for a day."""
    with tea.runtime.database.write() as db:
        notices.write_down(db, "webhook", [Notice(Kind.RUN_FAILED, "run 1", "The run import failed.")], now)
        for tries in range(9):
            for one in notices.claim(db, "webhook", now + tries * DAY):
                notices.not_sent(db, one, "The receiver answered 500 instead of 2xx.", now)
    [one] = outbox(tea)
    assert one.state == "failed"
    return one.id


@pytest.fixture
def told(tea: Tea, now: Instant) -> Iterator[tuple[Site, Receiver]]:
    """The pages of a shop that tells a receiver."""
    with webhook(Receiver()) as receiver, telling(tea, now, **hook(receiver)) as runtime, serving(runtime) as url:
        yield Site(runtime, url, let_in(runtime, "olga", Role.OWNER)), receiver


def test_nobody_is_told_of_anything_until_it_is_set(site: Site) -> None:
    assert "ONEWRITER_NOTIFY_WEBHOOK_URL" in site.get(HERE).text
    assert "No channel is set" in site.get(HERE, cookie=_said(site)).text


def _said(site: Site) -> str:
    sent = site.post(f"{HERE}/test")
    return f"onewriter={site.cookie}; " + sent.headers["set-cookie"].partition(";")[0]


def test_a_test_is_sent_by_staff_alone(told: tuple[Site, Receiver]) -> None:
    site, receiver = told
    assert "Told by webhook" in site.get(HERE).text
    assert site.as_(Role.VIEWER).post(f"{HERE}/test").status_code == 403
    assert receiver.told == []
    assert site.as_(Role.STAFF).post(f"{HERE}/test").status_code == 303
    assert [each["kind"] for each in receiver.told] == ["test"]


def test_what_was_given_up_is_sent_again(site: Site, tea: Tea, given_up: int) -> None:
    page = site.get(HERE).text
    assert "answered 500 instead of 2xx" in page
    assert "1 were given up" in site.get("/settings").text
    assert site.as_(Role.VIEWER).post(f"{HERE}/{given_up}/retry").status_code == 403
    assert site.post(f"{HERE}/{given_up}/retry").status_code == 303
    assert outbox(tea)[0].state == "waiting"
    assert site.post(f"{HERE}/{given_up}/retry").status_code == 404
    assert site.post(f"{HERE}/x/retry").status_code == 404


def test_programs_are_told_the_same(program: Program, tea: Tea, given_up: int) -> None:
    [one] = program.get("/notices")["items"]
    assert (one["state"], one["tries"], one["subject"]) == ("failed", 8, "run 1")
    viewer = program.as_(Role.VIEWER)
    assert viewer.ask("POST", f"/notices/{given_up}/retry").status_code == 403
    assert viewer.ask("POST", "/notices/test").status_code == 403
    assert program.ask("POST", f"/notices/{given_up}/retry").json() == {"id": given_up, "state": "waiting"}
    assert program.ask("POST", f"/notices/{given_up}/retry").status_code == 404
    assert program.ask("POST", "/notices/test").json() == {"channels": []}


def test_a_program_tests_every_channel(told: tuple[Site, Receiver]) -> None:
    site, receiver = told
    receiver.status = 404
    program = Program(site.runtime, site.url, token_of(site.runtime, "till", Role.STAFF))
    [one] = program.ask("POST", "/notices/test").json()["channels"]
    assert one == {"channel": "webhook", "arrived": False, "error": "The receiver answered 404 instead of 2xx."}


def test_a_link_to_a_case_leads_to_no_case_of_another_shop(site: Site, tea: Tea, now: Instant) -> None:
    columns: dict[str, Any] = {"domain": "coffee.myshopify.com", "admin_url": "https://coffee.myshopify.com"}
    columns |= {"public_url": "https://tea.example", "api_version": "2026-10", "state": "connected", "scopes": []}
    with tea.runtime.database.write() as db:
        shops.add(db, columns | {"box": b"", "installed_at": now, "connected_at": now})
    site.post("/settings/shop", {"shop": DOMAIN})
    elsewhere = site.get("/cases/1?shop=coffee.myshopify.com")
    assert (elsewhere.status_code, elsewhere.headers["location"]) == (303, "/settings")
    assert site.get(f"/cases/1?shop={DOMAIN}").status_code == 404, "it is looked for in the shop that is looked at"
    assert site.get("/cases/1?shop=%3Cb%3E").status_code == 422
    site.post("/settings/shop", {"shop": "coffee.myshopify.com"})
    assert site.get("/cases/1?shop=coffee.myshopify.com").status_code == 404
