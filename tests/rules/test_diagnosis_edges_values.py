"""Causes that values tell, at their edges: from what share on each is named, and what speaks for and against it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from onewriter.rules.diagnosis.causes import values
from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.causes.weighing import CLEAR, CONCLUSIVE, HINT, STRONG, Told
from onewriter.rules.diagnosis.evidence import Hand
from onewriter.rules.diagnosis.facts import FieldCounts, Relation, Row, Verdict
from onewriter.rules.transforms import TRANSFORMS
from tests.rules.test_diagnosis_edges_traits import of
from tests.support.judging import row, rules, wrote

CONNECTOR, PERSON = wrote("connector", Hand.CONNECTOR), wrote("user:ann", Hand.PERSON)
LOG = [CONNECTOR]


def rows(count: int, **known: Any) -> list[Row]:
    """So many values, each of which became another one."""
    return [row(at, **{"origin_value": f"a{at}", "copy_value": f"b{at}", **known}) for at in range(1, count + 1)]


def like(count: int, *relations: Relation, **known: Any) -> list[Row]:
    """So many rows whose copies are so related to the origin, in the detail too."""
    return rows(count, relations=dict.fromkeys(relations, "20"), **known)


def cut(*lengths: int, **known: Any) -> list[Row]:
    return [row(at, relations={Relation.PREFIX: str(length)}, **known) for at, length in enumerate(lengths)]


def worded(*pairs: tuple[Any, Any], **known: Any) -> list[Row]:
    return [row(at, origin_value=one, copy_value=other, **known) for at, (one, other) in enumerate(pairs)]


def of_kind(kind: str) -> Mapping[str, Any]:
    return {"of": rules(kind=kind)}


def points(told: Told | None) -> float | None:
    return None if told is None else told.points


# ---- Likenesses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "relation", "sure", "told"),
    [
        (values.mapping_wrong_target, Relation.OTHER_FIELD, CONCLUSIVE, "what crm holds is the customer's 20."),
        (values.transform_lossy, Relation.LOSSY, STRONG,
         "what crm holds is shopify's value with a part lost (20)."),
        (values.truncation, Relation.PREFIX, STRONG, "what crm holds is cut at 20 characters."),
        (values.type_enum_coercion, Relation.ZEROS_LOST, CONCLUSIVE, "crm made a number of a text."),
        (values.type_enum_coercion, Relation.NUMBER, CONCLUSIVE, "crm made a number of a text."),
        (values.timezone_locale, Relation.DAY_SHIFT, CONCLUSIVE,
         "the dates differ by a day, by hours, or by their order."),
        (values.timezone_locale, Relation.DAY_MONTH, CONCLUSIVE,
         "the dates differ by a day, by hours, or by their order."),
        (values.encoding_mojibake, Relation.MOJIBAKE, CONCLUSIVE, "crm holds the text as the wrong encoding reads it."),
    ],
)  # fmt: skip
def test_a_likeness_is_a_cause_from_three_of_five_on_and_counts_by_its_share(
    cause: Callable[[Traits], Told | None], relation: Relation, sure: float, told: str
) -> None:
    enough = cause(of([*like(3, relation), *rows(5)[3:]]))
    assert enough is not None
    assert enough.points == pytest.approx(sure * 0.6)
    assert enough.evidence == (f"3 of 5 records: {told}",)
    assert points(cause(of(like(5, relation)))) == sure
    assert cause(of([*like(5, relation), *rows(9)[5:]])) is None


def test_a_value_that_is_written_otherwise_says_the_same() -> None:
    found = values.format_only(of(rows(1_200, verdict=Verdict.FORMAT)))
    assert found == Told(CONCLUSIVE, ("All 1,200 values say the same on both sides, and are written otherwise.",))
    assert values.format_only(of(rows(3))) is None


def test_numbers_and_lost_zeros_are_one_story_and_count_no_more_than_once() -> None:
    both = like(2, Relation.NUMBER, Relation.ZEROS_LOST)
    assert points(values.type_enum_coercion(of(both))) == CONCLUSIVE
    mixed = [*like(3, Relation.NUMBER), *like(3, Relation.ZEROS_LOST), *rows(4)]
    assert points(values.type_enum_coercion(of(mixed))) == pytest.approx(CONCLUSIVE * 0.6)


# ---- A lossy transform, and a limit ---------------------------------------------------------------------------------


def test_beginnings_of_different_lengths_are_a_part_lost_and_of_one_length_a_limit() -> None:
    found = values.transform_lossy(of([*cut(3, 9, 12), *rows(2)]))
    assert found is not None
    assert found.points == STRONG * 0.6
    assert "a part lost (only its beginning, of different lengths)" in found.evidence[0]
    assert values.transform_lossy(of(cut(3, 9))) is not None
    assert values.transform_lossy(of(cut(20, 20))) is None
    assert values.transform_lossy(of(cut(20, 20, 20, 9, 9))) is None
    assert values.transform_lossy(of(cut(3), count=1)) is None
    known = [row(at, relations={Relation.LOSSY: "digits", Relation.PREFIX: str(at)}) for at in (1, 2, 3)]
    lossy = values.transform_lossy(of([*known, *rows(5)[3:]]))
    assert lossy is not None
    assert "(digits)" in lossy.evidence[0]


@pytest.mark.parametrize(("name", "more"), [("digits", CLEAR), ("e164", 0.0), ("no such", 0.0), (None, 0.0)])
def test_a_lossy_transform_in_the_mapping_speaks_for_it(name: str | None, more: float) -> None:
    assert TRANSFORMS["digits"].lossy
    found = values.transform_lossy(of(like(4, Relation.LOSSY, of=rules(transform=name))))
    assert found is not None
    assert found.points == STRONG + more
    assert (len(found.evidence) == 2) is bool(more)
    if more:
        assert found.evidence[1] == "The mapping names the transform digits, which loses a part."
        settled = [row(), *like(4, Relation.LOSSY, of=rules(transform=name))]
        assert points(values.transform_lossy(of(settled))) == STRONG * 0.8 + more


def test_a_constant_length_speaks_against_a_part_lost_if_more_have_it() -> None:
    lossy = like(3, Relation.LOSSY, Relation.PREFIX)
    assert points(values.transform_lossy(of(lossy))) == STRONG
    assert points(values.transform_lossy(of([*lossy, row(9)]))) == STRONG * 0.75
    more_cut = of([*lossy, *cut(20)])
    assert points(values.transform_lossy(more_cut)) == STRONG * 0.75 - CLEAR
    by_mapping = of([*like(3, Relation.LOSSY, Relation.PREFIX, of=rules(transform="digits")), *cut(20)])
    assert points(values.transform_lossy(by_mapping)) == STRONG * 0.75 + CLEAR


@pytest.mark.parametrize(("count", "of_all", "less"), [(1, 11, CLEAR), (1, 10, 0.0), (2, 40, 0.0)])
def test_one_record_of_many_loses_a_part_by_chance(count: int, of_all: int, less: float) -> None:
    assert points(values.transform_lossy(of(like(count, Relation.LOSSY), count=of_all))) == STRONG - less


def test_a_limit_of_the_mapping_speaks_for_a_cut_and_a_single_record_against_it() -> None:
    found = values.truncation(of(cut(20, 20, of=rules(max_length=20))))
    assert found == Told(STRONG + CLEAR, (
        "2 of 2 records: what crm holds is cut at 20 characters.", "The mapping has that limit: 20 characters.",
    ))  # fmt: skip
    assert points(values.truncation(of(cut(20, 20, of=rules(max_length=30))))) == STRONG
    assert points(values.truncation(of([*cut(20, of=rules(max_length=20)), *cut(20)]))) == STRONG + CLEAR
    assert points(values.truncation(of(cut(20)))) == STRONG - CLEAR
    some = rows(2, relations={Relation.PREFIX: "a few"}, of=rules(max_length=20))
    assert points(values.truncation(of(some))) == STRONG
    assert values.truncation(of(rows(2, relations={Relation.PREFIX: None}))) is None


def test_a_part_lost_speaks_against_a_cut_if_more_have_lost_it() -> None:
    both = [*cut(20, 20), *like(2, Relation.LOSSY, Relation.PREFIX)]
    assert points(values.truncation(of([*both, row(9)]))) == STRONG * 0.8
    assert points(values.truncation(of(like(5, Relation.LOSSY, Relation.PREFIX)))) == STRONG
    more_lost = of([*like(3, Relation.LOSSY, Relation.PREFIX), *like(1, Relation.LOSSY)])
    assert points(values.truncation(more_lost)) == STRONG * 0.75 - CLEAR


# ---- Words that become other words ----------------------------------------------------------------------------------

WORDS = (("red", "x"), ("red", "x"), ("blue", "y"), ("blue", "y"))
MANY = (("red", "x"), ("blue", "x"), ("green", "x"))


def test_words_that_always_become_the_same_others_are_a_list_that_does_not_fit() -> None:
    found = values.type_enum_coercion(of(worded(*WORDS)))
    assert found == Told(
        CLEAR + HINT, ("4 of 4 records: the same word always becomes the same other word in crm.",)
    )  # fmt: skip
    assert points(values.type_enum_coercion(of(worded(*WORDS), counts=FieldCounts(compared=9, equal=1)))) == (
        CLEAR + HINT + HINT
    )
    three_of_five = worded(("red", "x"), ("red", "x"), ("red", "x"), ("blue", "y"), ("green", "z"))
    assert values.type_enum_coercion(of(three_of_five)) is not None
    assert values.type_enum_coercion(of(worded(*WORDS, ("a", "z"), ("b", "u"), ("c", "v")))) is None


@pytest.mark.parametrize(
    ("of_them", "speaks"),
    [
        (CONNECTOR, HINT), (wrote("api", Hand.UNKNOWN), HINT), (PERSON, 0.0),
        (wrote("app:x", Hand.APP), 0.0), (None, HINT),
    ],
)  # fmt: skip
def test_that_the_connector_wrote_the_words_or_nobody_knows_speaks_for_a_list(of_them: Any, speaks: float) -> None:
    assert points(values.type_enum_coercion(of(worded(*WORDS, copy_write=of_them)))) == CLEAR + speaks


@pytest.mark.parametrize(
    "some",
    [
        worded(*WORDS[:2], ("blue", "x")), worded(*WORDS, age=0.5), worded(*WORDS, **of_kind("consent")),
        [*worded(*WORDS[:3]), *worded(("blue", "y"), **of_kind("consent"))],
        worded(*WORDS, relations={Relation.LOSSY: "digits"}),
        worded(*((f"name {at}", "x") for at in range(7))),
    ],
)  # fmt: skip
def test_too_few_young_consenting_explained_or_open_ended_values_are_no_list(some: Sequence[Row]) -> None:
    assert values.type_enum_coercion(of(some)) is None


def test_three_of_five_that_only_wait_tell_nothing_of_words() -> None:
    young, old = worded(*WORDS[:3], age=0.5), worded(*WORDS[2:], age=3.0)
    assert values.type_enum_coercion(of([*young, *old])) is None
    assert values.type_enum_coercion(of([*young[:2], *old, *old[:1]])) is not None
    young, old = worded(*MANY, age=0.5), worded(*MANY[:2], age=3.0)
    assert values.default_value(of([*young, *old])) is None
    assert values.default_value(of([*young[1:], *old, *old[:1]])) is not None


def test_a_bucket_for_up_to_twelve_words_is_a_list_too() -> None:
    def bucket(different: int) -> list[Row]:
        return worded(*((f"word {at % different}", ("x", "y")[at >= 30]) for at in range(40)))

    assert values.type_enum_coercion(of(bucket(12))) is not None
    assert values.type_enum_coercion(of(bucket(13))) is None


# ---- One value for all ----------------------------------------------------------------------------------------------


def test_one_value_where_the_origin_has_none_is_a_default() -> None:
    found = values.default_value(of([*like(3, Relation.EMPTY_ORIGIN, copy_value="x"), *rows(2)]))
    assert found == Told(
        STRONG * 0.6, ("3 of 5 records: crm holds one and the same value where shopify has none.",)
    )  # fmt: skip
    assert points(values.default_value(of(rows(2, relations={Relation.EMPTY_ORIGIN: None}, copy_value="x")))) == STRONG
    assert values.default_value(of(like(1, Relation.EMPTY_ORIGIN))) is None
    assert values.default_value(of(like(3, Relation.EMPTY_ORIGIN))) is None
    full = [*worded(*MANY), *like(2, Relation.EMPTY_ORIGIN, copy_value="x")]
    assert values.default_value(of(full)) is not None


def test_one_value_for_three_others_is_a_default() -> None:
    found = values.default_value(of(worded(*MANY, ("red", "y"), ("blue", "z"))))
    assert found == Told(STRONG * 0.6, ("3 of 5 records: crm holds one and the same value for 3 others.",))
    assert values.default_value(of(worded(*MANY[:2], *MANY[:2]))) is None
    assert values.default_value(of(worded(*MANY, ("a", "y"), ("b", "z"), ("c", "u")))) is None
    assert values.default_value(of(worded(*MANY, age=0.5))) is None
    assert values.default_value(of(worded(*MANY, relations={Relation.LOSSY: "digits"}))) is None


@pytest.mark.parametrize(
    ("equal", "compared", "less"), [(8, 40, 0.0), (9, 40, CLEAR), (2, 5, 0.0), (3, 5, CLEAR), (0, 0, 0.0)]
)
def test_where_others_come_through_as_they_are_it_is_less_of_a_default(equal: int, compared: int, less: float) -> None:
    known = of(worded(*MANY), counts=FieldCounts(compared=compared, equal=equal))
    assert points(values.default_value(known)) == STRONG - less


def test_a_consent_or_another_hand_speaks_against_a_default() -> None:
    def weighed(**known: Any) -> float | None:
        return points(values.default_value(of(worded(*MANY, **known))))

    assert weighed(**of_kind("consent")) == STRONG - CLEAR
    assert weighed(**of_kind("profile")) == STRONG
    assert weighed(copy_write=CONNECTOR) == STRONG
    assert weighed(copy_write=PERSON) == STRONG - CLEAR
    some = of([*worded(*MANY, copy_write=CONNECTOR), *worded(("red", "x"), ("red", "x"), copy_write=PERSON)])
    assert points(values.default_value(some)) == STRONG


@pytest.mark.parametrize("relation", [
    Relation.PREFIX, Relation.OTHER_FIELD, Relation.DAY_SHIFT, Relation.DAY_MONTH, Relation.MOJIBAKE,
    Relation.ZEROS_LOST, Relation.NUMBER, Relation.LOSSY,
])  # fmt: skip
def test_a_likeness_explains_three_of_five_better_than_a_default_does(relation: Relation) -> None:
    alike = worded(*MANY, relations={relation: None})
    assert values.default_value(of([*alike, *worded(*MANY[:2])])) is None
    assert values.default_value(of([*alike[:1], *worded(*MANY[1:])])) is not None
    assert values.default_value(of(worded(*MANY, relations={Relation.OTHER_VALUE: None}))) is not None


# ---- Consent, and what is not carried -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "some", "more"),
    [
        (rules("note", kind="consent"), WORDS, CLEAR), (rules("SMS_Consent"), WORDS, CLEAR),
        (rules("email_consent"), MANY, CLEAR), (rules("email_consent"), MANY[:1], 0.0), (rules("note"), WORDS, None),
    ],
)  # fmt: skip
def test_a_consent_is_told_by_its_kind_or_name_and_by_its_states(known: Any, some: Any, more: float | None) -> None:
    found = points(values.consent_state_machine(of(worded(*some, of=known))))
    assert found == (None if more is None else CLEAR + more)


def test_most_must_be_consents_and_empty_ones_speak_against_it() -> None:
    consents = worded(*WORDS[:3], **of_kind("consent"))
    found = values.consent_state_machine(of([*consents, *worded(*WORDS[2:])]))
    assert found is not None
    assert found.evidence == ("5 of 5 records: the same state always becomes the same other state in crm.",)
    assert values.consent_state_machine(of([*consents, *worded(*WORDS)])) is None
    empty = like(4, Relation.EMPTY_COPY, copy_value="", **of_kind("consent"))
    assert points(values.consent_state_machine(of(empty))) == 0.0
    assert points(values.consent_state_machine(of([*empty[:3], *rows(2, **of_kind("consent"))]))) == CLEAR


def not_carried(count: int = 4, *, log: Any = None, fares: Any = None, **known: Any) -> Told | None:
    counted = FieldCounts(**{"compared": 1_200, "origin_filled": 1_200, "copy_filled": 0, **(fares or {})})
    return values.field_not_covered(of(like(count, Relation.EMPTY_COPY, **known), counts=counted, writes=log))


def test_a_field_that_nobody_has_there_is_not_carried() -> None:
    assert not_carried() == Told(
        CLEAR, ("crm holds nothing in phone for any of 1,200 customers.",),
        ("A log would tell whether it was ever written.",),
    )  # fmt: skip
    assert points(not_carried(5)) == CLEAR + HINT
    assert values.field_not_covered(of([*like(3, Relation.EMPTY_COPY), *rows(2)])) is not None
    assert values.field_not_covered(of([*like(3, Relation.EMPTY_COPY), *rows(3)])) is None


@pytest.mark.parametrize(("filled", "of_all", "is_told"), [(4, 40, True), (5, 40, False), (1, 0, False), (0, 0, True)])
def test_more_than_a_tenth_that_is_there_was_carried(filled: int, of_all: int, is_told: bool) -> None:
    found = not_carried(fares={"origin_filled": of_all, "copy_filled": filled})
    assert (found is not None) is is_told


def test_what_was_filled_once_was_carried() -> None:
    assert not_carried(copy_was_filled=True) is None
    assert not_carried(copy_was_filled=False) is not None
    some = [*like(2, Relation.EMPTY_COPY, copy_was_filled=True), *like(3, Relation.EMPTY_COPY, copy_was_filled=False)]
    assert values.field_not_covered(of(some)) is not None
    assert values.field_not_covered(of([*some, some[0]])) is None


def test_a_log_without_a_write_of_it_speaks_for_it_and_a_refused_write_against_it() -> None:
    assert not_carried(log=LOG, fares={"writes": 0}) == Told(CLEAR + CLEAR, (
        "crm holds nothing in phone for any of 1,200 customers.", "No line of the log tells of a write of it.",
    ))  # fmt: skip
    assert points(not_carried(log=LOG, fares={"writes": 1})) == CLEAR
    assert points(not_carried(fares={"writes": 0})) == CLEAR
    assert points(not_carried(log=LOG, fares={"writes": 1, "refused": 2})) == CLEAR - STRONG


def test_what_the_mapping_says_of_it_speaks_for_it_or_against_it() -> None:
    left_out = not_carried(of=rules(covered=False))
    assert left_out is not None
    assert (left_out.points, left_out.evidence[1:]) == (CLEAR + CLEAR, ("The mapping leaves it out.",))
    assert points(not_carried(of=rules(covered=True))) == CLEAR - HINT
    for covered in (True, False):
        some = [*like(3, Relation.EMPTY_COPY, of=rules(covered=covered)),
                *like(2, Relation.EMPTY_COPY, of=rules(covered=not covered))]  # fmt: skip
        assert points(values.field_not_covered(of(some))) == CLEAR + HINT
