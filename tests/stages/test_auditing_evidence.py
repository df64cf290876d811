"""The evidence of an audit, beside a real CRM: what is opened, what both sides say, and who wrote it."""

from dataclasses import replace

import pytest

from onewriter.audit import gathering
from onewriter.customers import owned, remote
from onewriter.records import RunState
from onewriter.rules.diagnosis.evidence import Clean, Side
from onewriter.rules.diagnosis.facts import Relation, Verdict, Why
from onewriter.rules.policy import MANUAL, Direction, FieldMap, FieldRule
from tests.support.auditing import Told, caused, compared, gather, mapping, told
from tests.support.crm import ANN, CRM, Crm, policy_of
from tests.support.owners import set_by_hand

BO = {"first_name": "Bo", "last_name": "Ek", "email": "bo@example.com"}
HERE, THERE = Side.SOURCE, Side.TARGET


def test_nobody_who_is_in_step_is_opened_and_all_of_them_are_counted(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.customer(101, **ANN, note="likes tea")
    bo = beside.customer(102, **BO)
    beside.connect()
    assert beside.agree().state is RunState.DONE
    opened: list[bytes] = []
    real = owned.load

    def load(db: object, vault: object, ids: object, *more: object) -> object:
        opened.extend(ids)  # type: ignore[arg-type]
        return real(db, vault, ids, *more)  # type: ignore[arg-type]

    monkeypatch.setattr("onewriter.audit.gathering.owned.load", load)
    found = gather(beside)
    assert (opened, found.evidence.records, found.pairs, found.found) == ([], {HERE: {}, THERE: {}}, 2, 0)
    assert found.evidence.clean["note"] == Clean(2, 1)
    beside.customer(102, **BO, note="new")
    found = gather(beside)
    assert (opened, found.differing, list(found.evidence.records[HERE])) == ([bo], {"note": 1}, ["102"])
    assert found.customers == {"102": bo}
    assert found.evidence.clean["note"] == Clean(1, 1), "the other one is counted, and not opened"
    assert found.evidence.clean["first_name"] == Clean(1, 1), "who is opened is compared, and not counted as well"
    assert len(set(found.records.values())) == 1


@pytest.mark.req("M40")
def test_what_cannot_be_opened_any_more_needs_not_be_where_it_is_in_step(beside: Crm) -> None:
    ann = beside.customer(101, **ANN)
    beside.customer(102, **BO)
    beside.connect()
    beside.agree()
    beside.customer(102, **BO, note="new")
    beside.tea.runtime.keys.destroy_subjects([ann], beside.moment)
    [row] = compared(beside).rows
    assert (row.rules.name, row.pair.link.source, row.origin_value, row.copy_value) == ("note", "102", "new", None)


def test_a_stale_value_is_dated_by_the_log(beside: Crm) -> None:
    beside.joined(note="first")
    for _ in range(2):
        beside.cycle()
    beside.customer(101, **ANN, note="second")
    found = gather(beside)
    [row] = compared(beside).rows
    assert (row.why, row.copy_is_older, row.origin_value, row.copy_value) == (Why.DIFFERS, True, "second", "first")
    assert row.age is not None
    assert row.age < 1, "no cycle has had the time to carry it"
    assert told(found, "note", "remarks") == [
        Told(HERE, "person", "first"), Told(THERE, "connector", "first"), Told(HERE, "person", "second"),
    ]  # fmt: skip
    sent = next(each for each in found.evidence.writes or () if each.field == "remarks" and each.new == "first")
    cause = caused(found, sent)
    assert cause is not None
    assert (cause.side, cause.field, cause.new) == (HERE, "note", "first")
    assert sent.run is not None
    assert (found.evidence.runs or {})[sent.run].cycle is not None


def test_what_we_wrote_is_dated_by_our_clock_since_the_record_s_own_stamp_is_older(beside: Crm) -> None:
    customer, _record = beside.joined(note="first")
    beside.customer(101, **ANN, note="second")
    beside.cycle()
    beside.cycle()
    found = gather(beside, only=[customer])
    [sent] = [each for each in found.evidence.writes or () if each.field == "remarks" and each.new == "second"]
    cause = caused(found, sent)
    assert cause is not None
    assert (sent.at or 0) > (cause.at or 0)


def test_a_second_writer_in_the_system_is_seen_though_both_sides_agree_by_now(beside: Crm) -> None:
    _ann, record = beside.joined(note="ours")
    for _ in range(2):
        beside.edit(record, remarks="theirs")
        beside.cycle()
        beside.cycle()
    found = gather(beside)
    assert found.differing == {}
    assert Told(THERE, "unknown", "theirs") in told(found, "note", "remarks")
    [row] = compared(beside).rows
    assert (row.why, row.rules.name, row.origin_value) == (Why.REVERTED, "note", "ours")
    assert set(row.copy_writers) == {"onewriter", CRM}


def test_what_the_system_owns_is_its_people_s_and_carried_to_us(beside: Crm) -> None:
    _ann, record = beside.joined()
    beside.edit(record, tier="gold")
    beside.cycle()
    beside.customer(101, **ANN, note="so that it is opened")
    found = gather(beside)
    assert told(found, "custom.tier", "tier") == [Told(THERE, "person", "gold"), Told(HERE, "connector", "gold")]
    [carried] = [each for each in found.evidence.writes or () if each.field == "custom.tier"]
    cause = caused(found, carried)
    assert cause is not None
    assert cause.field == "tier"


def test_a_hand_edit_here_is_a_person_s_and_carried_to_the_system(beside: Crm) -> None:
    made = policy_of()
    customer, _record = beside.joined(replace(made, fields=dict(made.fields) | {"note": FieldRule(owner=MANUAL)}))
    set_by_hand(beside.tea, 101, beside.moment, note="by hand")
    beside.cycle()
    beside.cycle()
    assert told(gather(beside, only=[customer]), "note", "remarks") == [
        Told(HERE, "person", "by hand"), Told(THERE, "connector", "by hand"),
    ]  # fmt: skip


@pytest.mark.req("M67")
def test_a_transform_that_loses_a_part_is_opened_though_the_digests_are_in_step(beside: Crm) -> None:
    beside.customer(101, **ANN | {"first_name": "Ann Marie"})
    beside.customer(102, **BO)
    beside.connect(mapping("first_name", transform="first_word"))
    assert beside.agree().state is RunState.DONE
    found = gather(beside)
    assert (found.differing, found.opened) == ({}, 2)
    assert "first_name" not in found.evidence.clean
    [row] = compared(beside).rows
    assert (row.origin_value, row.copy_value, row.verdict) == ("Ann Marie", "Ann", Verdict.REAL)
    assert Relation.PREFIX in row.relations or Relation.LOSSY in row.relations


def test_words_of_the_system_s_own_are_led_back_before_they_are_compared(beside: Crm) -> None:
    beside.customer(101, **ANN, note="vip")
    beside.connect(mapping("note", enum={"vip": "V", "new": "N"}))
    beside.agree()
    beside.customer(101, **ANN | {"last_name": "Lane"}, note="vip")
    found = gather(beside)
    [there] = found.evidence.records[THERE].values()
    assert there.fields["remarks"] == "vip"
    assert [row.rules.name for row in compared(beside).rows] == ["last_name"]
    beside.customer(101, **ANN | {"last_name": "Lane"}, note="new")
    [there] = gather(beside).evidence.records[THERE].values()
    assert there.fields["remarks"] == "vip", "what is not in step is led back as well"


def test_what_an_empty_value_leaves_standing_is_in_step(beside: Crm) -> None:
    _ann, record = beside.joined(mapping("note", empty="keep"))
    beside.edit(record, remarks="kept there")
    beside.cycle()
    beside.customer(101, **ANN | {"last_name": "Lane"})
    assert [row.rules.name for row in compared(beside).rows] == ["last_name"]


def test_of_what_the_system_owns_shopify_s_side_is_the_copy(beside: Crm) -> None:
    _ann, record = beside.joined(policy_of(frozenset({"note"})))
    beside.edit(record, remarks="from the CRM")
    beside.cycle()
    found = gather(beside)
    assert found.differing == {"note": 1}
    [row] = compared(beside).rows
    assert (row.origin, row.origin_value, row.copy_value) == (THERE, "from the CRM", None)
    assert told(found, "note", "remarks") == [Told(THERE, "person", "from the CRM")], "Shopify was not told yet"


def test_a_part_of_the_address_that_is_not_in_step_is_opened(beside: Crm) -> None:
    city = FieldMap(remote="labels", direction=Direction.OUT)
    home = {"default": True, "city": "Bath", "country_code": "GB"}
    _ann, record = beside.joined(policy_of(frozenset({"custom.tier"}), **{"address.city": city}), addresses=[home])
    assert gather(beside).opened == 0
    beside.edit(record, labels="York")
    assert beside.cycle(dry=True).state is RunState.DONE
    assert (gather(beside).opened, gather(beside).found) == (1, 1)
    [row] = compared(beside).rows
    assert (row.rules.name, row.origin_value, row.copy_value) == ("address.city", "Bath", "York")


@pytest.mark.req("M67")
def test_a_form_alone_is_a_phantom(beside: Crm) -> None:
    _ann, record = beside.joined(note="old")
    beside.edit(record, mail="ANN@Example.com")
    beside.cycle()
    beside.customer(101, **ANN, note="new")
    found = compared(beside)
    assert [row.rules.name for row in found.rows] == ["note"]
    assert [row.rules.name for row in found.phantoms] == ["email"]


def test_a_record_of_nobody_with_a_customer_s_address_is_looked_at_as_a_twin(beside: Crm) -> None:
    customer, _record = beside.joined()
    beside.put(mail="ann@example.com", first="Ann")
    beside.cycle()
    found = gather(beside)
    assert found.loose == {HERE: 0, THERE: 1}
    assert found.customers == {"101": customer}
    [pair] = compared(beside).odd
    assert len(pair.twins) == 1


def test_of_a_case_its_customers_and_some_that_are_in_step_are_gathered(beside: Crm) -> None:
    ann = beside.customer(101, **ANN)
    beside.customer(102, **BO)
    beside.customer(103, first_name="Cy", last_name="Oh", email="cy@example.com")
    beside.connect()
    beside.agree()
    found = gather(beside, only=[ann])
    assert set(found.evidence.records[HERE]) == {"101", "102", "103"}


def test_more_than_can_be_opened_is_a_sample_the_same_each_time(beside: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(101, 113):
        beside.customer(number, first_name="Bo", email=f"bo{number}@example.com")
    beside.connect()
    beside.agree()
    for number in range(101, 113):
        beside.customer(number, first_name="Bob", email=f"bo{number}@example.com")
    monkeypatch.setattr(gathering, "OPENED_MAX", 3)
    one, other = gather(beside), gather(beside)
    assert one.customers == other.customers
    assert (len(one.customers), one.found, one.differing, one.is_sample) == (3, 12, {"first_name": 12}, True)


def test_what_waits_to_be_sent_and_no_line_tells_of_is_dated_by_its_mark(beside: Crm) -> None:
    customer, record = beside.joined()
    with beside.tea.runtime.database.read() as db:
        assert remote.of_customers(db, beside.tea.vault, CRM, [customer])[customer][0].id == str(record)
    beside.customer(101, **ANN | {"last_name": "Lane"})
    found = gather(beside)
    assert told(found, "last_name", "last")[-1] == Told(HERE, "person", "Lane")
