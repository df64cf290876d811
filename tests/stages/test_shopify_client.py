"""The Admin API client against what Shopify and the network do: throttles, refusals, faults and tokens."""

import json
import threading
from typing import Any

import httpx2
import pytest

from onewriter.errors import (
    OnewriterError,
    ScopeMissing,
    ShopifyRefused,
    ShopifyThrottled,
    ShopifyUnreachable,
    TokenRefused,
)
from onewriter.records import SECOND
from onewriter.shopify import reads, scopes
from onewriter.shopify.client import TRANSLATED, CostTooHigh, ours
from onewriter.shopify.queries import API_VERSION, BULK_RUN, COUNT
from tests.support.rehearsal import APP, COUNTED, START, TOKEN, Play, Rehearsal, data, error, raises


def test_a_query_is_sent_with_the_token_and_answered_with_shopifys_clock() -> None:
    stage = Rehearsal(COUNTED)
    answer = stage.client.query(COUNT, {"x": 1})
    assert str(stage.seen[0].url) == f"https://tea.myshopify.com/admin/api/{API_VERSION}/graphql.json"
    assert stage.seen[0].headers["X-Shopify-Access-Token"] == "shpat_canary"
    assert json.loads(stage.seen[0].content) == {"query": COUNT, "variables": {"x": 1}}
    assert answer.date == START
    assert "count" not in repr(answer).lower()


# ---- The cost budget ------------------------------------------------------------------------------------------------


def test_what_would_be_throttled_waits_until_the_bucket_holds_it() -> None:
    stage = Rehearsal(data(available=300, requested=500, shop={}), data(available=100, requested=500, shop={}))
    stage.client.query("query Q")
    assert stage.slept == []
    stage.client.query("query Q")
    assert stage.slept == [2.0]
    stage.client.query("query Other")
    assert stage.slept == [2.0]


def test_a_throttled_query_waits_what_is_missing_and_is_sent_again() -> None:
    stage = Rehearsal(data(available=10, requested=510, errors=[error("THROTTLED")]), COUNTED)
    assert reads.count_customers(stage.client) == 5
    assert stage.slept == [5.0]


def test_threads_do_not_spend_the_same_points() -> None:
    stage = Rehearsal(data(available=1000, requested=1000, shop={}))
    stage.client.query("query Q")
    gate = threading.Barrier(2)

    def meet(request: httpx2.Request) -> httpx2.Response:
        gate.wait(timeout=10)
        return data(available=0, requested=1000, shop={})

    stage.script = [meet]
    threads = [threading.Thread(target=stage.client.query, args=("query Q",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert stage.slept == [10.0]


def test_retry_after_is_honoured_and_a_long_one_is_the_callers() -> None:
    stage = Rehearsal(httpx2.Response(429, headers={"Retry-After": "3.5"}), httpx2.Response(429), COUNTED)
    assert reads.count_customers(stage.client) == 5
    assert stage.slept == [3.5, 2.0]
    stage = Rehearsal(httpx2.Response(429, headers={"Retry-After": "3600"}))
    with pytest.raises(ShopifyThrottled) as throttled:
        stage.client.query(COUNT)
    assert (throttled.value.retry_after_s, stage.slept) == (3600, [])


def test_the_waits_come_to_an_end() -> None:
    stage = Rehearsal(httpx2.Response(429, headers={"Retry-After": "1"}))
    with pytest.raises(ShopifyThrottled):
        stage.client.query(COUNT)
    assert len(stage.seen) == 10


# ---- Faults ---------------------------------------------------------------------------------------------------------

FAULTS: list[Play | httpx2.Response] = [
    raises(httpx2.ReadTimeout),
    raises(httpx2.ConnectError),
    raises(httpx2.RemoteProtocolError),
    httpx2.Response(502),
    httpx2.Response(200, text="<html>"),
    data(errors=[error("INTERNAL_SERVER_ERROR")]),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_passing_fault_is_passed_over(fault: Play | httpx2.Response) -> None:
    stage = Rehearsal(fault, fault, COUNTED)
    assert reads.count_customers(stage.client) == 5
    assert 0 < stage.slept[0] <= 0.5 < 1.0
    assert len(stage.slept) == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lasting_fault_is_unreachable_and_says_nothing_of_the_request(fault: Play | httpx2.Response) -> None:
    stage = Rehearsal(fault)
    with pytest.raises(ShopifyUnreachable) as unreachable:
        stage.client.query(COUNT)
    assert len(stage.seen) == 5
    assert "canary" not in str(unreachable.value)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mutation_is_never_sent_twice_unless_it_never_left(fault: Play | httpx2.Response) -> None:
    stage = Rehearsal(fault)
    with pytest.raises(ShopifyUnreachable):
        stage.client.query(BULK_RUN, {"query": "{}"})
    assert len(stage.seen) == (5 if fault is FAULTS[1] else 1)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx2.Response(401), TokenRefused),
        (httpx2.Response(403), TokenRefused),
        (httpx2.Response(302, headers={"Location": "https://evil.example"}), ShopifyRefused),
        (httpx2.Response(404), ShopifyRefused),
        (httpx2.Response(402), ShopifyRefused),
        (data(errors=[error("MAX_COST_EXCEEDED")]), CostTooHigh),
        (data(errors=["canary"]), ShopifyRefused),
        (data(customersCount=None, errors=[error("ACCESS_DENIED", "customersCount")]), ScopeMissing),
        (httpx2.Response(200, content=b" " * (64 * 1024 * 1024 + 1)), ShopifyRefused),
    ],
)
def test_a_refusal_is_raised_at_once_and_in_our_own_words(answer: httpx2.Response, kind: type[Exception]) -> None:
    stage = Rehearsal(answer)
    with pytest.raises(kind) as refused:
        stage.client.query(COUNT)
    assert len(stage.seen) == 1
    assert "canary" not in str(refused.value)


def test_a_missing_scope_is_named() -> None:
    denied = error("ACCESS_DENIED", "customersCount", requiredAccess="`read_customers` access scope.")
    with pytest.raises(ScopeMissing) as missing:
        reads.count_customers(Rehearsal(data(customersCount=None, errors=[denied])).client)
    assert missing.value.scope == "read_customers"
    assert next((lack.scope, lack.required) for lack in scopes.missing(set())) == ("read_customers", True)
    assert "read_customers" not in [lack.scope for lack in scopes.missing({"write_customers"})]


def test_no_error_of_the_library_is_missing_from_the_border() -> None:
    public = [getattr(httpx2, name) for name in httpx2.__all__]
    theirs = [kind for kind in public if isinstance(kind, type) and issubclass(kind, Exception)]
    untranslated = [kind.__name__ for kind in theirs if not issubclass(kind, (*TRANSLATED, Warning))]
    assert untranslated == []
    assert isinstance(ours(httpx2.ReadError("canary")), OnewriterError)


# ---- Tokens ---------------------------------------------------------------------------------------------------------


def granted(token: str, **also: Any) -> httpx2.Response:
    return httpx2.Response(200, json={"access_token": token, "scope": "read_customers"} | also)


def test_client_credentials_fetch_a_token_and_renew_it_before_it_ends() -> None:
    stage = Rehearsal(granted("one", expires_in=86_399), COUNTED, COUNTED, granted("two"), COUNTED, credentials=APP)
    stage.client.query(COUNT)
    assert json.loads(stage.seen[0].content)["grant_type"] == "client_credentials"
    assert str(stage.seen[0].url) == "https://tea.myshopify.com/admin/oauth/access_token"
    stage.now += (86_399 - 301) * SECOND
    stage.client.query(COUNT)
    stage.now += 2 * SECOND
    stage.client.query(COUNT)
    tokens = [request.headers.get("X-Shopify-Access-Token") for request in stage.seen]
    assert tokens == [None, "one", "one", None, "two"]
    assert [each.expires for each in stage.renewed] == [START + 86_399 * SECOND, stage.now + 3600 * SECOND]


def test_a_token_that_ended_early_is_renewed_once() -> None:
    stage = Rehearsal(granted("one"), httpx2.Response(401), granted("two"), COUNTED, credentials=APP)
    assert reads.count_customers(stage.client) == 5
    stage = Rehearsal(granted("one"), httpx2.Response(401), granted("two"), httpx2.Response(401), credentials=APP)
    with pytest.raises(TokenRefused):
        stage.client.query(COUNT)
    assert len(stage.seen) == 4


@pytest.mark.parametrize("body", [{"error": "shop_not_permitted"}, {"error": "canary was here"}, {}])
def test_a_refused_grant_says_why_in_a_word(body: dict[str, str]) -> None:
    with pytest.raises(TokenRefused) as refused:
        Rehearsal(httpx2.Response(400, json=body), credentials=APP).client.query(COUNT)
    assert "canary" not in str(refused.value)
    assert ("shop_not_permitted" in str(refused.value)) == (body.get("error") == "shop_not_permitted")


def test_credentials_show_no_secret() -> None:
    assert "canary" not in repr(TOKEN) + str(APP) + f"{TOKEN}"
