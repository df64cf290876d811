"""How a system holds a field, and by what a person is known, out of what somebody typed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from onewriter.desk.policies import direction_of
from onewriter.errors import BadInput
from onewriter.records import SHOPIFY
from onewriter.rules.policy import Direction, FieldMap, KeyRule, Policy
from onewriter.rules.policy_check import LENGTH_MAX, Facts

MAPPING = ("remote", "direction", "transform", "options", "max_length", "words", "empty")
"""What a mapping is told by; what is left out stays as it is."""
KEYS = ("named", "soft_email", "shared_by_max")
"""What it is told by, by what a person is known."""


def mapped(policy: Policy, known: Facts, system: str, field: str, given: Mapping[str, Any]) -> FieldMap:
    """The mapping as it was, with what was given; a limit that the system told of is written down with it."""
    now_held = policy.maps(system).get(field) if system != SHOPIFY else policy.systems.get(SHOPIFY, {}).get(field)
    before: dict[str, Any] = {} if now_held is None else msgspec.to_builtins(now_held)
    remote = given["remote"] or before.get("remote") or (field if system == SHOPIFY else None)
    if remote is None:
        raise BadInput(f"--remote is missing: what {system} calls the field.", "remote")
    way = given["direction"] or before.get("direction") or direction_of(policy, system, field).value
    after = before | {"remote": remote, "direction": Direction(way)}
    if given["transform"] and given["transform"] != before.get("transform"):
        after |= {"transform": given["transform"], "options": {}}
    for name, pairs in (("options", given["options"]), ("enum", given["words"])):
        if pairs:
            after[name] = dict(_pair(each) for each in pairs)
    there = (known.fields or {}).get(remote)
    # A field that holds more than a policy may name is as good as one without a limit.
    told = there.max_length if there is not None and (there.max_length or 0) <= LENGTH_MAX else None
    limit = given["max_length"] or before.get("max_length") or told
    return FieldMap(**after | {"max_length": limit, "empty": given["empty"] or before.get("empty") or "clear"})


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not name or not equals or not value:
        raise BadInput("An option or a word is given as NAME=VALUE.", "words")
    return name, value


def key_rule(now: KeyRule, named: str | None, soft_email: bool | None, shared_by_max: int | None) -> KeyRule:
    """The rule that counts now, with what was given."""
    rule = now
    if named is not None:
        rule = replace(rule, keys=tuple(each.strip() for each in named.split(",") if each.strip()))
    if soft_email is not None:
        rule = replace(rule, soft_email=soft_email)
    return rule if shared_by_max is None else replace(rule, shared_by_max=shared_by_max)
