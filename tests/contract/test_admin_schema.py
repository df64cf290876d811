"""Holds the sandbox's schema, and every query of the product, against the real Admin schema of two versions."""

import importlib
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_client_schema,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
    parse,
    validate,
)

from onewriter.sandbox.schema import sdl

pytestmark = pytest.mark.contract

TOOL = Path(__file__).resolve().parents[2] / "tools" / "schema.py"
VERSIONS = ("2026-07", "2026-10")

# What came with 2026-10 alone, and is therefore looked for there only.
NEW_IN_2026_10 = {
    "CustomerPhoneNumber.smsMarketingConsent",
    "CustomerSmsMarketingConsent",
}


def tool() -> ModuleType:
    """tools/ is no package, so that the module is loaded from its file."""
    spec = importlib.util.spec_from_file_location("schema_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def real_schemas() -> dict[str, GraphQLSchema]:
    schemas = tool()
    try:
        schemas.fetch()
    except schemas.Unavailable as error:
        if os.environ.get("CI"):
            raise
        print(f"The real Admin schema is not available, so nothing is held against it: {error}")
        pytest.skip(f"the real Admin schema is not available: {error}")
    # Shopify deprecates fields that an interface still asks for; graphql-core would refuse the schema for it.
    return {version: build_client_schema(schemas.introspection(version), assume_valid=True) for version in VERSIONS}


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def real(real_schemas: dict[str, GraphQLSchema], version: str) -> GraphQLSchema:
    return real_schemas[version]


def ours() -> GraphQLSchema:
    return build_schema(sdl())


def own_types(schema: GraphQLSchema) -> list[GraphQLNamedType]:
    return [
        kind
        for kind in schema.type_map.values()
        if not is_introspection_type(kind)
        and not (isinstance(kind, GraphQLScalarType) and is_specified_scalar_type(kind))
    ]


def members(kind: GraphQLNamedType) -> Iterator[tuple[str, str]]:
    """Each thing that a type promises, as (its path, its type or nothing)."""
    yield kind.name, type(kind).__name__
    if isinstance(kind, GraphQLEnumType):
        for value in kind.values:
            yield f"{kind.name}.{value}", ""
    elif isinstance(kind, GraphQLInputObjectType):
        yield f"{kind.name} @oneOf", str(kind.is_one_of)
        for name, input_field in kind.fields.items():
            yield f"{kind.name}.{name}", f"{input_field.type}{default_of(input_field)}"
    elif isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        for interface in kind.interfaces:
            yield f"{kind.name} implements {interface.name}", ""
        for name, field in kind.fields.items():
            yield f"{kind.name}.{name}", str(field.type)
            for argument, definition in field.args.items():
                yield f"{kind.name}.{name}({argument})", f"{definition.type}{default_of(definition)}"


def default_of(definition: Any) -> str:
    """A default as text, whether a schema came from SDL (a literal) or from introspection (a value or a literal)."""
    if definition.default is None:
        return ""
    literal = getattr(definition.default, "literal", None)
    value = getattr(literal, "value", None) if literal is not None else definition.default.value
    return f" = {str(value).lower()}"


def disagreements(mine: GraphQLSchema, theirs: GraphQLSchema, left_out: set[str]) -> list[str]:
    promised = {path: kind for each in own_types(mine) for path, kind in members(each)}
    real_members = {
        path: kind
        for each in own_types(mine)
        if each.name in theirs.type_map
        for path, kind in members(theirs.type_map[each.name])
    }
    return [
        f"{path} is {kind!r} here and {real_members.get(path, 'not there')!r} in the real schema"
        for path, kind in promised.items()
        if path.partition(".")[0] not in left_out and path not in left_out and real_members.get(path) != kind
    ]


def test_everything_in_our_schema_is_in_the_real_one(real: GraphQLSchema, version: str) -> None:
    left_out = set() if version == "2026-10" else NEW_IN_2026_10
    assert disagreements(ours(), real, left_out) == []


def test_the_roots_have_their_real_names(real: GraphQLSchema) -> None:
    mine = ours()
    assert (mine.query_type, mine.mutation_type) != (None, None)
    assert str(mine.query_type) == str(real.query_type)
    assert str(mine.mutation_type) == str(real.mutation_type)


def test_what_we_call_new_is_really_missing_before(real_schemas: dict[str, GraphQLSchema]) -> None:
    found = disagreements(ours(), real_schemas["2026-07"], set())
    assert {line.split(" ")[0].partition(".")[0] for line in found} == {
        path.partition(".")[0] for path in NEW_IN_2026_10
    }


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("legacyResourceId: UnsignedInt64!", "legacyResourceId: UnsignedInt64"), "Customer.legacyResourceId"),
        (("firstName: String\n", "givenName: String\n"), "Customer.givenName"),
        (("limit: Int = 10000", "limit: Int = 100"), "QueryRoot.customersCount(limit)"),
        (("enum CustomerState {\n  DECLINED", "enum CustomerState {\n  ASLEEP"), "CustomerState.ASLEEP"),
    ],
)
def test_a_slip_in_our_schema_would_be_seen(
    real_schemas: dict[str, GraphQLSchema], change: tuple[str, str], told: str
) -> None:
    text = sdl()
    assert change[0] in text
    found = disagreements(build_schema(text.replace(*change), assume_valid=True), real_schemas["2026-10"], set())
    assert any(line.startswith(f"{told} ") for line in found)


def documents() -> dict[str, str]:
    """Every query that the product may send, by the name of its constant."""
    queries = vars(importlib.import_module("onewriter.shopify.queries"))
    texts = {name: value for name, value in queries.items() if name.isupper() and isinstance(value, str)}
    # Parts of documents and version names are constants too.
    return {name: text for name, text in texts.items() if text.lstrip().startswith(("query", "mutation", "{"))}


def test_every_query_of_the_product_is_valid_at_shopify(real: GraphQLSchema) -> None:
    found = {name: validate(real, parse(text)) for name, text in documents().items()}
    assert found
    assert {name: errors for name, errors in found.items() if errors} == {}


def test_every_query_of_the_product_is_valid_in_the_sandbox() -> None:
    schema = ours()
    found = {name: validate(schema, parse(text)) for name, text in documents().items()}
    assert {name: errors for name, errors in found.items() if errors} == {}


def test_a_package_that_changed_under_its_version_is_refused(tmp_path: Path) -> None:
    tarball = tmp_path / "package.tgz"
    tarball.write_bytes(b"something else")
    with pytest.raises(ValueError, match="not the package that was pinned"):
        tool().check_integrity(tarball)
    assert not tarball.exists()
