"""Metafields of customers: set together or not at all, by namespaces of the app's own, and deleted by name."""

from typing import Any

import pytest

from tests.sandbox.stage import VirtualShop

SET = """mutation Set($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) {
    metafields { namespace key type value }
    userErrors { code elementIndex field message }
  }
}"""
DELETE = """mutation Delete($metafields: [MetafieldIdentifierInput!]!) {
  metafieldsDelete(metafields: $metafields) { deletedMetafields { ownerId namespace key } userErrors { field message } }
}"""
READ = """query Read($id: ID!) {
  customer(id: $id) { points: metafield(namespace: "$app:loyal", key: "points") { namespace type value } }
}"""


@pytest.fixture
def virtual() -> VirtualShop:
    virtual = VirtualShop(3)
    virtual.subscribe("CUSTOMERS_UPDATE")
    return virtual


def gids(virtual: VirtualShop) -> list[str]:
    return [f"gid://shopify/Customer/{number}" for number in virtual.shop.ids]


def points(owner: str, value: str = "5", **more: str) -> dict[str, str]:
    given = {"ownerId": owner, "namespace": "$app:loyal", "key": "points", "type": "number_integer", "value": value}
    return given | more


def asked(virtual: VirtualShop, *metafields: dict[str, str]) -> Any:
    return virtual.data(SET, metafields=list(metafields))["metafieldsSet"]


def test_several_customers_are_set_at_once_and_told_of(virtual: VirtualShop) -> None:
    one, two, _three = gids(virtual)
    payload = asked(virtual, points(one, "5"), points(two, "7"), points(one, "gold", key="tier", type=""))
    assert payload["userErrors"] == []
    assert [each["value"] for each in payload["metafields"]] == ["5", "7", "gold"]
    assert {each["namespace"] for each in payload["metafields"]} == {"app--1--loyal"}
    assert virtual.data(READ, id=two)["customer"]["points"] == {
        "namespace": "app--1--loyal",
        "type": "number_integer",
        "value": "7",
    }
    assert [topic for topic, _body in virtual.told()] == ["customers/update"] * 2
    asked(virtual, points(one, "5"))
    assert virtual.told() == [], "the same again changes nothing"


@pytest.mark.parametrize(
    ("wrong", "code", "part"),
    [
        ({"value": "five"}, "INVALID_VALUE", "value"),
        ({"value": ""}, "BLANK", "value"),
        ({"type": "colour"}, "INVALID_TYPE", "type"),
        ({"key": "a b"}, "INVALID", "key"),
        ({"ownerId": "gid://shopify/Customer/9"}, "INVALID", "ownerId"),
    ],
)
def test_one_that_is_wrong_keeps_all_from_being_set(
    virtual: VirtualShop, wrong: dict[str, str], code: str, part: str
) -> None:
    one, two, three = gids(virtual)
    payload = asked(virtual, points(one), points(two) | wrong, points(three))
    assert payload["metafields"] is None
    [error] = payload["userErrors"]
    assert (error["code"], error["elementIndex"], error["field"]) == (code, 1, ["metafields", "1", part])
    assert [virtual.data(READ, id=each)["customer"]["points"] for each in (one, two, three)] == [None] * 3


def test_a_type_stays_and_no_more_than_25_are_taken(virtual: VirtualShop) -> None:
    one = gids(virtual)[0]
    asked(virtual, points(one))
    [error] = asked(virtual, points(one, "5.5", type="number_decimal"))["userErrors"]
    assert error["code"] == "INVALID_TYPE"
    [error] = asked(virtual, *[points(one, key=f"k{number}") for number in range(26)])["userErrors"]
    assert error["code"] == "LESS_THAN_OR_EQUAL_TO"


def test_what_is_deleted_is_named_and_what_was_not_there_is_null(virtual: VirtualShop) -> None:
    one = gids(virtual)[0]
    asked(virtual, points(one))
    names = [{"ownerId": one, "namespace": "$app:loyal", "key": key} for key in ("points", "tier")]
    payload = virtual.data(DELETE, metafields=names)["metafieldsDelete"]
    assert payload["deletedMetafields"] == [{"ownerId": one, "namespace": "app--1--loyal", "key": "points"}, None]
    assert virtual.data(READ, id=one)["customer"]["points"] is None


def test_setting_takes_the_scope_for_writing() -> None:
    virtual = VirtualShop(1, scopes=["read_customers"])
    answer = virtual.answer(SET, metafields=[points(gids(virtual)[0])])
    assert answer["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
