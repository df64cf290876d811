"""Fit: whether keeping a field in step by machine is worth it, from what each week came to.

The advice is given even where it speaks against the tool (decision D9), and each with the numbers behind it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from onewriter.rules.constraints import CHURN_MAX

MINUTES_A_CASE = 15.0
"""What a case costs in minutes, where nobody said otherwise."""
FEW_RECORDS = 10
"""Under so many mismatched records a week, on few fields, a list that somebody works off is cheaper (M50)."""
FEW_FIELDS = 3
DAILY = 5
"""Edited in several systems on so many days of a week is every day (M49)."""
OVERLAP_MIN = 0.05
"""From this share of customers on that merges, imports and edits all touched, the flow is too wide (M54)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """One week of one field."""

    edits: Mapping[str, int] = field(default_factory=dict)
    """By system, changes that began there: not those that were carried there."""
    shared_days: int = 0
    """Days on which more than one system edited it."""
    hand: int = 0
    """Corrections by hand."""
    cases: int = 0
    records: int = 0
    """Records that were found wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFit:
    """What is known of one field; None is not known."""

    name: str
    kind: str | None = None
    owner: str | None = None
    writers: tuple[str, ...] = ()
    """The systems that may write it."""
    is_covered: bool | None = None
    is_needed: bool = True
    weeks: tuple[Week, ...] = ()
    """The oldest first."""
    minutes_a_case: float = MINUTES_A_CASE
    worth_minutes: float | None = None
    """What a week without the automation would cost in minutes, as a person says."""

    @property
    def last(self) -> Week:
        """The newest week."""
        return self.weeks[-1] if self.weeks else Week()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Customers that were touched within the weeks that are looked at."""

    customers: int
    merged: int
    imported: int
    edited: int
    all_three: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything that the advice is made of."""

    fields: tuple[FieldFit, ...]
    churn: Mapping[str, float] = field(default_factory=dict)
    """Match key: the share of customers whose value of it changes in a week."""
    overlap: Overlap | None = None


@dataclass(frozen=True, slots=True)
class Counsel:
    """One advice, with its numbers."""

    rule: str
    """stop two-way | narrow | manual | no owner | not covered | unstable key | overlap | too dear"""
    field: str | None
    advice: str
    numbers: str
    things: tuple[str, ...] = ()
    """One source of truth, one write path and one cleanup routine, where the advice is to have them (M55)."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a field changes and goes wrong, a week."""

    name: str
    changes: float
    cases: float
    hand: int
    """Corrections by hand in all weeks; each is one more thing to audit (M69)."""


@dataclass(frozen=True, slots=True)
class Editable:
    """How many hands are on the fields (M20, M72)."""

    pairs: int
    """Pairs of a field and a system that may write it."""
    writers: Mapping[str, int]
    """By field, how many systems may write it."""


def counsel(known: Figures) -> tuple[Counsel, ...]:
    """All the advice there is; what stops goes first."""
    rules = (_unowned, _uncovered, _daily, _unstable, _overlapping, _narrow, _dear, _few)
    return tuple(each for rule in rules for each in rule(known))


def by_trouble(fields: Iterable[FieldFit]) -> tuple[Rates, ...]:
    """The fields by how often they change and make a case, the worst first (M21)."""
    return tuple(sorted(map(_rates, fields), key=lambda one: (-one.cases, -one.changes, one.name)))


def editable(fields: Iterable[FieldFit]) -> Editable:
    """How many systems may write each field (M72)."""
    by_field = {each.name: len({*each.writers}) for each in fields}
    return Editable(sum(by_field.values()), by_field)


def added(fields: Sequence[FieldFit], name: str, system: str) -> str:
    """What changes when one more system may write a field (M20)."""
    before = editable(fields)
    known = next((each for each in fields if each.name == name), None)
    if known is not None and system in known.writers:
        return f"{system} may write {name} already: {before.pairs} editable pairs, as before."
    writers = before.writers.get(name, 0) + 1
    clash = f", and {writers} systems can overwrite each other in {name}" if writers > 1 else ""
    return f"{before.pairs} editable pairs become {before.pairs + 1}{clash}."


def three_things(known: FieldFit, others: Sequence[str], routine: str = "the next audit") -> tuple[str, str, str]:
    """One source of truth, one write path and one cleanup routine, said of this field (M55)."""
    owner = known.owner
    if owner is None:
        source = f"One source of truth: name one for {known.name}; nobody is written down."
        return source, f"One write path: none, until {known.name} has an owner.", _routine(known, routine)
    follow = [each for each in others if each != owner]
    path = f"from {owner} to {_and(follow)}" if follow else f"in {owner} alone"
    return (
        f"One source of truth: {owner} for {known.name}.",
        f"One write path: {known.name} goes {path}, and nobody else writes it.",
        _routine(known, routine),
    )


def _things(known: FieldFit) -> tuple[str, str, str]:
    edited = {system for week in known.weeks for system in _editors(week)}
    return three_things(known, sorted({*known.writers, *edited}))


def _routine(known: FieldFit, routine: str) -> str:
    return f"One cleanup routine: what differs in {known.name} waits for {routine}, and is corrected at its owner only."


def cost(known: FieldFit) -> float:
    """What the last week of a field cost, in minutes (M81)."""
    return known.last.cases * known.minutes_a_case


# ---- One rule each --------------------------------------------------------------------------------------------------


def _unowned(known: Figures) -> Iterator[Counsel]:
    """Consent without an owner stops everything else (M51)."""
    for each in known.fields:
        if each.kind == "consent" and each.owner is None:
            told = f"Stop carrying {each.name}: it says what people agreed to, and nobody is written down as its owner."
            numbers = f"Owners written down: 0; may write: {len(each.writers)}."
            yield Counsel("no owner", each.name, told, numbers, _things(each))


def _uncovered(known: Figures) -> Iterator[Counsel]:
    """A tool that misses the field that is needed is no use for it (M52)."""
    missed = [each.name for each in known.fields if each.is_needed and each.is_covered is False]
    needed = sum(each.is_needed for each in known.fields)
    for name in missed:
        told = f"Stop counting on this for {name}: it is needed and not carried. Map it, or keep it by hand."
        yield Counsel("not covered", name, told, f"Needed: {needed} fields; not carried: {len(missed)}.")


def _daily(known: Figures) -> Iterator[Counsel]:
    """Edited in several systems every day: two-way is the wrong way (M49)."""
    for each in known.fields:
        if each.last.shared_days >= DAILY:
            told = f"Stop writing {each.name} both ways: it is edited in several systems every day. Name one owner."
            numbers = f"Days with edits in several systems: {each.last.shared_days} of 7. Edits: {_edits(each.last)}."
            yield Counsel("stop two-way", each.name, told, numbers, _things(each))


def _unstable(known: Figures) -> Iterator[Counsel]:
    """A key that changes too often links the wrong people (M53)."""
    for key, share in sorted(known.churn.items()):
        if share > CHURN_MAX:
            told = f"Do not link by {key}: it changes too often to tell people apart. Use the id."
            numbers = f"{share:.1%} of the customers changed it in a week; at most {CHURN_MAX:.0%} may."
            yield Counsel("unstable key", key, told, numbers)


def _overlapping(known: Figures) -> Iterator[Counsel]:
    """Merges, imports and edits on the same customers (M54)."""
    seen = known.overlap
    if seen is None or not seen.customers or seen.all_three / seen.customers < OVERLAP_MIN:
        return
    told = "Narrow the flow: merges, imports and edits by hand touch the same customers. Do one at a time."
    numbers = (
        f"Of {seen.customers:,} customers: merged {seen.merged:,}, imported {seen.imported:,}, edited {seen.edited:,}, "
        f"all three {seen.all_three:,} ({seen.all_three / seen.customers:.1%})."
    )
    yield Counsel("overlap", None, told, numbers)


def _narrow(known: Figures) -> Iterator[Counsel]:
    """Two systems editing a field two weeks running: a narrower owner, and not another cleanup (M24)."""
    for each in known.fields:
        pair = each.weeks[-2:]
        shared = len(pair) == 2 and all(len(_editors(week)) > 1 for week in pair)
        if shared and each.last.shared_days < DAILY:
            told = (
                f"Give {each.name} a narrower owner, and do not clean it up again: several systems edit it each week."
            )
            numbers = f"The week before: {_edits(pair[0])}. This week: {_edits(pair[1])}."
            yield Counsel("narrow", each.name, told, numbers, _things(each))


def _dear(known: Figures) -> Iterator[Counsel]:
    """Clearing up costs more than the automation saves (M81)."""
    for each in known.fields:
        if each.worth_minutes is not None and cost(each) > each.worth_minutes:
            told = f"Set {each.name} to manual: clearing up costs more than the automation saves."
            numbers = (
                f"{each.last.cases} cases at {each.minutes_a_case:g} minutes are {cost(each):g} minutes a week; it "
                f"saves {each.worth_minutes:g}. Corrections by hand: {each.last.hand}."
            )
            yield Counsel("too dear", each.name, told, numbers)


def _few(known: Figures) -> Iterator[Counsel]:
    """Few records on few fields: a list by hand is cheaper than this tool (M50)."""
    wrong = [each for each in known.fields if each.last.records]
    records = sum(each.last.records for each in wrong)
    if wrong and records < FEW_RECORDS and len(wrong) <= FEW_FIELDS:
        names = _and([each.name for each in wrong])
        told = f"Correct {names} by hand, from a list: so few records do not need a machine, this one included."
        limits = f"under {FEW_RECORDS} on at most {FEW_FIELDS} fields is few"
        many = f"{_some(records, 'record')} on {_some(len(wrong), 'field')}"
        yield Counsel("manual", None, told, f"{many} this week; {limits}.")


# ---- Counting -------------------------------------------------------------------------------------------------------


def _rates(known: FieldFit) -> Rates:
    weeks = max(1, len(known.weeks))
    changes = sum(sum(week.edits.values()) for week in known.weeks)
    hand = sum(week.hand for week in known.weeks)
    return Rates(known.name, changes / weeks, sum(week.cases for week in known.weeks) / weeks, hand)


def _editors(week: Week) -> set[str]:
    return {system for system, count in week.edits.items() if count}


def _edits(week: Week) -> str:
    told = ", ".join(f"{system} {count:,}" for system, count in sorted(week.edits.items()) if count)
    return told or "none"


def _some(many: int, one: str) -> str:
    return f"{many} {one if many == 1 else one + 's'}"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
