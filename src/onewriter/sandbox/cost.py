"""What a query costs, by Shopify's published rules, and the bucket that pays for it.

An object costs 1, a scalar nothing, a connection 2 and each item that it may hold, a mutation 10.
"""

import threading
from collections.abc import Callable
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
    is_leaf_type,
)
from graphql.execution import VariableValues

from onewriter.sandbox.faults import Faults

MUTATION_COST = 10
CONNECTION_COST = 2
UNKNOWN = object()


class Meter:
    """Counts one operation: before it runs by what it asks for, afterwards by what came back."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: VariableValues) -> None:
        self._schema, self._variables = schema, variables
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }

    def measure(self, operation: OperationDefinitionNode, data: Any = UNKNOWN) -> int:
        root = self._schema.get_root_type(operation.operation)
        if operation.operation is OperationType.MUTATION:
            return MUTATION_COST * len(operation.selection_set.selections)
        return 0 if root is None else self._selections(root, operation.selection_set, data)

    def _selections(self, parent: GraphQLNamedType, selections: SelectionSetNode | None, value: Any) -> int:
        total = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                total += self._field(parent, node, value)
            elif isinstance(node, InlineFragmentNode):
                narrowed = node.type_condition.name.value if node.type_condition else parent.name
                total += self._selections(self._schema.type_map[narrowed], node.selection_set, value)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                narrowed = fragment.type_condition.name.value
                total += self._selections(self._schema.type_map[narrowed], fragment.selection_set, value)
        return total

    def _field(self, parent: GraphQLNamedType, node: FieldNode, value: Any) -> int:
        fields: dict[str, GraphQLField] = getattr(parent, "fields", {})
        field = fields.get(node.name.value)
        if field is None:
            return 0
        kind = get_named_type(field.type)
        if is_leaf_type(kind) or node.name.value == "pageInfo":
            return 0
        key = node.alias.value if node.alias else node.name.value
        inner = value.get(key) if isinstance(value, dict) else value
        if inner is None:
            return 0
        arguments = get_argument_values(field, node, self._variables)
        if kind.name.endswith("Connection"):
            asked = arguments.get("first") or arguments.get("last") or 0
            return CONNECTION_COST + self._connection(kind, node, inner, asked)
        if node.name.value == "nodes" and "ids" in arguments:
            return self._items(kind, node.selection_set, inner, len(arguments["ids"]))
        # A plain list counts once: how long it may be is not part of the published rules.
        return self._items(kind, node.selection_set, inner[:1] if isinstance(inner, list) else inner, 1)

    def _items(self, kind: GraphQLNamedType, selections: SelectionSetNode | None, value: Any, asked: int) -> int:
        if value is UNKNOWN:
            return asked * (1 + self._selections(kind, selections, UNKNOWN))
        items = value if isinstance(value, list) else [value]
        return sum(1 + self._selections(kind, selections, item) for item in items if item is not None)

    def _connection(self, kind: GraphQLNamedType, node: FieldNode, value: Any, asked: int) -> int:
        """The items under `edges { node }` or `nodes`, whichever was asked for; edges themselves are free."""
        fields: dict[str, GraphQLField] = getattr(kind, "fields", {})
        total = 0
        for inner in node.selection_set.selections if node.selection_set else ():
            if not isinstance(inner, FieldNode) or inner.name.value not in ("edges", "nodes"):
                continue
            key = inner.alias.value if inner.alias else inner.name.value
            listed: Any = value.get(key) if isinstance(value, dict) else value
            item = get_named_type(fields[inner.name.value].type)
            if inner.name.value == "nodes":
                total += self._items(item, inner.selection_set, listed, asked)
            elif listed is UNKNOWN:
                total += asked * self._selections(item, inner.selection_set, UNKNOWN)
            else:
                total += sum(self._selections(item, inner.selection_set, edge) for edge in listed or ())
        return total


class Bucket:
    """The app's points in this shop: filled by the shop's clock, at a steady rate, up to a maximum."""

    def __init__(self, faults: Faults, clock: Callable[[], float]) -> None:
        self._faults, self._clock = faults, clock
        self._lock = threading.Lock()
        self._points = faults.cost_maximum
        self._filled_at = clock()

    def take(self, points: float) -> bool:
        """Pay in advance; False, and nothing is taken, if there is too little."""
        with self._lock:
            self._fill()
            if points > self._points:
                return False
            self._points -= points
            return True

    def give_back(self, points: float) -> None:
        with self._lock:
            self._points = min(self._faults.cost_maximum, self._points + points)

    def status(self) -> dict[str, float]:
        with self._lock:
            self._fill()
            return {
                "maximumAvailable": self._faults.cost_maximum,
                "currentlyAvailable": int(self._points),
                "restoreRate": self._faults.cost_restore,
            }

    def _fill(self) -> None:
        now = self._clock()
        # A clock that is set back takes nothing away.
        earned = max(0.0, now - self._filled_at) * self._faults.cost_restore
        self._points = min(self._faults.cost_maximum, self._points + earned)
        self._filled_at = now
