"""Orders in the Admin API: one, many, by pages and searches, and what an app may not see of them."""

from typing import Any

import pytest

from onewriter.sandbox.faults import ALL_ORDERS, SCOPES
from tests.sandbox.stage import VirtualShop

DAY_S = 86_400.0
ORDER = """query One($id: ID!) { order(id: $id) { ...All } }
fragment All on Order {
  id legacyResourceId name email test confirmed createdAt processedAt updatedAt cancelledAt cancelReason closedAt tags
  currencyCode presentmentCurrencyCode sourceName displayFinancialStatus displayFulfillmentStatus fullyPaid unpaid
  refundable customer { id } currentTotalTaxSet { ...Bag } currentTotalPriceSet { ...Bag }
  currentSubtotalPriceSet { ...Bag } totalPriceSet { ...Bag } subtotalPriceSet { ...Bag } totalReceivedSet { ...Bag }
  totalRefundedSet { ...Bag } netPaymentSet { ...Bag } fulfillments { id createdAt updatedAt status }
  refunds { id legacyResourceId createdAt updatedAt note totalRefundedSet { ...Bag } order { id } }
}
fragment Bag on MoneyBag { shopMoney { amount currencyCode } presentmentMoney { amount } }"""
NODES = (
    "query Some($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Order { name updatedAt customer { id } } } }"
)
PAGE = """query Page($first: Int, $last: Int, $after: String, $before: String, $query: String, $sort: OrderSortKeys,
    $reverse: Boolean) {
  orders(first: $first, last: $last, after: $after, before: $before, query: $query, sortKey: $sort, reverse: $reverse) {
    nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
LIST = "{ orders(first: 50) { edges { node { name } } } }"


def gid(number: int) -> str:
    return f"gid://shopify/Order/{number}"


@pytest.fixture
def virtual() -> VirtualShop:
    return VirtualShop(5)


def place(virtual: VirtualShop, orders: int) -> list[int]:
    """So many orders, one each minute, the cheapest first."""
    numbers = []
    for place in range(orders):
        virtual.now += 60.0
        numbers.append(virtual.shop.place_order(virtual.shop.ids[place % 5], 100 + place).id)
    return numbers


def page(virtual: VirtualShop, **variables: Any) -> tuple[list[int], Any]:
    found = virtual.data(PAGE, **variables)["orders"]
    return [int(each["id"].rpartition("/")[2]) for each in found["nodes"]], found["pageInfo"]


def names(virtual: VirtualShop, numbers: list[int]) -> list[str]:
    return [virtual.shop.orders[number].name for number in numbers]


def test_an_order_shows_what_it_is(virtual: VirtualShop) -> None:
    buyer = virtual.shop.create(email="bob@example.com").id
    number = virtual.shop.place_order(buyer, 10_490, 10_000).id
    virtual.shop.fulfil_order(number)
    virtual.now += 60.0
    virtual.shop.refund_order(number, 1_250)
    found = virtual.data(ORDER, id=gid(number))["order"]
    assert (found["legacyResourceId"], found["name"], found["email"]) == (str(number), "#1001", "bob@example.com")
    assert found["customer"] == {"id": f"gid://shopify/Customer/{buyer}"}
    assert (found["displayFinancialStatus"], found["displayFulfillmentStatus"]) == ("PARTIALLY_REFUNDED", "FULFILLED")
    assert (found["createdAt"], found["updatedAt"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z")
    amounts = {name: bag["shopMoney"]["amount"] for name, bag in found.items() if name.endswith("Set")}
    assert amounts == {
        "currentTotalTaxSet": "0.0",
        "currentTotalPriceSet": "92.4",
        "currentSubtotalPriceSet": "87.5",
        "totalPriceSet": "104.9",
        "subtotalPriceSet": "100.0",
        "totalReceivedSet": "104.9",
        "totalRefundedSet": "12.5",
        "netPaymentSet": "92.4",
    }
    assert found["refunds"][0]["totalRefundedSet"]["presentmentMoney"] == {"amount": "12.5"}
    assert found["refunds"][0]["order"] == {"id": gid(number)}
    assert [(each["status"], each["createdAt"]) for each in found["fulfillments"]] == [("SUCCESS", found["createdAt"])]
    assert (found["fullyPaid"], found["unpaid"], found["refundable"]) == (True, False, True)


def test_a_cancelled_order_of_a_guest(virtual: VirtualShop) -> None:
    number = virtual.shop.place_order(None, 1_000, paid=False, processed_at=1_700_000_000).id
    virtual.shop.cancel_order(number, reason="FRAUD")
    found = virtual.data(ORDER, id=gid(number))["order"]
    assert (found["customer"], found["email"], found["cancelReason"]) == (None, None, "FRAUD")
    assert (found["displayFinancialStatus"], found["processedAt"]) == ("VOIDED", "2023-11-14T22:13:20Z")
    assert (found["cancelledAt"], found["unpaid"], found["refunds"]) == (found["updatedAt"], True, [])


def test_the_customer_is_whoever_has_the_order_now(virtual: VirtualShop) -> None:
    one, two = (virtual.shop.create(email=f"c{place}@example.com").id for place in range(2))
    number = virtual.shop.place_order(one, 1_000).id
    virtual.shop.merge(one, two)
    found = virtual.data(NODES, ids=[gid(number)])["nodes"]
    assert [each["customer"]["id"] for each in found] == [f"gid://shopify/Customer/{two}"]


def test_nodes_hold_customers_and_orders(virtual: VirtualShop) -> None:
    number = virtual.shop.place_order(None, 100).id
    someone = f"gid://shopify/Customer/{virtual.shop.ids[0]}"
    found = virtual.data(NODES, ids=[gid(number), someone, gid(7)])["nodes"]
    assert [each and each["__typename"] for each in found] == ["Order", "Customer", None]
    assert virtual.data(ORDER, id=gid(7))["order"] is None
    wrong = virtual.answer(ORDER, id=someone)
    assert wrong["errors"][0]["extensions"]["code"] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("sort", ["ID", "CREATED_AT", "UPDATED_AT", "PROCESSED_AT"])
@pytest.mark.parametrize("reverse", [False, True])
def test_pages_add_up_in_every_order(virtual: VirtualShop, sort: str, reverse: bool) -> None:
    numbers = place(virtual, 11)
    for number in (numbers[3], numbers[0]):
        virtual.now += 60.0
        virtual.shop.refund_order(number, 10)
    wanted = [*numbers[1:3], *numbers[4:], numbers[3], numbers[0]] if sort == "UPDATED_AT" else numbers
    wanted = wanted[::-1] if reverse else wanted
    got: list[int] = []
    info: Any = {"endCursor": None, "hasNextPage": True}
    while info["hasNextPage"]:
        some, info = page(virtual, first=4, after=info["endCursor"], sort=sort, reverse=reverse)
        got += some
    assert got == wanted
    last, info = page(virtual, last=3, sort=sort, reverse=reverse)
    assert last == wanted[-3:]
    before, info = page(virtual, last=3, before=info["startCursor"], sort=sort, reverse=reverse)
    assert (before, info["hasPreviousPage"]) == (wanted[-6:-3], True)


def test_processed_is_not_created(virtual: VirtualShop) -> None:
    first = virtual.shop.place_order(None, 100).id
    older = virtual.shop.place_order(None, 100, processed_at=1_700_000_000).id
    assert page(virtual, first=5)[0] == [older, first], "which is the order that nobody asks for"
    assert page(virtual, first=5, sort="CREATED_AT")[0] == [first, older]


def test_searches(virtual: VirtualShop) -> None:
    numbers = place(virtual, 6)
    virtual.now += 60.0
    virtual.shop.refund_order(numbers[1], 101)
    since = virtual.shop.orders[numbers[4]].updated_at
    text = f"updated_at:>={since}"
    with pytest.raises(AssertionError, match="is no time"):
        page(virtual, first=9, query=text)
    text = f"updated_at:>='{virtual.data(ORDER, id=gid(numbers[4]))['order']['updatedAt']}'"
    assert page(virtual, first=9, query=text, sort="UPDATED_AT")[0] == [*numbers[4:], numbers[1]]
    assert page(virtual, first=9, query=text, sort="ID")[0] == [numbers[1], *numbers[4:]]
    assert page(virtual, first=9, query=f"id:>={numbers[3]}")[0] == numbers[3:]
    assert page(virtual, first=9, query=f"customer_id:{virtual.shop.ids[0]}")[0] == [numbers[0], numbers[5]]
    assert page(virtual, first=9, query="financial_status:refunded")[0] == [numbers[1]]
    assert page(virtual, first=9, query="name:'#1003'")[0] == [numbers[2]]
    virtual.shop.place_order(None, 100)
    assert page(virtual, first=9, query=f"customer_id:{virtual.shop.ids[1]}")[0] == [numbers[1]]


def test_an_unknown_filter_is_left_out_with_a_warning(virtual: VirtualShop) -> None:
    place(virtual, 2)
    answer = virtual.answer(PAGE, first=9, query="colour:red")
    assert len(answer["data"]["orders"]["nodes"]) == 2
    assert answer["extensions"]["search"][0]["warnings"][0]["field"] == "colour"


def test_searches_lag_and_reads_by_id_do_not(virtual: VirtualShop) -> None:
    number = place(virtual, 1)[0]
    virtual.now += 60.0
    virtual.shop.set_faults({"search_lag": 5.0})
    virtual.shop.refund_order(number, 100)
    new = virtual.shop.place_order(None, 100).id
    since = "updated_at:>='2027-01-15T08:02:00Z'"
    assert page(virtual, first=9, query=since, sort="UPDATED_AT")[0] == []
    assert virtual.data(ORDER, id=gid(new))["order"]["name"] == "#1002"
    virtual.now += 6.0
    assert page(virtual, first=9, query=since, sort="UPDATED_AT")[0] == [number, new]


def test_orders_cost_as_published(virtual: VirtualShop) -> None:
    place(virtual, 3)
    cost = virtual.answer("{ orders(first: 10) { nodes { id name } } }")["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (12, 5)


def test_reading_orders_needs_a_scope(virtual: VirtualShop) -> None:
    number = place(virtual, 1)[0]
    virtual.shop.set_faults({"scopes": ["write_customers"]})
    for query, variables in ((LIST, {}), (ORDER, {"id": gid(number)}), (NODES, {"ids": [gid(number)]})):
        error = virtual.answer(query, **variables)["errors"][0]
        assert error["extensions"]["code"] == "ACCESS_DENIED"
        assert "`read_orders` access scope" in error["message"]


def test_whose_order_it_is_needs_the_scope_for_customers(virtual: VirtualShop) -> None:
    number = place(virtual, 1)[0]
    virtual.shop.set_faults({"scopes": ["read_orders"]})
    answer = virtual.answer(ORDER, id=gid(number))
    assert (answer["data"]["order"]["name"], answer["data"]["order"]["customer"]) == ("#1001", None)
    assert answer["errors"][0]["path"] == ["order", "customer"]


def test_the_email_is_protected(virtual: VirtualShop) -> None:
    number = place(virtual, 1)[0]
    virtual.shop.set_faults({"protected_denied": True})
    answer = virtual.answer(ORDER, id=gid(number))
    assert (answer["data"]["order"]["name"], answer["data"]["order"]["email"]) == ("#1001", None)
    assert [error["path"] for error in answer["errors"]] == [["order", "email"]]


def test_older_orders_need_a_scope_of_their_own(virtual: VirtualShop) -> None:
    older = place(virtual, 3)
    virtual.now += 59.0 * DAY_S
    newer = place(virtual, 2)
    assert len(page(virtual, first=9)[0]) == 5
    virtual.now += 1.5 * DAY_S
    virtual.shop.refund_order(older[0], 50)
    assert page(virtual, first=9)[0] == newer
    assert page(virtual, first=9, sort="UPDATED_AT", query="updated_at:>='2027-01-01'")[0] == newer
    assert virtual.data(ORDER, id=gid(older[0])) == {"order": None}
    assert [each and each["id"] for each in virtual.data(NODES, ids=[gid(older[0]), gid(newer[0])])["nodes"]] == [
        None,
        gid(newer[0]),
    ]
    virtual.shop.set_faults({"scopes": [*SCOPES, ALL_ORDERS]})
    assert page(virtual, first=9)[0] == [*older, *newer]
    assert names(virtual, newer) == ["#1004", "#1005"]
