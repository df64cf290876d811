"""Changes of Shopify's where others own fields: refused, parked, put right; and who is told of what it owns."""

from typing import Any

import pytest
from sqlalchemy import select

from onewriter.customers import expected, owned, policies
from onewriter.db.tables import field_log, sides
from onewriter.records import Instant, Path
from onewriter.rules.policy import FieldMap
from tests.support.owners import (
    OUT,
    connect,
    give,
    held,
    last_clean,
    lines,
    link,
    marks,
    parked_of,
    refused,
    say,
)
from tests.support.shops import Tea, absent, gone, later, told

ANN: dict[str, Any] = {
    "first_name": "Ann",
    "last_name": "Leigh",
    "email": "ann@example.com",
    "phone": "+447700900111",
    "note": "likes oolong",
    "state": "disabled",
    "locale": "en",
    "tags": ["spring", "vip:gold"],
    "addresses": [{"id": 1, "address1": "1 High St", "city": "Bath", "default": True}],
}
VIP = "tags[vip:*]"


def read(tea: Tea, version: Instant, number: int = 101, **changes: Any) -> str:
    """A direct read of the customer, with changes beside what everybody knows; its outcome."""
    change = told(number, version, ANN | changes, path=Path.READ)
    [outcome] = tea.apply(change, now=version).outcomes
    return outcome


@pytest.fixture
def crm(tea: Tea, now: Instant) -> Tea:
    """Ann is known, and the CRM owns her number and the vip tags; it is told of the rest."""
    read(tea, now)
    maps = {name: FieldMap(remote=name, direction=OUT) for name in ("email", "note", "tags", "address.city")}
    connect(tea, now, "crm")
    give(tea, now, {"phone": "crm", VIP: "crm"}, {"crm": maps})
    return tea


@pytest.mark.req("M22", "M23", "M48")
def test_what_another_system_owns_is_refused_parked_and_put_right(crm: Tea, now: Instant) -> None:
    read(crm, later(now, 60), phone="+447700900222")
    assert (held(crm, 101).side["phone"], held(crm, 101).own["phone"]) == ("+447700900222", "+447700900111")
    assert parked_of(crm) == [("shopify", "in", "phone", "+447700900222")]
    assert marks(crm, "shopify") == {(101, "phone")}
    [line] = refused(crm, now, "phone")
    assert (line.reason, line.system, line.fields, line.at) == ("owned by crm", "shopify", ("phone",), later(now, 60))
    assert refused(crm, now, "email") == []
    assert refused(crm, later(now, 61)) == []


@pytest.mark.req("M48")
def test_the_newest_refused_value_takes_the_place_of_the_one_before(crm: Tea, now: Instant) -> None:
    read(crm, later(now, 60), phone="+447700900222")
    read(crm, later(now, 120), phone="+447700900333")
    assert parked_of(crm) == [("shopify", "in", "phone", "+447700900333")]
    assert len(parked_of(crm, ended=True)) == 2


@pytest.mark.req("M22")
def test_what_shopify_says_as_its_owner_does_is_an_echo_and_no_refusal(crm: Tea, now: Instant) -> None:
    say(crm, 101, {"phone": "+447700900444"}, later(now, 30))
    read(crm, later(now, 60), phone="+44 7700 900444")
    assert parked_of(crm) == []
    assert marks(crm, "shopify") == set()
    [line, _first] = lines(crm, 101, "phone")
    assert (line["accepted"], line["writer"], line["system"]) == (True, "onewriter", "shopify")
    before = len(lines(crm, 101))
    read(crm, later(now, 120), phone="+44 7700 900444")
    assert len(lines(crm, 101)) == before, "what changes nothing is no line"


@pytest.mark.req("M22")
def test_the_echo_of_what_we_wrote_is_not_refused_though_its_owner_says_otherwise_by_now(
    crm: Tea, now: Instant
) -> None:
    profile = held(crm, 101)
    assert profile.key is not None
    assert profile.customer_id is not None
    with crm.runtime.database.write() as db:
        digest = profile.key.digest("+447700900555")
        expected.expect(db, crm.shop_id, "shopify", {("101", profile.customer_id): {"phone": digest}}, now)
    say(crm, 101, {"phone": "+447700900666"}, later(now, 30))
    read(crm, later(now, 60), phone="+447700900555")
    assert (parked_of(crm), refused(crm, now)) == ([], [])
    read(crm, later(now, 120), phone="+447700900777")
    assert parked_of(crm) == [("shopify", "in", "phone", "+447700900777")]


@pytest.mark.req("M22", "M13")
def test_tags_belong_to_their_namespaces_before_it_is_asked_who_owns_them(crm: Tea, now: Instant) -> None:
    read(crm, later(now, 60), tags=["summer", "vip:silver"])
    own = held(crm, 101).own
    assert (own["tags"], own[VIP]) == (["summer"], ["vip:gold"])
    assert held(crm, 101).side["tags"] == ["summer", "vip:silver"]
    assert parked_of(crm) == [("shopify", "in", VIP, ["vip:silver"])]
    assert marks(crm, "shopify") == {(101, VIP)}
    assert marks(crm, "crm") == {(101, "tags")}


def test_tags_are_sorted_anew_once_the_namespaces_are_others(crm: Tea, now: Instant) -> None:
    read(crm, later(now, 60), note="moved")
    assert VIP in held(crm, 101).own
    give(crm, later(now, 90), {"tags[spr*]": "crm"}, {})
    read(crm, later(now, 120), note="moved again")
    own = held(crm, 101).own
    assert (own["tags"], own["tags[spr*]"]) == (["vip:gold"], ["spring"])
    assert VIP not in own


def test_whoever_is_sent_has_the_tags_by_the_namespaces_of_now(crm: Tea, now: Instant) -> None:
    customer = held(crm, 101).customer_id
    assert customer is not None
    assert VIP not in held(crm, 101).own, "it was written before the namespace was made"
    with crm.runtime.database.read() as db:
        fields = owned.load(db, crm.vault, [customer], policies.of_shop(db, crm.shop_id).namespaces)[customer].fields
    assert (fields["tags"], fields[VIP]) == (["spring"], ["vip:gold"])


def test_a_namespace_with_a_blank_is_one_field_in_the_log(crm: Tea, now: Instant) -> None:
    spender = "tags[big spender:*]"
    give(crm, now, {spender: "crm"}, {"crm": {}})
    read(crm, later(now, 60), tags=["big spender:2026"])
    assert lines(crm, 101, spender)[0]["fields"] == [spender]
    assert [each.fields for each in refused(crm, now, spender)] == [(spender,)]
    assert refused(crm, now, "spender:*]") == []


def test_a_system_is_told_of_what_changed_and_of_nothing_else(crm: Tea, now: Instant) -> None:
    connect(crm, now, "mail", creates=True)
    assert read(crm, later(now, 60), note="likes sencha", first_name="Anna") == "changed"
    assert marks(crm, "crm") == {(101, "note")}
    assert marks(crm, "mail") == set(), "nothing maps a field to it"
    assert read(crm, later(now, 120), note="likes sencha", first_name="Anna") == "unchanged"
    moved = [{"id": 1, "address1": "2 Low St", "city": "Bath", "default": True}]
    read(crm, later(now, 180), note="likes sencha", first_name="Anna", addresses=moved)
    assert marks(crm, "crm") == {(101, "note")}, "the city is the same"
    moved = [{"id": 1, "address1": "2 Low St", "city": "Wells", "default": True}]
    read(crm, later(now, 240), note="likes sencha", first_name="Anna", addresses=moved)
    assert marks(crm, "crm") == {(101, "note"), (101, "address.city")}


def test_a_new_customer_is_one_mark_where_customers_are_made(crm: Tea, now: Instant) -> None:
    connect(crm, now, "mail", creates=True)
    read(crm, later(now, 60), 102, phone="+447700900888")
    assert marks(crm, "mail") == {(102, "*")}
    assert marks(crm, "crm") == set(), "it has no record of the customer, and makes none"
    assert parked_of(crm) == [], "its owner has never said anything of that number"
    assert marks(crm, "shopify") == set()
    assert "phone" not in held(crm, 102).own


def test_nothing_is_sent_of_who_is_gone(crm: Tea, now: Instant) -> None:
    read(crm, later(now, 60), note="likes sencha", phone="+447700900222")
    assert marks(crm, "crm")
    crm.apply(gone(101, later(now, 90)), absent(101, later(now, 95)), now=later(now, 100))
    assert (marks(crm, "crm"), marks(crm, "shopify")) == (set(), set())
    read(crm, later(now, 80), note="likes puer", phone="+447700900333")
    assert (marks(crm, "crm"), marks(crm, "shopify")) == (set(), set())


def test_who_came_back_is_told_of_in_full(crm: Tea, now: Instant) -> None:
    crm.apply(gone(101, later(now, 90)), now=later(now, 100))
    read(crm, later(now, 7300))
    assert marks(crm, "crm") == {(101, "*")}


@pytest.mark.req("M44")
def test_an_opt_out_counts_whoever_owns_the_consent(crm: Tea, now: Instant) -> None:
    give(crm, now, {"email_consent": "crm"}, {"crm": {}})
    yes = {"state": "subscribed", "level": "single_opt_in", "at": now - 10, "source": "form"}
    say(crm, 101, {"email_consent": yes}, now)
    read(crm, later(now, 30), email_consent=yes)
    no = {"state": "unsubscribed", "level": None, "at": later(now, 60)}
    read(crm, later(now, 60), email_consent=no)
    assert held(crm, 101).own["email_consent"]["state"] == "unsubscribed"
    assert (parked_of(crm), marks(crm, "shopify")) == ([], set())
    again = {"state": "subscribed", "level": "single_opt_in", "at": later(now, 90)}
    read(crm, later(now, 90), email_consent=again)
    assert held(crm, 101).own["email_consent"]["state"] == "unsubscribed"
    assert marks(crm, "shopify") == {(101, "email_consent")}


@pytest.mark.req("M40")
def test_a_field_that_is_not_in_step_says_when_it_last_was(crm: Tea, now: Instant) -> None:
    link(crm, now, "crm", 101)
    assert last_clean(crm, 101)["phone"] == now
    read(crm, later(now, 60), phone="+447700900222")
    assert last_clean(crm, 101)["phone"] is None, "no reconcile has ever looked at it"
    assert last_clean(crm, 101)["email"] == later(now, 60)
    read(crm, later(now, 120), phone="+447700900111")
    assert last_clean(crm, 101)["phone"] == later(now, 120)
    read(crm, later(now, 180), phone="+447700900333")
    assert last_clean(crm, 101)["phone"] == later(now, 120)
    with crm.runtime.database.read() as db:
        assert db.execute(select(sides.c.unclean)).scalars().all() == [{"phone": later(now, 120)}]


def test_a_shop_with_nothing_beside_shopify_writes_nothing_of_others(tea: Tea, now: Instant) -> None:
    connect(tea, now, "crm", creates=True)
    read(tea, now)
    read(tea, later(now, 60), note="likes sencha")
    assert (marks(tea, "crm"), parked_of(tea)) == (set(), [])
    with tea.runtime.database.read() as db:
        assert set(db.execute(select(sides.c.clean_at)).scalars()) == {None}
        assert set(db.execute(select(field_log.c.box)).scalars()) == {None}
