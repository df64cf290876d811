"""The bodies of what is asked of us in law: read strictly, since no header that names a topic is signed."""

import json
from typing import Any

import pytest

from onewriter.errors import NotUnderstood
from onewriter.shopify.compliance import Named, check_shop_redacted, data_requested, redacted

DOMAIN = "tea.myshopify.com"
HEAD = {"shop_id": 954889, "shop_domain": DOMAIN}
CUSTOMER = {"id": 191167, "email": "john@example.com", "phone": "555-625-1199"}
REDACTION: dict[str, Any] = HEAD | {"customer": CUSTOMER, "orders_to_redact": [299938, 280263]}
REQUEST: dict[str, Any] = HEAD | {"orders_requested": [1], "customer": CUSTOMER, "data_request": {"id": 9999}}


def body(given: Any) -> bytes:
    return json.dumps(given).encode()


@pytest.mark.req("K37")
def test_the_documented_bodies_are_read() -> None:
    assert redacted(body(REDACTION), DOMAIN) == Named(191167, "john@example.com", "555-625-1199")
    assert data_requested(body(REQUEST), DOMAIN) == Named(191167, "john@example.com", "555-625-1199")
    check_shop_redacted(body(HEAD), DOMAIN)


@pytest.mark.parametrize("customer", [{"email": "a@example.com"}, {"id": None, "email": "a@example.com", "phone": ""}])
def test_whom_shopify_knows_by_an_address_alone_has_no_id(customer: dict[str, Any]) -> None:
    expected = Named(None, "a@example.com", None)
    assert redacted(body(REDACTION | {"customer": customer}), DOMAIN) == expected
    assert data_requested(body(REQUEST | {"customer": customer}), DOMAIN) == expected


@pytest.mark.req("K37")
@pytest.mark.parametrize("given", [REDACTION, REQUEST, HEAD, CUSTOMER, [], {}, REDACTION | {"shop_domain": "other"}])
def test_no_body_passes_for_another_topics_or_another_shops(given: Any) -> None:
    readers = {"redacted": redacted, "data_requested": data_requested, "check_shop_redacted": check_shop_redacted}
    taken = []
    for name, read in readers.items():
        try:
            read(body(given), DOMAIN)
        except NotUnderstood:
            continue
        taken.append(name)
    expected = {id(REDACTION): ["redacted"], id(REQUEST): ["data_requested"], id(HEAD): ["check_shop_redacted"]}
    assert taken == expected.get(id(given), [])


@pytest.mark.parametrize("read", [redacted, data_requested, check_shop_redacted])
@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"shop_domain": "canary@example.com"}', b"[" * 100_000])
def test_what_cannot_be_read_is_refused_without_a_word_of_it(read: Any, raw: bytes) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read(raw, DOMAIN)
    assert "canary" not in str(refused.value)


def test_whom_a_request_names_is_not_in_its_repr() -> None:
    assert "john" not in repr(redacted(body(REDACTION), DOMAIN))
