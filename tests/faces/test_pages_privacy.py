"""Privacy on pages: requests by their deadlines, who is purged when, erasing and handing out, and the access log."""

import io
import json
import re
import zipfile
from datetime import date

import pytest
from sqlalchemy import delete as delete_rows
from sqlalchemy import update

from onewriter.customers import access_lines, requests, runs, shops
from onewriter.customers.access_lines import Line, Wanted
from onewriter.customers.people import Role
from onewriter.db.privacytables import access_log
from onewriter.records import DAY, HOUR, Instant, iso
from onewriter.runtime import Runtime
from tests.support.lawful import data_request
from tests.support.pages import Site
from tests.support.purging import delete
from tests.support.raw import ON_SQLITE
from tests.support.redacting import ANN, BEN, EMAIL, deliver, erased, held, id_of, person, redaction
from tests.support.shops import Tea, absent, merged

pytestmark = ON_SQLITE

WHY = "she asked at the till"


@pytest.fixture
def now(runtime: Runtime) -> Instant:
    """Now, by the clock that the pages go by."""
    return runtime.now()


@pytest.fixture
def tea(tea: Tea, now: Instant) -> Tea:
    """The shop, whose clock agrees with ours, and its two customers."""
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"shopify_date": now, "shopify_date_heard": now})
    tea.apply(person(ANN, now - 200 * DAY), person(BEN, now - 200 * DAY, email="ben@example.com"), now=now)
    return tea


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def logged(tea: Tea) -> list[Line]:
    with tea.runtime.database.read() as db:
        return access_lines.newest(db, Wanted(), 100)


def files(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


# ---- What waits and what comes --------------------------------------------------------------------------------------


def test_where_nothing_is_asked_and_nobody_is_deleted_the_page_says_so(tea: Tea, site: Site) -> None:
    shown = plain(site.get("/privacy").text)
    for told in ("No request is open", "Nobody falls due", "Nothing was erased yet"):
        assert told in shown
    assert "No access like that is in the log" in site.get("/privacy/access").text
    assert "Nothing was erased yet" in site.get("/privacy/receipts").text
    assert "No request was ever made" in site.get("/privacy/requests?of=all").text
    assert site.get("/privacy/requests/9").status_code == 404
    assert site.get("/privacy/requests?of=some").status_code == 422


def test_requests_stand_with_their_deadlines_the_overdue_first(tea: Tea, site: Site, now: Instant) -> None:
    deliver(tea, now - 25 * DAY, "customers/data_request", data_request(ANN), "w-soon")
    deliver(tea, now - 32 * DAY, "customers/data_request", data_request(BEN, email="ben@example.com"), "w-late")
    for path in ("/privacy", "/privacy/requests"):
        shown = plain(site.get(path).text)
        assert shown.index("overdue by 2 days") < shown.index("4 days"), path
        assert EMAIL not in shown
    assert "To be done by" in site.get("/privacy/requests/1").text


def test_the_calendar_counts_who_falls_due_on_which_day(tea: Tea, site: Site, now: Instant) -> None:
    delete(tea, ANN, now - 10 * DAY)
    delete(tea, BEN, now - 10 * DAY)
    shown = plain(site.get("/privacy").text)
    day = date.fromisoformat((iso(now + 80 * DAY) or "")[:10])
    assert f" {day.day} {day:%b %Y} 2 " in shown


# ---- Purging and retention ------------------------------------------------------------------------------------------


def test_who_is_due_is_purged_by_an_owner_who_saw_how_many_and_says_why(tea: Tea, site: Site, now: Instant) -> None:
    assert "No deleted customer of tea.myshopify.com is due" in plain(site.get("/privacy/purge").text)
    delete(tea, ANN, now - 100 * DAY)
    staff = site.as_(Role.STAFF)
    assert staff.get("/privacy/purge").status_code == 403
    assert staff.post("/privacy/purge", {"why": WHY}).status_code == 403
    assert [(line.action, line.allowed) for line in logged(tea)] == [("purge", False)]
    assert "1 deleted customer goes for good" in plain(site.get("/privacy/purge").text)
    assert site.post("/privacy/purge", {"why": ""}).status_code == 422
    done = site.post("/privacy/purge", {"why": WHY})
    assert done.status_code == 303
    with tea.runtime.database.read() as db:
        [run] = runs.active(db, tea.shop_id)
    assert (run.kind, run.requested_by, done.headers["location"]) == (runs.PURGE, "user:olga", f"/runs/{run.id}")
    again = site.post("/privacy/purge", {"why": WHY})
    assert (again.status_code, WHY in again.text) == (409, True)


def test_nothing_is_purged_by_a_clock_that_is_doubted(tea: Tea, site: Site, now: Instant) -> None:
    delete(tea, ANN, now - 100 * DAY)
    with tea.runtime.database.write() as db:
        shops.change(db, tea.shop_id, {"shopify_date": now - 9 * HOUR})
    refused = site.post("/privacy/purge", {"why": WHY})
    assert (refused.status_code, "Nothing is purged" in refused.text) == (409, True)


def test_fewer_days_are_set_once_somebody_saw_who_is_due_by_it(tea: Tea, site: Site, now: Instant) -> None:
    delete(tea, ANN, now - 40 * DAY)
    for days in ("0", "many", "99999999"):
        assert site.post("/privacy/retention", {"days": days}).status_code == 422
    preview = plain(site.post("/privacy/retention", {"days": "30"}).text)
    assert "1 is due then, and purged for good" in preview
    with tea.runtime.database.read() as db:
        assert shops.by_id(db, tea.shop_id).retention_days == 90
    sure = {"days": "30", "do_it": "yes"}
    assert site.post("/privacy/retention", sure | {"why": ""}).status_code == 422
    assert site.as_(Role.STAFF).post("/privacy/retention", sure | {"why": WHY}).status_code == 403
    assert site.post("/privacy/retention", sure | {"why": WHY}).status_code == 303
    with tea.runtime.database.read() as db:
        assert shops.by_id(db, tea.shop_id).retention_days == 30
    assert (logged(tea)[0].action, logged(tea)[0].subject) == ("settings", "retention from 90 to 30 days")


# ---- Erasing --------------------------------------------------------------------------------------------------------


def test_a_customer_is_erased_once_an_owner_saw_whom_it_takes_and_is_sure(tea: Tea, site: Site, now: Instant) -> None:
    tea.apply(merged(BEN, ANN, now), absent(BEN, now + 1), now=now + 1)
    given = {"customer": str(ANN), "why": WHY}
    preview = site.post("/privacy/erase", given)
    assert f"Erase customer {ANN} and 1 merged into it of tea.myshopify.com?" in plain(preview.text)
    sure = given | {"customers": "2", "do_it": "yes", "sure": "yes"}
    unsure = site.post("/privacy/erase", sure | {"sure": ""})
    assert (unsure.status_code, "Say that you are sure" in unsure.text) == (422, True)
    other = site.post("/privacy/erase", sure | {"customers": "1"})
    assert (other.status_code, "It takes 2 customers by now" in other.text) == (422, True)
    assert held(tea) == [ANN, BEN]
    done = site.post("/privacy/erase", sure)
    assert (done.status_code, done.headers["location"]) == (303, "/privacy/receipts")
    assert (held(tea), erased(tea, ANN, BEN)) == ([], True)
    assert "by user:olga" in site.get("/privacy/receipts").text
    assert {(line.action, line.allowed) for line in logged(tea)} == {("erase", True)}
    assert "was erased" in site.post("/privacy/erase", given).text


def test_nobody_but_an_owner_erases_and_a_reason_and_an_id_are_asked_for(tea: Tea, site: Site) -> None:
    sure = {"customer": str(ANN), "why": WHY, "customers": "1", "do_it": "yes", "sure": "yes"}
    for role in (Role.STAFF, Role.VIEWER):
        who = site.as_(role)
        assert who.get("/privacy/erase").status_code == 403
        assert who.post("/privacy/erase", sure).status_code == 403
        assert who.post("/privacy/erase", {"customer": str(ANN), "why": WHY}).status_code == 403
    assert [line.allowed for line in logged(tea)] == [False, False]
    for wrong in ({"why": ""}, {"customer": EMAIL}, {"customer": ""}, {"customer": "nobody"}):
        asked = site.post("/privacy/erase", sure | wrong)
        assert (asked.status_code, 'role="alert"' in asked.text) == (422, True), wrong
    assert held(tea) == [ANN, BEN]
    assert str(ANN) in site.get(f"/privacy/erase?customer={ANN}").text


# ---- Handing out ----------------------------------------------------------------------------------------------------


def test_a_customer_is_handed_out_as_files_to_an_owner_who_says_why(tea: Tea, site: Site) -> None:
    for role in (Role.STAFF, Role.VIEWER):
        refused = site.as_(role).post("/privacy/export", {"customer": str(ANN), "why": WHY})
        assert (refused.status_code, EMAIL in refused.text) == (403, False)
    assert [line.allowed for line in logged(tea)] == [False, False]
    for wrong in ({"customer": str(ANN), "why": ""}, {"customer": EMAIL, "why": WHY}, {"customer": "5", "why": WHY}):
        assert site.post("/privacy/export", wrong).status_code == 422
    answer = site.post("/privacy/export", {"customer": str(ANN), "why": WHY})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert str(ANN) not in answer.headers["content-disposition"]
    found = files(answer.content)
    whole = json.loads(found["customer.json"])
    assert EMAIL in found["customers.csv"]
    assert "ben@example.com" not in json.dumps(whole)
    assert (logged(tea)[0].action, logged(tea)[0].customer_id) == ("export", id_of(tea, ANN))


def test_a_request_for_data_is_done_by_the_download(tea: Tea, site: Site, now: Instant) -> None:
    deliver(tea, now, "customers/data_request", data_request(ANN), "w-data")
    path = "/privacy/requests/1/export"
    assert site.as_(Role.STAFF).post(path).status_code == 403
    answer = site.post(path)
    assert EMAIL in files(answer.content)["customer.json"]
    with tea.runtime.database.read() as db:
        assert requests.get(db, 1).outcome == "exported"
    assert site.post(path).status_code == 404
    assert "Download" not in site.get("/privacy/requests/1").text


def test_a_request_about_somebody_who_was_erased_is_done_by_saying_that_nothing_is_held(
    tea: Tea, site: Site, now: Instant
) -> None:
    deliver(tea, now, "customers/data_request", data_request(ANN), "w-data")
    sure = {"customer": str(ANN), "why": WHY, "customers": "1", "do_it": "yes", "sure": "yes"}
    assert site.post("/privacy/erase", sure).status_code == 303
    done = site.post("/privacy/requests/1/export", {"why": WHY})
    assert (done.status_code, done.headers["location"]) == (303, "/privacy/requests/1")
    assert "there was nothing to export" in site.get("/privacy/requests/1").text


def test_a_request_is_closed_for_a_reason(tea: Tea, site: Site, now: Instant) -> None:
    deliver(tea, now, "customers/data_request", data_request(ANN), "w-data")
    path = "/privacy/requests/1/close"
    assert site.post(path, {"why": ""}).status_code == 422
    assert site.as_(Role.STAFF).post(path, {"why": WHY}).status_code == 403
    assert "An owner answers it" in site.as_(Role.VIEWER).get("/privacy/requests/1").text
    assert site.post(path, {"why": WHY}).status_code == 303
    assert "closed by hand" in site.get("/privacy/requests?of=all").text
    assert "No request is open" in site.get("/privacy/requests").text


def test_a_redaction_of_shopify_leaves_a_receipt_without_the_person(tea: Tea, site: Site, now: Instant) -> None:
    deliver(tea, now, "customers/redact", redaction(ANN))
    for path in ("/privacy", "/privacy/receipts"):
        shown = plain(site.get(path).text)
        assert "customers/redact" in shown
        assert str(ANN) not in shown


# ---- The access log -------------------------------------------------------------------------------------------------


def test_the_access_log_says_who_saw_what_of_whom_and_its_reasons_to_an_owner_for_one(tea: Tea, site: Site) -> None:
    site.post(f"/customers/{ANN}", {"why": WHY})
    shown = plain(site.get("/privacy/access").text)
    for told in ("user:olga", "reveal", "email"):
        assert told in shown
    assert WHY not in site.get("/privacy/access").text
    assert site.as_(Role.STAFF).post("/privacy/access", {"why": "curious"}).status_code == 403
    assert site.post("/privacy/access", {"why": ""}).status_code == 422
    opened = site.post("/privacy/access", {"why": "the yearly look"})
    assert WHY in opened.text
    assert [(line.action, line.allowed) for line in logged(tea)][:2] == [
        ("read reasons", True),
        ("read reasons", False),
    ]


def test_the_access_log_is_filtered_and_comes_a_page_at_a_time(tea: Tea, site: Site) -> None:
    for _ in range(55):
        site.post(f"/customers/{ANN}", {"why": WHY})
    site.as_(Role.STAFF).post("/privacy/purge", {"why": WHY})
    first = site.get("/privacy/access?action=reveal").text
    assert first.count(">reveal<") == 50
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link is not None
    assert site.get(link.group(1).replace("&amp;", "&")).text.count(">reveal<") == 5
    assert "purge" in plain(site.get("/privacy/access?actor=staff-staff").text)
    assert site.get(f"/privacy/access?customer={ANN}").text.count(">reveal<") == 50
    assert "No access like that" in site.get(f"/privacy/access?customer={BEN}").text
    assert "No access like that" in site.get("/privacy/access?since=2199-01-01").text
    assert "No access like that" in site.get("/privacy/access?until=2001-01-01").text
    for wrong in (f"customer={EMAIL}", "since=yesterday", "customer=12345"):
        assert site.get(f"/privacy/access?{wrong}").status_code == 422, wrong


def test_the_log_is_proved_or_it_is_said_where_it_is_broken(tea: Tea, site: Site) -> None:
    for _ in range(3):
        site.post(f"/customers/{ANN}", {"why": WHY})
    assert "The log is whole" in plain(site.post("/privacy/access/proof").text)
    with tea.runtime.database.write() as db:
        db.execute(update(access_log).where(access_log.c.position == 2).values(actor="user:nobody"))
    assert "Position 2 is changed" in plain(site.post("/privacy/access/proof").text)
    with tea.runtime.database.write() as db:
        db.execute(delete_rows(access_log).where(access_log.c.position == 2))
    assert "Position 2 is missing" in plain(site.post("/privacy/access/proof").text)
