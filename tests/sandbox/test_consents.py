"""Consent by email, SMS and WhatsApp: what is refused, what is kept, and who hears of it."""

from typing import Any

import pytest

from onewriter.sandbox import Refused
from onewriter.sandbox.customer import NEVER_ASKED, UNDECIDED
from tests.sandbox.stage import VirtualShop

EMAIL, SMS, WHATSAPP = (
    "customers_email_marketing_consent/update",
    "customers_marketing_consent/update",
    "customers_whats_app_marketing_consent/update",
)
TOPICS = (
    *("CUSTOMERS_CREATE", "CUSTOMERS_UPDATE", "CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE"),
    *("CUSTOMERS_MARKETING_CONSENT_UPDATE", "CUSTOMERS_WHATS_APP_MARKETING_CONSENT_UPDATE", "CUSTOMER_TAGS_ADDED"),
)
CONSENTED = {
    SMS: """mutation Consent($input: CustomerSmsMarketingConsentUpdateInput!) {
      changed: customerSmsMarketingConsentUpdate(input: $input) {
        customer { defaultPhoneNumber { smsMarketingConsent { state optInLevel updatedAt collectedFrom } } }
        userErrors { code field message }
      }
    }""",
    WHATSAPP: """mutation Consent($input: CustomerWhatsAppMarketingConsentUpdateInput!) {
      changed: customerWhatsAppMarketingConsentUpdate(input: $input) {
        customerPhoneNumber { phoneNumber whatsAppMarketingConsent { state optInLevel updatedAt collectedFrom } }
        userErrors { code field message }
      }
    }""",
}
INPUTS = {
    SMS: ("smsMarketingConsent", "marketingState", "marketingOptInLevel", "consentUpdatedAt"),
    WHATSAPP: ("whatsAppMarketingConsent", "state", "optInLevel", "updatedAt"),
}
CREATE = """mutation Create($input: CustomerInput!) {
  customerCreate(input: $input) { customer { id } userErrors { field message } }
}"""
UPDATE = """mutation Update($input: CustomerInput!) {
  customerUpdate(input: $input) { customer { id } userErrors { field message } }
}"""


@pytest.fixture
def virtual() -> VirtualShop:
    virtual = VirtualShop(3)
    virtual.subscribe(*TOPICS)
    return virtual


def someone(virtual: VirtualShop, **fields: Any) -> int:
    given = {"email": "ann@example.com", "phone": "+12025550143"} | fields
    number = virtual.shop.create(**given).id
    virtual.sends()
    return number


def asked(virtual: VirtualShop, topic: str, number: int, **given: str) -> Any:
    name, state, level, at = INPUTS[topic]
    names = {"state": state, "level": level, "at": at}
    consent = {names[key]: value for key, value in given.items()}
    return virtual.data(CONSENTED[topic], input={"customerId": f"gid://shopify/Customer/{number}", name: consent})[
        "changed"
    ]


@pytest.mark.parametrize("topic", [SMS, WHATSAPP])
def test_consents_of_a_phone_follow_the_same_rules_as_those_of_an_email(virtual: VirtualShop, topic: str) -> None:
    number = someone(virtual)
    (error,) = asked(virtual, topic, number, state="SUBSCRIBED")["userErrors"]
    assert (error["code"], error["field"]) == ("MISSING_ARGUMENT", ["input", INPUTS[topic][0], INPUTS[topic][2]])
    (error,) = asked(virtual, topic, number, state="REDACTED")["userErrors"]
    assert (error["code"], error["field"][-1]) == ("INVALID", INPUTS[topic][1])
    later = {"state": "SUBSCRIBED", "level": "SINGLE_OPT_IN", "at": "2027-06-01T00:00:00Z"}
    assert asked(virtual, topic, number, **later)["userErrors"][0]["field"][-1] == INPUTS[topic][3]
    bare = someone(virtual, email="bob@example.com", phone=None)
    assert "phone number" in asked(virtual, topic, bare, state="UNSUBSCRIBED")["userErrors"][0]["message"]
    done = asked(virtual, topic, number, state="PENDING", level="CONFIRMED_OPT_IN", at="2027-01-01T00:00:00Z")
    assert done["userErrors"] == []
    assert (done.get("customerPhoneNumber") or done["customer"]["defaultPhoneNumber"])[INPUTS[topic][0]] == {
        "state": "PENDING",
        "optInLevel": "CONFIRMED_OPT_IN",
        "updatedAt": "2027-01-01T00:00:00Z",
        "collectedFrom": "OTHER",
    }
    assert [told for told, _ in virtual.told()] == [topic]


def test_each_channel_has_a_body_of_its_own(virtual: VirtualShop) -> None:
    number = someone(virtual)
    for consent in (virtual.shop.consent_to_email, virtual.shop.consent_to_sms, virtual.shop.consent_to_whatsapp):
        consent(number, "SUBSCRIBED", "SINGLE_OPT_IN")
    at = "2027-01-15T03:00:00-05:00"
    assert virtual.told() == [
        (
            EMAIL,
            {
                "customer_id": number,
                "email_address": "ann@example.com",
                "email_marketing_consent": {
                    "state": "subscribed",
                    "opt_in_level": "single_opt_in",
                    "consent_updated_at": at,
                },
            },
        ),
        (
            SMS,
            {
                "id": number,
                "phone": "+12025550143",
                "sms_marketing_consent": {
                    "state": "subscribed",
                    "opt_in_level": "single_opt_in",
                    "consent_updated_at": at,
                    "consent_collected_from": "other",
                },
            },
        ),
        (
            WHATSAPP,
            {
                "customer_id": number,
                "phone_number": "+12025550143",
                "whats_app_marketing_consent": {
                    "state": "subscribed",
                    "opt_in_level": "single_opt_in",
                    "updated_at": at,
                    "collected_from": "other",
                },
            },
        ),
    ]


def test_the_same_consent_again_is_no_news(virtual: VirtualShop) -> None:
    number = someone(virtual)
    for _ in range(2):
        virtual.shop.consent_to_sms(number, "SUBSCRIBED", "SINGLE_OPT_IN")
    assert len(virtual.told()) == 1


def test_whoever_is_created_with_tags_and_consents_is_told_in_as_many_deliveries(virtual: VirtualShop) -> None:
    given = {
        "email": "ann@example.com",
        "phone": "+12025550143",
        "tags": ["vip"],
        "emailMarketingConsent": {"marketingState": "SUBSCRIBED", "marketingOptInLevel": "SINGLE_OPT_IN"},
        "smsMarketingConsent": {"marketingState": "SUBSCRIBED", "marketingOptInLevel": "SINGLE_OPT_IN"},
        "whatsAppMarketingConsent": {"state": "PENDING", "optInLevel": "CONFIRMED_OPT_IN"},
    }
    assert virtual.data(CREATE, input=given)["customerCreate"]["userErrors"] == []
    told = [topic for topic, _ in virtual.told()]
    assert sorted(told) == sorted(["customers/create", "customer.tags_added", EMAIL, SMS, WHATSAPP])
    assert len({each.event_id for each in virtual.shop.deliveries}) == 1


def test_whoever_decided_nothing_is_told_once(virtual: VirtualShop) -> None:
    virtual.shop.create(email="ann@example.com", phone="+12025550143")
    assert [topic for topic, _ in virtual.told()] == ["customers/create"]


def test_a_phone_that_goes_takes_its_consents_with_it_and_that_is_told(virtual: VirtualShop) -> None:
    number = someone(virtual)
    virtual.shop.consent_to_sms(number, "SUBSCRIBED", "SINGLE_OPT_IN")
    virtual.shop.consent_to_whatsapp(number, "SUBSCRIBED", "SINGLE_OPT_IN")
    virtual.sends()
    after = virtual.shop.update(number, phone=None)
    assert (after.sms_consent, after.whatsapp_consent, after.email_consent) == (NEVER_ASKED, NEVER_ASKED, UNDECIDED)
    told = dict(virtual.told())
    assert told.keys() == {"customers/update", SMS, WHATSAPP}
    assert told[SMS]["phone"] is None
    assert told[SMS]["sms_marketing_consent"]["state"] == "not_subscribed"


@pytest.mark.parametrize("name", ["emailMarketingConsent", "smsMarketingConsent", "whatsAppMarketingConsent"])
def test_an_update_points_to_the_mutation_that_changes_a_consent(virtual: VirtualShop, name: str) -> None:
    number = someone(virtual)
    state = "state" if name.startswith("whats") else "marketingState"
    given = {"id": f"gid://shopify/Customer/{number}", name: {state: "UNSUBSCRIBED"}}
    (error,) = virtual.data(UPDATE, input=given)["customerUpdate"]["userErrors"]
    assert error["field"] == [name]
    assert f"customer{name[0].upper()}{name[1:]}Update" in error["message"]


def test_a_consent_of_nobody_is_refused() -> None:
    with pytest.raises(Refused, match="does not exist"):
        VirtualShop(1).shop.consent_to_whatsapp(1, "UNSUBSCRIBED")
