"""Shopify's search syntax, as far as customers and orders are searched by it here: terms joined by AND or blanks."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from onewriter.sandbox.customer import number_of

DAY_S = 86_400
_TERM = re.compile(r"""(?P<field>\w+):(?P<op><=|>=|<|>|)(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<bare>\S+))""")


def _text(name: str) -> Callable[[Any], str]:
    return lambda record: (getattr(record, name) or "").casefold()


_CUSTOMER_TEXTS = ("email", "phone", "first_name", "last_name", "state")
_ORDER_TEXTS = ("email", "name", "financial_status")
_TEXTS = {name: _text(name) for name in (*_CUSTOMER_TEXTS, *_ORDER_TEXTS)}
_IDS = {"id": ("Customer", "Order"), "customer_id": ("Customer",)}
COUNTED = frozenset({"created_at", "updated_at", "id"})
_NUMBERS = COUNTED | {"processed_at", "customer_id"}
SEARCHED = COUNTED | {*_CUSTOMER_TEXTS, "tag"}
ORDERS_SEARCHED = _NUMBERS | {*_ORDER_TEXTS}


class BadSearch(ValueError):
    """The sandbox refuses what it would have to guess, where Shopify might answer something."""


@dataclass(frozen=True, slots=True)
class Condition:
    field: str
    low: int | None
    high: int | None
    text: str = ""

    def holds(self, record: Any) -> bool:
        if self.field in _NUMBERS:
            value: int | None = getattr(record, self.field)
            if value is None:
                return False
            return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        if self.field == "tag":
            return self.text in (tag.casefold() for tag in record.tags)
        return _TEXTS[self.field](record) == self.text


@dataclass(frozen=True, slots=True)
class Search:
    """All conditions must hold. `ignored` names the filters that were silently left out, as Shopify does."""

    conditions: tuple[Condition, ...] = ()
    ignored: tuple[str, ...] = ()

    def holds(self, record: Any) -> bool:
        return all(condition.holds(record) for condition in self.conditions)

    def range_of(self, field: str) -> tuple[int | None, int | None]:
        """The narrowest bounds, both inclusive, that the conditions set for one number."""
        lows = [each.low for each in self.conditions if each.field == field and each.low is not None]
        highs = [each.high for each in self.conditions if each.field == field and each.high is not None]
        return max(lows, default=None), min(highs, default=None)


def parse(query: str | None, supported: frozenset[str] = SEARCHED) -> Search:
    """Read a search. A filter outside `supported` is ignored and named; text without a field is refused."""
    conditions, ignored = [], []
    rest = (query or "").strip()
    while rest:
        if rest.split(None, 1)[0] == "AND":
            rest = rest[3:].lstrip()
            continue
        term = _TERM.match(rest)
        if term is None:
            raise BadSearch(f"The sandbox does not understand the search {rest!r}")
        rest = rest[term.end() :].lstrip()
        if term["field"] in supported:
            conditions.append(_condition(term))
        else:
            ignored.append(term["field"])
    return Search(tuple(conditions), tuple(ignored))


def _condition(term: re.Match[str]) -> Condition:
    value = next(text for text in (term["single"], term["double"], term["bare"]) if text is not None)
    field = term["field"]
    if field not in _NUMBERS:
        if term["op"]:
            raise BadSearch(f"The filter {field!r} takes no comparison")
        return Condition(field, None, None, value.casefold())
    low, high = _id_bounds(field, value) if field in _IDS else _time_bounds(value)
    return Condition(field, *_compared(term["op"], low, high))


def _compared(op: str, low: int, high: int) -> tuple[int | None, int | None]:
    """Bounds of a comparison with a value that itself spans from low to high (a date without a time is a day)."""
    match op:
        case ">":
            return high + 1, None
        case ">=":
            return low, None
        case "<":
            return None, low - 1
        case "<=":
            return None, high
        case _:
            return low, high


def _id_bounds(field: str, value: str) -> tuple[int, int]:
    number = next((found for kind in _IDS[field] if (found := number_of(kind, value)) is not None), None)
    if number is None:
        raise BadSearch(f"{value!r} is no id")
    return number, number


def _time_bounds(value: str) -> tuple[int, int]:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise BadSearch(f"{value!r} is no time") from error
    start = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return start, start + (DAY_S - 1 if len(value) == len("2026-01-01") else 0)
