"""Many at a time: by id and by pages, as many as Shopify lets one query cost, and which error is about which one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from onewriter.errors import ShopifyRefused
from onewriter.records import SECOND, Instant, parse_instant
from onewriter.shopify.client import AdminClient, Answer, CostTooHigh, QueryError

CUSTOMER, ORDER = "Customer", "Order"
CLOCK_APART: Instant = 2 * SECOND
"""How far our clock and Shopify's may seem apart and be the same: its Date header ticks in whole seconds."""


@dataclass(frozen=True, slots=True, repr=False)
class Node:
    """What an answer has in one place, which is personal, and the errors that are about it."""

    number: int
    """The id that was asked for."""
    value: Any
    """Its JSON; None where nothing is shown."""
    inside: tuple[QueryError, ...]
    """Errors of this one."""
    above: tuple[QueryError, ...]
    """Errors that may be about any of the answer."""

    @property
    def hidden_by(self) -> str | None:
        """Of one that is not shown, the code of the error that hid it; None without an error: then it is not there."""
        errors = self.inside or self.above
        return errors[0].code if errors else None


def by_id(
    client: AdminClient, document: str, kind: str, ids: Sequence[int]
) -> Iterator[tuple[list[Node], Instant | None]]:
    """Nodes of that kind by id, each once, in portions, each with Shopify's clock when it was answered."""
    wanted = list(dict.fromkeys(ids))
    while wanted:

        def ask(many: int, left: Sequence[int] = wanted) -> Answer:
            return client.query(document, {"ids": [f"gid://shopify/{kind}/{number}" for number in left[:many]]})

        many, answer = _as_many(client, kind, len(wanted), ask)
        yield _placed(wanted[:many], answer), answer.date
        wanted = wanted[many:]


def _as_many(client: AdminClient, kind: str, most: int, ask: Callable[[int], Answer]) -> tuple[int, Answer]:
    """Ask for so many, or for as many as one query may cost; the client remembers that number."""
    many = min(most, client.at_once[kind])
    while True:
        try:
            return many, ask(many)
        except CostTooHigh:
            if many == 1:
                raise
            many = client.at_once[kind] = many // 2


def _placed(batch: Sequence[int], answer: Answer) -> list[Node]:
    values = answer.data.get("nodes")
    if not isinstance(values, list) or len(values) != len(batch):
        raise ShopifyRefused("Shopify answered another number of nodes than was asked for.")
    above, inside = errors_by_place(answer.errors, 1)
    return [
        Node(number, value, tuple(inside.get(place, ())), tuple(above))
        for place, (number, value) in enumerate(zip(batch, values, strict=True))
    ]


def errors_by_place(errors: Sequence[QueryError], at: int) -> tuple[list[QueryError], dict[int, list[QueryError]]]:
    """The errors that may concern any node, and those of each node by its place in the list, told at `at` in a path."""
    above: list[QueryError] = []
    inside: dict[int, list[QueryError]] = {}
    for error in errors:
        place = error.path[at] if len(error.path) > at else None
        if isinstance(place, int):
            inside.setdefault(place, []).append(error)
        else:
            above.append(error)
    return above, inside


def by_shopify(began: Instant, date: Instant | None, now: Instant) -> Instant:
    """When a read began, by Shopify's clock where ours is off.

    Reads are ordered among themselves and with bulk operations, whose times are Shopify's; ours may be moved between.
    """
    if date is None or abs(now - date) <= CLOCK_APART:
        return began
    return began + date - now


# ---- Pages ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Listed:
    """One page of a list, as it was answered."""

    nodes: list[Any]
    errors: tuple[QueryError, ...]
    after: str | None
    """The cursor behind the page; None when it was the last."""
    newest: Instant | None
    """When the last of the page was changed."""
    date: Instant | None
    """Shopify's clock when it answered."""


def listed(
    client: AdminClient, document: str, kind: str, most: int, *, search: str | None, after: str | None
) -> Listed:
    """Up to `most` of a list, or as many as Shopify lets one query cost.

    A cursor that Shopify does not take is a ShopifyRefused.
    """

    def ask(many: int) -> Answer:
        return client.query(document, {"first": many, "after": after, "search": search})

    _many, answer = _as_many(client, kind, most, ask)
    name = f"{kind.lower()}s"
    connection = answer.part(name)
    nodes, info = connection.get("nodes"), connection.get("pageInfo")
    if not isinstance(nodes, list) or not isinstance(info, dict):
        raise ShopifyRefused(f"Shopify answered a page of {name} in a form that we cannot read.")
    behind = info.get("endCursor") if info.get("hasNextPage") else None
    if info.get("hasNextPage") and (not behind or behind == after):
        raise ShopifyRefused(f"Shopify says that there are more {name} but not where they begin.")
    return Listed(nodes, answer.errors, behind, _newest(nodes), answer.date)


def _newest(nodes: Sequence[Any]) -> Instant | None:
    told = [node["updatedAt"] for node in nodes if isinstance(node, dict) and isinstance(node.get("updatedAt"), str)]
    try:
        return parse_instant(told[-1]) if told else None
    except ValueError:
        return None


class Turned(Protocol):
    """A page of a walk."""

    @property
    def after(self) -> str | None:
        """The cursor behind it."""
        ...

    @property
    def newest(self) -> Instant | None:
        """When the last of it was changed."""
        ...


P = TypeVar("P", bound=Turned)


def turn(
    read: Callable[[Instant | None, str | None], P], state: Mapping[str, Any], since: Instant | None
) -> tuple[P, dict[str, Any]]:
    """The next page of a walk by `updated_at`, and the state that it was read from.

    A cursor does not live for ever. The second that it stood in is read again from its beginning, once.
    """
    since, after = state.get("since", since), state.get("after")
    try:
        return read(since, after), dict(state)
    except CostTooHigh:
        raise
    except ShopifyRefused:
        newest = state.get("newest")
        if after is None or newest is None or newest == state.get("taken_again"):
            raise
        start = without(state, "after") | {"since": newest, "taken_again": newest}
        return read(newest, None), start


def behind(page: Turned, state: Mapping[str, Any]) -> dict[str, Any]:
    """The state behind a page; at the end without the cursor, in which Shopify writes an id."""
    if page.after is not None:
        return {**state, "after": page.after, "newest": page.newest or state.get("newest")}
    return without(state, "after", "since", "newest", "taken_again") | {"over": True}


def without(state: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The state without these names."""
    return {name: value for name, value in state.items() if name not in names}
