"""The Admin API: pages, search, costs, tokens, scopes and what writes refuse."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.sandbox.stage import Api

Running = Callable[..., Api]

PAGE = """query Page(
  $first: Int, $last: Int, $after: String, $before: String
  $query: String, $reverse: Boolean = false, $sort: CustomerSortKeys = ID
) {
  customers(
    first: $first, last: $last, after: $after, before: $before, query: $query, reverse: $reverse, sortKey: $sort
  ) {
    edges { cursor node { id updatedAt } }
    nodes { id }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
CREATE = """mutation Create($input: CustomerInput!) {
  customerCreate(input: $input) {
    customer { id email phone tags note state createdAt legacyResourceId defaultAddress { country countryCodeV2 } }
    userErrors { field message }
  }
}"""
UPDATE = """mutation Update($input: CustomerInput!) {
  customerUpdate(input: $input) { customer { id email note tags updatedAt } userErrors { field message } }
}"""


def gid(number: int) -> str:
    return f"gid://shopify/Customer/{number}"


def walked(api: Api, **given: Any) -> list[str]:
    """The ids of all pages, one after the other."""
    found: list[str] = []
    while True:
        page = api.data(PAGE, **given)["customers"]
        forwards = "first" in given
        ids = [edge["node"]["id"] for edge in page["edges"]]
        assert ids == [node["id"] for node in page["nodes"]]
        found = found + ids if forwards else ids + found
        if not page["pageInfo"]["hasNextPage" if forwards else "hasPreviousPage"]:
            return found
        given |= {"after": page["pageInfo"]["endCursor"]} if forwards else {"before": page["pageInfo"]["startCursor"]}


@pytest.mark.parametrize("sort", ["ID", "UPDATED_AT", "CREATED_AT", "NAME"])
def test_pages_add_up_to_the_shop_in_every_direction(running: Running, sort: str) -> None:
    api = running(57)
    forwards = walked(api, first=10, sort=sort)
    assert sorted(forwards) == sorted(map(gid, api.sandbox.shop.ids))
    assert walked(api, last=10, sort=sort) == forwards
    assert walked(api, first=25, sort=sort, reverse=True) == forwards[::-1]
    assert walked(api, last=7, sort=sort, reverse=True) == forwards[::-1]


@pytest.mark.parametrize("sort", ["ID", "UPDATED_AT"])
def test_a_search_finds_what_it_says(running: Running, sort: str) -> None:
    api = running(80)
    records = api.sandbox.shop.snapshot()
    middle = sorted(each.updated_at for each in records)[40]
    start, end = "2022-01-01T00:00:00Z", "2025-06-01T00:00:00+00:00"
    wanted = {gid(each.id) for each in records if 1_640_995_200 <= each.updated_at < 1_748_736_000}
    assert set(walked(api, first=9, sort=sort, query=f"updated_at:>='{start}' AND updated_at:<'{end}'")) == wanted
    assert wanted
    above = f"id:>={records[30].id} id:<{records[50].id}"
    assert walked(api, first=50, query=above) == [gid(each.id) for each in records[30:50]]
    assert middle > 0
    assert walked(api, first=5, query=f"email:{records[3].email}") == [gid(records[3].id)]


def test_counts_stop_at_their_limit_and_ignore_what_they_do_not_know(running: Running) -> None:
    api = running(30)
    count = (
        "query Count($limit: Int, $query: String) { customersCount(limit: $limit, query: $query) { count precision } }"
    )
    assert api.data(count, limit=10)["customersCount"] == {"count": 10, "precision": "AT_LEAST"}
    assert api.data(count, limit=None)["customersCount"] == {"count": 30, "precision": "EXACT"}
    answer = api.answer(count, limit=None, query="email:nobody@example.com")
    assert answer["data"]["customersCount"]["count"] == 30
    assert answer["extensions"]["search"][0]["warnings"][0]["code"] == "invalid_field"


def test_the_search_index_lags_behind_the_shop(running: Running) -> None:
    api = running(10, search_lag=60.0)
    made = api.sandbox.shop.create(email="new@example.com")
    shop_saw = api.data("query One($id: ID!) { customer(id: $id) { id } }", id=gid(made.id))
    assert shop_saw["customer"] == {"id": gid(made.id)}
    assert walked(api, first=5, query="email:new@example.com") == []
    api.control("faults", search_lag=0)
    assert walked(api, first=5, query="email:new@example.com") == [gid(made.id)]


def test_nodes_keep_their_places_and_missing_ones_are_null(running: Running) -> None:
    api = running(5)
    ids = [gid(api.sandbox.shop.ids[2]), gid(12345), gid(api.sandbox.shop.ids[0])]
    query = "query Nodes($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { id numberOfOrders } } }"
    found = api.data(query, ids=ids)["nodes"]
    assert [each and each["id"] for each in found] == [ids[0], None, ids[2]]
    assert isinstance(found[0]["numberOfOrders"], str)
    assert api.answer(query, ids=[ids[0]] * 251)["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_a_query_pays_and_an_empty_bucket_throttles(running: Running) -> None:
    api = running(5, cost_maximum=120.0, cost_restore=0.0)
    query = "{ customers(first: 100) { nodes { id defaultAddress { city } } } }"
    api.control("faults", cost_query_limit=1000)
    answer = api.answer("{ customers(first: 50) { nodes { id } } }")
    cost = answer["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (52, 7)
    assert cost["throttleStatus"] == {"maximumAvailable": 120.0, "currentlyAvailable": 113, "restoreRate": 0.0}
    throttled = api.http.post("/admin/api/2026-10/graphql.json", json={"query": query})
    assert throttled.status_code == 200
    assert throttled.json() == {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {
            "cost": {
                "requestedQueryCost": 202,
                "actualQueryCost": None,
                "throttleStatus": {"maximumAvailable": 120.0, "currentlyAvailable": 113, "restoreRate": 0.0},
            }
        },
    }


def test_one_query_may_not_cost_more_than_a_thousand(running: Running) -> None:
    api = running(5)
    parts = "defaultAddress { id } defaultPhoneNumber { phoneNumber } amountSpent { amount }"
    query = f"{{ customers(first: 250) {{ nodes {{ {parts} }} }} }}"
    error = api.answer(query)["errors"][0]
    assert error["extensions"] == {"code": "MAX_COST_EXCEEDED", "cost": 1002, "maxCost": 1000}


def test_a_wrong_or_dead_token_is_let_in_nowhere(running: Running) -> None:
    api = running(1)
    assert api.http.post("/admin/api/2026-10/graphql.json", json={"query": "{ shop { name } }"}).status_code == 200
    api.control("faults", token_revoked=True)
    refused = api.http.post("/admin/api/2026-10/graphql.json", json={"query": "{ shop { name } }"})
    assert refused.status_code == 401
    assert refused.json()["errors"].startswith("[API] Invalid API key or access token")


def test_client_credentials_give_a_token_for_a_while(running: Running) -> None:
    api = running(1)
    info = api.sandbox.info
    given = {"client_id": info.client_id, "client_secret": info.client_secret, "grant_type": "client_credentials"}
    granted = api.http.post("/admin/oauth/access_token", json=given).json()
    assert granted["expires_in"] == 86_399
    assert granted["scope"] == "read_customers,write_customers,read_customer_merge,write_customer_merge,read_orders"
    assert api.http.post("/admin/oauth/access_token", data=given).json()["access_token"] != granted["access_token"]
    api.http.headers["X-Shopify-Access-Token"] = granted["access_token"]
    assert api.data("{ shop { myshopifyDomain } }")["shop"]["myshopifyDomain"] == info.domain
    wrong = api.http.post("/admin/oauth/access_token", json=given | {"client_secret": "wrong"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    api.control("faults", token_seconds=0)
    dead = api.http.post("/admin/oauth/access_token", json=given).json()
    assert not api.sandbox.shop.access.allows(dead["access_token"])


def test_answers_carry_the_shops_clock_and_version(running: Running) -> None:
    api = running(1)
    answer = api.http.post("/admin/api/2026-07/graphql.json", json={"query": "{ shop { name } }"})
    assert abs(parsedate_to_datetime(answer.headers["Date"]).timestamp() - api.sandbox.shop.clock()) < 5
    assert answer.headers["X-Shopify-API-Version"] == "2026-07"


def test_a_missing_scope_is_said_with_status_200(running: Running) -> None:
    api = running(1, scopes=[])
    answer = api.answer("{ shop { name } customersCount { count } }")
    assert answer["data"] == {"shop": {"name": "Sandbox Shop"}, "customersCount": None}
    assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    assert answer["errors"][0]["path"] == ["customersCount"]


def test_protected_fields_are_null_with_an_error_each(running: Running) -> None:
    api = running(1, protected_denied=True)
    answer = api.answer("{ customers(first: 1) { nodes { id email defaultPhoneNumber { phoneNumber } tags } } }")
    found = answer["data"]["customers"]["nodes"][0]
    assert (found["email"], found["defaultPhoneNumber"]) == (None, None)
    assert found["id"]
    assert [error["path"][-1] for error in answer["errors"]] == ["email", "defaultPhoneNumber"]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"ACCESS_DENIED"}


def test_a_new_customer_is_kept_normalised(running: Running) -> None:
    api = running(3)
    given = {
        "email": " Zoe @Example.com ",
        "phone": "+1 (202) 555-0143",
        "tags": ["b, a", "B", " c "],
        "addresses": [{"address1": "1 Elm Street", "countryCode": "CA"}],
    }
    made = api.data(CREATE, input=given)["customerCreate"]
    assert made["userErrors"] == []
    customer = made["customer"]
    assert (customer["email"], customer["phone"]) == ("Zoe@Example.com", "+12025550143")
    assert customer["tags"] == ["a", "b", "c"]
    assert customer["defaultAddress"]["countryCodeV2"] == "CA"
    assert int(customer["legacyResourceId"]) > 2**53
    found = api.data('{ customerByIdentifier(identifier: {emailAddress: "zoe@example.COM"}) { id } }')
    assert found["customerByIdentifier"]["id"] == customer["id"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"email": "TAKEN@example.com"}, "Email has already been taken"),
        ({"phone": "202 555 0100"}, "Phone has already been taken"),
        ({"email": "nonsense"}, "Email is invalid"),
        ({"phone": "12"}, "Phone is invalid"),
        ({}, "A name, phone number, or email address must be present"),
        ({"firstName": "A", "note": "x" * 5_001}, "Note is too long (maximum is 5000 characters)"),
        ({"firstName": "A", "tags": [f"t{place}" for place in range(251)]}, "Customers must have 250 tags or less."),
    ],
)
def test_a_customer_that_cannot_be_is_refused(resting: Api, given: dict[str, Any], message: str) -> None:
    if resting.sandbox.shop.find(email="taken@example.com") is None:
        resting.sandbox.shop.create(email="taken@example.com", phone="+12025550100")
    made = resting.data(CREATE, input=given)["customerCreate"]
    assert made["customer"] is None
    assert [error["message"] for error in made["userErrors"]] == [message]


def test_updates_deletes_and_tags_go_through_the_api(running: Running) -> None:
    api = running(30)
    free = next(each for each in api.sandbox.shop.customers.values() if not each.orders)
    busy = next(each for each in api.sandbox.shop.customers.values() if each.orders)
    updated = api.data(UPDATE, input={"id": gid(free.id), "note": None, "tags": ["x"]})["customerUpdate"]["customer"]
    assert (updated["note"], updated["tags"]) == (None, ["x"])
    add = 'mutation Add($id: ID!) { tagsAdd(id: $id, tags: ["y"]) { node { ... on Customer { tags } } } }'
    assert api.data(add, id=gid(free.id))["tagsAdd"]["node"]["tags"] == ["x", "y"]
    delete = """mutation Delete($id: ID!) {
      customerDelete(input: {id: $id}) { deletedCustomerId userErrors { message } shop { id } }
    }"""
    assert api.data(delete, id=gid(free.id))["customerDelete"]["deletedCustomerId"] == gid(free.id)
    assert free.id not in api.sandbox.shop.customers
    refused = api.data(delete, id=gid(busy.id))["customerDelete"]
    assert "associated orders" in refused["userErrors"][0]["message"]


def test_consent_follows_shopifys_rules(running: Running) -> None:
    api = running(5)
    someone = next(each for each in api.sandbox.shop.customers.values() if each.email)
    mutation = """mutation Consent($input: CustomerEmailMarketingConsentUpdateInput!) {
      customerEmailMarketingConsentUpdate(input: $input) {
        customer { defaultEmailAddress { marketingState marketingOptInLevel } }
        userErrors { code message }
      }
    }"""

    def asked(**consent: Any) -> Any:
        given = {"customerId": gid(someone.id), "emailMarketingConsent": consent}
        return api.data(mutation, input=given)["customerEmailMarketingConsentUpdate"]

    assert asked(marketingState="SUBSCRIBED")["userErrors"][0]["code"] == "MISSING_ARGUMENT"
    assert asked(marketingState="NOT_SUBSCRIBED")["userErrors"][0]["code"] == "INVALID"
    done = asked(marketingState="PENDING", marketingOptInLevel="CONFIRMED_OPT_IN")
    assert done["customer"]["defaultEmailAddress"]["marketingState"] == "PENDING"
