"""Webhooks: who signed them, what they look like, and what goes wrong with them on request."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from onewriter.sandbox import Faults, Shop
from tests.sandbox.stage import SUBSCRIBE, Api, Receiver, subscribe

Running = Callable[..., Api]

# Key for key what Shopify documents for 2026-07.
CUSTOMER_KEYS = [
    *("id", "created_at", "updated_at", "first_name", "last_name", "state", "note", "verified_email"),
    *("multipass_identifier", "tax_exempt", "email", "phone", "currency", "addresses", "tax_exemptions"),
    *("admin_graphql_api_id", "default_address"),
]
ADDRESS_KEYS = [
    *("id", "customer_id", "first_name", "last_name", "company", "address1", "address2", "city", "province", "country"),
    *("zip", "phone", "name", "province_code", "country_code", "country_name", "default"),
]
SHOP_KEYS = {
    *("id", "name", "email", "domain", "province", "country", "address1", "zip", "city", "source", "phone"),
    *("latitude", "longitude", "primary_locale", "address2", "created_at", "updated_at", "country_code"),
    *("country_name", "currency", "customer_email", "timezone", "iana_timezone", "shop_owner", "money_format"),
    *("money_with_currency_format", "weight_unit", "province_code", "taxes_included", "auto_configure_tax_inclusivity"),
    *("tax_shipping", "county_taxes", "plan_display_name", "plan_name", "has_discounts", "has_gift_cards"),
    *("myshopify_domain", "google_apps_domain", "google_apps_login_enabled", "money_in_emails_format"),
    *("money_with_currency_in_emails_format", "eligible_for_payments", "requires_extra_payments_agreement"),
    *("password_enabled", "has_storefront", "finances", "primary_location_id", "checkout_api_supported"),
    *("multi_location_enabled", "setup_required", "pre_launch_enabled", "enabled_presentment_currencies"),
    *("marketing_sms_consent_enabled_at_checkout", "transactional_sms_disabled"),
}
HEADERS = {
    *("X-Shopify-Topic", "X-Shopify-Hmac-Sha256", "X-Shopify-Shop-Domain", "X-Shopify-API-Version"),
    *("X-Shopify-Webhook-Id", "X-Shopify-Triggered-At", "X-Shopify-Event-Id"),
}
ALL = (
    *("CUSTOMERS_CREATE", "CUSTOMERS_UPDATE", "CUSTOMERS_DELETE", "CUSTOMERS_ENABLE", "CUSTOMERS_DISABLE"),
    *("CUSTOMER_TAGS_ADDED", "CUSTOMER_TAGS_REMOVED", "CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE"),
    *("APP_UNINSTALLED", "APP_SCOPES_UPDATE", "BULK_OPERATIONS_FINISH"),
)


def heard(api: Api, receiver: Receiver) -> list[tuple[str, Any]]:
    """All that has come, as (topic, body)."""
    assert api.control("settle", seconds=10)["settled"]
    return [(headers["X-Shopify-Topic"], json.loads(body)) for headers, body in receiver.got]


def test_a_delivery_is_signed_over_its_bytes_and_says_what_it_is(running: Running, receiver: Receiver) -> None:
    api = running()
    subscribe(api, receiver, "CUSTOMERS_CREATE")
    api.sandbox.shop.create(first_name="Zoë", email="zoe@example.com")
    heard(api, receiver)
    headers, body = receiver.got[0]
    secret = api.sandbox.info.api_secret.encode()
    wanted = base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest()).decode()
    assert headers["X-Shopify-Hmac-Sha256"] == wanted
    assert headers.keys() >= HEADERS
    assert headers["X-Shopify-Shop-Domain"] == "sandbox-shop.myshopify.com"
    assert headers["Content-Type"] == "application/json"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", headers["X-Shopify-Triggered-At"])


def test_every_payload_has_the_documented_keys(running: Running, receiver: Receiver) -> None:
    api = running(bulk_seconds=0.0)
    subscribe(api, receiver, *ALL)
    shop = api.sandbox.shop
    made = shop.create(
        first_name="Bob", email="bob@example.com", addresses=[{"address1": "1 Elm", "countryCode": "CA"}]
    )
    shop.update(made.id, state="ENABLED")
    shop.update(made.id, state="DISABLED")
    shop.add_tags(made.id, ["vip", "gold"])
    shop.remove_tags(made.id, ["VIP"])
    shop.consent_to_email(made.id, "SUBSCRIBED", "SINGLE_OPT_IN")
    shop.delete(made.id)
    query = "{ customers { edges { node { id } } } }"
    api.data(
        "mutation Run($query: String!) { bulkOperationRunQuery(query: $query) { userErrors { message } } }", query=query
    )
    while not any(topic == "bulk_operations/finish" for topic, _ in heard(api, receiver)):
        pass
    api.control("faults", scopes=["read_customers"])
    api.control("uninstall")
    bodies = dict(heard(api, receiver))
    for topic in ("customers/create", "customers/update", "customers/enable", "customers/disable"):
        assert list(bodies[topic]) == CUSTOMER_KEYS
        assert list(bodies[topic]["default_address"]) == ADDRESS_KEYS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-05:00", bodies[topic]["updated_at"])
    assert list(bodies["customers/delete"]) == ["id", "tax_exemptions", "admin_graphql_api_id"]
    for topic, tags in (("customer.tags_added", ["gold", "vip"]), ("customer.tags_removed", ["vip"])):
        assert list(bodies[topic]) == ["customerId", "tags", "occurredAt"]
        assert bodies[topic]["tags"] == tags
    consent = bodies["customers_email_marketing_consent/update"]
    assert list(consent) == ["customer_id", "email_address", "email_marketing_consent"]
    assert list(consent["email_marketing_consent"]) == ["state", "opt_in_level", "consent_updated_at"]
    assert consent["email_marketing_consent"]["state"] == "subscribed"
    finished = ["admin_graphql_api_id", "completed_at", "created_at", "error_code", "status", "type"]
    assert list(bodies["bulk_operations/finish"]) == finished
    assert list(bodies["app/scopes_update"]) == ["id", "shop_id", "previous", "current", "updated_at"]
    assert bodies["app/uninstalled"].keys() == SHOP_KEYS


def test_one_action_shares_an_event_and_each_delivery_has_its_own_id(running: Running, receiver: Receiver) -> None:
    api = running()
    subscribe(api, receiver, "CUSTOMERS_UPDATE", "CUSTOMERS_ENABLE")
    someone = next(each for each in api.sandbox.shop.customers.values() if each.state == "DISABLED")
    api.sandbox.shop.update(someone.id, state="ENABLED")
    heard(api, receiver)
    assert len(receiver.got) == 2
    assert len({headers["X-Shopify-Event-Id"] for headers, _ in receiver.got}) == 1
    assert len({headers["X-Shopify-Webhook-Id"] for headers, _ in receiver.got}) == 2


def test_a_write_that_changes_nothing_is_no_news(running: Running, receiver: Receiver) -> None:
    api = running()
    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    someone = api.sandbox.shop.snapshot()[0]
    assert api.sandbox.shop.update(someone.id, note=someone.note).updated_at == someone.updated_at
    assert heard(api, receiver) == []


def test_updates_of_one_customer_arrive_in_order_without_a_fault(running: Running, receiver: Receiver) -> None:
    api = running()
    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    number = api.sandbox.shop.ids[0]
    for place in range(20):
        api.sandbox.shop.update(number, note=f"note {place}")
    assert [body["note"] for _, body in heard(api, receiver)] == [f"note {place}" for place in range(20)]


def played(seed: int, **faults: Any) -> list[tuple[str, str, int]]:
    """The fates that a shop of that seed gives to the same forty changes; nothing is sent."""
    shop = Shop(10, seed, faults=Faults(**faults))
    shop.subscriptions.create("CUSTOMERS_UPDATE", {"uri": "http://127.0.0.1:9/hooks"})
    for place in range(40):
        shop.update(shop.ids[place % 10], note=f"note {place}")
    return [(each.webhook_id, each.status, each.copies) for each in shop.deliveries]


def test_the_same_seed_loses_and_doubles_the_same_deliveries() -> None:
    first = played(7, lose=0.3, duplicate=0.3)
    assert first == played(7, lose=0.3, duplicate=0.3)
    assert first != played(8, lose=0.3, duplicate=0.3)
    assert {status for _, status, _ in first} == {"lost", "pending"}
    assert {copies for _, _, copies in first} == {1, 2}
    lost = [webhook for webhook, status, _ in first if status == "lost"]
    assert lost == [webhook for webhook, status, _ in played(7, lose=0.3) if status == "lost"]


def test_doubles_carry_the_same_id_and_bytes_and_lost_ones_never_come(running: Running, receiver: Receiver) -> None:
    api = running(duplicate=0.5, lose=0.3, reorder=0.2, delay=0.05)
    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    for place in range(40):
        api.sandbox.shop.update(api.sandbox.shop.ids[place % 5], note=f"note {place}")
    heard(api, receiver)
    came: dict[str, list[bytes]] = {}
    for headers, body in receiver.got:
        came.setdefault(headers["X-Shopify-Webhook-Id"], []).append(body)
    log = api.http.get("/_sandbox/deliveries").json()
    assert {row["webhook_id"]: row["copies"] for row in log if row["status"] == "acknowledged"} == {
        webhook: len(bodies) for webhook, bodies in came.items()
    }
    assert all(len(set(bodies)) == 1 for bodies in came.values())
    assert {row["status"] for row in log} == {"lost", "acknowledged"}


def test_a_failing_receiver_is_tried_again_with_the_same_id(running: Running, receiver: Receiver) -> None:
    api = running(retry_scale=0.0005)
    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    receiver.status = 500
    api.sandbox.shop.update(api.sandbox.shop.ids[0], note="late")
    while len(receiver.got) < 2:
        pass
    receiver.status = 200
    heard(api, receiver)
    assert len({headers["X-Shopify-Webhook-Id"] for headers, _ in receiver.got}) == 1
    assert [each.status for each in api.sandbox.shop.deliveries] == ["acknowledged"]


@pytest.mark.parametrize("status", [500, 302, 404])
def test_after_its_last_retry_a_delivery_takes_the_subscription_with_it(
    running: Running, receiver: Receiver, status: int
) -> None:
    api = running(retry_scale=0.00001)
    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    receiver.status = status
    api.sandbox.shop.update(api.sandbox.shop.ids[0], note="never")
    heard(api, receiver)
    assert [(each.status, each.attempts) for each in api.sandbox.shop.deliveries] == [("failed", 9)]
    assert api.data("{ webhookSubscriptions(first: 5) { nodes { id } } }")["webhookSubscriptions"]["nodes"] == []


def test_an_acknowledged_delivery_can_be_sent_again(running: Running, receiver: Receiver) -> None:
    api = running()
    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    api.sandbox.shop.update(api.sandbox.shop.ids[0], note="again")
    heard(api, receiver)
    api.control("redeliver", webhook_id=receiver.got[0][0]["X-Shopify-Webhook-Id"])
    heard(api, receiver)
    assert len(receiver.got) == 2
    assert receiver.got[0][1] == receiver.got[1][1]


def test_what_is_not_on_this_machine_gets_nothing(running: Running) -> None:
    api = running(retry_scale=0.0)
    api.data(SUBSCRIBE, topic="CUSTOMERS_UPDATE", uri="https://hooks.example.com/in")
    api.sandbox.shop.update(api.sandbox.shop.ids[0], note="quiet")
    api.control("settle", seconds=5)
    assert [each.status for each in api.sandbox.shop.deliveries] == ["failed"]


def test_a_redacted_payload_keeps_its_shape(running: Running, receiver: Receiver) -> None:
    api = running(protected_denied=True)
    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    someone = next(each for each in api.sandbox.shop.customers.values() if each.addresses)
    api.sandbox.shop.update(someone.id, note="seen")
    body = heard(api, receiver)[0][1]
    assert list(body) == CUSTOMER_KEYS
    assert [body[key] for key in ("email", "phone", "first_name", "last_name")] == [None] * 4
    assert (body["note"], body["default_address"]["address1"]) == ("seen", None)


def test_subscriptions_are_refused_in_shopifys_words(running: Running, receiver: Receiver) -> None:
    api = running()

    def refusal(topic: str, uri: str) -> Any:
        return api.data(SUBSCRIBE, topic=topic, uri=uri)["webhookSubscriptionCreate"]["userErrors"][0]["message"]

    subscribe(api, receiver, "CUSTOMERS_UPDATE")
    assert refusal("CUSTOMERS_UPDATE", receiver.url) == "Address for this topic has already been taken"
    api.control("faults", scopes=["write_customers"])
    assert "permission" in refusal("CUSTOMERS_MERGE", receiver.url)
    api.control("faults", scopes=["write_customers", "read_customer_merge"])
    subscribe(api, receiver, "CUSTOMERS_MERGE")
    api.control("faults", allow_http=False)
    assert refusal("CUSTOMERS_CREATE", receiver.url) == "Address protocol http:// is not supported"
    api.control("faults", topics_refused=True)
    assert "protected customer data" in refusal("CUSTOMERS_CREATE", "https://127.0.0.1/in")
    held = api.data("{ webhookSubscriptions(first: 5, topics: [CUSTOMERS_UPDATE]) { nodes { id topic } } }")
    found = held["webhookSubscriptions"]["nodes"][0]
    delete = "mutation Delete($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId } }"
    gone = api.data(delete, id=found["id"])["webhookSubscriptionDelete"]
    assert gone["deletedWebhookSubscriptionId"] == found["id"]
