"""The checklist: seven things to be settled before records are edited, and the gate that they make.

The evidence answers what it can, and a person's answer goes before it. Three or more that stay unclear pause the edit
(requirement M63); whoever owns the data may go on all the same, and must say why (decision D10).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from onewriter.rules.constraints import COVERAGE, MATCH_KEY
from onewriter.rules.diagnosis.evidence import Hand
from onewriter.rules.diagnosis.facts import Change, Row
from onewriter.rules.diagnosis.judgement import Answer, CaseOf, FixTarget, Item
from onewriter.rules.diagnosis.scope import begun_at
from onewriter.rules.evidence import Check, Outcome

FIELD, RECORDS, CYCLE, OWNER = "field", "records", "cycle", "owner"
KEY, COVERED, RECURRENCE = "key", "coverage", "recurrence"
QUESTIONS: Mapping[str, str] = {
    FIELD: "Is the exact field named?",
    RECORDS: "Are the affected records counted?",
    CYCLE: "Was it looked at again after one full cycle?",
    OWNER: "Is the owner of the field written down?",
    KEY: "Is it confirmed by what key the records are one person?",
    COVERED: "Is it checked that the connector carries the field?",
    RECURRENCE: "Does the next step keep it from coming back?",
}
"""The seven items, in their order (requirements M56 to M62)."""
UNCLEAR_MAX = 2
"""So many items may stay unclear."""
KEY_KNOWN_MIN = 0.5
"""The share of records whose key must be known before the rest are taken to be like them."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A person's answer to one item."""

    answer: Answer
    answered_by: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether records may be edited now."""

    is_open: bool
    unclear: tuple[str, ...]
    """The items that nobody can answer yet."""
    is_overridden: bool
    told: str


def gate(items: Sequence[Item], override: str | None = None) -> Gate:
    """Whether so much is settled that records may be edited; `override` is the reason of whoever goes on all the same.

    An item that is answered with no is settled: it is known what is missing.
    """
    unclear = tuple(each.name for each in items if each.answer is Answer.UNCLEAR)
    if len(unclear) <= UNCLEAR_MAX:
        return Gate(True, unclear, False, f"{len(items) - len(unclear)} of {len(items)} items are settled.")
    told = f"{len(unclear)} of {len(items)} items are unclear: {', '.join(unclear)}"
    if override is not None and override.strip():
        return Gate(True, unclear, True, f"{told}. Somebody goes on all the same.")
    return Gate(False, unclear, False, f"{told}. At most {UNCLEAR_MAX} may be; answer them, or say why you go on.")


def answered(items: Sequence[Item], answers: Mapping[str, Answered]) -> tuple[Item, ...]:
    """The items with people's answers in the place of what the evidence says."""
    return tuple(_by_person(each, answers[each.name]) if each.name in answers else each for each in items)


def _by_person(item: Item, told: Answered) -> Item:
    why = told.why or f"{told.answered_by} says so."
    return replace(item, answer=told.answer, why=why, answered_by=told.answered_by)


def filled(case: CaseOf, constraints: Sequence[Check], now: float | None) -> tuple[Item, ...]:
    """The seven items as the evidence answers them; `now` is the present on the line of time."""
    by_name = {check.name: check for check in constraints}
    found = {
        FIELD: _field(case),
        RECORDS: _records(case),
        CYCLE: _cycle(case.group.rows, now),
        OWNER: _owner(case),
        KEY: _key(case.group.rows, by_name.get(MATCH_KEY)),
        COVERED: _covered(case, by_name.get(COVERAGE)),
        RECURRENCE: _recurrence(case),
    }
    return tuple(
        Item(name=name, question=QUESTIONS[name], answer=answer, why=why) for name, (answer, why) in found.items()
    )


Found = tuple[Answer, str]


def _field(case: CaseOf) -> Found:
    source, target = case.systems
    named = {row.rules.name: row.rules for row in case.group.rows}
    told = ", ".join(
        f"{name} ({each.source_field} in {source}, {each.target_field} in {target})" for name, each in named.items()
    )
    return (Answer.YES, f"{told}.") if told else (Answer.UNCLEAR, "No field is named.")


def _records(case: CaseOf) -> Found:
    if not case.records:
        return Answer.UNCLEAR, "Nobody is known to be affected."
    return Answer.YES, f"Customers affected: {len(case.records):,}."


def _cycle(rows: Sequence[Row], now: float | None) -> Found:
    """Whether the records stood wrong through a whole cycle (M58)."""
    begun = [began for row in rows if (began := begun_at(row)) is not None]
    if now is None or not begun:
        return Answer.UNCLEAR, "Nothing tells since when they differ: no earlier look, and no log."
    through = sum(now - began >= 1 for began in begun)
    if through:
        return Answer.YES, f"{through:,} of {len(rows):,} values stood like this through a full cycle."
    return Answer.NO, "They differ for less than one full cycle; the next one may settle it."


def _owner(case: CaseOf) -> Found:
    unowned = sorted({row.rules.name for row in case.group.rows if row.rules.owner is None})
    if not unowned:
        owners = sorted({str(row.rules.owner) for row in case.group.rows})
        return Answer.YES, f"Owned by {' and '.join(owners)}."
    if case.evidence_had.configuration:
        return Answer.NO, f"Nobody is written down as the owner of {', '.join(unowned)}."
    return Answer.UNCLEAR, f"The settings are not at hand, so that nothing says who owns {', '.join(unowned)}."


def _key(rows: Sequence[Row], look: Check | None) -> Found:
    """Whether the records are one person by a key that both still have (M60)."""
    pairs = {row.pair.link: row.pair for row in rows}.values()
    left = sum(pair.key_held is False for pair in pairs)
    doubled = sum(bool(pair.other_sources or pair.other_targets or pair.twins or pair.merged_into) for pair in pairs)
    known = sum(pair.key_held is not None for pair in pairs)
    if left or doubled:
        counted = {"no longer share the key": left, "are linked or held twice": doubled}
        told = ", ".join(f"{count:,} of {len(pairs):,} {what}" for what, count in counted.items() if count)
        return Answer.NO, f"{told}."
    if look is not None and look.outcome is Outcome.FAIL:
        return Answer.NO, look.evidence[0]
    if pairs and known / len(pairs) >= KEY_KNOWN_MIN:
        return Answer.YES, f"{known:,} of {len(pairs):,} share the key that they were linked by."
    return Answer.UNCLEAR, "Nothing says by what key the records are linked, so look at two of them side by side."


def _covered(case: CaseOf, look: Check | None) -> Found:
    rules = {row.rules.name: row.rules for row in case.group.rows}
    left = sorted(name for name, each in rules.items() if each.covered is False)
    failed = () if look is None or look.outcome is not Outcome.FAIL else tuple(sorted({*look.fields} & {*rules}))
    if left or failed:
        return Answer.NO, f"Not carried: {', '.join(left or failed)}."
    passed = look is not None and look.outcome is Outcome.PASS
    if rules and (passed or all(each.covered for each in rules.values())):
        return Answer.YES, f"Carried: {', '.join(sorted(rules))}."
    seen = {row.rules.name for row in case.group.rows if any(map(_is_carried, row.copy_track.changes))}
    if rules and seen == {*rules}:
        return Answer.YES, f"Seen carried in the log: {', '.join(sorted(seen))}."
    return Answer.UNCLEAR, "Nothing says whether the connector carries the field."


def _is_carried(change: Change) -> bool:
    return change.write is not None and change.write.hand is Hand.CONNECTOR


def _recurrence(case: CaseOf) -> Found:
    """Whether the first move changes what made it, not only what it made (M62)."""
    if not case.group.asserted:
        return Answer.UNCLEAR, "The cause is not sure, so that nobody can say what keeps it from coming back."
    target = case.advice.fix_target
    if target is FixTarget.NOTHING:
        return Answer.YES, "Nothing is wrong, so that nothing can come back."
    if target is FixTarget.RECORD:
        return Answer.YES, "It was done once, and no rule or process does it again."
    return Answer.YES, f"The next step changes the {target.value} that made it."
