"""Transforms: what is not lossy leads back to the same value, and what cannot be written in full does not fit."""

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.rules import dates
from onewriter.rules.transforms import STATES, TRANSFORMS, Unfit, truth

MINE = settings(max_examples=40)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z")), min_size=1, max_size=12)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
numbers = st.sampled_from(["+41446681800", "+14155552671", "+390612345678", "+442079460018", "+919812345678"])
days = st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(date.isoformat)
times = st.integers(0, 4_000_000_000).map(lambda each: datetime.fromtimestamp(each, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
VALUES: dict[str, tuple[st.SearchStrategy[Any], tuple[dict[str, str], ...]]] = {
    "same": (plain_json, ({},)),
    "text": (st.integers(-(10**18), 10**18), ({},)),
    "integer": (st.integers(-(10**18), 10**18).map(str), ({},)),
    "words": (st.booleans(), ({}, {"yes": "ja", "no": "nein"}, {"yes": "1", "no": "0"})),
    "e164": (numbers, ({}, {"country": "CH"})),
    "bare_e164": (numbers, ({},)),
    "national_phone": (numbers, ({"country": "CH"}, {"country": "US"}, {"country": "IT"})),
    "date": (days, tuple({"format": form} for form in dates.FORMATS)),
    "seconds": (times, ({},)),
    "joined": (
        st.lists(words.filter(lambda word: not {*word} & set(",;|")), min_size=1, max_size=4, unique=True).map(sorted),
        ({}, {"separator": ";"}, {"separator": " | "}, {"separator": "\n"}),
    ),
    "json": (plain_json, ({},)),
}  # fmt: skip


def test_every_transform_that_is_not_lossy_is_tried() -> None:
    assert set(VALUES) == {name for name, each in TRANSFORMS.items() if not each.lossy}
    assert all(each.name == name and each.help.endswith(".") for name, each in TRANSFORMS.items())


@given(st.data(), st.sampled_from(sorted(VALUES)))
@settings(max_examples=150)
def test_what_is_not_lossy_leads_back(data: st.DataObject, name: str) -> None:
    values, all_options = VALUES[name]
    value, options = data.draw(values), data.draw(st.sampled_from(all_options))
    transform = TRANSFORMS[name]
    assert transform.inward is not None
    remote = transform.outward(value, options)
    assert not isinstance(remote, Unfit)
    assert transform.inward(remote, options) == value


@pytest.mark.parametrize(
    ("name", "options", "value", "remote"),
    [
        ("lower", {}, "Ann", "ann"),
        ("upper", {}, "Ann", "ANN"),
        ("ascii", {}, "Łukasz Groß Ångström", "Lukasz Gross Angstrom"),
        ("first_word", {}, "Anna Maria", "Anna"),
        ("digits", {}, "+1 (415) 555-٢671", "14155552671"),
        ("e164", {"country": "CH"}, "044 668 18 00", "+41446681800"),
        ("bare_e164", {}, "+41446681800", "41446681800"),
        ("national_phone", {"country": "US"}, "+14155552671", "(415) 555-2671"),
        ("national_phone", {"country": "CH"}, "+14155552671", "+14155552671"),
        ("date", {}, "1990-04-03", "1990-04-03"),
        ("date", {"format": "DD/MM/YYYY"}, "1990-04-03", "03/04/1990"),
        ("date", {"format": "MM/DD/YYYY"}, "1990-04-03", "04/03/1990"),
        ("seconds", {}, "1970-01-02T00:00:00+00:00", 86400),
        ("words", {"yes": "ja"}, "true", "ja"),
        ("words", {}, False, "no"),
        ("joined", {}, ["a", "b"], "a, b"),
        ("joined", {"separator": "|"}, ["a", "b"], "a|b"),
        ("json", {}, {"b": 1, "a": "ü"}, '{"a":"ü","b":1}'),
        ("integer", {}, "42", 42),
        ("integer", {}, 42.0, 42),
        ("text", {}, 120, "120"),
        ("consent_state", {}, {"state": "pending", "level": None, "at": 5}, "pending"),
        ("consent_flag", {}, {"state": "subscribed"}, True),
        ("consent_flag", {}, {"state": "pending"}, False),
    ],
)
def test_a_value_is_written_as_the_system_has_it(name: str, options: dict[str, str], value: Any, remote: Any) -> None:
    assert TRANSFORMS[name].outward(value, options) == remote


@pytest.mark.parametrize(
    ("name", "options", "value"),
    [
        ("lower", {}, 5),
        ("ascii", {}, "李"),
        ("digits", {}, "none"),
        ("e164", {}, "044 668 18 00"),
        ("e164", {}, "+41446681800;ext=12"),
        ("e164", {}, ["+41446681800"]),
        ("bare_e164", {}, "12"),
        ("national_phone", {"country": "CH"}, "044 668 18 00"),
        ("date", {}, "03/04/1990"),
        ("date", {}, "1990-02-30"),
        ("date", {}, 1990),
        ("seconds", {}, "1990-04-03T00:00:00"),
        ("seconds", {}, "1969-12-31T23:59:59Z"),
        ("seconds", {}, "2020-01-01T00:00:00.5Z"),
        ("seconds", {}, "soon"),
        ("words", {}, "perhaps"),
        ("words", {}, 2),
        ("joined", {}, "a, b"),
        ("joined", {}, ["a", 1]),
        ("joined", {}, ["a,b"]),
        ("joined", {}, [" a"]),
        ("joined", {}, [""]),
        ("json", {}, math.nan),
        ("json", {}, {"a": object()}),
        ("integer", {}, "007"),
        ("integer", {}, "4.5"),
        ("integer", {}, True),
        ("integer", {}, "9" * 20),
        ("text", {}, True),
        ("text", {}, "5"),
        ("consent_state", {}, {"state": "yes"}),
        ("consent_flag", {}, None),
    ],
)
def test_what_cannot_be_written_in_full_does_not_fit(name: str, options: dict[str, str], value: Any) -> None:
    told = TRANSFORMS[name].outward(value, options)
    assert isinstance(told, Unfit)
    assert str(value) not in told.reason


@pytest.mark.parametrize(
    ("name", "options", "remote", "value"),
    [
        ("e164", {"country": "US"}, "(415) 555-2671", "+14155552671"),
        ("e164", {"country": "US"}, 4155552671, "+14155552671"),
        ("bare_e164", {}, "+14155552671", "+14155552671"),
        ("words", {}, " YES ", True),
        ("seconds", {}, "86400", "1970-01-02T00:00:00Z"),
        ("joined", {}, "b,a ,, b", ["a", "b"]),
        ("joined", {}, ["b", "a", ""], ["a", "b"]),
        ("json", {}, {"a": 1}, {"a": 1}),
        ("consent_state", {}, "NEVER_SUBSCRIBED", {"state": "not_subscribed", "level": None, "at": None}),
        ("consent_flag", {}, 1, {"state": "subscribed", "level": None, "at": None}),
        ("consent_flag", {}, "False", {"state": "unsubscribed", "level": None, "at": None}),
    ],
)
def test_what_a_system_holds_is_led_back(name: str, options: dict[str, str], remote: Any, value: Any) -> None:
    inward = TRANSFORMS[name].inward
    assert inward is not None
    assert inward(remote, options) == value


@pytest.mark.parametrize(
    ("name", "options", "remote"),
    [
        ("text", {}, "one"),
        ("integer", {}, 1.5),
        ("words", {}, "maybe"),
        ("e164", {}, "(415) 555-2671"),
        ("bare_e164", {}, "nobody"),
        ("date", {"format": "DD/MM/YYYY"}, "1990-04-03"),
        ("date", {}, "1990-13-03"),
        ("seconds", {}, -1),
        ("seconds", {}, 10**11),
        ("seconds", {}, "later"),
        ("joined", {}, 5),
        ("joined", {}, "a" * 70_000),
        ("json", {}, "{"),
        ("json", {}, "[" * 100_000),
        ("json", {}, "[" * 30_000),
        ("consent_state", {}, "perhaps"),
        ("consent_flag", {}, "perhaps"),
    ],
)
def test_what_cannot_be_led_back_does_not_fit(name: str, options: dict[str, str], remote: Any) -> None:
    inward = TRANSFORMS[name].inward
    assert inward is not None
    assert isinstance(inward(remote, options), Unfit)


@pytest.mark.parametrize("state", STATES)
def test_a_consent_comes_back_with_its_state_and_nothing_made_up(state: str) -> None:
    transform = TRANSFORMS["consent_state"]
    assert transform.inward is not None
    assert transform.inward(state.upper(), {}) == {"state": state, "level": None, "at": None}


def test_yes_and_no_are_told_where_they_can_mean_nothing_else() -> None:
    values: tuple[Any, ...] = (True, 1, 0, "TRUE", " false", 2, "1", None, [])
    assert [truth(each) for each in values] == [
        True, True, False, True, False, None, None, None, None,
    ]  # fmt: skip


# ---- Dates ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1990-04-03", date(1990, 4, 3)),
        (" 1990/4/3 ", date(1990, 4, 3)),
        ("1990-04-03T00:00:00", date(1990, 4, 3)),
        ("1990-04-03 00:00", date(1990, 4, 3)),
        ("19900403", date(1990, 4, 3)),
        ("13/04/1990", date(1990, 4, 13)),
        ("04/13/1990", date(1990, 4, 13)),
        ("04.04.1990", date(1990, 4, 4)),
        ("3 April 1990", date(1990, 4, 3)),
        ("03-Apr-1990", date(1990, 4, 3)),
        ("April 3, 1990", date(1990, 4, 3)),
        ("03/04/1990", None),
        ("3.4.1990", None),
        ("13/13/1990", None),
        ("1990-04-03T22:00:00Z", None),
        ("1990-4/3", None),
        ("04/03-1990", None),
        ("99990403", None),
        ("3 Foo 1990", None),
        ("90-04-03", None),
        ("0000-01-01", None),
        ("", None),
    ],
)
def test_a_date_is_sure_or_it_is_none(text: str, day: date | None) -> None:
    assert dates.sure_date(text) == day


@given(st.dates(date(1, 1, 1)), st.sampled_from(dates.FORMATS))
@MINE
def test_a_date_leads_back_from_every_format(day: date, form: str) -> None:
    assert dates.read_date(dates.written(day, form), form) == day
