"""Advice: the first move, what not to do, and what may not be done at all.

A sure cause decides; while none is, the row decides that the case opens with (requirements M25 to M28). Over both goes
what no cause may overrule: nothing is written to customers who were redacted or deleted, nor to a consent that nobody
owns, and nothing broad is done about a single record (M31).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from onewriter.rules.constraints import COVERAGE, DIRECTION, ENDING, MATCH_KEY, PERMISSIONS
from onewriter.rules.diagnosis import moves
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules
from onewriter.rules.diagnosis.facts import Pair, Row
from onewriter.rules.diagnosis.judgement import Advice, CaseOf, Group, Limits, ScopeRow
from onewriter.rules.diagnosis.moves import OF_CAUSE, OF_ROW, Move
from onewriter.rules.diagnosis.returning import returns_because
from onewriter.rules.diagnosis.scope import SHARE_MIN, came_back, is_mapped_wrong, share
from onewriter.rules.diagnosis.survivor import name_of
from onewriter.rules.evidence import Check, Outcome

EDIT, MERGE = "edit", "merge"
"""What people do by hand, beside the actions that onewriter has."""
WRITING = (moves.RESYNC, moves.MAP, moves.ALLOW, EDIT, MERGE)
"""What writes to the records of a case, now or with the next cycle."""
MASS_MIN = 2
"""From so many records on, an edit is one in bulk."""

BOUNDARY_CAUSES: Mapping[str, tuple[str, ...]] = {
    DIRECTION: ("wrong_direction", "two_writers"),
    MATCH_KEY: ("identity_split", "identity_over_merge", "recycled_key", "merge_not_propagated"),
    COVERAGE: ("field_not_covered",),
    PERMISSIONS: ("permission_missing",),
}
"""The causes that say the same as a failed look at the boundary."""
_BOUNDARY_ACTION = {
    DIRECTION: moves.OWN, MATCH_KEY: moves.KEY, COVERAGE: moves.MAP, PERMISSIONS: moves.ALLOW,
}  # fmt: skip
_MAPPING_CAUSES = tuple(name for name, move in OF_CAUSE.items() if move.action == moves.MAP)
_RETURNING_CAUSES = ("wrong_direction", "two_writers")
_CONSENT = re.compile(r"consent|marketing|opt_?(in|out)|subscri|newsletter|gdpr|legal", re.IGNORECASE)


def is_consent(rules: FieldRules) -> bool:
    """Whether a field says what somebody agreed to; by its name where nobody said of what kind it is."""
    if rules.kind is not None:
        return rules.kind == "consent"
    return any(_CONSENT.search(name) for name in (rules.name, rules.source_field, rules.target_field))


def advised(group: Group, row: ScopeRow, evidence: Evidence, failed: Sequence[Check] = ()) -> Advice:
    """What to do about a group; `failed` are the looks at the boundary that end the diagnosis of its field."""
    gone = {each.pair.link.source for each in group.rows if is_gone(each.pair)}
    cause = sure_cause(group)
    if gone:
        move = moves.ERASED if _is_of_law(group.rows, cause) else moves.GONE
        count = len({each.pair.link.source for each in group.rows})
        before = f"Redacted or deleted: {len(gone):,} of {_customers(count)}. "
        after = " Look at the others by themselves." if len(gone) < count else ""
        return _told(move, group, evidence, before=before, after=after, may_write=False)
    if any(is_consent(each.rules) and each.rules.owner is None for each in group.rows):
        return _told(moves.UNOWNED_CONSENT, group, evidence, may_write=False)
    if cause is not None:
        ends = [check for check in failed if cause not in BOUNDARY_CAUSES.get(check.name, ())]
        before = f"{_sentences(ends)} Put that right first. Then: " if ends else ""
        return _told(OF_CAUSE[cause], group, evidence, before=before, after=_after(cause, row, group, evidence))
    if row is ScopeRow.BOUNDARY and failed:
        move = replace(OF_ROW[row], action=_BOUNDARY_ACTION.get(failed[0].name))
        return _told(move, group, evidence, before=f"{_sentences(failed)} ")
    return _told(_of_row(row, group), group, evidence, after=_after(None, row, group, evidence))


def is_gone(pair: Pair) -> bool:
    """Whether nothing may be written to a customer: redacted, or deleted, unless merged into somebody who is there."""
    both = [each for each in (pair.source, pair.target) if each is not None]
    is_merged = pair.merged_into is not None and not any(each.redacted for each in both)
    return pair.is_erased and not is_merged


def _is_of_law(rows: Sequence[Row], cause: str | None) -> bool:
    """Whether it is sure that they were erased, and not merged or mislaid."""
    both = [each for row in rows if is_gone(row.pair) for each in (row.pair.source, row.pair.target)]
    return cause == "deleted_redacted" or any(each is not None and each.redacted for each in both)


def sure_cause(group: Group) -> str | None:
    """The cause that is advised upon: the first, where it is asserted."""
    if not group.asserted or not group.causes:
        return None
    first = group.causes[0].cause
    return first if first in OF_CAUSE else None


def ending(checks: Sequence[Check], name: str) -> tuple[Check, ...]:
    """The looks at the boundary that failed for a field and end its diagnosis (M41)."""
    failed = [check for check in checks if check.outcome is Outcome.FAIL and check.name in ENDING]
    return tuple(check for check in failed if not check.fields or name in check.fields)


def _of_row(row: ScopeRow, group: Group) -> Move:
    """The move of the row that the case opens with, unless the likeliest two causes agree on another."""
    if row is ScopeRow.RECORD:
        return moves.SEVERAL_FIELDS if len(group.fields) > 1 else OF_ROW[row]
    if row is ScopeRow.IDENTITY:
        return replace(OF_ROW[row], first_move=_which_key(group.rows))
    if row is ScopeRow.OWNERSHIP and (is_mapped_wrong(group.rows) or _agreed(group) == moves.MAP):
        return OF_ROW[ScopeRow.MAPPING]
    return OF_ROW[row]


def _agreed(group: Group) -> str | None:
    """What the likeliest two causes would both have done."""
    wanted = {OF_CAUSE[each.cause].action for each in group.causes[:2] if each.cause in OF_CAUSE}
    return wanted.pop() if len(wanted) == 1 else None


def _which_key(rows: Sequence[Row]) -> str:
    """Which of the two opposite things is meant by a tighter key."""
    split = any(row.pair.twins or row.pair.other_targets for row in rows)
    merged = any(row.pair.other_sources or row.pair.key_holders for row in rows)
    if split and not merged:
        return f"Before anything is merged: one person has two records. {moves.CANONICALISE}"
    if merged and not split:
        return f"Before anything is merged: two people share one record. {moves.VETO}"
    told = f"If one person has two records: {moves.CANONICALISE} If two people share one: {moves.VETO}"
    return f"Before anything is merged, see which it is. {told}"


def _after(cause: str | None, row: ScopeRow, group: Group, evidence: Evidence) -> str:
    """Of a value that comes back, who writes it back, or by what setting (M15, M79)."""
    returned = row is ScopeRow.REVERSION or share(group.rows, came_back) >= SHARE_MIN
    if cause in _RETURNING_CAUSES or (cause is None and returned):
        return f" {returns_because(group.rows, evidence)}"
    return ""


def _customers(count: int) -> str:
    return "1 customer" if count == 1 else f"{count:,} customers"


def _sentences(failed: Sequence[Check]) -> str:
    return " ".join(f"The connector fails the look at its {check.name}: {check.evidence[0]}" for check in failed)


def _told(
    move: Move, group: Group, evidence: Evidence, *, before: str = "", after: str = "", may_write: bool = True
) -> Advice:
    side = group.rows[0].origin
    names = {
        "field": group.name,
        "origin": name_of(evidence, side),
        "copy": name_of(evidence, side.other),
    }
    return Advice(
        fix_target=move.fix_target,
        first_move=f"{before}{move.first_move.format(**names)}{after}",
        not_to_do=move.not_to_do.format(**names),
        action=move.action if may_write or move.action == moves.OWN else None,
        may_write=may_write,
        broad=move.broad,
    )


# ---- What may be done about a case ----------------------------------------------------------------------------------


def limits_of(case: CaseOf) -> Limits:
    """What a case says of what may be done about it."""
    return Limits(
        scope=case.scope,
        scope_row=case.scope_row,
        customers=len(case.records),
        may_write=case.advice.may_write,
        first_move=case.advice.first_move,
        not_to_do=case.advice.not_to_do,
        of_mapping=_is_of_mapping(case),
        needs_key=case.scope_row is ScopeRow.IDENTITY or sure_cause(case.group) in BOUNDARY_CAUSES[MATCH_KEY],
    )


def _is_of_mapping(case: CaseOf) -> bool:
    cause = sure_cause(case.group)
    if cause is not None:
        return cause in _MAPPING_CAUSES
    return case.scope_row is ScopeRow.MAPPING or _agreed(case.group) == moves.MAP or is_mapped_wrong(case.group.rows)


def refusal(limits: Limits, action: str, *, is_mended: bool = False, override: str | None = None) -> str | None:
    """Why an action is refused; None if it may be done. `override` is a person's reason, `is_mended` whether the cause
    was put right already.

    No reason overrules that nothing is done before the scope is known (M1), and that some customers are never written.
    """
    if not limits.scope:
        return "How far it reaches is not known yet, so that nothing can be chosen; run the audit again."
    if not limits.may_write and action in WRITING:
        return f"Nothing may be written here. {limits.first_move}"
    if override is not None and override.strip():
        return None
    if limits.scope_row is ScopeRow.RECORD and is_broad(action):
        return "One customer is concerned, and this would change what is done to all; say why it is right all the same."
    if action == MERGE and limits.needs_key and not is_mended:
        return "Review the match key first: what is merged before comes apart again. Or say why it cannot wait."
    if action in (EDIT, moves.RESYNC) and limits.customers >= MASS_MIN and limits.of_mapping and not is_mended:
        return f"Mend the mapping first: {limits.not_to_do} Or say why it cannot wait."
    return None


def warning(limits: Limits, action: str, *, is_mended: bool = False, hand_edits: int = 0) -> str | None:
    """What somebody should know before an edit by hand, which is not refused (M27, M64)."""
    if action != EDIT or is_mended:
        return None
    if hand_edits:
        return f"It was corrected by hand {hand_edits:,} times already, and came back. {limits.first_move}"
    if limits.of_mapping:
        return f"The mapping is still wrong, so that the next cycle undoes what you type. {limits.first_move}"
    return None


def is_broad(action: str) -> bool:
    """Whether an action changes more than the records of a case."""
    return action in (moves.OWN, moves.MAP, moves.PAUSE, moves.KEY, moves.ALLOW)
