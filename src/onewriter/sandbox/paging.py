"""Pages of customers and orders: how they are sorted, cursors, filters, and the index that lags behind the shop."""

import base64
import binascii
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import msgspec
from graphql import GraphQLError

from onewriter.sandbox import search
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.held import R
from onewriter.sandbox.search import Search
from onewriter.sandbox.shop import Shop

PAGE_MAX = 250
Key = tuple[Any, int]
# What no index is kept of is sorted when it is asked for.
SORTED: dict[str, Callable[[Any], Any]] = {
    "NAME": lambda customer: f"{customer.last_name or ''}, {customer.first_name or ''}",
    "PROCESSED_AT": lambda order: order.processed_at,
}


@dataclass(frozen=True, slots=True)
class Edge:
    cursor: str
    node: Any


@dataclass(frozen=True, slots=True)
class PageInfo:
    has_next: bool
    has_previous: bool
    start: str | None
    end: str | None


@dataclass(frozen=True, slots=True)
class Page:
    edges: list[Edge]
    info: PageInfo


def bad_request(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})


def bad_cursor() -> GraphQLError:
    return bad_request("Invalid cursor for current pagination sort.")


def size(first: int | None, last: int | None) -> int:
    if first is None and last is None:
        raise bad_request("you must provide one of first or last")
    asked = first if first is not None else last
    if asked is None or not 0 <= asked <= PAGE_MAX:
        raise bad_request(f"A page holds between 0 and {PAGE_MAX} items, not {asked}")
    return asked


def understood(query: str | None, supported: frozenset[str] = search.SEARCHED) -> Search:
    try:
        return search.parse(query, supported)
    except search.BadSearch as error:
        raise bad_request(str(error)) from error


def keep_filters_known(found: Search, query: str | None, extensions: dict[str, Any], path: str) -> None:
    """What Shopify says of a filter that it left out: a warning beside the data, and nothing else."""
    if found.ignored:
        warnings = [
            {"field": field, "message": "Invalid search field for this query.", "code": "invalid_field"}
            for field in found.ignored
        ]
        extensions.setdefault("search", []).append({"path": [path], "query": query, "warnings": warnings})


def anything(record: object) -> bool:
    return True


def page(
    shop: Shop,
    kind: type[R],
    found: Search,
    *,
    shown: Callable[[R], bool] = anything,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    reverse: bool = False,
    sort: str = "ID",
) -> Page:
    """One page of what is `shown` to the app. The walk goes up or down, whichever end the page hangs on."""
    asked = size(first, last)
    with shop.lock:
        line = _Line.of(shop, kind, sort, found)
        low, high = line.window(found, *((before, after) if reverse else (after, before)))
        up = (first is not None) != reverse
        matches = line.matches(found, range(low, high) if up else range(high - 1, low - 1, -1), shown)
        taken = [match for _, match in zip(range(asked + 1), matches, strict=False)]
    more, taken = len(taken) > asked, taken[:asked]
    if first is None:
        taken.reverse()
    edges = [Edge(cursor_of(key), record) for key, record in taken]
    behind = bool(after if first is not None else before)
    return Page(edges, page_info(edges, *((more, behind) if first is not None else (behind, more))))


def page_info(edges: list[Edge], has_next: bool, has_previous: bool) -> PageInfo:
    start, end = (edges[0].cursor, edges[-1].cursor) if edges else (None, None)
    return PageInfo(has_next, has_previous, start, end)


def selected(shop: Shop, found: Search) -> Iterator[Customer]:
    """Every customer that a search finds, in the order of ids."""
    with shop.lock:
        line = _Line.of(shop, Customer, "ID", found)
        return iter([record for _, record in line.matches(found, range(len(line.keys)), anything)])


def listed(items: Sequence[Any], first: int | None = None, last: int | None = None, after: str | None = None) -> Page:
    """A page of a short list, where the cursor is the place in it."""
    asked = size(first, last)
    start = (key_of(after)[1] + 1 if after else 0) if last is None else max(0, len(items) - asked)
    edges = [Edge(cursor_of((place, place)), item) for place, item in enumerate(items)][start : start + asked]
    return Page(edges, page_info(edges, start + asked < len(items), start > 0))


def cursor_of(key: Key) -> str:
    text = msgspec.json.encode({"last_id": key[1], "last_value": str(key[0]) if isinstance(key[0], int) else key[0]})
    return base64.b64encode(text).decode()


def key_of(cursor: str) -> Key:
    try:
        read = msgspec.json.decode(base64.b64decode(cursor, validate=True))
        value = read["last_value"]
        return (int(value) if value.isdigit() else value), int(read["last_id"])
    except (binascii.Error, msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise bad_cursor() from error


@dataclass(frozen=True, slots=True)
class _Line(Generic[R]):
    """Records one after the other: `keys` are ids, or pairs of a value and an id.

    `stale` is what the search index still holds of customers that changed a moment ago. A search goes by the index, in
    what it finds and in the order of it.
    """

    keys: Sequence[Any]
    field: str
    records: Mapping[int, R]
    stale: dict[int, R | None]

    @classmethod
    def of(cls, shop: Shop, kind: type[R], sort: str, found: Search) -> "_Line[R]":
        """The caller holds the lock of the shop; whatever was due there is done once this returns, and nothing more."""
        held, lag = shop.listed(kind), shop.faults.search_lag
        records, stale = held.by_id, held.unindexed(shop.clock() - lag) if found.conditions and lag else {}
        if sort == "UPDATED_AT":
            return cls(_as_indexed(held.by_update(), records, stale), "updated_at", records, stale)
        if sort in SORTED:
            value = SORTED[sort]
            return cls(sorted((value(each), each.id) for each in records.values()), sort.lower(), records, stale)
        # Ids rise with time, so whoever sorts by creation sorts by ids.
        return cls(held.ids, "id", records, stale)

    def pair(self, key: Any) -> Key:
        return (key, key) if self.field == "id" else key

    def window(self, found: Search, after: str | None, before: str | None) -> tuple[int, int]:
        """The places between two cursors, narrowed by what the search asks of the field that we are ordered by."""
        low = bisect_right(self.keys, self._own(after)) if after else 0
        high = bisect_left(self.keys, self._own(before)) if before else len(self.keys)
        if self.field != "name":
            least, most = found.range_of(self.field)
            low = max(low, bisect_left(self.keys, self._bound(least))) if least is not None else low
            high = min(high, bisect_left(self.keys, self._bound(most + 1))) if most is not None else high
        return low, max(low, high)

    def _own(self, cursor: str) -> Any:
        value, number = key_of(cursor)
        if self.field == "id":
            return number
        if isinstance(value, int) == (self.field == "name"):
            raise bad_cursor()
        return value, number

    def _bound(self, value: int) -> Any:
        return value if self.field == "id" else (value, 0)

    def matches(self, found: Search, places: range, shown: Callable[[R], bool]) -> Iterator[tuple[Key, R]]:
        """A search judges what its index holds, which may be old; what is returned is always fresh."""
        for place in places:
            pair = self.pair(self.keys[place])
            record = self.records[pair[1]]
            seen = self.stale.get(record.id, record)
            if seen is not None and found.holds(seen) and shown(record):
                yield pair, record


def _as_indexed(
    keys: list[tuple[int, int]], records: Mapping[int, R], stale: Mapping[int, R | None]
) -> list[tuple[int, int]]:
    """The order by update as the index has it: who changed since stands where they stood, who is new stands nowhere."""
    if not stale:
        return keys
    indexed = list(keys)
    for number, seen in stale.items():
        if number in records:
            del indexed[bisect_left(indexed, (records[number].updated_at, number))]
            if seen is not None:
                insort(indexed, (seen.updated_at, number))
    return indexed
