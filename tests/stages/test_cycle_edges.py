"""Corners of a cycle in which something could be lost, doubled, done unasked, or vouched for though it is not so."""

import json
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from onewriter.customers import clean, links, parked, remote, runs, systems
from onewriter.customers.deciding import Pair, break_link
from onewriter.db.bulk import stripe_of
from onewriter.errors import DatabaseBusy
from onewriter.intake import relinking
from onewriter.intake import take as taking
from onewriter.intake.cycle import Cycle
from onewriter.intake.planning import linked_count
from onewriter.intake.sender import Sender
from onewriter.records import DAY, SECOND, RunState
from onewriter.rules.policy import Direction, FieldMap, FieldRule
from tests.support.crm import ANN, CRM, Crm, once_before, policy_of
from tests.support.faulty import Died
from tests.support.shops import absent, gone, merged, told

FEW = 24
"""A few more than may be changed at once without a question."""
NOTHING_SAID = {"state": "not_subscribed", "level": None, "at": None}


def many(beside: Crm, count: int = FEW, **fields: Any) -> list[bytes]:
    """So many customers in Shopify."""
    return [
        beside.customer(200 + each, first_name="A", last_name=f"B{each}", email=f"p{each}@example.com", **fields)
        for each in range(count)
    ]


def put_many(beside: Crm, count: int = FEW, **values: Any) -> None:
    """So many records in the CRM, of the same people."""
    for each in range(count):
        beside.put(mail=f"p{each}@example.com", first="A", last=f"B{each}", **values)


def system_of(beside: Crm) -> systems.System:
    with beside.tea.runtime.database.read() as db:
        return systems.get(db, beside.tea.shop_id, CRM)


def kept(beside: Crm) -> list[Any]:
    with beside.tea.runtime.database.read() as db:
        waiting = parked.listed(db, beside.tea.shop_id, 10)
        return list(parked.values(beside.tea.vault, waiting).values())


def count_of(beside: Crm) -> int:
    [(count,)] = beside.sql("SELECT count(*) FROM people")
    return int(count)


# ---- Nothing in bulk, and nothing unasked -------------------------------------------------------------------------


@pytest.mark.req("M22", "M48")
def test_nobody_is_subscribed_in_bulk_not_even_later_in_the_same_cycle(beside: Crm) -> None:
    yes = json.dumps({"state": "subscribed", "at": beside.moment, "source": "form", "level": "single_opt_in"})
    ids = many(beside, email_consent=NOTHING_SAID)
    put_many(beside, labels=yes)
    made = policy_of(email_consent=FieldMap(remote="labels", direction=Direction.IN, transform="json"))
    beside.connect(replace(made, fields=dict(made.fields) | {"email_consent": FieldRule(owner=CRM)}))
    beside.agree()
    assert {(beside.own(each).get("email_consent") or {}).get("state") for each in ids}.isdisjoint({"subscribed"})
    assert len(beside.parked()) == FEW


def test_one_customer_s_cycle_writes_nothing_before_the_first_question_is_answered(beside: Crm) -> None:
    customer = beside.customer(101, **ANN, note="likes tea")
    number = beside.put(mail="ann@example.com", first="Ann", last="Lee", remarks="old", tier="gold")
    beside.connect()
    before = beside.record(number)
    assert beside.cycle().state is RunState.PARTIAL
    assert beside.cycle(only=customer).state is RunState.PARTIAL
    assert (beside.record(number), beside.own(customer).get("custom.tier")) == (before, None)


def test_one_customer_s_cycle_agrees_to_nothing_for_the_rest(beside: Crm) -> None:
    put_many(beside, 3, remarks="old", tier="gold")
    ids = many(beside, 3, note="new")
    beside.connect(creates=False)
    beside.cycle(only=ids[0])
    run = beside.cycle()
    assert (run.state, "wrote" in run.checkpoint) == (RunState.PARTIAL, False)
    assert beside.sql("SELECT DISTINCT remarks, tier FROM people") == [("old", "gold")]


def test_a_system_that_is_connected_before_its_customers_come_asks_when_they_do(beside: Crm) -> None:
    beside.connect()
    beside.cycle()
    assert system_of(beside).agreed_version == 0
    many(beside, 3)
    assert beside.cycle().state is RunState.PARTIAL
    assert count_of(beside) == 0


def test_many_records_are_not_made_at_once_without_a_question(beside: Crm) -> None:
    beside.customer(101, **ANN)
    beside.connect()
    beside.agree()
    many(beside)
    assert beside.cycle().state is RunState.PARTIAL
    assert count_of(beside) == 1


def test_what_a_person_allowed_is_allowed_once(beside: Crm, faults: list[str]) -> None:
    ids = many(beside)
    put_many(beside, tier="gold")
    beside.connect()
    beside.cycle()
    beside.answer("go on")
    faults[:] = ["wait 3600"]
    assert beside.cycle().state is RunState.PARTIAL
    faults.clear()
    beside.moment += SECOND
    beside.sql("UPDATE people SET tier = NULL, updated = ?", beside.stamp)
    run = beside.cycle()
    assert (run.state, "wrote" in run.checkpoint) == (RunState.PARTIAL, False)
    assert {beside.own(each).get("custom.tier") for each in ids} == {"gold"}


def test_what_comes_after_the_look_waits_for_the_next_look(beside: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    many(beside, note="n")
    beside.connect()
    beside.agree()
    beside.cycle()
    once_before(monkeypatch, Cycle, "bring_in", lambda: many(beside, note="wrecked"))
    beside.cycle()
    assert beside.sql("SELECT DISTINCT remarks FROM people") == [("n",)]
    assert beside.cycle().state is RunState.PARTIAL, "now it is counted, and it is too much"


# ---- Nothing is lost --------------------------------------------------------------------------------------------


@pytest.mark.req("M76")
def test_an_owner_s_value_arrives_however_many_tries_have_failed(beside: Crm, faults: list[str]) -> None:
    _customer, number = beside.joined()
    beside.customer(101, **ANN | {"last_name": "Li"})
    faults[:] = ["lost, not done"] * 6
    for _each in range(2):
        assert beside.cycle().state is RunState.PARTIAL
        beside.moment += DAY
    faults.clear()
    beside.cycle()
    assert (beside.record(number)["last"], beside.marks()) == ("Li", [])


def test_a_cycle_matches_only_so_many_strangers_at_a_time_and_still_links_them_all(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relinking, "AT_ONCE", 3)
    beside.connect(creates=False)
    beside.agree()
    put_many(beside, 8)
    beside.cycle()
    many(beside, 8)
    for _each in range(4):
        beside.cycle()
    with beside.tea.runtime.database.read() as db:
        assert linked_count(db, beside.tea.shop_id, CRM) == 8


def test_a_customer_with_two_records_after_a_merge_is_still_heard_and_told(beside: Crm) -> None:
    customer = beside.customer(101, **ANN)
    beside.customer(102, first_name="Ann", last_name="Li", email="ann2@example.com")
    beside.connect()
    beside.agree()
    number = int(beside.of(101)["id"])
    for news in (merged(102, 101, beside.moment + SECOND), absent(102, beside.moment + 2 * SECOND)):
        beside.moment += SECOND
        beside.tea.apply(news, now=beside.moment)
    beside.cycle(full=True)
    beside.edit(number, tier="gold")
    beside.customer(101, **ANN | {"last_name": "Long"})
    beside.cycle(full=True)
    assert (beside.own(customer).get("custom.tier"), beside.record(number)["last"]) == ("gold", "Long")


# ---- Nothing is doubled -----------------------------------------------------------------------------------------


def test_a_record_that_was_nobody_s_is_found_before_another_is_made(beside: Crm) -> None:
    beside.connect()
    beside.agree()
    beside.put(mail="ann@example.com", first="Ann", last="Lee")
    beside.cycle()
    customer = beside.customer(101, **ANN)
    beside.cycle(only=customer)
    beside.agree()
    assert (count_of(beside), beside.of(101)["mail"]) == (1, "ann@example.com")


def test_a_record_that_knows_only_the_shop_s_number_is_found_too(beside: Crm) -> None:
    beside.connect()
    beside.agree()
    beside.put(shop_no="101", first="Ann", last="Lee")
    beside.cycle()
    beside.customer(101, **ANN)
    beside.cycle(full=True)
    beside.agree()
    assert (count_of(beside), beside.of(101)["mail"]) == (1, "ann@example.com")


def test_a_customer_who_comes_while_a_cycle_runs_gets_the_record_that_is_theirs(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.customer(102, first_name="Bea", last_name="Moss", email="bea@example.com")
    beside.connect()
    beside.agree()
    beside.put(mail="ann@example.com", first="Ann", last="Lee")
    beside.cycle()
    once_before(monkeypatch, Sender, "run", lambda: beside.customer(101, **ANN))
    for _each in range(2):
        beside.cycle()
    assert (count_of(beside), beside.of(101)["mail"]) == (2, "ann@example.com")


def test_a_record_made_for_a_customer_who_is_hidden_meanwhile_is_theirs_once_they_are_back(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = beside.customer(101, **ANN)
    beside.connect()
    beside.cycle()
    beside.answer("go on")
    real = Sender._write

    def write(sender: Sender, patches: Any) -> Any:
        monkeypatch.setattr(Sender, "_write", real)
        outcomes = real(sender, patches)
        beside.moment += SECOND
        beside.tea.apply(gone(101, beside.moment), now=beside.moment)
        return outcomes

    monkeypatch.setattr(Sender, "_write", write)
    beside.cycle()
    beside.customer(101, **ANN)
    for _each in range(2):
        beside.cycle(full=True)
    with beside.tea.runtime.database.read() as db:
        linked = links.of_customers(db, beside.tea.shop_id, CRM, [customer])
    assert (count_of(beside), len(linked.get(customer, ()))) == (1, 1)


def test_a_delivery_and_a_cycle_that_finds_a_record_gone_do_not_lock_each_other_out(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    if beside.tea.runtime.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time, who cannot be locked out in the middle.")
    many(beside, 4)
    beside.connect()
    beside.agree()
    hashed = beside.tea.vault.key.id_hash
    low, *_between, high = sorted(range(200, 204), key=lambda number: stripe_of(hashed(number)))
    numbers = int(beside.of(low)["id"]), int(beside.of(high)["id"])

    def both(**fields: str) -> None:
        moment = beside.moment + SECOND
        beside.tea.apply(told(low, moment, fields), told(high, moment, fields), now=moment)

    def change_there() -> None:
        beside.edit(numbers[1], first="X")
        beside.sql("DELETE FROM people WHERE id = ?", numbers[0])

    failed: list[DatabaseBusy] = []
    deliveries: list[Thread] = []

    def deliver() -> None:
        try:
            both(first_name="Q")
        except DatabaseBusy as error:
            failed.append(error)

    def deliver_beside() -> None:
        deliveries.append(Thread(target=deliver))
        deliveries[0].start()
        deliveries[0].join(0.3)

    both(last_name="Li")
    once_before(monkeypatch, Sender, "run", change_there)
    once_before(monkeypatch, taking, "take_gone", deliver_beside)
    beside.moment += SECOND
    run = beside.cycle()
    assert deliveries, "the cycle has looked and found one gone"
    deliveries[0].join(10)
    assert (run.state, failed) == (RunState.DONE, [])


# ---- What is told is so -----------------------------------------------------------------------------------------


@pytest.mark.req("M40", "M48")
def test_a_field_that_the_system_does_not_hold_is_not_called_clean(beside: Crm) -> None:
    short = policy_of(note=FieldMap(remote="remarks", direction=Direction.OUT, max_length=5))
    customer, number = beside.joined(short, note="one")
    beside.customer(101, **ANN | {"note": "far too long"})
    parted = beside.moment
    for _each in range(2):
        beside.moment += DAY
        beside.cycle()
    with beside.tea.runtime.database.read() as db:
        at = clean.last_clean(db, beside.tea.shop_id, customer)[CRM, "note"]
    assert beside.record(number)["remarks"] == "one"
    assert at is not None
    assert at <= parted


@pytest.mark.req("M48")
def test_a_parked_value_ends_by_itself_once_a_fitting_one_has_arrived(beside: Crm) -> None:
    short = policy_of(note=FieldMap(remote="remarks", direction=Direction.OUT, max_length=5))
    _customer, number = beside.joined(short, note="one")
    beside.customer(101, **ANN | {"note": "far too long"})
    beside.cycle()
    assert [name for _system, name, _reason in beside.parked()] == ["note"]
    beside.customer(101, **ANN | {"note": "two"})
    beside.cycle()
    assert (beside.record(number)["remarks"], beside.parked()) == ("two", [])


@pytest.mark.req("M48")
def test_part_of_an_address_that_was_refused_is_parked_with_its_value(beside: Crm, faults: list[str]) -> None:
    policy = policy_of(
        frozenset({"custom.tier"}), **{"address.city": FieldMap(remote="labels", direction=Direction.OUT)}
    )
    beside.joined(policy, addresses=[{"default": True, "city": "Leeds", "id": 1}])
    beside.customer(101, **ANN | {"addresses": [{"default": True, "city": "York", "id": 1}]})
    faults[:] = ["refuse labels"]
    beside.cycle()
    assert kept(beside) == ["York"]


@pytest.mark.req("M22", "M48")
def test_a_value_that_we_once_meant_to_write_is_no_echo_when_somebody_types_it(beside: Crm, faults: list[str]) -> None:
    short = policy_of(note=FieldMap(remote="remarks", direction=Direction.OUT, max_length=6))
    _customer, number = beside.joined(short, note="a")
    beside.customer(101, **ANN | {"note": "b"})
    faults[:] = ["refuse remarks"]
    beside.cycle()
    beside.customer(101, **ANN | {"note": "much too long"})
    beside.cycle()
    beside.edit(number, remarks="b")
    beside.cycle()
    assert (CRM, "note", "owned by shopify") in beside.parked()


@pytest.mark.req("M22", "M48")
def test_an_edit_made_while_our_process_was_dead_is_refused_and_put_right(beside: Crm, faults: list[str]) -> None:
    _customer, number = beside.joined()
    beside.edit(number, tier="gold")
    beside.customer(101, **ANN | {"note": "x"})
    faults[:] = ["dies after"]
    with pytest.raises(Died):
        beside.cycle()
    with beside.tea.runtime.database.read() as db:
        [left] = runs.newest(db, 1)
    beside.edit(number, remarks="by hand")
    beside.carry_out(left.id)
    assert beside.record(number)["remarks"] == "x"
    assert (CRM, "note", "owned by shopify") in beside.parked()


def test_a_quiet_cycle_writes_no_record_anew_though_some_are_not_in_step(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(beside, 5, note="x")
    beside.connect(policy_of(note=FieldMap(remote="remarks", direction=Direction.NONE)))
    beside.agree()
    beside.cycle()
    saved: list[Any] = []
    real = remote.save

    def save(db: Any, vault: Any, remotes: Any, now: int) -> None:
        saved.extend(each := list(remotes))
        real(db, vault, each, now)

    monkeypatch.setattr(remote, "save", save)
    assert beside.cycle().state is RunState.DONE
    assert saved == []


def test_a_link_that_is_broken_by_hand_is_not_made_again(beside: Crm) -> None:
    customer, number = beside.joined()
    pair = Pair(CRM, beside.tea.vault.key.record_name(CRM, str(number)), customer)
    with beside.tea.runtime.database.write() as db:
        break_link(db, beside.tea.vault, pair, "user:ben", beside.moment)
    for _each in range(2):
        beside.cycle(full=True)
    beside.edit(number, tier="gold")
    beside.cycle()
    assert beside.own(customer).get("custom.tier") is None
