"""What Shopify says becomes the same canonical value by every path, and what cannot be understood is said to be so."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onewriter.errors import NotUnderstood
from onewriter.records import FIELDS, Change, Kind, Path, parse_instant
from onewriter.shopify.payloads import change_from_bulk_line, change_from_delivery, change_from_node
from onewriter.shopify.topics import DELETE_TOPIC, FULL_TOPICS, customer_ids

BIG = 706405506930370084
"""An id above 2**53, where a float would lose its last digits."""

HEARD = 1_700_000_000_000_000

ADDRESS = {
    "id": 12321,
    "customer_id": BIG,
    "first_name": "Bob",
    "last_name": "Biller",
    "company": None,
    "address1": "151 O'Connor Street",
    "address2": "",
    "city": " Ottawa ",
    "province": "ON",
    "country": "CA",
    "zip": "K2P 2L8",
    "phone": "555-555-5555",
    "name": "Bob Biller",
    "province_code": "ON",
    "country_code": "CA",
    "country_name": "CA",
    "default": True,
}

BODY = {
    "id": BIG,
    "created_at": "2021-12-31T19:00:00-05:00",
    "updated_at": "2022-01-31T19:00:00-05:00",
    "first_name": "Bob",
    "last_name": "Biller",
    "state": "disabled",
    "note": "This customer loves ice cream",
    "verified_email": True,
    "multipass_identifier": None,
    "tax_exempt": False,
    "email": "bob@biller.com",
    "phone": None,
    "currency": "USD",
    "addresses": [],
    "tax_exemptions": [],
    "admin_graphql_api_id": f"gid://shopify/Customer/{BIG}",
    "default_address": ADDRESS,
}

NODE = {
    "id": f"gid://shopify/Customer/{BIG}",
    "createdAt": "2022-01-01T00:00:00Z",
    "updatedAt": "2022-02-01T00:00:00Z",
    "firstName": "Bob",
    "lastName": "Biller",
    "note": "This customer loves ice cream",
    "state": "DISABLED",
    "locale": "en",
    "tags": ["vip", " tea ", "", "vip"],
    "defaultEmailAddress": {
        "emailAddress": "bob@biller.com",
        "marketingState": "SUBSCRIBED",
        "marketingOptInLevel": "SINGLE_OPT_IN",
        "marketingUpdatedAt": "2022-01-01T00:00:00Z",
    },
    "defaultPhoneNumber": None,
    "defaultAddress": {"id": "gid://shopify/MailingAddress/12321?model_name=CustomerAddress"},
    "addresses": [
        {
            "id": "gid://shopify/MailingAddress/12321?model_name=CustomerAddress",
            "firstName": "Bob",
            "lastName": "Biller",
            "company": "",
            "address1": "151 O'Connor Street",
            "address2": None,
            "city": "Ottawa",
            "provinceCode": "ON",
            "countryCodeV2": "CA",
            "zip": "K2P 2L8",
            "phone": "555-555-5555",
        }
    ],
}


def delivered(topic: str = "customers/update", **changed: Any) -> Change:
    return change_from_delivery(topic, json.dumps(BODY | changed).encode(), heard=HEARD, position=7)


def bulk(**changed: Any) -> Change:
    return change_from_bulk_line(json.dumps(NODE | changed).encode(), began=HEARD, position=7, raw_digest=b"digest")


def node(*denied: str, **changed: Any) -> Change:
    return change_from_node(NODE | changed, began=HEARD, position=7, denied=frozenset(denied))


@pytest.mark.req("K17", "K21", "K26", "K27", "K29")
@pytest.mark.parametrize("topic", FULL_TOPICS)
def test_a_full_body_tells_the_profile(topic: str) -> None:
    change = delivered(topic)
    assert (change.record_id, change.kind, change.path, change.position) == (BIG, Kind.PRESENT, Path.WEBHOOK, 7)
    assert change.version == parse_instant("2022-02-01T00:00:00Z")
    assert change.created == parse_instant("2022-01-01T00:00:00Z")
    assert change.heard == HEARD
    assert {key: change.fields[key] for key in ("first_name", "last_name", "email", "phone", "state")} == {
        "first_name": "Bob",
        "last_name": "Biller",
        "email": "bob@biller.com",
        "phone": None,
        "state": "disabled",
    }


def test_the_default_address_stands_for_an_empty_list_as_in_shopifys_sample() -> None:
    assert delivered().fields["addresses"] == [
        {
            "id": 12321,
            "first_name": "Bob",
            "last_name": "Biller",
            "address1": "151 O'Connor Street",
            "city": "Ottawa",
            "province_code": "ON",
            "country_code": "CA",
            "zip": "K2P 2L8",
            "phone": "555-555-5555",
            "default": True,
        }
    ]
    assert delivered(default_address=None).fields["addresses"] is None


def test_every_path_gives_the_same_values() -> None:
    by_webhook, by_bulk, by_read = delivered(), bulk(), node()
    assert by_bulk.fields == by_read.fields
    assert {key: by_read.fields[key] for key in by_webhook.fields} == by_webhook.fields
    assert (by_bulk.version, by_bulk.created) == (by_webhook.version, by_webhook.created)
    assert (by_bulk.path, by_bulk.raw_digest, by_read.path, by_read.raw_digest) == (
        Path.BULK,
        b"digest",
        Path.READ,
        None,
    )


def test_a_read_tells_every_field() -> None:
    fields = node().fields
    assert set(fields) == set(FIELDS)
    assert fields["tags"] == ["tea", "vip"]
    assert fields["email_consent"] == {
        "state": "subscribed",
        "level": "single_opt_in",
        "at": parse_instant("2022-01-01T00:00:00Z"),
    }
    assert (fields["phone"], fields["sms_consent"], fields["whatsapp_consent"]) == (None, None, None)
    assert node(tags=[], addresses=[], note=" ").fields["tags"] is None


def test_both_spellings_of_never_subscribed_are_one() -> None:
    phone = {
        "phoneNumber": "+16134505293",
        "marketingState": "NOT_SUBSCRIBED",
        "marketingOptInLevel": None,
        "marketingUpdatedAt": None,
        "whatsAppMarketingConsent": {"state": "NEVER_SUBSCRIBED", "optInLevel": None, "updatedAt": None},
    }
    fields = bulk(defaultPhoneNumber=phone).fields
    assert fields["phone"] == "+16134505293"
    assert fields["sms_consent"] == fields["whatsapp_consent"] == {"state": "not_subscribed", "level": None, "at": None}


def test_what_a_body_does_not_say_is_not_said() -> None:
    body = json.dumps({"id": str(BIG), "updated_at": "2022-01-31T19:00:00-05:00", "note": None}).encode()
    change = change_from_delivery("customers/update", body, heard=HEARD, position=1)
    assert (change.record_id, change.fields) == (BIG, {"note": None})


def test_addresses_are_sorted_and_only_one_is_the_default() -> None:
    told = [ADDRESS | {"id": 9, "default": False}, ADDRESS | {"id": 3}]
    found = delivered(addresses=told, default_address=ADDRESS | {"id": 9}).fields["addresses"]
    assert [(entry["id"], entry["default"]) for entry in found] == [(3, False), (9, True)]


# ---- Deletions ------------------------------------------------------------------------------------------------------


@pytest.mark.req("K30")
def test_a_deletion_holds_only_the_id() -> None:
    body = json.dumps({"id": BIG, "tax_exemptions": [], "admin_graphql_api_id": NODE["id"]}).encode()
    change = change_from_delivery(DELETE_TOPIC, body, heard=HEARD, position=7)
    assert (change.record_id, change.kind, change.fields, change.version) == (BIG, Kind.DELETED, {}, None)


@pytest.mark.req("K30")
@pytest.mark.parametrize("extra", [{"email": "bob@biller.com"}, {"bob@biller.com": 1}, {"state": "disabled"}])
def test_another_body_under_the_delete_topic_is_refused(extra: dict[str, Any]) -> None:
    body = json.dumps({"id": BIG} | extra).encode()
    with pytest.raises(NotUnderstood) as refused:
        change_from_delivery(DELETE_TOPIC, body, heard=HEARD, position=7)
    assert "customers/delete" in str(refused.value)
    assert "bob" not in str(refused.value)


# ---- What cannot be understood --------------------------------------------------------------------------------------

BAD_BODIES = [
    ("id", json.dumps({"updated_at": "2022-01-31T19:00:00-05:00"})),
    ("updated_at", json.dumps({"id": 1})),
    ("updated_at", json.dumps(BODY | {"updated_at": "2022-01-31T19:00:00"})),
    ("id", json.dumps(BODY | {"id": 0})),
    ("id", json.dumps(BODY | {"id": -5})),
    ("id", json.dumps(BODY | {"id": 2**63})),
    ("id", json.dumps(BODY | {"id": 7.5})),
    ("id", json.dumps(BODY | {"id": True})),
    ("id", json.dumps(BODY | {"id": "gid://shopify/Order/5"})),
    ("id", json.dumps(BODY | {"id": "9" * 5000})),
    ("email", json.dumps(BODY | {"email": ["canary@example.com"]})),
    ("addresses", json.dumps(BODY | {"addresses": [{"zip": "canary"}]})),
    ("addresses", json.dumps(BODY | {"addresses": [ADDRESS | {"city": "canary" * 20_000}]})),
    ("note", json.dumps(BODY | {"note": "canary" * 20_000})),
    ("JSON", '{"id": 1, "note": "canary'),
    ("JSON", json.dumps(BODY | {"note": "canary \ud800"})),
    ("JSON", '{"id": 1, "unknown": ' + "[" * 200_000),
]


@pytest.mark.parametrize(("key", "body"), BAD_BODIES)
def test_a_body_of_another_shape_is_not_understood_and_not_quoted(key: str, body: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        change_from_delivery("customers/update", body.encode(), heard=HEARD, position=7)
    assert key in str(refused.value)
    assert "customers/update" in str(refused.value)
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_another_topic_is_not_understood() -> None:
    with pytest.raises(NotUnderstood):
        change_from_delivery("orders/create", json.dumps(BODY).encode(), heard=HEARD, position=7)


def test_bytes_that_are_not_text_are_not_understood() -> None:
    for body in (b"\xff\xfe", b"", b"null", b"[]", b'{"id": 1, "note": "\xed\xa0\x80"}'):
        with pytest.raises(NotUnderstood):
            change_from_delivery("customers/update", body, heard=HEARD, position=7)
        with pytest.raises(NotUnderstood):
            change_from_bulk_line(body, began=HEARD, position=7, raw_digest=None)


@pytest.mark.parametrize("field", ["firstName", "note", "tags", "addresses"])
def test_half_a_character_is_refused_wherever_it_is(field: str) -> None:
    half = "canary \ud800"
    value: Any = {"tags": [half], "addresses": [NODE["addresses"][0] | {"city": half}]}.get(field, half)  # type: ignore[index,operator]
    with pytest.raises(NotUnderstood) as refused:
        node(**{field: value})
    assert "canary" not in str(refused.value)


def test_nul_characters_are_dropped_since_no_database_could_hold_them() -> None:
    assert delivered(note=" a\0b ", first_name="\0").fields["note"] == "ab"
    assert delivered(first_name="\0").fields["first_name"] is None
    assert delivered(addresses=[ADDRESS | {"city": "Ot\0tawa"}]).fields["addresses"][0]["city"] == "Ottawa"


def test_a_line_of_a_nested_connection_is_not_a_customer() -> None:
    line = json.dumps(NODE | {"id": "gid://shopify/Order/5", "__parentId": NODE["id"]}).encode()
    with pytest.raises(NotUnderstood):
        change_from_bulk_line(line, began=HEARD, position=7, raw_digest=None)


# ---- Refused fields -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("firstName", {"first_name"}),
        ("addresses.0.phone", {"addresses"}),
        ("defaultAddress", {"addresses"}),
        ("defaultEmailAddress", {"email", "email_consent"}),
        ("defaultEmailAddress.emailAddress", {"email", "email_consent"}),
        ("defaultEmailAddress.marketingUpdatedAt", {"email_consent"}),
        ("defaultPhoneNumber.whatsAppMarketingConsent.state", {"phone", "sms_consent", "whatsapp_consent"}),
        ("defaultPhoneNumber.whatsAppMarketingConsent.updatedAt", {"whatsapp_consent"}),
        ("somethingNew", set()),
    ],
)
def test_a_refused_field_is_unknown_and_not_empty(path: str, fields: set[str]) -> None:
    change = node(path)
    assert change.denied == fields
    assert set(change.fields) == set(FIELDS) - fields


def test_a_bulk_line_takes_the_refusals_of_a_probe() -> None:
    line = json.dumps(NODE | {"firstName": None}).encode()
    change = change_from_bulk_line(line, began=HEARD, position=7, raw_digest=None, denied=frozenset({"firstName"}))
    assert "first_name" not in change.fields
    assert change.denied == {"first_name"}


# ---- Ids ------------------------------------------------------------------------------------------------------------

GID = f"gid://shopify/Customer/{BIG}"


@pytest.mark.parametrize(
    ("topic", "body", "ids"),
    [
        ("customers/create", {"id": BIG}, (BIG,)),
        ("customers/delete", {"id": str(BIG)}, (BIG,)),
        ("customer.tags_added", {"customerId": GID}, (BIG,)),
        ("customer.tags_removed", {"customerId": GID}, (BIG,)),
        ("customers/purchasing_summary", {"customerId": GID}, (BIG,)),
        ("customers_email_marketing_consent/update", {"customer_id": BIG}, (BIG,)),
        ("customers_whats_app_marketing_consent/update", {"customer_id": BIG}, (BIG,)),
        ("customers_marketing_consent/update", {"id": BIG}, (BIG,)),
        ("customers/redact", {"customer": {"id": 191167}}, (191167,)),
        ("customers/data_request", {"customer": {"id": 191167}}, (191167,)),
        ("customers/data_request", {"customer": {"email": "bob@biller.com"}}, ()),
        (
            "customers/merge",
            {
                "admin_graphql_api_customer_kept_id": GID,
                "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/2",
            },
            (BIG, 2),
        ),
        ("app/uninstalled", {"id": 548380009}, ()),
        ("customers/update", {"id": 1.5}, ()),
        ("customers/update", {"id": True}, ()),
        ("customers/update", [BIG], ()),
    ],
)
def test_the_ids_of_each_topic_are_found(topic: str, body: Any, ids: tuple[int, ...]) -> None:
    assert customer_ids(topic, json.dumps(body).encode()) == ids


@given(st.sampled_from([*FULL_TOPICS, DELETE_TOPIC, "customers/merge", "customers/redact", "x"]), st.binary())
def test_looking_for_ids_never_fails(topic: str, body: bytes) -> None:
    assert isinstance(customer_ids(topic, body), tuple)


@given(st.integers(1, 2**63 - 1))
def test_ids_are_exact_in_every_form(number: int) -> None:
    for told in (number, str(number), f"gid://shopify/Customer/{number}"):
        assert delivered(id=told).record_id == number


@given(st.text(max_size=80))
def test_any_text_gives_the_same_value_by_webhook_and_by_read(text: str) -> None:
    by_webhook = delivered(note=text, addresses=[ADDRESS | {"city": text}]).fields
    address = {**NODE["addresses"][0], "city": text}  # type: ignore[dict-item,index]
    by_read = node(note=text, addresses=[address]).fields
    assert (by_webhook["note"], by_webhook["addresses"]) == (by_read["note"], by_read["addresses"])


def test_a_line_costs_a_few_microseconds() -> None:
    line = json.dumps(NODE).encode()
    begin = time.process_time()
    for _ in range(2_000):
        change_from_bulk_line(line, began=HEARD, position=7, raw_digest=None)
    # Ten times what it takes, so that only a change of kind (a decoder built for each line) is caught.
    assert (time.process_time() - begin) / 2_000 < 100e-6
