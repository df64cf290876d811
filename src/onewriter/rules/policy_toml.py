"""A policy as a file: TOML in, the policy out, and back.

A file is the whole policy: what it leaves out is gone. Nothing is guessed: an unknown key or a value of another kind
refuses the file, in one sentence that names the key. Whether the policy makes sense is asked of `ownership.problems`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import msgspec

from onewriter.errors import BadSetting
from onewriter.rules.policy import FieldMap, FieldRule, KeyRule, Policy, Shared
from onewriter.rules.toml_text import document, key, shown, unknown, written

FILE_BYTES_MAX = 262_144
FIELDS_MAX = 1_000
NAME_MAX = 100
ENTRIES_MAX = 500

_TOP = ("identity", "fields", "systems")
_MUST: Mapping[str, str] = {
    "owner": "the name of a system, or manual",
    "writers": 'a list of systems, such as ["crm"]',
    "conflict": '"owner wins", "newest wins" or "manual"',
    "same_identity_rule": "true or false",
    "extra_work_accepted_by": "a text: who accepts it",
    "why": "a text: the reason",
    "empty_overwrites": "true or false",
    "remote": "a text: what the system calls the field",
    "direction": '"in", "out", "both" or "none"',
    "transform": "a text: the name of a transform",
    "options": 'a table of texts, such as { country = "CH" }',
    "max_length": "a whole number of characters",
    "enum": "a table of texts: our word, and the system's",
    "empty": '"clear" or "keep"',
    "keys": 'a list such as ["id", "email", "phone"]',
    "soft_email": "true or false",
    "shared_by_max": "a whole number of records",
}
_PATH = re.compile(r"\$\.([a-z_]+)")
_TEXT_MAX = 500

Found = TypeVar("Found", FieldRule, FieldMap, KeyRule, Shared)


class BadPolicy(BadSetting):
    """A file is no policy, or the policy may not be set; the message names the key and what it must be."""


# ---- Reading --------------------------------------------------------------------------------------------------------


def parse(text: str, version: int = 0) -> Policy:
    """The policy that a TOML text sets; raises BadPolicy for whatever is not right in it."""
    top = document(text, "A policy", FILE_BYTES_MAX, BadPolicy)
    for name in top:
        if name not in _TOP:
            raise BadPolicy(unknown(shown(name), name, _TOP, "a policy"))
    return Policy(
        version=version,
        fields={name: _rule(f"fields.{shown(name)}", each) for name, each in _entries("fields", top.get("fields", {}))},
        systems=dict(_systems(top.get("systems", {}))),
        identity=_record("identity", top.get("identity", {}), KeyRule),
    )


def _entries(path: str, given: Any) -> Iterator[tuple[str, Any]]:
    """The named sections in a section."""
    if not isinstance(given, dict):
        raise BadPolicy(f"{path} must be a section, which begins with a line [{path}.NAME].")
    if len(given) > FIELDS_MAX:
        raise BadPolicy(f"{path} must have at most {FIELDS_MAX:,} entries.")
    for name, each in given.items():
        if not 0 < len(name) <= NAME_MAX:
            raise BadPolicy(f"{path}.{shown(name)} must have a name of 1 to {NAME_MAX} characters.")
        yield name, each


def _systems(given: Any) -> Iterator[tuple[str, dict[str, FieldMap]]]:
    for system, maps in _entries("systems", given):
        path = f"systems.{shown(system)}"
        yield system, {name: _record(f"{path}.{shown(name)}", each, FieldMap) for name, each in _entries(path, maps)}


def _rule(path: str, given: Any) -> FieldRule:
    if not isinstance(given, dict) or "shared" not in given:
        return _record(path, given, FieldRule)
    shared = _record(f"{path}.shared", given["shared"], Shared)
    rule = _record(path, {name: each for name, each in given.items() if name != "shared"}, FieldRule)
    return FieldRule(owner=rule.owner, shared=shared)


def _record(path: str, given: Any, kind: type[Found]) -> Found:
    """One record out of a section, with every key looked at."""
    if not isinstance(given, dict):
        raise BadPolicy(f"{path} must be a section, which begins with a line [{path}].")
    known = [each.name for each in fields(kind)]
    for name, each in given.items():
        if name not in known:
            raise BadPolicy(unknown(f"{path}.{shown(name)}", name, known, "a policy"))
        _refuse_long(f"{path}.{name}", each)
    if kind is FieldMap:
        for needed in ("remote", "direction"):
            if needed not in given:
                raise BadPolicy(f"{path}.{needed} is missing; it must be {_MUST[needed]}.")
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        wrong = _PATH.search(str(error))
        name = wrong[1] if wrong is not None else ""
        raise BadPolicy(f"{path}.{name} must be {_MUST.get(name, 'of another kind')}.") from None


def _refuse_long(path: str, value: Any) -> None:
    if isinstance(value, str) and len(value) > _TEXT_MAX:
        raise BadPolicy(f"{path} must be at most {_TEXT_MAX} characters.")
    if isinstance(value, list | dict):
        if len(value) > ENTRIES_MAX:
            raise BadPolicy(f"{path} must have at most {ENTRIES_MAX} entries.")
        for each in value.values() if isinstance(value, dict) else value:
            if not isinstance(each, str) or len(each) > _TEXT_MAX:
                raise BadPolicy(f"{path} must hold texts of at most {_TEXT_MAX} characters alone.")


# ---- Writing --------------------------------------------------------------------------------------------------------


def to_toml(policy: Policy) -> str:
    """The file that sets just this policy; reading it gives it back. What is as it is by itself is left out."""
    return "\n".join(_lines(policy)).strip() + "\n"


def _lines(policy: Policy) -> Iterator[str]:
    yield from _section("identity", policy.identity, always=("keys", "soft_email", "shared_by_max"))
    for name, rule in sorted(policy.fields.items()):
        yield from _section(f"fields.{key(name)}", rule, without=("shared",))
        if rule.shared is not None:
            said = ("writers", "conflict", "same_identity_rule", "empty_overwrites")
            yield from _section(f"fields.{key(name)}.shared", rule.shared, always=said)
    for system, maps in sorted(policy.systems.items()):
        if not maps:
            yield from ("", f"[systems.{key(system)}]")
        for name, each in sorted(maps.items()):
            yield from _section(f"systems.{key(system)}.{key(name)}", each)


def _section(path: str, record: Any, always: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Iterator[str]:
    yield from ("", f"[{path}]")
    plain: dict[str, Any] = msgspec.to_builtins(record)
    for each in fields(record):
        value = plain[each.name]
        unsaid = value is None or (value == each.default or (each.name == "options" and not value))
        if each.name not in without and (each.name in always or not unsaid):
            yield f"{each.name} = {written(value)}"
