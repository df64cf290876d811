"""What is parked ends by itself once there is nothing left to decide."""

from dataclasses import replace

import pytest

from onewriter.customers import parked
from onewriter.records import SHOPIFY
from onewriter.rules.policy import Direction, FieldMap, FieldRule
from tests.support.crm import ANN, CRM, Crm, policy_of, shared_note
from tests.support.owners import parked_of, set_by_hand
from tests.support.shops import later

TIER = FieldMap(remote="tier", direction=Direction.IN, transform="date", options={"format": "DD/MM/YYYY"})


def outcomes(beside: Crm) -> list[tuple[str, str, str | None]]:
    with beside.tea.runtime.database.read() as db:
        found = parked.listed(db, beside.tea.shop_id, 100, ended=True)
    return [(each.system, each.field, each.outcome) for each in found]


def type_there(beside: Crm, number: int, **values: str | None) -> None:
    beside.moment = later(beside.moment, 60)
    beside.edit(number, **values)
    beside.cycle()


@pytest.mark.req("M48")
def test_a_refused_value_is_over_once_its_owner_says_the_same(beside: Crm) -> None:
    _customer, number = beside.joined(note="ours")
    type_there(beside, number, remarks="theirs")
    assert outcomes(beside) == [(CRM, "note", None)]
    beside.moment = later(beside.moment, 60)
    beside.customer(101, **ANN | {"note": "another"})
    assert outcomes(beside) == [(CRM, "note", None)]
    beside.moment = later(beside.moment, 60)
    beside.customer(101, **ANN | {"note": "theirs"})
    assert outcomes(beside) == [(CRM, "note", parked.SETTLED)]


@pytest.mark.req("M48")
def test_a_value_refused_from_shopify_is_over_once_the_system_that_owns_it_says_the_same(beside: Crm) -> None:
    made = policy_of(frozenset({"note"}))
    told = {"note": FieldMap(remote="note", direction=Direction.OUT)}
    _customer, number = beside.joined(replace(made, systems=dict(made.systems) | {SHOPIFY: told}), note="one")
    type_there(beside, number, remarks="theirs")
    beside.moment = later(beside.moment, 60)
    beside.customer(101, **ANN | {"note": "shopify's"})
    assert outcomes(beside) == [(SHOPIFY, "note", None)]
    type_there(beside, number, remarks="shopify's")
    assert outcomes(beside) == [(SHOPIFY, "note", parked.SETTLED)]


def test_a_refused_value_is_over_once_a_person_sets_it_by_hand(beside: Crm) -> None:
    made = policy_of()
    _customer, number = beside.joined(replace(made, fields=dict(made.fields) | {"note": FieldRule(owner="manual")}))
    type_there(beside, number, remarks="theirs")
    assert outcomes(beside) == [(CRM, "note", None)]
    beside.moment = later(beside.moment, 60)
    set_by_hand(beside.tea, 101, beside.moment, note="theirs")
    assert outcomes(beside) == [(CRM, "note", parked.SETTLED)]


@pytest.mark.req("M48")
@pytest.mark.parametrize("then", ["01/02/2026", "03/02/2026"])
def test_what_an_owner_said_that_nobody_could_read_is_over_once_it_says_what_can_be(beside: Crm, then: str) -> None:
    customer, number = beside.joined(policy_of(frozenset({"custom.tier"}), **{"custom.tier": TIER}))
    type_there(beside, number, tier="01/02/2026")
    type_there(beside, number, tier="99/99/2026")
    assert outcomes(beside) == [(CRM, "custom.tier", None)]
    type_there(beside, number, tier=then)
    assert outcomes(beside) == [(CRM, "custom.tier", parked.SETTLED)]
    assert beside.own(customer)["custom.tier"] == f"2026-02-{then[:2]}"


@pytest.mark.req("M77")
def test_what_two_changed_at_once_is_over_once_both_say_the_same(beside: Crm) -> None:
    _customer, number = beside.joined(shared_note("manual", SHOPIFY, (CRM,)), note="one")
    beside.moment = later(beside.moment, 60)
    beside.customer(101, **ANN | {"note": "ours"})
    type_there(beside, number, remarks="theirs")
    assert outcomes(beside) == [(CRM, "note", None)]
    type_there(beside, number, remarks="ours")
    assert outcomes(beside) == [(CRM, "note", parked.SETTLED)]


@pytest.mark.req("M48")
def test_an_edit_that_was_put_right_stays_for_a_person_to_look_at(beside: Crm) -> None:
    _customer, number = beside.joined(note="ours")
    type_there(beside, number, remarks="theirs")
    type_there(beside, number, last="is read once more")
    assert beside.record(number)["remarks"] == "ours"
    assert ("in", "note") in [(way, field) for _system, way, field, _value in parked_of(beside.tea)]
