"""The policy of a shop, as people and programs are shown it: who may write each field, and what a change comes to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from onewriter.customers.policies import Recorded
from onewriter.customers.shops import Shop
from onewriter.records import SHOPIFY, iso
from onewriter.rules.ownership import metrics, watch_list, writers
from onewriter.rules.policy import MANUAL, Direction, Policy, kind_of
from onewriter.rules.policy_changes import Difference
from onewriter.rules.policy_check import PolicyProblem
from onewriter.rules.policy_toml import to_toml

Document = dict[str, Any]


def rows_of(policy: Policy) -> list[str]:
    """Every field that a policy says something of, those that make the most trouble first."""
    listed = watch_list(policy)
    mapped = {name for maps in policy.systems.values() for name in maps}
    return [*listed, *sorted(mapped - set(listed))]


def shown(shop: Shop, policy: Policy, known: Sequence[Recorded], found: Sequence[PolicyProblem]) -> Document:
    """The policy as one document."""
    return {
        "shop": shop.domain,
        "version": policy.version,
        "fields": [_field(policy, name) for name in rows_of(policy)],
        "identity": msgspec.to_builtins(policy.identity),
        "metrics": _metrics(policy),
        "problems": problem_documents(found),
        "toml": to_toml(policy),
        "versions": [_version(each) for each in known],
    }


def _field(policy: Policy, name: str) -> Document:
    rule = policy.fields.get(name)
    maps = {system: policy.maps(system).get(name) for system in systems_of(policy)}
    return {
        "field": name,
        "kind": kind_of(name).value,
        "owner": policy.owner_of(name),
        "writers": list(writers(policy, name)),
        "shared": None if rule is None or rule.shared is None else msgspec.to_builtins(rule.shared),
        "systems": {system: msgspec.to_builtins(each) for system, each in maps.items() if each is not None},
    }


def systems_of(policy: Policy) -> list[str]:
    """The systems that take part, Shopify first."""
    return [SHOPIFY, *sorted({*policy.systems} - {SHOPIFY})]


def _metrics(policy: Policy) -> Document:
    counted = metrics(policy)
    return {"editable": counted.editable, "two_way": counted.two_way}


def _version(one: Recorded) -> Document:
    return {"version": one.policy.version, "at": iso(one.at), "set_by": one.set_by, "why": one.why}


def problem_documents(found: Iterable[PolicyProblem]) -> list[Document]:
    """What is wrong, as documents."""
    return [asdict(each) for each in found]


def effect_document(before: Policy, after: Policy, differences: Sequence[Difference]) -> Document:
    """What a change of the policy comes to: who is told what, and how many hands there are before and then."""
    old, new = metrics(before), metrics(after)
    return {
        "changes": [msgspec.to_builtins(each) for each in differences],
        "told_newly": dict(told_newly(before, after)),
        "left_out": dict(left_out(before, after)),
        "editable": {"before": old.editable, "after": new.editable},
        "two_way": {"before": old.two_way, "after": new.two_way},
        "fields": len(rows_of(after)),
    }


def told_newly(before: Policy, after: Policy) -> Mapping[str, list[str]]:
    """By system, the fields that it was not told of before."""
    found = {system: sorted(after.goes_out(system) - before.goes_out(system)) for system in systems_of(after)}
    return {system: names for system, names in found.items() if names}


def left_out(before: Policy, after: Policy) -> Mapping[str, list[str]]:
    """By system, the fields that have another owner, a system now, and that it is still not told of by its mapping."""
    moved = {name for name, owner in after.owners.items() if owner not in (MANUAL, before.owner_of(name))}
    found = {
        system: sorted(
            name for name, each in after.maps(system).items() if name in moved and each.direction is Direction.NONE
        )
        for system in systems_of(after)
    }
    return {system: names for system, names in found.items() if names}


def direction_of(policy: Policy, system: str, name: str) -> Direction:
    """The direction that follows from who owns a field."""
    if policy.owner_of(name) == system:
        return Direction.IN
    return Direction.BOTH if system in writers(policy, name) else Direction.OUT
