"""Pages of customers by the time of their last change, as a reconcile reads them."""

from typing import Any

import pytest

from tests.sandbox.stage import VirtualShop

PAGE = """query Page($after: String, $search: String, $sort: CustomerSortKeys = UPDATED_AT) {
  customers(first: 250, after: $after, query: $search, sortKey: $sort) {
    edges { cursor node { id updatedAt defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber } } }
    pageInfo { hasNextPage endCursor }
  }
}"""
SINCE = "updated_at:>='2027-01-15T08:00:00Z'"
NOTES = 600


@pytest.fixture
def busy() -> VirtualShop:
    """700 customers, of whom 600 changed within two seconds of one morning."""
    virtual = VirtualShop(700, cost_maximum=100_000.0)
    for place, number in enumerate(virtual.shop.ids[:NOTES]):
        if place == NOTES // 2:
            virtual.now += 1.0
        virtual.shop.update(number, note=f"note {place}")
    virtual.now += 60.0
    return virtual


def page(virtual: VirtualShop, after: str | None = None, search: str = SINCE) -> Any:
    return virtual.data(PAGE, after=after, search=search)["customers"]


def numbers(found: Any) -> list[int]:
    return [int(edge["node"]["id"].rpartition("/")[2]) for edge in found["edges"]]


def walked(virtual: VirtualShop, search: str = SINCE) -> list[int]:
    found = page(virtual, None, search)
    seen = numbers(found)
    while found["pageInfo"]["hasNextPage"]:
        found = page(virtual, found["pageInfo"]["endCursor"], search)
        seen += numbers(found)
    return seen


def test_hundreds_of_one_second_are_paged_once_each_and_in_order(busy: VirtualShop) -> None:
    first = page(busy)
    assert len(first["edges"]) == 250
    assert len({edge["node"]["updatedAt"] for edge in first["edges"]}) == 1, "the edge of the page is within a second"
    assert walked(busy) == busy.shop.ids[:NOTES]
    assert walked(busy, "updated_at:>='2027-01-15T08:00:01Z'") == busy.shop.ids[NOTES // 2 : NOTES]


def test_whoever_changes_during_the_walk_comes_again_at_its_end(busy: VirtualShop) -> None:
    first = page(busy)
    again, ahead = busy.shop.ids[0], busy.shop.ids[550]
    for number in (again, ahead):
        busy.shop.update(number, note="changed meanwhile")
    rest: list[int] = []
    found = first
    while found["pageInfo"]["hasNextPage"]:
        found = page(busy, found["pageInfo"]["endCursor"])
        rest += numbers(found)
    assert rest[-2:] == [again, ahead]
    assert sorted({*numbers(first), *rest}) == busy.shop.ids[:NOTES]
    assert rest.count(ahead) == 1


def test_a_walk_survives_the_deletion_of_the_customer_that_its_cursor_names(busy: VirtualShop) -> None:
    first = page(busy)
    last = numbers(first)[-1]
    busy.shop.update(last, orders=0)
    busy.shop.delete(last)
    assert numbers(page(busy, first["pageInfo"]["endCursor"])) == busy.shop.ids[249:499]


def test_a_full_page_has_a_price_that_one_query_may_have(busy: VirtualShop) -> None:
    cost = busy.answer(PAGE, search=SINCE)["extensions"]["cost"]
    assert cost["requestedQueryCost"] == 2 + 250 * 3
    assert 2 + 250 < cost["actualQueryCost"] <= cost["requestedQueryCost"]


def test_a_lagging_index_pages_by_what_it_still_holds(busy: VirtualShop) -> None:
    busy.shop.set_faults({"search_lag": 30.0})
    moved = busy.shop.ids[300]
    busy.shop.update(moved, note="just now")
    fresh = busy.shop.create(email="new@example.com")
    quiet = busy.shop.ids[650]
    busy.shop.update(quiet, note="just now")
    assert walked(busy) == busy.shop.ids[:NOTES], "in its old place, and neither the new one nor the one before"
    ended = "updated_at:<'2027-01-15T08:00:02Z' AND " + SINCE
    assert moved in walked(busy, ended), "although it has left that span"
    busy.now += 30.0
    expected = [*busy.shop.ids[:300], *busy.shop.ids[301:NOTES], moved, quiet, fresh.id]
    assert walked(busy) == expected
    assert moved not in walked(busy, ended)


@pytest.mark.parametrize("sort", ["ID", "UPDATED_AT", "NAME"])
@pytest.mark.parametrize("cursor", ["nonsense", "bm9uc2Vuc2U=", "eyJsYXN0X2lkIjoxfQ=="])
def test_an_invalid_cursor_is_refused_in_shopifys_words(sort: str, cursor: str) -> None:
    answer = VirtualShop(3).answer(PAGE, after=cursor, sort=sort)
    assert answer["errors"][0]["message"] == "Invalid cursor for current pagination sort."
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_a_cursor_of_another_order_is_invalid() -> None:
    virtual = VirtualShop(300, cost_maximum=100_000.0)
    by_name = virtual.data(PAGE, sort="NAME")["customers"]["pageInfo"]["endCursor"]
    by_time = page(virtual, None, "")["pageInfo"]["endCursor"]
    for cursor, sort in ((by_name, "UPDATED_AT"), (by_time, "NAME")):
        answer = virtual.answer(PAGE, after=cursor, sort=sort)
        assert answer["errors"][0]["message"] == "Invalid cursor for current pagination sort."
