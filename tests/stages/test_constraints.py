"""The constraint check beside a real CRM: a fault at the boundary is named before any record is looked at."""

import pytest

from onewriter.connectors.interface import Discovery
from onewriter.customers import shops, systems
from onewriter.records import DAY, HOUR
from onewriter.rules.constraints import boundary
from onewriter.rules.evidence import Check, Outcome
from onewriter.rules.policy import Direction, FieldMap
from onewriter.workflows import constraining, discovering
from onewriter.workflows.constraining import NotTried, Tried
from tests.support.crm import CRM, Crm, policy_of
from tests.support.owners import set_by_hand
from tests.support.shops import later

REFUSES = "CREATE TRIGGER no BEFORE UPDATE OF mobile ON people BEGIN SELECT RAISE(ABORT, 'no permission, Ann'); END"


def discover(beside: Crm) -> Discovery:
    """Keep what the CRM says of itself, as `systems check` does."""
    with beside.tea.runtime.database.read() as db:
        system = systems.get(db, beside.tea.shop_id, CRM)
    found = discovering.discover(beside.tea.runtime, system)
    with beside.tea.runtime.database.write() as db:
        systems.change(db, beside.tea.shop_id, CRM, beside.moment, discovered=discovering.kept(found))
    return found


def looked(beside: Crm, asked: str | None = None) -> dict[str, Check]:
    runtime, shop_id = beside.tea.runtime, beside.tea.shop_id
    with runtime.database.read() as db:
        shop, system = shops.by_id(db, shop_id), systems.get(db, shop_id, CRM)
        found = constraining.check(runtime, db, shop, system, days=30, asked=asked)
    return {each.name: each for each in found}


def outcomes(found: dict[str, Check]) -> dict[str, str]:
    return {name: each.outcome.value for name, each in found.items()}


def tried(beside: Crm, customer: bytes, *fields: str) -> list[Tried]:
    runtime = beside.tea.runtime
    with runtime.database.read() as db:
        system = systems.get(db, beside.tea.shop_id, CRM)
    return constraining.try_rights(runtime, system, customer, fields)


def whom(beside: Crm) -> bytes:
    profile = beside.tea.profile(101)
    assert profile is not None
    assert profile.customer_id is not None
    return profile.customer_id


@pytest.fixture
def joined(beside: Crm) -> Crm:
    """One customer whom the CRM knows, and a CRM that has told what it has."""
    beside.joined()
    discover(beside)
    return beside


@pytest.mark.req("M41", "M42", "M43", "M44", "M45", "M47")
def test_without_a_fault_all_pass_but_the_rights_that_nobody_tried(joined: Crm) -> None:
    found = looked(joined)
    assert outcomes(found) == {
        "direction": "pass", "match key": "pass", "coverage": "pass", "formatting": "pass",
        "permissions": "unknown", "logging": "pass",
    }, found  # fmt: skip
    assert "Not carried: tags, email_consent, sms_consent, whatsapp_consent, 3 more" in found["coverage"].evidence[1]
    assert "labels" in found["coverage"].evidence[2]
    assert "1 linked (1 by created)" in found["match key"].evidence[0]
    told = boundary(found.values())
    assert (told.kind, told.confidence) == (None, "full")


@pytest.mark.req("M46")
def test_a_right_is_known_once_what_stands_there_was_written_back(joined: Crm) -> None:
    customer = whom(joined)
    before = joined.of(101)
    fields = constraining.triable(policy_of(), CRM)
    assert [each for each in tried(joined, customer, *fields) if each.taken is not True] == [
        Tried("note", None, "nothing stands there that could be written back")
    ]
    assert joined.of(101) == before
    assert outcomes(looked(joined, "phone"))["permissions"] == "pass"
    assert outcomes(looked(joined, "note"))["permissions"] == "unknown"
    assert outcomes(looked(joined))["permissions"] == "unknown"
    assert joined.cycle().counts.get("refused", 0) == 0


@pytest.mark.req("M41", "M46")
def test_a_right_that_is_missing_is_named_by_the_try_and_ends_it(joined: Crm) -> None:
    customer = whom(joined)
    joined.sql(REFUSES)
    phone, email = tried(joined, customer, "phone", "email")
    assert (phone.taken, email.taken) == (False, True)
    found = looked(joined)["permissions"]
    assert (found.outcome, found.fields) == (Outcome.FAIL, ("phone",))
    assert "crm refused phone when it was tried" in found.evidence[0]
    assert "Ann" not in "".join(found.evidence)
    assert boundary([found], "phone").kind == "boundary"
    assert boundary([found], "email").kind is None
    joined.sql("DROP TRIGGER no")
    joined.moment += DAY
    assert tried(joined, customer, "phone")[0].taken
    assert looked(joined, "phone")["permissions"].outcome is Outcome.PASS


def test_nothing_is_tried_on_a_system_that_stands_still_or_without_a_record(joined: Crm) -> None:
    customer = whom(joined)
    stranger = joined.customer(102, email="bo@example.com")
    with pytest.raises(NotTried, match="has no record in crm"):
        tried(joined, stranger, "email")
    with joined.tea.runtime.database.write() as db:
        systems.change(db, joined.tea.shop_id, CRM, joined.moment, state="paused")
    with pytest.raises(NotTried, match="is paused"):
        tried(joined, customer, "email")


@pytest.mark.req("M42")
def test_the_wrong_way_is_named(joined: Crm) -> None:
    joined.set(policy_of(email=FieldMap(remote="mail", direction=Direction.IN)))
    found = looked(joined)["direction"]
    assert (found.outcome, found.fields) == (Outcome.FAIL, ("email",))
    assert found.evidence == ("crm is asked for email as if it were its own, and shopify owns it.",)


@pytest.mark.req("M42")
def test_edits_that_a_system_may_not_make_are_told(joined: Crm) -> None:
    joined.moment += HOUR
    joined.edit(joined.of(101)["id"], mobile="+447700900999")
    joined.cycle()
    found = looked(joined, "phone")
    assert found["direction"].outcome is Outcome.PASS
    assert found["direction"].evidence[1] == "crm changed phone by itself once, and does not own it."
    assert found["logging"].outcome is Outcome.PASS
    assert "1 records have changed since they were linked, 0 of them unexplained" in found["logging"].evidence[0]


@pytest.mark.req("M44", "M48")
def test_what_is_not_carried_or_does_not_fit_is_named_for_the_field_in_question(joined: Crm) -> None:
    assert looked(joined, "tags")["coverage"].evidence[0] == "tags is not mapped to crm."
    assert "goes no further: nobody mapped it to shopify" in looked(joined, "custom.tier")["coverage"].evidence[0]
    joined.set(policy_of(note=FieldMap(remote="remarks", direction=Direction.OUT, max_length=5)))
    joined.customer(101, note="rings before noon")
    joined.agree()
    joined.cycle()
    joined.moment += 3 * DAY
    found = looked(joined, "note")
    assert found["coverage"].outcome is Outcome.FAIL
    assert "longer than the 5 characters that remarks holds" in found["coverage"].evidence[0]
    assert found["permissions"].evidence[1].startswith("Parked: 1 of note, which crm does not take")
    assert found["permissions"].evidence[1].endswith("the oldest for 3 days.")
    assert looked(joined)["coverage"].outcome is Outcome.PASS
    joined.set(policy_of(note=FieldMap(remote="memo", direction=Direction.OUT)))
    assert looked(joined)["coverage"].fields == ("note",)


@pytest.mark.req("M43")
def test_records_that_nobody_links_are_told(joined: Crm) -> None:
    for number in range(3):
        joined.put(mail=f"nobody{number}@example.com", first="No")
    joined.cycle(full=True)
    found = looked(joined)["match key"]
    assert found.outcome is Outcome.UNKNOWN
    assert "4 records: 1 linked (1 by created), 0 wait for a person, 3 nobody's" in found.evidence[1]
    joined.sql("DELETE FROM people WHERE mail LIKE 'nobody%'")
    joined.put(mail="ann@example.com", first="Ann", last="Lee", mobile="+447700900111")
    joined.cycle(full=True)
    assert "2 records: 1 linked (1 by created), 1 wait for a person" in looked(joined)["match key"].evidence[0]


@pytest.mark.req("M43")
def test_a_key_that_changes_often_is_told(joined: Crm) -> None:
    for number in range(19):
        joined.customer(101, email=f"ann{number}@example.com")
    assert looked(joined)["match key"].outcome is Outcome.PASS
    joined.customer(101, email="ann@example.org")
    found = looked(joined)["match key"]
    assert (found.outcome, found.evidence[0]) == (
        Outcome.FAIL, "email changes for 466.7% of the customers a week, too often for a key.",
    )  # fmt: skip


@pytest.mark.req("M47")
def test_a_change_that_no_line_tells_of_lowers_the_confidence(joined: Crm) -> None:
    joined.set(
        policy_of(frozenset({"custom.tier"}), **{"tags[x:*]": FieldMap(remote="labels", direction=Direction.NONE)})
    )
    joined.moment += DAY
    joined.edit(joined.of(101)["id"], labels="x:1")
    joined.cycle()
    found = looked(joined)
    assert found["logging"].outcome is Outcome.FAIL, found["logging"]
    assert "changed without a line of the log" in found["logging"].evidence[0]
    assert boundary(found.values()).confidence == "lowered"


def test_a_hand_edit_is_no_write_of_the_crm(joined: Crm) -> None:
    set_by_hand(joined.tea, 101, later(joined.moment, 1), phone="+447700900222")
    assert looked(joined)["direction"].evidence == looked(joined)["direction"].evidence[:1]
