"""Links and keys on pages: pairs wait masked, a person decides with a reason, and a viewer decides nothing."""

from typing import Any

import pytest

from onewriter.customers.people import Role
from onewriter.runtime import now
from tests.support.crm import CRM
from tests.support.linking import Crm, two_wait
from tests.support.pages import Site
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea

pytestmark = ON_SQLITE

WHY = {"why": "she called"}


@pytest.fixture
def linked(tea: Tea) -> dict[str, Any]:
    """Three customers and three records: one is linked, and two wait."""
    return two_wait(tea, now())


def pair(linked: dict[str, Any], whose: str, record: str) -> dict[str, str]:
    return {"system": CRM, "record": linked["crm"].name(record), "customer": linked[whose]}


def test_without_another_system_there_is_nothing_to_link(site: Site) -> None:
    assert "No other system is connected yet" in site.get("/links").text


def test_pairs_wait_masked_and_are_in_clear_for_a_reason(linked: dict[str, Any], site: Site) -> None:
    masked = site.get("/links").text
    assert masked.count("The record says") == 2
    assert ("Z•••" in masked, "crm-8" in masked, "Zoe" in masked) == (True, False, False)
    assert site.post("/links/reveal", {"why": " "}).status_code == 422
    clear = site.post("/links/reveal", WHY).text
    assert all(each in clear for each in ("crm-8", "Zoe", "Ek"))
    assert "no-store" in site.post("/links/reveal", WHY).headers["cache-control"]
    assert "The record says" not in site.get("/links?system=erp").text


def test_a_person_says_who_is_who(linked: dict[str, Any], site: Site) -> None:
    crm: Crm = linked["crm"]
    without = site.post("/links", pair(linked, "zoe", "crm-8") | {"what": "accept", "why": ""})
    assert (without.status_code, crm.state("crm-8")) == (422, "review")
    assert site.post("/links", pair(linked, "zoe", "crm-8") | {"what": "accept", **WHY}).status_code == 303
    assert site.post("/links", pair(linked, "ida", "crm-9") | {"what": "refuse", **WHY}).status_code == 303
    assert (crm.state("crm-8"), crm.state("crm-9")) == ("linked", "broken")
    assert "No pair waits for a person" in site.get("/links").text
    again = site.post("/links", pair(linked, "zoe", "crm-8") | {"what": "accept", **WHY})
    assert (again.status_code, 'class="wrong"' in again.text) == (409, True)


def test_a_record_is_linked_by_hand_and_taken_away_on_the_page_of_its_customer(
    linked: dict[str, Any], site: Site
) -> None:
    crm: Crm = linked["crm"]
    by_hand = {"system": CRM, "record": "crm-9", "customer": linked["zoe"], "what": "link", **WHY}
    assert site.post("/links", by_hand).status_code == 303
    here = f"/customers/{linked['zoe']}"
    shown = site.get(here).text
    assert ("The records of this customer in other systems" in shown, "crm-9" in shown) == (True, False)
    away = pair(linked, "zoe", "crm-9") | {"what": "break", "back": here, **WHY}
    done = site.post("/links", away)
    assert (done.status_code, done.headers["location"], crm.state("crm-9")) == (303, here, "broken")
    nobody = site.post("/links", by_hand | {"customer": "999"})
    assert (nobody.status_code, 'value="crm-9"' in nobody.text) == (404, True)


def test_a_viewer_sees_pairs_masked_and_decides_nothing(linked: dict[str, Any], site: Site) -> None:
    viewer = site.as_(Role.VIEWER)
    assert "Z•••" in viewer.get("/links").text
    refused = viewer.post("/links/reveal", WHY)
    assert (refused.status_code, "crm-8" in refused.text) == (403, False)
    assert viewer.post("/links", pair(linked, "zoe", "crm-8") | {"what": "accept", **WHY}).status_code == 403
    assert linked["crm"].state("crm-8") == "review"


def test_other_keys_show_what_they_would_split(linked: dict[str, Any], site: Site) -> None:
    assert "email" in site.get("/fields/keys").text
    other = {"keys": "id, phone", "shared_by_max": "3", "soft_email": "yes"}
    seen = site.post("/fields/keys", other)
    assert (seen.status_code, "Links that would be gone: 1 of 1" in seen.text) == (200, True)
    for wrong in ({"keys": "last_name"}, {"shared_by_max": "0"}, {"shared_by_max": "١"}, {"shared_by_max": ""}):
        told = site.post("/fields/keys", other | wrong)
        assert 'class="wrong"' in told.text, wrong
        assert "Set it" not in told.text or told.status_code == 200
