"""Changing who may write each field: seen before it is set, refused in a sentence, recorded with the reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from onewriter.customers import policies, systems
from onewriter.customers.people import Role
from onewriter.customers.shops import Shop
from onewriter.desk.caller import Caller, reason
from onewriter.desk.choosing import choose_shop
from onewriter.desk.key_rules import Given, rule_of
from onewriter.desk.mapping import mapped
from onewriter.desk.policies import effect_document, problem_documents, shown
from onewriter.errors import BadInput, UnknownSystem
from onewriter.rules.ownership import with_owner
from onewriter.rules.policy import MANUAL, Policy
from onewriter.rules.policy_changes import Difference, affected, changes
from onewriter.rules.policy_check import Facts, PolicyProblem, is_known, is_ownable
from onewriter.rules.policy_toml import parse

Document = dict[str, Any]
NO_SYSTEM = "There is no such system; `onewriter systems list` shows those that there are."
Make = Callable[[Policy, Mapping[str, Facts]], Policy]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Another policy, before it is set."""

    shop: Shop
    before: Policy
    after: Policy
    differences: list[Difference]
    asking: list[str]
    """Systems whose next cycle shows what it would write, and asks first."""
    problems: list[PolicyProblem]


def policy(caller: Caller, named: str | None) -> Document:
    """The policy in force: every field with its owner and how each system takes part, and what is wrong with it."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named)
        held = policies.of_shop(db, shop.id)
        return shown(shop, held, policies.history(db, shop.id), policies.problems_of(db, shop.id, held))


def connected(caller: Caller, named: str | None) -> list[str]:
    """The names of the systems that may own a field, Shopify first."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        return sorted(systems.names(db, choose_shop(db, named).id), key=lambda name: (name != "shopify", name))


# ---- What a change would be -----------------------------------------------------------------------------------------


def owning(field: str, system: str) -> Make:
    """The policy with that owner of a field, or with people as its writers (`manual`)."""
    if not is_ownable(field):
        raise BadInput("That is no field that can have an owner; the list of fields shows those that can.", "field")

    def make(before: Policy, known: Mapping[str, Facts]) -> Policy:
        if system != MANUAL and system not in known:
            raise UnknownSystem(NO_SYSTEM)
        rule = before.fields.get(field)
        already = rule is not None and rule.owner == system and rule.shared is None
        return before if already else with_owner(before, field, system)

    return make


def mapping(system: str, field: str, given: Mapping[str, Any], *, remove: bool = False) -> Make:
    """The policy with another mapping of a field in a system; or, with `remove`, with none."""
    if not is_known(field):
        raise BadInput("That is no field; the list of fields shows those that there are.", "field")

    def make(before: Policy, known: Mapping[str, Facts]) -> Policy:
        if system not in known:
            raise UnknownSystem(NO_SYSTEM)
        maps = {name: each for name, each in before.systems.get(system, {}).items() if name != field}
        if not remove:
            maps[field] = mapped(before, known[system], system, field, given)
        return replace(before, systems={**before.systems, system: maps})

    return make


def knowing(given: Given) -> Make:
    """The policy with other keys by which a person is known."""

    def make(before: Policy, _known: Mapping[str, Facts]) -> Policy:
        return replace(before, identity=rule_of(before.identity, given))

    return make


def from_toml(text: str) -> Make:
    """The whole policy, as a file has it."""
    return lambda before, _known: parse(text, before.version)


def plan(caller: Caller, named: str | None, make: Make) -> Change:
    """What a change would be, with the validator's word; nothing is set. An owner's task."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.OWNER)
        shop = choose_shop(db, named)
        before = policies.of_shop(db, shop.id)
        after = make(before, policies.facts_of(db, shop.id))
        found = list(policies.problems_of(db, shop.id, after))
        names = set(systems.names(db, shop.id))
    asking = sorted(affected(before, after) & names)
    return Change(
        shop=shop, before=before, after=after, differences=list(changes(before, after)), asking=asking, problems=found
    )


def change_document(change: Change, *, is_set: bool) -> Document:
    """A change, as a document."""
    told: Document = {"shop": change.shop.domain, "version": change.after.version, "set": is_set}
    told |= {"asking": change.asking, "problems": problem_documents(change.problems)}
    return told | effect_document(change.before, change.after, change.differences)


def put(caller: Caller, change: Change, why: str, expected: int | None = None) -> Document:
    """Set what was planned, unless the validator finds an error, or the policy moved on since it was looked at.

    `expected` is the version that somebody had before their eyes; raises PolicyMoved for another.
    """
    said = reason(why)
    policies.refuse(change.problems)
    if expected is not None and expected != change.before.version:
        raise policies.PolicyMoved(
            f"Somebody set version {change.before.version} meanwhile; look at what it says, and choose again."
        )
    if not change.differences:
        return change_document(change, is_set=False)
    with caller.runtime.database.write() as db:
        caller.require(db, Role.OWNER)
        after = policies.save(db, change.shop.id, change.after, caller.who, said, caller.now)
    return change_document(replace(change, after=after), is_set=True)
