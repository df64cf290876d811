"""Fields and systems on pages: a change is seen before it is set, refused in a sentence, and never made by a viewer."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from onewriter.customers import policies, systems
from onewriter.customers.people import Role
from onewriter.runtime import Runtime
from tests.support.crm import CRM
from tests.support.doors import serving
from tests.support.mending import Mending, mending
from tests.support.pages import Site, let_in
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE


@pytest.fixture
def both(runtime: Runtime, tmp_path: Path) -> Iterator[Mending]:
    """A shop and its CRM."""
    with mending(runtime, tmp_path) as found:
        yield found


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
