"""The checklist at its edges: what a person reads beside each answer, and cases in which nothing is known at all."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from onewriter.rules.diagnosis.checklist import QUESTIONS, filled, gate
from onewriter.rules.diagnosis.evidence import FieldRules, Hand
from onewriter.rules.diagnosis.facts import Row
from onewriter.rules.diagnosis.judgement import Answer, CaseOf, Group, Item
from onewriter.rules.evidence import Check, Outcome
from tests.support.judging import case, pair, row, rows, rules, track, wrote

YES, NO, UNCLEAR = Answer.YES, Answer.NO, Answer.UNCLEAR
BOTH_SETTLED = rules("phone", covered=True), rules("note", covered=True)
LEFT_OUT = Check("coverage", Outcome.FAIL, ("Not carried.",), ("phone", "note"))


def of_fields(*known: FieldRules) -> list[Row]:
    return [row(of=each) for each in known]


def said(of: CaseOf, name: str) -> tuple[Answer, str]:
    return next((each.answer, each.why) for each in of.checklist if each.name == name)


def test_each_item_asks_its_question() -> None:
    asked = [each.question for each in case(rows(2)).checklist]
    assert asked == [
        "Is the exact field named?",
        "Are the affected records counted?",
        "Was it looked at again after one full cycle?",
        "Is the owner of the field written down?",
        "Is it confirmed by what key the records are one person?",
        "Is it checked that the connector carries the field?",
        "Does the next step keep it from coming back?",
    ]
    assert asked == [*QUESTIONS.values()]


@pytest.mark.req("M56")
def test_all_fields_of_a_case_are_named_by_the_names_of_both_systems() -> None:
    assert said(case(of_fields(*BOTH_SETTLED)), "field") == (
        YES, "phone (phone in shopify, x_phone in crm), note (note in shopify, x_note in crm).",
    )  # fmt: skip


@pytest.mark.req("M58")
def test_how_many_values_stood_wrong_through_a_cycle_is_counted() -> None:
    some = [row(1, onset=6.0), row(2, onset=6.5), row(3)]
    assert said(case(some), "cycle") == (YES, "1 of 3 values stood like this through a full cycle.")
    assert said(case(some[1:]), "cycle") == (
        NO, "They differ for less than one full cycle; the next one may settle it.",
    )  # fmt: skip
    assert said(case(some[2:]), "cycle") == (
        UNCLEAR, "Nothing tells since when they differ: no earlier look, and no log.",
    )  # fmt: skip


@pytest.mark.req("M59")
def test_owners_are_named_and_so_are_the_fields_that_have_none() -> None:
    assert said(case(of_fields(rules("phone"), rules("note", owner="crm"))), "owner") == (
        YES, "Owned by crm and shopify.",
    )  # fmt: skip
    unowned = of_fields(rules("phone", owner=None), rules("note", owner=None), rules("tags"))
    assert said(case(unowned, fields={"tags": rules("tags")}), "owner") == (
        NO, "Nobody is written down as the owner of note, phone.",
    )  # fmt: skip
    assert said(case(unowned), "owner") == (
        UNCLEAR, "The settings are not at hand, so that nothing says who owns note, phone.",
    )  # fmt: skip


@pytest.mark.req("M60")
def test_what_speaks_against_the_key_is_counted_by_pairs() -> None:
    odd = [row(1, with_pair=pair(1, key_held=False)), row(2, with_pair=pair(2, twins=("t9",))), row(3)]
    assert said(case([*odd, *odd]), "key") == (
        NO, "1 of 3 no longer share the key, 1 of 3 are linked or held twice.",
    )  # fmt: skip
    assert said(case(odd[1:]), "key") == (NO, "1 of 2 are linked or held twice.")
    poor = Check("match key", Outcome.FAIL, ("The key changes too often.", "It is shared."))
    assert said(case(rows(3), checks=[poor]), "key") == (NO, "The key changes too often.")
    half = [row(1), row(2, with_pair=pair(2, key_held=None))]
    assert said(case(half), "key") == (YES, "1 of 2 share the key that they were linked by.")
    assert said(case(half[1:]), "key") == (
        UNCLEAR, "Nothing says by what key the records are linked, so look at two of them side by side.",
    )  # fmt: skip


CARRIED = track(wrote("connector", Hand.CONNECTOR))


@pytest.mark.req("M61")
@pytest.mark.parametrize(
    ("of", "checks", "told"),
    [
        (of_fields(*BOTH_SETTLED), [], (YES, "Carried: note, phone.")),
        (rows(3), [LEFT_OUT], (NO, "Not carried: phone.")),
        (of_fields(rules("phone"), rules("note"), rules("tags")), [LEFT_OUT], (NO, "Not carried: note, phone.")),
        (of_fields(rules("phone", covered=False), rules("note")), [], (NO, "Not carried: phone.")),
        (
            [row(of=rules("phone"), copy_track=CARRIED), row(of=rules("note"), copy_track=CARRIED)], [],
            (YES, "Seen carried in the log: note, phone."),
        ),
        (
            [row(of=rules("phone"), copy_track=CARRIED), row(of=rules("note"))], [],
            (UNCLEAR, "Nothing says whether the connector carries the field."),
        ),
    ],
)  # fmt: skip
def test_what_is_carried_is_told_by_the_names_of_the_fields(
    of: list[Row], checks: Sequence[Check], told: tuple[Answer, str]
) -> None:
    assert said(case(of, checks=checks), "coverage") == told


@pytest.mark.req("M62")
@pytest.mark.parametrize(
    ("cause", "asserted", "told"),
    [
        ("transform_lossy", True, (YES, "The next step changes the rule that made it.")),
        ("manual_edit_T", True, (YES, "It was done once, and no rule or process does it again.")),
        ("in_flight", True, (YES, "Nothing is wrong, so that nothing can come back.")),
        (
            "transform_lossy", False,
            (UNCLEAR, "The cause is not sure, so that nobody can say what keeps it from coming back."),
        ),
    ],
)  # fmt: skip
def test_why_it_will_not_come_back_is_told(cause: str, asserted: bool, told: tuple[Answer, str]) -> None:
    assert said(case(rows(2), cause, asserted=asserted), "recurrence") == told


def test_where_nothing_is_known_no_field_is_named_and_nobody_is_counted() -> None:
    nothing = replace(case(rows(1)), group=Group(name="phone", rows=[], fields=()), records=())
    found = {each.name: (each.answer, each.why) for each in filled(nothing, (), 7.0)}
    assert found["field"] == (UNCLEAR, "No field is named.")
    assert found["records"] == (UNCLEAR, "Nobody is known to be affected.")
    assert (found["cycle"][0], found["key"][0], found["coverage"][0]) == (UNCLEAR, UNCLEAR, UNCLEAR)


def test_a_gate_that_is_shut_says_what_opens_it() -> None:
    items = tuple(Item(name=name, question="?", answer=UNCLEAR, why=".") for name in ("field", "key", "owner"))
    assert gate(items).told == (
        "3 of 3 items are unclear: field, key, owner. At most 2 may be; answer them, or say why you go on."
    )
