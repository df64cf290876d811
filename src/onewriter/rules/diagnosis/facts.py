"""Facts: what is known of one difference, before anybody says why.

`origin` is the side whose value should stand, and `copy` the one that follows it: by the owner of the field, else by
its direction, else the source. None is not known, everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from onewriter.rules.diagnosis.evidence import FieldRules, LinkOf, Rec, Side, Write


class Verdict(StrEnum):
    """What comparing two values came to."""

    EQUAL = "equal"
    FORMAT = "format"  # a phantom: they say the same, and are written otherwise
    REAL = "real"
    UNDECIDABLE = "undecidable"  # 03/04/1990: nobody can say whether they are the same


class Why(StrEnum):
    """Why a row is looked at."""

    DIFFERS = "differs"  # the two sides do not say the same now
    REPORTED = "reported"  # a person says that the value is wrong, though the sides agree
    REVERTED = "reverted"  # the sides agree now, and an edit was undone or fought over on the way


class Relation(StrEnum):
    """What the copy's value is to the origin's, told from values alone."""

    EMPTY_COPY = "empty copy"
    EMPTY_ORIGIN = "empty origin"
    PREFIX = "prefix"  # cut; the detail is the length
    OTHER_FIELD = "other field"  # the detail is the name of the field of the same origin record that it equals
    LOSSY = "lossy"  # a known function that loses something; the detail is its name
    DAY_SHIFT = "day shift"  # the same date but for a day, or the same moment but for hours
    DAY_MONTH = "day and month"  # swapped
    MOJIBAKE = "mojibake"  # read in the wrong encoding
    ZEROS_LOST = "zeros lost"
    NUMBER = "number"  # written as a spreadsheet does: 4.47E+11, 12.0
    OTHER_RECORD = "other record"  # it equals this field of other origin records; the detail names one of them
    OTHER_VALUE = "other value"  # nothing of all these


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one field of one record, from a snapshot or the log."""

    value: Any
    """What it became."""
    at: float
    """Where on the common line of time: cycles, with parts of a cycle; comparable within one evidence only."""
    write: Write | None = None
    """The line of the log that tells of it; None where only a snapshot does."""


@dataclass(slots=True, kw_only=True)
class Track:
    """How one field of one record came to its present value."""

    changes: list[Change] = field(default_factory=list)
    """Oldest first; the first is the oldest value known."""
    refused: list[Write] = field(default_factory=list)
    is_whole: bool = False
    """Whether the log explains every change that is known: where it does not, lines are missing."""


@dataclass(slots=True, kw_only=True)
class Pair:
    """Two linked records, and what is odd about the link."""

    link: LinkOf
    source: Rec | None
    """None where the link names a record that is not there."""
    target: Rec | None
    other_sources: tuple[str, ...] = ()
    """Other source records that are linked with the same target record."""
    other_targets: tuple[str, ...] = ()
    """Other target records that are linked with the same source record."""
    twins: tuple[str, ...] = ()
    """Target records, linked with nobody, that have a canonical identity key of this source record."""
    newer_twin: bool | None = None
    """Whether a twin is younger than the linked record, or holds newer values."""
    key_held: bool | None = None
    """Whether the two still share the value that they were linked by; None where the key is not known."""
    key_was_held: bool | None = None
    """Where they do not: whether the source had it once."""
    key_holders: tuple[str, ...] = ()
    """Other source records that hold the target's identity key now."""
    merged_from: tuple[str, ...] = ()
    """Source records that were merged into this one."""
    merged_into: str | None = None
    """Where this source record was merged away."""
    compared: int = 0
    differing: int = 0
    """Fields that were compared, and those that differ for real."""

    @property
    def is_erased(self) -> bool:
        """Whether the customer was redacted or deleted, on either side."""
        both = [each for each in (self.source, self.target) if each is not None]
        return any(each.redacted or each.deleted is not None for each in both)


@dataclass(slots=True, kw_only=True)
class Row:
    """One field of one pair that is looked at, with all that is known of it."""

    pair: Pair
    rules: FieldRules
    why: Why
    verdict: Verdict
    origin: Side
    origin_value: Any
    copy_value: Any
    expected: Any = None
    """What a person says is right; only where `is_reported`."""
    is_reported: bool = False
    relations: Mapping[Relation, str | None] = field(default_factory=dict)
    """What the copy is to the origin, with the detail of each."""
    reverse: Mapping[Relation, str | None] = field(default_factory=dict)
    """The same with the two exchanged: what the origin is to the copy."""
    origin_track: Track = field(default_factory=Track)
    copy_track: Track = field(default_factory=Track)
    # ---- What the tracks tell
    copy_is_older: bool | None = None
    """The copy says what the origin said before."""
    origin_is_older: bool | None = None
    """The origin says what the copy said before: an edit of the origin's was taken back, or the copy has moved on."""
    copy_had_it: bool | None = None
    """The copy once said what the origin says now, and moved away from it."""
    copy_was_filled: bool | None = None
    origin_was_filled: bool | None = None
    copy_moved: float | None = None
    """When the copy last changed, on the line of time; None where it is not known to have changed."""
    origin_moved: float | None = None
    flips: int = 0
    """How often the copy, or the origin, came back to a value that it had left."""
    copy_write: Write | None = None
    """The accepted write that made the copy's present value; None where the log has none."""
    origin_write: Write | None = None
    copy_writers: tuple[str, ...] = ()
    """Who wrote the copy, by name; oldest first, each once."""
    last_refused: Write | None = None
    """The newest refused write of the copy, if it is newer than the origin's present value."""
    edit_undone: bool | None = None
    """An edit of the origin, not by the connector, was overwritten by the connector with an older value."""
    order_broken: bool | None = None
    """The copy's present value was carried from an origin write that is older than one carried before."""
    stamp_against_order: bool | None = None
    """A write that the log puts later bears an earlier time, or the copy's stamps run ahead of the order of the log."""
    age: float | None = None
    """How many cycles old the origin's present value is."""
    onset: float | None = None
    """Since when they differ, on the line of time."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it: the source record, the target record and the field."""
        return self.pair.link.source, self.pair.link.target, self.rules.name


@dataclass(slots=True, kw_only=True)
class FieldCounts:
    """How one field fares over all pairs."""

    compared: int = 0
    equal: int = 0
    format: int = 0
    real: int = 0
    undecidable: int = 0
    origin_filled: int = 0
    """Pairs in which the origin says something."""
    copy_filled: int = 0
    writes: int | None = None
    """Accepted writes of the copy's side by a connector, in the whole log; None without a log."""
    refused: int | None = None
    """Refused writes of the copy's side, in the whole log."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """Reason: how often."""
    writers: Mapping[str, int] = field(default_factory=dict)
    """Writer: accepted writes of the copy's side, machines and people."""


@dataclass(slots=True, kw_only=True)
class Compared:
    """Everything that the comparison found, and that causes are told by."""

    rows: list[Row]
    """What is looked at: real differences, reports, and edits that were undone."""
    phantoms: list[Row]
    undecidable: list[Row]
    counts: Mapping[str, FieldCounts]
    """By field."""
    pairs: int
    """How many pairs were compared."""
    loose_sources: list[str]
    """Records of the source that are linked with nothing, and are not deleted."""
    loose_targets: list[str]
    odd: list[Pair]
    """Pairs whose link is odd (shared, split, left by its key, merged away), whether or not a field differs."""
    now: float | None
    """The present, on the line of time."""
