"""Ranking at its edges: what points come to together, when a cause is asserted, and which group comes first."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.evidence import Hand
from onewriter.rules.diagnosis.facts import Relation, Row, Verdict, Why
from onewriter.rules.diagnosis.judgement import Group
from onewriter.rules.diagnosis.ranking import explain, weighed
from tests.support.judging import compared, evidence, pair, row, rules, wrote

Known = dict[str, Any]


LOG = [wrote("connector", Hand.CONNECTOR)]
CUT: Known = {"relations": {Relation.PREFIX: "20"}}
DATES: Known = {"relations": {Relation.DAY_SHIFT: None}}
FOUGHT: Known = {"flips": 1}
BROKEN: Known = {"order_broken": True, "copy_is_older": True, "copy_had_it": True}
BEHIND: Known = {"copy_is_older": True, "origin_moved": 3.0}
AWAY: Known = {"copy_is_older": False, "copy_had_it": True}
TWINS: Known = {"twins": ("t9",)}
SHARED: Known = {"other_sources": ("s9",)}
LEFT: Known = {"key_held": False, "key_holders": ("s8",)}


def rows(count: int, odd: Mapping[str, Any] | None = None, **known: Any) -> list[Row]:
    """So many values, each of which became another one: no word that always becomes the same other word."""
    return [
        row(with_pair=pair(at, **(odd or {})), **{"origin_value": f"a{at}", "copy_value": f"b{at}", **known})
        for at in range(1, count + 1)
    ]


def alone(of: Sequence[Row], **known: Any) -> Group:
    [group] = explain(evidence(**known), compared(of))
    return group


def odds(*points: float) -> list[float]:
    """What so many points come to, beside one for none of them."""
    total = math.e + sum(map(math.exp, points))
    return [round(math.exp(each) / total, 4) for each in points]


# ---- Weights --------------------------------------------------------------------------------------------------------


def test_a_cause_weighs_what_its_points_come_to_beside_the_others_and_beside_none_of_them() -> None:
    assert [each.weight for each in alone(rows(6, **DATES)).causes] == odds(7.0)
    both = alone(rows(2, {**TWINS, **SHARED, "differing": 4}))
    assert [(each.cause, each.weight) for each in both.causes] == [
        (cause, weight) for cause, weight in zip(("identity_over_merge", "identity_split"), odds(6, 5), strict=True)
    ]


def test_of_causes_that_weigh_the_same_the_first_of_the_catalogue_goes_first() -> None:
    assert [each.cause for each in alone(rows(2, {**TWINS, **SHARED})).causes] == [
        "identity_split", "identity_over_merge",
    ]  # fmt: skip


def test_of_what_differs_in_form_nothing_else_is_asked() -> None:
    known = compared()
    known.phantoms = rows(6, verdict=Verdict.FORMAT, **CUT)
    [group] = explain(evidence(), known)
    assert [each.cause for each in group.causes] == ["format_only"]
    assert "format_only" not in [each.cause for each in alone(rows(6, **CUT)).causes]


def test_at_most_five_causes_are_named() -> None:
    odd = pair(1, merged_into="s7", is_redacted=True, **TWINS, **SHARED, **LEFT)
    several = [row(with_pair=odd, of=rules("email_consent"))]
    assert len(weighed(Traits(several, evidence(), compared(several), "email_consent"))) == 6
    assert len(alone(several).causes) == 5


def test_a_cause_says_what_would_make_it_surer() -> None:
    [fought] = [each for each in alone(rows(3, edit_undone=True)).causes if each.cause == "wrong_direction"]
    assert fought.evidence == ("3 of 3 records: an edit in shopify was taken back.",)
    assert fought.missing == ("A log of who wrote would settle it.",)


OTHER_FIELD: Known = {"relations": {Relation.OTHER_FIELD: "city"}}
LOSSY: Known = {"relations": {Relation.LOSSY: "digits"}}
ZEROS: Known = {"relations": {Relation.ZEROS_LOST: None}}
EMPTY: Known = {"relations": {Relation.EMPTY_COPY: None}}


@pytest.mark.req("M16", "M17", "M18")
@pytest.mark.parametrize(
    ("kind", "cause", "known", "odd"),
    [
        ("identity", "two_writers", FOUGHT, {}), ("identity", "wrong_direction", {"edit_undone": True}, {}),
        ("identity", "identity_split", {}, TWINS), ("identity", "identity_over_merge", {}, SHARED),
        ("identity", "recycled_key", {}, LEFT), ("workflow", "mapping_wrong_target", OTHER_FIELD, {}),
        ("workflow", "transform_lossy", LOSSY, {}), ("workflow", "type_enum_coercion", ZEROS, {}),
        ("workflow", "field_not_covered", EMPTY, {}), ("consent", "consent_state_machine", {}, {}),
    ],
)  # fmt: skip
def test_the_kind_of_a_field_makes_its_causes_a_little_likelier(
    kind: str, cause: str, known: dict[str, Any], odd: dict[str, Any]
) -> None:
    def weight(of_kind: str | None) -> float:
        found = alone(rows(6, odd, of=rules("email_consent", kind=of_kind), **known))
        return next(each.weight for each in found.causes if each.cause == cause)

    plain = weight(None)
    assert weight("profile") == plain
    assert weight("derived") == plain
    assert weight(kind) > plain


def test_fields_of_work_or_identity_point_to_their_own_causes_only() -> None:
    def causes(kind: str) -> list[float]:
        return [each.weight for each in alone(rows(6, of=rules(kind=kind), **DATES)).causes]

    assert causes("identity") == causes("workflow") == causes("profile")


# ---- When a cause is asserted ---------------------------------------------------------------------------------------


@pytest.mark.req("M47")
def test_what_weighs_enough_and_three_times_as_much_as_the_next_is_asserted() -> None:
    assert alone(rows(6, **DATES)).asserted is True
    twice = alone(rows(2, {**TWINS, "merged_into": "s7"}))
    assert [each.cause for each in twice.causes] == ["merge_not_propagated", "identity_split"]
    assert twice.asserted is True


@pytest.mark.req("M47")
def test_a_small_margin_or_a_weak_signature_asserts_nothing() -> None:
    close = alone(rows(2, {**TWINS, **SHARED, "differing": 4}))
    assert close.causes[0].weight > 0.7
    assert close.asserted is False
    weak = alone([*rows(6, **FOUGHT)[:3], *rows(6)[3:]], writes=LOG)
    assert [each.cause for each in weak.causes] == ["two_writers"]
    assert weak.asserted is False


@pytest.mark.req("M47")
def test_of_what_looks_like_nothing_nothing_is_said() -> None:
    nothing = alone(rows(6), writes=LOG)
    assert (nothing.causes, nothing.asserted) == ((), False)


@pytest.mark.req("M47")
@pytest.mark.parametrize(
    ("cause", "count", "known", "line"),
    [
        ("manual_edit_T", 3, AWAY, wrote("user:ann", Hand.PERSON)),
        ("import_collision", 6, AWAY, wrote("file", Hand.IMPORT)), ("two_writers", 6, FOUGHT, None),
        ("stale_out_of_order", 6, BROKEN, None), ("clock_skew", 6, {"stamp_against_order": True}, None),
        ("missed_webhook", 2, BEHIND, None), ("permission_missing", 6, {"of": rules(permission="read")}, None),
        ("wrong_direction", 6, {"edit_undone": True}, None),
    ],
)  # fmt: skip
def test_what_only_a_log_can_tell_is_named_without_one_and_asserted_with_one(
    cause: str, count: int, known: dict[str, Any], line: Any
) -> None:
    without = alone(rows(count, **known))
    assert (without.causes[0].cause, without.asserted) == (cause, False)
    logged = alone(rows(count, **known, copy_write=line), writes=LOG)
    assert (logged.causes[0].cause, logged.asserted) == (cause, True)


# ---- Which group comes first ----------------------------------------------------------------------------------------


def test_what_people_report_comes_first_then_what_is_larger_then_by_name() -> None:
    some = [
        *rows(2, of=rules("b"), **DATES), *rows(2, of=rules("a"), **DATES), *rows(3, of=rules("c"), **DATES),
        row(of=rules("d"), why=Why.REPORTED, is_reported=True, **DATES),
    ]  # fmt: skip
    assert [each.name for each in explain(evidence(), compared(some))] == ["d", "c", "a", "b"]


def test_what_is_right_comes_last_and_of_that_what_differs_in_form() -> None:
    waiting = rows(9, of=rules("a"), age=0.5)
    known = compared([*waiting, *rows(2, of=rules("b"), **DATES), row(of=rules("c"))])
    known.phantoms = rows(8, of=rules("b"), verdict=Verdict.FORMAT)
    found = explain(evidence(), known)
    assert [(each.name, len(each.rows)) for each in found] == [("b", 2), ("c", 1), ("a", 9), ("b", 8)]
    assert found[1].causes == ()
