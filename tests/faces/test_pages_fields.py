"""Fields and systems on pages: a change is seen before it is set, refused in a sentence, and never made by a viewer."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from onewriter.customers import policies, runs, systems
from onewriter.customers.people import Role
from onewriter.runtime import Runtime
from tests.stages.test_proving import LOSSY, spoilt
from tests.support.crm import CRM
from tests.support.doors import serving
from tests.support.mending import Mending, mending
from tests.support.pages import Site, let_in
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE


@pytest.fixture
def pages(both: Mending) -> Iterator[Site]:
    """Their pages, looked at by an owner."""
    with serving(both.runtime) as url:
        yield Site(both.runtime, url, let_in(both.runtime, "olga", Role.OWNER))


def hidden(html: str, *left_out: str) -> dict[str, str]:
    """The form of a preview, as a browser would send it."""
    form = html[html.index('id="plan-h"') :]
    form = form[: form.index("</form>")]
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    return {name: value for name, value in found if name not in ("csrf", *left_out)}


@pytest.mark.req("M82")
def test_another_owner_is_seen_first_and_set_with_a_reason(pages: Site, both: Mending) -> None:
    before = both.policy.version
    seen = pages.post("/fields", {"what": "own", "field": "phone", "owner": "manual"})
    assert "This is what it would change" in seen.text
    assert both.policy.version == before
    given = hidden(seen.text)
    refused = pages.post("/fields", given | {"do_it": "yes", "why": " "})
    assert (refused.status_code, "Give a reason" in refused.text, both.policy.version) == (422, True, before)
    done = pages.post("/fields", given | {"do_it": "yes", "why": "people know best"})
    assert (done.status_code, both.policy.owner_of("phone")) == (303, "manual")
    with both.runtime.database.read() as db:
        newest = policies.history(db, both.shop.shop_id)[-1]
    assert (newest.set_by, newest.why) == ("user:olga", "people know best")


@pytest.mark.req("M19")
def test_what_the_validator_refuses_is_told_and_not_set(pages: Site, both: Mending) -> None:
    before = both.policy.version
    wrong = {"what": "map", "system": CRM, "field": "phone", "remote": "mobile", "direction": "both"}
    seen = pages.post("/fields", wrong)
    assert 'class="wrong"' in seen.text
    done = pages.post("/fields", hidden(seen.text) | {"do_it": "yes", "why": "so be it"})
    assert (done.status_code, both.policy.version) == (409, before)


def test_two_at_once_and_the_second_is_told(pages: Site, both: Mending) -> None:
    seen = pages.post("/fields", {"what": "own", "field": "phone", "owner": "manual"})
    both.map_by_hand("note", transform="first_word", options={})
    done = pages.post("/fields", hidden(seen.text) | {"do_it": "yes", "why": "people know best"})
    assert (done.status_code, "meanwhile" in done.text) == (409, True)
    assert both.policy.owner_of("phone") == "shopify"


def test_a_system_is_paused_with_a_reason_and_goes_on(pages: Site, both: Mending) -> None:
    def state() -> str:
        with both.runtime.database.read() as db:
            return systems.get(db, both.shop.shop_id, CRM).state

    here = f"/systems/{CRM}"
    assert pages.post(here, {"what": "pause", "why": ""}).status_code == 422
    assert state() == "active"
    pages.post(here, {"what": "pause", "why": "they mend it"})
    assert state() == "paused"
    assert "paused" in pages.get("/systems").text
    pages.post(here, {"what": "resume"})
    assert state() == "active"


def test_a_cycle_is_queued_once_and_followed(pages: Site, both: Mending) -> None:
    here = f"/systems/{CRM}"
    queued = pages.post(here, {"what": "dry"})
    assert queued.headers["location"].startswith("/runs/")
    assert pages.post(here, {"what": "cycle"}).status_code == 409
    assert "queued" in pages.get(queued.headers["location"]).text


def test_a_viewer_changes_nothing_here(pages: Site, both: Mending) -> None:
    viewer = pages.as_(Role.VIEWER)
    version = both.policy.version
    for path, fields in (
        ("/fields", {"what": "own", "field": "phone", "owner": "manual", "do_it": "yes", "why": "me"}),
        (f"/systems/{CRM}", {"what": "pause", "why": "me"}),
        ("/parked/00000000-0000-0000-0000-000000000000", {"what": "drop", "why": "me"}),
    ):
        assert viewer.post(path, fields).status_code == 403, path
    assert both.policy.version == version
    assert viewer.get("/fields").status_code == 200


def test_other_keys_are_set_once_they_were_seen(pages: Site, both: Mending) -> None:
    before = both.policy.version
    other = {"keys": "id, phone", "shared_by_max": "5", "soft_email": ""}
    given = hidden(pages.post("/fields/keys", other).text) | {"do_it": "yes"}
    refused = pages.post("/fields/keys", given | {"why": ""})
    assert (refused.status_code, both.policy.version) == (422, before)
    assert pages.as_(Role.STAFF).post("/fields/keys", given | {"why": "me"}).status_code == 403
    assert pages.post("/fields/keys", given | {"why": "mailboxes are shared here"}).status_code == 303
    rule = both.policy.identity
    assert (rule.keys, rule.soft_email, rule.shared_by_max) == (("id", "phone"), False, 5)
    assert pages.post("/fields/keys", given | {"why": "again"}).status_code == 409, "the policy moved on"


@pytest.mark.req("M81")
def test_figures_say_whether_it_is_worth_it(pages: Site) -> None:
    shown = pages.get("/fields/figures?weeks=3")
    assert (shown.status_code, "Which change most" in shown.text, "phone" in shown.text) == (200, True, True)
    for weeks in ("1", "53", "many", "٣"):
        wrong = pages.get(f"/fields/figures?weeks={weeks}")
        assert (wrong.status_code, "Count back 2 to 52 weeks" in wrong.text) == (422, True), weeks


def test_what_a_cycle_wrote_is_taken_back_from_the_page_of_its_run(pages: Site, both: Mending) -> None:
    number = both.ids[0]
    before = both.crm.of(number)["first"]
    both.edit(number, first_name="Renamed")
    page = f"/runs/{both.cycle().id}"
    assert "Take it back" in pages.get(page).text
    assert "Take it back" not in pages.as_(Role.STAFF).get(page).text
    assert pages.as_(Role.STAFF).post(f"{page}/undo", {"why": "me"}).status_code == 403
    without = pages.post(f"{page}/undo", {"why": ""})
    assert (without.status_code, 'class="wrong"' in without.text) == (422, True)
    queued = pages.post(f"{page}/undo", {"why": "it was a mistake"})
    both.carry_out(queued.headers["location"].removeprefix("/runs/"))
    assert both.crm.of(number)["first"] == before
    assert "paused" in pages.get(f"/systems/{CRM}").text


def test_what_is_no_cycle_is_not_taken_back(pages: Site, both: Mending) -> None:
    page = f"/runs/{both.reconcile().id}"
    assert "Take it back" not in pages.get(page).text
    assert pages.post(f"{page}/undo", {"why": "me"}).status_code == 409


def test_a_parked_value_is_seen_before_it_is_given_up(pages: Site, both: Mending) -> None:
    both.crm.edit(both.record(both.ids[0]), first="Mallory")
    both.cycle()
    [path] = re.findall(r'action="(/parked/[0-9a-f-]+)"', pages.get(f"/systems/{CRM}").text)
    seen = pages.post(path, {"what": "see drop", "why": "they may keep it"})
    assert ("they may keep it" in seen.text, "Mallory" in seen.text) == (True, False)
    assert "Give it up" not in pages.as_(Role.VIEWER).get(path).text
    without = pages.post(path, {"what": "drop", "why": ""})
    assert (without.status_code, 'class="wrong"' in without.text) == (422, True)
    done = pages.post(path, {"what": "drop", "why": "they may keep it", "back": f"/systems/{CRM}"})
    assert (done.status_code, done.headers["location"]) == (303, f"/systems/{CRM}")
    assert "Nothing is parked" in pages.get(f"/systems/{CRM}").text


@pytest.mark.parametrize("version", ["²", "٣", "1e3", "9" * 30])
def test_a_version_that_is_no_number_of_ours_is_as_good_as_none(pages: Site, both: Mending, version: str) -> None:
    given = hidden(pages.post("/fields", {"what": "own", "field": "phone", "owner": "manual"}).text)
    done = pages.post("/fields", given | {"do_it": "yes", "why": "people know best", "version": version})
    assert (done.status_code, both.policy.owner_of("phone")) == (303, "manual")


def test_an_audit_leads_to_its_cases_and_says_nowhere_that_nothing_differs(runtime: Runtime, tmp_path: Path) -> None:
    """Its findings are cases; what a reconcile found is on the page of its own run."""
    with mending(runtime, tmp_path, LOSSY) as both:
        spoilt(both)
        both.reconcile()
        with runtime.database.read() as db:
            told = {each.kind: each.id for each in runs.newest(db, 20)}
        with serving(runtime) as url:
            pages = Site(runtime, url, let_in(runtime, "olga", Role.OWNER))
            looked = pages.get(f"/runs/{told[f'audit {CRM}']}").text
            assert "Nothing differs" not in looked
            assert 'is in the <a href="/cases">cases</a>' in looked
            assert "Nothing differs" in pages.get(f"/runs/{told[runs.RECONCILE]}").text
