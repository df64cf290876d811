"""Parked values: one open row for each place, kept sealed, until a person releases or drops it."""

from typing import Any

import pytest
from sqlalchemy import select

from onewriter.customers import parked
from onewriter.customers.parked import NotParked, Parked, Unplaced
from onewriter.db.tables import parked_values
from onewriter.intake import releasing
from onewriter.intake.hand import CannotSet
from onewriter.records import DAY, Instant, Path
from onewriter.rules.policy import FieldMap
from tests.support.owners import BY, IN, OUT, connect, give, held, lines, link, marks, parked_of, say
from tests.support.purging import delete, purge
from tests.support.raw import raw_bytes
from tests.support.shops import Tea, later, told

ANN: dict[str, Any] = {"first_name": "Ann", "email": "ann@example.com", "phone": "+447700900111", "note": "oolong"}


@pytest.fixture
def ann(tea: Tea, now: Instant) -> Tea:
    """Ann is known; people own her note, and the CRM her number."""
    maps = {name: FieldMap(remote=name, direction=OUT) for name in ("email", "note")}
    maps["phone"] = FieldMap(remote="mobile", direction=IN)
    connect(tea, now, "crm")
    tea.apply(told(101, now, ANN), now=now)
    give(tea, now, {"note": "manual", "phone": "crm"}, {"crm": maps})
    link(tea, now, "crm", 101)
    return tea


def park(tea: Tea, now: Instant, value: Any = "a canary", **changes: Any) -> int:
    profile = held(tea, 101)
    assert profile.customer_id is not None
    assert profile.key is not None
    given: dict[str, Any] = {"system": "crm", "field": "note", "reason": "owned by manual"} | changes
    one = Unplaced(profile.customer_id, profile.key, value=value, **given)
    with tea.runtime.database.write() as db:
        return len(parked.park_all(db, tea.shop_id, [one], now, run_id="r-1"))


def listed(tea: Tea, **wanted: Any) -> list[Parked]:
    with tea.runtime.database.read() as db:
        return parked.listed(db, tea.shop_id, 100, **wanted)


def release(tea: Tea, now: Instant) -> str:
    [one] = listed(tea)
    with tea.runtime.database.write() as db:
        return releasing.release(db, tea.vault, one.id, BY, now, keep_days=30)


@pytest.mark.req("M48")
def test_each_place_has_one_open_value_with_its_age(ann: Tea, now: Instant) -> None:
    assert park(ann, now) == 1
    assert park(ann, later(now, 60)) == 0, "the same for the same reason has waited since the first time"
    assert [one.parked_at for one in listed(ann)] == [now]
    assert park(ann, later(now, 120), "another canary") == 1
    assert park(ann, later(now, 180), direction="out", reason="too long") == 1
    assert parked_of(ann) == [("crm", "in", "note", "another canary"), ("crm", "out", "note", "a canary")]
    ended = [one for one in listed(ann, ended=True) if one.ended_at is not None]
    assert [(one.outcome, one.ended_at, one.ended_by) for one in ended] == [("replaced", later(now, 120), None)]
    assert (listed(ann, system="erp"), listed(ann, field="phone")) == ([], [])
    assert b"canary" not in raw_bytes(ann.runtime.database)


def test_what_has_settled_itself_ends_by_itself(ann: Tea, now: Instant) -> None:
    park(ann, now)
    park(ann, now, direction="out")
    customer = held(ann, 101).customer_id
    assert customer is not None
    with ann.runtime.database.write() as db:
        assert parked.settle(db, [(customer, "crm", "note", "out"), (customer, "crm", "phone", "in")], now) == 1
    assert [one.direction for one in listed(ann)] == ["in"]


def test_releasing_what_a_system_said_sets_it_as_whoever_releases_it(ann: Tea, now: Instant) -> None:
    park(ann, now, "likes sencha")
    assert release(ann, later(now, 60)) == "note is set"
    assert held(ann, 101).own["note"] == "likes sencha"
    assert lines(ann, 101, "note")[0]["writer"] == BY
    [one] = listed(ann, ended=True)
    assert (one.outcome, one.ended_by, one.ended_at) == ("released", BY, later(now, 60))


def test_releasing_to_an_owner_that_is_a_system_sends_it_there(ann: Tea, now: Instant) -> None:
    park(ann, now, "+447700900222", system="shopify", field="phone", reason="owned by crm")
    assert release(ann, later(now, 60)) == "phone is sent to crm, which owns it"
    assert marks(ann, "crm") == {(101, "phone")}
    assert held(ann, 101).own["phone"] == "+447700900111"


def test_releasing_what_a_system_could_not_take_tells_it_again(ann: Tea, now: Instant) -> None:
    say(ann, 101, {"note": "short enough"}, now)
    park(ann, now, "too long", direction="out", reason="too long")
    assert release(ann, later(now, 60)) == "crm is told of note again in its next cycle"
    assert marks(ann, "crm") == {(101, "note")}
    assert held(ann, 101).own["note"] == "short enough"


@pytest.mark.req("M48")
def test_releasing_tags_adds_and_removes_what_was_meant_and_leaves_what_came_since(ann: Tea, now: Instant) -> None:
    give(ann, now, {"tags": "manual"})
    say(ann, 101, {"tags": ["spring", "tea"]}, now)
    for seconds, tags in ((60, ["spring", "tea"]), (120, ["milk", "spring"])):
        at = later(now, seconds)
        ann.apply(told(101, at, ANN | {"tags": tags}, path=Path.READ), now=at)
    say(ann, 101, {"tags": ["new", "spring", "tea"]}, later(now, 180))
    assert release(ann, later(now, 240)) == "tags is set"
    assert held(ann, 101).own["tags"] == ["milk", "new", "spring"]


def test_releasing_tags_of_which_nobody_knows_what_they_were_takes_none_away(ann: Tea, now: Instant) -> None:
    give(ann, now, {"tags": "manual"})
    say(ann, 101, {"tags": ["new", "Spring"]}, now)
    park(ann, now, ["milk", "spring"], field="tags")
    assert release(ann, later(now, 60)) == "tags is set"
    assert held(ann, 101).own["tags"] == ["Spring", "milk", "new"]


def test_what_cannot_be_released_stays_parked(ann: Tea, now: Instant) -> None:
    park(ann, now, "not a number", system="shopify", field="phone")
    with pytest.raises(CannotSet, match="cannot be released"):
        release(ann, later(now, 60))
    assert len(listed(ann)) == 1
    [one] = listed(ann)
    with ann.runtime.database.write() as db:
        assert parked.end(db, [one.id], parked.DROPPED, BY, now) == 1
    with ann.runtime.database.write() as db, pytest.raises(NotParked):
        releasing.release(db, ann.vault, one.id, BY, now, keep_days=30)


def test_a_purge_takes_parked_values_along(ann: Tea, now: Instant) -> None:
    park(ann, now)
    delete(ann, 101, now)
    assert purge(ann, now + 91 * DAY) is not None
    with ann.runtime.database.read() as db:
        assert db.execute(select(parked_values)).all() == []
