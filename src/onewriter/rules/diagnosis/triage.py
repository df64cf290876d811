"""Triage: a case out of a group of rows: its scope, three sentences, what to do, and who wins the next cycle.

Identity, owner and write order are told in this order before any action (requirement M9), and each says "not known"
where it is not. No sentence holds a value of a customer's.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from onewriter.rules import constraints
from onewriter.rules.diagnosis.advice import BOUNDARY_CAUSES, advised, ending, sure_cause
from onewriter.rules.diagnosis.checklist import filled
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Hand, Known, Side, Write
from onewriter.rules.diagnosis.facts import Compared, Pair, Row, Verdict
from onewriter.rules.diagnosis.judgement import CaseOf, Group, ScopeRow
from onewriter.rules.diagnosis.returning import other_writer
from onewriter.rules.diagnosis.scope import SHARE_MIN, customers, imported, row_of, scope_of, share
from onewriter.rules.diagnosis.survivor import name_of, survivor_of
from onewriter.rules.evidence import Check

BOUNDARY_MIN = 0.2
"""A cause at the boundary goes first only if the records do not speak against it; below this weight they do."""
_WAYS = {
    "source_to_target": "from {0} to {1}", "target_to_source": "from {1} to {0}", "both": "both ways",
    "none": "neither way",
}  # fmt: skip


def case_of(group: Group, evidence: Evidence, compared: Compared, checks: Sequence[Check] = ()) -> CaseOf:
    """The case that a group makes; `checks` are the six looks at the boundary, which come first (M41)."""
    rows, systems, had = group.rows, (evidence.source, evidence.target), known_of(evidence)
    is_phantom = all(row.verdict is Verdict.FORMAT for row in rows)
    failed = () if is_phantom else ending(checks, group.name)
    group = _bounded(group, failed)
    scope_row = _row(rows, failed)
    case = CaseOf(
        group=group,
        systems=systems,
        records=customers(rows),
        scope_row=scope_row,
        scope=scope_of(rows, systems, compared.now).told,
        identity=identity_of(rows, evidence),
        owner=owner_of(rows, evidence),
        write_order=write_order_of(rows, evidence),
        advice=advised(group, scope_row, evidence, failed),
        survivor=survivor_of(rows, evidence),
        confidence=confidence_of(evidence, checks),
        evidence_had=had,
        import_split=import_split(group, evidence, compared),
        affected=_affected(rows, evidence),
    )
    case.checklist = filled(case, checks, compared.now)
    return case


def _row(rows: Sequence[Row], failed: Sequence[Check]) -> ScopeRow:
    """The row of a case; a failed look makes it one of the boundary, unless the rows say the same more exactly."""
    seen, names = row_of(rows), {check.name for check in failed}
    is_same = (seen, names) in (
        (ScopeRow.REVERSION, {constraints.DIRECTION}), (ScopeRow.IDENTITY, {constraints.MATCH_KEY}),
    )  # fmt: skip
    return seen if is_same else row_of(rows, is_boundary=bool(failed))


def known_of(evidence: Evidence) -> Known:
    """Which evidence there was; an empty log is none."""
    return Known(
        links=evidence.links is not None,
        snapshots=bool(evidence.history),
        configuration=bool(evidence.fields),
        runs=bool(evidence.runs),
        writes=bool(evidence.writes),
    )


def confidence_of(evidence: Evidence, checks: Sequence[Check]) -> str:
    """Lowered where no log tells who wrote, so that the pattern of the records is all there is (M47)."""
    if not evidence.writes:
        return "lowered"
    return constraints.boundary(checks).confidence if checks else "full"


def _bounded(group: Group, failed: Sequence[Check]) -> Group:
    """The group with the causes of a failed look first, where the records do not speak against them (M41).

    Only looks that name the field: one that fails for all fields is no evidence of what happened to this one.
    """
    named = {cause for check in failed if group.name in check.fields for cause in BOUNDARY_CAUSES[check.name]}
    first = tuple(each for each in group.causes if each.cause in named and each.weight >= BOUNDARY_MIN)
    if not first or group.causes[0] in first:
        return group
    return replace(group, causes=(*first, *(each for each in group.causes if each not in first)), asserted=False)


def _affected(rows: Sequence[Row], evidence: Evidence) -> Mapping[str, int]:
    links = {row.pair.link for row in rows}
    return {
        "customers": len(customers(rows)),
        "fields": len({row.rules.name for row in rows}),
        evidence.source: len({link.source for link in links}),
        evidence.target: len({link.target for link in links}),
    }


# ---- The three sentences (M9) ---------------------------------------------------------------------------------------


def identity_of(rows: Sequence[Row], evidence: Evidence) -> str:
    """Which records the two systems take for one person, and by what."""
    pairs = list({row.pair.link: row.pair for row in rows}.values())
    by = Counter(pair.link.matched_by for pair in pairs if pair.link.matched_by)
    odd = _oddities(pairs, evidence)
    if odd:
        return f"Identity: look here first. {' '.join(odd)}"
    told = ", ".join(f"{count:,} by {key}" for key, count in by.most_common())
    held = sum(pair.key_held is True for pair in pairs)
    if not told and not held:
        return "Identity: not known; nothing says by what the records are linked."
    linked = f"linked by key ({told})" if told else "linked"
    same = f"; {held:,} share it still" if held else ""
    return f"Identity: {_count(len(pairs), 'pair')} of records, {linked}{same}, and no second record has it."


def _oddities(pairs: Sequence[Pair], evidence: Evidence) -> list[str]:
    target, source, total = evidence.target, evidence.source, len(pairs)
    found: dict[str, Callable[[Pair], object]] = {
        f"have a second record in {target} with the same key": lambda one: one.twins or one.other_targets,
        f"share their record in {target} with another customer": lambda one: one.other_sources,
        f"were linked by a key that {source} no longer has there": lambda one: one.key_held is False,
        f"have a key that now belongs to another customer of {source}": lambda one: one.key_holders,
        f"were merged in {source}": lambda one: one.merged_into or one.merged_from,
    }
    counted = {told: sum(bool(holds(pair)) for pair in pairs) for told, holds in found.items()}
    return [f"{count:,} of {total:,} {told}." for told, count in counted.items() if count]


def owner_of(rows: Sequence[Row], evidence: Evidence) -> str:
    """Who may write, by what is written down; and who else did."""
    fields = {row.rules.name: row.rules for row in rows}
    other = other_writer(rows)
    also = "" if other is None else f" Also written by {other[0]} ({other[1]:,})."
    if all(rules.owner is None for rules in fields.values()):
        return f"Owner: not known; nothing says who owns {', '.join(fields)}.{also}"
    return f"Owner: {'; '.join(_owned(rules, evidence) for rules in fields.values())}.{also}"


def _owned(rules: FieldRules, evidence: Evidence) -> str:
    owner = "has no owner" if rules.owner is None else f"is owned by {rules.owner}"
    way = _WAYS.get(rules.direction or "", "").format(evidence.source, evidence.target)
    return f"{rules.name} {owner}{f' and goes {way}' if way else ''}"


def write_order_of(rows: Sequence[Row], evidence: Evidence) -> str:
    """Who wrote last on each side, as far as the log tells."""
    if not evidence.writes:
        return "Write order: not known; there is no log of who wrote when."
    sides = {side: [row.origin_write if row.origin is side else row.copy_write for row in rows] for side in Side}
    told = [one for side, writes in sides.items() if (one := _last(side, writes, evidence)) is not None]
    if not told:
        return "Write order: not known; the log has no line of the values that stand there now."
    return f"Write order: {'; '.join(told)}."


def _last(side: Side, writes: Sequence[Write | None], evidence: Evidence) -> str | None:
    known = Counter(_hand(each) for each in writes if each is not None)
    if not known:
        return None
    hand, count = known.most_common(1)[0]
    return f"in {name_of(evidence, side)} last written by {hand} ({count:,} of {len(writes):,})"


def _hand(write: Write) -> str:
    """Who wrote, without naming a person."""
    if write.hand is Hand.APP:
        return write.writer or "another app"
    return {
        Hand.PERSON: "a person", Hand.CONNECTOR: "the connector", Hand.IMPORT: "an import", Hand.MERGE: "a merge",
        Hand.REDACTION: "a redaction",
    }.get(write.hand, "a machine without a name")  # fmt: skip


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


# ---- Imports (M29) --------------------------------------------------------------------------------------------------

_IMPORT_CAUSES = ("import_collision", "partial_import", "encoding_mojibake", "null_overwrite")


def import_split(group: Group, evidence: Evidence, compared: Compared) -> str | None:
    """Where an import is at fault: how many of its records are wrong, and how many of the older ones are."""
    if share(group.rows, imported) < SHARE_MIN and sure_cause(group) not in _IMPORT_CAUSES:
        return None
    runs = Counter(row.copy_write.run for row in group.rows if row.copy_write is not None and imported(row))
    if not runs:
        return None
    copy = group.rows[0].origin.other
    brought = _brought({*runs}, copy, evidence)
    wrong = {_copy_id(row) for row in compared.rows if row.rules.name in group.fields and row.origin.other is copy}
    total = max((count.compared for name, count in compared.counts.items() if name in group.fields), default=0)
    older, older_wrong = max(0, total - len(brought)), len(wrong - brought)
    new = _first_seen(brought, {*runs}, copy, evidence)
    seen = f" ({new:,} of them first seen in it)" if new else ""
    clean = "all of them agree" if not older_wrong else f"{older - older_wrong:,} of them agree"
    return (
        f"Of the {_count(len(brought), 'record')} that the import wrote{seen}, {len(wrong & brought):,} are wrong; "
        f"of the {older:,} that it did not write, {clean}: leave them alone."
    )


def _first_seen(brought: set[str], runs: set[str | None], side: Side, evidence: Evidence) -> int:
    """How many of them there were not before the first of these imports began."""
    known = [(evidence.runs or {}).get(run or "") for run in runs]
    began = min((each.started for each in known if each is not None and each.started is not None), default=None)
    records = [evidence.records.get(side, {}).get(name) for name in brought]
    return sum(
        each is not None and each.created is not None and began is not None and each.created >= began
        for each in records
    )  # fmt: skip


def _brought(runs: set[str | None], side: Side, evidence: Evidence) -> set[str]:
    """The records that these imports wrote; lines without a run count as the import's if their writer is one."""
    return {
        each.id
        for each in evidence.writes or ()
        if each.side is side and each.hand is Hand.IMPORT and each.run in runs and each.accepted is not False
    }


def _copy_id(row: Row) -> str:
    return row.pair.link.target if row.origin is Side.SOURCE else row.pair.link.source
