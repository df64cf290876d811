"""The boundary between the two systems of a diagnosis, as the constraint check looks at it.

What nobody said stays unknown: a field without an owner in a file of rules is one of which the owner was not told.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from onewriter.records import Instant
from onewriter.rules import evidence as bounds
from onewriter.rules.constraints import is_of_rights
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Hand, Rec, RunOf, Side, Write
from onewriter.rules.policy import Direction

WAYS = {
    "source_to_target": Direction.OUT, "target_to_source": Direction.IN, "both": Direction.BOTH,
    "none": Direction.NONE,
}  # fmt: skip
REFUSALS_MIN = 2
"""So often refused, and never taken, is a right that is missing; one refusal without a reason says nothing."""
RIGHTS = ("401", "403", "denied", "forbidden", "unauthori", "not allowed", "read-only", "read only", "readonly")
"""What refusals for want of a right say elsewhere."""
OWN_EDITS = (Hand.PERSON, Hand.APP, Hand.IMPORT)


def boundary_of(evidence: Evidence) -> bounds.Evidence:
    """All that is known of the boundary, counted: no value of anybody's."""
    now = _now(evidence)
    written = _written(evidence.writes or ())
    fields = None
    if evidence.fields is not None:
        fields = tuple(_field(each, evidence, written, now) for each in evidence.fields.values())
    return bounds.Evidence(
        system=evidence.target,
        home=evidence.source,
        is_there_to_ask=False,
        fields=fields,
        now=now,
        free=_free(evidence),
        keys=_keys(evidence),
        log=_log(evidence, now),
    )


def _now(evidence: Evidence) -> Instant:
    """When the evidence was taken, or the newest time in it."""
    if evidence.taken_at is not None:
        return evidence.taken_at
    runs = (evidence.runs or {}).values()
    times = [*(each.at for each in evidence.writes or ()), *(each.finished for each in runs)]
    return max((time for time in times if time is not None), default=0)


# ---- Fields ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Written:
    """What the log says of the writes of one field of one side."""

    taken: Write | None = None
    refused: list[Write] = field(default_factory=list)
    """By machines, since the newest that was taken."""
    own: int = 0
    """By people, apps and imports there."""


Written = Mapping[tuple[Side, str], _Written]


def _written(writes: Sequence[Write]) -> Written:
    found: dict[tuple[Side, str], _Written] = defaultdict(_Written)
    for each in sorted(writes, key=_place):
        known = found[each.side, each.field]
        if each.accepted and each.hand in OWN_EDITS:
            known.own += 1
        if each.hand not in (Hand.CONNECTOR, Hand.UNKNOWN):
            continue
        if each.accepted:
            known.taken, known.refused = each, []
        elif each.accepted is False:
            known.refused.append(each)
    return found


def _place(write: Write) -> tuple[int, int]:
    """Where in the log it stands, which no clock can change; by its time where it bears no number."""
    return (write.seq or 0, write.at or 0)


def _field(rules: FieldRules, evidence: Evidence, written: Written, now: Instant) -> bounds.FieldEvidence:
    """What is known of one field."""
    way = WAYS.get(rules.direction or "")
    is_left_out = rules.covered is False
    goes_in = way is Direction.IN
    side, remote = (Side.SOURCE, rules.source_field) if goes_in else (Side.TARGET, rules.target_field)
    known = written.get((side, remote), _Written())
    is_taken = known.taken is not None and not known.refused
    denied = _denied(known)
    own = written.get((Side.TARGET, rules.target_field), _Written()).own
    return bounds.FieldEvidence(
        name=rules.name,
        owner=rules.owner,
        is_told=is_left_out or _is_told(rules),
        is_needed=is_left_out,
        written_in=evidence.source if goes_in and not is_left_out else None,
        writers=rules.writers or (),
        remote=rules.target_field,
        direction=None if is_left_out else way,
        is_there=_is_there(rules, evidence),
        may_be_written=None if rules.permission is None else rules.permission == "write",
        refused_edits=own if rules.owner == evidence.source else 0,
        denied=len(denied),
        denied_at=_at(denied[-1], now) if denied else None,
        taken_at=_at(known.taken, now) if is_taken and known.taken is not None else None,
        tried_at=_at(known.taken, now) if is_taken and known.taken is not None else None,
    )


def _is_told(rules: FieldRules) -> bool:
    """Whether its way can be judged: of one that goes both ways, who may write it must be known too."""
    if rules.owner is None or rules.direction is None:
        return False
    return rules.direction != "both" or rules.writers is not None


def _denied(known: _Written) -> list[Write]:
    """The refusals for want of a right since the newest write that was taken.

    Where no reason is given, never to have been taken is the sign of it.
    """
    rights = [each for each in known.refused if each.reason and _is_of_rights(each.reason)]
    if rights:
        return rights
    is_silent = known.taken is None and all(each.reason is None for each in known.refused)
    return known.refused if is_silent and len(known.refused) >= REFUSALS_MIN else []


def _is_of_rights(reason: str) -> bool:
    said = reason.casefold()
    return is_of_rights(reason) or any(word in said for word in RIGHTS)


def _at(write: Write, now: Instant) -> Instant:
    return now if write.at is None else write.at


def _is_there(rules: FieldRules, evidence: Evidence) -> bool | None:
    """Whether the target has the field: said so, or one of its records does."""
    if rules.covered is not None:
        return rules.covered
    target = evidence.records.get(Side.TARGET, {}).values()
    return True if any(rules.target_field in each.fields for each in target) else None


def _free(evidence: Evidence) -> tuple[str, ...] | None:
    """The target's fields that nobody mapped."""
    if evidence.fields is None:
        return None
    taken = {each.target_field for each in evidence.fields.values()}
    names: set[str] = set()
    for each in evidence.records.get(Side.TARGET, {}).values():
        names.update(each.fields)
    return tuple(sorted(names - taken))


# ---- Keys -----------------------------------------------------------------------------------------------------------


def _keys(evidence: Evidence) -> bounds.KeyEvidence | None:
    """By what records are linked, and how many are; None where nobody said which ones are."""
    if evidence.links is None:
        return None
    by = Counter(each.matched_by for each in evidence.links if each.matched_by)
    keys = evidence.match_keys if evidence.match_keys is not None else tuple(key for key, _ in by.most_common())
    if evidence.match_keys is None and not keys:
        return None
    left_out = {each.name for each in (evidence.fields or {}).values() if each.covered is False}
    records = {key for key, each in evidence.records.get(Side.TARGET, {}).items() if each.deleted is None}
    return bounds.KeyEvidence(
        keys=keys,
        mapped=tuple(key for key in keys if key not in left_out),
        records=len(records),
        linked=len(records & {each.target for each in evidence.links}),
        review=0,
        by=dict(by),
    )


# ---- The log --------------------------------------------------------------------------------------------------------


def _log(evidence: Evidence, now: Instant) -> bounds.LogEvidence | None:
    """How well the log tells who wrote what; None where there is none."""
    if evidence.writes is None:
        return None
    changed, unexplained = _changed(evidence, evidence.writes)
    cycles = [each for each in (evidence.runs or {}).values() if each.kind == "cycle"]
    done = [each.started for each in cycles if each.state == "done" and each.started is not None]
    complete = max(done, default=now if evidence.cycles and evidence.runs is None else None)
    return bounds.LogEvidence(
        lines=len(evidence.writes),
        nameless=sum(each.hand is Hand.UNKNOWN for each in evidence.writes),
        changed=changed,
        unexplained=unexplained,
        began_at=min((each.at for each in evidence.writes if each.at is not None), default=None),
        complete_at=complete,
        unfinished=sum(each.state == "failed" for each in cycles),
        trouble=_trouble(cycles),
    )


def _trouble(cycles: Iterable[RunOf]) -> str | None:
    """What kept the newest cycle from its end."""
    newest = max(cycles, key=lambda each: (each.cycle or 0, each.started or 0), default=None)
    ends = {"failed": "it failed.", "partial": "it stopped halfway."}
    return None if newest is None else ends.get(newest.state or "")


def _changed(evidence: Evidence, writes: Sequence[Write]) -> tuple[int, int]:
    """How many records of the target have changed since the oldest look at them, and of how many no line tells why."""
    told = {(each.id, each.field) for each in writes if each.side is Side.TARGET and each.accepted is not False}
    records = evidence.records.get(Side.TARGET, {})
    oldest: dict[str, Mapping[str, object]] = {}
    for seen in sorted(evidence.history or (), key=lambda each: each.cycle):
        if seen.side is Side.TARGET:
            oldest.setdefault(seen.id, seen.fields)
    changed = unexplained = 0
    for key, before in oldest.items():
        moved = _moved(before, records[key]) if key in records else []
        changed += bool(moved)
        unexplained += any((key, name) not in told for name in moved)
    return changed, unexplained


def _moved(before: Mapping[str, object], now: Rec) -> list[str]:
    """The fields that have changed; one that was not looked at is not known to have."""
    return [name for name, value in before.items() if name in now.fields and now.fields[name] != value]
