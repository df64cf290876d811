"""Merges and doorbells: deliveries that name their customers and settle nothing by themselves."""

import json
from typing import Any

import pytest

from onewriter.errors import NotUnderstood
from onewriter.records import Change, Kind
from onewriter.shopify.payloads import change_from_delivery
from onewriter.shopify.topics import MERGE_TOPIC

HEARD = 1_700_000_000_000_000

MERGE: dict[str, Any] = {
    "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/2",
    "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/1",
    "admin_graphql_api_job_id": None,
    "status": "completed",
    "errors": [],
}


def merge(**changes: Any) -> Change:
    body = json.dumps(MERGE | changes).encode()
    return change_from_delivery(MERGE_TOPIC, body, heard=HEARD, position=7)


@pytest.mark.req("K38")
def test_a_merge_names_the_deleted_one_and_into_whom() -> None:
    told = merge()
    assert (told.record_id, told.into, told.kind, told.heard) == (1, 2, Kind.MERGED, HEARD)
    assert merge(status="failed", errors=[{"field": "merge_in_progress"}]).kind is Kind.NOT_MERGED


@pytest.mark.req("K38")
@pytest.mark.parametrize(
    "changes",
    [
        {"email": "bob@biller.com"},
        {"status": None},
        {"admin_graphql_api_customer_kept_id": "gid://shopify/Customer/1"},
        {"admin_graphql_api_customer_deleted_id": "gid://shopify/Order/1"},
    ],
    ids=["another topic's body", "no status", "into itself", "another kind of id"],
)
def test_what_is_no_merge_is_not_taken_for_one(changes: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood) as refused:
        merge(**changes)
    assert "customers/merge" in str(refused.value)
    assert "bob" not in str(refused.value)


@pytest.mark.req("K28")
@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("customer.tags_added", {"customerId": "gid://shopify/Customer/5", "tags": ["a"], "occurredAt": "2026-01-01"}),
        ("customer.tags_removed", {"customerId": "gid://shopify/Customer/5", "tags": ["a"]}),
        ("customers_email_marketing_consent/update", {"customer_id": 5, "email_address": "bob@biller.com"}),
        ("customers_marketing_consent/update", {"id": 5, "phone": None}),
        ("customers_whats_app_marketing_consent/update", {"customer_id": 5, "phone_number": None}),
    ],
)
def test_every_doorbell_names_its_customer_and_says_nothing_else(topic: str, body: dict[str, Any]) -> None:
    told = change_from_delivery(topic, json.dumps(body).encode(), heard=HEARD, position=7)
    assert (told.record_id, told.kind, told.fields) == (5, Kind.RUNG, {})
    with pytest.raises(NotUnderstood):
        change_from_delivery(topic, b'{"email":"bob@biller.com"}', heard=HEARD, position=7)
