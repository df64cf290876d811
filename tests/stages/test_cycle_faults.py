"""What goes wrong with connected systems, and what becomes of it: nothing is lost, doubled, or told in riddles."""

import pytest

from onewriter.customers import erasing, links, parked, policies, questions, remote, runs, systems
from onewriter.errors import DatabaseBusy
from onewriter.intake.cycle import Cycle
from onewriter.intake.hand import Wish, set_fields
from onewriter.records import DAY, SECOND, RunState
from onewriter.workflows import cycling, undoing
from onewriter.workflows.carrying import carry_out
from onewriter.workflows.undoing import NotUndone
from tests.support.crm import CRM, TABLE, Crm, once_before, policy_of
from tests.support.faulty import Died
from tests.support.shops import absent, later, merged

ANN = {"first_name": "Ann", "last_name": "Lee", "email": "ann@example.com", "phone": "+447700900111"}


def joined(beside: Crm, **fields: object) -> tuple[bytes, int]:
    customer = beside.customer(101, **ANN | fields)
    beside.connect()
    assert beside.agree().state is RunState.DONE
    return customer, int(beside.of(101)["id"])


def system_of(beside: Crm) -> systems.System:
    with beside.tea.runtime.database.read() as db:
        return systems.get(db, beside.tea.shop_id, CRM)


def many(beside: Crm, count: int = 30) -> None:
    for number in range(101, 101 + count):
        beside.customer(number, first_name=f"A{number}", last_name="Lee", email=f"a{number}@example.com")
    beside.connect()
    assert beside.agree().state is RunState.DONE


def test_a_system_that_is_down_says_so_and_the_next_cycle_goes_on(beside: Crm, faults: list[str]) -> None:
    _customer, number = joined(beside)
    beside.customer(101, **ANN | {"last_name": "Li"})
    faults[:] = ["down"]
    run = beside.cycle()
    assert (run.state, run.reason) == (RunState.FAILED, "The system does not answer.")
    assert system_of(beside).trouble == run.reason
    assert beside.cycle().state is RunState.DONE
    assert (beside.record(number)["last"], system_of(beside).trouble) == ("Li", None)


def test_a_cycle_that_the_database_will_not_take_now_is_taken_up_again(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, number = joined(beside)
    beside.edit(number, tier="gold")

    def be_busy() -> None:
        raise DatabaseBusy("The database is locked.")

    once_before(monkeypatch, Cycle, "bring_in", be_busy)
    beside.moment += SECOND
    runtime, rested = beside.tea.runtime, list[float]()
    with runtime.database.write() as db:
        run_id = cycling.queue(runtime, db, beside.tea.shop_id, CRM, "schedule", beside.moment)
    carry_out(runtime, run_id, rested.append)
    with runtime.database.read() as db:
        assert runs.get(db, run_id).state is RunState.DONE
    assert (len(rested), system_of(beside).trouble) == (1, None), "nothing is wrong with the system"
    assert beside.own(customer)["custom.tier"] == "gold"


def test_records_that_are_missing_in_masses_are_not_taken_for_deleted_while_they_are_written(beside: Crm) -> None:
    many(beside, 50)
    beside.sql("DELETE FROM people WHERE id <= 21")
    for number in range(101, 151):
        beside.customer(number, first_name=f"A{number}", last_name="Li", email=f"a{number}@example.com")
    assert beside.cycle().state is RunState.PARTIAL
    beside.answer("allow")
    run = beside.cycle()
    assert run.state is RunState.FAILED
    assert "systems cycle crm --full" in (run.reason or "")
    assert len(beside.marks()) == 50, "nobody is forgotten"
    assert "are missing at once" in (beside.cycle(full=True).reason or "")


def test_one_system_that_is_gone_stops_no_other(beside: Crm) -> None:
    _customer, number = joined(beside)
    other = Crm(beside.tea, beside.file.with_name("erp.db"), beside.moment, system="erp")
    other.sql(TABLE)
    maps = policy_of().systems[CRM]
    policy = policy_of()
    beside.set(type(policy)(fields=policy.fields, systems={CRM: maps, "erp": maps}))
    other.connect()
    other.moment = beside.moment
    assert other.cycle().state is RunState.PARTIAL, "it asks first, as each system does"
    other.file.unlink()
    beside.moment = other.moment
    beside.customer(101, **ANN | {"last_name": "Li"})
    assert other.cycle().state is RunState.FAILED
    assert beside.cycle().state is RunState.DONE
    assert beside.record(number)["last"] == "Li"


@pytest.mark.parametrize(("fault", "waits"), [("wait 2", True), ("wait 3600", False)])
def test_a_system_that_asks_to_be_left_alone_is_left_alone(
    beside: Crm, faults: list[str], fault: str, waits: bool
) -> None:
    _customer, number = joined(beside)
    beside.customer(101, **ANN | {"last_name": "Li"})
    faults[:] = [fault, fault if not waits else "none"]
    run = beside.cycle()
    if waits:
        assert (run.state, beside.slept, beside.record(number)["last"]) == (RunState.DONE, [2.0], "Li")
        return
    assert (run.state, beside.slept, beside.record(number)["last"]) == (RunState.PARTIAL, [], "Lee")
    assert system_of(beside).retry_at == beside.moment + 3600 * SECOND
    beside.moment += 3601 * SECOND
    faults.clear()
    assert beside.cycle().state is RunState.DONE
    assert beside.record(number)["last"] == "Li"


@pytest.mark.parametrize("fault", ["lost", "dies after"])
def test_a_record_whose_making_nobody_heard_of_is_not_made_twice(beside: Crm, faults: list[str], fault: str) -> None:
    beside.customer(101, **ANN)
    beside.connect()
    beside.cycle()
    beside.answer("go on")
    faults[:] = [fault]
    try:
        run = beside.cycle()
    except Died:
        with beside.tea.runtime.database.read() as db:
            left = runs.newest(db, 1)[0]
        run = beside.carry_out(left.id)
    assert run.state is RunState.DONE
    assert beside.sql("SELECT count(*), max(mobile) FROM people") == [(1, "+447700900111")]
    assert beside.cycle(full=True).checkpoint["wrote"] == {"in": {}, "out": {}}


def test_a_system_that_makes_another_value_of_it_is_not_written_for_ever(beside: Crm) -> None:
    customer, _number = joined(beside)
    beside.sql(
        "CREATE TRIGGER loud AFTER UPDATE OF first ON people WHEN new.first <> upper(new.first || 's') "
        "BEGIN UPDATE people SET first = upper(new.first || 's') WHERE id = new.id; END"
    )
    beside.customer(101, **ANN | {"first_name": "Anna"})
    assert beside.cycle().state is RunState.DONE
    with beside.tea.runtime.database.read() as db:
        [one] = parked.listed(db, beside.tea.shop_id, 10)
    assert (one.field, one.direction, one.reason) == ("first_name", "out", "crm made another value of it")
    assert beside.own(customer)["first_name"] == "Anna"
    assert beside.cycle(full=True).checkpoint["wrote"]["out"] == {}


def test_a_second_record_of_one_person_waits_for_a_person(beside: Crm) -> None:
    customer, _number = joined(beside)
    twin = beside.put(mail="ann@example.com", first="Ann", last="Lee", tier="gold")
    run = beside.cycle()
    assert (run.state, run.counts["review"]) == (RunState.DONE, 1)
    assert beside.own(customer).get("custom.tier") is None
    with beside.tea.runtime.database.read() as db:
        states = sorted(each.state for each in links.of_people(db, beside.tea.shop_id, [customer]))
    assert states == ["linked", "review"]
    assert beside.record(twin)["mobile"] is None, "nothing is written to a record that may be somebody else's"


def test_many_that_vanish_at_once_are_rather_a_broken_reading(beside: Crm) -> None:
    many(beside)
    beside.sql("DELETE FROM people WHERE id > 5")
    run = beside.cycle(full=True)
    assert run.state is RunState.FAILED
    assert "25 of 30 records of crm are missing at once" in str(run.reason)
    with beside.tea.runtime.database.write() as db:
        systems.change(db, beside.tea.shop_id, CRM, beside.moment, allowed={"vanished": 1})
    run = beside.cycle(full=True)
    assert (run.state, run.counts["gone"]) == (RunState.DONE, 25)
    assert beside.sql("SELECT count(*) FROM people") == [(5,)], "and nobody who was deleted there is made again"


@pytest.mark.parametrize("known", ["mail", "missing"])
def test_a_table_that_changed_ends_the_cycle_before_anything_is_read(beside: Crm, known: str) -> None:
    joined(beside)
    beside.sql("ALTER TABLE people RENAME COLUMN mobile TO cell")
    run = beside.cycle()
    assert run.state is RunState.FAILED
    assert str(run.reason).startswith("mobile: ")
    assert system_of(beside).trouble == run.reason
    beside.sql("ALTER TABLE people RENAME COLUMN cell TO mobile")
    assert beside.cycle().state is RunState.DONE


def test_a_whole_cycle_is_taken_back_and_its_system_paused(beside: Crm) -> None:
    customer, number = joined(beside, note="first")
    beside.edit(number, tier="gold")
    beside.customer(101, **ANN | {"note": "second"})
    wrong = beside.cycle()
    assert (beside.own(customer)["custom.tier"], beside.record(number)["remarks"]) == ("gold", "second")
    runtime = beside.tea.runtime
    with runtime.database.write() as db:
        undo_id = undoing.queue(runtime, db, wrong.id, "user:test", beside.moment)
    with runtime.database.write() as db:
        run = runs.begin(db, undo_id, beside.moment)
    ended = undoing.carry_out_undo(runtime, run)
    assert (ended.state, ended.counts) == (RunState.DONE, {"undone": 2})
    assert beside.own(customer).get("custom.tier") is None
    assert beside.record(number)["remarks"] == "first"
    assert system_of(beside).state == "paused", "its next cycle would do the same again"
    again = beside.cycle()
    assert (again.state, again.reason) == (RunState.FAILED, "The system is paused; resume it first.")
    with runtime.database.write() as db, pytest.raises(NotUndone):
        undoing.queue(runtime, db, undo_id, "user:test", beside.moment)


def test_what_was_changed_since_is_not_taken_back(beside: Crm) -> None:
    customer, number = joined(beside)
    beside.edit(number, tier="gold")
    wrong = beside.cycle()
    beside.edit(number, tier="silver")
    beside.cycle()
    runtime = beside.tea.runtime
    with runtime.database.write() as db:
        undo_id = undoing.queue(runtime, db, wrong.id, "user:test", beside.moment)
    with runtime.database.write() as db:
        run = runs.begin(db, undo_id, beside.moment)
    ended = undoing.carry_out_undo(runtime, run)
    assert (ended.state, ended.counts) == (RunState.PARTIAL, {"changed since": 1})
    assert beside.own(customer)["custom.tier"] == "silver"


@pytest.mark.req("M8")
def test_a_hand_edit_of_a_field_that_a_system_owns_goes_there_and_comes_back(beside: Crm) -> None:
    customer, number = joined(beside)
    wish = Wish(shopify_id=101, values={"custom.tier": "gold"}, by="user:ann", keep_days=30)
    with beside.tea.runtime.database.write() as db:
        [edit] = set_fields(db, beside.tea.vault, wish, beside.moment)
    assert (edit.outcome, edit.owner) == ("sent to its owner", CRM)
    assert beside.own(customer).get("custom.tier") is None, "it is the owner's word that counts"
    assert beside.cycle().state is RunState.DONE
    assert beside.record(number)["tier"] == "gold"
    assert beside.own(customer)["custom.tier"] == "gold"


@pytest.mark.req("M82")
def test_a_field_that_is_made_manual_is_written_by_nobody(beside: Crm) -> None:
    customer, number = joined(beside)
    with beside.tea.runtime.database.read() as db:
        policy = policies.of_shop(db, beside.tea.shop_id)
    fields = dict(policy.fields) | {"custom.tier": type(policy.fields["note"])(owner="manual")}
    maps = {name: each for name, each in policy.systems[CRM].items() if name != "custom.tier"}
    beside.set(type(policy)(fields=fields, systems={CRM: maps}))
    beside.edit(number, tier="gold")
    beside.agree()
    assert (beside.own(customer).get("custom.tier"), beside.record(number)["tier"]) == (None, "gold")


def test_a_person_who_said_to_wait_is_not_asked_the_same_again_for_a_day(beside: Crm) -> None:
    beside.customer(101, **ANN)
    beside.connect()
    beside.cycle()
    beside.answer("wait")
    assert "said to wait" in str(beside.cycle().reason)
    with beside.tea.runtime.database.read() as db:
        assert questions.waiting(db, 10) == []
    beside.moment += DAY
    beside.cycle()
    with beside.tea.runtime.database.read() as db:
        assert len(questions.waiting(db, 10)) == 1


@pytest.mark.req("K32")
def test_who_was_erased_does_not_come_back_from_another_system(beside: Crm) -> None:
    _customer, number = joined(beside)
    with beside.tea.runtime.database.write() as db:
        erasing.erase(db, beside.tea.vault, [101], erasing.Asked("a test", beside.moment), beside.moment)
    erasing.end(beside.tea.runtime.database, beside.tea.runtime.keys, beside.moment)
    beside.edit(number, tier="gold")
    run = beside.cycle(full=True)
    assert (run.state, run.counts) == (RunState.DONE, {"erased": 1})
    with beside.tea.runtime.database.read() as db:
        assert remote.every_name(db, beside.tea.shop_id, CRM) == set()
    beside.edit(number, shop_no=None)
    back = beside.customer(102, **ANN)
    assert beside.cycle(full=True).state is RunState.DONE
    assert beside.own(back)["custom.tier"] == "gold", "it is this customer's record now"
    assert beside.sql("SELECT count(*) FROM people") == [(1,)]


@pytest.mark.req("M10")
def test_after_a_merge_one_record_is_told_and_the_other_waits_for_a_person(beside: Crm) -> None:
    customer, number = joined(beside)
    other = beside.customer(102, first_name="Anna", last_name="Li", email="anna@example.com")
    assert beside.cycle().state is RunState.DONE
    orphan = int(beside.of(102)["id"])
    moment = beside.moment = beside.moment + SECOND
    beside.tea.apply(merged(102, 101, moment), absent(102, later(moment, 1)), now=later(moment, 1))
    beside.customer(101, **ANN | {"first_name": "Anna"})
    assert beside.cycle(full=True).state is RunState.DONE
    assert (beside.record(number)["first"], beside.record(orphan)["shop_no"]) == ("Anna", "102")
    with beside.tea.runtime.database.read() as db:
        known = {each.record: each.state for each in links.of_people(db, beside.tea.shop_id, [customer, other])}
    name = beside.tea.vault.key.record_name
    assert known == {name(CRM, str(number)): "linked", name(CRM, str(orphan)): "review"}
    assert beside.cycle(full=True).checkpoint["wrote"] == {"in": {}, "out": {}}
