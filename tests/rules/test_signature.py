"""Only the bytes are signed: the signature is exact, and the headers are held to their shapes."""

import re
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onewriter.errors import NotUnderstood
from onewriter.records import DAY, SECOND, Instant, iso, parse_instant
from onewriter.shopify.webhooks import (
    COMPLIANCE_TOPICS,
    TOPIC_SCOPES,
    TOPICS,
    compliance_toml,
    is_signed,
    read_headers,
    sign,
)

BODY = b'{"id":706405506930370084}'


def headers(**changed: str) -> dict[str, str]:
    given = {
        "X-Shopify-Topic": "customers/update",
        "X-Shopify-Shop-Domain": "snowdevil.myshopify.com",
        "X-Shopify-Webhook-Id": "545ebdd4-b7be-4d3d-b14e-54aa78e0e0f9",
    }
    return given | {f"X-Shopify-{name.replace('_', '-')}": value for name, value in changed.items()}


def test_the_signature_is_the_base64_of_an_hmac_sha256() -> None:
    # Test case 2 of RFC 4231, written in base64.
    assert sign(b"what do ya want for nothing?", "Jefe") == "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="


@pytest.mark.req("K15")
def test_any_live_secret_signs_and_no_other() -> None:
    signature = sign(BODY, "old")
    assert is_signed(BODY, signature, ["new", "old"])
    assert is_signed(BODY, signature.encode(), ["old"])
    assert not is_signed(BODY, signature, ["new"])
    assert not is_signed(BODY + b" ", signature, ["old"])
    assert not is_signed(BODY, signature, [])


@pytest.mark.req("K15")
def test_an_empty_secret_signs_nothing() -> None:
    assert not is_signed(BODY, sign(BODY, ""), ["", ""])


@pytest.mark.req("K15")
@pytest.mark.parametrize("junk", ["", "ü", "\ud800", "=" * 100_000, b"\xff", sign(BODY, "old").lower()])
def test_junk_in_place_of_a_signature_is_simply_false(junk: str | bytes) -> None:
    assert not is_signed(BODY, junk, ["old"])


@given(st.binary(), st.text(min_size=1))
def test_what_was_signed_is_signed(body: bytes, secret: str) -> None:
    assert is_signed(body, sign(body, secret), [secret])


def test_header_names_may_be_of_any_case(now: Instant) -> None:
    lowered = {name.lower(): value for name, value in headers(Event_Id="e1", API_Version="2026-10").items()}
    read = read_headers(lowered, now)
    assert (read.topic, read.shop_domain) == ("customers/update", "snowdevil.myshopify.com")
    assert (read.webhook_id, read.event_id) == ("545ebdd4-b7be-4d3d-b14e-54aa78e0e0f9", "e1")
    assert (read.api_version, read.triggered) == ("2026-10", None)


@pytest.mark.parametrize(
    "domain",
    ["evil.com/x", "a.myshopify.com.evil.com", "-a.myshopify.com", "a_b.myshopify.com", "", "a.myshopify.com\n"],
)
def test_another_domain_is_refused_and_not_quoted(now: Instant, domain: str) -> None:
    if domain.endswith("\n"):
        # Servers strip the white space around a value, so this is the plain domain.
        assert read_headers(headers(Shop_Domain=domain), now).shop_domain == "a.myshopify.com"
        return
    with pytest.raises(NotUnderstood) as refused:
        read_headers(headers(Shop_Domain=domain), now)
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize("name", ["Topic", "Webhook_Id", "Shop_Domain"])
@pytest.mark.parametrize("value", ["", "x" * 256, "ü", "a\0b"])
def test_what_a_delivery_needs_is_required(now: Instant, name: str, value: str) -> None:
    with pytest.raises(NotUnderstood, match=re.escape(f"X-Shopify-{name.replace('_', '-')}")):
        read_headers(headers(**{name: value}), now)


def test_optional_headers_that_do_not_fit_are_left_out(now: Instant) -> None:
    read = read_headers(headers(Event_Id="x" * 256, API_Version="ü"), now)
    assert (read.event_id, read.api_version) == (None, None)


def test_the_trigger_time_is_held_within_two_days(now: Instant) -> None:
    def triggered(text: str) -> Instant | None:
        return read_headers(headers(Triggered_At=text), now).triggered

    assert triggered("2026-03-02T09:59:00.123456Z") == parse_instant("2026-03-02T09:59:00.123456Z")
    assert triggered(iso(now + 5 * SECOND) or "") == now
    assert triggered("1999-01-01T00:00:00Z") == now - 2 * DAY
    for unreadable in ("", "yesterday", "2026-03-02T09:59:00", "0001-01-01T00:00:00+14:00x"):
        assert triggered(unreadable) is None


def test_the_customer_topics_are_subscribed_to() -> None:
    assert TOPICS.items() >= {
        ("customers/create", "CUSTOMERS_CREATE"),
        ("customers/update", "CUSTOMERS_UPDATE"),
        ("customers/delete", "CUSTOMERS_DELETE"),
    }
    assert TOPIC_SCOPES["customers/update"] == "read_customers"
    assert TOPIC_SCOPES["app/uninstalled"] is None
    assert not set(COMPLIANCE_TOPICS) & set(TOPICS)


def test_the_lines_for_the_app_configuration_are_toml() -> None:
    read = tomllib.loads(compliance_toml('https://door.example/webhooks/"shopify"'))["webhooks"]
    assert read["subscriptions"] == [
        {"compliance_topics": list(COMPLIANCE_TOPICS), "uri": 'https://door.example/webhooks/"shopify"'}
    ]
    assert read["api_version"] == "2026-10"
