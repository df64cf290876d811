"""Whether one system can take part in a field as its mapping says: names, transforms, words, lengths and rights.

Each problem is one sentence with the next step. What a system said of its own fields is believed; of a system that was
never asked nothing is known, and only what the mapping says by itself is looked at.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from onewriter.records import FIELDS
from onewriter.rules.identity.numbering import is_supported
from onewriter.rules.policy import (
    ADDRESS_PART,
    ADDRESS_PARTS,
    CONSENTS,
    CUSTOM,
    POINTS,
    SHOPIFY_ID,
    Direction,
    FieldMap,
    is_namespace,
)
from onewriter.rules.tags import is_tags
from onewriter.rules.transforms import OPTION_MAX, STATES, TRANSFORMS, Transform

Severity = Literal["error", "warning"]

CUSTOM_NAME = re.compile(r"custom\.[A-Za-z0-9_-]{2,64}")
"""As Shopify names the keys of metafields."""
NAMESPACE = re.compile(r"tags\[[^*,\[\]\x00-\x1f\x7f]{1,60}\*\]")
FILE = "file"
"""The kind of a system whose customers a person gives as a file."""
ENUM_MAX = 500
LENGTH_MAX = 65_536
READ = (Direction.IN, Direction.BOTH)
WRITTEN = (Direction.OUT, Direction.BOTH)


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """What is wrong with a policy, or not wise. `rule` names the rule that says so."""

    severity: Severity
    field: str | None
    system: str | None
    rule: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFact:
    """What a system said of one of its fields."""

    name: str
    type: str = "text"
    writable: bool = True
    clearable: bool = True
    max_length: int | None = None
    enum: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a system; `fields` is None while it was never asked."""

    kind: str
    fields: Mapping[str, RemoteFact] | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)


def facts(kind: str, discovered: Mapping[str, Any] | None) -> Facts:
    """The facts in what was kept of a system's own description of itself."""
    # Each file has its own columns, so that nothing is known of those of the next.
    if discovered is None or kind == FILE:
        return Facts(kind=kind)
    known = {}
    for each in discovered.get("fields", ()):
        enum = each.get("enum")
        known[each["name"]] = RemoteFact(
            name=each["name"],
            type=each.get("type", "text"),
            writable=each.get("writable", True),
            clearable=each.get("clearable", True),
            max_length=each.get("max_length"),
            enum=None if enum is None else tuple(enum),
        )
    return Facts(kind=kind, fields=known, capabilities=discovered.get("capabilities", {}))


# ---- What a field is ------------------------------------------------------------------------------------------------

_WRITES_TEXT = ("same", "lower", "upper", "ascii", "first_word", "digits", "integer", "date", "seconds", "json")
_SORTS: Mapping[str, tuple[str, ...]] = {
    "text": _WRITES_TEXT,
    "phone": ("same", "e164", "bare_e164", "national_phone", "digits"),
    "list": ("same", "joined", "json"),
    "consent": ("same", "json", "consent_state", "consent_flag"),
    "integer": ("same", "text"),
    "json": ("same", "json"),
    "any": tuple(name for name in TRANSFORMS if not name.startswith("consent_")),
}
"""The transforms that make sense for each sort of value."""

_HOLD: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "phone": ("text",),
    "list": ("list", "json"),
    "consent": ("json",),
    "integer": ("integer", "number"),
    "boolean": ("boolean",),
    "json": ("json",),
}
"""The types of field that can hold each sort."""


def is_known(name: str) -> bool:
    """True for every name that a field can have in a mapping."""
    part = name.removeprefix(ADDRESS_PART)
    return is_ownable(name) or name in (POINTS, SHOPIFY_ID) or (part != name and part in ADDRESS_PARTS)


def is_ownable(name: str) -> bool:
    """True for every field that a person can name an owner for."""
    return name in FIELDS or CUSTOM_NAME.fullmatch(name) is not None or _is_good_namespace(name)


def _is_good_namespace(name: str) -> bool:
    return is_namespace(name) and NAMESPACE.fullmatch(name) is not None


def sort_of(name: str) -> str:
    """What sort of value a field has, as far as transforms go."""
    if is_tags(name):
        return "list"
    if name in CONSENTS:
        return "consent"
    if name in ("phone", ADDRESS_PART + "phone"):
        return "phone"
    return {POINTS: "integer", "addresses": "json"}.get(name, "any" if name.startswith(CUSTOM) else "text")


# ---- One mapping ----------------------------------------------------------------------------------------------------


def mapping_problems(system: str, name: str, each: FieldMap, known: Facts) -> Iterator[PolicyProblem]:
    """What is wrong with how one system holds one field."""
    if not is_known(name):
        yield _error(name, system, "field", f"There is no field {name}; `onewriter fields show` lists those there are.")
        return
    transform = TRANSFORMS.get(each.transform)
    if transform is None:
        words = ", ".join(TRANSFORMS)
        yield _error(name, system, "transform", f"There is no transform {each.transform}; take one of {words}.")
        return
    yield from _transform_problems(system, name, each, transform)
    yield from _enum_problems(system, name, each)
    if each.max_length is not None and not 1 <= each.max_length <= LENGTH_MAX:
        text = f"max_length must be from 1 to {LENGTH_MAX:,} characters; leave it out where there is no limit."
        yield _error(name, system, "length", text)
    if known.fields is not None and each.direction is not Direction.NONE:
        yield from _remote_problems(system, name, each, transform, known.fields.get(each.remote))


def _error(name: str | None, system: str | None, rule: str, message: str) -> PolicyProblem:
    return PolicyProblem("error", name, system, rule, message)


def _warning(name: str | None, system: str | None, rule: str, message: str) -> PolicyProblem:
    return PolicyProblem("warning", name, system, rule, message)


def _transform_problems(system: str, name: str, each: FieldMap, transform: Transform) -> Iterator[PolicyProblem]:
    wrong = option_problem(transform, each.options)
    if wrong is not None:
        yield _error(name, system, "option", wrong)
    fitting = _SORTS[sort_of(name)]
    if transform.name not in fitting:
        text = f"The transform {transform.name} makes no sense for {name}; take one of {', '.join(fitting)}."
        yield _error(name, system, "transform", text)
    elif transform.lossy and each.direction in READ:
        yield _read_back(system, name, transform)


def _read_back(system: str, name: str, transform: Transform) -> PolicyProblem:
    if transform.inward is None:
        text = f"The transform {transform.name} loses a part, so {name} cannot be read back from {system}; "
        return _error(name, system, "lossy", text + "map it out only, or take a transform that leads back.")
    text = (
        f"{transform.name} tells no time and no source, so an opt-out in {system} counts here and an opt-in never does."
    )
    return _warning(name, system, "lossy", text)


def option_problem(transform: Transform, options: Mapping[str, Any]) -> str | None:
    """What is wrong with the options of a transform, in one sentence; None if nothing is."""
    unknown = [name for name in options if name not in transform.options]
    if unknown:
        there = f"it has {' and '.join(transform.options)}" if transform.options else "it has none"
        return f"The transform {transform.name} has no option {unknown[0][:OPTION_MAX]}; {there}."
    missing = [name for name in transform.needs if name not in options]
    if missing:
        return f"The transform {transform.name} needs its option {missing[0]}."
    for name, value in options.items():
        if not isinstance(value, str) or not 0 < len(value) <= OPTION_MAX:
            return f"The option {name} of {transform.name} must be a text of 1 to {OPTION_MAX} characters."
        if name in transform.choices and value not in transform.choices[name]:
            return f"The option {name} of {transform.name} must be one of {', '.join(transform.choices[name])}."
        if name == "country" and not is_supported(value):
            return f"The option country of {transform.name} must be a country of two capital letters, such as CH."
    if transform.name == "words" and _yes(options, "yes") == _yes(options, "no"):
        return "The options yes and no of words must differ."
    return None


def _yes(options: Mapping[str, Any], name: str) -> str:
    return str(options.get(name, name)).strip().casefold()


def _enum_problems(system: str, name: str, each: FieldMap) -> Iterator[PolicyProblem]:
    if each.enum is None:
        return
    if not 1 <= len(each.enum) <= ENUM_MAX:
        yield _error(
            name, system, "words", f"A map of words must have 1 to {ENUM_MAX} words; leave it out to map none."
        )
    if name in CONSENTS and not set(each.enum) <= set(STATES):
        yield _error(name, system, "words", f"The words of a consent are {', '.join(STATES)}; name no others of ours.")
    if each.direction in READ and len(set(each.enum.values())) < len(each.enum):
        text = (
            f"Two of our words become one in {system}, so {name} cannot be read back; map it out only, or one to one."
        )
        yield _error(name, system, "words", text)


# ---- Against what the system said -----------------------------------------------------------------------------------


def _remote_problems(
    system: str, name: str, each: FieldMap, transform: Transform, there: RemoteFact | None
) -> Iterator[PolicyProblem]:
    if there is None:
        text = f"{system} has no field {each.remote} that we may see; `onewriter systems show {system}` lists them."
        yield _error(name, system, "remote", text)
        return
    if each.direction in WRITTEN:
        yield from _right_problems(system, name, each, there)
    yield from _length_problems(system, name, each, there)
    yield from _word_problems(system, name, each, there)
    if not can_hold(name, each, transform, there):
        text = f"{each.remote} in {system} is of type {there.type}, which cannot hold {name} as it is mapped; "
        others = [one for one in _SORTS[sort_of(name)] if can_hold(name, each, TRANSFORMS[one], there)]
        take = f"take the transform {' or '.join(others)}, or" if others else "take"
        yield _error(name, system, "type", f"{text}{take} another field.")


def _right_problems(system: str, name: str, each: FieldMap, there: RemoteFact) -> Iterator[PolicyProblem]:
    if not there.writable:
        text = f"{system} does not let us write {each.remote}; grant that right there, or map {name} in or none."
        yield _error(name, system, "right", text)
    elif not there.clearable and each.empty == "clear":
        text = f'{each.remote} in {system} cannot be emptied, so an empty {name} would be parked; say empty = "keep".'
        yield _warning(name, system, "empty", text)


def _length_problems(system: str, name: str, each: FieldMap, there: RemoteFact) -> Iterator[PolicyProblem]:
    most = there.max_length
    # A field that holds more than a policy may name is as good as one without a limit.
    if most is None or most > LENGTH_MAX or each.direction not in WRITTEN:
        return
    if each.max_length is None:
        text = (
            f"{each.remote} in {system} holds {most} characters; say max_length = {most}, and longer ones are parked."
        )
        yield _warning(name, system, "length", text)
    elif each.max_length > most:
        text = f"{each.remote} in {system} holds {most} characters and not {each.max_length}; say max_length = {most}."
        yield _error(name, system, "length", text)


def _word_problems(system: str, name: str, each: FieldMap, there: RemoteFact) -> Iterator[PolicyProblem]:
    if there.enum is None or each.direction not in WRITTEN:
        return
    if each.enum is None:
        text = (
            f"{each.remote} in {system} takes only certain words; map ours to them, or what it does not know is parked."
        )
        yield _warning(name, system, "words", text)
    elif not set(each.enum.values()) <= set(there.enum):
        text = f"{each.remote} in {system} does not take every word of the map; it takes {', '.join(there.enum[:20])}."
        yield _error(name, system, "words", text)


def can_hold(name: str, each: FieldMap, transform: Transform, there: RemoteFact) -> bool:
    """Whether a field of that type can hold what the mapping writes there, or be read as what it reads."""
    if transform.makes == "date":
        form = each.options.get("format", "YYYY-MM-DD")
        return there.type == "text" or (there.type == "date" and form == "YYYY-MM-DD")
    if transform.name == "seconds":
        return there.type in ("integer", "number")
    sort = transform.makes or ("text" if each.enum is not None and not is_tags(name) else sort_of(name))
    return sort == "any" or there.type in _HOLD[sort]
