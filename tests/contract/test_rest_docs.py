"""The page of REST systems: its example is the shipped recipe and works, and every key of a recipe stands in it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from onewriter.connectors import rest_recipe
from onewriter.connectors.interface import Applied, FieldPatch, Record, State, Wanted
from onewriter.connectors.rest import RestRecipe
from onewriter.connectors.rest_recipe import load, shipped
from tests.support.example_crm import ExampleCrm
from tests.support.vendors import SECRET, serving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "systems" / "rest.md"
PARTS = [each for each in vars(rest_recipe).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)]


def block(language: str) -> str:
    """The page's one block of that language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(found)


def keys() -> Iterator[str]:
    """Every key that a recipe can have."""
    for part in PARTS:
        yield from part.__struct_fields__


def test_every_key_of_a_recipe_is_explained() -> None:
    text = PAGE.read_text()
    assert sorted({key for key in keys() if f"`{key}`" not in text and f"`{key} =" not in text}) == []


def test_every_setting_of_the_kind_and_every_recipe_is_named() -> None:
    text = PAGE.read_text()
    assert all(f"| `{name}` |" in text for name in (*RestRecipe().spec()["properties"], *shipped()))
    assert all(f"`{name}`" in text for recipe in shipped() for name in load(recipe).settings)


def test_the_example_of_the_page_is_the_shipped_one_and_works() -> None:
    assert load(block("toml")) == load("example")
    crm = ExampleCrm()
    with serving(crm) as url:
        configuration = json.loads(block("json")) | {"base_url": f"{url}/api", "secret": SECRET}
        system = RestRecipe().open(configuration | {"recipe": block("toml")}, Wanted(("name", "email"), ("name",)))
        assert system.check() == []
        mine = crm.add({"name": "Ann", "email": "ann@example.org"})
        *records, end = system.read(None)
        assert [dict(each.fields) for each in records if isinstance(each, Record)] == [
            {"name": "Ann", "email": "ann@example.org"}
        ]
        assert isinstance(end, State)
        (outcome,) = system.write([FieldPatch(key=mine, set={"name": "Anna"}, if_version="1")])
        assert isinstance(outcome, Applied)
        assert outcome.version == "2"
        system.close()
    assert crm.people[mine].fields["name"] == "Anna"
    assert crm.people[mine].fields["email"] == "ann@example.org"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_part_of_a_recipe_says_what_it_is(part: type) -> None:
    assert part.__doc__
