"""Hand edits: whose the field is decides what becomes of them, and whoever makes them is told what will not last."""

from typing import Any

import pytest

from onewriter.customers import pending, profiles, systems
from onewriter.errors import UnknownCustomer
from onewriter.intake.hand import CannotSet, Outcome
from onewriter.records import Instant
from onewriter.rules.policy import FieldMap
from tests.support.marked import of_system
from tests.support.owners import (
    BY,
    IN,
    OUT,
    connect,
    give,
    held,
    last_clean,
    lines,
    link,
    marks,
    parked_of,
    set_by_hand,
)
from tests.support.shops import Tea, gone, later, told

ANN: dict[str, Any] = {
    "first_name": "Ann", "email": "ann@example.com", "phone": "+447700900111", "note": "likes oolong",
    "tags": ["spring", "vip:gold"], "email_consent": {"state": "subscribed", "level": "single_opt_in", "at": 1},
}  # fmt: skip
VIP = "tags[vip:*]"


def proposed(tea: Tea, system: str) -> dict[str, tuple[str | None, Any]]:
    """What people propose to a system: field: who, and the value."""
    with tea.runtime.database.read() as db:
        found = [each for each in of_system(db, tea.shop_id, system) if each.box is not None]
    keys = tea.vault.keys.subject_keys({each.customer_id for each in found})
    opened = {}
    for each in found:
        binding = pending.binding(tea.shop_id, system, each.customer_id, each.field)
        assert each.box is not None
        opened[each.field] = (each.set_by, keys[each.customer_id].open_fields(each.box, binding)[each.field])
    return opened


@pytest.fixture
def crm(tea: Tea, now: Instant) -> Tea:
    """Ann is known; people own the note, and the CRM the number, the vip tags, and nothing that can be reached else."""
    maps = {name: FieldMap(remote=name, direction=OUT) for name in ("email", "note", "tags")}
    maps |= {
        "phone": FieldMap(remote="mobile", direction=IN, max_length=20),
        VIP: FieldMap(remote="labels", direction=IN),
    }
    connect(tea, now, "crm")
    give(tea, now, {"note": "manual", "phone": "crm", VIP: "crm", "last_name": "erp"}, {"crm": maps})
    tea.apply(told(101, now, ANN), now=now)
    seed(tea, now)
    link(tea, now, "crm", 101)
    return tea


def seed(tea: Tea, now: Instant) -> None:
    """What the owners beside Shopify have said before."""
    profile = held(tea, 101)
    profile.own |= {"note": "likes oolong", "phone": "+447700900111"}
    profile.changed = True
    with tea.runtime.database.write() as db:
        profiles.save(db, tea.vault, [profile], now)


def test_what_people_own_is_set_at_once_and_every_system_is_told(crm: Tea, now: Instant) -> None:
    [edit] = set_by_hand(crm, 101, later(now, 60), note="  likes sencha\0 ")
    assert (edit.outcome, edit.owner, edit.warnings) == (Outcome.APPLIED, "manual", ())
    assert held(crm, 101).own["note"] == "likes sencha"
    assert held(crm, 101).side["note"] == "likes oolong"
    assert marks(crm, "crm") == marks(crm, "shopify") == {(101, "note")}
    line = lines(crm, 101, "note")[0]
    assert (line["writer"], line["system"], line["path"], line["accepted"]) == (BY, "manual", "hand", True)
    assert (line["old"], line["new"]) == ({"note": "likes oolong"}, {"note": "likes sencha"})
    assert last_clean(crm, 101)["note"] == now, "it was in step until then"


def test_what_is_so_already_is_not_written(crm: Tea, now: Instant) -> None:
    before = len(lines(crm, 101))
    edits = set_by_hand(crm, 101, later(now, 60), note="likes oolong", phone="+44 7700 900111", email="ANN@example.com")
    assert {each.outcome for each in edits} == {Outcome.UNCHANGED}
    assert (len(lines(crm, 101)), marks(crm, "crm"), marks(crm, "shopify")) == (before, set(), set())


@pytest.mark.req("M8")
def test_what_a_system_owns_goes_there_and_whoever_sets_it_is_told_who_overwrites_it(crm: Tea, now: Instant) -> None:
    [edit] = set_by_hand(crm, 101, later(now, 60), phone="07700 900 222")
    assert (edit.outcome, edit.owner) == (Outcome.PROPOSED, "crm")
    assert "crm owns phone" in edit.warnings[0]
    assert len(edit.warnings) == 1
    assert held(crm, 101).own["phone"] == "+447700900111", "it is the customer's once its owner says so"
    assert proposed(crm, "crm") == {"phone": (BY, "+447700900222")}
    assert marks(crm, "shopify") == set()
    line = lines(crm, 101, "phone")[0]
    assert (line["accepted"], line["reason"]) == (True, "sent to its owner, crm")


@pytest.mark.req("M27")
def test_the_second_hand_edit_of_the_same_field_says_to_mend_the_source(crm: Tea, now: Instant) -> None:
    set_by_hand(crm, 101, later(now, 60), phone="07700 900222", email="ann@example.org")
    [edit] = set_by_hand(crm, 101, later(now, 120), phone="07700 900333")
    assert "hand edit 2 of phone" in edit.warnings[1]
    assert "do not keep correcting the same record" in edit.warnings[1]
    assert proposed(crm, "crm") == {"phone": (BY, "+447700900333")}
    [edit] = set_by_hand(crm, 101, later(now, 180), first_name="Anna")
    assert len(edit.warnings) == 1, "another field is another matter"


def test_shopify_is_an_owner_like_others(crm: Tea, now: Instant) -> None:
    edits = set_by_hand(crm, 101, later(now, 60), email="Ann@Example.org", first_name=None)
    assert [each.outcome for each in edits] == [Outcome.PROPOSED] * 2
    assert proposed(crm, "shopify") == {"email": (BY, "ann@example.org"), "first_name": (BY, None)}


@pytest.mark.req("M8", "M46", "M48")
def test_what_cannot_be_sent_to_its_owner_is_parked_under_its_name(crm: Tea, now: Instant) -> None:
    [edit] = set_by_hand(crm, 101, later(now, 60), last_name="Leigh")
    assert (edit.outcome, edit.reason) == (Outcome.PARKED, "owned by erp: that system is not connected")
    assert parked_of(crm) == [("manual", "in", "last_name", "Leigh")]
    line = lines(crm, 101, "last_name")[0]
    assert (line["accepted"], line["writer"]) == (False, BY)
    discovered = {"fields": [{"name": "mobile", "writable": False}], "capabilities": {}}
    reconnect(crm, now, discovered=discovered)
    [edit] = set_by_hand(crm, 101, later(now, 120), phone="07700 900222")
    assert edit.reason == "owned by crm: we may not write it there"


def reconnect(tea: Tea, now: Instant, **columns: Any) -> None:
    with tea.runtime.database.write() as db:
        systems.change(db, tea.shop_id, "crm", now, **columns)


def test_an_owner_without_a_record_of_the_customer_cannot_be_told(crm: Tea, now: Instant) -> None:
    crm.apply(told(102, now, ANN), now=now)
    [edit] = set_by_hand(crm, 102, later(now, 60), phone="07700 900222")
    assert edit.reason == "owned by crm: it has no record of this customer"


def test_a_namespace_of_tags_is_a_field_of_its_own(crm: Tea, now: Instant) -> None:
    edits = set_by_hand(crm, 101, later(now, 60), **{VIP: "vip:silver, vip:new", "tags": "summer"})
    assert [each.outcome for each in edits] == [Outcome.PROPOSED] * 2
    assert proposed(crm, "crm") == {VIP: (BY, ["vip:new", "vip:silver"])}
    assert proposed(crm, "shopify") == {"tags": (BY, ["summer"])}
    with pytest.raises(CannotSet, match="Not all of these tags"):
        set_by_hand(crm, 101, now, tags="vip:silver")


@pytest.mark.parametrize(
    ("field", "typed", "why"),
    [
        ("email", "not an address", "not an email address"),
        ("phone", "12", "not a phone number that .* write it with its country code"),
        ("email_consent", "perhaps", "not one of the words for a consent; it is subscribed or unsubscribed"),
        ("points", "5", "points adjust"),
        ("addresses", "1 High St", "cannot be set by hand"),
        ("address.city", "Bath", "cannot be set by hand"),
        ("state", "enabled", "cannot be set by hand"),
        ("shopify_id", "7", "identity"),
        ("shoe_size", "42", "no field"),
        ("custom.size", "42", "fields own custom.size manual"),
        ("note", "x" * 70_000, "longer than"),
    ],
)
def test_a_bad_value_is_one_clear_sentence_without_the_value(
    crm: Tea, now: Instant, field: str, typed: str, why: str
) -> None:
    before = crm.dump()
    with pytest.raises(CannotSet, match=why) as told_why:
        set_by_hand(crm, 101, now, **{field: typed})
    assert typed not in str(told_why.value) or len(typed) < 3
    assert crm.dump() == before


@pytest.mark.req("M44")
def test_a_consent_by_hand_follows_the_rules_of_consent(crm: Tea, now: Instant) -> None:
    give(crm, now, {"email_consent": "manual", "sms_consent": "manual"}, {})
    profile = held(crm, 101)
    profile.own["email_consent"] = ANN["email_consent"]
    profile.changed = True
    with crm.runtime.database.write() as db:
        profiles.save(db, crm.vault, [profile], now)
    set_by_hand(crm, 101, later(now, 60), email_consent="unsubscribed")
    consent = held(crm, 101).own["email_consent"]
    assert (consent["state"], consent["at"], consent["source"]) == ("unsubscribed", later(now, 60), BY)
    with pytest.raises(CannotSet, match="never emptied"):
        set_by_hand(crm, 101, later(now, 120), email_consent=None)
    set_by_hand(crm, 101, later(now, 180), email_consent="subscribed")
    consent = held(crm, 101).own["email_consent"]
    assert (consent["state"], consent["level"], consent["at"]) == ("subscribed", "single_opt_in", later(now, 180))
    refuse = {"state": "redacted", "level": None, "at": later(now, 200)}
    profile = held(crm, 101)
    profile.own["email_consent"], profile.changed = refuse, True
    with crm.runtime.database.write() as db:
        profiles.save(db, crm.vault, [profile], now)
    with pytest.raises(CannotSet, match="never left"):
        set_by_hand(crm, 101, later(now, 240), email_consent="subscribed")


def test_nothing_is_set_on_who_is_gone_or_unknown(crm: Tea, now: Instant) -> None:
    crm.apply(gone(101, later(now, 60)), now=later(now, 60))
    with pytest.raises(CannotSet, match="deleted"):
        set_by_hand(crm, 101, later(now, 90), note="x")
    with pytest.raises(UnknownCustomer):
        set_by_hand(crm, 999, later(now, 90), note="x")
