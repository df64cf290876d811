"""Many records at once: who is who, the same whatever their order."""

import random
from collections.abc import Iterable
from typing import Any

import pytest

from onewriter.bench.matching import measure
from onewriter.rules.identity import IdentityRule, Matches, Person, match

MAIL, CALL = "ann@example.com", "+41446681800"
ANN = {"first_name": "Ann", "last_name": "Lee"}
BOB = {"first_name": "Bob", "last_name": "Lee"}
FAMILIES = ("Lee", "Ray", "Moss", "Hunt", "Drew")


def person(record_id: str, **given: Any) -> Person:
    return Person(record_id=record_id, **given)


def matched(people: Iterable[Person], **given: Any) -> Matches:
    """Who is who, which must not depend on the order."""
    rows = list(people)
    found = match(rows, **given)
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        assert match(rows, **given) == found
    return found


def test_one_person_in_several_systems_is_one_cluster_with_its_links() -> None:
    found = matched(
        [
            person("a", system="shopify", shopify_id="1", email=MAIL, phone=CALL, **ANN),
            person("b", system="crm", system_id="c1", shopify_id="1", email="old@example.com"),
            person("c", system="pos", phone="044 668 18 00", country="CH", **ANN),
            person("d", email="zoe@example.com"),
        ]
    )
    assert found.clusters == (("a", "b", "c"),)
    assert [(edge.one, edge.other, edge.key) for edge in found.links] == [("a", "b", "id"), ("a", "c", "phone")]
    assert all(edge.reason for edge in found.links)
    assert (found.review, found.refused) == ((), ())


def test_every_link_inside_a_cluster_is_told() -> None:
    found = matched([person(each, email=MAIL, **ANN) for each in "cab"])
    assert found.clusters == (("a", "b", "c"),)
    assert [(edge.one, edge.other) for edge in found.links] == [("a", "b"), ("a", "c"), ("b", "c")]


@pytest.mark.req("M7")
def test_a_number_of_a_company_links_nobody_and_is_told() -> None:
    people = [person(f"r{at}", phone=CALL, first_name="Ann", last_name=name) for at, name in enumerate(FAMILIES[:3])]
    twin = person("r9", phone=CALL, first_name="Ann", last_name=FAMILIES[0])
    found = matched([*people, twin])
    assert (found.clusters, found.review) == ((), ())
    (refused,) = found.refused
    assert (refused.key, refused.value, refused.reason) == ("phone", CALL, "3 surnames")
    assert refused.records == ("r0", "r1", "r2", "r9")
    two = matched([*people[:2], twin])
    assert two.clusters == (("r0", "r9"),)
    assert matched([*people, twin], rule=IdentityRule(surnames_max=3)).clusters == (("r0", "r9"),)


def test_a_surname_that_was_mistyped_or_swapped_is_no_other() -> None:
    spellings = [("Ann", "Moser"), ("Ann", "Mosser"), ("Moser", "Ann")]
    people = [person(f"r{at}", phone=CALL, first_name=a, last_name=b) for at, (a, b) in enumerate(spellings)]
    found = matched(people, rule=IdentityRule(surnames_max=1))
    assert found.clusters == (("r0", "r1", "r2"),)
    assert found.refused == ()
    swapped = [*people[:1], person("r5", phone=CALL, first_name="Moser", last_name="Ann"), *people[2:]]
    assert matched(swapped, rule=IdentityRule(surnames_max=1)).refused == ()


@pytest.mark.req("M7")
def test_the_number_that_a_till_fills_in_links_nobody() -> None:
    found = matched([person(f"r{at}", phone=CALL) for at in range(5)])
    assert (found.clusters, found.review) == ((), ())
    assert [(each.key, each.reason) for each in found.refused] == [("phone", "5 records without a name")]
    assert len(matched([person(f"r{at}", phone=CALL) for at in range(4)]).review) == 6
    fewer = IdentityRule(nameless_max=3)
    assert matched([person(f"r{at}", phone=CALL) for at in range(4)], rule=fewer).review == ()


def test_a_value_that_very_many_share_links_nobody() -> None:
    people = [person(f"r{at:02}", email=MAIL, **ANN) for at in range(26)]
    assert [each.reason for each in matched(people).refused] == ["26 records"]
    assert matched(people[:25]).refused == ()


def test_a_value_that_a_whole_house_shares_links_nobody_though_all_have_one_surname() -> None:
    house = ["Ann", "Bob", "Carl", "Dora", "Emil", "Fritz", "Gina"]
    people = [person(f"r{at}", email=MAIL, first_name=name, last_name="Lee") for at, name in enumerate(house)]
    again = [person("r8", email=MAIL, **ANN), person("r9", email=MAIL, first_name="Bobby", last_name="Lee")]
    found = matched([*people, *again])
    assert (found.clusters, found.review) == ((), ())
    assert [each.reason for each in found.refused] == ["7 given names"]
    assert matched([*people[:6], *again]).refused == ()


def test_a_large_cluster_is_for_a_person_with_its_weakest_link() -> None:
    people = [person(f"r{at}", email=MAIL, phone=CALL, **ANN) for at in range(8)]
    assert len(matched(people).clusters[0]) == 8
    last = person("r9", phone=CALL, **ANN)
    found = matched([*people, last])
    assert (found.clusters, found.links) == ((), ())
    (weakest,) = found.review
    assert (weakest.one, weakest.other) == ("r7", "r9")
    assert weakest.reason == (
        "one number, and both names agree; but it is the weakest link of a cluster of 9 records, "
        "too many for one person"
    )
    assert matched([*people, last], rule=IdentityRule(cluster_max=9)).links


def test_a_person_is_asked_once_of_two_whose_records_are_many() -> None:
    people = [person(f"a{at}", email=MAIL, **ANN) for at in range(5)] + [
        person(f"b{at}", email=MAIL, phone=CALL, **BOB) for at in range(5)
    ]
    found = matched([*people, person("c", phone=CALL)])
    assert [len(cluster) for cluster in found.clusters] == [5, 5]
    assert [(edge.one, edge.other, edge.key) for edge in found.review] == [("a0", "b0", "email"), ("b0", "c", "phone")]


def test_whoever_may_be_either_of_two_is_left_to_a_person() -> None:
    found = matched([person("a", email=MAIL, **ANN), person("b", email=MAIL, **BOB), person("c", email=MAIL)])
    assert found.clusters == ()
    assert {(edge.one, edge.other) for edge in found.review} == {("a", "b"), ("a", "c"), ("b", "c")}


def test_pierre_and_jean_pierre_are_not_joined_by_somebody_who_may_be_either() -> None:
    found = matched(
        [
            person("a", system="shopify", shopify_id="1", first_name="Jean-Pierre", last_name="Lee"),
            person("b", system="crm", system_id="c1", shopify_id="1", email="x@example.com"),
            person("c", email="x@example.com", first_name="Pierre", last_name="Lee"),
        ]
    )
    assert found.clusters == (("a", "b"),)
    assert [(edge.one, edge.other) for edge in found.review] == [("b", "c")]


def test_the_strongest_link_comes_first_and_others_must_fit_everybody() -> None:
    found = matched(
        [
            person("a", email=MAIL, **ANN),
            person("b", email=MAIL, phone=CALL, first_name="Ann", last_name="Ray", dob="1980-02-01"),
            person("c", phone=CALL, first_name="A.", last_name="Ray"),
            person("d", phone=CALL, first_name="Ann", last_name="Ray", dob="1981-02-01"),
        ]
    )
    assert found.clusters == (("a", "b", "c"),)
    assert [(edge.one, edge.other) for edge in found.review] == [("c", "d")]
    assert "but in its cluster different dates of birth" in found.review[0].reason


def test_a_name_that_conflicts_with_somebody_in_the_cluster_is_left_to_a_person() -> None:
    rows = [
        person("a", email="x77@example.com", **ANN),
        person("b", email="x77@example.com", phone=CALL, first_name="A.", last_name="Lee"),
        person("c", phone=CALL, first_name="Alma", last_name="Lee"),
    ]
    found = matched(rows)
    assert found.clusters == (("a", "b"),)
    assert found.review[0].reason == "one number, and both names agree; but in its cluster the given names conflict"
    # An id links whatever the names are.
    linked = [
        person("a", system="shopify", shopify_id="1", **ANN),
        person("b", system="crm", system_id="x", shopify_id="1", **BOB),
        person("c", system="crm", system_id="x", first_name="Zoe", last_name="Ray"),
    ]
    assert matched(linked).clusters == (("a", "b", "c"),)


def test_what_a_person_said_is_not_the_same_never_becomes_one_cluster() -> None:
    rows = [person("a", email=MAIL), person("b", email=MAIL), person("c", email="a@x.com", phone=CALL)]
    found = matched(rows, apart=[frozenset({"a", "b"})])
    assert (found.clusters, found.review) == ((), ())
    third = person("d", system="crm", system_id="1", email=MAIL)
    parted = matched([*rows, third], apart=[frozenset({"a", "b"})])
    assert parted.clusters == (("a", "d"),)
    assert [(edge.one, edge.other) for edge in parted.review] == [("b", "d")]


def test_a_value_in_two_forms_is_refused_once() -> None:
    people = [person(f"r{at}", phone=f"{CALL}{' x1' if at == 5 else ''}") for at in range(6)]
    found = matched(people)
    assert [(each.key, len(each.records)) for each in found.refused] == [("phone", 5), ("soft phone", 6)]


def test_what_is_refused_is_told_from_the_strongest_key_on() -> None:
    people = [person(f"r{at}", phone=CALL, email=f"ann+{at}@x.com" if at < 5 else None) for at in range(6)]
    assert [each.key for each in matched(people).refused] == ["soft email", "phone"]


def test_of_two_links_that_cannot_both_be_the_one_of_equal_names_is_kept() -> None:
    initial = person("a", phone=CALL, first_name="A.", last_name="Lee", dob="1980-02-01")
    found = matched([initial, person("b", phone=CALL, **ANN), person("c", phone=CALL, dob="1981-02-01", **ANN)])
    assert found.clusters == (("b", "c"),)
    assert [(edge.one, edge.other) for edge in found.review] == [("a", "b")]


def test_a_chain_far_too_long_is_not_looked_at_twice() -> None:
    people = [
        person(f"r{at:03}", email=f"a{at // 2}@x.com", phone=f"+4144668{(at + 1) // 2:04}", **ANN) for at in range(200)
    ]
    found = matched(people)
    assert found.clusters == ()
    assert len(found.review) == 1


def test_the_shops_country_is_that_of_numbers_without_one() -> None:
    rows = [person("a", phone="044 668 18 00", **ANN), person("b", phone=CALL, **ANN)]
    assert matched(rows).clusters == ()
    assert matched(rows, region="CH").clusters == (("a", "b"),)


@pytest.mark.req("M7", "M73")
def test_a_population_is_told_apart_far_better_than_by_equal_values() -> None:
    ours, canonical, raw = measure(4_000, seed=3)
    assert ours.way == "onewriter"
    assert ours.precision >= 0.985
    assert ours.recall >= 0.87
    assert ours.recall < ours.found_or_asked <= 1
    assert canonical.precision < 0.5
    assert raw.recall < 0.5 < canonical.recall
    assert ours.largest <= 2 < canonical.largest
