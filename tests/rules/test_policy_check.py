"""A mapping is held against what the system said of itself: what it cannot hold or may not write is refused."""

from typing import Any

import pytest

from onewriter.records import FIELDS, SHOPIFY
from onewriter.rules import policy as policies
from onewriter.rules.ownership import problems
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy
from onewriter.rules.policy_check import (
    LENGTH_MAX,
    Facts,
    PolicyProblem,
    RemoteFact,
    facts,
    is_known,
    is_ownable,
    sort_of,
)
from onewriter.rules.transforms import STATES, TRANSFORMS


def mapped(direction: str = "out", remote: str = "there", **rest: Any) -> FieldMap:
    return FieldMap(remote=remote, direction=Direction(direction), **rest)


def found(name: str, each: FieldMap, *there: RemoteFact) -> list[PolicyProblem]:
    """What is wrong with one mapping of a system called crm, which has those fields, or was never asked."""
    owner = "crm" if each.direction is Direction.IN else SHOPIFY
    fields = {**policies.of_shopify().fields, **({name: FieldRule(owner=owner)} if is_ownable(name) else {})}
    known = Facts(kind="odoo", fields={one.name: one for one in there} if there else None)
    return problems(
        Policy(fields=fields, systems={"crm": {name: each}}), {SHOPIFY: Facts(kind="shopify"), "crm": known}
    )


def told(name: str, each: FieldMap, *there: RemoteFact) -> list[tuple[str, str, str]]:
    return [(one.severity, one.rule, one.message) for one in found(name, each, *there)]


def rules(name: str, each: FieldMap, *there: RemoteFact) -> list[tuple[str, str]]:
    return [(one.severity, one.rule) for one in found(name, each, *there)]


def text(**rest: Any) -> RemoteFact:
    return RemoteFact(name="there", **rest)


# ---- Transforms -----------------------------------------------------------------------------------------------------


def test_only_transforms_that_there_are() -> None:
    ((severity, rule, message),) = told("phone", mapped(transform="e146"))
    assert (severity, rule) == ("error", "transform")
    assert message.startswith("There is no transform e146; take one of same, text, ")
    assert told("phone", mapped(transform="date")) == [
        ("error", "transform",
         "The transform date makes no sense for phone; take one of same, e164, bare_e164, national_phone, digits."),
    ]  # fmt: skip


@pytest.mark.parametrize("name", [*FIELDS, "custom.size", "tags[vip:*]", "address.city", "address.phone", "points"])
def test_every_field_can_be_told_as_it_is(name: str) -> None:
    assert found(name, mapped()) == []


def test_each_transform_makes_sense_for_some_field() -> None:
    names = ("note", "phone", "tags", "email_consent", "points", "custom.size")
    with_country = {"country": "CH"}
    for transform in TRANSFORMS:
        options = with_country if transform == "national_phone" else {}
        fits = [name for name in names if found(name, mapped(transform=transform, options=options)) == []]
        assert fits, transform


@pytest.mark.parametrize(
    ("name", "sort"),
    [
        ("email", "text"), ("phone", "phone"), ("address.phone", "phone"), ("address.city", "text"), ("tags", "list"),
        ("tags[vip:*]", "list"), ("sms_consent", "consent"), ("points", "integer"), ("addresses", "json"),
        ("custom.size", "any"), ("shopify_id", "text"),
    ],
)  # fmt: skip
def test_each_field_has_a_sort(name: str, sort: str) -> None:
    assert sort_of(name) == sort


@pytest.mark.parametrize(
    ("transform", "options", "message"),
    [
        ("e164", {"land": "CH"}, "The transform e164 has no option land; it has country."),
        ("words", {"ja": "x"}, "The transform words has no option ja; it has yes and no."),
        ("json", {"a": "b"}, "The transform json has no option a; it has none."),
        ("national_phone", {}, "The transform national_phone needs its option country."),
        ("e164", {"country": "ch"}, "The option country of e164 must be a country of two capital letters, such as CH."),
        ("e164", {"country": "XX"}, "The option country of e164 must be a country of two capital letters, such as CH."),
        ("joined", {"separator": ""}, "The option separator of joined must be a text of 1 to 60 characters."),
        ("joined", {"separator": "x" * 61}, "The option separator of joined must be a text of 1 to 60 characters."),
        ("joined", {"separator": 5}, "The option separator of joined must be a text of 1 to 60 characters."),
        ("words", {"yes": "No "}, "The options yes and no of words must differ."),
        ("e164", {"country": "CH"}, None),
        ("words", {"yes": "x" * 60}, None),
    ],
)
def test_the_options_of_a_transform_are_looked_at(transform: str, options: dict[str, Any], message: str | None) -> None:
    found_there = told("custom.size", mapped(transform=transform, options=options))
    assert found_there == ([] if message is None else [("error", "option", message)])


def test_a_date_has_one_of_the_formats_that_lead_back() -> None:
    ((_, _, message),) = told("custom.born", mapped(transform="date", options={"format": "DD/MM/YY"}))
    assert message.startswith("The option format of date must be one of YYYY-MM-DD, ")


@pytest.mark.parametrize("transform", [name for name, each in TRANSFORMS.items() if each.lossy])
def test_a_transform_that_loses_a_part_is_not_for_a_field_that_is_read_back(transform: str) -> None:
    consent = transform.startswith("consent_")
    name = "email_consent" if consent else "phone" if transform == "digits" else "first_name"
    assert rules(name, mapped("out", transform=transform)) == []
    assert rules(name, mapped("none", transform=transform)) == []
    assert rules(name, mapped("in", transform=transform)) == [("warning" if consent else "error", "lossy")]
    (one,) = found(name, mapped("in", transform=transform))
    if consent:
        assert "an opt-out in crm counts here and an opt-in never does" in one.message
    else:
        assert one.message == (
            f"The transform {transform} loses a part, so {name} cannot be read back from crm; "
            "map it out only, or take a transform that leads back."
        )


# ---- Words and lengths ----------------------------------------------------------------------------------------------


def test_a_map_of_words_that_is_read_back_is_one_to_one() -> None:
    twice = {"small": "S", "tiny": "S"}
    assert rules("custom.size", mapped("out", enum=twice)) == []
    assert told("custom.size", mapped("in", enum=twice)) == [
        ("error", "words",
         "Two of our words become one in crm, so custom.size cannot be read back; map it out only, or one to one."),
    ]  # fmt: skip
    assert rules("custom.size", mapped("in", enum={"small": "S", "tiny": "XS"})) == []


@pytest.mark.parametrize(
    ("count", "expected"), [(0, [("error", "words")]), (1, []), (500, []), (501, [("error", "words")])]
)
def test_a_map_of_words_has_a_limit(count: int, expected: list[tuple[str, str]]) -> None:
    assert rules("custom.size", mapped(enum={str(each): str(each) for each in range(count)})) == expected


def test_the_words_of_a_consent_are_given() -> None:
    assert rules("email_consent", mapped(enum=dict.fromkeys(STATES, "x"))) == []
    assert rules("email_consent", mapped(enum={"yes": "x"})) == [("error", "words")]


@pytest.mark.parametrize(
    ("most", "expected"), [(0, [("error", "length")]), (1, []), (65_536, []), (65_537, [("error", "length")])]
)
def test_a_length_is_one(most: int, expected: list[tuple[str, str]]) -> None:
    assert rules("note", mapped(max_length=most)) == expected


# ---- Against what the system said -----------------------------------------------------------------------------------


def test_a_field_that_the_system_has_not_is_refused_and_one_not_asked_is_not_doubted() -> None:
    other = RemoteFact(name="other")
    assert told("note", mapped(), other) == [
        ("error", "remote", "crm has no field there that we may see; `onewriter systems show crm` lists them."),
    ]  # fmt: skip
    assert rules("note", mapped("none"), other) == []
    assert rules("note", mapped()) == []


@pytest.mark.req("M46")
def test_a_field_that_the_system_does_not_let_us_write_is_refused() -> None:
    assert told("note", mapped(), text(writable=False)) == [
        ("error", "right", "crm does not let us write there; grant that right there, or map note in or none."),
    ]  # fmt: skip
    assert rules("note", mapped("in"), text(writable=False)) == []


def test_a_field_that_cannot_be_emptied_is_told() -> None:
    assert told("note", mapped(), text(clearable=False)) == [
        ("warning", "empty", 'there in crm cannot be emptied, so an empty note would be parked; say empty = "keep".'),
    ]  # fmt: skip
    assert rules("note", mapped(empty="keep"), text(clearable=False)) == []
    assert rules("note", mapped("in"), text(clearable=False)) == []


def test_a_limit_is_never_greater_than_the_systems() -> None:
    assert told("note", mapped(max_length=21), text(max_length=20)) == [
        ("error", "length", "there in crm holds 20 characters and not 21; say max_length = 20."),
    ]  # fmt: skip
    assert told("note", mapped(), text(max_length=20)) == [
        ("warning", "length", "there in crm holds 20 characters; say max_length = 20, and longer ones are parked."),
    ]  # fmt: skip
    assert rules("note", mapped(max_length=20), text(max_length=20)) == []
    assert rules("note", mapped("in"), text(max_length=20)) == []
    assert rules("note", mapped(), text(max_length=LENGTH_MAX + 1)) == [], "so much that it is no limit"


def test_the_words_of_the_system_are_those_it_takes() -> None:
    limited = text(enum=("S", "L"))
    assert told("custom.size", mapped(), limited) == [
        ("warning", "words",
         "there in crm takes only certain words; map ours to them, or what it does not know is parked."),
    ]  # fmt: skip
    assert told("custom.size", mapped(enum={"huge": "XL"}), limited) == [
        ("error", "words", "there in crm does not take every word of the map; it takes S, L."),
    ]  # fmt: skip
    assert rules("custom.size", mapped(enum={"small": "S"}), limited) == []
    assert rules("custom.size", mapped("in", enum={"huge": "XL"}), limited) == []


@pytest.mark.parametrize(
    ("name", "each", "fits", "fits_not"),
    [
        ("note", mapped(), ["text"], ["integer", "date", "boolean", "list", "json"]),
        ("phone", mapped(transform="e164"), ["text"], ["number"]),
        ("tags", mapped(), ["list", "json"], ["text"]),
        ("tags", mapped(enum={"a": "A"}), ["list", "json"], ["text"]),
        ("tags", mapped(transform="joined"), ["text"], ["list"]),
        ("email_consent", mapped(), ["json"], ["text", "boolean"]),
        ("email_consent", mapped(enum={"subscribed": "yes"}), ["text"], ["json", "boolean"]),
        ("email_consent", mapped(transform="consent_flag"), ["boolean"], ["text"]),
        ("email_consent", mapped(transform="consent_state"), ["text"], ["boolean"]),
        ("points", mapped(), ["integer", "number"], ["text"]),
        ("points", mapped(transform="text"), ["text"], ["integer"]),
        ("custom.size", mapped(), ["text", "integer", "boolean", "date", "json"], []),
        ("custom.size", mapped(transform="integer"), ["integer", "number"], ["text"]),
        ("custom.born", mapped(transform="date"), ["date", "text"], ["datetime", "integer"]),
        ("custom.born", mapped(transform="date", options={"format": "DD/MM/YYYY"}), ["text"], ["date"]),
        ("custom.seen", mapped(transform="seconds"), ["integer", "number"], ["text", "datetime"]),
        ("addresses", mapped(), ["json"], ["text"]),
    ],
)
def test_a_field_holds_what_its_type_can(name: str, each: FieldMap, fits: list[str], fits_not: list[str]) -> None:
    assert [kind for kind in fits if rules(name, each, text(type=kind))] == []
    assert [kind for kind in fits_not if rules(name, each, text(type=kind)) != [("error", "type")]] == []


def test_the_transforms_that_would_do_are_named() -> None:
    said = "there in crm is of type {}, which cannot hold {} as it is mapped; take {}."
    for name, kind, other in (
        ("points", "text", "the transform text, or another field"),
        ("tags", "text", "the transform joined or json, or another field"),
        ("note", "boolean", "another field"),
    ):
        assert told(name, mapped(), text(type=kind)) == [("error", "type", said.format(kind, name, other))]


def test_what_a_system_said_is_read_from_what_was_kept() -> None:
    kept = {
        "fields": [
            {"name": "mobile", "max_length": 20, "enum": ["a"], "case": "lower"},
            {"name": "id", "writable": False},
        ],
        "capabilities": {"cursor": "field"},
    }
    assert facts("odoo", kept) == Facts(
        kind="odoo",
        fields={
            "mobile": RemoteFact(name="mobile", max_length=20, enum=("a",)),
            "id": RemoteFact(name="id", writable=False),
        },
        capabilities={"cursor": "field"},
    )
    assert facts("odoo", None) == Facts(kind="odoo")


@pytest.mark.parametrize(
    ("name", "known", "ownable"),
    [
        ("email", True, True), ("custom.size", True, True), ("tags[vip:*]", True, True), ("points", True, False),
        ("shopify_id", True, False), ("address.city", True, False), ("city", False, False), ("address.", False, False),
        ("custom.x", False, False), ("tags[*]", False, False), ("", False, False),
    ],
)  # fmt: skip
def test_names_of_fields(name: str, known: bool, ownable: bool) -> None:
    assert (is_known(name), is_ownable(name)) == (known, ownable)
