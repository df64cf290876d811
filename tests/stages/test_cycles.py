"""Cycles: what a connected system says is taken in, and what its shop's owners say is carried to it."""

from dataclasses import replace

import pytest

from onewriter.customers import links, log, parked, questions, systems
from onewriter.records import DAY, RunState
from onewriter.rules.policy import Direction, FieldRule
from onewriter.workflows import asking
from tests.support.crm import CRM, Crm, policy_of
from tests.support.marked import of_system

ANN = {"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com", "phone": "+447700900111"}


def joined(beside: Crm, number: int = 101, **fields: object) -> tuple[bytes, int]:
    """A customer with a record in the CRM, both in step."""
    customer = beside.customer(number, **ANN | fields)
    beside.connect()
    assert beside.agree().state is RunState.DONE
    return customer, int(beside.of(number)["id"])


def parked_of(beside: Crm) -> list[tuple[str, str, str]]:
    with beside.tea.runtime.database.read() as db:
        return [(each.system, each.field, each.reason) for each in parked.listed(db, beside.tea.shop_id, 100)]


def marks_of(beside: Crm, system: str = CRM) -> list[str]:
    with beside.tea.runtime.database.read() as db:
        return [each.field for each in of_system(db, beside.tea.shop_id, system)]


@pytest.mark.req("M22")
def test_a_first_cycle_writes_nothing_and_asks(beside: Crm) -> None:
    customer = beside.customer(101, **ANN, note="likes tea")
    number = beside.put(mail="ANN@example.com ", first="Ann", last="Lee", remarks="old", tier="gold")
    beside.connect()
    before = beside.record(number)
    run = beside.cycle()
    assert run.state is RunState.PARTIAL
    assert "question" in str(run.reason)
    assert run.checkpoint["plan"] | {"linked": 1} == {
        "linked": 1, "in": {"custom.tier": 1}, "out": {"phone": 1, "note": 1, "shopify_id": 1}, "make": 0,
        "parked": {}, "opt_ins": 0, "empty": {}, "opt_outs": {},
    }  # fmt: skip
    assert beside.record(number) == before
    assert beside.own(customer).get("custom.tier") is None
    beside.answer("go on")
    run = beside.cycle()
    assert (run.state, run.reason) == (RunState.DONE, None)
    wanted = {"mobile": "+447700900111", "shop_no": "101", "remarks": "likes tea"}
    assert beside.record(number) == before | wanted, "an address that is only written in another way is left alone"
    assert beside.own(customer)["custom.tier"] == "gold"
    assert marks_of(beside) == []
    assert parked_of(beside) == [], "what stood there before was nobody's edit"


def test_the_first_question_tells_of_records_that_no_mapped_key_leads_from(beside: Crm) -> None:
    beside.customer(101, **ANN)
    beside.put(first="Ann", last="Lee")
    beside.connect()
    assert beside.cycle().state is RunState.PARTIAL
    with beside.tea.runtime.database.read() as db:
        [asked] = questions.waiting_of(db, beside.tea.shop_id, asking.FIRST_WRITES)
    assert "make 1 records there" in asked.text
    assert "nobody's by the keys that are mapped: 1; if some of them are customers', map email" in asked.text


def test_a_customer_without_a_record_gets_one_and_only_one(beside: Crm) -> None:
    _customer, number = joined(beside)
    assert beside.record(number) | {"id": 1} == {
        "id": 1, "shop_no": "101", "mail": "ann@example.com", "mobile": "+447700900111", "first": "Ann", "last": "Lee",
        "remarks": None, "tier": None, "labels": None,
    }  # fmt: skip
    beside.customer(102, first_name="Bo", last_name="Ek", email="bo@example.com")
    assert beside.cycle().state is RunState.DONE
    assert beside.of(102)["mail"] == "bo@example.com"
    assert beside.cycle(full=True).counts.get("written") is None
    assert beside.sql("SELECT count(*) FROM people") == [(2,)]


@pytest.mark.req("M13", "M22", "M23", "M40", "M48")
def test_who_does_not_own_a_field_is_refused_parked_and_told_again(beside: Crm) -> None:
    customer, number = joined(beside)
    beside.edit(number, first="Anna-Maria", tier="silver")
    run = beside.cycle()
    assert run.state is RunState.DONE
    assert (beside.record(number)["first"], beside.own(customer)["first_name"]) == ("Ann", "Ann")
    assert beside.own(customer)["custom.tier"] == "silver", "its own field is taken up"
    assert parked_of(beside) == [(CRM, "first_name", "owned by shopify")]
    with beside.tea.runtime.database.read() as db:
        lines = log.of_customer(db, customer, 20)
        disallowed = log.disallowed(db, beside.tea.shop_id, 0)
    assert [(each.fields, each.system) for each in disallowed] == [(("first_name",), CRM)]
    told = [(line["writer"], line["path"], line["fields"], line["accepted"]) for line in lines[:3]]
    assert ("onewriter", "send", ["first_name"], True) in told
    assert ("crm", "cycle", ["custom.tier"], True) in told
    assert ("crm", "cycle", ["first_name"], False) in told
    quiet = beside.cycle()
    assert (quiet.state, quiet.checkpoint["wrote"]) == (RunState.DONE, {"in": {}, "out": {}})


@pytest.mark.req("M44", "M76")
def test_an_owner_s_change_goes_on_to_whoever_else_holds_the_field(beside: Crm) -> None:
    customer, number = joined(beside)
    beside.customer(101, **ANN | {"first_name": "Anna"}, note="new")
    assert sorted(marks_of(beside)) == ["first_name", "note"]
    assert beside.cycle().checkpoint["wrote"] == {"in": {}, "out": {"first_name": 1, "note": 1}}
    assert (beside.record(number)["first"], beside.record(number)["remarks"]) == ("Anna", "new")
    beside.set(policy_of(frozenset({"custom.tier", "phone", "note"})))
    beside.edit(number, mobile="+447700900999", remarks="by the CRM")
    assert beside.agree().state is RunState.DONE
    assert (beside.own(customer)["phone"], beside.own(customer)["note"]) == ("+447700900999", "by the CRM")
    assert sorted(marks_of(beside, "shopify")) == ["note", "phone"], "Shopify is told what the CRM owns now"


@pytest.mark.req("M19")
def test_a_wrong_owner_on_a_first_connect_changes_nothing_anywhere(beside: Crm) -> None:
    for number in range(101, 131):
        beside.customer(number, first_name=f"A{number}", last_name="Lee", email=f"a{number}@example.com")
        beside.put(shop_no=str(number), mail="", first="", last="", mobile="", tier="x")
    beside.connect(policy_of(frozenset({"email", "first_name", "last_name", "phone", "note"})), creates=False)
    before = beside.sql("SELECT * FROM people"), beside.tea.dump()
    run = beside.cycle()
    assert run.state is RunState.PARTIAL
    assert run.checkpoint["plan"]["in"] == {"email": 30, "first_name": 30, "last_name": 30}
    assert (beside.sql("SELECT * FROM people"), beside.tea.dump()) == before
    beside.answer("wait")
    assert beside.cycle().state is RunState.PARTIAL
    assert (beside.sql("SELECT * FROM people"), beside.tea.dump()) == before


def test_far_more_than_usual_stops_before_the_first_write_until_a_person_allows_it(beside: Crm) -> None:
    for number in range(101, 131):
        beside.customer(number, first_name=f"A{number}", last_name="Lee", email=f"a{number}@example.com")
    beside.connect()
    assert beside.agree().state is RunState.DONE
    beside.sql("UPDATE people SET tier = 'gold', updated = ?", beside.stamp)
    customer = beside.customer(101, first_name="Ann", last_name="Lee", email="a101@example.com")
    run = beside.cycle()
    assert (run.state, "question" in str(run.reason)) == (RunState.PARTIAL, True)
    assert (beside.own(customer).get("custom.tier"), beside.of(101)["first"]) == (None, "A101"), "not even the rest"
    beside.answer("allow")
    assert beside.cycle().state is RunState.DONE
    assert (beside.own(customer)["custom.tier"], beside.of(101)["first"]) == ("gold", "Ann")
    beside.sql("UPDATE people SET tier = 'x', updated = ?", beside.stamp)
    assert beside.cycle().state is RunState.PARTIAL, "what was allowed was allowed once"


def test_a_value_that_does_not_fit_is_parked_and_the_rest_is_written(beside: Crm) -> None:
    policy = policy_of()
    maps = dict(policy.systems[CRM])
    maps["note"] = replace(maps["note"], max_length=5)
    beside.customer(101, **ANN, note="far too long for it")
    beside.connect(replace(policy, systems={CRM: maps}))
    assert beside.agree().state is RunState.DONE
    assert (beside.of(101)["remarks"], beside.of(101)["first"]) == (None, "Ann")
    assert parked_of(beside) == [(CRM, "note", "longer than the 5 characters that remarks holds")]
    beside.customer(101, **ANN, note="short")
    assert beside.cycle().state is RunState.DONE
    assert beside.of(101)["remarks"] == "short"


def test_a_dry_run_says_what_it_would_do_and_does_nothing(beside: Crm) -> None:
    customer, number = joined(beside)
    beside.edit(number, tier="gold")
    beside.customer(101, **ANN | {"last_name": "Li"})
    run = beside.cycle(dry=True)
    assert run.state is RunState.DONE
    told = {(field, way, owner) for _customer, field, way, owner in run.checkpoint["lines"]}
    assert told == {("custom.tier", "in", CRM), ("last_name", "out", "shopify")}
    assert (beside.record(number)["last"], beside.own(customer).get("custom.tier")) == ("Lee", None)
    assert beside.cycle().state is RunState.DONE
    assert (beside.record(number)["last"], beside.own(customer)["custom.tier"]) == ("Li", "gold")


def test_one_customer_alone(beside: Crm) -> None:
    customer, number = joined(beside)
    beside.customer(102, first_name="Bo", last_name="Ek", email="bo@example.com")
    beside.customer(101, **ANN | {"last_name": "Li"})
    beside.cycle(only=customer)
    assert beside.record(number)["last"] == "Li"
    assert beside.sql("SELECT count(*) FROM people") == [(1,)]


@pytest.mark.req("M40")
def test_a_complete_cycle_says_since_when_everything_is_in_step(beside: Crm) -> None:
    joined(beside)
    with beside.tea.runtime.database.read() as db:
        system = systems.get(db, beside.tea.shop_id, CRM)
    assert system.cycle_at == system.full_at == beside.moment
    beside.moment += DAY
    beside.sql("ALTER TABLE people RENAME COLUMN first TO given")
    run = beside.cycle()
    assert run.state is RunState.FAILED
    assert "first" in str(run.reason)
    with beside.tea.runtime.database.read() as db:
        later = systems.get(db, beside.tea.shop_id, CRM)
    assert (later.cycle_at, later.trouble) == (system.cycle_at, run.reason)


def test_a_record_that_was_deleted_there_is_not_made_again_and_one_made_anew_is_linked(beside: Crm) -> None:
    customer, number = joined(beside)
    beside.sql("DELETE FROM people WHERE id = ?", number)
    assert beside.cycle(full=True).counts["gone"] == 1
    assert beside.sql("SELECT count(*) FROM people") == [(0,)]
    again = beside.put(mail="ann@example.com", first="Ann", last="Lee", shop_no="101")
    run = beside.cycle()
    assert run.counts["linked"] == 1
    with beside.tea.runtime.database.read() as db:
        known = {each.state for each in links.of_people(db, beside.tea.shop_id, [customer])}
    assert "linked" in known
    assert beside.record(again)["mobile"] == "+447700900111"


def test_a_field_that_people_own_is_not_written_by_anybody_else(beside: Crm) -> None:
    policy = policy_of()
    fields = dict(policy.fields) | {"note": FieldRule(owner="manual")}
    customer = beside.customer(101, **ANN)
    beside.connect(replace(policy, fields=fields))
    beside.agree()
    beside.edit(int(beside.of(101)["id"]), remarks="by the CRM")
    beside.cycle()
    assert beside.own(customer).get("note") is None
    assert parked_of(beside) == [(CRM, "note", "owned by manual")]
    assert beside.of(101)["remarks"] is None


def test_what_is_only_looked_at_is_never_written(beside: Crm) -> None:
    policy = policy_of()
    maps = dict(policy.systems[CRM])
    maps["note"] = replace(maps["note"], direction=Direction.NONE)
    beside.customer(101, **ANN, note="ours")
    beside.connect(replace(policy, systems={CRM: maps}))
    beside.agree()
    assert beside.of(101)["remarks"] is None
    beside.edit(int(beside.of(101)["id"]), remarks="theirs")
    assert beside.cycle().state is RunState.DONE
    assert beside.of(101)["remarks"] == "theirs"
    assert parked_of(beside) == []
