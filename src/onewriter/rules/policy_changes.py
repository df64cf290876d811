"""What changes from one policy to another, in words, and which systems must ask before they write by it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onewriter.rules.policy import Direction, FieldMap, FieldRule, KeyRule, Policy


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs in one place, in words; None is nothing."""

    field: str | None
    system: str | None
    before: str | None
    after: str | None


def changes(old: Policy, new: Policy) -> list[Difference]:
    """What differs, place by place; nothing exactly when both say the same."""
    return [
        *_compared(_rules(old), _rules(new)),
        *_compared(_maps(old), _maps(new)),
        *_compared({(None, None): keys_told(old.identity)}, {(None, None): keys_told(new.identity)}),
    ]


Told = Mapping[tuple[str | None, str | None], str]


def _compared(old: Told, new: Told) -> Iterator[Difference]:
    for place in dict.fromkeys((*new, *old)):
        before, after = old.get(place), new.get(place)
        if before != after:
            yield Difference(*place, before, after)


def _rules(policy: Policy) -> Told:
    return {(name, None): rule_told(rule) for name, rule in sorted(policy.fields.items())}


def _maps(policy: Policy) -> Told:
    return {
        (name, system): map_told(each)
        for system, maps in sorted(policy.systems.items())
        for name, each in sorted(maps.items())
    }


def rule_told(rule: FieldRule) -> str:
    """Who writes a field, in words that say all of it."""
    owner = f"owned by {rule.owner}" if rule.owner is not None else "not written down"
    if rule.shared is None:
        return owner
    shared = rule.shared
    told = [owner, f"shared with {' and '.join(shared.writers) or 'nobody'}", shared.conflict]
    told.append("empty overwrites" if shared.empty_overwrites else "empty never overwrites")
    if shared.same_identity_rule:
        told.append("by the same rule of identity")
    if shared.extra_work_accepted_by:
        told.append(f"the extra work accepted by {shared.extra_work_accepted_by}")
    return ", ".join([*told, *([f"because: {shared.why}"] if shared.why else [])])


def map_told(each: FieldMap) -> str:
    """How a system holds a field, in words that say all of it."""
    options = "".join(f" {name}={value}" for name, value in sorted(each.options.items()))
    told = [f"{each.direction.value} {each.remote}"]
    if each.transform != "same" or options:
        told.append(f"as {each.transform}{options}")
    if each.max_length is not None:
        told.append(f"at most {each.max_length} characters")
    if each.enum is not None:
        told.append("words " + ", ".join(f"{ours}={theirs}" for ours, theirs in each.enum.items()))
    if each.empty == "keep":
        told.append("empty keeps")
    return ", ".join(told)


def keys_told(rule: KeyRule) -> str:
    """By what a person is known, in words that say all of it."""
    soft = "with soft addresses" if rule.soft_email else "without soft addresses"
    keys = ", ".join(rule.keys) if rule.keys else "nothing"
    return f"known by {keys}, {soft}, shared by {rule.shared_by_max} at most"


def affected(old: Policy, new: Policy) -> set[str]:
    """The systems whose next cycle must ask first: those that are told something else, or say something else here.

    A change of the keys of identity concerns every system, since other records may be the same person then.
    """
    systems = {*old.systems, *new.systems, *_parties(old), *_parties(new)}
    if old.identity != new.identity:
        return systems
    moved = {name for name in {*old.fields, *new.fields} if old.fields.get(name) != new.fields.get(name)}
    return {system for system in systems if _differs(old, new, system, moved)}


def _parties(policy: Policy) -> set[str]:
    """The systems that own or share something; Shopify takes part without a mapping of its own."""
    sharers = {each for rule in policy.fields.values() if rule.shared is not None for each in rule.shared.writers}
    return ({*policy.owners.values()} | sharers) - {"manual", "onewriter"}


def _differs(old: Policy, new: Policy, system: str, moved: set[str]) -> bool:
    before, after = old.maps(system), new.maps(system)
    if before != after:
        return True
    taking_part = {name for name, each in after.items() if each.direction is not Direction.NONE}
    addresses = {"addresses"} if any(name.startswith("address.") for name in taking_part) else set()
    return bool(moved & (taking_part | addresses))
