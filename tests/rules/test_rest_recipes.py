"""Recipes, paths and gaps: what is read and filled, and what is refused with the name of the key."""

import tomllib
from typing import Any

import pytest

from onewriter.connectors.interface import FieldPatch, Rejected, Wanted
from onewriter.connectors.rest import RestRecipe
from onewriter.connectors.rest_paths import MISSING, fill, fill_path, fill_query, look, look_all, parse_path, put
from onewriter.connectors.rest_recipe import Recipe, load, place_of, requests_of, shipped
from onewriter.connectors.rest_values import read_time, record_of, refusal, theirs, write_time
from onewriter.errors import BadSetting, SystemChanged
from onewriter.records import parse_instant

SMALL = """
name = "small"
title = "Small"
proof = "example"
record = { id = "id" }
fields = [{ name = "name" }, { name = "visits", type = "integer" }]
read = { path = "people" }
by_id = { path = "people/{id}" }
update = { path = "people/{id}" }
"""
NOON = parse_instant("2026-03-02T12:00:00+00:00")


def changed(**parts: Any) -> dict[str, Any]:
    """The small recipe with other parts."""
    return {**tomllib.loads(SMALL), **parts}


# ---- Paths ----------------------------------------------------------------------------------------------------------

DOCUMENT = {
    "id": 7,
    "data": {"name": "Ann", "gone": None, "a.b": 1},
    "ways": [{"type": "phone", "value": "1"}, {"type": "email", "value": "2"}, {"type": "email", "value": "3"}],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", DOCUMENT),
        ("id", 7),
        ("data.name", "Ann"),
        (r"data.a\.b", 1),
        ("data.gone.deeper", None),
        ("data.nobody", MISSING),
        ("id.deeper", MISSING),
        ("ways[type=email].value", "2"),
        ("ways[0].value", "1"),
        ("ways[type=fax].value", None),
        ("data[0]", MISSING),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: Any) -> None:
    assert look(DOCUMENT, parse_path(path)) == value


def test_a_path_with_a_star_leads_to_every_value() -> None:
    assert look_all(DOCUMENT, parse_path("ways[*].value")) == ["1", "2", "3"]
    assert look_all(DOCUMENT, parse_path("data.nobody[*].value")) == []
    with pytest.raises(BadSetting):
        look(DOCUMENT, parse_path("ways[*].value"))


@pytest.mark.parametrize(
    "path", [".a", "a..b", "a.", "a[", "a[x]", "a[1]", "[0]", "a" * 301, ".".join("abcdefghijklm")]
)
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(BadSetting):
        parse_path(path)


def test_a_value_is_put_where_its_path_leads() -> None:
    body: dict[str, Any] = {"data": {"kind": "person"}}
    put(body, parse_path("data.names.first"), "Ann")
    assert body == {"data": {"kind": "person", "names": {"first": "Ann"}}}


# ---- Gaps -----------------------------------------------------------------------------------------------------------


def test_gaps_are_filled_with_values_of_their_type() -> None:
    known = {"limit": 5, "names": ["a", "b"], "values": ["x", "y"], "cursor": None, "id": 'a"b'}
    template = {
        "size": "{limit}",
        "names": "{names}",
        "after": "{cursor}",
        "text": "any({values:json})",
        "each": [{"id": "{each}"}],
        "plain": [1, True, "{cursor}"],
    }
    assert fill(template, known) == {
        "size": 5,
        "names": ["a", "b"],
        "text": 'any(["x","y"])',
        "each": [{"id": "x"}, {"id": "y"}],
        "plain": [1, True],
    }
    assert fill_query({"names": "{names}", "after": "{cursor}", "size": "{limit}"}, known) == {
        "names": "a,b",
        "size": "5",
    }


@pytest.mark.parametrize("name", ["../../admin", "a/b", "a?b=c", "a#b", "%2e%2e"])
def test_no_value_leads_an_address_elsewhere(name: str) -> None:
    filled = fill_path("people/{id}", {"id": name})
    assert filled.startswith("people/")
    assert not set(filled.removeprefix("people/")) & set("/?#")


# ---- Recipes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped())
def test_each_shipped_recipe_is_whole(name: str) -> None:
    recipe = load(name)
    assert recipe.name == name
    assert recipe.proof == {"tryton": "real", "example": "example"}.get(name, "spec-checked")
    assert {"read", "by_id", "update"} <= {part for part, _ in requests_of(recipe)}
    secret_free = [*recipe.headers.values(), recipe.credentials.prefix]
    assert all("secret" not in text.lower() for text in secret_free)


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"colour": "red"}, "colour"),
        ({"read": {"path": "people", "pages": 3}}, "pages"),
        ({"read": {"path": "people", "paging": {"kind": "sideways"}}}, "sideways"),
        ({"read": {"path": "people", "paging": {"size": 0}}}, "1 to 10,000"),
        ({"proof": "perfect"}, "perfect"),
        ({"fields": [{"type": "text"}]}, "name"),
        ({"record": {"id": "a["}}, "a["),
        ({"fields": [{"name": "a"}, {"name": "a"}]}, "a twice"),
        ({"update": {"path": "people/{number}"}}, "number"),
        ({"update": {"path": "https://elsewhere.example.net/"}}, "update.path"),
        ({"update": {"path": "../admin"}}, "update.path"),
        ({"by": {"email": {"path": "people"}}}, "by.email"),
        ({"delta": {"path": "people", "query": {"since": "{since}"}}}, "record.changed"),
        ({"delta": {"path": "people"}, "record": {"id": "id", "changed": ["at"]}}, "since"),
        ({"settings": {"id": {"title": "x"}}}, "settings.id"),
        ({"fields": [{"name": "a", "path": "b[type=c].d"}]}, "update.children"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_by_its_key(parts: dict[str, Any], named: str) -> None:
    with pytest.raises(BadSetting) as raised:
        load(changed(**parts))
    assert named in str(raised.value)


@pytest.mark.parametrize("text", ["name = \n", "nobody knows it", "x" * 70_000 + "\n"])
def test_what_is_no_recipe_is_refused(text: str) -> None:
    with pytest.raises(BadSetting):
        load(text)


def test_a_recipe_of_ones_own_is_a_text_or_a_document() -> None:
    assert load(SMALL) == load(tomllib.loads(SMALL))


# ---- Configuration --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configuration", "named"),
    [
        ({"recipe": "hubspot"}, "secret"),
        ({"recipe": SMALL, "secret": "abc"}, "base_url"),
        ({"recipe": "mailchimp", "secret": "abc", "settings": {"dc": "us1"}}, "list_id"),
        ({"recipe": "mailchimp", "secret": "abc", "settings": {"dc": "us1.evil.example/", "list_id": "a"}}, "dc"),
        ({"recipe": "hubspot", "secret": "abc", "settings": {"dc": "us1"}}, "no setting dc"),
        ({"recipe": "hubspot", "secret": "abc", "overlap_s": -1}, "overlap_s"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(configuration: dict[str, Any], named: str) -> None:
    with pytest.raises(BadSetting, match=named):
        RestRecipe().open(configuration, Wanted(()))


def test_the_secret_is_marked_and_in_no_representation() -> None:
    assert RestRecipe().spec()["properties"]["secret"]["writeOnly"] is True
    opened = RestRecipe().open({"recipe": "hubspot", "secret": "pat-na1-secret"}, Wanted(("email",)))
    assert "pat-na1" not in repr(opened) + repr(vars(opened))
    opened.close()


# ---- Values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-02T12:00:00Z",
        "2026-03-02T13:00:00.000+01:00",
        "2026-03-02 12:00:00",
        NOON // 1_000_000,
        NOON // 1_000,
        {"__class__": "datetime", "year": 2026, "month": 3, "day": 2, "hour": 12},
    ],
)
def test_a_time_is_read_in_any_form(value: Any) -> None:
    assert read_time(value) == NOON


@pytest.mark.parametrize("value", [None, "", "soon", {}, {"year": "x"}, True, [], 10**30])
def test_what_is_no_time_is_none(value: Any) -> None:
    assert read_time(value) is None


@pytest.mark.parametrize("form", ["iso", "unix_s", "unix_ms", "parts"])
def test_a_time_that_was_written_is_read_back(form: str) -> None:
    assert read_time(write_time(NOON, form)) == NOON


def small() -> Recipe:
    """The small recipe."""
    return load(SMALL)


def places(recipe: Recipe, *names: str) -> list[Any]:
    """The places of fields."""
    return [place_of(recipe, name) for name in names]


def test_a_record_without_a_field_or_an_id_is_a_change_of_the_system() -> None:
    recipe = small()
    assert record_of(recipe, places(recipe, "name"), {"id": 1, "name": ""}).fields == {"name": None}
    with pytest.raises(SystemChanged, match="visits"):
        record_of(recipe, places(recipe, "visits"), {"id": 1})
    with pytest.raises(SystemChanged, match="no id"):
        record_of(recipe, [], {"name": "Ann"})


def test_the_latest_of_several_times_counts() -> None:
    recipe = load(changed(record={"id": "id", "changed": ["updated", "created", "ways[*].updated"]}))
    document = {"id": 1, "updated": None, "created": NOON // 10**6, "ways": [{"updated": NOON // 10**6 + 5}, {}]}
    assert record_of(recipe, [], document).changed == NOON + 5_000_000


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"nobody": "x"}, "nobody", "there is no such field"),
        ({"name": 7}, "name", "another type"),
        ({"visits": "7"}, "visits", "another type"),
        ({"visits": True}, "visits", "another type"),
    ],
)
def test_what_a_field_does_not_take_is_not_even_sent(given: dict[str, Any], field: str, reason: str) -> None:
    recipe = small()
    known = {name: place_of(recipe, name) for name in ("name", "visits", "nobody")}
    refused = refusal(FieldPatch(key="1", set=given), known, tuple(known))
    assert isinstance(refused, Rejected)
    assert refused.field == field
    assert reason in refused.reason


def test_where_every_value_is_a_text_it_is_turned_and_turned_back() -> None:
    recipe = load(changed(texts_only=True, fields=[{"name": "n", "type": "integer"}, {"name": "b", "type": "boolean"}]))
    number, truth = places(recipe, "n", "b")
    assert (theirs(recipe, number, 5), theirs(recipe, truth, True)) == ("5", "true")
    fields = record_of(recipe, [number, truth], {"id": 1, "n": "5", "b": "false"}).fields
    assert fields == {"n": 5, "b": False}
    assert record_of(recipe, [number], {"id": 1, "n": "many"}).fields == {"n": "many"}, "told as it stands"
