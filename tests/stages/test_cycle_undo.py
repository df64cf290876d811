"""Taking back what a cycle wrote: only that, nobody's consent, and no difference that nobody would see again."""

import json
from dataclasses import replace
from typing import Any

import pytest

from onewriter.customers import log
from onewriter.records import SECOND, Path, RunState
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy
from onewriter.workflows import cycling, undoing
from onewriter.workflows.undoing import NotUndone
from tests.support.crm import ANN, CRM, Crm, policy_of
from tests.support.shops import gone

NOTHING_SAID = {"state": "not_subscribed", "level": None, "at": None}


def consents_of_the_crm() -> Policy:
    """The CRM owns the consent to e-mail, as JSON in a column of its own."""
    made = policy_of(email_consent=FieldMap(remote="labels", direction=Direction.IN, transform="json"))
    return replace(made, fields=dict(made.fields) | {"email_consent": FieldRule(owner=CRM)})


def consent(state: str, at: int) -> str:
    level = "single_opt_in" if state == "subscribed" else None
    return json.dumps({"state": state, "at": at, "source": "form", "level": level})


def writes_of(beside: Crm, customer: bytes, name: str) -> list[Any]:
    """The lines of the log that say that we wrote a field of a customer to the CRM."""
    with beside.tea.runtime.database.read() as db:
        lines = log.of_customer(db, customer, 50)
    return [each for each in lines if each["path"] == Path.SEND and each["system"] == CRM and name in each["fields"]]


@pytest.mark.req("M22")
def test_an_opt_out_is_not_taken_back(beside: Crm) -> None:
    customer = beside.customer(101, **ANN, email_consent=NOTHING_SAID)
    number = beside.put(mail="ann@example.com", first="Ann", last="Lee", labels=consent("subscribed", beside.moment))
    beside.connect(consents_of_the_crm())
    beside.agree()
    beside.edit(number, labels=consent("unsubscribed", beside.moment + 5))
    run = beside.cycle()
    assert beside.own(customer)["email_consent"]["state"] == "unsubscribed"
    beside.undo(run)
    assert beside.own(customer)["email_consent"]["state"] == "unsubscribed"


def test_what_was_taken_back_is_no_lasting_difference_once_the_system_goes_on(beside: Crm) -> None:
    customer, number = beside.joined()
    beside.edit(number, tier="gold")
    beside.undo(beside.cycle())
    assert beside.own(customer).get("custom.tier") is None
    beside.resume()
    beside.cycle(full=True)
    assert beside.own(customer).get("custom.tier") == beside.record(number)["tier"] == "gold"


def test_a_customer_who_is_hidden_by_now_is_left_alone(beside: Crm) -> None:
    customer, number = beside.joined(note="first")
    beside.edit(number, tier="gold")
    beside.customer(101, **ANN | {"note": "second"})
    run = beside.cycle()
    beside.moment += SECOND
    beside.tea.apply(gone(101, beside.moment), now=beside.moment)
    before = beside.record(number)
    assert before["remarks"] == "second"
    ended = beside.undo(run)
    assert ended.state is RunState.PARTIAL
    assert (beside.record(number), beside.own(customer)["custom.tier"]) == (before, "gold")


def test_nothing_is_taken_back_beside_a_cycle_that_is_under_way(beside: Crm) -> None:
    _customer, number = beside.joined()
    beside.edit(number, tier="gold")
    run = beside.cycle()
    runtime = beside.tea.runtime
    with runtime.database.write() as db:
        cycling.queue(runtime, db, beside.tea.shop_id, CRM, "user:test", beside.moment)
    with runtime.database.write() as db, pytest.raises(NotUndone, match="under way"):
        undoing.queue(runtime, db, run.id, "user:test", beside.moment)


@pytest.mark.req("M40")
def test_a_write_that_the_system_keeps_in_another_form_is_logged_and_can_be_taken_back(beside: Crm) -> None:
    customer, number = beside.joined()
    beside.sql(
        "CREATE TRIGGER national AFTER UPDATE OF mobile ON people WHEN new.mobile LIKE '+%' BEGIN "
        "UPDATE people SET mobile = '0' || substr(new.mobile, 4) WHERE id = new.id; END"
    )
    beside.customer(101, **ANN | {"phone": "+447700900222"})
    before = len(writes_of(beside, customer, "phone"))
    run = beside.cycle()
    assert beside.record(number)["mobile"] == "07700900222"
    assert beside.parked() == []
    assert len(writes_of(beside, customer, "phone")) == before + 1
    beside.undo(run)
    assert beside.record(number)["mobile"] == "07700900111"


@pytest.mark.req("M40")
def test_a_write_is_logged_once_however_often_it_is_read_back(beside: Crm) -> None:
    customer, number = beside.joined()
    beside.customer(101, **ANN | {"last_name": "Li"})
    before = len(writes_of(beside, customer, "last_name"))
    beside.cycle()
    beside.cycle(full=True)
    assert beside.record(number)["last"] == "Li"
    assert len(writes_of(beside, customer, "last_name")) == before + 1
