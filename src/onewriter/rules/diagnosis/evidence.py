"""The evidence of a diagnosis: what two systems hold, who wrote it, by what rules, and in which runs.

Plain records that know no platform: the same are made from the database and from a bundle of files. Whatever is None is
not known, and never "empty"; a diagnosis says which of them it had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from onewriter.records import Instant


class Side(StrEnum):
    """One of the two systems."""

    SOURCE = "source"
    TARGET = "target"

    @property
    def other(self) -> "Side":
        """The one on the other side."""
        return Side.TARGET if self is Side.SOURCE else Side.SOURCE


class Hand(StrEnum):
    """What kind of writer wrote something."""

    PERSON = "person"  # the customer, or somebody of the shop
    CONNECTOR = "connector"  # whatever carries values from one of the two systems to the other
    IMPORT = "import"  # a file, or a bulk change
    APP = "app"  # another machine, named
    MERGE = "merge"
    REDACTION = "redaction"
    UNKNOWN = "unknown"  # a machine without a name (`api`), or nobody knows who

    @property
    def is_machine(self) -> bool:
        """Whether something that writes by itself, and so writes again: no person, merge or redaction."""
        return self in (Hand.CONNECTOR, Hand.APP, Hand.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Rec:
    """One record of one side."""

    id: str
    fields: Mapping[str, Any]
    """By the side's own names for its fields; a name that is missing is not known, and None is empty."""
    created: Instant | None = None
    deleted: Instant | None = None
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class LinkOf:
    """That two records are one person."""

    source: str
    target: str
    matched_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRules:
    """How a field goes from one side to the other, as far as anybody knows."""

    name: str
    kind: str | None = None
    """identity | profile | workflow | consent | derived, of the customer field; None where nobody said."""
    owner: str | None = None
    """The name of the system that owns it: that of the source, that of the target, or another."""
    direction: str | None = None
    """source_to_target | target_to_source | both | none."""
    source_field: str
    target_field: str
    transform: str | None = None
    max_length: int | None = None
    covered: bool | None = None
    permission: str | None = None
    """write | read | none: what the connector may do with it on the side that it writes."""
    enum: Mapping[str, Any] | None = None
    empty: str | None = None
    """keep | clear: what an empty value does on its way."""
    writers: tuple[str, ...] | None = None
    """Who may write it by what was agreed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write of one field of one record."""

    at: Instant | None
    """By the clock of whoever wrote it."""
    seq: int | None
    """Its place in the order in which the log was written, which no clock can change."""
    side: Side
    id: str
    field: str
    """By the side's own name."""
    writer: str | None
    hand: Hand
    run: str | None = None
    caused_by: int | None = None
    """The `seq` of the write on the other side that it carries over."""
    old: Any = None
    new: Any = None
    """Values, or anything that is equal where the values are: the log may hold digests alone."""
    accepted: bool | None = True
    reason: str | None = None
    """Why it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOf:
    """One run."""

    id: str
    kind: str
    """cycle | import | backfill | resync."""
    state: str | None = None
    """done | partial | failed."""
    cycle: int | None = None
    started: Instant | None = None
    finished: Instant | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """An earlier look at one record, at the end of that cycle."""

    cycle: int
    side: Side
    id: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What a person says is right in a field of a customer."""

    source: str
    field: str
    """The field of the policy, else the source's own name for it."""
    expected: Any


@dataclass(frozen=True, slots=True)
class Clean:
    """Pairs that say the same in one field and are not among the records, since nobody had to open them."""

    equal: int
    filled: int
    """Those of them in which both sides say something."""


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Everything there is about two systems."""

    source: str
    target: str
    """What the two are called."""
    records: Mapping[Side, Mapping[str, Rec]]
    taken_at: Instant | None = None
    cycles: int | None = None
    """How many full cycles were completed."""
    links: Sequence[LinkOf] | None = None
    fields: Mapping[str, FieldRules] | None = None
    match_keys: tuple[str, ...] | None = None
    two_way: bool | None = None
    clock_skew_s: float | None = None
    """By how much the target's clock is ahead, as far as it was measured."""
    region: str | None = None
    """The country whose phone numbers are dialled without their country code."""
    writes: Sequence[Write] | None = None
    runs: Mapping[str, RunOf] | None = None
    history: Sequence[Seen] | None = None
    reports: Sequence[Report] = field(default_factory=list)
    clean: Mapping[str, Clean] = field(default_factory=dict)
    """By field of the policy; they count with the pairs that are compared, so that a share is one of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Which evidence there was; said with every diagnosis."""

    links: bool
    snapshots: bool
    configuration: bool
    runs: bool
    writes: bool
