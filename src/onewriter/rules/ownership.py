"""Ownership: which system may write which field. One owner a field, always (requirement M19).

A policy with an error is not saved. A warning is what a person should know before saying yes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from onewriter.records import SHOPIFY
from onewriter.rules.policy import (
    ADDRESS_PART,
    CONSENTS,
    CUSTOM,
    MANUAL,
    ONEWRITER,
    POINTS,
    SHOPIFY_ID,
    Direction,
    FieldKind,
    FieldMap,
    FieldRule,
    Policy,
    Shared,
    kind_of,
    prefix_of,
)
from onewriter.rules.policy_check import READ, Facts, PolicyProblem, is_known, is_ownable, mapping_problems
from onewriter.rules.tags import is_tags

KEYS = ("id", "email", "phone")
"""By what two records can be told to be one person."""
WATCHED = ("email", "phone", "tags", "note", *CONSENTS)
"""With custom attributes, the fields that make the most trouble (requirement M75): each must have an owner."""
_SHARERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Split:
    """The fields of one write, sorted by whether its system may write them."""

    accepted: tuple[str, ...]
    refused: tuple[str, ...]


def split(fields: Iterable[str], owners: Mapping[str, str], system: str) -> Split:
    """Sort fields by whether `system` owns them. A field without an owner is refused: nobody said who may write it."""
    accepted: list[str] = []
    refused: list[str] = []
    for name in fields:
        (accepted if owners.get(name) == system else refused).append(name)
    return Split(tuple(accepted), tuple(refused))


# ---- Who may write --------------------------------------------------------------------------------------------------


def writers(policy: Policy, name: str) -> tuple[str, ...]:
    """Who may write a field: its owner, and those that share it."""
    owner = policy.owner_of(name)
    rule = policy.fields.get(name)
    shared = () if rule is None or rule.shared is None else rule.shared.writers
    return tuple(dict.fromkeys((*(() if owner is None else (owner,)), *shared)))


@dataclass(frozen=True, slots=True)
class Metrics:
    """How many hands are on the fields; each one more is one more way for a value to go wrong."""

    editable: int
    """Pairs of a field and a system that may write it."""
    writers: Mapping[str, tuple[str, ...]]
    """By field, who may write it."""
    two_way: int
    """Fields that more than one may write."""


def metrics(policy: Policy) -> Metrics:
    """How many may write what (requirements M20, M66 and M72)."""
    by_field = {name: writers(policy, name) for name in watch_list(policy)}
    return Metrics(sum(map(len, by_field.values())), by_field, sum(len(each) > 1 for each in by_field.values()))


def watch_list(policy: Policy) -> tuple[str, ...]:
    """Every field that the policy names or maps, those that make the most trouble first."""
    mapped = {name for maps in policy.systems.values() for name in maps if not name.startswith(ADDRESS_PART)}
    named = sorted({*policy.fields, *(mapped - {SHOPIFY_ID})} - {*WATCHED})
    return (*WATCHED, *sorted(named, key=lambda name: not (is_tags(name) or name.startswith(CUSTOM))))


def with_owner(policy: Policy, name: str, owner: str) -> Policy:
    """The policy with another owner of a field, and the directions of the mappings turned to match.

    The new owner is read, and everybody else who took part in it is told, but for those who are mapped `none`: that is
    somebody's word, and stays. A field that people own (`manual`) is told to nobody: it is still read and compared
    everywhere, until somebody maps it out again (requirement M82). Nobody shares it any more: that is agreed to for one
    owner, and agreed to anew for another.
    """
    systems = {
        system: {each: _turned(each, one, owner, system) if _follows(each, name) else one for each, one in maps.items()}
        for system, maps in policy.systems.items()
    }
    shopify = {each: one for each, one in systems.pop(SHOPIFY, {}).items() if each != name or _is_needed(each, one)}
    if owner == MANUAL and not name.startswith(CUSTOM):
        shopify[name] = FieldMap(remote=name, direction=Direction.NONE)
    if shopify:
        systems[SHOPIFY] = shopify
    return replace(policy, fields={**policy.fields, name: FieldRule(owner=owner)}, systems=systems)


def _follows(each: str, name: str) -> bool:
    """Whether a mapping follows the owner of a field: that of the field, and of addresses those of their parts."""
    return each == name or (name == "addresses" and each.startswith(ADDRESS_PART))


def _turned(each: str, one: FieldMap, owner: str, system: str) -> FieldMap:
    if owner == system:
        # A part of an address is only ever told, and who owns the addresses is told nothing of them.
        way = Direction.NONE if each.startswith(ADDRESS_PART) else Direction.IN
        return replace(one, direction=way)
    if owner == MANUAL or one.direction is Direction.NONE:
        return replace(one, direction=Direction.NONE)
    return replace(one, direction=Direction.OUT)


def _is_needed(name: str, one: FieldMap) -> bool:
    """Whether Shopify's mapping of a field says what does not follow from who owns it."""
    return name.startswith(CUSTOM) or one.direction is Direction.NONE


# ---- What is wrong --------------------------------------------------------------------------------------------------


def problems(policy: Policy, systems: Mapping[str, Facts]) -> list[PolicyProblem]:
    """Everything that is wrong with a policy, or not wise; errors first. `systems` are those that the shop has."""
    checks = (_owners, _shares, _keys, _namespaces, _remotes, _directions)
    found = [problem for check in checks for problem in check(policy, systems)]
    for system, maps in policy.systems.items():
        if system in systems:
            for name, each in maps.items():
                found.extend(mapping_problems(system, name, each, systems[system]))
    found.extend(_two_way(policy))
    return sorted(found, key=lambda problem: problem.severity != "error")


def errors(found: Iterable[PolicyProblem]) -> list[PolicyProblem]:
    """Those that keep a policy from being saved."""
    return [problem for problem in found if problem.severity == "error"]


def _error(name: str | None, system: str | None, rule: str, message: str) -> PolicyProblem:
    return PolicyProblem("error", name, system, rule, message)


def _warning(name: str | None, system: str | None, rule: str, message: str) -> PolicyProblem:
    return PolicyProblem("warning", name, system, rule, message)


def _owners(policy: Policy, systems: Mapping[str, Facts]) -> Iterator[PolicyProblem]:
    for name in watch_list(policy):
        owner = policy.owner_of(name)
        if name in policy.fields and not is_ownable(name):
            yield _no_owner_for(name)
        elif owner is None and is_known(name):
            yield _unwritten(name)
        elif owner is not None and name != POINTS:
            yield from _owner_problems(policy, systems, name, owner)


def _no_owner_for(name: str) -> PolicyProblem:
    if is_known(name):
        return _error(
            name, None, "owner", f"The owner of {name} is fixed and cannot be named; remove it from the fields."
        )
    return _error(name, None, "field", f"There is no field {name}; `onewriter fields show` lists those that there are.")


def _unwritten(name: str) -> PolicyProblem:
    rule = "consent" if name in CONSENTS else "owner"
    return _error(
        name, None, rule, f"Who owns {name} is not written down; say it with `onewriter fields own {name} SYSTEM`."
    )


def _owner_problems(policy: Policy, systems: Mapping[str, Facts], name: str, owner: str) -> Iterator[PolicyProblem]:
    if name == "state" and owner != SHOPIFY:
        yield _error(
            name, owner, "owner", "The state of an account is made by Shopify alone, so nobody else can own it."
        )
    elif owner == ONEWRITER:
        yield _error(name, owner, "owner", f"onewriter owns points alone; name a system for {name}, or manual.")
    elif owner not in systems and owner != MANUAL:
        yield _error(
            name, owner, "owner", f"{name} is owned by {owner}, which is no connected system; name one, or manual."
        )
    elif owner != MANUAL:
        yield from _unread(policy, name, owner)


def _unread(policy: Policy, name: str, owner: str) -> Iterator[PolicyProblem]:
    """A field whose owner is not asked for it stands still: nothing else may write it either."""
    each = policy.maps(owner).get(name)
    if each is not None and each.direction is Direction.NONE:
        text = f"{owner} owns {name} and is not asked for it, so that nobody writes it; "
        text += f"map it with `onewriter fields map {owner} {name} --direction in`, or change the owner."
        yield _warning(name, owner, "owner", text)
    elif owner != SHOPIFY and (each is None or each.direction not in READ):
        text = f"{owner} owns {name} and is not asked for it; map it with `onewriter fields map {owner} {name}`."
        yield _warning(name, owner, "owner", text)


def _shares(policy: Policy, systems: Mapping[str, Facts]) -> Iterator[PolicyProblem]:
    """Two writers are refused unless somebody took all of decision D11 upon themselves."""
    for name, rule in policy.fields.items():
        if rule.shared is None:
            continue
        if kind_of(name) in (FieldKind.CONSENT, FieldKind.DERIVED):
            text = f"{name} cannot be shared; name one owner, whose opt-ins count, while opt-outs count from everybody."
            yield _error(name, None, "shared", text)
            continue
        if name == "state":
            text = "The state of an account is made by Shopify alone, so it cannot be shared."
            yield _error(name, None, "shared", text)
            continue
        missing = _missing(rule.shared)
        if missing:
            text = f"{name} has two writers; write down {' and '.join(missing)}, or name one owner."
            yield _error(name, None, "shared", text)
        yield from _sharer_problems(name, rule, rule.shared, systems)


def _missing(shared: Shared) -> list[str]:
    """What of decision D11 nobody wrote down."""
    missing = []
    if not shared.same_identity_rule:
        missing.append("that all of them tell persons apart by the same rule (same_identity_rule)")
    if not (shared.extra_work_accepted_by or "").strip():
        missing.append("who accepts the extra work of clearing up (extra_work_accepted_by)")
    if not (shared.why or "").strip():
        missing.append("the reason (why)")
    return missing


def _sharer_problems(
    name: str, rule: FieldRule, shared: Shared, systems: Mapping[str, Facts]
) -> Iterator[PolicyProblem]:
    if not shared.writers or rule.owner in shared.writers or len(set(shared.writers)) < len(shared.writers):
        text = f"The writers of {name} must be the systems that share it with its owner, each once; correct the list."
        yield _error(name, None, "shared", text)
    for system in shared.writers:
        if system not in systems:
            text = f"{system} shares {name} and is no connected system; connect it, or take it off the writers."
            yield _error(name, system, "shared", text)
    if shared.conflict == "newest wins" and any(
        not _tells_times(systems.get(each or "")) for each in (rule.owner, *shared.writers)
    ):
        text = f"The newest of {name} cannot be told where a system does not say when it changed; let its owner win."
        yield _warning(name, None, "shared", text)


def _tells_times(known: Facts | None) -> bool:
    """Whether a system says when a record changed; one that is not there, or was never asked, is not doubted."""
    return known is None or known.kind == SHOPIFY or known.capabilities.get("cursor", "field") == "field"


def _keys(policy: Policy, systems: Mapping[str, Facts]) -> Iterator[PolicyProblem]:
    keys = policy.identity.keys
    for key in keys:
        if "name" in key.lower():
            text = "A name is no key: two people may have the same one, and one has several; take id, email or phone."
            yield _error(None, None, "key", text)
        elif key not in KEYS:
            yield _error(
                None, None, "key", f"{key} is no key; people are told apart by id, email and phone, in any order."
            )
    if not keys or len(set(keys)) < len(keys):
        yield _error(None, None, "key", "The keys of identity must be one or more of id, email and phone, each once.")
    if not 1 <= policy.identity.shared_by_max <= _SHARERS_MAX:
        text = f"shared_by_max must be from 1 to {_SHARERS_MAX} records; beyond it a value tells nobody apart."
        yield _error(None, None, "key", text)


def _namespaces(policy: Policy, systems: Mapping[str, Facts]) -> Iterator[PolicyProblem]:
    named = policy.namespaces
    for longer in named:
        for shorter in named:
            within = prefix_of(longer).casefold().startswith(prefix_of(shorter).casefold())
            if longer == shorter or not within:
                continue
            if len(longer) > len(shorter):
                text = f"{longer} lies within {shorter}: its tags have its own owner, by the longest prefix."
                yield _warning(longer, None, "namespace", text)
            elif longer > shorter:
                text = f"{longer} and {shorter} are the same tags, which do not differ by capitals; keep one of them."
                yield _error(longer, None, "namespace", text)


def _remotes(policy: Policy, systems: Mapping[str, Facts]) -> Iterator[PolicyProblem]:
    for system, maps in policy.systems.items():
        if system not in systems:
            text = f"{system} is no connected system; connect it with `onewriter systems add`, or remove its mappings."
            yield _error(None, system, "system", text)
        by_remote: dict[str, list[str]] = {}
        for name, each in maps.items():
            if not each.remote.strip():
                yield _error(name, system, "remote", f"{name} needs the name of a field in {system}.")
            elif system == SHOPIFY and each.remote != name:
                text = f"{name} is called {name} in Shopify and nothing else; map it by that name."
                yield _error(name, system, "remote", text)
            by_remote.setdefault(each.remote, []).append(name)
        for remote, names in by_remote.items():
            # Several kinds of tags may lie in one list: each changes its own, and leaves the others alone.
            if len(names) > 1 and not all(map(is_tags, names)):
                told = f"{' and '.join(sorted(names))} are one field in {system}, {remote}"
                text = f"{told}; map each to a field of its own."
                yield _error(sorted(names)[0], system, "remote", text)
            elif len({(maps[name].transform, str(sorted(maps[name].options.items()))) for name in names}) > 1:
                told = f"{' and '.join(sorted(names))} stand in one field of {system}, {remote}"
                text = f"{told}, and are written in two ways there; give them one transform and the same options."
                yield _error(sorted(names)[0], system, "remote", text)


def _directions(policy: Policy, systems: Mapping[str, Facts]) -> Iterator[PolicyProblem]:
    for system, maps in policy.systems.items():
        for name, each in maps.items():
            wrong = _wrong_way(policy, system, name, each.direction) if is_known(name) else None
            if wrong is not None:
                yield _error(name, system, "direction", wrong)
    for name, rule in policy.fields.items():
        for system in rule.shared.writers if rule.shared is not None else ():
            way = policy.maps(system).get(name)
            if system in systems and (way is None or way.direction is not Direction.BOTH):
                text = f"{system} shares {name} and is not read for it; map it there with the direction both."
                yield _warning(name, system, "direction", text)


def _wrong_way(policy: Policy, system: str, name: str, way: Direction) -> str | None:
    """Why a system cannot take part in a field in that direction; None if it can."""
    if way is Direction.NONE or (name == SHOPIFY_ID and way is not Direction.BOTH):
        return None
    if way in READ and (name in (POINTS, SHOPIFY_ID) or name.startswith(ADDRESS_PART)):
        return f"{name} is only ever told, so it is mapped out, or not at all."
    owner, may_write = policy.owner_of(name), writers(policy, name)
    if owner is None:
        return None
    if system == owner and way is not Direction.IN:
        return f"{system} owns {name}, so it is mapped in; who owns a field is not told what it said."
    if way is Direction.IN and system != owner:
        return (
            f"{name} is owned by {owner}, so {system} cannot be the one that says it; map it out, or change the owner."
        )
    if way is Direction.BOTH and system not in may_write:
        return f"{name} has one writer, {owner}, so {system} cannot be a second one; map it out."
    if way is Direction.OUT and system in may_write:
        return f"{system} is a writer of {name}, so it is mapped both ways; map it so, or take it off the writers."
    return None


def _two_way(policy: Policy) -> Iterator[PolicyProblem]:
    count = metrics(policy).two_way
    if count:
        fields = "One field has" if count == 1 else f"{count} fields have"
        yield _warning(
            None, None, "two-way", f"{fields} more than one writer; each needs clearing up that no rule does."
        )
