"""Bulk operations: the rules, the states, the files."""

import json
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from graphql import GraphQLObjectType, build_schema, execute_sync, parse

from onewriter.sandbox import Refused, Shop, bulk_rules
from onewriter.sandbox.bulk import Operations
from onewriter.sandbox.bulk_file import BulkFile
from onewriter.sandbox.call import Call
from onewriter.sandbox.compiled import compile_selection, node_selections
from onewriter.sandbox.schema import schema
from tests.sandbox.stage import Api

RUN = """mutation Run($query: String!, $grouped: Boolean! = false) {
  bulkOperationRunQuery(query: $query, groupObjects: $grouped) {
    bulkOperation { id status }
    userErrors { field message code }
  }
}"""
STATUS = """query Status($id: ID!) {
  bulkOperation(id: $id) {
    id status errorCode objectCount rootObjectCount fileSize url partialDataUrl completedAt type
  }
}"""
PLAIN = "{ customers { edges { node { id email } } } }"
RICH = """
  __typename id legacyResourceId createdAt updatedAt firstName surname: lastName displayName locale note tags state
  verifiedEmail taxExempt numberOfOrders email phone canDelete dataSaleOptOut multipassIdentifier
  amountSpent { amount currencyCode }
  ... on Customer { defaultEmailAddress { emailAddress marketingState } }
  ...Channels
  ... on Node { id }
  addresses(first: 2) { id name company address1 countryCodeV2 country province zip phone }
  defaultAddress { city }
  tier: metafield(key: "loyalty.tier") { value namespace }
  birth: metafield(namespace: "facts", key: "birth_date") { id key value type createdAt }
"""
CHANNELS = """fragment Channels on Customer {
  defaultEmailAddress { marketingOptInLevel marketingUpdatedAt validFormat }
  defaultPhoneNumber {
    phoneNumber marketingState marketingOptInLevel marketingUpdatedAt marketingCollectedFrom
    smsMarketingConsent { state optInLevel updatedAt collectedFrom }
    whatsAppMarketingConsent { state optInLevel updatedAt collectedFrom }
  }
}"""

Running = Callable[..., Api]


def started(api: Api, query: str = PLAIN, **given: Any) -> str:
    made = api.data(RUN, query=query, **given)["bulkOperationRunQuery"]
    assert made["userErrors"] == []
    return str(made["bulkOperation"]["id"])


def ended(api: Api, operation: str) -> Any:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = api.data(STATUS, id=operation)["bulkOperation"]
        if found["status"] not in ("CREATED", "RUNNING", "CANCELING"):
            return found
        time.sleep(0.01)
    raise AssertionError("The operation did not end")


def lines(api: Api, url: str) -> list[Any]:
    return [json.loads(line) for line in api.http.get(url).text.splitlines()]


def test_a_line_is_what_graphql_answers_for_that_customer(running: Running) -> None:
    api = running(300, bulk_seconds=0.0)
    found = ended(api, started(api, f"{{ customers {{ edges {{ node {{ {RICH} }} }} }} }} {CHANNELS}"))
    shop = api.sandbox.shop
    call = Call(shop, Operations(shop, schema()), "")
    document = parse(f"query One($id: ID!) {{ customer(id: $id) {{ {RICH} }} }} {CHANNELS}")
    got = api.http.get(found["url"]).text.splitlines()
    assert len(got) == 300
    for number, line in zip(shop.ids, got, strict=True):
        variables = {"id": f"gid://shopify/Customer/{number}"}
        wanted = execute_sync(schema(), document, context_value=call, variable_values=variables)
        assert wanted.errors is None
        assert wanted.data is not None
        # As text, so that the order of the keys is compared too.
        assert json.dumps(json.loads(line)) == json.dumps(wanted.data["customer"])


@pytest.mark.parametrize("grouped", [True, False])
def test_nested_items_are_lines_that_name_their_parent(running: Running, grouped: bool) -> None:
    api = running(40, bulk_seconds=0.0)
    query = "{ customers { edges { node { id addressesV2 { edges { node { id city } } } } } } }"
    found = ended(api, started(api, query, grouped=grouped))
    got = lines(api, found["url"])
    shop = api.sandbox.shop
    parents = [line for line in got if "__parentId" not in line]
    children = [line for line in got if "__parentId" in line]
    assert len(parents) == int(found["rootObjectCount"]) == 40
    assert len(got) == int(found["objectCount"])
    assert len(children) == sum(len(each.addresses) for each in shop.customers.values()) > 0
    assert {child["__parentId"] for child in children} <= {parent["id"] for parent in parents}
    together = all(
        line["__parentId"] in (before["id"], before.get("__parentId"))
        for before, line in pairwise(got)
        if "__parentId" in line
    )
    assert together is grouped


def test_counts_are_text_and_the_file_keeps_its_bytes_while_the_shop_moves_on(running: Running) -> None:
    api = running(30, bulk_seconds=0.0)
    found = ended(api, started(api))
    first = api.http.get(found["url"]).content
    for number in list(api.sandbox.shop.ids)[:10]:
        api.sandbox.shop.update(number, note="moved on")
    assert api.http.get(found["url"]).content == first
    assert (found["objectCount"], found["fileSize"]) == ("30", str(len(first)))
    assert found["completedAt"]


def test_a_bulk_query_is_filtered_and_sorted(running: Running) -> None:
    api = running(50, bulk_seconds=0.0)
    shop = api.sandbox.shop
    wanted = sorted((each.updated_at, each.id) for each in shop.customers.values() if each.updated_at >= 1_704_067_200)
    search = "updated_at:>='2024-01-01T00:00:00Z'"
    query = f'{{ customers(query: "{search}", sortKey: UPDATED_AT) {{ edges {{ node {{ legacyResourceId }} }} }} }}'
    got = lines(api, ended(api, started(api, query))["url"])
    assert [int(line["legacyResourceId"]) for line in got] == [number for _, number in wanted]


@pytest.mark.parametrize(
    ("asked", "status", "span"),
    [
        (None, 200, slice(None)),
        ("bytes=0-", 206, slice(0, None)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=70000-80000", 206, slice(70_000, 80_001)),
        ("bytes=10-10", 206, slice(10, 11)),
        ("bytes=-500", 206, slice(-500, None)),
        ("bytes=5-99999999", 206, slice(5, None)),
    ],
)
def test_a_range_is_answered_with_those_bytes(resting: Api, asked: str | None, status: int, span: slice) -> None:
    api = resting
    url = ended(api, started(api))["url"]
    whole = api.http.get(url).content
    answer = api.http.get(url, headers={"Range": asked} if asked else {})
    assert (answer.status_code, answer.content) == (status, whole[span])
    if asked:
        start = span.indices(len(whole))[0]
        end = start + len(answer.content) - 1
        assert answer.headers["Content-Range"] == f"bytes {start}-{end}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=9-5", "lines=1-2", "bytes=-"])
def test_a_range_outside_the_file_is_refused(resting: Api, asked: str) -> None:
    url = ended(resting, started(resting))["url"]
    answer = resting.http.get(url, headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"].startswith("bytes */")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ shop { name } }", "at least one connection"),
        ("{ customers { nodes { id } } }", "`nodes` is not supported"),
        ('{ nodes(ids: ["gid://shopify/Customer/1"]) { id } }', "top-level `node` or `nodes`"),
        ("{ customers { edges { node { addressesV2 { edges { node { id } } } } } } }", "parent `id`"),
        ("{ a: customers { edges { node { id } } } b: customers { edges { node { id } } } }", "single top-level"),
        ("{ customers { edges { node { nope } } } }", "Cannot query field 'nope'"),
        ("{ customers {", "Invalid bulk query"),
        ("mutation { tagsAdd(id: 1, tags: []) { userErrors { message } } }", "exactly one query"),
        (f"{{ customers {{ edges {{ node {{ id {' ' * 66_000} }} }} }} }}", "too large"),
        ('{ customers(query: "wolves") { edges { node { id } } } }', "does not understand"),
        (
            "{ customers { edges { node { id "
            + " ".join(f"m{place}: metafields {{ edges {{ node {{ id }} }} }}" for place in range(5))
            + " } } } }",
            "more than 5 connections",
        ),
    ],
)
def test_a_query_against_the_rules_is_refused(resting: Api, query: str, message: str) -> None:
    made = resting.data(RUN, query=query)["bulkOperationRunQuery"]
    assert made["bulkOperation"] is None
    assert message in made["userErrors"][0]["message"]
    assert made["userErrors"][0]["code"] == "INVALID"


def test_a_connection_below_a_list_is_refused() -> None:
    listed = build_schema("""
        schema { query: QueryRoot }
        type QueryRoot { customers: CustomerConnection }
        type CustomerConnection { edges: [CustomerEdge] }
        type CustomerEdge { node: Customer }
        type Customer { id: ID friends: [Customer] customers: CustomerConnection }
    """)
    inner = "friends { customers { edges { node { id } } } }"
    with pytest.raises(Refused, match="within a list field"):
        bulk_rules.read(listed, f"{{ customers {{ edges {{ node {{ id {inner} }} }} }} }}")
    deep = "{ id }"
    for _ in range(4):
        deep = f"{{ id customers {{ edges {{ node {deep} }} }} }}"
    with pytest.raises(Refused, match="nesting depth greater than 2"):
        bulk_rules.read(listed, deep.replace("{ id customers", "{ customers", 1))


def test_a_sixth_operation_has_to_wait_for_one_of_five(running: Running) -> None:
    api = running(3, stall=True)
    held = [started(api) for _ in range(5)]
    made = api.data(RUN, query=PLAIN)["bulkOperationRunQuery"]
    assert made["userErrors"][0]["code"] == "OPERATION_IN_PROGRESS"
    assert held[0] in made["userErrors"][0]["message"]
    cancel = (
        "mutation Cancel($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }"
    )
    assert api.data(cancel, id=held[0])["bulkOperationCancel"]["bulkOperation"]["status"] in ("CANCELING", "CANCELED")
    assert ended(api, held[0])["status"] == "CANCELED"
    started(api)
    running_ones = api.data('{ bulkOperations(first: 10, query: "status:running") { nodes { id } } }')
    assert held[0] not in [each["id"] for each in running_ones["bulkOperations"]["nodes"]]


def test_states_follow_each_other(running: Running) -> None:
    api = running(3, bulk_seconds=0.3)
    operation = started(api)
    seen: list[str] = []
    while not seen or seen[-1] not in ("COMPLETED", "FAILED"):
        found = api.data(STATUS, id=operation)["bulkOperation"]
        seen += [found["status"]] if found["status"] not in seen else []
        assert (found["url"] is None) == (found["status"] != "COMPLETED")
        time.sleep(0.01)
    assert seen == ["CREATED", "RUNNING", "COMPLETED"]


def test_a_refused_operation_says_that_the_limit_is_reached(running: Running) -> None:
    api = running(3, refuse=True)
    assert api.data(RUN, query=PLAIN)["bulkOperationRunQuery"]["userErrors"][0]["code"] == "LIMIT_REACHED"


def test_a_failed_operation_leaves_part_of_the_data(running: Running) -> None:
    api = running(30, bulk_seconds=0.0, partial=True)
    found = ended(api, started(api))
    assert (found["status"], found["errorCode"], found["url"]) == ("FAILED", "INTERNAL_SERVER_ERROR", None)
    assert len(lines(api, found["partialDataUrl"])) == 15


def test_an_expired_file_is_gone_when_it_is_fetched(running: Running) -> None:
    api = running(3, bulk_seconds=0.0, expire=True)
    operation = started(api)
    found = ended(api, operation)
    assert found["status"] == "COMPLETED"
    assert api.http.get(found["url"]).status_code == 403
    assert api.data(STATUS, id=operation)["bulkOperation"]["status"] == "EXPIRED"


def test_corrupt_and_missing_lines_are_as_many_as_asked(running: Running) -> None:
    api = running(1_000, bulk_seconds=0.0, corrupt_lines=7, wrong_count=2)
    found = ended(api, started(api))
    text = api.http.get(found["url"]).text.splitlines()
    assert (len(text), found["objectCount"]) == (998, "1000")
    broken = [line for line in text if not line.endswith("}")]
    assert 5 <= len(broken) <= 7
    assert str(len(api.http.get(found["url"]).content)) == found["fileSize"]


def test_a_dropped_download_can_be_taken_up_where_it_ended(running: Running) -> None:
    api = running(400, bulk_seconds=0.0)
    url = ended(api, started(api))["url"]
    whole = api.http.get(url).content
    api.control("faults", drop_connection_after_bytes=9_000)
    got = b""
    for _ in range(len(whole) // 9_000 + 1):
        try:
            with api.http.stream("GET", url, headers={"Range": f"bytes={len(got)}-"}) as answer:
                for piece in answer.iter_raw():
                    got += piece
        except httpx2.RemoteProtocolError:
            continue
    assert got == whole


def test_an_empty_shop_has_no_file(running: Running) -> None:
    api = running(0, bulk_seconds=0.0)
    found = ended(api, started(api))
    assert (found["status"], found["objectCount"], found["url"]) == ("COMPLETED", "0", None)


def test_a_bulk_file_of_many_customers_is_written_fast() -> None:
    shop = Shop(5_000, 1)
    built = schema()
    read = bulk_rules.read(built, "{ customers { edges { node { id email tags updatedAt addresses { city } } } } }")
    kind = built.type_map["Customer"]
    assert isinstance(kind, GraphQLObjectType)
    compiled = compile_selection(built, kind, node_selections([read.root]), {})
    file = BulkFile(shop.snapshot(), compiled)
    began = time.perf_counter()
    list(file.measure())
    # A fifth of what it does on a slow machine, so that only a real loss of speed fails.
    assert 5_000 / (time.perf_counter() - began) > 20_000
