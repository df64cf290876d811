"""The inbox and the questions on pages: what waits is seen, a body is opened for a reason, and decisions are taken."""

import re

import pytest

from onewriter.customers import access_lines, inbox, questions
from onewriter.customers.access_lines import Line, Wanted
from onewriter.customers.people import Role
from onewriter.customers.questions import Ask
from onewriter.customers.requests import UNCLEAR_REDACTION
from onewriter.customers.retention import LARGE_PURGE
from onewriter.records import Instant
from tests.support.lawful import data_request
from tests.support.pages import Site
from tests.support.raw import ON_SQLITE
from tests.support.redacting import deliver
from tests.support.shops import Tea

pytestmark = ON_SQLITE

BODY = b'{"id": 5, "email": "canary@example.com"}'
WHY = "to see what it is"


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def state(tea: Tea, position: int = 1) -> str:
    with tea.runtime.database.read() as db:
        return str(inbox.get(db, position)["state"])


def logged(tea: Tea) -> list[Line]:
    with tea.runtime.database.read() as db:
        return access_lines.newest(db, Wanted(), 100)


@pytest.fixture
def parked(tea: Tea, now: Instant) -> Tea:
    """A shop with one delivery of a topic that nobody knows."""
    deliver(tea, now, "orders/fancy", BODY, "w-1")
    return tea


# ---- Deliveries -----------------------------------------------------------------------------------------------------


def test_where_nothing_was_delivered_the_inbox_says_so(site: Site) -> None:
    assert "Nothing was delivered yet" in site.get("/inbox").text
    assert "Nothing is parked" in site.get("/inbox?state=parked").text
    assert site.get("/inbox?state=strange").status_code == 422
    assert site.get("/inbox/7").status_code == 404
    assert site.get(f"/inbox/{10**30}").status_code == 404


def test_deliveries_come_a_page_at_a_time_without_their_bodies(parked: Tea, site: Site, now: Instant) -> None:
    for each in range(60):
        deliver(parked, now, "orders/fancy", BODY, f"w-more-{each}")
    page = site.get("/inbox?state=parked")
    assert "canary" not in page.text
    assert plain(page.text).count("orders/fancy") == 50
    link = re.search(r'rel="next" href="([^"]+)"', page.text)
    assert link is not None
    following = site.get(link.group(1).replace("&amp;", "&")).text
    assert plain(following).count("orders/fancy") == 11
    assert 'rel="next"' not in following
    assert "No delivery is done" in site.get("/inbox?state=done").text


def test_a_body_is_opened_for_a_reason_that_is_in_the_access_log(parked: Tea, site: Site) -> None:
    assert "canary" not in site.get("/inbox/1").text
    assert site.post("/inbox/1", {"why": ""}).status_code == 422
    assert logged(parked) == []
    opened = site.post("/inbox/1", {"why": WHY})
    assert (opened.status_code, "canary@example.com" in opened.text) == (200, True)
    assert opened.headers["cache-control"] == "no-store"
    [line] = logged(parked)
    assert (line.action, line.subject, line.fields, line.actor) == ("reveal", "delivery 1", "body", "user:olga")
    refused = site.as_(Role.VIEWER).post("/inbox/1", {"why": WHY})
    assert (refused.status_code, "canary" in refused.text, logged(parked)[0].allowed) == (403, False, False)


def test_a_parked_delivery_is_tried_again_or_given_up_by_staff(parked: Tea, site: Site) -> None:
    staff, viewer = site.as_(Role.STAFF), site.as_(Role.VIEWER)
    assert "Give it up" not in viewer.get("/inbox/1").text
    for path in ("/inbox/1/retry", "/inbox/1/drop"):
        assert viewer.post(path).status_code == 403
    assert viewer.get("/inbox/1/drop").status_code == 403
    assert state(parked) == "parked"
    assert "never applied" in staff.get("/inbox/1/drop").text
    done = staff.post("/inbox/1/drop")
    assert (done.status_code, done.headers["location"], state(parked)) == (303, "/inbox/1", "dropped")
    assert staff.post("/inbox/1/retry").status_code == 404


def test_a_delivery_is_tried_again(parked: Tea, site: Site) -> None:
    assert site.post("/inbox/1/retry").status_code == 303
    assert state(parked) == "waiting"
    with parked.runtime.database.read() as db:
        assert questions.count(db) == 0, "the question about it is closed"


def test_what_the_law_asks_is_given_up_by_an_owner_alone_and_that_is_seen_later(
    tea: Tea, site: Site, now: Instant
) -> None:
    deliver(tea, now, "customers/data_request", b"[]", "w-law")
    assert state(tea) == "parked"
    staff = site.as_(Role.STAFF)
    assert "An owner decides" in staff.get("/inbox/1/drop").text
    assert staff.post("/inbox/1/drop").status_code == 403
    assert (state(tea), logged(tea)[0].allowed) == ("parked", False)
    assert site.post("/inbox/1/drop").status_code == 303
    assert (state(tea), logged(tea)[0].action, logged(tea)[0].allowed) == ("dropped", "give up", True)


# ---- Questions ------------------------------------------------------------------------------------------------------


def ask(tea: Tea, now: Instant, kind: str, subject: str = "1") -> int:
    answers = {"purge": "purge them once", "wait": "wait for a week"}
    asked = Ask(kind, subject, f"What of {subject}?", answers, "nothing is purged", evidence={"due": 200})
    with tea.runtime.database.write() as db:
        return questions.ask(db, tea.shop_id, asked, now)


def test_a_question_shows_its_evidence_and_what_each_answer_does(parked: Tea, site: Site) -> None:
    assert "is not one that onewriter knows" in plain(site.get("/questions").text)
    shown = site.get("/questions/1").text
    assert '<a href="/inbox/1">delivery 1</a>' in shown
    for answer in ("retry", "drop"):
        assert f'name="answer" value="{answer}"' in shown
    assert "Without an answer" in shown


def test_a_question_is_answered_once_for_a_reason_and_says_what_was_done(parked: Tea, site: Site) -> None:
    assert site.post("/questions/1", {"answer": "drop", "why": " "}).status_code == 422
    strange = site.post("/questions/1", {"answer": "shrug", "why": WHY})
    assert (strange.status_code, "That question allows" in strange.text, WHY in strange.text) == (409, True, True)
    assert state(parked) == "parked"
    answered = site.post("/questions/1", {"answer": "drop", "why": WHY})
    assert (answered.status_code, state(parked)) == (303, "dropped")
    assert "No question waits" in site.get("/questions").text
    with site.client as client:
        client.cookies.update(answered.cookies)
        shown = plain(client.get("/questions/1").text)
    assert "Answered with drop: delivery 1 is given up." in shown
    assert f"Why {WHY}" in shown
    again = site.post("/questions/1", {"answer": "retry", "why": WHY})
    assert (again.status_code, "was answered before" in again.text) == (409, True)
    assert "Question 1" in site.get("/questions?of=all").text


def test_an_answer_needs_the_role_that_the_commands_ask_for(tea: Tea, site: Site, now: Instant) -> None:
    number = ask(tea, now, LARGE_PURGE)
    path = f"/questions/{number}"
    for role in (Role.VIEWER, Role.STAFF):
        who = site.as_(role)
        assert 'name="answer"' not in who.get(path).text
        assert who.post(path, {"answer": "wait", "why": WHY}).status_code == 403
    assert [line.allowed for line in logged(tea)] == [False, False]
    assert site.post(path, {"answer": "wait", "why": WHY}).status_code == 303
    with tea.runtime.database.read() as db:
        assert (questions.get(db, number).answer, questions.get(db, number).answered_by) == ("wait", "user:olga")


def test_questions_come_a_page_at_a_time(tea: Tea, site: Site, now: Instant) -> None:
    for each in range(60):
        ask(tea, now, UNCLEAR_REDACTION, str(1000 + each))
    for path, first in (("/questions", "1000"), ("/questions?of=all", "1059")):
        page = site.get(path).text
        assert plain(page).index("What of ") == plain(page).index(f"What of {first}?")
        link = re.search(r'rel="next" href="([^"]+)"', page)
        assert link is not None
        rest = plain(site.get(link.group(1).replace("&amp;", "&")).text)
        assert rest.count("What of ") == 10
    assert site.get("/questions?of=none").status_code == 422


def test_a_request_that_names_nobody_asks_and_leads_there(tea: Tea, site: Site, now: Instant) -> None:
    deliver(tea, now, "customers/data_request", data_request(None, email="who@example.com"), "w-data")
    with tea.runtime.database.read() as db:
        [question] = questions.waiting(db, 10)
    assert f'href="/questions/{question.id}"' in site.get("/privacy/requests").text
    assert "who@example.com" not in site.get(f"/questions/{question.id}").text
