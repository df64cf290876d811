"""How many hands are on a field, and what becomes of its mappings when another one owns it."""

import pytest

from onewriter.records import FIELDS, SHOPIFY
from onewriter.rules.ownership import errors, metrics, problems, with_owner, writers
from onewriter.rules.policy import MANUAL, Direction, FieldRule, KeyRule
from tests.rules.test_ownership import SHARED, SYSTEMS, mapped, policy


@pytest.mark.req("M82")
def test_a_field_becomes_manual_in_one_step_and_no_system_is_told_of_it() -> None:
    before = policy({"phone": "crm"}, {"crm": {"phone": mapped("in")}, "erp": {"phone": mapped("out")}})
    after = with_owner(before, "phone", MANUAL)
    assert after.owner_of("phone") == MANUAL
    assert [system for system in SYSTEMS if "phone" in after.goes_out(system)] == []
    assert after.maps("erp")["phone"].direction is Direction.NONE
    assert after.maps("crm")["phone"] == mapped("none")
    assert problems(after, SYSTEMS) == []
    back = with_owner(after, "phone", "crm")
    assert [system for system in SYSTEMS if "phone" in back.goes_out(system)] == [], "until it is mapped out again"
    assert back.maps("crm") == before.maps("crm")
    assert with_owner(after, "phone", SHOPIFY).systems == {
        "crm": {"phone": mapped("none")},
        "erp": {"phone": mapped("none")},
    }


@pytest.mark.req("M82")
def test_who_is_left_out_stays_so_whoever_owns_the_field() -> None:
    before = policy({"phone": "crm"}, {"crm": {"phone": mapped("in")}, "erp": {"phone": mapped("none")}})
    for owners in (["erp", "crm"], [MANUAL, "crm"], [SHOPIFY, MANUAL, SHOPIFY]):
        after = before
        for owner in owners:
            after = with_owner(after, "phone", owner)
        told = after.maps("erp")["phone"].direction
        assert told is (Direction.OUT if owners[0] == "erp" else Direction.NONE)
    shopify = policy({"note": "crm"}, {SHOPIFY: {"note": mapped("none", "note")}})
    assert with_owner(shopify, "note", "erp").maps(SHOPIFY)["note"].direction is Direction.NONE
    assert with_owner(shopify, "note", SHOPIFY).systems == {}, "what it owns is read"


def test_an_attribute_stays_mapped_in_shopify_with_another_owner() -> None:
    before = policy({"custom.size": "crm"}, {SHOPIFY: {"custom.size": mapped("out", "custom.size")}})
    assert with_owner(before, "custom.size", "erp").systems == before.systems
    read = with_owner(before, "custom.size", SHOPIFY)
    assert read.maps(SHOPIFY)["custom.size"].direction is Direction.IN
    assert with_owner(policy({"custom.size": "crm"}), "custom.size", MANUAL).systems == {}


def test_with_another_owner_the_mappings_turn() -> None:
    before = policy(
        {"note": FieldRule(owner=SHOPIFY, shared=SHARED)},
        {
            "crm": {"note": mapped("both", transform="json", max_length=9), "email": mapped("out", "mail")},
            "erp": {"note": mapped("none")},
            SHOPIFY: {"custom.size": mapped("out", "size")},
        },
        identity=KeyRule(keys=("email",)),
    )
    after = with_owner(before, "note", "crm")
    assert after.fields["note"] == FieldRule(owner="crm")
    assert after.systems == {
        "crm": {"note": mapped("in", transform="json", max_length=9), "email": mapped("out", "mail")},
        "erp": {"note": mapped("none")},
        SHOPIFY: {"custom.size": mapped("out", "size")},
    }
    assert after.maps(SHOPIFY)["note"].direction is Direction.OUT
    assert (after.version, after.identity) == (before.version, before.identity)
    read = with_owner(before, "note", "erp")
    assert (read.maps("erp")["note"].direction, read.maps("crm")["note"].direction) == (Direction.IN, Direction.OUT)


def test_the_parts_of_an_address_follow_its_owner() -> None:
    before = policy(systems={"crm": {"address.city": mapped("out"), "note": mapped("out", "n")}})
    after = with_owner(before, "addresses", MANUAL)
    assert after.maps("crm")["address.city"].direction is Direction.NONE
    assert after.maps("crm")["note"].direction is Direction.OUT
    assert with_owner(before, "note", MANUAL).maps("crm")["address.city"].direction is Direction.OUT
    erp = {"address.zip": mapped("out")}
    owned = with_owner(policy(systems={"crm": {"address.city": mapped("out")}, "erp": erp}), "addresses", "crm")
    assert (owned.maps("crm")["address.city"].direction, owned.maps("erp")) == (Direction.NONE, erp)
    assert errors(problems(owned, SYSTEMS)) == [], "who owns the addresses is told no part of them"


# ---- How many hands -------------------------------------------------------------------------------------------------


@pytest.mark.req("M20", "M72")
def test_each_pair_of_a_field_and_a_system_that_may_write_it_is_counted() -> None:
    alone = metrics(policy())
    assert alone.editable == len(FIELDS)
    assert alone.two_way == 0
    assert alone.writers["phone"] == (SHOPIFY,)
    shared = policy({"phone": FieldRule(owner=SHOPIFY, shared=SHARED)}, {"crm": {"phone": mapped("both")}})
    counted = metrics(shared)
    assert counted.editable == alone.editable + 1
    assert counted.two_way == 1
    assert counted.writers["phone"] == (SHOPIFY, "crm")
    assert metrics(policy({"custom.size": "crm"})).editable == alone.editable + 1


def test_who_writes_a_field_is_told_once_each() -> None:
    assert writers(policy({"phone": FieldRule(shared=SHARED)}), "phone") == ("crm",)
    assert writers(policy({"phone": FieldRule(owner="crm", shared=SHARED)}), "phone") == ("crm",)
    assert writers(policy(), "custom.size") == ()
    assert writers(policy(), "points") == ("onewriter",)
