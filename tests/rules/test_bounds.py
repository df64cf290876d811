"""The boundary between two systems of any name, out of what a bundle holds of it."""

from typing import Any

import pytest

from onewriter.rules.constraints import boundary, checks
from onewriter.rules.diagnosis.bounds import boundary_of
from onewriter.rules.diagnosis.evidence import Evidence, FieldRules, Hand, LinkOf, Rec, RunOf, Seen, Side, Write
from onewriter.rules.evidence import Check, Outcome

SECOND = 1_000_000
FAIL, PASS, UNKNOWN = Outcome.FAIL, Outcome.PASS, Outcome.UNKNOWN


def phone(**changes: Any) -> FieldRules:
    known = {"owner": "erp", "direction": "source_to_target", "source_field": "phone", "target_field": "mobile"}
    return FieldRules(name="phone", **{**known, **changes})


def wrote(number: int, **changes: Any) -> Write:
    known = {"at": number * SECOND, "side": Side.TARGET, "id": "t1", "field": "mobile", "writer": "connector"}
    return Write(seq=number, **{"hand": Hand.CONNECTOR, **known, **changes})


def known(*fields: FieldRules, **changes: Any) -> Evidence:
    """Two systems with one record each, and these fields between them."""
    records = {Side.SOURCE: {"s1": Rec("s1", {"phone": "1"})}, Side.TARGET: {"t1": Rec("t1", {"mobile": "1"})}}
    given = {"fields": {each.name: each for each in fields} or None, "records": records} | changes
    return Evidence(source="erp", target="till", **given)


def look(name: str, evidence: Evidence) -> Check:
    return next(each for each in checks(boundary_of(evidence)) if each.name == name)


@pytest.mark.req("M41")
@pytest.mark.req("M70")
def test_of_records_alone_nothing_is_said_of_the_boundary() -> None:
    found = checks(boundary_of(known()))
    assert {each.outcome for each in found} == {UNKNOWN}
    assert boundary(found).kind is None
    assert not any("shop" in line or "`" in line for each in found for line in each.evidence)


@pytest.mark.req("M70")
@pytest.mark.parametrize(
    ("changes", "outcome", "said"),
    [
        ({}, PASS, "One field goes as the owners need"),
        ({"direction": "target_to_source"}, FAIL, "erp owns it"),
        ({"owner": "till"}, FAIL, "till owns phone, and what it says is not taken up"),
        ({"owner": None}, UNKNOWN, "Nobody said who owns"),
        ({"direction": None}, UNKNOWN, "Nobody said who owns"),
        ({"direction": "both", "writers": ("erp",)}, FAIL, "nobody agreed that two may write it"),
        ({"direction": "both", "writers": ("erp", "till")}, PASS, "1 both"),
        ({"direction": "both"}, UNKNOWN, "Nobody said who owns"),
    ],
)
def test_direction(changes: dict[str, Any], outcome: Outcome, said: str) -> None:
    found = look("direction", known(phone(**changes)))
    assert (found.outcome, said in found.evidence[0]) == (outcome, True), found


def test_one_field_of_which_nothing_is_said_does_not_hide_another_that_goes_wrong() -> None:
    note = FieldRules(name="note", source_field="note", target_field="note")
    assert look("direction", known(phone(owner="till"), note)).fields == ("phone",)
    assert look("direction", known(phone(), note)).outcome is UNKNOWN


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [({}, PASS), ({"covered": False}, FAIL), ({"target_field": "cell"}, UNKNOWN), ({"direction": None}, UNKNOWN)],
)
def test_coverage(changes: dict[str, Any], outcome: Outcome) -> None:
    found = look("coverage", known(phone(**changes)))
    assert (found.outcome, found.fields) == (outcome, ("phone",) if outcome is FAIL else ())


@pytest.mark.parametrize(
    ("changes", "writes", "outcome"),
    [
        ({}, None, UNKNOWN),
        ({"permission": "write"}, None, UNKNOWN),
        ({"permission": "read"}, None, FAIL),
        ({"permission": "none", "direction": "target_to_source"}, None, FAIL),
        ({}, [wrote(1)], PASS),
        ({}, [wrote(1, accepted=False)], UNKNOWN),
        ({}, [wrote(1, accepted=False), wrote(2, accepted=False)], FAIL),
        ({}, [wrote(1, accepted=False, reason="timeout"), wrote(2, accepted=False, reason="timeout")], UNKNOWN),
        ({}, [wrote(1, accepted=False, reason="ACCESS_DENIED")], FAIL),
        ({}, [wrote(1, accepted=False, reason="403"), wrote(2)], PASS),
        ({}, [wrote(2, at=1, accepted=False, reason="403"), wrote(1, at=2)], FAIL),
        ({}, [wrote(1, accepted=False, hand=Hand.PERSON, reason="403")], UNKNOWN),
        ({}, [wrote(1, accepted=False, field="note"), wrote(2, accepted=False, field="note")], UNKNOWN),
    ],
)
def test_permissions(changes: dict[str, Any], writes: list[Write] | None, outcome: Outcome) -> None:
    assert look("permissions", known(phone(**changes), writes=writes)).outcome is outcome


@pytest.mark.parametrize(
    ("links", "keys", "outcome"),
    [
        (None, ("email",), UNKNOWN),
        ([LinkOf("s1", "t1", "email")], None, PASS),
        ([LinkOf("s1", "t1")], ("email",), PASS),
        ([LinkOf("s1", "t1", "last_name")], ("email",), FAIL),
        ([LinkOf("s1", "t1")], ("phone",), FAIL),
        ([], ("email",), FAIL),
        ([LinkOf("s1", "gone", "email")], None, FAIL),
    ],
)
def test_match_key(links: list[LinkOf] | None, keys: tuple[str, ...] | None, outcome: Outcome) -> None:
    evidence = known(phone(covered=False), links=links, match_keys=keys)
    assert look("match key", evidence).outcome is outcome


CYCLE = {"c1": RunOf(id="c1", kind="cycle", state="done", cycle=1, started=9 * SECOND)}


@pytest.mark.req("M47")
@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"writes": None}, UNKNOWN),
        ({"writes": [], "runs": CYCLE}, UNKNOWN),
        ({"writes": [wrote(1)]}, UNKNOWN),
        ({"writes": [wrote(1)], "runs": CYCLE}, PASS),
        ({"writes": [wrote(1)], "taken_at": 9 * SECOND, "cycles": 3}, PASS),
        ({"writes": [wrote(10)], "runs": CYCLE}, UNKNOWN),
        ({"writes": [wrote(1), wrote(2, hand=Hand.UNKNOWN)], "runs": CYCLE}, FAIL),
        ({"writes": [wrote(1)], "runs": CYCLE | {"c2": RunOf(id="c2", kind="cycle", state="partial", cycle=2)}}, FAIL),
        ({"writes": [wrote(1)], "runs": CYCLE, "history": [Seen(1, Side.TARGET, "t1", {"mobile": "0"})]}, PASS),
        ({"writes": [wrote(1, id="t2")], "runs": CYCLE, "history": [Seen(1, Side.TARGET, "t1", {"mobile": "0"})]},
         FAIL),
    ],
)  # fmt: skip
def test_logging(changes: dict[str, Any], outcome: Outcome) -> None:
    found = checks(boundary_of(known(phone(), **changes)))
    assert next(each for each in found if each.name == "logging").outcome is outcome
    assert boundary(found).confidence == ("full" if outcome is PASS else "lowered")


def test_edits_of_the_target_of_what_it_does_not_own_are_counted() -> None:
    found = look("direction", known(phone(), writes=[wrote(1, hand=Hand.PERSON), wrote(2)]))
    assert found.evidence[1] == "till changed phone by itself once, and does not own it."


def test_no_value_of_anybodys_is_told() -> None:
    records = {
        Side.SOURCE: {"s1": Rec("s1", {"phone": "canary"})},
        Side.TARGET: {"t1": Rec("t1", {"mobile": "canary", "x": "canary"})},
    }
    evidence = known(phone(), records=records, writes=[wrote(1, new="canary")], links=[LinkOf("s1", "t1", "phone")])
    assert "canary" not in str(boundary_of(evidence)) + str(checks(boundary_of(evidence)))
