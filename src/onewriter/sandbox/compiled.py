"""Compiles a selection into plain functions, so that a bulk file needs no GraphQL execution for each line.

The answer is that of graphql-core, key for key; a test holds the two together. Directives and variables have no place
in a bulk query and are not compiled.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
)

from onewriter.sandbox.fields import CONNECTIONS, FIELDS, Getter

Reader = Callable[[Any], Any]
Fragments = Mapping[str, FragmentDefinitionNode]


class NotCompiled(Exception):
    """The selection uses what only GraphQL execution can answer."""


@dataclass(slots=True)
class Compiled:
    """A selection of one type. `children` are its connections: they become lines of their own."""

    pairs: list[tuple[str, Reader]] = field(default_factory=list)
    children: list[tuple[Reader, "Compiled"]] = field(default_factory=list)

    def read(self, record: Any) -> dict[str, Any]:
        return {key: get(record) for key, get in self.pairs}


def compile_selection(
    schema: GraphQLSchema, kind: GraphQLObjectType, selections: list[SelectionSetNode], fragments: Fragments
) -> Compiled:
    compiled = Compiled()
    for key, nodes in _collected(schema, kind, selections, fragments).items():
        name = nodes[0].name.value
        if name in CONNECTIONS.get(kind.name, {}):
            compiled.children.append(_child(schema, kind, nodes, fragments))
        else:
            compiled.pairs.append((key, _reader(schema, kind, nodes, fragments)))
    return compiled


def node_selections(nodes: list[FieldNode]) -> list[SelectionSetNode]:
    """The selections under `edges { node }` of a connection field."""
    edges = [each for node in nodes for each in _named(node.selection_set, "edges")]
    return [each.selection_set for edge in edges for each in _named(edge.selection_set, "node") if each.selection_set]


def _named(selections: SelectionSetNode | None, name: str) -> list[FieldNode]:
    found = selections.selections if selections else ()
    return [each for each in found if isinstance(each, FieldNode) and each.name.value == name]


def _collected(
    schema: GraphQLSchema, kind: GraphQLObjectType, selections: list[SelectionSetNode], fragments: Fragments
) -> dict[str, list[FieldNode]]:
    """Fields by the key they answer under, fragments opened where they apply to this type."""
    found: dict[str, list[FieldNode]] = {}
    for selection_set in selections:
        for node in selection_set.selections:
            _refuse_directives(node.directives)
            if isinstance(node, FieldNode):
                found.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
                continue
            inner = _opened(schema, kind, node, fragments)
            for key, nodes in _collected(schema, kind, inner, fragments).items():
                found.setdefault(key, []).extend(nodes)
    return found


def _opened(schema: GraphQLSchema, kind: GraphQLObjectType, node: Any, fragments: Fragments) -> list[SelectionSetNode]:
    fragment = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
    condition = fragment.type_condition
    if not isinstance(fragment, InlineFragmentNode | FragmentDefinitionNode):
        raise NotCompiled(type(node).__name__)
    if condition is None or condition.name.value == kind.name:
        return [fragment.selection_set]
    target = schema.type_map[condition.name.value]
    applies = isinstance(target, GraphQLInterfaceType) and target in kind.interfaces
    return [fragment.selection_set] if applies else []


def _refuse_directives(directives: tuple[DirectiveNode, ...] | None) -> None:
    if directives:
        raise NotCompiled("directives")


def _reader(schema: GraphQLSchema, kind: GraphQLObjectType, nodes: list[FieldNode], fragments: Fragments) -> Reader:
    name = nodes[0].name.value
    if name == "__typename":
        return lambda record: kind.name
    definition = kind.fields[name]
    get = _with_arguments(FIELDS[kind.name][name], get_argument_values(definition, nodes[0]))
    named = get_named_type(definition.type)
    if is_leaf_type(named):
        return get
    if not isinstance(named, GraphQLObjectType):
        raise NotCompiled(named.name)
    inner = compile_selection(schema, named, [node.selection_set for node in nodes if node.selection_set], fragments)
    if is_list_type(get_nullable_type(definition.type)):
        return lambda record: [inner.read(item) for item in get(record)]
    return partial(_read_inner, get, inner)


def _read_inner(get: Reader, inner: Compiled, record: Any) -> dict[str, Any] | None:
    value = get(record)
    return None if value is None else inner.read(value)


def _child(
    schema: GraphQLSchema, kind: GraphQLObjectType, nodes: list[FieldNode], fragments: Fragments
) -> tuple[Reader, Compiled]:
    name = nodes[0].name.value
    connection = get_named_type(kind.fields[name].type)
    item = schema.type_map[connection.name.removesuffix("Connection")]
    if not isinstance(item, GraphQLObjectType):
        raise NotCompiled(item.name)
    arguments = get_argument_values(kind.fields[name], nodes[0])
    # Bulk operations ignore how a connection is paged and reversed, and read all of it.
    narrowing = {key: value for key, value in arguments.items() if key in ("namespace", "keys")}
    get = _with_arguments(CONNECTIONS[kind.name][name], narrowing)
    return get, compile_selection(schema, item, node_selections(nodes), fragments)


def _with_arguments(get: Getter, arguments: dict[str, Any]) -> Reader:
    return partial(get, **arguments) if arguments else get
