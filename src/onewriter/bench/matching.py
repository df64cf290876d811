"""Matching: how well and how fast the identity rules tell who is who, beside two plainer ways in the same run.

The population is made by `bench.population` without a look at the rules. Precision and recall count pairs of records
after clustering. The baselines join whatever is equal, first as it was written and then in canonical form: what people
build first, and what joins strangers.
"""

import gc
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from onewriter.bench.parts import peak_mb
from onewriter.bench.population import Population, pairs_of
from onewriter.rules.identity import Person, canonical_email, canonical_phone, match, read_id, region_of
from onewriter.rules.identity.numbering import library

DEFAULT = 100_000
SEED = 20_261_122


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one way of matching found, against the truth."""

    way: str
    records: int
    precision: float
    recall: float
    wrong_clusters: int
    """Clusters that hold more than one person."""
    largest: int
    """People in the worst of them."""
    took_s: float
    peak_mb: float
    review: int = 0
    """Pairs that were left to a person."""
    found_or_asked: float = 0.0
    """The share of true pairs that were matched or left to a person."""


def measure(people: int, seed: int = SEED) -> Iterable[Outcome]:
    """Match a population in each way, our own first, so that its peak of memory is its own."""
    made = Population(people, seed)
    groups: dict[int, list[int]] = defaultdict(list)
    for at, human in enumerate(made.truth):
        groups[human].append(at)
    true = pairs_of(groups.values())
    del groups
    gc.collect()
    yield _ours(made, true)
    yield _plain("canonical keys", made, true, _canonical)
    yield _plain("raw values", made, true, _raw)


def _ours(made: Population, true: set[tuple[int, int]]) -> Outcome:
    places = {record.record_id: at for at, record in enumerate(made.records)}
    begun = time.perf_counter()
    found = match(made.records)
    took = time.perf_counter() - begun
    peak = peak_mb()
    clusters = [[places[each] for each in cluster] for cluster in found.clusters]
    # A pair that is to be looked at stands for all between the clusters of the two.
    within = {at: members for members in clusters for at in members}
    asked: set[tuple[int, int]] = set()
    for edge in found.review:
        one, other = places[edge.one], places[edge.other]
        asked.update(_pair(a, b) for a in within.get(one, [one]) for b in within.get(other, [other]))
    return _scored("onewriter", made, true, clusters, took, peak, asked, len(found.review))


def _plain(
    way: str, made: Population, true: set[tuple[int, int]], keys: Callable[[Person], Iterable[tuple[str, str]]]
) -> Outcome:
    """Connected components of whatever shares a value."""
    begun = time.perf_counter()
    clusters = _components(made.records, keys)
    took = time.perf_counter() - begun
    return _scored(way, made, true, clusters, took, peak_mb(), set(), 0)


def _components(records: Sequence[Person], keys: Callable[[Person], Iterable[tuple[str, str]]]) -> list[list[int]]:
    roots = list(range(len(records)))

    def root(at: int) -> int:
        while roots[at] != at:
            roots[at] = roots[roots[at]]
            at = roots[at]
        return at

    first: dict[tuple[str, str], int] = {}
    for at, record in enumerate(records):
        for key in keys(record):
            roots[root(at)] = root(first.setdefault(key, at))
    found: dict[int, list[int]] = defaultdict(list)
    for at in range(len(records)):
        found[root(at)].append(at)
    return [members for members in found.values() if len(members) > 1]


def _raw(person: Person) -> Iterable[tuple[str, str]]:
    for name in ("email", "phone", "shopify_id"):
        value = getattr(person, name)
        if value:
            yield name, value


def _canonical(person: Person) -> Iterable[tuple[str, str]]:
    email, number = canonical_email(person.email), read_id(person.shopify_id)
    phone = canonical_phone(person.phone, region_of(person.country))
    for name, value in (("email", email), ("phone", phone), ("id", number)):
        if value is not None:
            yield name, value


def _scored(
    way: str, made: Population, true: set[tuple[int, int]], clusters: list[list[int]], took: float, peak: float,
    asked: set[tuple[int, int]], review: int,
) -> Outcome:  # fmt: skip
    # Pairs are counted and not listed: one cluster of a careless way may hold thousands of records.
    found = right = wrong = largest = 0
    for members in clusters:
        found += len(members) * (len(members) - 1) // 2
        humans: dict[int, int] = defaultdict(int)
        for at in members:
            humans[made.truth[at]] += 1
        right += sum(count * (count - 1) // 2 for count in humans.values())
        wrong += len(humans) > 1
        largest = max(largest, len(humans))
    joined = {_pair(a, b) for members in clusters for a, b in combinations(members, 2)} if asked else set()
    seen = right + len((asked & true) - joined)
    return Outcome(
        way, len(made.records), right / found if found else 1.0, right / len(true), wrong, largest, took, peak,
        review, seen / len(true),
    )  # fmt: skip


def _pair(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)


def run(*, people: int | None, json: bool) -> int:
    """Measure, and print each way: one JSON object a line, or a table. Returns the exit code, 0."""
    import click
    import msgspec
    from rich.console import Console
    from rich.table import Table

    drawn = Table("matched by", title=f"Identity, phones by {library.__name__}")
    for heading in ("records", "precision", "recall", "wrong clusters", "largest", "to look at", "seconds", "peak MB"):
        drawn.add_column(heading, justify="right")
    for each in measure(people or DEFAULT):
        if json:
            click.echo(msgspec.json.encode({"bench": "match", "phones": library.__name__} | _rounded(each)))
        drawn.add_row(
            each.way, f"{each.records:,}", f"{each.precision:.4f}", f"{each.recall:.4f}", f"{each.wrong_clusters:,}",
            f"{each.largest:,}", f"{each.review:,}", f"{each.took_s:.1f}", f"{each.peak_mb:,.0f}",
        )  # fmt: skip
    if not json:
        console = Console()
        console.width = console.width if console.is_terminal else 120
        console.print(drawn)
    return 0


def _rounded(each: Outcome) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(each).items()}
