"""Ranking: the causes of each group, the likeliest first, and whether the first may be asserted.

Each cause says how much more likely its signature makes it, in points; the weights are what these come to beside each
other and beside "none of these". Where the margin is small nothing is asserted (requirement M47).
"""

import math
from collections.abc import Sequence

from onewriter.rules.diagnosis.causes.catalogue import CATALOGUE, Cause
from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.causes.weighing import Told
from onewriter.rules.diagnosis.evidence import Evidence
from onewriter.rules.diagnosis.facts import Compared, Verdict
from onewriter.rules.diagnosis.groups import grouped
from onewriter.rules.diagnosis.judgement import Family, Group, Hypothesis

NONE_OF_THESE = 1.0
"""The points of "something else": a cause with fewer is hardly worth naming."""
SURE = 0.7
"""From this weight on the first cause is asserted ..."""
MARGIN = 3.0
"""... if it is so many times as likely as the second."""
NAMED_MAX = 5
TOLD_BY_A_LOG = frozenset(
    (
        "manual_edit_T",
        "import_collision",
        "two_writers",
        "stale_out_of_order",
        "clock_skew",
        "missed_webhook",
        "permission_missing",
        "wrong_direction",
    )
)
"""Causes that leave the same values behind as another one does, and are told apart by who wrote when."""
KINDS = {
    "identity": ("two_writers", "wrong_direction", "identity_split", "identity_over_merge", "recycled_key"),
    "workflow": ("mapping_wrong_target", "transform_lossy", "type_enum_coercion", "field_not_covered"),
    "consent": ("consent_state_machine",),
}
"""What a kind of field makes a little likelier (requirements M16 to M18)."""
KIND = 0.5


def explain(evidence: Evidence, compared: Compared) -> list[Group]:
    """The groups with their causes; what most deserves attention first."""
    groups = grouped(evidence, compared)
    for group in groups:
        found = weighed(Traits(group.rows, evidence, compared, group.name))
        group.causes = tuple(hypothesis for _, hypothesis in found)[:NAMED_MAX]
        group.asserted = _is_sure(group.causes) and not _is_ambiguous(group, evidence)
    families = {cause.name: cause.family for cause in CATALOGUE}
    return sorted(groups, key=lambda group: _order(group, families))


def weighed(traits: Traits) -> list[tuple[Cause, Hypothesis]]:
    """The causes of one group with their weights, the likeliest first."""
    # Of what differs in form only nothing else is to be asked.
    asked = [cause for cause in CATALOGUE if not traits.is_form() or cause.name == "format_only"]
    told = [(cause, said) for cause in asked if (said := cause.explain(traits)) is not None]
    points = [said.points + _of_kind(cause, traits) for cause, said in told]
    total = math.exp(NONE_OF_THESE) + sum(map(math.exp, points))
    weights = [math.exp(each) / total for each in points]
    found = [(cause, _hypothesis(cause, said, weight)) for (cause, said), weight in zip(told, weights, strict=True)]
    return sorted(found, key=lambda one: (-one[1].weight, one[0].number))


def _hypothesis(cause: Cause, said: Told, weight: float) -> Hypothesis:
    return Hypothesis(cause=cause.name, weight=round(weight, 4), evidence=said.evidence, missing=said.missing)


def _of_kind(cause: Cause, traits: Traits) -> float:
    kind = next((row.rules.kind for row in traits.rows if row.rules.kind), None)
    return KIND if cause.name in KINDS.get(kind or "", ()) else 0.0


def _is_sure(causes: Sequence[Hypothesis]) -> bool:
    if not causes or causes[0].weight < SURE:
        return False
    return len(causes) < 2 or causes[0].weight >= MARGIN * causes[1].weight


def _is_ambiguous(group: Group, evidence: Evidence) -> bool:
    """Whether only a log could tell the first cause from its rivals, and there is none (M47)."""
    first = group.causes[0].cause
    return not evidence.writes and first in TOLD_BY_A_LOG


def _order(group: Group, families: dict[str, Family]) -> tuple[bool, bool, bool, int, str]:
    is_nothing = bool(group.causes) and families[group.causes[0].cause] is Family.NONE
    is_form = all(row.verdict is Verdict.FORMAT for row in group.rows)
    is_reported = any(row.is_reported for row in group.rows)
    return is_form, is_nothing, not is_reported, -len(group.rows), group.name
