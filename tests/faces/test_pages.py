"""The pages over HTTP: nobody comes in unknown, nothing typed is lost, and each page tells what is known."""

import re

import httpx2
import pytest

from onewriter.customers import find, logins, people, sessions
from onewriter.customers.people import Role
from onewriter.desk import entering
from onewriter.desk.caller import Caller
from onewriter.records import DAY, HOUR, Instant
from onewriter.web.pages.every import PAGES
from onewriter.web.pages.frame import COOKIE
from tests.support.pages import Site
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea, told

pytestmark = ON_SQLITE

ANA = {"first_name": "Ana", "last_name": "Ruiz", "email": "ana@example.org", "phone": "+34600111222"}
SECRET = "four words make one"


@pytest.fixture
def ana(tea: Tea, now: Instant) -> str:
    """Our id of a customer who is there."""
    tea.apply(told(101, now, ANA), now=now)
    with tea.runtime.database.read() as db:
        return find.show(db, tea.vault, "101").id_text


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


# ---- Coming in ------------------------------------------------------------------------------------------------------


def test_nobody_who_is_not_logged_in_sees_a_page(site: Site, ana: str) -> None:
    stranger = Site(site.runtime, site.url, None)
    for page in PAGES:
        path = page.path.replace("{customer_id}", ana).replace("{run_id}", "r").replace("{number}", "1")
        path = re.sub(r"\{\w+(:\w+)?\}", "1", path)
        answer = stranger.get(path) if page.method == "GET" else stranger.post(path)
        assert answer.status_code == (303 if page.method == "GET" else 401), page.path
        assert "Ruiz" not in answer.text
        if page.method == "GET":
            assert answer.headers["location"].startswith("/login")


def test_the_first_link_makes_an_owner_once(site: Site, tea: Tea) -> None:
    with tea.runtime.database.write() as db:
        for name in ("user:olga",):
            logins.remove(db, name)
    link = entering.welcome(Caller(tea.runtime, "user:olga"), site.url)
    assert link is not None
    stranger, path = Site(site.runtime, site.url, None), link.removeprefix(site.url)
    assert stranger.get(path).status_code == 200
    given = {"link": path.partition("=")[2], "name": "eve", "password": SECRET, "password_again": SECRET}
    short = stranger.post("/welcome", given | {"password": "short", "password_again": "short"})
    assert (short.status_code, "12 to 256" in short.text) == (422, True)
    assert "not the same" in stranger.post("/welcome", given | {"password_again": "another one than that"}).text
    came_in = stranger.post("/welcome", given)
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/")
    assert Site(site.runtime, site.url, came_in.cookies[COOKIE]).get("/").status_code == 200
    with tea.runtime.database.read() as db:
        assert people.role_of(db, "user:eve") is Role.OWNER
    assert stranger.post("/welcome", given | {"name": "mallory"}).status_code == 403
    assert entering.welcome(Caller(tea.runtime, "user:olga"), site.url) is None


def entered(site: Site, tea: Tea, name: str = "ann", role: Role = Role.STAFF) -> None:
    """Somebody is invited, and chooses a password."""
    link = entering.invite(Caller(tea.runtime, "user:olga"), name, role)["link"].partition("=")[2]
    given = {"link": link, "password": SECRET, "password_again": SECRET}
    assert Site(site.runtime, site.url, None).post("/welcome", given).status_code == 303


def test_name_and_password_let_somebody_in_and_nothing_else_does(site: Site, tea: Tea) -> None:
    entered(site, tea)
    stranger = Site(site.runtime, site.url, None)
    wrong = stranger.post("/login", {"name": "ann", "password": "something else", "next": "/customers"})
    nobody = stranger.post("/login", {"name": "nobody", "password": SECRET})
    assert (wrong.status_code, nobody.status_code) == (422, 422)
    sentence = "This name and this password do not go together"
    assert (sentence in wrong.text, sentence in nobody.text, "something else" in wrong.text) == (True, True, False)
    right = stranger.post("/login", {"name": "ann", "password": SECRET, "next": "/customers"})
    assert (right.status_code, right.headers["location"]) == (303, "/customers")
    cookie = right.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


@pytest.mark.parametrize("where", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"])
def test_a_login_leads_to_a_page_of_ours_alone(site: Site, tea: Tea, where: str) -> None:
    entered(site, tea)
    given = {"name": "ann", "password": SECRET, "next": where}
    assert Site(site.runtime, site.url, None).post("/login", given).headers["location"] == "/"


def test_after_five_failures_a_try_must_wait_and_nobody_is_locked_out_for_longer_than_a_minute(
    tea: Tea, now: Instant
) -> None:
    database = tea.runtime.database
    hashed = logins.hash_of("user:ann", SECRET)
    with database.write() as db:
        logins.set_password(db, "user:ann", hashed, now)
    waits = []
    for _ in range(14):
        checked = logins.check(database, "user:ann", "a wrong password", now)
        waits.append(checked.wait_s)
        now += checked.wait_s * 1_000_000
    assert waits[:5] == [0] * 5
    assert [each for each in waits if each][:3] == [1, 2, 4]
    assert max(waits) <= 60
    logins.check(database, "user:ann", "a wrong password", now)
    early = logins.check(database, "user:ann", SECRET, now + 1_000_000)
    assert (early.ok, early.wait_s > 0) == (False, True)
    assert logins.check(database, "user:ann", SECRET, now + 60_000_000).ok
    assert logins.check(database, "user:ann", "a wrong password", now + 60_000_001).wait_s == 0


def test_a_session_ends_by_idleness_by_age_and_everywhere_at_once(tea: Tea, now: Instant) -> None:
    database = tea.runtime.database
    with database.write() as db:
        logins.set_password(db, "user:ann", "hash", now)
        one, other = sessions.begin(db, "user:ann", now), sessions.begin(db, "user:ann", now)
    assert sessions.resume(database, one, now + 11 * HOUR) is not None
    assert sessions.resume(database, one, now + 22 * HOUR) is not None
    assert sessions.resume(database, other, now + 13 * HOUR) is None
    moment = now
    while moment < now + 14 * DAY:
        assert sessions.resume(database, one, moment) is not None
        moment += 11 * HOUR
    assert sessions.resume(database, one, now + 14 * DAY) is None
    with database.write() as db:
        third = sessions.begin(db, "user:ann", now)
        assert sessions.end_every(db, "user:ann") == 3
    assert sessions.resume(database, third, now) is None


def test_log_out_everywhere_ends_the_other_browser_too(site: Site, tea: Tea) -> None:
    entered(site, tea)
    login = {"name": "ann", "password": SECRET}
    stranger = Site(site.runtime, site.url, None)
    first, second = (Site(site.runtime, site.url, stranger.post("/login", login).cookies[COOKIE]) for _ in range(2))
    assert first.post("/logout", {"everywhere": "yes"}).status_code == 303
    assert second.get("/").status_code == 303


def test_a_form_is_taken_from_a_page_of_the_session_alone(site: Site, ana: str) -> None:
    with site.client as client:
        assert client.post("/customers", data={"text": "ana"}).status_code == 403
        csrf = sessions.csrf_of(site.cookie or "")
        foreign = {"origin": "https://evil.example"}
        assert client.post("/customers", data={"text": "ana", "csrf": csrf}, headers=foreign).status_code == 403
        assert client.post("/customers", data={"text": "ana", "csrf": csrf}).status_code == 200


def test_what_was_typed_when_a_session_ended_is_carried_through_the_login(site: Site, tea: Tea, ana: str) -> None:
    entered(site, tea)
    gone = Site(site.runtime, site.url, "a cookie that nobody has")
    path = f"/customers/{ana}"
    asked = gone.post(path, {"why": "a call of hers <b>"})
    assert asked.status_code == 401
    assert 'name="kept:why" value="a call of hers &lt;b&gt;"' in asked.text
    assert 'name="resume" value="yes"' in asked.text
    given = {"name": "ann", "password": SECRET, "next": path, "resume": "yes", "kept:why": "a call of hers <b>"}
    back = Site(site.runtime, site.url, None).post("/login", given)
    assert "Nothing was lost" in back.text
    csrf = re.search(r'name="csrf" value="(\w+)"', back.text)
    assert csrf is not None
    again = Site(site.runtime, site.url, back.cookies[COOKIE])
    with again.client as client:
        sent = client.post(path, data={"why": "a call of hers <b>", "csrf": csrf.group(1)})
    assert (sent.status_code, ANA["email"] in sent.text) == (200, True)


def test_a_button_that_was_pressed_too_late_is_offered_again_and_no_page_is_opened_that_is_none(
    site: Site, tea: Tea, ana: str
) -> None:
    """Some forms have no field but their button, and what takes a form shows no page."""
    entered(site, tea)
    gone = Site(site.runtime, site.url, "a cookie that nobody has")

    def logged_in_after(path: str, *, refused_once: bool = False) -> httpx2.Response:
        asked = gone.post(path, {"csrf": "of the old session"})
        assert asked.status_code == 401
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', asked.text))
        stranger = Site(site.runtime, site.url, None)
        if refused_once:
            wrong = stranger.post("/login", fields | {"name": "ann", "password": "not hers at all"})
            fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', wrong.text))
        return stranger.post("/login", fields | {"name": "ann", "password": SECRET})

    for path, once in (("/settings/notices/test", False), ("/runs/run1/resume", True)):
        offered = logged_in_after(path, refused_once=once)
        assert offered.status_code == 200
        assert f'action="{path}"' in offered.text
        assert "Nothing was done yet" in offered.text
    for path, opened in (("/imports/check", "/imports"), ("/logout", "/")):
        led = logged_in_after(path)
        assert (led.status_code, led.headers["location"]) == (303, opened)
        again = Site(site.runtime, site.url, led.cookies[COOKIE])
        assert again.get(led.headers["location"]).status_code == 200


def test_what_another_site_sends_is_not_offered_as_what_somebody_had_typed(site: Site, ana: str) -> None:
    """Their cookie does not come with it, so that they look like somebody whose session has ended."""
    fields = {"name": "mallory", "role": "owner"}
    asked = Site(site.runtime, site.url, None).post(
        "/settings/people/invite", fields, headers={"origin": "https://evil.example"}
    )
    assert asked.status_code == 401
    assert not any(told in asked.text for told in ("mallory", "/settings/people", 'name="resume"'))


# ---- What is seen ---------------------------------------------------------------------------------------------------


def test_the_overview_says_what_to_do_where_nothing_is_connected_and_where_no_worker_runs(site: Site) -> None:
    said = plain(site.get("/").text)
    assert "No worker is running" in said
    assert "Nothing is running" in said


def test_customers_are_found_by_what_is_sent_in_a_form_and_shown_masked(site: Site, ana: str) -> None:
    for text in ("ana@example.org", "+34 600 111 222", "rui", "101"):
        found = site.post("/customers", {"text": text})
        assert (found.status_code, "/customers/" in found.text) == (200, True), text
        assert ANA["email"] not in found.text.replace(f'value="{text}"', "")
    assert "No customer of" in site.post("/customers", {"text": "nobody@example.org"}).text
    assert "101" in site.get("/customers").text
    assert "Nobody is gone" in site.get("/customers?of=gone").text


def test_values_are_shown_for_a_reason_that_is_in_the_access_log(site: Site, ana: str) -> None:
    masked = site.get("/customers/101").text
    assert ANA["email"] not in masked
    assert site.post("/customers/101", {"why": ""}).status_code == 422
    revealed = site.post("/customers/101", {"why": "she called"})
    assert ANA["email"] in revealed.text
    assert revealed.headers["cache-control"] == "no-store"


def test_a_viewer_gets_no_value_in_clear(site: Site, ana: str) -> None:
    viewer = site.as_(Role.VIEWER)
    assert viewer.get("/customers/101").status_code == 200
    refused = viewer.post("/customers/101", {"why": "curious"})
    assert refused.status_code == 403
    for answer in (refused, viewer.get("/customers/101"), viewer.post("/customers", {"text": "ana@example.org"})):
        text = answer.text.replace('value="ana@example.org"', "")
        assert [value for value in ANA.values() if value in text] == []


def test_an_address_that_is_none_and_a_cursor_that_is_none_are_told_in_a_sentence(site: Site) -> None:
    assert "No customer of this shop" in site.get("/customers/999").text
    assert site.get("/customers/ana@example.org").status_code == 404
    assert site.get("/customers?cursor=nonsense").status_code == 422
    assert site.get("/runs/nothing").status_code == 404


def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(site: Site, ana: str) -> None:
    for path in ("/", "/customers", "/customers/101", "/runs", "/login"):
        answer = site.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "script-src 'self'" in policy
        assert re.findall(r'(?:src|href)="(?:https?:)?//', answer.text) == []
        assert re.findall(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|<style", answer.text) == []
