"""How a policy looks: as a document, and as tables for people."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from onewriter.cli.output import details, say, table, when
from onewriter.customers.policies import Recorded
from onewriter.customers.shops import Shop
from onewriter.records import SHOPIFY, iso
from onewriter.rules.ownership import metrics, watch_list, writers
from onewriter.rules.policy import MANUAL, Direction, Policy, kind_of
from onewriter.rules.policy_changes import Difference, keys_told, map_told
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
    maps = {system: policy.maps(system).get(name) for system in _systems(policy)}
    return {
        "field": name,
        "kind": kind_of(name).value,
        "owner": policy.owner_of(name),
        "writers": list(writers(policy, name)),
        "shared": None if rule is None or rule.shared is None else msgspec.to_builtins(rule.shared),
        "systems": {system: msgspec.to_builtins(each) for system, each in maps.items() if each is not None},
    }


def _systems(policy: Policy) -> list[str]:
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


def tell_policy(shop: Shop, policy: Policy) -> None:
    """Print who owns what, and how each system takes part in it."""
    systems = _systems(policy)
    say(f"Version {policy.version} of the policy of {shop.domain}\n")
    table(
        ("FIELD", "KIND", "OWNER", *map(str.upper, systems)), (_row(policy, name, systems) for name in rows_of(policy))
    )
    counted = metrics(policy)
    say()
    details(
        {
            "People": keys_told(policy.identity),
            "Editable": f"{counted.editable} pairs of a field and a system that may write it",
            "Two-way": f"{counted.two_way} fields that more than one may write",
        }
    )


def _row(policy: Policy, name: str, systems: Sequence[str]) -> list[str]:
    owner = policy.owner_of(name) or "not written down"
    sharers = [each for each in writers(policy, name) if each != owner]
    held = (policy.maps(system).get(name) for system in systems)
    told = ["-" if each is None else _told(name, each) for each in held]
    return [name, kind_of(name).value, f"{owner}, shared with {' and '.join(sharers)}" if sharers else owner, *told]


def _told(name: str, each: Any) -> str:
    """A mapping in words; one by the field's own name is told by its direction alone."""
    if each.remote == name and map_told(each) == f"{each.direction.value} {name}":
        return str(each.direction.value)
    return map_told(each)


def tell_history(known: Sequence[Recorded]) -> None:
    """Print every version, the newest first."""
    rows = ([each.policy.version, when(each.at), each.set_by, each.why] for each in reversed(known))
    table(("VERSION", "SET AT", "SET BY", "WHY"), rows)


def tell_problems(found: Iterable[PolicyProblem]) -> None:
    """Print what is wrong, the errors first."""
    table(("", "FIELD", "SYSTEM", "WHAT"), ([one.severity, one.field, one.system, one.message] for one in found))


def tell_changes(differences: Sequence[Difference]) -> None:
    """Print what differs, place by place."""
    rows = ([one.field or "people", one.system, one.before or "nothing", one.after or "nothing"] for one in differences)
    table(("FIELD", "SYSTEM", "BEFORE", "AFTER"), rows)


def tell_effect(before: Policy, after: Policy, asking: Iterable[str], warnings: Sequence[PolicyProblem]) -> None:
    """Print what a change comes to: who is told what, who asks first, and how many hands there are then."""
    old, new = metrics(before), metrics(after)
    say()
    for system, names in told_newly(before, after).items():
        say(f"{system} is told from then on of {', '.join(names)}.")
    for system, names in left_out(before, after).items():
        told = f"`onewriter fields map {system} {names[0]} --direction out` tells it"
        say(f"{system} is not told of {', '.join(names)}, which it is mapped none for; {told}.")
    for system in sorted(asking):
        say(f"The next cycle of {system} shows what it would change and asks first.")
    say(f"Pairs of a field and a system that may write it: {old.editable} before, {new.editable} then.")
    say(f"Fields that more than one may write: {old.two_way} before, {new.two_way} then.")
    if warnings:
        say()
        tell_problems(warnings)


def told_newly(before: Policy, after: Policy) -> Mapping[str, list[str]]:
    """By system, the fields that it was not told of before."""
    found = {system: sorted(after.goes_out(system) - before.goes_out(system)) for system in _systems(after)}
    return {system: names for system, names in found.items() if names}


def left_out(before: Policy, after: Policy) -> Mapping[str, list[str]]:
    """By system, the fields that have another owner, a system now, and that it is still not told of by its mapping."""
    moved = {name for name, owner in after.owners.items() if owner not in (MANUAL, before.owner_of(name))}
    found = {
        system: sorted(
            name for name, each in after.maps(system).items() if name in moved and each.direction is Direction.NONE
        )
        for system in _systems(after)
    }
    return {system: names for system, names in found.items() if names}


def direction_of(policy: Policy, system: str, name: str) -> Direction:
    """The direction that follows from who owns a field."""
    if policy.owner_of(name) == system:
        return Direction.IN
    return Direction.BOTH if system in writers(policy, name) else Direction.OUT
