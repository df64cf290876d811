"""What Shopify demands of a bulk query, in its words, and what is left of the query once it holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
    validate,
)

from onewriter.sandbox.normalise import Mistake, Refused

QUERY_BYTES_MAX = 65_535
CONNECTIONS_MAX = 5
NESTING_MAX = 2


@dataclass(frozen=True, slots=True)
class BulkQuery:
    """A query that Shopify would run: the connection at its root, its arguments and fragments, every field it names."""

    root: FieldNode
    arguments: dict[str, Any]
    fragments: dict[str, FragmentDefinitionNode]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One field met on the way down: how many connections and whether a list lie above it."""

    node: FieldNode
    kind: str
    depth: int
    in_list: bool


def read(schema: GraphQLSchema, text: str) -> BulkQuery:
    """Check a bulk query. Every mistake is a Refused, worded as a user error."""
    if len(text.encode()) > QUERY_BYTES_MAX:
        _refuse(f"Query is too large: it may hold at most {QUERY_BYTES_MAX} bytes.")
    document = _parsed(schema, text)
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        _refuse("Bulk operations take exactly one query.")
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    root_type = schema.query_type
    if root_type is None:
        raise TypeError("The schema has no queries")
    seen = list(_walk(schema, root_type, operations[0].selection_set, fragments, 0, False))
    _check(seen)
    root = next(each.node for each in seen if each.kind == "connection" and each.depth == 0)
    arguments = get_argument_values(root_type.fields[root.name.value], root)
    return BulkQuery(root, arguments, fragments, frozenset(each.node.name.value for each in seen))


def _refuse(message: str) -> None:
    raise Refused(Mistake(("query",), message, "INVALID"))


def _parsed(schema: GraphQLSchema, text: str) -> DocumentNode:
    try:
        document = parse(text)
    except GraphQLError as error:
        raise Refused(Mistake(("query",), f"Invalid bulk query: {error.message}", "INVALID")) from error
    errors = validate(schema, document)
    if errors:
        _refuse(f"Invalid bulk query: {errors[0].message}")
    return document


def _walk(
    schema: GraphQLSchema,
    parent: GraphQLNamedType,
    selections: SelectionSetNode | None,
    fragments: dict[str, FragmentDefinitionNode],
    depth: int,
    in_list: bool,
) -> Iterator[_Seen]:
    for node in selections.selections if selections else ():
        if isinstance(node, FragmentSpreadNode):
            fragment = fragments[node.name.value]
            target = schema.type_map[fragment.type_condition.name.value]
            yield from _walk(schema, target, fragment.selection_set, fragments, depth, in_list)
        elif not isinstance(node, FieldNode):
            condition = getattr(node, "type_condition", None)
            target = schema.type_map[condition.name.value] if condition else parent
            yield from _walk(schema, target, getattr(node, "selection_set", None), fragments, depth, in_list)
        elif (definition := getattr(parent, "fields", {}).get(node.name.value)) is not None:
            named = get_named_type(definition.type)
            kind = _kind(parent, node, named)
            yield _Seen(node, kind, depth, in_list)
            # Edges are a list too, but that of the connection itself.
            listed = is_list_type(get_nullable_type(definition.type)) and kind != "edges"
            below = depth + (kind == "connection")
            yield from _walk(schema, named, node.selection_set, fragments, below, in_list or listed)


def _kind(parent: GraphQLNamedType, node: FieldNode, named: GraphQLNamedType) -> str:
    name = node.name.value
    if named.name.endswith("Connection"):
        return "connection"
    if parent.name.endswith("Connection") and name in ("edges", "nodes"):
        return name
    if parent.name == "QueryRoot":
        return "lookup" if name in ("node", "nodes") else "root"
    return "id" if name == "id" else "field"


def _check(seen: list[_Seen]) -> None:
    connections = [each for each in seen if each.kind == "connection"]
    if any(each.kind == "lookup" for each in seen):
        _refuse("Bulk queries cannot use the top-level `node` or `nodes` fields.")
    if not connections:
        _refuse("Bulk queries must contain at least one connection.")
    if sum(each.depth == 0 for each in connections) > 1 or any(each.kind == "root" for each in seen):
        _refuse("Bulk queries can have a single top-level connection.")
    if len(connections) > CONNECTIONS_MAX:
        _refuse(f"Bulk queries cannot contain more than {CONNECTIONS_MAX} connections.")
    if any(each.depth > NESTING_MAX for each in connections):
        _refuse(f"Bulk queries cannot contain connections with a nesting depth greater than {NESTING_MAX}.")
    if any(each.kind == "nodes" for each in seen):
        _refuse("Bulk queries must select `edges { node }` in a connection; `nodes` is not supported.")
    if any(each.in_list for each in connections):
        _refuse("Bulk queries cannot contain a connection field within a list field.")
    nested = any(each.depth for each in connections)
    if nested and not any(each.kind == "id" and each.depth == 1 for each in seen):
        _refuse("The parent `id` field must be included when a nested connection is queried.")
