"""What a resolver may use: the shop, its bulk operations, and the answer's extensions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from graphql import GraphQLError

from onewriter.sandbox.bulk import Operations
from onewriter.sandbox.customer import number_of
from onewriter.sandbox.normalise import Mistake
from onewriter.sandbox.shop import Shop


@dataclass(slots=True)
class Call:
    """One request to the Admin API. `base_url` is where the caller reached us: file links must lead there too."""

    shop: Shop
    operations: Operations
    base_url: str
    extensions: dict[str, Any] = field(default_factory=dict)

    def need(self, scope: str, name: str) -> None:
        if self.shop.access.missing(scope):
            message = f"Access denied for {name} field. Required access: `{scope}` access scope."
            documentation = "https://shopify.dev/api/usage/access-scopes"
            denied = {
                "code": "ACCESS_DENIED",
                "documentation": documentation,
                "requiredAccess": f"`{scope}` access scope.",
            }
            raise GraphQLError(message, extensions=denied)


def number_in(kind: str, identifier: str) -> int:
    """The number of a gid. Shopify refuses an id of another type at the top level, not as a user error."""
    number = number_of(kind, identifier)
    if number is None:
        raise GraphQLError(f"Invalid id: {identifier}", extensions={"code": "RESOURCE_NOT_FOUND"})
    return number


def seconds_of(text: str | None) -> int | None:
    return None if text is None else int(datetime.fromisoformat(text).timestamp())


def errors_of(mistakes: tuple[Mistake, ...]) -> list[Mapping[str, Any]]:
    return [
        {"field": list(mistake.field) if mistake.field else None, "message": mistake.message, "code": mistake.code}
        for mistake in mistakes
    ]
