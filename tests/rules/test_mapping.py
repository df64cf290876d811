"""Mapping: what goes out fits or says why not, what comes in has one form, and form alone is no difference."""

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.rules.comparing import is_empty
from onewriter.rules.mapping import Unfit, in_step, inward, is_made_of, outward, own_value
from onewriter.rules.policy import CONSENTS, Direction, FieldMap

VIP = "tags[vip:*]"
YES = {"subscribed": "yes", "unsubscribed": "no"}


def mapped(
    direction: str = "out", *, transform: str = "same", empty: Literal["clear", "keep"] = "clear", **rest: Any
) -> FieldMap:
    return FieldMap(remote="mobile", direction=Direction(direction), transform=transform, empty=empty, **rest)


def consent(state: str, at: int | None = None, level: str | None = None) -> dict[str, Any]:
    return {"state": state, "level": level, "at": at}


# ---- Our own side ---------------------------------------------------------------------------------------------------


def test_a_part_of_the_address_is_that_of_the_default_one() -> None:
    own = {
        "email": "ann@example.com",
        "addresses": [{"id": 1, "city": "Bern"}, {"id": 2, "city": "Chur", "default": True}],
    }
    assert own_value("address.city", own) == "Chur"
    assert own_value("address.zip", own) is None
    assert own_value("email", own) == "ann@example.com"
    assert own_value("address.city", {"addresses": None}) is None
    assert own_value("address.city", {"addresses": [{"id": 1, "city": "Bern", "default": False}]}) is None


# ---- Outward --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "each", "value", "remote"),
    [
        ("first_name", mapped(), "Ann", "Ann"),
        ("first_name", mapped(transform="upper"), "Ann", "ANN"),
        ("first_name", mapped(max_length=3), "Ann", "Ann"),
        ("first_name", mapped(), None, None),
        ("first_name", mapped(), "  ", None),
        ("points", mapped(), 0, 0),
        ("points", mapped(transform="text"), 120, "120"),
        ("custom.size", mapped(enum={"small": "S", "large": "L"}), "small", "S"),
        ("custom.fits", mapped(enum={"true": "Y", "false": "N"}), False, "N"),
        ("custom.born", mapped(transform="date", options={"format": "DD/MM/YYYY"}), "1990-04-03", "03/04/1990"),
        ("email_consent", mapped(enum=YES), consent("subscribed", 5), "yes"),
        ("email_consent", mapped(transform="consent_state", enum=YES), consent("subscribed"), "yes"),
        ("email_consent", mapped(transform="consent_flag"), consent("pending"), False),
        ("tags", mapped(), ["b", "a"], ["a", "b"]),
        ("tags", mapped(transform="joined"), ["b", "a"], "a, b"),
        ("tags", mapped(), None, None),
        ("addresses", mapped(), [{"id": 1}], [{"id": 1}]),
    ],
)
def test_the_owners_value_goes_out_as_the_system_holds_it(name: str, each: FieldMap, value: Any, remote: Any) -> None:
    assert outward(name, each, value) == remote


@pytest.mark.req("M48")
@pytest.mark.parametrize(
    ("name", "each", "value", "reason"),
    [
        ("first_name", mapped(max_length=3), "Anna", "longer than the 3 characters that mobile holds"),
        (
            "tags",
            mapped(max_length=3),
            ["abc", "long"],
            "one of them is longer than the 3 characters that mobile holds",
        ),
        (
            "tags",
            mapped(transform="joined", max_length=3),
            ["a", "b"],
            "longer than the 3 characters that mobile holds",
        ),
        ("custom.size", mapped(enum={"small": "S"}), "huge", "not one of the words that the mapping names for mobile"),
        (
            "tags",
            mapped(enum={"a": "A"}),
            ["a", "b"],
            "one of them is not one of the words that the mapping names for mobile",
        ),
        (
            "email_consent",
            mapped(enum=YES),
            consent("pending"),
            "not one of the words that the mapping names for mobile",
        ),
        ("custom.born", mapped(transform="date"), "03/04/1990", "not a date that can be told for sure"),
        ("custom.mark", mapped(transform="ascii"), "\u0301", "nothing of it is left by its transform"),
        ("phone", mapped(transform="e164"), "12", "not a phone number that can be told for sure"),
    ],
)
def test_what_does_not_fit_says_why_and_is_never_cut(name: str, each: FieldMap, value: Any, reason: str) -> None:
    assert outward(name, each, value) == Unfit(reason)


@given(st.text(max_size=12), st.integers(1, 8))
@settings(max_examples=50)
def test_a_text_is_sent_whole_or_not_at_all(value: str, most: int) -> None:
    sent = outward("note", mapped(max_length=most), value)
    assert sent == value if not is_empty(value) and len(value) <= most else sent is None or isinstance(sent, Unfit)


@pytest.mark.parametrize(
    ("name", "each", "value", "held", "remote"),
    [
        (VIP, mapped(), ["vip:2"], ["mine", "vip:1"], ["mine", "vip:2"]),
        (VIP, mapped(), None, ["mine", "vip:1"], ["mine"]),
        (VIP, mapped(), None, ["vip:1"], None),
        (VIP, mapped(), ["vip:1"], ["VIP:1"], ["VIP:1"]),
        (VIP, mapped(transform="joined"), ["vip:2"], "mine, vip:1", "mine, vip:2"),
        (VIP, mapped(enum={"vip:gold": "Gold"}), ["vip:gold"], ["Other"], ["Gold", "Other"]),
        (VIP, mapped(enum={"vip:gold": "Gold"}), None, ["Gold", "Other"], ["Other"]),
        ("tags", mapped(), ["a"], ["b", "vip:1"], ["a", "vip:1"]),
        (VIP, mapped(max_length=6), ["vip:2"], ["vip:1", "far too long"], ["far too long", "vip:2"]),
        (
            VIP,
            mapped(max_length=6),
            ["vip:long"],
            [],
            Unfit("one of them is longer than the 6 characters that mobile holds"),
        ),
        (VIP, mapped(max_length=4), None, ["far too long", "vip:1"], ["far too long"]),
        (VIP, mapped(transform="joined", max_length=4), None, "far too long, vip:1", "far too long"),
        (
            VIP,
            mapped(transform="joined", max_length=19),
            ["vip:12"],
            "far too long",
            Unfit("longer than the 19 characters that mobile holds"),
        ),
        ("tags", mapped(transform="upper"), ["a"], None, Unfit("not a text")),
        ("tags", mapped(), ["a"], 5, Unfit("not a list of words")),
        ("tags", mapped(transform="json"), ["a"], "{", Unfit("not JSON")),
    ],
)
def test_tags_are_changed_one_by_one_and_those_of_others_stay(
    name: str, each: FieldMap, value: Any, held: Any, remote: Any
) -> None:
    assert outward(name, each, value, held=held, namespaces=(VIP,)) == remote


# ---- Inward ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("M45")
@pytest.mark.parametrize(
    ("name", "each", "remote", "value"),
    [
        ("email", mapped("in"), " Ann@Example.COM ", "ann@example.com"),
        ("phone", mapped("in"), "044 668 18 00", "+41446681800"),
        ("phone", mapped("in", transform="e164", options={"country": "US"}), "(415) 555-2671", "+14155552671"),
        ("phone", mapped("in", transform="e164"), "044 668 18 00", "+41446681800"),
        ("phone", mapped("in"), 41446681800, "+41446681800"),
        ("phone", mapped("in"), 41446681800.0, "+41446681800"),
        ("custom.size", mapped("in"), 10.5, 10.5),
        ("custom.doc", mapped("in"), {"a": [1, None, True]}, {"a": [1, None, True]}),
        ("first_name", mapped("in"), " Zoe\u0308\0 ", "Zoë"),
        ("note", mapped("in"), "one\ntwo", "one\ntwo"),
        ("note", mapped("in"), 12, "12"),
        ("note", mapped("in"), "\0", None),
        ("note", mapped("in"), "", None),
        ("custom.size", mapped("in", enum={"small": "S"}), "S", "small"),
        ("custom.born", mapped("in", transform="date", options={"format": "MM/DD/YYYY"}), "04/03/1990", "1990-04-03"),
        ("custom.fits", mapped("in"), True, True),
        ("custom.list", mapped("in"), ["a"], ["a"]),
        ("addresses", mapped("in"), [{"city": "Bern"}], [{"city": "Bern"}]),
        ("tags", mapped("in"), ["b", " a "], ["a", "b"]),
        ("tags", mapped("in"), [], None),
        ("tags", mapped("in", transform="joined"), "b,a,vip:1", ["a", "b"]),
        (VIP, mapped("in", transform="joined"), "b,a,vip:1", ["vip:1"]),
        (VIP, mapped("in", enum={"vip:gold": "Gold"}), ["Gold", "Other"], ["vip:gold"]),
        ("email_consent", mapped("in", enum=YES), "no", consent("unsubscribed")),
        ("email_consent", mapped("in"), {"state": "SUBSCRIBED", "level": "SINGLE_OPT_IN", "at": 5, "source": "form"},
         {**consent("subscribed", 5, "single_opt_in"), "source": "form"}),
        ("email_consent", mapped("in"), {"state": "never_subscribed", "at": True, "source": 5},
         consent("not_subscribed")),
        ("email_consent", mapped("in", transform="consent_flag"), False, consent("unsubscribed")),
    ],
)  # fmt: skip
def test_what_a_system_holds_comes_in_in_one_form(name: str, each: FieldMap, remote: Any, value: Any) -> None:
    assert inward(name, each, remote, region="CH", namespaces=(VIP,)) == value


@pytest.mark.parametrize(
    ("name", "each", "remote", "reason"),
    [
        ("email", mapped("in"), "n/a", "not an email address"),
        ("email", mapped("in"), 5, "not an email address"),
        ("phone", mapped("in"), "12", "not a phone number that can be told for sure"),
        ("phone", mapped("in"), "+41446681800 ext. 5", "a phone number with an extension, which has no place here"),
        ("phone", mapped("in"), ["1"], "not a phone number that can be told for sure"),
        ("first_name", mapped("in"), ["Ann"], "not a text"),
        ("first_name", mapped("in"), True, "not a text"),
        ("first_name", mapped("in"), "a" * 70_000, "longer than 65,536 characters"),
        ("first_name", mapped("in", transform="upper"), "ANN",
         "cannot be read back from what the system holds, since its transform loses a part"),
        ("custom.size", mapped("in", enum={"small": "S"}), "XL",
         "not one of the words that the mapping names for mobile"),
        ("custom.size", mapped("in", enum={"small": "S", "tiny": "S"}), "S",
         "not one of the words that the mapping names for mobile"),
        ("custom.born", mapped("in", transform="date"), "03/04/1990", "not a date in the format of the mapping"),
        ("tags", mapped("in"), {"a": 1}, "not a list of words"),
        ("email_consent", mapped("in"), "perhaps", "not one of the words for a consent"),
        ("email_consent", mapped("in"), 5, "not a consent"),
        ("custom.size", mapped("in"), float("nan"), "not plain JSON"),
        ("custom.size", mapped("in"), b"10", "not plain JSON"),
        ("custom.doc", mapped("in"), {"a": [float("inf")]}, "not plain JSON"),
        ("custom.doc", mapped("in", transform="json"), '{"a": NaN}', "not plain JSON"),
        ("custom.doc", mapped("in"), {"a": b"x"}, "not plain JSON"),
        ("custom.list", mapped("in"), ["a" * 70_000], "longer than 65,536 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_for_sure_is_not_taken(name: str, each: FieldMap, remote: Any, reason: str) -> None:
    assert inward(name, each, remote, region=None) == Unfit(reason)


# ---- In step --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "each", "own", "remote"),
    [
        ("email", mapped(), "ann@example.com", "ANN@Example.com "),
        ("phone", mapped(), "+14155552671", "+1 (415) 555-2671"),
        ("phone", mapped(), "+41446681800", "044 668 18 00"),
        ("address.phone", mapped(), "044 668 18 00", "+41446681800"),
        ("phone", mapped(transform="digits"), "+41446681800", "41446681800"),
        ("first_name", mapped(), "Zoe\u0308", "Zoë"),
        ("first_name", mapped(), "Ann  Mary", " Ann\u00a0Mary\u200b"),
        ("first_name", mapped(transform="upper"), "Ann", "ANN "),
        ("locale", mapped(), "de-CH", "de_ch"),
        ("address.country_code", mapped(), "CH", "ch"),
        ("note", mapped(), "one\ntwo", "one\r\ntwo"),
        ("note", mapped(), "12", 12),
        ("points", mapped(), 5, "5"),
        ("points", mapped(), 5, 5.0),
        ("custom.size", mapped(), "10.50", 10.5),
        ("custom.fits", mapped(), "true", True),
        ("custom.fits", mapped(), True, 1),
        ("custom.born", mapped(), "1990-04-03", "3 April 1990"),
        ("custom.born", mapped(), "1990-04-13", "13/04/1990"),
        ("custom.same", mapped(), "03/04/1990", "03/04/1990"),
        ("custom.size", mapped(enum={"small": "S"}), "small", "S"),
        ("custom.size", mapped(enum={"small": "S", "tiny": "S"}), "tiny", "S"),
        ("custom.doc", mapped(transform="json"), {"a": "x", "b": None}, '{"a": "x"}'),
        ("addresses", mapped(), [{"city": "Bern"}], [{"city": "Bern ", "zip": ""}]),
        ("tags", mapped(transform="joined"), ["VIP", "a"], "a,vip"),
        ("tags", mapped(), ["a"], ["a", "vip:1"]),
        (VIP, mapped(), ["vip:1"], ["a", "vip:1"]),
        (VIP, mapped(), None, ["a"]),
        ("email_consent", mapped(), consent("subscribed", 5), consent("subscribed", 7, "single_opt_in")),
        ("email_consent", mapped(transform="consent_flag"), consent("not_subscribed"), False),
        ("email_consent", mapped(transform="consent_state"), consent("pending"), "PENDING"),
        ("email_consent", mapped(transform="consent_flag"), None, False),
        ("email_consent", mapped(transform="consent_state"), None, "unsubscribed"),
        ("email_consent", mapped(), consent("not_subscribed"), None),
        ("email_consent", mapped("in"), consent("unsubscribed"), None),
        ("email_consent", mapped("in"), None, ""),
        ("custom.at", mapped(transform="seconds"), "2020-01-01T00:00:00+00:00", 1577836800),
        ("custom.at", mapped(transform="seconds"), "2020-01-01T02:00:00+02:00", 1577836800),
        ("custom.born", mapped(transform="date"), "20200303", "2020-03-03"),
        ("note", mapped(), None, ""),
        ("note", mapped(), None, "\u200b"),
        ("phone", mapped(), "+41446681800", 41446681800.0),
        ("note", mapped("in"), None, None),
    ],
)
def test_form_alone_is_no_difference(name: str, each: FieldMap, own: Any, remote: Any) -> None:
    assert in_step(name, each, own, remote, region="CH", namespaces=(VIP,))


@pytest.mark.parametrize(
    ("name", "each", "own", "remote"),
    [
        ("first_name", mapped(), "Ann", "ANN"),
        ("email", mapped(), "ann@example.com", "bob@example.com"),
        ("email", mapped(), "ann@example.com", "n/a"),
        ("custom.doc", mapped(), {"a": True}, {"a": 1}),
        ("custom.list", mapped(), [True], [1]),
        ("custom.born", mapped(), "March 5 2020", "marble 5 2020"),
        ("phone", mapped(), "+41446681800", "+41446681801"),
        ("phone", mapped(), "+41446681800", "nobody"),
        ("custom.born", mapped(), "1990-04-03", "03/04/1990"),
        ("custom.born", mapped(), "1990-04-03", "1990-04-04"),
        ("custom.born", mapped(), "2020-03-05", "marble 5 2020"),
        ("custom.born", mapped(), "2020-05-05", "mayor 5 2020"),
        ("custom.code", mapped(), "007", 7),
        ("custom.code", mapped(), "1.10", "1.1"),
        ("custom.code", mapped(), "x", 7),
        ("custom.fits", mapped(), "yes", True),
        ("custom.fits", mapped(), False, True),
        ("first_name", mapped(max_length=2), "Anna", "An"),
        ("custom.size", mapped(enum={"small": "S"}), "small", "L"),
        ("tags", mapped(), ["a"], ["a", "b"]),
        (VIP, mapped(), ["vip:1"], ["a"]),
        ("tags", mapped(), ["a"], 5),
        ("email_consent", mapped(), consent("subscribed"), consent("unsubscribed")),
        ("email_consent", mapped(), consent("subscribed", 5, "single_opt_in"), consent("subscribed", 5, "unknown")),
        ("email_consent", mapped(), consent("subscribed"), 5),
        ("note", mapped(), None, "left there"),
        ("note", mapped(), "ours", None),
        ("note", mapped("out", empty="keep"), "ours", None),
        ("note", mapped("in", empty="keep"), None, "theirs"),
        ("first_name", mapped(transform="upper"), "Ann", "Ann"),
    ],
)
def test_a_difference_is_seen(name: str, each: FieldMap, own: Any, remote: Any) -> None:
    assert not in_step(name, each, own, remote, region="CH", namespaces=(VIP,))


def test_an_empty_value_that_keeps_what_stands_there_is_in_step() -> None:
    assert in_step("note", mapped("out", empty="keep"), None, "theirs", region=None)
    assert in_step("note", mapped("in", empty="keep"), "ours", None, region=None)
    assert in_step("tags", mapped("in", empty="keep"), ["a"], [], region=None)


@pytest.mark.parametrize("name", CONSENTS)
def test_a_consent_that_one_side_has_and_the_other_has_not_is_a_difference(name: str) -> None:
    # The owner's first word is news, and an opt-out is told to whoever holds nothing.
    assert not in_step(name, mapped("in"), None, consent("unsubscribed"), region=None)
    assert not in_step(name, mapped("in"), None, consent("not_subscribed"), region=None)
    assert not in_step(name, mapped(), consent("unsubscribed"), None, region=None)
    assert not in_step(name, mapped(transform="consent_flag"), consent("subscribed"), None, region=None)
    # An opt-in of a system that does not own it is no consent.
    assert not in_step(name, mapped(), None, consent("subscribed"), region=None)
    assert not in_step(name, mapped(transform="consent_flag"), None, True, region=None)
    # What the owner does not say takes nothing back.
    assert in_step(name, mapped("in"), consent("subscribed"), None, region=None)


@given(st.text(st.characters(codec="utf-8"), max_size=20))
@settings(max_examples=50)
def test_what_came_in_is_in_step_with_what_stands_there(remote: str) -> None:
    for name, each in (("first_name", mapped("in")), ("custom.text", mapped("in")), ("note", mapped("in"))):
        value = inward(name, each, remote, region="CH")
        assert in_step(name, each, value, remote, region="CH")


@pytest.mark.parametrize(
    ("told", "written", "made"),
    [
        ("MIXED CASE", "Mixed Case", True),
        ("mixed", "Mixed Case", True),
        (" MixedCase ", "Mixed Case", True),
        ("Mixed Case", "Mixed Case", True),
        ("Mixed Casey", "Mixed Case", False),
        ("Case", "Mixed Case", False),
        ("", "Mixed Case", False),
        (" ", "Mixed Case", False),
        (None, "Mixed Case", False),
        ("7", 7, False),
        (["a"], ["a"], False),
    ],
)
def test_what_a_system_may_have_made_of_a_text_by_itself(told: Any, written: Any, made: bool) -> None:
    assert is_made_of(told, written) is made
