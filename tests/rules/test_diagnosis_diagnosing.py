"""The whole diagnosis of small evidence: the boundary first, then cases, each with what evidence there was."""

import pytest

from onewriter.rules.diagnosis.diagnosing import diagnose
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, LinkOf, Rec, Side
from onewriter.rules.diagnosis.judgement import FixTarget, ScopeRow
from tests.support.judging import rules

NAMES = ("Zoë", "Chloë", "René", "Jürgen", "Søren", "Łukasz", "Ana", "Bob")
PLAIN = ("Zoe", "Chloe", "Rene", "Jurgen", "Soren", "Lukasz", "Ana", "Bob")


def two_systems(**known: FieldRules) -> Evidence:
    """Eight customers, of whom six lost their accents on the way; one address is written in capitals."""
    source = {f"s{n}": Rec(f"s{n}", {"name": name, "email": f"a{n}@x.example"}) for n, name in enumerate(NAMES)}
    target = {f"t{n}": Rec(f"t{n}", {"label": name, "mail": f"a{n}@x.example"}) for n, name in enumerate(PLAIN)}
    target["t7"] = Rec("t7", {"label": "Bob", "mail": "A7@X.Example"})
    return Evidence(
        source="shopify", target="crm", records={Side.SOURCE: source, Side.TARGET: target}, match_keys=("email",),
        links=[LinkOf(f"s{number}", f"t{number}", "email") for number in range(len(NAMES))], fields=known or None,
    )  # fmt: skip


def configured() -> Evidence:
    name = rules("name", target_field="label", kind="profile", covered=True, permission="write")
    email = rules("email", target_field="mail", kind="identity", covered=True, permission="write")
    return two_systems(name=name, email=email)


@pytest.mark.req("M2", "M5", "M9", "M30", "M71")
def test_a_lossy_mapping_is_told_from_values_and_settings() -> None:
    found = diagnose(configured())
    assert len(found.constraints) == 6
    assert (found.phantoms, found.undecidable) == (1, 0)
    case = next(each for each in found.cases if "name" in each.group.fields)
    assert case.records == ("s0", "s1", "s2", "s3", "s4", "s5")
    assert case.scope == "6 customers x 1 field x 2 systems x cycles not known"
    assert case.scope_row is ScopeRow.OWNERSHIP
    assert case.group.causes[0].cause == "transform_lossy"
    assert case.advice.fix_target is FixTarget.RULE
    assert case.owner == "Owner: name is owned by shopify and goes from shopify to crm."
    assert case.survivor.side == "shopify"
    assert [each.name for each in case.checklist][:2] == ["field", "records"]


@pytest.mark.req("M47", "M70")
def test_it_says_which_evidence_it_had() -> None:
    found = diagnose(configured())
    assert (found.known.links, found.known.configuration, found.known.writes) == (True, True, False)
    assert {each.confidence for each in found.cases} == {"lowered"}
    assert all(each.evidence_had == found.known for each in found.cases)


@pytest.mark.req("M41")
def test_a_field_that_is_not_carried_ends_at_the_boundary() -> None:
    name = rules("name", target_field="label", covered=False, direction="none")
    found = diagnose(two_systems(name=name))
    case = next(each for each in found.cases if "name" in each.group.fields)
    assert case.scope_row is ScopeRow.BOUNDARY
    assert case.advice.first_move.startswith("The connector fails the look at its coverage: name is not mapped to crm.")
    assert case.survivor.side is None
