"""What is missing of a store's evidence: lines of the log, names of machines, parts of the configuration."""

from dataclasses import replace
from random import Random
from typing import Any

from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Hand, Write

LOST = 0.1
NAMELESS = 0.2
HIDDEN = 0.2
HIDEABLE = ("kind", "owner", "direction", "transform", "max_length", "covered", "permission", "enum", "empty")


def veiled(evidence: Evidence, rng: Random) -> Evidence:
    """The evidence with a tenth of the log lost, a fifth of the machines nameless and a fifth of the policy hidden."""
    kept = [line for line in evidence.writes or () if rng.random() >= LOST]
    return replace(
        evidence,
        writes=[_nameless(line, rng) for line in kept],
        fields={name: _hidden(rules, rng) for name, rules in (evidence.fields or {}).items()},
        match_keys=None if rng.random() < HIDDEN else evidence.match_keys,
        two_way=None if rng.random() < HIDDEN else evidence.two_way,
        clock_skew_s=None if rng.random() < HIDDEN else evidence.clock_skew_s,
    )


def _nameless(line: Write, rng: Random) -> Write:
    is_machine = line.hand in (Hand.CONNECTOR, Hand.APP, Hand.IMPORT)
    if not is_machine or rng.random() >= NAMELESS:
        return line
    return replace(
        line, writer=rng.choice((None, "api")), hand=Hand.IMPORT if line.hand is Hand.IMPORT else Hand.UNKNOWN
    )


def _hidden(rules: FieldRules, rng: Random) -> FieldRules:
    hidden: dict[str, Any] = {name: None for name in HIDEABLE if rng.random() < HIDDEN}
    return replace(rules, **hidden)
