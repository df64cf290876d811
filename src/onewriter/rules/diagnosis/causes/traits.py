"""Traits: what the rows of a group have in common, as shares; what is not known of a row is no part of a share.

A cause is told from the group and not from a single record, so that one stray value decides nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from onewriter.rules.diagnosis.evidence import Evidence, Hand, Side
from onewriter.rules.diagnosis.facts import Compared, FieldCounts, Pair, Relation, Row, Verdict, Why

KNOWN_MIN = 0.25
"""The share of the rows of which something must be known, for their share to stand for all."""
PAIRS_MIN = 2
"""A value that stands for several others must have been seen so often before it is called a constant."""


@dataclass(frozen=True)
class Traits:
    """A group of rows beside everything that was compared."""

    rows: Sequence[Row]
    evidence: Evidence
    compared: Compared
    field: str

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def share(self, of: Callable[[Row], bool | None]) -> float:
        """The share of the rows of which something holds, of those of which it is known.

        Where it is known of few of them only, it is no trait of the group, and their share is the smaller for it.
        """
        known = [found for row in self.rows if (found := of(row)) is not None]
        return sum(known) / max(len(known), self.n * KNOWN_MIN) if known else 0.0

    def records(self, share: float) -> str:
        """So many of the rows, in words."""
        return f"{round(share * self.n):,} of {self.n:,} records"

    def customers(self, share: float) -> str:
        """So many of the pairs, in words."""
        return f"{round(share * len(self.pairs)):,} of {len(self.pairs):,} customers"

    def known(self, of: Callable[[Row], Any]) -> float:
        """The share of the rows of which something is known."""
        return sum(of(row) is not None for row in self.rows) / self.n if self.rows else 0.0

    def related(self, relation: Relation) -> float:
        """The share of the rows whose copy is so related to the origin."""
        return self.share(lambda row: relation in row.relations)

    def detail(self, relation: Relation) -> tuple[str | None, float]:
        """The commonest detail of a relation, and the share of the rows that have it."""
        found = Counter(row.relations[relation] for row in self.rows if relation in row.relations)
        if not found:
            return None, 0.0
        name, count = found.most_common(1)[0]
        return name, count / self.n

    def hand(self, *hands: Hand) -> float:
        """The share of the rows whose copy was last written so, of those whose writer is known."""
        return self.share(lambda row: None if row.copy_write is None else row.copy_write.hand in hands)

    @cached_property
    def told(self) -> float:
        """The share of the rows of whose copy the log tells who wrote it."""
        return self.known(lambda row: row.copy_write)

    @property
    def is_logged(self) -> bool:
        """Whether there is a log at all."""
        return bool(self.evidence.writes)

    @cached_property
    def is_dated(self) -> bool:
        """Whether anything is known of how most of the rows came to differ: something moved where it could be seen."""
        moved = sum(row.copy_moved is not None or row.origin_moved is not None for row in self.rows)
        return moved > self.n / 2

    @cached_property
    def others_follow(self) -> bool | None:
        """Whether copies of other pairs still moved once the first of these differed; None where nobody can see."""
        onsets = [row.onset for row in self.rows if row.onset is not None]
        if not onsets or not self.is_dated:
            return None
        mine = {(row.pair.link.source, row.pair.link.target)[self.copy_side is Side.TARGET] for row in self.rows}
        rules, began = self.rows[0].rules, min(onsets)
        name = rules.target_field if self.copy_side is Side.TARGET else rules.source_field
        if self.evidence.history is None:
            return None
        last: dict[str, Any] = {}
        for look in self.evidence.history:
            if look.side is not self.copy_side or look.id in mine or name not in look.fields:
                continue
            value = look.fields[name]
            if look.cycle > began + 1 and look.id in last and last[look.id] != value:
                return True
            last[look.id] = value
        return False

    @cached_property
    def counts(self) -> FieldCounts:
        """How the field fares over all pairs."""
        return self.compared.counts.get(self.field, FieldCounts())

    @cached_property
    def reach(self) -> float:
        """The share of the compared pairs that are in the group."""
        return self.n / self.counts.compared if self.counts.compared else 0.0

    @cached_property
    def pairs(self) -> list[Pair]:
        """The pairs of the rows, each once."""
        return list({(row.pair.link.source, row.pair.link.target): row.pair for row in self.rows}.values())

    def of_pairs(self, of: Callable[[Pair], bool | None]) -> float:
        """The share of the pairs of which something holds, of those of which it is known."""
        known = [found for pair in self.pairs if (found := of(pair)) is not None]
        return sum(known) / len(known) if known else 0.0

    @cached_property
    def values(self) -> Mapping[str, Counter[str]]:
        """Copy's value: the origin's values that it stands for, where both say something."""
        found: dict[str, Counter[str]] = {}
        for row in self.rows:
            if row.origin_value not in (None, "") and row.copy_value not in (None, ""):
                found.setdefault(_named(row.copy_value), Counter())[_named(row.origin_value)] += 1
        return found

    @cached_property
    def constant(self) -> float:
        """The share of the rows whose copy is the one commonest value, if that stands for several; else 0."""
        if not self.values:
            return 0.0
        most = max(self.values.values(), key=lambda of: of.total())
        return most.total() / self.n if len(most) >= PAIRS_MIN else 0.0

    @cached_property
    def filler(self) -> float:
        """The share of the rows that have the copies' commonest value."""
        found = Counter(_named(row.copy_value) for row in self.rows if row.copy_value not in (None, ""))
        return found.most_common(1)[0][1] / self.n if found else 0.0

    @cached_property
    def paired(self) -> float:
        """The share of the rows in which each origin's value always becomes the same copy's, and is seen again."""
        becomes: dict[str, Counter[str]] = {}
        for copy, origins in self.values.items():
            for origin, count in origins.items():
                becomes.setdefault(origin, Counter())[copy] += count
        steady = sum(max(each.values()) for each in becomes.values() if each.total() >= PAIRS_MIN and len(each) == 1)
        return steady / self.n if self.n else 0.0

    @cached_property
    def origins(self) -> int:
        """How many different values the origins have."""
        return len({origin for of in self.values.values() for origin in of})

    @cached_property
    def is_open_ended(self) -> bool:
        """Whether the field's values differ from customer to customer, and are no few words of a list."""
        said = [_named(row.origin_value) for row in self.rows if row.origin_value not in (None, "")]
        return len(set(said)) > max(6, len(said) * 0.6)

    @cached_property
    def run(self) -> tuple[str | None, float]:
        """The commonest run that wrote the copies, and the share of the rows that it wrote."""
        found = Counter(row.copy_write.run for row in self.rows if row.copy_write is not None and row.copy_write.run)
        if not found:
            return None, 0.0
        name, count = found.most_common(1)[0]
        return name, count / self.n

    @property
    def copy_side(self) -> Side:
        """The side that follows."""
        return self.rows[0].origin.other if self.rows else Side.TARGET

    @property
    def copy_name(self) -> str:
        """What the following system is called."""
        return self.evidence.target if self.copy_side is Side.TARGET else self.evidence.source

    @property
    def origin_name(self) -> str:
        """What the leading system is called."""
        return self.evidence.source if self.copy_side is Side.TARGET else self.evidence.target

    def is_form(self) -> bool:
        """Whether the rows differ in form only."""
        return bool(self.rows) and all(row.verdict is Verdict.FORMAT for row in self.rows)

    def reported(self) -> float:
        """The share of the rows that a person reported, or that were fought over, though the sides agree."""
        return self.share(lambda row: row.why is not Why.DIFFERS)


def _named(value: Any) -> str:
    return str(value).strip().casefold()
