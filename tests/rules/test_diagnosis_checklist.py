"""The checklist: seven items by evidence, people's answers before it, and the gate at three unclear ones."""

from typing import Any

import pytest

from onewriter.rules.diagnosis.checklist import QUESTIONS, Answered, answered, gate
from onewriter.rules.diagnosis.evidence import FieldRules, Hand
from onewriter.rules.diagnosis.judgement import Answer, CaseOf, Item
from onewriter.rules.evidence import Check, Outcome
from tests.support.judging import case, pair, row, rows, rules, track, wrote

YES, NO, UNCLEAR = Answer.YES, Answer.NO, Answer.UNCLEAR
CONFIGURED: dict[str, FieldRules] = {"phone": rules()}


def answer(of: CaseOf, name: str) -> Answer:
    return next(each.answer for each in of.checklist if each.name == name)


def items(unclear: int, no: int = 0) -> tuple[Item, ...]:
    told = [UNCLEAR] * unclear + [NO] * no + [YES] * (7 - unclear - no)
    return tuple(
        Item(name=name, question="?", answer=each, why=".") for name, each in zip(QUESTIONS, told, strict=True)
    )


@pytest.mark.req("M56", "M57", "M58", "M59", "M60", "M61", "M62")
def test_everything_that_evidence_can_settle_is_settled() -> None:
    known = rules(covered=True)
    found = case(rows(12, of=known, onset=4.0), "transform_lossy", fields={"phone": known})
    assert [each.name for each in found.checklist] == [*QUESTIONS]
    assert {each.answer for each in found.checklist} == {YES}
    assert found.checklist[0].why == "phone (phone in shopify, x_phone in crm)."
    assert found.checklist[1].why == "Customers affected: 12."
    assert found.checklist[6].why == "The next step changes the rule that made it."
    assert gate(found.checklist).is_open


def test_values_alone_leave_so_much_unclear_that_nothing_is_edited() -> None:
    silent = rules(owner=None, direction=None)
    found = case([row(1, of=silent, with_pair=pair(matched_by=None, key_held=None))], asserted=False)
    assert [each.answer for each in found.checklist] == [YES, YES, UNCLEAR, UNCLEAR, UNCLEAR, UNCLEAR, UNCLEAR]
    assert not gate(found.checklist).is_open


@pytest.mark.req("M58")
@pytest.mark.parametrize(("onset", "said"), [(6.0, YES), (6.1, NO), (None, UNCLEAR), (0.0, YES)])
def test_a_full_cycle_must_have_passed_over_it(onset: float | None, said: Answer) -> None:
    assert answer(case(rows(3, onset=onset)), "cycle") is said


@pytest.mark.req("M59")
def test_an_owner_is_written_down_or_not_or_nobody_knows() -> None:
    assert answer(case(rows(3)), "owner") is YES
    assert answer(case(rows(3, of=rules(owner=None)), fields=CONFIGURED), "owner") is NO
    assert answer(case(rows(3, of=rules(owner=None))), "owner") is UNCLEAR


@pytest.mark.req("M60")
@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({}, YES), ({"key_held": None}, UNCLEAR), ({"key_held": False}, NO), ({"twins": ("t9",)}, NO),
        ({"other_sources": ("s9",)}, NO), ({"merged_into": "s9"}, NO),
    ],
)  # fmt: skip
def test_the_key_is_confirmed_by_what_both_still_have(odd: dict[str, Any], said: Answer) -> None:
    assert answer(case([row(with_pair=pair(**odd))]), "key") is said


@pytest.mark.req("M60")
def test_a_poor_key_is_not_confirmed_and_half_must_be_known() -> None:
    poor = Check("match key", Outcome.FAIL, ("It changes too often.",))
    assert answer(case(rows(3), checks=[poor]), "key") is NO
    some = [row(1), row(2, with_pair=pair(2, key_held=None)), row(3, with_pair=pair(3, key_held=None))]
    assert answer(case(some), "key") is UNCLEAR
    assert answer(case(some[:2]), "key") is YES


@pytest.mark.req("M61")
def test_coverage_is_by_the_look_at_it_and_else_by_the_settings() -> None:
    passed = Check("coverage", Outcome.PASS, ("Carried.",))
    failed = Check("coverage", Outcome.FAIL, ("Not.",), ("phone",))
    assert answer(case(rows(3)), "coverage") is UNCLEAR
    assert answer(case(rows(3), checks=[passed]), "coverage") is YES
    assert answer(case(rows(3), checks=[failed]), "coverage") is NO
    assert answer(case(rows(3, of=rules(covered=True))), "coverage") is YES
    assert answer(case(rows(3, of=rules(covered=False)), checks=[passed]), "coverage") is NO
    assert answer(case(rows(3, of=rules("note")), checks=[failed]), "coverage") is UNCLEAR
    seen = track(wrote("connector", Hand.CONNECTOR))
    assert answer(case(rows(3, copy_track=seen)), "coverage") is YES
    assert answer(case(rows(3, copy_track=track(wrote("app:x", Hand.APP)))), "coverage") is UNCLEAR


@pytest.mark.req("M62")
def test_recurrence_is_clear_only_where_the_cause_is() -> None:
    assert answer(case(rows(3), "transform_lossy"), "recurrence") is YES
    assert answer(case(rows(1), "manual_edit_T"), "recurrence") is YES
    assert answer(case(rows(3), "in_flight"), "recurrence") is YES
    assert answer(case(rows(3), "transform_lossy", asserted=False), "recurrence") is UNCLEAR


# ---- The gate -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("unclear", "is_open"), [(0, True), (2, True), (3, False), (7, False)])
def test_two_unclear_items_pass_and_three_do_not(unclear: int, is_open: bool) -> None:
    found = gate(items(unclear))
    assert (found.is_open, found.is_overridden, len(found.unclear)) == (is_open, False, unclear)


def test_what_is_answered_with_no_is_not_unclear() -> None:
    assert gate(items(2, no=5)).is_open
    assert gate(items(2, no=5)).told == "5 of 7 items are settled."


def test_a_reason_goes_over_the_gate_and_is_told() -> None:
    found = gate(items(3), "The shop opens tomorrow.")
    assert (found.is_open, found.is_overridden) == (True, True)
    assert found.told == "3 of 7 items are unclear: field, records, cycle. Somebody goes on all the same."
    assert not gate(items(3), "  ").is_open
    assert not gate(items(2), "Not needed.").is_overridden


@pytest.mark.req("M56")
def test_a_persons_answer_goes_before_the_evidence() -> None:
    found = answered(items(3), {"field": Answered(YES, "ann", "I looked."), "owner": Answered(UNCLEAR, "bob")})
    assert (found[0].answer, found[0].answered_by, found[0].why) == (YES, "ann", "I looked.")
    assert (found[3].answer, found[3].why) == (UNCLEAR, "bob says so.")
    assert gate(found).unclear == ("records", "cycle", "owner")
    assert gate(answered(items(3), {"field": Answered(YES, "ann")})).is_open
