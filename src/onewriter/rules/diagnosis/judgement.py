"""What a diagnosis says: causes with their weights, and the case that comes of a group of rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from onewriter.rules.diagnosis.evidence import Known
from onewriter.rules.diagnosis.facts import Row


class Family(StrEnum):
    """What kind of thing is wrong."""

    RECORD = "record"
    IMPORT = "import"
    MAPPING = "mapping"
    OWNERSHIP = "ownership"
    ORDER = "order"
    BOUNDARY = "boundary"
    IDENTITY = "identity"
    CONSENT = "consent"
    LIFE = "life"  # deleted, redacted
    NONE = "none"  # nothing is wrong: format only, in flight


class ScopeRow(StrEnum):
    """The row that a case opens with, by counts alone (requirements M3 to M7, decisions D1 and D2)."""

    RECORD = "record"
    MAPPING = "mapping"
    OWNERSHIP = "ownership"
    REVERSION = "reversion"
    IDENTITY = "identity"
    IMPORT = "import"
    BOUNDARY = "boundary"
    PHANTOM = "phantom"


class FixTarget(StrEnum):
    """What is to be changed (requirement M30)."""

    RECORD = "record"
    RULE = "rule"
    PROCESS = "process"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hypothesis:
    """One cause that may explain a group, how well it fits, and by what."""

    cause: str
    """One of the names in docs/causes.md."""
    weight: float
    """0..1; the weights of a group's hypotheses add up to 1 at most."""
    evidence: tuple[str, ...]
    """Sentences, without anybody's values."""
    missing: tuple[str, ...] = ()
    """What would make it surer, and is not there."""


@dataclass(slots=True, kw_only=True)
class Group:
    """Rows that one cause explains, probably."""

    name: str
    """The field; of a group of whole records, the field that differs most often."""
    rows: list[Row]
    fields: tuple[str, ...]
    """All fields of its rows."""
    causes: tuple[Hypothesis, ...] = ()
    """The likeliest first."""
    asserted: bool = False
    """Whether the margin is large enough to say that it is the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """Who is predicted to win the next cycle (requirement M14)."""

    side: str | None
    """The system whose value will stand in both; None where nobody can tell, or neither is written."""
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do about a case, and what not to."""

    fix_target: FixTarget
    first_move: str
    not_to_do: str
    action: str | None = None
    """What onewriter could do itself: resync | own | map | pause | unlink | key | allow; None where only people can."""
    may_write: bool = True
    """Never on redacted customers, nor on a consent without an owner."""
    broad: bool = False
    """Whether the move changes more than the records of the case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What must be known of a case to say what may be done about it."""

    scope: str
    """Empty while nobody knows how far it reaches."""
    scope_row: ScopeRow
    customers: int
    may_write: bool
    first_move: str
    not_to_do: str
    of_mapping: bool
    """Whether the mapping is to be put right before any record is (requirement M26)."""
    needs_key: bool
    """Whether the match key is to be put right before records are merged (requirement M28)."""


class Answer(StrEnum):
    """What one item of the checklist was answered with."""

    YES = "yes"
    NO = "no"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One of the seven items that are settled before anybody edits (requirements M56 to M62)."""

    name: str
    question: str
    answer: Answer
    why: str
    """In a sentence, without anybody's values."""
    answered_by: str | None = None
    """The person who answered it; None where the evidence did."""


@dataclass(slots=True, kw_only=True)
class CaseOf:
    """One case as the engine finds it, before anybody opened it."""

    group: Group
    systems: tuple[str, str]
    records: tuple[str, ...]
    """Source ids of the customers concerned, each once, in their order."""
    scope_row: ScopeRow
    scope: str
    """The first line of every diagnosis: customers x fields x systems x cycles (requirement M2)."""
    identity: str
    owner: str
    write_order: str
    """Three sentences, shown in this order before any action (requirement M9)."""
    advice: Advice
    survivor: Survivor
    confidence: str
    """full | lowered: lowered where no log can tell who wrote (requirement M47)."""
    evidence_had: Known
    checklist: tuple[Item, ...] = ()
    """The seven items as the evidence answers them, in their order."""
    import_split: str | None = None
    """Where an import is at fault: that the older records are clean, in numbers (requirement M29)."""
    affected: Mapping[str, int] = field(default_factory=dict)
    """Who is affected: customers, fields, records of each system."""
