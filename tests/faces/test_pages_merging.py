"""Merges on pages and for programs: what one would come to, its receipt, and giving points back."""

import time

import pytest

from onewriter.customers.people import Role
from onewriter.records import HOUR, Instant
from tests.support.loyal import Loyal
from tests.support.pages import Program, Site
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE

TWO = {"deleted": "101", "kept": "102"}
WHY = {"why": "another person after all"}


@pytest.fixture
def now() -> Instant:
    """Lately, since the pages look by the machine's clock."""
    return time.time_ns() // 1000 - 2 * HOUR


@pytest.fixture
def two(loyal: Loyal) -> Loyal:
    """Customers 101 and 102, with 100 points each, 50 of them for signing up."""
    loyal.customer(101, loyal.now - HOUR, first_name="Mia", last_name="Canary", email="mia.canary@example.com")
    loyal.customer(102, loyal.now)
    loyal.post(loyal.order(7001, 101, 50), loyal.order(7002, 102, 50))
    return loyal


@pytest.fixture
def receipt(two: Loyal, program: Program) -> str:
    """That of the merge of the first into the second."""
    two.merge(101, 102, two.now + HOUR)
    found: str = program.get("/merges")["items"][0]["id"]
    return found


@pytest.mark.req("K40", "K44")
def test_a_plan_is_shown_and_changes_nothing(two: Loyal, site: Site) -> None:
    assert "No points were merged yet" in site.get("/merges").text
    before = [two.entries(number) for number in (101, 102)]
    shown = site.as_(Role.VIEWER).post("/merges", TWO)
    assert shown.status_code == 200
    for told in ("Nothing was changed", "given once in a life", '<td class="number">150</td>'):
        assert told in shown.text
    assert [two.entries(number) for number in (101, 102)] == before
    by_address = site.post("/merges", TWO | {"deleted": "mia.canary@example.com"})
    assert '<td class="number">150</td>' in by_address.text
    for wrong, code in (({"kept": "101"}, 409), ({"kept": "999"}, 404), ({"kept": ""}, 422)):
        told_so = site.post("/merges", TWO | wrong)
        assert (told_so.status_code, 'class="wrong"' in told_so.text) == (code, True), wrong
        assert 'value="101"' in told_so.text, "what was typed is kept"


def test_a_receipt_is_read_and_its_points_are_given_back(two: Loyal, site: Site, receipt: str) -> None:
    here = f"/merges/{receipt}"
    assert receipt[:8] in site.get("/merges").text
    page = site.get(here).text
    assert "Give customer 101 its points back from customer 102" in page
    assert "Give them back" not in site.as_(Role.VIEWER).get(here).text
    assert site.as_(Role.VIEWER).post(f"{here}/undo", WHY).status_code == 403
    without = site.post(f"{here}/undo", {"why": ""})
    assert (without.status_code, 'class="wrong"' in without.text) == (422, True)
    assert site.post(f"{here}/undo", WHY).status_code == 303
    after = site.get(here).text
    assert ("another person after all" in after, "Give them back" in after) == (True, False)
    assert site.post(f"{here}/undo", WHY).status_code == 409
    assert site.get("/merges/nonsense").status_code == 404


def test_programs_do_the_same(two: Loyal, program: Program, receipt: str) -> None:
    two.customer(103)
    plan = program.ask("POST", "/merges/plan", {"deleted": "103", "kept": "102"}).json()
    assert plan["after"]["balance"] == 150
    assert program.ask("POST", "/merges/plan", {"deleted": "102", "kept": "102"}).status_code == 409
    shown = program.get(f"/merges/{receipt}")
    assert (shown["after"]["balance"], len(shown["dropped"])) == (150, 1)
    viewer = program.as_(Role.VIEWER)
    assert viewer.ask("POST", f"/merges/{receipt}/undo", WHY).status_code == 403
    done = program.ask("POST", f"/merges/{receipt}/undo", WHY).json()
    assert [done["accounts"][side]["balance"] for side in ("deleted", "kept")] == [100, 100]
    assert program.ask("POST", f"/merges/{receipt}/undo", WHY).status_code == 409
