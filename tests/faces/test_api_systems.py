"""Fields, systems, links and parked values for programs: seen first, decided with a reason, and never by a viewer."""

from collections.abc import Iterator
from typing import Any

import pytest

from onewriter.customers import runs
from onewriter.customers.people import Role
from onewriter.runtime import now
from tests.support.crm import CRM
from tests.support.doors import serving
from tests.support.linking import Crm, two_wait
from tests.support.mending import Mending
from tests.support.pages import Program, let_in, token_of
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea

pytestmark = ON_SQLITE

WHY = {"why": "she called"}


@pytest.fixture
def calls(both: Mending) -> Iterator[Program]:
    """Their API, asked by an owner."""
    with serving(both.runtime) as url:
        let_in(both.runtime, "olga", Role.OWNER)
        yield Program(both.runtime, url, token_of(both.runtime, "till", Role.OWNER))


@pytest.fixture
def linked(tea: Tea) -> dict[str, Any]:
    """Three customers and three records: one is linked, and two wait."""
    return two_wait(tea, now())


def answer(program: Program, method: str, path: str, body: Any) -> Any:
    given = program.ask(method, path, body)
    assert given.status_code == 200, given.text
    return given.json()


# ---- Fields ---------------------------------------------------------------------------------------------------------


def test_a_mapping_is_tried_first_and_set_once_it_is_meant(calls: Program, both: Mending) -> None:
    before = both.policy.version
    wanted = {"system": CRM, "field": "note", "transform": "first_word"}
    tried = answer(calls, "POST", "/fields/mapping", wanted)
    assert (tried["set"], both.policy.version, len(tried["changes"])) == (False, before, 1)
    assert calls.ask("POST", "/fields/mapping", wanted | {"dry_run": False}).status_code == 422, "it needs a reason"
    done = answer(calls, "POST", "/fields/mapping", wanted | {"dry_run": False, **WHY})
    assert (done["set"], both.policy.maps(CRM)["note"].transform) == (True, "first_word")
    stale = calls.ask("POST", "/fields/mapping", {**wanted, "remove": True, "dry_run": False, "version": before, **WHY})
    assert (stale.status_code, both.policy.maps(CRM)["note"].transform) == (409, "first_word")


def test_other_keys_are_tried_on_every_record(program: Program, linked: dict[str, Any]) -> None:
    same = answer(program, "POST", "/fields/keys/check", {})
    assert (same["records"], same["counts"]) == (3, {"splits": 0, "moves": 0, "joins": 0})
    other = answer(program, "POST", "/fields/keys/check", {"keys": ["id", "phone"]})
    assert other["counts"]["splits"] == 1
    assert other["examples"]["splits"][0]["customer"] == linked["mia"]
    assert program.ask("POST", "/fields/keys/check", {"keys": ["last_name"]}).status_code == 422


def test_other_keys_are_set_once_they_are_meant(calls: Program, both: Mending) -> None:
    before = both.policy.version
    wanted = {"keys": ["id", "phone"], "soft_email": False}
    assert answer(calls, "PUT", "/fields/keys", wanted)["set"] is False
    assert calls.as_(Role.STAFF).ask("PUT", "/fields/keys", wanted | {"dry_run": False, **WHY}).status_code == 403
    assert both.policy.version == before
    assert answer(calls, "PUT", "/fields/keys", wanted | {"dry_run": False, **WHY})["set"]
    assert (both.policy.identity.keys, both.policy.identity.soft_email) == (("id", "phone"), False)


def test_fit_and_rates_are_told(calls: Program) -> None:
    fit = calls.get("/fields/fit?weeks=2&add=phone%3Dcrm")
    assert (fit["weeks"], bool(fit["fields"]), fit["added"] is not None) == (2, True, True)
    assert calls.ask("GET", "/fields/fit?add=nonsense%3Dcrm").status_code == 422
    assert calls.get("/fields/rates?days=7")["days"] == 7


# ---- Cycles ---------------------------------------------------------------------------------------------------------


def test_what_a_cycle_wrote_is_taken_back_by_an_owner_alone(calls: Program, both: Mending) -> None:
    number = both.ids[0]
    both.edit(number, first_name="Renamed")
    before = both.crm.of(number)["first"]
    done = both.cycle()
    assert both.crm.of(number)["first"] == "Renamed"
    assert calls.get(f"/systems/{CRM}/runs?limit=1")["items"][0]["id"] == done.id
    path = f"/runs/{done.id}/undo"
    assert calls.as_(Role.STAFF).ask("POST", path, WHY).status_code == 403
    queued = answer(calls, "POST", path, WHY)
    both.carry_out(queued["run"])
    assert both.crm.of(number)["first"] == before
    assert calls.get(f"/systems/{CRM}")["state"] == "paused"


def test_a_cycle_may_change_more_than_usual_where_an_owner_says_why(calls: Program, both: Mending) -> None:
    staff = calls.as_(Role.STAFF)
    asked = {"dry_run": True, "allow": ["phone"], **WHY}
    assert staff.ask("POST", f"/cycles/{CRM}", asked).status_code == 403
    assert calls.ask("POST", f"/cycles/{CRM}", asked | {"allow": ["nonsense"]}).status_code == 422
    run_id = answer(calls, "POST", f"/cycles/{CRM}", asked)["run"]
    with both.runtime.database.read() as db:
        assert runs.get(db, run_id).kind == runs.cycle_of(CRM)
    assert "phone" in calls.get(f"/systems/{CRM}")["allowed"]


# ---- Links ----------------------------------------------------------------------------------------------------------


def test_pairs_that_wait_come_in_pages_masked_and_in_clear_for_a_reason(
    program: Program, tea: Tea, linked: dict[str, Any]
) -> None:
    first = program.get("/links/review?limit=1")
    second = program.get(f"/links/review?limit=1&cursor={first['next']}")
    assert second["next"] is None
    pairs = [*first["items"], *second["items"]]
    assert {each["customer"] for each in pairs} == {linked["zoe"], linked["ida"]}
    assert {each["record_says"]["first_name"] for each in pairs} == {"Z•••", "I•••"}
    assert all("record_id" not in each for each in pairs)
    clear = answer(program, "POST", "/links/review/reveal", WHY)["items"]
    assert {each["record_id"] for each in clear} == {"crm-8", "crm-9"}
    assert {each["customer_has"]["last_name"] for each in clear} == {"Li", "Ek"}
    viewer = program.as_(Role.VIEWER)
    refused = viewer.ask("POST", "/links/review/reveal", WHY)
    assert (refused.status_code, "crm-8" in refused.text) == (403, False)
    assert program.ask("GET", "/links/review?cursor=nonsense").status_code == 422


def test_what_a_person_says_of_a_pair_holds(program: Program, tea: Tea, linked: dict[str, Any]) -> None:
    crm: Crm = linked["crm"]
    one = {"system": CRM, "record": "crm-8", "customer": linked["zoe"], **WHY}
    other = {"system": CRM, "record": crm.name("crm-9"), "customer": linked["ida"], **WHY}
    assert program.as_(Role.VIEWER).ask("POST", "/links/accept", one).status_code == 403
    assert answer(program, "POST", "/links/accept", one)["state"] == "linked"
    assert answer(program, "POST", "/links/refuse", other)["state"] == "broken"
    assert program.get("/links/review")["items"] == []
    assert program.ask("POST", "/links/accept", one).status_code == 409
    assert answer(program, "POST", "/links/break", one)["state"] == "broken"
    assert answer(program, "POST", "/links/link", one)["matched_by"] == "person"
    [found] = answer(program, "POST", "/links/search", {"customer": linked["zoe"]})["items"]
    assert (found["state"], "record_id" in found) == ("linked", False)
    by_record = answer(program, "POST", "/links/search", {"system": CRM, "record": "crm-8"})["items"]
    assert by_record == [found]
    assert program.ask("POST", "/links/search", {"system": CRM}).status_code == 422


# ---- Parked values --------------------------------------------------------------------------------------------------


def test_parked_values_come_in_pages_and_in_clear_for_a_reason_alone(calls: Program, both: Mending) -> None:
    for number in both.ids:
        both.crm.edit(both.record(number), first="Mallory")
    both.cycle()
    found, cursor = [], ""
    while True:
        page = calls.get(f"/parked?limit=2&system={CRM}&cursor={cursor}")
        found += page["items"]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert len({each["id"] for each in found}) == len(found) == len(both.ids)
    assert all("Mallory" not in str(each["value"]) for each in found)
    assert calls.get("/parked?field=phone")["items"] == []
    clear = answer(calls, "POST", "/parked/reveal", {**WHY, "limit": 1})["items"]
    assert [each["value"] for each in clear] == ["Mallory"]
    viewer = calls.as_(Role.VIEWER)
    assert "Mallory" not in viewer.ask("POST", "/parked/reveal", WHY).text
    one = found[0]["id"]
    assert viewer.ask("POST", f"/parked/{one}/drop", WHY).status_code == 403
    assert answer(calls, "POST", f"/parked/{one}/drop", WHY)["outcome"] == "dropped"
    assert calls.ask("POST", f"/parked/{one}/release", WHY).status_code == 409
