"""The diagnosis: the boundary first, then what differs, why, and the cases that come of it.

Everything in one call, out of the evidence alone; whoever wants a single step calls that step.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from onewriter.rules import constraints
from onewriter.rules.diagnosis.bounds import boundary_of
from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.evidence import Evidence, Known
from onewriter.rules.diagnosis.facts import Compared
from onewriter.rules.diagnosis.judgement import CaseOf
from onewriter.rules.diagnosis.ranking import explain
from onewriter.rules.diagnosis.triage import case_of, known_of
from onewriter.rules.evidence import Check


@dataclass(slots=True, kw_only=True)
class Diagnosis:
    """What is wrong between two systems."""

    constraints: tuple[Check, ...]
    """The six looks at the boundary, which were taken first (requirement M41)."""
    phantoms: int
    """Values that say the same and are written otherwise: no mismatches, and not counted as such (M67)."""
    undecidable: int
    """Values of which nobody can say whether they differ."""
    cases: list[CaseOf]
    """What most deserves attention first."""
    known: Known
    """Which evidence there was."""


def diagnose(evidence: Evidence) -> Diagnosis:
    """The diagnosis of two systems."""
    checks = constraints.checks(boundary_of(evidence))
    return diagnosed(evidence, compare(evidence), checks)


def diagnosed(evidence: Evidence, compared: Compared, checks: Sequence[Check]) -> Diagnosis:
    """The diagnosis where both systems are compared already, and the boundary was looked at by whoever knows it."""
    return Diagnosis(
        constraints=tuple(checks),
        phantoms=len(compared.phantoms),
        undecidable=len(compared.undecidable),
        cases=[case_of(group, evidence, compared, checks) for group in explain(evidence, compared)],
        known=known_of(evidence),
    )
