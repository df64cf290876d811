"""How a policy looks as tables for people."""

from collections.abc import Iterable, Sequence
from typing import Any

from onewriter.cli.output import details, say, table, when
from onewriter.customers.policies import Recorded
from onewriter.customers.shops import Shop
from onewriter.desk.policies import left_out, rows_of, systems_of, told_newly
from onewriter.rules.ownership import metrics, writers
from onewriter.rules.policy import Policy, kind_of
from onewriter.rules.policy_changes import Difference, keys_told, map_told
from onewriter.rules.policy_check import PolicyProblem


def tell_policy(shop: Shop, policy: Policy) -> None:
    """Print who owns what, and how each system takes part in it."""
    systems = systems_of(policy)
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
