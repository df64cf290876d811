"""What the shop makes of metafields: whose namespace it is, which values fit a type, and what is refused.

A namespace that begins with `$app:` belongs to the app that asks, and is kept under the app's own number.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from onewriter.sandbox.customer import Customer, Metafield
from onewriter.sandbox.normalise import Mistake, Refused

APP = "app--1"
"""What `$app` stands for: there is one app in the sandbox, and its number is 1."""
INPUT_MAX = 25
SINGLE_LINE = "single_line_text_field"
TEXT_MAX = 65_536
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Given = Mapping[str, Any]
Name = tuple[str, str]


def resolved(namespace: str | None) -> str:
    """The namespace as it is kept; one that is left out is the app's own."""
    if namespace is None or namespace == "$app":
        return APP
    return f"{APP}--{namespace[5:]}" if namespace.startswith("$app:") else namespace


def merged(record: Customer, given: Iterable[Given], ids: Iterator[int], now: int) -> tuple[Metafield, ...]:
    """The customer's metafields by name: those given replace or join, the others stay."""
    kept = {(each.namespace, each.key): each for each in record.metafields}
    for place, each in enumerate(given):
        name = (resolved(each.get("namespace")), str(each["key"]))
        old = kept.get(name)
        kind = _kind(old, each, place)
        value = _fitting(kind, str(each["value"]), place)
        if old is not None and old.value == value:
            continue
        number, created = (old.id, old.created_at) if old else (next(ids), now)
        kept[name] = Metafield(number, *name, kind, value, created, now)
    return tuple(kept.values())


def without(record: Customer, names: Iterable[Name]) -> Customer:
    """The customer without these metafields."""
    gone = set(names)
    return replace(record, metafields=tuple(m for m in record.metafields if (m.namespace, m.key) not in gone))


def _kind(old: Metafield | None, each: Given, place: int) -> str:
    asked = each.get("type")
    if not NAME.fullmatch(str(each["key"])):
        raise Refused(Mistake(_at(place, "key"), "Key contains one or more invalid characters.", "INVALID"))
    if old is not None and asked and asked != old.type:
        raise Refused(Mistake(_at(place, "type"), f"Type must be consistent with the type {old.type}", "INVALID_TYPE"))
    kind = str(asked or (old.type if old else SINGLE_LINE))
    if kind.removeprefix("list.") not in FITS:
        raise Refused(Mistake(_at(place, "type"), "Type is not included in the list", "INVALID_TYPE"))
    return kind


def _fitting(kind: str, value: str, place: int) -> str:
    if not value.strip():
        raise Refused(Mistake(_at(place, "value"), "Value may not be empty", "BLANK"))
    if len(value) > TEXT_MAX:
        raise Refused(Mistake(_at(place, "value"), "Value is too long", "TOO_LONG"))
    fits = _is_list if kind.startswith("list.") else FITS[kind]
    if not fits(value):
        raise Refused(Mistake(_at(place, "value"), f"Value is not of the type {kind}", "INVALID_VALUE"))
    return value


def _at(place: int, key: str) -> tuple[str, ...]:
    return ("metafields", str(place), key)


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def _is_list(value: str) -> bool:
    return _is_json(value) and isinstance(json.loads(value), list)


FITS: dict[str, Callable[[str], bool]] = {
    "boolean": lambda value: value in ("true", "false"),
    "date": lambda value: bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", value)),
    "date_time": lambda value: bool(re.match(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}", value)),
    "json": _is_json,
    "multi_line_text_field": lambda value: True,
    "number_decimal": lambda value: bool(re.fullmatch(r"-?\d+(\.\d+)?", value)),
    "number_integer": lambda value: bool(re.fullmatch(r"-?\d{1,16}", value)),
    SINGLE_LINE: lambda value: "\n" not in value,
}
"""Of each type that the sandbox knows, which values it takes."""
