"""The configuration of an SQL table as a connected system."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import URL

from onewriter.connectors.sql_place import place
from onewriter.errors import BadSetting

_NAME = {"type": "string", "minLength": 1, "maxLength": 128}

SPEC: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A table or view in an SQL database",
    "type": "object",
    "additionalProperties": False,
    "required": ["url", "table", "key"],
    "properties": {
        "url": {
            "type": "string",
            "writeOnly": True,
            "maxLength": 2000,
            "description": "Where the database is: postgresql://USER:PASSWORD@HOST/NAME, mysql://..., sqlite:////FILE.",
        },
        "schema": _NAME | {"description": "The schema of the table, where it is not the user's own."},
        "table": _NAME | {"description": "The table, or a view that only reads."},
        "key": _NAME | {"description": "The column that names a row for ever."},
        "updated": _NAME | {"description": "The column with the time, or number, of the last change."},
        "created": _NAME | {"description": "The column with the time of creation, for rows never changed since."},
        "version": _NAME | {"description": "A column that is another after each change; writes are refused by it."},
        "deleted": _NAME | {"description": "A column that is filled, or true, in rows that count as deleted."},
        "lookup": {
            "type": "array",
            "items": _NAME,
            "maxItems": 10,
            "description": "Columns by which rows can be looked up, beside those that are unique: an e-mail, a number.",
        },
        "overlap_s": {
            "type": "integer",
            "minimum": 0,
            "maximum": 604_800,
            "default": 300,
            "description": "Seconds by which each reading steps back, for transactions that commit late.",
        },
        "lock_s": {
            "type": "integer",
            "minimum": 1,
            "maximum": 60,
            "default": 5,
            "description": "Seconds that a write waits for somebody else's lock before it is left for later.",
        },
        "zone": {
            "type": "string",
            "default": "UTC",
            "maxLength": 64,
            "description": "The time zone of times that carry none, such as Europe/Berlin.",
        },
        "touch": {
            "type": "boolean",
            "default": False,
            "description": "Whether our writes also set `updated` to now and add one to `version`.",
        },
        "blank": {
            "type": "boolean",
            "default": False,
            "description": "Whether an empty text is written as '' where a column does not take NULL.",
        },
        "creates": {"type": "boolean", "default": True, "description": "Whether new rows may be made."},
        "page_rows": {
            "type": "integer",
            "minimum": 2,
            "maximum": 10_000,
            "default": 1000,
            "description": "Rows that are read at once.",
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlSettings:
    """The same, read. The url is not in its representation."""

    url: URL = field(repr=False)
    table: str
    key: str
    schema: str | None = None
    updated: str | None = None
    created: str | None = None
    version: str | None = None
    deleted: str | None = None
    lookup: tuple[str, ...] = ()
    overlap_s: int = 300
    lock_s: int = 5
    zone: tzinfo = UTC
    touch: bool = False
    blank: bool = False
    creates: bool = True
    page_rows: int = 1000

    @property
    def service(self) -> tuple[str, ...]:
        """The columns that we need for ourselves, and that no mapping may write."""
        named = (self.key, self.updated, self.created, self.version, self.deleted)
        return tuple(dict.fromkeys(name for name in named if name is not None))


def settings(configuration: Mapping[str, Any]) -> SqlSettings:
    """The settings in a configuration; raises BadSetting, without the value, for what does not fit."""
    known = SPEC["properties"]
    for name in configuration:
        if name not in known:
            raise BadSetting(f"A system of the kind sql has no setting {name}; there are: {', '.join(known)}.")
    for name in SPEC["required"]:
        if not isinstance(configuration.get(name), str) or not configuration[name]:
            raise BadSetting(f"A system of the kind sql needs the setting {name}.")
    given = {name: value for name, value in configuration.items() if value is not None}
    for name, value in given.items():
        _require_form(name, value, known[name])
    zone = _zone(given.pop("zone", "UTC"))
    lookup = tuple(given.pop("lookup", ()))
    return SqlSettings(**{**given, "url": place(given["url"]), "zone": zone, "lookup": lookup})


def _require_form(name: str, value: Any, schema: Mapping[str, Any]) -> None:
    """Raise BadSetting unless the value has the type and the limits that the spec gives it."""
    types = {"string": str, "integer": int, "boolean": bool, "array": list}
    fits = isinstance(value, types[schema["type"]]) and not (schema["type"] == "integer" and isinstance(value, bool))
    if fits and schema["type"] == "string":
        fits = 0 < len(value) <= schema["maxLength"]
    if fits and schema["type"] == "integer":
        fits = schema["minimum"] <= value <= schema["maximum"]
    if fits and schema["type"] == "array":
        named = all(isinstance(each, str) and 0 < len(each) <= 128 for each in value)
        fits = named and len(value) <= schema["maxItems"]
    if not fits:
        raise BadSetting(
            f"The setting {name} of a system of the kind sql does not fit: {schema.get('description', name)}"
        )


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSetting("The setting zone names no time zone; one is Europe/Berlin.") from None
