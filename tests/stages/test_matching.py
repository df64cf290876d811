"""Matching: whose the records of a connected system are, looked up in the database by the shop's identity rule."""

from typing import Any

import pytest

from onewriter.customers import crowds, deciding, matching, policies
from onewriter.customers.deciding import Pair
from onewriter.customers.links import BROKEN, LINKED, REVIEW, Linked, Nobody, Review
from onewriter.records import HOUR
from onewriter.rules.policy import KeyRule
from tests.support.linking import CRM, Crm
from tests.support.shops import absent, merged

MIA = {"email": "mia.canary@example.org", "phone": "+447911123456", "first_name": "Mia", "last_name": "Canary"}
NAME = {"first_name": "Mia", "last_name": "Canary"}


def verdict(found: Any) -> tuple[str, str | None]:
    if isinstance(found, Linked):
        return ("linked", found.matched_by)
    return ("review", found.matched_by) if isinstance(found, Review) else ("nobody", None)


CASES = [
    ({"email": "mia.canary@example.org"}, ("linked", "email")),
    ({"email": " Mia.Canary@Example.ORG "}, ("linked", "email")),
    ({"phone": "07911 123456", **NAME}, ("linked", "phone")),
    ({"phone": "07911 123456"}, ("review", "phone")),
    ({"phone": "07911 123456", "first_name": "Otto", "last_name": "Bauer"}, ("nobody", None)),
    ({"shopify_id": "101"}, ("linked", "id")),
    ({"shopify_id": "gid://shopify/Customer/101", "email": "new@example.org"}, ("linked", "id")),
    ({"shopify_id": "101.0", "first_name": "Otto", "last_name": "Bauer"}, ("linked", "id")),
    ({"email": "mia.canary+crm@example.org", **NAME}, ("linked", "soft email")),
    ({"email": "mia.canary+crm@example.org"}, ("nobody", None)),
    ({"email": "mia.canary@example.org", "first_name": "Otto", "last_name": "Bauer"}, ("review", "email")),
    ({"email": "mia.canary@example.org", "first_name": "Paul", "last_name": "Canary"}, ("review", "email")),
    ({"email": "mia.canary@example.org", "shopify_id": "999"}, ("review", "email")),
    (NAME, ("nobody", None)),
    ({}, ("nobody", None)),
]


@pytest.mark.req("M10")
def test_a_record_is_told_by_its_strongest_key_and_never_by_a_name(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    crm.customer(102, email="other@example.org", first_name="Mia", last_name="Canary")
    found = [(fields, crm.ask(fields)) for fields, _wanted in CASES]
    assert [(fields, verdict(each)) for fields, each in found] == CASES
    assert {each.customer_id for _fields, each in found if isinstance(each, Linked)} == {mia}


@pytest.mark.req("M11")
def test_a_difference_of_format_alone_is_called_so(crm: Crm) -> None:
    crm.customer(101, **MIA)
    found = crm.read({"a": {"email": "MIA.Canary@example.org"}})
    assert found["a"].reason.endswith(matching.FORMAT_ONLY)
    same = crm.read({"b": {"email": "mia.canary@example.org"}}, "erp")
    assert matching.FORMAT_ONLY not in same["b"].reason


def test_two_keys_that_lead_to_two_customers_are_for_a_person(crm: Crm) -> None:
    mia = crm.customer(101, **MIA | {"phone": None})
    other = crm.customer(102, phone="+447911123456", first_name="Mia", last_name="Canary")
    found = crm.read({"a": MIA})["a"]
    assert isinstance(found, Review)
    assert set(found.customer_ids) == {mia, other}
    assert found.reason == matching.SEVERAL
    assert {each.state for each in crm.on_record("a")} == {REVIEW}


def test_a_value_that_too_many_share_tells_nobody_apart(crm: Crm) -> None:
    crm.customer(101, **MIA)
    crowd = {f"till {n}": {"phone": "+447911123456", **NAME} for n in range(5)}
    found = crm.read(crowd)
    assert {verdict(each) for each in found.values()} == {("nobody", None)}
    assert "more than 4 records of crm" in found["till 0"].reason
    # One more, later and alone: those that are there already count.
    assert isinstance(crm.read({"till 9": {"phone": "+447911123456", **NAME}})["till 9"], Nobody)
    # What only other systems share is no crowd here.
    assert isinstance(crm.read({"a": {"phone": "+447911123456", **NAME}}, "erp")["a"], Linked)


def test_of_a_crowd_no_more_is_counted_than_tells_that_it_is_one(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "ROWS_MAX", 4)
    crm.customer(101, **MIA)
    crm.read({f"till {n}": {"phone": "+447911123999"} for n in range(9)} | {"b": {"phone": "+447911123998"}})
    found = crm.read({"till 99": {"phone": "+447911123999"}, "a": MIA})
    assert "more than 4 records of crm" in found["till 99"].reason
    assert isinstance(found["a"], Linked)


def test_customers_who_share_a_number_tell_nobody_apart_either(crm: Crm) -> None:
    for number in range(101, 106):
        crm.customer(number, phone="+447911123456", first_name="Mia", last_name="Canary")
    found = crm.read({"a": {"phone": "+447911123456", **NAME}})["a"]
    assert isinstance(found, Nobody)
    assert "more than 4 customers" in found.reason


def test_a_customer_gets_no_second_record_of_a_system_without_a_person(crm: Crm) -> None:
    crm.customer(101, **MIA)
    assert isinstance(crm.read({"a": {"email": MIA["email"]}})["a"], Linked)
    second = crm.read({"b": {"email": MIA["email"]}})["b"]
    assert isinstance(second, Review)
    assert second.reason == "another record of crm is linked to that customer"
    # Of two at once the stronger key wins, and of two that are as strong neither.
    crm.customer(102, email="zoe@example.org", first_name="Zoe", last_name="Li")
    both = crm.read({"c": {"email": "zoe@example.org"}, "d": {"shopify_id": "102"}})
    assert {name: verdict(each)[0] for name, each in both.items()} == {"c": "review", "d": "linked"}
    crm.customer(103, email="ann@example.org")
    equal = crm.read({"e": {"email": "ann@example.org"}, "f": {"email": "ann@example.org"}})
    assert {verdict(each) for each in equal.values()} == {("review", "email")}


def test_a_record_names_a_customer_that_was_merged_away(crm: Crm) -> None:
    kept = crm.customer(101, **MIA)
    crm.customer(102, email="old@example.org")
    crm.tea.apply(merged(102, 101, crm.now), absent(102, crm.now + HOUR), now=crm.now + HOUR)
    found = crm.read({"a": {"shopify_id": "102"}})["a"]
    assert found == Linked(kept, "id", found.reason)


def test_a_pair_that_was_taken_apart_is_never_proposed_again(crm: Crm) -> None:
    mia = crm.customer(101, **MIA)
    crm.read({"a": MIA})
    with crm.tea.runtime.database.write() as db:
        deciding.break_link(db, crm.tea.vault, Pair(CRM, crm.name("a"), mia), "user:anna", crm.now)
    assert isinstance(crm.read({"a": MIA})["a"], Nobody)
    assert crm.state("a") == BROKEN


def test_a_record_is_linked_once_its_customer_comes(crm: Crm) -> None:
    assert isinstance(crm.read({"a": MIA})["a"], Nobody)
    crm.read({"b": {"email": "nobody@example.org"}})
    mia = crm.customer(101, **MIA)

    def relink(since: int) -> dict[str, bytes]:
        with crm.tea.runtime.database.write() as db:
            policy = policies.of_shop(db, crm.tea.shop_id)
            moment = crm.now + HOUR
            linked, _last = matching.relink(db, crm.tea.vault, policy, CRM, since, moment, "cycle", after="", most=1000)
            return linked

    assert relink(crm.now + 1) == {}, "neither has changed since then"
    assert relink(0) == {crm.name("a"): mia}
    assert crm.side("a").raw_digest is None, "its values must be looked at anew"
    assert crm.state("a") == LINKED
    assert relink(0) == {}


def test_keys_that_the_rule_does_not_name_link_nobody(crm: Crm) -> None:
    crm.customer(101, **MIA)
    crm.set_keys(KeyRule(keys=("id", "email"), soft_email=False))
    found = crm.read({"a": {"phone": MIA["phone"], **NAME}, "b": {"email": "mia.canary+b@example.org", **NAME}})
    assert {verdict(each) for each in found.values()} == {("nobody", None)}
