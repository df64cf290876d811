"""Diagnosing: how often a diagnosis names the true cause, at four levels of evidence, beside the five rows by counts.

Whoever makes the shops knows the truth, and nothing here knows how they were made. What is judged is the first case
that concerns the planted field or, where whole customers are meant, these customers.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Side
from onewriter.rules.diagnosis.judgement import CaseOf

LEVELS = ("values", "snapshots", "configuration", "log")
FLOORS = {"top1": 0.90, "top2": 0.96, "accuracy": 0.97, "coverage": 0.80}
"""What must hold with the log."""
AIM_OF_SNAPSHOTS = 0.90
WHOLE = frozenset(
    ("identity_split", "identity_over_merge", "recycled_key", "deleted_redacted", "merge_not_propagated")
)  # fmt: skip
"""Causes of which no single field is concerned."""
FAMILIES = {
    "manual_edit_T": "record", "import_collision": "import", "partial_import": "import", "null_overwrite": "import",
    "mapping_wrong_target": "mapping", "transform_lossy": "mapping", "truncation": "mapping",
    "timezone_locale": "mapping",
    "type_enum_coercion": "mapping", "encoding_mojibake": "mapping", "default_value": "mapping",
    "two_writers": "ownership", "wrong_direction": "ownership", "clock_skew": "order", "stale_out_of_order": "order",
    "missed_webhook": "order", "permission_missing": "boundary", "field_not_covered": "boundary",
    "identity_split": "identity", "identity_over_merge": "identity", "recycled_key": "identity",
    "merge_not_propagated": "identity", "consent_state_machine": "consent", "deleted_redacted": "life",
    "format_only": "none", "in_flight": "none",
}  # fmt: skip
NOTHING = "(no case)"


@dataclass(frozen=True, slots=True)
class Made:
    """One shop's evidence, and what is true of it."""

    evidence: Evidence
    cause: str
    field: str
    records: frozenset[str]
    """Source ids of the customers concerned; empty for all."""
    name: str = ""
    forms: frozenset[tuple[str, str]] = frozenset()
    """Source id and field of what differs in form only, outside the planted field."""
    reals: frozenset[tuple[str, str]] = frozenset()
    """And of what differs for real."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the engine said of one evidence."""

    cases: Sequence[CaseOf]
    phantoms: frozenset[tuple[str, str]]
    """Source id and field."""


@dataclass(slots=True)
class Tally:
    """The scores at one level."""

    stores: int = 0
    top1: int = 0
    top2: int = 0
    family: int = 0
    asserted: int = 0
    asserted_right: int = 0
    foremost: int = 0
    """How often the very first case was the one that counts."""
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)

    def share(self, name: str) -> float:
        """One score, as a ratio."""
        if name == "coverage":
            return self.asserted / self.stores if self.stores else 0.0
        if name == "accuracy":
            return self.asserted_right / self.asserted if self.asserted else 0.0
        return int(getattr(self, name)) / self.stores if self.stores else 0.0


@dataclass(slots=True)
class Score:
    """All scores of a number of shops."""

    levels: dict[str, Tally] = field(default_factory=lambda: {level: Tally() for level in LEVELS})
    counted: Tally = field(default_factory=Tally)
    """The baseline: the five rows by counts."""
    forms_found: int = 0
    forms_wrong: int = 0
    forms_missed: int = 0
    forbidden: int = 0
    """Advice to write on erased customers, or on a consent without an owner."""
    missed: list[tuple[str, str]] = field(default_factory=list)
    """Name of a shop, and what was said with the log instead of the truth."""

    @property
    def holds(self) -> bool:
        """Whether the floors hold with the log, and nothing forbidden was advised."""
        log = self.levels["log"]
        return self.forbidden == 0 and all(log.share(name) >= floor for name, floor in FLOORS.items())

    @property
    def form_precision(self) -> float:
        """Of what was called a matter of form, the share that is."""
        said = self.forms_found + self.forms_wrong
        return self.forms_found / said if said else 1.0

    @property
    def form_recall(self) -> float:
        """Of what is a matter of form, the share that was called so."""
        true = self.forms_found + self.forms_missed
        return self.forms_found / true if true else 1.0


def at_level(evidence: Evidence, level: str) -> Evidence:
    """The evidence with no more than that level has."""
    has = LEVELS.index(level)
    kept = evidence
    if has < LEVELS.index("log"):
        kept = replace(kept, writes=None, runs=None)
    if has < LEVELS.index("configuration"):
        bare = {name: _bare(rules) for name, rules in (evidence.fields or {}).items()}
        kept = replace(kept, fields=bare, match_keys=None, two_way=None, clock_skew_s=None)
    return replace(kept, history=None, cycles=None) if has < LEVELS.index("snapshots") else kept


def _bare(rules: FieldRules) -> FieldRules:
    return FieldRules(name=rules.name, source_field=rules.source_field, target_field=rules.target_field)


def score(made: Iterable[Made], judge: Callable[[Evidence], Judged]) -> Score:
    """Judge each shop at each level."""
    found = Score()
    for each in made:
        for level in LEVELS:
            judged = judge(at_level(each.evidence, level))
            said, is_asserted, is_foremost = said_of(each, judged)
            _count(found.levels[level], each.cause, said, is_asserted, is_foremost)
            found.forbidden += sum(_is_forbidden(case, each.evidence, level) for case in judged.cases)
        _forms(found, each, judged)
        if said[:1] != [each.cause]:
            found.missed.append((each.name, (said or [NOTHING])[0]))
        _count(found.counted, each.cause, _by_counts(each), True, True)
    return found


def said_of(made: Made, judged: Judged) -> tuple[list[str], bool, bool]:
    """The causes said of what was planted, the likeliest first; whether it was asserted; whether it came first."""
    for at, case in enumerate(judged.cases):
        is_met = not made.records or not made.records.isdisjoint(case.records)
        if is_met and (made.cause in WHOLE or made.field in case.group.fields):
            return [each.cause for each in case.group.causes] or [NOTHING], case.group.asserted, at == 0
    if any(name == made.field for _, name in judged.phantoms):
        return ["format_only"], True, True
    return [NOTHING], False, False


def _count(tally: Tally, true: str, said: list[str], is_asserted: bool, is_foremost: bool) -> None:
    is_right = said[:1] == [true]
    tally.stores += 1
    tally.top1 += is_right
    tally.top2 += true in said[:2]
    tally.family += FAMILIES.get(said[0]) == FAMILIES[true]
    tally.asserted += is_asserted
    tally.asserted_right += is_asserted and is_right
    tally.foremost += is_foremost
    if not is_right:
        tally.confusion[true, said[0]] += 1


def _is_forbidden(case: CaseOf, evidence: Evidence, level: str) -> bool:
    if not case.advice.may_write:
        return False
    sources = evidence.records[Side.SOURCE]
    if any(number in sources and sources[number].redacted for number in case.records):
        return True
    rules = [(at_level(evidence, level).fields or {}).get(name) for name in case.group.fields]
    return any(each is not None and each.kind == "consent" and each.owner is None for each in rules)


def _forms(found: Score, made: Made, judged: Judged) -> None:
    found.forms_found += len(judged.phantoms & made.forms)
    found.forms_wrong += len(judged.phantoms & made.reals)
    found.forms_missed += len(made.forms - judged.phantoms)


def _by_counts(made: Made) -> list[str]:
    """What the five rows say, each by its most common cause."""
    targets: dict[str, int] = defaultdict(int)
    for link in made.evidence.links or ():
        targets[link.target] += 1
    if any(times > 1 for times in targets.values()):
        return ["identity_over_merge", "identity_split"]
    if made.evidence.reports:
        return ["wrong_direction", "two_writers"]
    differing = _differing(made)
    if differing == 0:
        return [NOTHING]
    if differing == 1:
        return ["manual_edit_T", "in_flight"]
    return ["transform_lossy", "mapping_wrong_target"] if differing < 5 else ["two_writers", "wrong_direction"]


def _differing(made: Made) -> int:
    rules, records = (made.evidence.fields or {})[made.field], made.evidence.records
    values: list[tuple[Any, Any]] = [
        (
            records[Side.SOURCE][link.source].fields.get(rules.source_field),
            records[Side.TARGET][link.target].fields.get(rules.target_field),
        )
        for link in made.evidence.links or ()
        if link.source in records[Side.SOURCE] and link.target in records[Side.TARGET]
    ]
    return sum(one != other for one, other in values)
