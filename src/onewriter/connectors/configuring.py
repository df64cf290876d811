"""Whether a configuration fits the schema of its kind, and what a typed setting means by it.

A kind's schema is one object of simple settings, so that a few rules of JSON schema say all of it. No message holds a
value: a setting may be a secret.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from onewriter.errors import BadSetting

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
WORDS: Mapping[str, str] = {
    "string": "a text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "a table of settings",
}  # fmt: skip
"""The types in words."""
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}


def is_secret(spec: Mapping[str, Any], name: str) -> bool:
    """True for a setting that nobody may see: a password, a token, an address with a password in it."""
    return bool(spec.get("properties", {}).get(name, {}).get("writeOnly"))


def refuse_unfit(kind: str, spec: Mapping[str, Any], configuration: Mapping[str, Any]) -> None:
    """Raise BadSetting, with the name of the setting, for the first thing that does not fit."""
    known: Mapping[str, Any] = spec.get("properties", {})
    for name in configuration:
        if name not in known and spec.get("additionalProperties") is False:
            raise BadSetting(f"A system of the kind {kind} has no setting {name}; there are: {', '.join(known)}.")
    for name in spec.get("required", ()):
        if configuration.get(name) in (None, ""):
            how = f"--secret {name}=@FILE" if is_secret(spec, name) else f"--set {name}=VALUE"
            raise BadSetting(
                f"A system of the kind {kind} needs the setting {name}; give it in the file, or with {how}."
            )
    for name, value in configuration.items():
        if value is not None and name in known and not fits(known[name], value):
            wanted = " or ".join(_types_in_words(known[name])) or "a value"
            raise BadSetting(
                f"The setting {name} of a system of the kind {kind} must be {wanted} that fits: {told(known[name])}."
            )


def fits(schema: Mapping[str, Any], value: Any) -> bool:
    """True for a value that the schema of one setting allows."""
    named = schema.get("type")
    types = [named] if isinstance(named, str) else list(named or ())
    if types and not any(_is_of(each, value) for each in types):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    match value:
        case str():
            return _within(schema, "Length", len(value)) and re.search(schema.get("pattern", ""), value) is not None
        case bool():
            return True
        case int() | float():
            return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
        case list():
            items = schema.get("items", {})
            return _within(schema, "Items", len(value)) and all(fits(items, each) for each in value)
    return True


def _is_of(name: str, value: Any) -> bool:
    is_number = name in ("integer", "number")
    return isinstance(value, _TYPES.get(name, (object,))) and not (is_number and isinstance(value, bool))


def _within(schema: Mapping[str, Any], what: str, count: int) -> bool:
    return bool(schema.get(f"min{what}", 0) <= count <= schema.get(f"max{what}", count))


def told(schema: Mapping[str, Any]) -> str:
    """What a setting takes, in words."""
    parts = [str(schema["description"]).rstrip(".")] if "description" in schema else []
    if "enum" in schema:
        parts.append(f"one of {', '.join(map(str, schema['enum']))}")
    if "minimum" in schema and "maximum" in schema:
        parts.append(f"from {schema['minimum']:,} to {schema['maximum']:,}")
    named = schema.get("type")
    if not parts or "minimum" in schema or named in ("boolean", "array"):
        parts += _types_in_words(schema)
    return ", ".join(parts) or "it is of another form"


def _types_in_words(schema: Mapping[str, Any]) -> list[str]:
    named = schema.get("type")
    kinds = [named] if isinstance(named, str) else list(named or ())
    return [WORDS.get(each, f"a value of type {each}") for each in kinds]


def typed(schema: Mapping[str, Any], given: str) -> Any:
    """What somebody typed for a setting, as the type that its schema names; what does not fit is refused later."""
    named = schema.get("type")
    if named == "boolean":
        return _FLAGS.get(given.strip().lower(), given)
    if named in ("integer", "number"):
        return int(given) if re.fullmatch(r"-?\d{1,15}", given.strip()) else given
    if named == "array" and not given.lstrip().startswith("["):
        return [each.strip() for each in given.split(",") if each.strip()]
    if named in ("array", "object"):
        try:
            return json.loads(given)
        except ValueError:
            return given
    return given
