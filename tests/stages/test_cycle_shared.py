"""Fields that several may write, and fields whose owner changes: no word of an owner is lost, and no other stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from onewriter.customers import owned, parked, proposals
from onewriter.customers.runs import Run
from onewriter.intake import releasing
from onewriter.intake.cycle import Cycle
from onewriter.records import SECOND, SHOPIFY, RunState
from onewriter.rules.policy import Conflict, Direction, FieldMap, FieldRule, Policy
from onewriter.runtime import Runtime, now
from tests.support.crm import ANN, CRM, TABLE, Crm, once_before, policy_of, shared_note
from tests.support.joined import Joined, joined
from tests.support.owners import lines, set_by_hand
from tests.support.shops import gone

TIER = frozenset({"custom.tier"})


def propose(beside: Crm, customer: bytes, tier: str) -> None:
    """Somebody here asks the CRM, which owns the tier, for another."""
    with beside.tea.runtime.database.write() as db:
        key = owned.load(db, beside.tea.vault, [customer])[customer].key
        shop = beside.tea.shop_id
        proposals.propose(db, shop, CRM, customer, key, "custom.tier", tier, "user:ben", beside.moment)


def with_owner(policy: Policy, **owners: str) -> Policy:
    return replace(policy, fields=dict(policy.fields) | {name: FieldRule(owner=who) for name, who in owners.items()})


def people_of_the_tier(way: Direction) -> Policy:
    """The tier belongs to the people here, and no longer to the CRM."""
    made = policy_of(frozenset(), **{"custom.tier": FieldMap(remote="tier", direction=way)})
    return with_owner(made, **{"custom.tier": "manual"})


@pytest.mark.req("M77")
@pytest.mark.parametrize("conflict", ["owner wins", "newest wins"])
def test_where_both_change_a_shared_field_the_owner_s_newer_word_stands(beside: Crm, conflict: Conflict) -> None:
    customer, number = beside.joined(shared_note(conflict), note="one")
    beside.cycle()
    beside.customer(101, **ANN | {"note": "Shopify says"})
    beside.edit(number, remarks="the CRM says")
    beside.cycle()
    assert beside.record(number)["remarks"] == "the CRM says"
    assert beside.own(customer)["note"] == "the CRM says"


@pytest.mark.req("M77")
def test_what_a_person_is_to_decide_is_parked_and_neither_writes_over_the_other(beside: Crm) -> None:
    customer, number = beside.joined(shared_note("manual", owner=SHOPIFY, writers=(CRM,)), note="one")
    beside.cycle()
    beside.customer(101, **ANN | {"note": "Shopify says"})
    beside.edit(number, remarks="the CRM says")
    for _each in range(2):
        beside.cycle()
    assert (beside.own(customer)["note"], beside.record(number)["remarks"]) == ("Shopify says", "the CRM says")
    assert [(system, name) for system, name, _reason in beside.parked()] == [(CRM, "note")]


def test_at_a_first_meeting_the_owner_of_a_shared_field_is_believed(beside: Crm) -> None:
    customer = beside.customer(101, **ANN, note="the owner says")
    number = beside.put(mail="ann@example.com", first="Ann", last="Lee", remarks="stale")
    beside.connect(shared_note("owner wins", owner=SHOPIFY, writers=(CRM,)))
    assert beside.agree().state is RunState.DONE
    assert (beside.own(customer)["note"], beside.record(number)["remarks"]) == ("the owner says", "the owner says")


@pytest.mark.req("M13")
def test_a_record_that_was_deleted_there_is_no_word_about_what_others_own(beside: Crm) -> None:
    _customer, number = beside.joined(shared_note("newest wins", SHOPIFY, (CRM,)), note="one")
    beside.sql("DELETE FROM people WHERE id = ?", number)
    beside.moment += SECOND
    beside.cycle(full=True)
    [line] = [each for each in lines(beside.tea, 101) if each["reason"] == "the record was deleted there"]
    assert (line["writer"], line["fields"]) == (CRM, ["custom.tier"])


def test_a_mass_change_of_a_shared_field_stops_too(beside: Crm) -> None:
    ids = [
        beside.customer(200 + each, first_name="A", last_name=f"B{each}", email=f"p{each}@example.com", note="n")
        for each in range(24)
    ]
    beside.connect(shared_note("owner wins"))
    beside.agree()
    beside.cycle()
    beside.sql("UPDATE people SET remarks = 'wrecked', updated = ?", beside.stamp)
    run = beside.cycle(full=True)
    assert run.state is RunState.PARTIAL
    assert "wrote" not in run.checkpoint
    assert all(beside.own(each)["note"] == "n" for each in ids)


@pytest.mark.req("M22", "M48")
def test_an_edit_is_refused_though_a_write_of_that_very_value_failed_before(beside: Crm, faults: list[str]) -> None:
    _customer, number = beside.joined(note="a")
    beside.customer(101, **ANN | {"note": "b"})
    faults[:] = ["down"]
    assert beside.cycle().state is RunState.FAILED
    faults.clear()
    beside.customer(101, **ANN | {"note": "c"})
    beside.edit(number, remarks="b")
    beside.cycle()
    assert beside.record(number)["remarks"] == "c"
    assert beside.parked() == [(CRM, "note", "owned by shopify")]


@pytest.mark.req("M22", "M82")
def test_a_proposal_does_not_outlive_the_owner_that_it_was_made_to(beside: Crm) -> None:
    customer, number = beside.joined()
    beside.edit(number, tier="silver")
    beside.cycle()
    propose(beside, customer, "gold")
    beside.set(people_of_the_tier(Direction.OUT))
    beside.agree()
    beside.cycle(full=True)
    assert (beside.own(customer)["custom.tier"], beside.record(number)["tier"]) == ("silver", "silver")


@pytest.mark.req("M48")
def test_a_proposal_that_the_owner_will_not_have_is_parked_as_it_was_made(beside: Crm, faults: list[str]) -> None:
    customer, number = beside.joined()
    beside.edit(number, tier="silver")
    beside.cycle()
    propose(beside, customer, "gold")
    faults[:] = ["refuse tier"]
    beside.cycle()
    with beside.tea.runtime.database.read() as db:
        waiting = parked.listed(db, beside.tea.shop_id, 10)
        assert list(parked.values(beside.tea.vault, waiting).values()) == ["gold"]
    assert beside.own(customer)["custom.tier"] == "silver"


def test_a_proposal_does_not_overwrite_what_the_owner_has_said_since(beside: Crm) -> None:
    customer, number = beside.joined()
    beside.edit(number, tier="silver")
    beside.cycle()
    propose(beside, customer, "gold")
    beside.moment += SECOND
    beside.edit(number, tier="platinum")
    beside.cycle()
    assert (beside.own(customer)["custom.tier"], beside.record(number)["tier"]) == ("platinum", "platinum")


@pytest.mark.req("M82")
def test_a_field_that_is_made_manual_while_a_cycle_runs_is_left_alone_at_once(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, number = beside.joined()
    beside.edit(number, tier="gold")
    once_before(monkeypatch, Cycle, "bring_in", lambda: beside.set(people_of_the_tier(Direction.NONE)))
    assert beside.cycle().state is RunState.PARTIAL
    assert beside.own(customer).get("custom.tier") is None


@contextmanager
def sandbox_and_crm(runtime: Runtime, folder: Path) -> Iterator[tuple[Joined, Crm, int]]:
    """A sandbox shop and a CRM, both written by the first policy, and the number of a customer."""
    with joined(runtime, 2) as shop:
        shop.carry_out()
        crm = Crm(shop, folder / "crm.db", now())  # type: ignore[arg-type]
        crm.sql(TABLE)
        crm.connect()
        assert crm.agree().state is RunState.DONE
        assert cycle_of_shopify(crm).state is RunState.DONE
        yield shop, crm, shop.shop.ids[0]


def cycle_of_shopify(crm: Crm) -> Run:
    """Tell Shopify what others own, with the answer that is asked for first."""
    return replace(crm, system=SHOPIFY, moment=now()).agree()


def test_what_shopify_said_while_a_field_was_lent_away_counts_once_it_is_given_back(
    runtime: Runtime, tmp_path: Path
) -> None:
    with sandbox_and_crm(runtime, tmp_path) as (shop, crm, number):
        shop.shop.update(number, note="old")
        shop.follow()
        crm.cycle()
        customer = shop.profile(number).customer_id
        assert customer is not None
        crm.set(policy_of(TIER | {"note"}))
        shop.shop.update(number, note="new")
        shop.follow()
        assert crm.own(customer)["note"] == "old", "the CRM owns it now"
        crm.set(policy_of())
        cycle_of_shopify(crm)
        assert crm.agree().state is RunState.DONE
        assert (crm.own(customer)["note"], crm.of(number)["remarks"]) == ("new", "new")


def test_what_the_crm_said_while_a_field_was_taken_away_counts_once_it_is_given_back(beside: Crm) -> None:
    customer, number = beside.joined()
    beside.edit(number, tier="silver")
    beside.cycle()
    beside.set(people_of_the_tier(Direction.OUT))
    beside.edit(number, tier="gold")
    beside.cycle()
    beside.set(policy_of())
    beside.agree()
    beside.cycle(full=True)
    assert (beside.own(customer)["custom.tier"], beside.record(number)["tier"]) == ("gold", "gold")


@pytest.mark.req("M76")
def test_a_field_that_shopify_is_told_of_from_now_on_is_sent_for_everybody(runtime: Runtime, tmp_path: Path) -> None:
    with sandbox_and_crm(runtime, tmp_path) as (shop, crm, number):
        crm.edit(int(crm.of(number)["id"]), tier="gold")
        crm.cycle()
        made = policy_of()
        tier = {"custom.tier": FieldMap(remote="custom.tier", direction=Direction.OUT)}
        crm.set(replace(made, systems=dict(made.systems) | {SHOPIFY: tier}))
        assert cycle_of_shopify(crm).state is RunState.DONE
        [there] = [each for each in shop.shop.snapshot() if each.id == number]
        assert {(each.namespace, each.key): each.value for each in there.metafields}["custom", "tier"] == "gold"


@pytest.mark.req("M22", "M44")
def test_two_fields_in_one_column_are_not_taken_for_one_another(beside: Crm) -> None:
    column = {"remote": "labels", "transform": "joined", "options": {"separator": ","}}
    maps = {
        "tags": FieldMap(direction=Direction.OUT, **column),  # type: ignore[arg-type]
        "tags[vip:*]": FieldMap(direction=Direction.IN, **column),  # type: ignore[arg-type]
    }
    policy = with_owner(policy_of(TIER, **maps), **{"tags": SHOPIFY, "tags[vip:*]": CRM})
    customer, number = beside.joined(policy, tags=["tea"])
    beside.customer(101, **ANN | {"tags": ["tea", "milk"]})
    beside.edit(number, labels="tea,vip:gold")
    beside.cycle()
    assert beside.parked() == []
    assert sorted(beside.record(number)["labels"].split(",")) == ["milk", "tea", "vip:gold"]
    assert beside.own(customer)["tags[vip:*]"] == ["vip:gold"]


@pytest.mark.req("M22", "M48")
def test_the_tags_that_a_system_may_not_write_are_released_as_it_meant_them(beside: Crm) -> None:
    column = {"remote": "labels", "transform": "joined", "options": {"separator": ","}}
    maps = {"tags": FieldMap(direction=Direction.OUT, **column)}  # type: ignore[arg-type]
    customer, number = beside.joined(with_owner(policy_of(TIER, **maps), tags="manual"), tags=["milk", "tea"])
    set_by_hand(beside.tea, 101, beside.moment, tags="milk, tea")
    beside.cycle()
    beside.edit(number, labels="tea,cake")
    beside.cycle()
    set_by_hand(beside.tea, 101, beside.moment, tags="milk, new, tea")
    with beside.tea.runtime.database.write() as db:
        [one] = parked.listed(db, beside.tea.shop_id, 10)
        releasing.release(db, beside.tea.vault, one.id, "user:ben", beside.moment, keep_days=1)
    assert beside.own(customer)["tags"] == ["cake", "new", "tea"]


@pytest.mark.req("M22")
def test_making_a_customer_s_record_does_not_empty_what_the_system_owns(beside: Crm) -> None:
    ids = [
        beside.customer(200 + each, first_name="A", last_name=f"B{each}", email=f"p{each}@example.com", note="tea")
        for each in range(3)
    ]
    beside.connect(policy_of(TIER | {"note"}))
    beside.agree()
    beside.cycle()
    assert [beside.own(each).get("note") for each in ids] == ["tea"] * 3
    assert beside.sql("SELECT DISTINCT remarks FROM people") == [("tea",)]
    assert beside.marks(SHOPIFY) == []


@pytest.mark.req("M76")
def test_an_owner_s_word_of_a_customer_who_was_hidden_meanwhile_is_heard_once_they_are_back(beside: Crm) -> None:
    customer, number = beside.joined()
    beside.edit(number, tier="silver")
    beside.cycle()
    beside.moment += SECOND
    beside.tea.apply(gone(101, beside.moment), now=beside.moment)
    beside.edit(number, tier="gold")
    beside.cycle()
    assert beside.own(customer)["custom.tier"] == "silver"
    beside.customer(101, **ANN)
    beside.cycle(full=True)
    assert beside.own(customer)["custom.tier"] == "gold"
