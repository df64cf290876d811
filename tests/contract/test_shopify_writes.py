"""Writing back to Shopify, on the sandbox: each field by its own mutation, nothing else touched, refusals in words.

The sandbox's mutations are held against the real Admin schema by `test_admin_schema.py`, and the documents that are
sent here by the last tests.
"""

import json
from typing import Any

import pytest

from onewriter.connectors.interface import (
    Ambiguous,
    Applied,
    Conflict,
    FieldPatch,
    Record,
    Rejected,
    Unchanged,
)
from onewriter.connectors.shopify import ShopifyConnector
from onewriter.records import SECOND
from tests.support.shopping import (
    NO,
    START,
    WANTED,
    YES,
    Stall,
    held,
    is_write,
    metafields,
    one,
    opened,
    patched,
    somebody,
)

pytestmark = pytest.mark.contract

ELSEWHERE = "so that writing it here would change another field"
WRONG_TYPE = "not a value of the metafield's type"


@pytest.fixture
def stall() -> Stall:
    return opened()


@pytest.fixture
def shopify(stall: Stall) -> ShopifyConnector:
    return stall.connector(*WANTED)


# ---- Each field by its own mutation ---------------------------------------------------------------------------------


def test_texts_and_metafields_of_a_customer_are_one_mutation(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    outcome = one(shopify, key, first_name="Bea", note="rings twice", points=120, custom__shoe_size="42")
    assert isinstance(outcome, Applied)
    assert outcome.fields == {"first_name": "Bea", "note": "rings twice", "points": 120, "custom.shoe_size": "42"}
    record = held(stall, key)
    assert (record.first_name, record.note, record.email) == ("Bea", "rings twice", "ann@example.com")
    assert metafields(stall, key) == {
        ("app--1--onewriter", "points"): ("number_integer", "120"),
        ("custom", "shoe_size"): ("single_line_text_field", "42"),
    }
    assert len(stall.line.writes) == 1
    assert stall.line.writes[0].count(b"customerUpdate(") == 1


def test_what_is_there_already_is_not_written(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    given = {"first_name": "Ann", "phone": "+12025550143", "tags": ["NEW"], "tags[vip:*]": ["vip:old"]}
    assert patched(shopify, key, given) == Unchanged(key)
    assert one(shopify, key, clear=["note", "points", "custom.birthday"]) == Unchanged(key)
    assert stall.line.writes == []


def test_what_is_there_already_is_written_again_where_that_is_asked_for(
    stall: Stall, shopify: ShopifyConnector
) -> None:
    key = somebody(stall)
    [outcome] = shopify.write([FieldPatch(key=key, set={"first_name": "Ann", "tags": ["NEW"]}, again=True)])
    assert isinstance(outcome, Applied)
    assert len(stall.line.writes) == 1
    assert b"customerUpdate(" in stall.line.writes[0]
    assert b"tagsAdd" not in stall.line.writes[0]
    assert shopify.write([FieldPatch(key=key, set={"tags": ["NEW"]}, again=True)]) == [Unchanged(key)]


def test_of_tags_only_the_difference_within_the_part_is_sent(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall, tags=["new", "Sale", "vip:old", "vip:kept"])
    outcome = patched(shopify, key, {"tags[vip:*]": ["vip:kept", "vip:gold"]})
    assert isinstance(outcome, Applied)
    assert outcome.fields == {"tags[vip:*]": ["vip:gold", "vip:kept"]}
    assert set(held(stall, key).tags) == {"new", "Sale", "vip:gold", "vip:kept"}
    sent = json.loads(stall.line.writes[-1])["variables"]
    assert sorted(sent[name] for name in sent if name.startswith("tags")) == [["vip:gold"], ["vip:old"]]
    assert isinstance(patched(shopify, key, {"tags": ["new"]}), Applied)
    assert set(held(stall, key).tags) == {"new", "vip:gold", "vip:kept"}
    assert isinstance(one(shopify, key, clear=["tags[vip:*]"]), Applied)
    assert held(stall, key).tags == ("new",)
    assert b"customerUpdate" not in b"".join(stall.line.writes)


def test_tags_that_others_added_meanwhile_stay(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    stall.line.before = lambda body: stall.shop.add_tags(int(key), ["till", "vip:till"]) if is_write(body) else None
    assert isinstance(patched(shopify, key, {"tags": ["other"]}), Applied)
    assert set(held(stall, key).tags) == {"other", "till", "vip:old", "vip:till"}


def test_a_namespace_of_the_policy_is_left_alone_by_tags(stall: Stall) -> None:
    key = somebody(stall)
    tags = stall.connector("tags", namespaces=("tags[vip:*]",))
    assert [record.fields for record in tags.read_keys([key])] == [{"tags": ["new"]}]
    assert isinstance(one(tags, key, clear=["tags"]), Applied)
    assert held(stall, key).tags == ("vip:old",)


@pytest.mark.parametrize("channel", ["email_consent", "sms_consent", "whatsapp_consent"])
def test_a_consent_goes_by_its_own_mutation(stall: Stall, shopify: ShopifyConnector, channel: str) -> None:
    key = somebody(stall)
    for value in (YES, NO):
        outcome = patched(shopify, key, {channel: value})
        assert isinstance(outcome, Applied)
        assert outcome.fields == {channel: value}
        kept = getattr(held(stall, key), channel)
        assert (kept.state, kept.level, kept.at) == (value["state"].upper(), "SINGLE_OPT_IN", round(START - 5000))
    assert patched(shopify, key, {channel: NO | {"at": None}}) == Unchanged(key)
    assert len(stall.line.writes) == 2
    assert all(b"customerUpdate" not in body for body in stall.line.writes)


def test_points_of_many_share_a_mutation(stall: Stall, shopify: ShopifyConnector) -> None:
    keys = [somebody(stall, email=f"p{number}@example.com", phone=None) for number in range(60)]
    outcomes = shopify.write([FieldPatch(key=key, set={"points": place}) for place, key in enumerate(keys)])
    assert [each.fields for each in outcomes if isinstance(each, Applied)] == [{"points": at} for at in range(60)]
    assert [metafields(stall, key)["app--1--onewriter", "points"][1] for key in keys] == [str(at) for at in range(60)]
    assert sum(body.count(b"metafieldsSet(") for body in stall.line.writes) == 3
    assert len(stall.line.writes) == 1


def test_a_metafield_keeps_the_type_that_it_has(stall: Stall, shopify: ShopifyConnector) -> None:
    given = [{"namespace": "custom", "key": "birthday", "type": "date", "value": "1990-01-31"}]
    key = somebody(stall, metafields=given)
    assert isinstance(one(shopify, key, custom__birthday="1991-02-28"), Applied)
    assert metafields(stall, key)["custom", "birthday"] == ("date", "1991-02-28")
    refused = one(shopify, key, custom__birthday="in May")
    assert refused == Rejected("custom.birthday", "not a value of the metafield's type")


def test_a_cleared_metafield_is_deleted(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    assert isinstance(one(shopify, key, points=5, custom__shoe_size="42"), Applied)
    outcome = one(shopify, key, clear=["points", "custom.shoe_size"])
    assert isinstance(outcome, Applied)
    assert outcome.fields == {"points": None, "custom.shoe_size": None}
    assert metafields(stall, key) == {}


def test_the_whole_list_of_addresses_is_written(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    street = {"address1": "1 High St", "city": "Panama", "zip": "0801", "country_code": "PA"}
    assert isinstance(
        one(shopify, key, addresses=[{**street, "default": False}, {"city": "Oslo", "default": True}]), Applied
    )
    assert [each.city for each in held(stall, key).addresses] == ["Oslo", "Panama"]
    present = next(iter(shopify.read_keys([key]))).fields["addresses"]
    assert one(shopify, key, addresses=present) == Unchanged(key)
    assert isinstance(one(shopify, key, clear=["addresses"]), Applied)
    assert held(stall, key).addresses == ()


def test_addresses_without_ids_are_compared_without_them(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    both = [{"city": "Panama", "default": False}, {"city": "Oslo", "default": True}]
    assert isinstance(one(shopify, key, addresses=both), Applied)
    assert one(shopify, key, addresses=both[::-1]) == Unchanged(key)
    assert isinstance(one(shopify, key, addresses=[{"city": "Oslo", "default": True}]), Applied)


def test_a_list_of_addresses_that_was_not_read_whole_is_not_replaced(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall, addresses=[{"city": f"Oslo {number}"} for number in range(11)])
    assert isinstance(one(shopify, key, addresses=[{"city": "Rome"}]), Rejected)
    assert isinstance(one(shopify, key, clear=["addresses"]), Rejected)
    assert len(held(stall, key).addresses) == 11


# ---- Refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"state": "enabled"}, "not one of the fields that this was opened for"),
        ({"shoe size": "42"}, "no such field"),
        ({"note": "n" * 5_001}, "longer than the 5,000 characters that Shopify takes"),
        ({"note": 5}, "not a text"),
        ({"note": "a\0b"}, "a sign that no text of a customer's can hold (NUL)"),
        ({"points": True}, "not a whole number"),
        ({"tags": ["one, two"]}, "a tag with a comma, at which Shopify would split it"),
        (
            {"tags": ["vip:gold"]},
            "a tag belongs to a part of its own, so that writing it here would change another field",
        ),
        ({"tags[vip:*]": ["x"]}, "a tag does not begin with vip:, so that writing it here would change another field"),
        ({"locale": None}, "it cannot be emptied in Shopify"),
        ({"sms_consent": None}, "it cannot be emptied in Shopify"),
        ({"custom.shoe_size": "  "}, "empty, which a metafield cannot be; clear it instead"),
        ({"addresses": "1 High St"}, "not a whole list of addresses"),
        (
            {"email_consent": {"state": "not_subscribed"}},
            "Shopify cannot be told that nobody was asked; an opt-out must be told as unsubscribed",
        ),
        ({"email_consent": YES | {"level": "twice"}}, "Shopify takes an opt-in only with its level"),
        ({"sms_consent": NO | {"level": "twice"}}, "not a level of an opt-in that Shopify knows"),
        ({"sms_consent": NO | {"state": "redacted"}}, "only Shopify itself makes a consent redacted"),
        (
            {"email_consent": {"state": "subscribed", "level": None}},
            "Shopify takes an opt-in only with its level",
        ),
        (
            {"email_consent": {"state": "pending", "level": "single_opt_in"}},
            "Shopify takes a pending consent only with a confirmed opt-in",
        ),
    ],
)
def test_what_cannot_be_well_is_refused_before_anything_is_sent(
    stall: Stall, shopify: ShopifyConnector, given: dict[str, Any], reason: str
) -> None:
    key = somebody(stall)
    assert patched(shopify, key, {"first_name": "Bea"} | given) == Rejected(next(iter(given)), reason)
    assert stall.line.seen == []


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"email": "TAKEN@example.com"}, "email", "another customer of the shop has it"),
        ({"email": "nobody"}, "email", "not valid to Shopify"),
        ({"phone": "12"}, "phone", "not valid to Shopify"),
        ({"last_name": "Ok", "phone": "12"}, "phone", "not valid to Shopify"),
        (
            {"first_name": "Ok", "custom.shoe_size": "two\nlines"},
            "custom.shoe_size",
            "not a value of the metafield's type",
        ),
        ({"custom.shoe_size": "two\nlines"}, "custom.shoe_size", "not a value of the metafield's type"),
        ({"tags": [f"t{number}" for number in range(250)]}, "tags", "with it there would be more than 250 tags"),
        ({"email_consent": YES | {"at": round(START + 9e6) * SECOND}}, "email_consent", "not valid to Shopify"),
    ],
)
def test_a_refusal_of_shopifys_is_told_in_our_words(
    stall: Stall, shopify: ShopifyConnector, given: dict[str, Any], field: str, reason: str
) -> None:
    stall.shop.create(email="taken@example.com")
    key = somebody(stall)
    before = held(stall, key)
    assert patched(shopify, key, given) == Rejected(field, reason)
    assert held(stall, key) == before


def test_a_consent_without_its_channel_is_refused(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall, phone=None)
    assert patched(shopify, key, {"sms_consent": YES}) == Rejected("sms_consent", "not valid to Shopify")


def test_one_refusal_leaves_the_others_alone(stall: Stall, shopify: ShopifyConnector) -> None:
    keys = [somebody(stall, email=f"p{number}@example.com", phone=None) for number in range(5)]
    sizes = ["41", "42", "two\nlines", "44", "45"]
    patches = [FieldPatch(key=key, set={"custom.shoe_size": size}) for key, size in zip(keys, sizes, strict=True)]
    outcomes = shopify.write(patches)
    assert outcomes[2] == Rejected("custom.shoe_size", "not a value of the metafield's type")
    assert [isinstance(each, Applied) for each in outcomes] == [True, True, False, True, True]
    assert [metafields(stall, key).get(("custom", "shoe_size"), (None, None))[1] for key in keys] == [
        *("41", "42", None, "44", "45")
    ]


def test_a_part_that_was_written_beside_a_refusal_is_ambiguous_and_then_settles(
    stall: Stall, shopify: ShopifyConnector
) -> None:
    key = somebody(stall, phone=None)
    both = {"first_name": "Bea", "sms_consent": YES}
    assert patched(shopify, key, both) == Ambiguous("A part of it was written, and then: not valid to Shopify.")
    assert held(stall, key).first_name == "Bea"
    assert patched(shopify, key, both) == Rejected("sms_consent", "not valid to Shopify")


def test_who_is_gone_is_a_conflict(stall: Stall, shopify: ShopifyConnector) -> None:
    key = somebody(stall)
    stall.shop.redact(int(key))
    assert one(shopify, key, note="x") == Conflict(key, gone=True)
    assert one(shopify, "somebody", note="x") == Rejected(None, "not an id of a customer of Shopify's")
    assert one(shopify, None, note="x") == Rejected(None, "customers are made in Shopify, and not from here")


@pytest.mark.parametrize("given", [{"note": "x"}, {"points": 4}, {"tags": ["x"]}, {"email_consent": NO}])
def test_who_goes_between_reading_and_writing_is_a_conflict_or_a_refusal(
    stall: Stall, shopify: ShopifyConnector, given: dict[str, Any]
) -> None:
    key = somebody(stall)
    stall.line.before = lambda body: stall.shop.delete(int(key)) and None if is_write(body) else None
    assert patched(shopify, key, given) == Conflict(key, gone=True)


def test_without_the_scope_nothing_is_written_and_the_check_says_so() -> None:
    stall = opened(scopes=["read_customers"])
    shopify = stall.connector("note", "tags", "points")
    key = somebody(stall)
    words = "the token lacks the scope write_customers, without which nothing is written to Shopify"
    for given in ({"note": "x"}, {"tags": ["x"]}, {"points": 4}, {"note": "x", "points": 4}):
        assert patched(shopify, key, given) == Rejected(None, words)
    assert [(each.kind, each.field) for each in shopify.check()] == [("permission", None)]
    assert {each.name for each in shopify.discover().fields if each.writable} == set()


def test_a_check_names_what_is_hidden_and_what_is_unknown() -> None:
    stall = opened(protected_denied=True)
    shopify = stall.connector("first_name", "note", "email", "state", "nickname")
    assert {(each.kind, each.field) for each in shopify.check()} == {
        *(("permission", "first_name"), ("permission", "email")),
        *(("field", "state"), ("field", "nickname")),
    }
    somebody(stall)
    assert all("first_name" not in each.fields for each in shopify.read(None) if isinstance(each, Record))
