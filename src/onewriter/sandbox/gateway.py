"""One GraphQL request from bytes to answer: parse, price, pay, execute, give back what was not used."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    execute_sync,
    get_operation_ast,
    get_variable_values,
    parse,
    validate,
)
from graphql.execution import VariableValues

from onewriter.sandbox.bulk import Operations
from onewriter.sandbox.call import Call
from onewriter.sandbox.cost import Bucket, Meter
from onewriter.sandbox.schema import schema
from onewriter.sandbox.shop import Shop

Answer = dict[str, Any]


class Request(msgspec.Struct):
    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None


@dataclass(slots=True)
class Priced:
    operation: OperationDefinitionNode
    meter: Meter
    requested: int


class Gateway:
    """The Admin API of one shop, behind its one bucket of points."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.schema = schema()
        self.operations = Operations(shop, self.schema)
        self.bucket = Bucket(shop.faults, shop.clock)

    def answer(self, body: bytes, base_url: str) -> Answer:
        """Answer the body of one request. `base_url` is where the links to files are to lead."""
        self.shop.tick()
        try:
            request = msgspec.json.decode(body, type=Request)
            document = parsed(request.query)
            priced = self._priced(request, document)
        except msgspec.DecodeError as error:
            return refusal(f"The request is no GraphQL request: {error}", "BAD_REQUEST")
        except GraphQLErrors as refused:
            return {"errors": [error.formatted for error in refused.errors]}
        if priced.requested > self.shop.faults.cost_query_limit:
            return self._too_dear(priced.requested)
        if not self.bucket.take(priced.requested):
            return refusal("Throttled", "THROTTLED") | {"extensions": {"cost": self._cost(priced.requested, None)}}
        return self._executed(request, document, priced, base_url)

    def _priced(self, request: Request, document: DocumentNode) -> Priced:
        operation = get_operation_ast(document, request.operationName)
        if operation is None:
            raise GraphQLErrors([GraphQLError("An operation name is required")])
        values = get_variable_values(self.schema, operation.variable_definitions or (), request.variables or {})
        if not isinstance(values, VariableValues):
            raise GraphQLErrors([_invalid_variable(error) for error in values])
        meter = Meter(self.schema, document, values)
        return Priced(operation, meter, meter.measure(operation))

    def _executed(self, request: Request, document: DocumentNode, priced: Priced, base_url: str) -> Answer:
        call = Call(self.shop, self.operations, base_url)
        result = execute_sync(
            self.schema,
            document,
            context_value=call,
            variable_values=request.variables,
            operation_name=request.operationName,
        )
        actual = min(priced.requested, priced.meter.measure(priced.operation, result.data))
        self.bucket.give_back(priced.requested - actual)
        answer: Answer = {"data": result.data}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        return answer | {"extensions": {"cost": self._cost(priced.requested, actual), **call.extensions}}

    def _cost(self, requested: int, actual: int | None) -> Answer:
        return {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": self.bucket.status()}

    def _too_dear(self, requested: int) -> Answer:
        limit = self.shop.faults.cost_query_limit
        message = f"Query cost is {requested}, which exceeds the single query max cost limit ({limit})."
        answer = refusal(message, "MAX_COST_EXCEEDED")
        answer["errors"][0]["extensions"] |= {"cost": requested, "maxCost": limit}
        return answer


class GraphQLErrors(Exception):
    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@lru_cache(maxsize=512)
def parsed(text: str) -> DocumentNode:
    """A valid document; remembered, since an app sends the same few queries over and over."""
    try:
        document = parse(text)
    except GraphQLError as error:
        raise GraphQLErrors([error]) from error
    errors = validate(schema(), document)
    if errors:
        raise GraphQLErrors(errors)
    return document


def refusal(message: str, code: str) -> Answer:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def _invalid_variable(error: GraphQLError) -> GraphQLError:
    return GraphQLError(error.message, nodes=error.nodes, extensions={"code": "INVALID_VARIABLE"})
