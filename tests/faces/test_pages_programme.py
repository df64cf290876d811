"""The programme and the points of customers on pages: rules are seen before they are set, and each day adds up."""

import re

import pytest

from onewriter.customers import find
from onewriter.customers.people import Role
from onewriter.desk import programme as told_of
from onewriter.desk.caller import Caller
from onewriter.loyalty import points, programme
from onewriter.records import Instant
from tests.support.pages import Program, Site
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea, told

pytestmark = ON_SQLITE

RULES = 'currency = "EUR"\n[signup]\npoints = 50\n'


@pytest.fixture
def euro(tea: Tea) -> Tea:
    """A shop that counts in euros."""
    with tea.runtime.database.write() as db:
        db.exec_driver_sql("UPDATE shops SET currency = 'EUR'")
    return tea


def versions(tea: Tea) -> int:
    with tea.runtime.database.read() as db:
        return len(programme.versions(db, tea.shop_id))


def test_other_rules_are_seen_first_and_set_with_a_reason(site: Site, euro: Tea) -> None:
    assert "nobody earns points" in site.get("/programme").text
    seen = site.post("/programme", {"toml": RULES})
    assert ("This is what it would change" in seen.text, versions(euro)) == (True, 0)
    refused = site.post("/programme", {"toml": RULES, "do_it": "yes", "known": "0", "why": ""})
    assert (refused.status_code, versions(euro)) == (422, 0)
    assert "points = 50" in refused.text, "what was typed is still there"
    done = site.post("/programme", {"toml": RULES, "do_it": "yes", "known": "0", "why": "we begin"})
    assert (done.status_code, versions(euro)) == (303, 1)
    again = site.post("/programme", {"toml": RULES.replace("50", "60"), "do_it": "yes", "known": "0", "why": "more"})
    assert (again.status_code, "meanwhile" in again.text, versions(euro)) == (409, True, 1)


def test_rules_that_cannot_be_read_are_told_and_kept_in_the_form(site: Site, euro: Tea) -> None:
    wrong = site.post("/programme", {"toml": 'currency = "EUR"\n[signup]\npoints = "many"\n'})
    assert (wrong.status_code, "many" in wrong.text, 'class="wrong"' in wrong.text) == (422, True, True)


def test_a_viewer_sets_no_rules_by_page_or_call(site: Site, program: Program, euro: Tea) -> None:
    given = {"toml": RULES, "do_it": "yes", "known": "0", "why": "me"}
    assert site.as_(Role.VIEWER).post("/programme", given).status_code == 403
    call = {"toml": RULES, "dry_run": False, "why": "me"}
    assert program.as_(Role.VIEWER).ask("PUT", "/programme", call).status_code == 403
    assert versions(euro) == 0


def test_points_are_on_the_customers_page_and_counted_by_day(site: Site, program: Program, tea: Tea) -> None:
    moment: Instant = tea.runtime.now()
    tea.apply(told(101, moment, {"first_name": "Ana", "email": "ana@example.org"}), now=moment)
    with tea.runtime.database.write() as db:
        customer = find.show(db, tea.vault, "101").id
        points.adjust(db, tea.vault, customer, 80, "a gift", "user:olga", moment)
        points.redeem(db, tea.vault, customer, 30, "k1", "user:olga", moment)
    assert program.get("/customers/101/points")["account"]["balance"] == 50
    page = site.get("/customers/101/points").text
    balance = re.search(r'class="figure">([\d,]+)<', page)
    assert balance is not None
    assert int(balance.group(1)) == 50
    assert "ana@example.org" not in page
    days = told_of.points_by_day(Caller(tea.runtime, "user:olga"), None, 30)
    assert len(days) == 30
    assert (sum(day["issued"] for day in days), sum(day["spent"] for day in days)) == (80, 30)
