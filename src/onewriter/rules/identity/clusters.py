"""Clusters: who is who among many records at once, the same whatever their order.

Keys that too many share link nobody. The strongest links come first, and each must be fit for everybody who is already
in either cluster; a cluster that grows too large is for a person to look at.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from onewriter.rules.identity.decide import (
    ID,
    ORDER,
    SOFT_EMAIL,
    SOFT_PHONE,
    Decision,
    Key,
    Shared,
    decide,
    keys_of,
    vetoes_between,
)  # fmt: skip
from onewriter.rules.identity.people import Agreement, Name, Names, compare_names
from onewriter.rules.identity.records import Person, Prepared, prepare
from onewriter.rules.identity.rule import DEFAULT_RULE, IdentityRule

UNCHECKED = 64
"""Records of a cluster beyond which nobody is compared with each of them: it is far too large to be one person."""


@dataclass(frozen=True, slots=True)
class Edge:
    """Two records, the key that links them or might, and why."""

    one: str
    other: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that links nobody, since too many share it."""

    key: str
    value: str
    records: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Matches:
    """Who is who: records that are one person, links behind them, pairs to look at, and values that are no keys."""

    clusters: tuple[tuple[str, ...], ...]
    links: tuple[Edge, ...]
    review: tuple[Edge, ...]
    refused: tuple[Refused, ...]


def match(
    people: Iterable[Person],
    rule: IdentityRule = DEFAULT_RULE,
    *,
    region: str | None = None,
    apart: Iterable[frozenset[str]] = (),
) -> Matches:
    """Who is who among these people, whose record ids must differ. `region` is the shop's country."""
    return match_prepared((prepare(person, region) for person in people), rule, apart=apart)


def match_prepared(
    records: Iterable[Prepared], rule: IdentityRule = DEFAULT_RULE, *, apart: Iterable[frozenset[str]] = ()
) -> Matches:
    """The same for records that were prepared before."""
    ordered = sorted(records, key=lambda record: record.record_id)
    groups = _groups(ordered, rule)
    refused, contested = _surveyed(ordered, groups, rule)
    shared = Shared(refused, contested, frozenset(apart))
    links, asked = _decided(ordered, _pairs(groups, refused), rule, shared)
    found = _Clusters(ordered, rule, shared)
    for link in links:
        found.join(*link)
    clusters, large = found.clusters()
    return Matches(
        clusters,
        found.links(),
        tuple(sorted((*found.questions(asked), *large), key=lambda edge: (edge.one, edge.other))),
        _told(ordered, groups, refused),
    )


def _groups(ordered: Sequence[Prepared], rule: IdentityRule) -> dict[Key, list[int]]:
    """Which records share which key; only keys that are shared."""
    found: dict[Key, list[int]] = defaultdict(list)
    for at, record in enumerate(ordered):
        for key in keys_of(record, rule):
            found[key].append(at)
    return {key: places for key, places in found.items() if len(places) > 1}


def _surveyed(
    ordered: Sequence[Prepared], groups: dict[Key, list[int]], rule: IdentityRule
) -> tuple[dict[Key, str], frozenset[Key]]:
    refused, contested = {}, set()
    for key, places in groups.items():
        # Two records cannot be too many, nor can they leave a third in doubt.
        if len(places) > 2:
            names = [ordered[at].name for at in places]
            reason = too_many(names, rule)
            if reason is not None:
                refused[key] = reason
            elif are_contested(names):
                contested.add(key)
    return refused, frozenset(contested)


def too_many(names: Sequence[Name], rule: IdentityRule) -> str | None:
    """Why a value that records with these names share is no key; None if it is one."""
    if len(names) > rule.records_max:
        return f"{len(names)} records"
    nameless = sum(not name.surname for name in names)
    if nameless > rule.nameless_max:
        return f"{nameless} records without a name"
    surnames = _distinct((name for name in names if name.surname), lambda both: both.surname)
    if surnames > rule.surnames_max:
        return f"{surnames} surnames"
    givens = _distinct((name for name in names if name.given), lambda both: both.given)
    return f"{givens} given names" if givens > rule.givens_max else None


def _distinct(names: Iterable[Name], part: Callable[[Names], Agreement]) -> int:
    """How many surnames or given names there are, where one that was mistyped or swapped with the other is the same."""
    kept: list[Name] = []
    for name in dict.fromkeys(names):
        found = [compare_names(name, each) for each in kept]
        if not any(part(each) > Agreement.CONFLICT or each.agree for each in found):
            kept.append(name)
    return len(kept)


def are_contested(names: Sequence[Name]) -> bool:
    """True if the given names are those of two people."""
    known = [name for name in dict.fromkeys(names) if name.given]
    return any(
        compare_names(one, other).given is Agreement.CONFLICT for at, one in enumerate(known) for other in known[:at]
    )


def _told(ordered: Sequence[Prepared], groups: dict[Key, list[int]], refused: dict[Key, str]) -> tuple[Refused, ...]:
    """What was refused; of a value in two forms that the same records share, the tight one."""
    told: dict[tuple[int, ...], Refused] = {}
    for key, reason in sorted(refused.items(), key=lambda item: (ORDER.index(item[0][0]), item[0][1])):
        records = tuple(ordered[at].record_id for at in groups[key])
        if key[0] not in (SOFT_EMAIL, SOFT_PHONE) or tuple(groups[key]) not in told:
            told[tuple(groups[key])] = Refused(key[0], key[1], records, reason)
    return tuple(told.values())


def _pairs(groups: dict[Key, list[int]], refused: dict[Key, str]) -> Iterator[tuple[int, int]]:
    """Each pair that shares a key, once; those of one key after each other, since they often have the same names."""
    found: set[tuple[int, int]] = set()
    for key, places in groups.items():
        if key not in refused:
            fresh = [pair for pair in combinations(places, 2) if pair not in found]
            found.update(fresh)
            yield from fresh


Joined = tuple[int, int, Decision]
Asked = tuple[int, int, str, str]
"""Two records, the key that may link them, and why a person is asked."""


def _decided(
    ordered: Sequence[Prepared], pairs: Iterable[tuple[int, int]], rule: IdentityRule, shared: Shared
) -> tuple[list[Joined], list[Asked]]:
    """The links, the strongest first, and the pairs to look at."""
    links: list[tuple[int, bool, int, int, Decision]] = []
    asked = []
    for one, other in pairs:
        decision = decide(ordered[one], ordered[other], rule, shared=shared)
        key = decision.key
        if decision.decision == "match" and key is not None:
            loose = not compare_names(ordered[one].name, ordered[other].name).are_same
            links.append((ORDER.index(key), loose, one, other, decision))
        elif decision.decision == "review" and key is not None:
            asked.append((one, other, key, decision.reason))
    links.sort()
    return [link[2:] for link in links], asked


class _Clusters:
    """Clusters as they grow, each under its first record."""

    def __init__(self, ordered: Sequence[Prepared], rule: IdentityRule, shared: Shared) -> None:
        self._ordered = ordered
        self._rule = rule
        self._shared = shared
        self._of: dict[int, int] = {}
        self._members: dict[int, list[int]] = {}
        self._links: dict[int, list[Joined]] = {}
        self._against_others: list[Asked] = []
        """Pairs that a key links, and which somebody else in their clusters speaks against."""

    def join(self, one: int, other: int, decision: Decision) -> None:
        """Put two records and all that belong to them together, unless two of these cannot be one person."""
        mine, theirs = self._of.get(one, one), self._of.get(other, other)
        if mine == theirs:
            self._links[mine].append((one, other, decision))
            return
        members, others = self._members.get(mine, [mine]), self._members.get(theirs, [theirs])
        against = self._against(members, others, by_id=decision.key == ID)
        if against is not None:
            reason = f"{decision.reason}; but in its cluster {against}"
            self._against_others.append((one, other, decision.key or ID, reason))
            return
        self._members[mine] = members + others
        self._links[mine] = [*self._links.pop(mine, []), *self._links.pop(theirs, []), (one, other, decision)]
        self._members.pop(theirs, None)
        for at in self._members[mine]:
            self._of[at] = mine

    def _against(self, members: Sequence[int], others: Sequence[int], *, by_id: bool) -> str | None:
        if len(members) + len(others) > UNCHECKED:
            return None
        for one in members:
            for other in others:
                first, second = self._ordered[one], self._ordered[other]
                vetoes = vetoes_between(first, second, self._shared)
                if vetoes:
                    return vetoes[0]
                if not by_id and compare_names(first.name, second.name).given <= Agreement.DOUBT:
                    return "the given names conflict"
        return None

    def questions(self, asked: Iterable[Asked]) -> Iterable[Edge]:
        """Of all pairs that one key has between two clusters, the first: who answers it has answered them all."""
        told: dict[tuple[frozenset[int], str], Edge] = {}
        for one, other, key, reason in sorted((*asked, *self._against_others)):
            ends = frozenset((self._of.get(one, one), self._of.get(other, other)))
            if (ends, key) not in told:
                told[ends, key] = Edge(self._ordered[one].record_id, self._ordered[other].record_id, key, reason)
        return told.values()

    def clusters(self) -> tuple[tuple[tuple[str, ...], ...], list[Edge]]:
        """Those that are small enough to be one person; of each of the others the weakest link, to be looked at."""
        fit, large = [], []
        for root, members in sorted(self._members.items()):
            if len(members) <= self._rule.cluster_max:
                fit.append(tuple(sorted(self._ordered[at].record_id for at in members)))
                continue
            # Links were joined in their order, so that the last is the weakest.
            weakest = self._links.pop(root)[-1]
            why = f"the weakest link of a cluster of {len(members)} records, too many for one person"
            large.append(self._edge(weakest, f"{weakest[2].reason}; but it is {why}"))
        return tuple(sorted(fit)), large

    def links(self) -> tuple[Edge, ...]:
        """Every link that holds a cluster together."""
        return tuple(sorted(self._all_links(), key=lambda edge: (edge.one, edge.other)))

    def _all_links(self) -> Iterator[Edge]:
        for links in self._links.values():
            for link in links:
                yield self._edge(link, link[2].reason)

    def _edge(self, link: Joined, reason: str) -> Edge:
        one, other, decision = link
        return Edge(self._ordered[one].record_id, self._ordered[other].record_id, decision.key or ID, reason)
