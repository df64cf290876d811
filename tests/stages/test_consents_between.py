"""A consent between us and a system: what one side never heard of is news, whichever side that is."""

from dataclasses import replace

import pytest

from onewriter.customers import pending
from onewriter.intake.hand import Outcome
from onewriter.records import SHOPIFY, Instant
from onewriter.rules.policy import Direction, FieldMap
from tests.support.crm import CRM, Crm, policy_of
from tests.support.owners import give, held, parked_of, say, set_by_hand
from tests.support.shops import Tea, later, told

ANN = {"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com", "phone": "+447700900111"}
THERE = {"shop_no": "101", "mail": "ann@example.com", "first": "Ann", "last": "Lee", "mobile": "+447700900111"}
OPTED_IN = {"state": "subscribed", "level": "single_opt_in", "at": 1}
OUT_OF_IT = {"state": "unsubscribed", "level": None, "at": 1}


def begin(beside: Crm, field: str, direction: Direction) -> None:
    """Connect the CRM, whose column `tier` holds the state of a consent."""
    policy = policy_of(frozenset({field} if direction is Direction.IN else ()))
    maps = {name: each for name, each in policy.systems[CRM].items() if name != "custom.tier"}
    maps[field] = FieldMap(remote="tier", direction=direction, transform="consent_state")
    beside.connect(replace(policy, systems={CRM: maps}))
    beside.agree()
    beside.cycle()


@pytest.mark.req("M22")
def test_the_first_opt_out_of_the_owner_is_taken_up(beside: Crm) -> None:
    ann = beside.customer(101, **ANN)
    beside.put(**THERE, tier="unsubscribed")
    begin(beside, "sms_consent", Direction.IN)
    assert beside.own(ann)["sms_consent"]["state"] == "unsubscribed"


def test_an_opt_out_is_told_to_a_system_that_holds_nothing(beside: Crm) -> None:
    beside.customer(101, **ANN, email_consent=OUT_OF_IT)
    number = beside.put(**THERE, tier=None)
    begin(beside, "email_consent", Direction.OUT)
    assert beside.record(number)["tier"] == "unsubscribed"


@pytest.mark.req("M22", "M44")
def test_an_opt_in_of_a_system_that_does_not_own_it_is_refused_though_nothing_was_said_here(beside: Crm) -> None:
    ann = beside.customer(101, **ANN)
    number = beside.put(**THERE, tier="unsubscribed")
    begin(beside, "sms_consent", Direction.OUT)
    beside.moment = later(beside.moment, 60)
    beside.edit(number, tier="subscribed")
    beside.cycle()
    assert beside.own(ann).get("sms_consent") is None
    assert [(field, value["state"]) for _, _, field, value in parked_of(beside.tea)] == [("sms_consent", "subscribed")]
    # There is nothing to tell instead, and a consent is never emptied.
    assert beside.record(number)["tier"] == "subscribed"


@pytest.mark.req("M22", "M44")
def test_an_opt_out_in_a_system_counts_though_it_does_not_own_the_consent(beside: Crm) -> None:
    ann = beside.customer(101, **ANN, email_consent=OPTED_IN)
    number = beside.put(**THERE, tier="subscribed")
    begin(beside, "email_consent", Direction.OUT)
    beside.moment = later(beside.moment, 60)
    beside.edit(number, tier="unsubscribed")
    beside.cycle()
    beside.cycle()
    assert beside.record(number)["tier"] == "unsubscribed"
    # Its owner is told, with the time at which it was heard of: what was said before is older.
    assert parked_of(beside.tea) == []
    with beside.tea.runtime.database.read() as db:
        [mark] = pending.of_customers(db, beside.tea.shop_id, SHOPIFY, [ann])
    bound = pending.binding(beside.tea.shop_id, SHOPIFY, ann, "email_consent")
    assert mark.box is not None
    proposed = beside.tea.vault.keys.subject_keys([ann])[ann].open_fields(mark.box, bound)["email_consent"]
    assert proposed["state"] == "unsubscribed"
    assert proposed["at"] > OPTED_IN["at"]
    # And once it says so itself, all is in step.
    beside.customer(101, **ANN, email_consent=proposed)
    beside.cycle()
    assert beside.record(number)["tier"] == "unsubscribed"


def test_an_opt_out_that_stands_there_at_the_first_meeting_is_not_written_over(beside: Crm) -> None:
    ann = beside.customer(101, **ANN, email_consent=OPTED_IN)
    number = beside.put(**THERE, tier="unsubscribed")
    begin(beside, "email_consent", Direction.OUT)
    assert beside.record(number)["tier"] == "unsubscribed"
    # A check mark that may never have been anybody's word takes nothing back by itself.
    assert beside.own(ann)["email_consent"]["state"] == "subscribed"


def test_a_newer_opt_in_of_ours_is_told_to_a_system_that_has_not_heard_of_it(beside: Crm) -> None:
    ann = beside.customer(101, **ANN, email_consent=OUT_OF_IT)
    number = beside.put(**THERE, tier="unsubscribed")
    begin(beside, "email_consent", Direction.OUT)
    beside.moment = later(beside.moment, 60)
    beside.customer(101, **ANN, email_consent={**OPTED_IN, "at": beside.moment})
    assert beside.own(ann)["email_consent"]["state"] == "subscribed"
    beside.edit(number, remarks="is read again")
    beside.cycle()
    assert beside.own(ann)["email_consent"]["state"] == "subscribed"
    assert beside.record(number)["tier"] == "subscribed"


def test_an_opt_out_by_hand_is_a_change_where_nothing_was_said(tea: Tea, now: Instant) -> None:
    give(tea, now, {"sms_consent": "manual"}, {})
    tea.apply(told(101, now, ANN), now=now)
    say(tea, 101, {"sms_consent": None}, now)
    [edit] = set_by_hand(tea, 101, later(now, 60), sms_consent="unsubscribed")
    assert edit.outcome is Outcome.APPLIED
    profile = held(tea, 101)
    assert profile is not None
    assert profile.own["sms_consent"]["state"] == "unsubscribed"
