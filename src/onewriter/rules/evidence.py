"""What is known of the boundary between a shop and a system, and what the constraint check makes of it.

Plain records, so that the same looks are taken at a database and at a bundle of files. None is always "not known", and
never "empty".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from onewriter.records import Instant
from onewriter.rules.policy import Direction


class Outcome(StrEnum):
    """What one look found."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One look: what it found, in sentences, and the fields at fault; none at fault by name means all of them."""

    name: str
    outcome: Outcome
    evidence: tuple[str, ...]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parked:
    """Values of one field that had nowhere to go, since when the oldest waits, and why."""

    direction: Literal["in", "out"]
    reason: str
    count: int
    since: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEvidence:
    """What is known of one field between the shop and the system."""

    name: str
    owner: str | None
    is_told: bool = True
    """Whether anybody said who owns it and which way it goes; where not, nobody and no way are not findings."""
    is_needed: bool = False
    """Whether it is a fault that it is not carried, though nobody asks about it."""
    written_in: str | None = None
    """Where it is written, if that is not the system but its other side."""
    writers: tuple[str, ...] = ()
    """Who may write it by what was agreed, its owner first."""
    remote: str | None = None
    """What the system calls it."""
    direction: Direction | None = None
    """None where it is not mapped."""
    owner_is_asked: bool = True
    """Whether what its owner says is read at all."""
    reaches_shop: bool = True
    """Whether the shop itself holds the field or is told of it."""
    is_there: bool | None = None
    """Whether the system has the field; None while it was not asked."""
    may_be_written: bool | None = None
    """What the system says of itself."""
    refused_edits: int = 0
    """Edits of the system's own that it may not make."""
    denied: int = 0
    """Writes that the system refused for want of a right."""
    denied_at: Instant | None = None
    taken_at: Instant | None = None
    """When it last took a write of the field, whatever that was."""
    tried_at: Instant | None = None
    """When what stood there was last written back, to try the right."""
    tried_refusal: str | None = None
    """Why that was refused; None if it was taken."""
    parked: tuple[Parked, ...] = ()
    forms: Mapping[str, str | None] = field(default_factory=dict)
    """Path: what it makes of one sample that is the same for all of them; None for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEvidence:
    """What is known of how records find their customers."""

    keys: tuple[str, ...]
    """By what two records are one person, the strongest first."""
    mapped: tuple[str, ...]
    """Those of them that the system has a field for."""
    records: int
    linked: int
    review: int
    """Records that wait for a person."""
    apart: int = 0
    """Pairs that a person took apart."""
    by: Mapping[str, int] = field(default_factory=dict)
    """Key: links that were made by it."""
    churn: Mapping[str, float] = field(default_factory=dict)
    """Key: the share of customers whose value of it changes in a week."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvidence:
    """What is known of how well the log tells who wrote what."""

    lines: int
    """Of this system, in the days that are looked at."""
    nameless: int
    """Those of them that do not tell the writer."""
    changed: int
    """Records of the system that have changed since they were linked."""
    unexplained: int
    """Those of them of whose change no line tells."""
    began_at: Instant | None
    """The oldest line of the whole log."""
    complete_at: Instant | None
    """When the last complete cycle began."""
    unfinished: int = 0
    """Cycles that failed, in the days that are looked at."""
    trouble: str | None = None
    """What kept the newest one from its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of the boundary between the shop and one system; None is not known."""

    system: str
    home: str = "the shop"
    """What the other side is called."""
    is_there_to_ask: bool = True
    """Whether the system can be asked from here; what stands in files can not."""
    fields: tuple[FieldEvidence, ...] | None
    """Every field of the shop's, mapped or not; None where nobody said how any of them goes."""
    now: Instant
    asked: str | None = None
    """The one field that is in question."""
    free: tuple[str, ...] | None = None
    """The system's fields that nobody mapped; None while it was not asked."""
    scopes_missing: tuple[str, ...] = ()
    """What the shop does not let us do and this system needs."""
    keys: KeyEvidence | None = None
    log: LogEvidence | None = None

    @property
    def concerned(self) -> tuple[FieldEvidence, ...]:
        """The field in question, or all of them."""
        return tuple(each for each in self.fields or () if self.asked in (None, each.name))


@dataclass(frozen=True, slots=True)
class Boundary:
    """What the six looks come to."""

    kind: Literal["boundary"] | None
    """The class that ends the diagnosis here; None where records are to be looked at."""
    begin_at: tuple[str, ...]
    """The looks that failed and end it, in their order."""
    confidence: Literal["full", "lowered"]
    """Lowered where the log is no evidence, so that the pattern of the records is all there is."""
