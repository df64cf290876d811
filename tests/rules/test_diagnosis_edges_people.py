"""Causes that links and lives tell, at their edges: what speaks for and against each, and who was kept of a merge."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from onewriter.rules.diagnosis.causes import people
from onewriter.rules.diagnosis.causes.traits import Traits
from onewriter.rules.diagnosis.causes.weighing import CLEAR, CONCLUSIVE, HINT, STRONG, Told
from onewriter.rules.diagnosis.evidence import Hand, Side
from onewriter.rules.diagnosis.facts import Row
from tests.rules.test_diagnosis_edges_traits import of
from tests.support.judging import compared, evidence, pair, row, rows, rules, track, wrote

Known = dict[str, Any]


TWINS: Known = {"twins": ("t9",)}
OTHER: Known = {"other_targets": ("t9",)}
SHARED: Known = {"other_sources": ("s9",)}
HELD: Known = {"key_holders": ("s9",)}
LEFT: Known = {"key_held": False}
NEVER_HAD_IT: Known = {"key_held": False, "key_was_held": False}
MERGED: Known = {"merged_into": "s9"}
KEPT: Known = {"merged_from": ("s9",)}
GONE: Known = {"deleted": 5}

Cause = Callable[[Traits], Told | None]


def odd(*each: Mapping[str, Any]) -> list[Row]:
    """A value of each of these pairs."""
    return [row(with_pair=pair(at, **known)) for at, known in enumerate(each)]


def points(cause: Cause, some: list[Row]) -> float | None:
    told = cause(of(some))
    return None if told is None else told.points


# ---- What speaks for each, and against it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "sign", "sure", "told"),
    [
        (people.identity_split, TWINS, STRONG, "have a second record in crm with the same key."),
        (people.identity_split, OTHER, STRONG, "have a second record in crm with the same key."),
        (people.identity_over_merge, SHARED, STRONG, "share their record in crm with another customer."),
        (people.recycled_key, LEFT, CLEAR, "were linked by a key that the customer no longer has."),
        (people.recycled_key, HELD, STRONG, "were linked by a key that the customer no longer has."),
        (people.recycled_key, {**LEFT, **HELD}, CLEAR + STRONG,
         "were linked by a key that the customer no longer has."),
        (people.deleted_redacted, GONE, CONCLUSIVE,
         "were deleted or redacted on one side, and not on the other."),
        (people.deleted_redacted, {"is_redacted": True}, CONCLUSIVE,
         "were deleted or redacted on one side, and not on the other."),
        (people.merge_not_propagated, MERGED, CONCLUSIVE, "were merged in shopify."),
        (people.merge_not_propagated, KEPT, CONCLUSIVE, "were merged in shopify."),
    ],
)  # fmt: skip
def test_what_half_of_the_customers_have_is_a_cause_and_counts_by_its_share(
    cause: Cause, sign: dict[str, Any], sure: float, told: str
) -> None:
    assert cause(of(odd(sign, sign))) == Told(sure, (f"2 of 2 customers {told}",))
    assert cause(of(odd(sign, {}))) == Told(sure / 2, (f"1 of 2 customers {told}",))
    assert cause(of(odd(sign, {}, {}))) is None


@pytest.mark.parametrize(
    ("cause", "sign", "beside", "more"),
    [
        (people.identity_split, TWINS, {"newer_twin": True}, HINT),
        (people.identity_split, TWINS, {"newer_twin": False}, 0.0),
        (people.identity_split, TWINS, MERGED, -CLEAR), (people.identity_split, TWINS, KEPT, -CLEAR),
        (people.identity_split, TWINS, LEFT, -CLEAR), (people.identity_split, TWINS, NEVER_HAD_IT, 0.0),
        (people.identity_over_merge, SHARED, {"differing": 4}, HINT),
        (people.identity_over_merge, SHARED, {"differing": 3}, 0.0),
        (people.identity_over_merge, SHARED, MERGED, -CLEAR), (people.identity_over_merge, SHARED, LEFT, -CLEAR),
        (people.identity_over_merge, SHARED, NEVER_HAD_IT, 0.0),
        (people.recycled_key, HELD, MERGED, -CLEAR), (people.recycled_key, HELD, {"key_held": True}, 0.0),
        (people.recycled_key, HELD, NEVER_HAD_IT, 0.0), (people.recycled_key, HELD, {"key_held": None}, 0.0),
        (people.recycled_key, HELD, {"key_held": False, "key_was_held": True}, CLEAR),
        (people.deleted_redacted, GONE, MERGED, -STRONG),
    ],
)  # fmt: skip
def test_what_else_is_known_of_them_speaks_for_it_or_against_it(
    cause: Cause, sign: dict[str, Any], beside: dict[str, Any], more: float
) -> None:
    plain = points(cause, odd(sign, sign))
    assert plain is not None
    both = {**sign, **beside}
    assert points(cause, odd(both, both)) == plain + more


# ---- A merge that a line of the log tells of ------------------------------------------------------------------------

MERGE = track(wrote("crm", Hand.CONNECTOR, side=Side.SOURCE), wrote("shopify", Hand.MERGE, side=Side.SOURCE))
BEFORE = track(wrote("shopify", Hand.MERGE, side=Side.SOURCE), wrote("crm", Hand.CONNECTOR, side=Side.SOURCE))


def test_a_newest_line_of_a_merge_tells_of_it_as_well_as_a_link_does() -> None:
    assert points(people.merge_not_propagated, rows(2, origin_track=MERGE)) == CONCLUSIVE
    assert points(people.merge_not_propagated, [*rows(2, origin_track=MERGE), row(3, origin_track=BEFORE)]) == (
        pytest.approx(CONCLUSIVE * 2 / 3)
    )
    assert points(people.merge_not_propagated, rows(2, origin_track=BEFORE)) is None
    assert points(people.merge_not_propagated, rows(2, copy_track=MERGE)) is None


def test_a_customer_who_is_gone_by_a_merge_was_not_erased() -> None:
    assert points(people.deleted_redacted, rows(2, with_pair=pair(**GONE), origin_track=MERGE)) == CONCLUSIVE - STRONG
    assert points(people.deleted_redacted, rows(2, with_pair=pair(**GONE), origin_track=BEFORE)) == CONCLUSIVE


# ---- A merge that nothing tells of ----------------------------------------------------------------------------------


def gone(count: int, *, at: float | None = 3.0, **known: Any) -> list[Row]:
    return [row(with_pair=pair(100 + number, **{**GONE, **known}), origin_moved=at) for number in range(count)]


def changed(number: int, *at: float, **known: Any) -> list[Row]:
    """A customer of whom so many fields changed, each at its moment."""
    other = pair(number, **known)
    return [row(with_pair=other, of=rules(f"field {place}"), origin_moved=each) for place, each in enumerate(at)]


def perhaps(some: list[Row], *others: Row) -> Told | None:
    return people.merge_not_propagated(Traits(some, evidence(), compared([*some, *others]), "phone"))


def test_who_changed_in_two_fields_when_others_went_was_kept_in_their_place_perhaps() -> None:
    assert perhaps(gone(2), *changed(1, 3.0, 3.0), *changed(2, 2.9, 3.1)) == Told(
        CLEAR + STRONG, ("2 customers are gone in shopify, and 2 others changed at that moment.",),
        ("A line of the log that tells of a merge would settle it.",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("others", "kept"),
    [
        ([], 0), (changed(1, 3.0), 0), (changed(1, 3.0, 3.0), 1), (changed(1, 3.0, 3.0, 3.0), 1),
        (changed(1, 3.0, 3.3), 0), (changed(1, 3.0, 2.7), 0), (changed(1, 3.0) + changed(2, 3.0), 0),
        (changed(1, 3.0, 3.0, deleted=5), 0), (changed(1, 3.0, 3.0) + changed(2, 3.1, 3.1), 2),
        (changed(1, 3.0, 3.0) + changed(2, 3.1, 3.1) + changed(3, 3.0, 3.0), 3),
    ],
)  # fmt: skip
def test_only_others_who_changed_twice_at_that_moment_count(others: list[Row], kept: int) -> None:
    told = perhaps(gone(2), *others)
    assert told is not None
    assert told.points == CLEAR + STRONG * min(1.0, kept / 2)
    assert told.evidence[0].endswith(f" and {kept:,} others changed at that moment.")


def test_when_they_went_must_be_known() -> None:
    told = perhaps(gone(2, at=None), *changed(1, 3.0, 3.0), *rows(2))
    assert told is not None
    assert told.points == CLEAR
    early = perhaps([*gone(1, at=1.0), *gone(2)], *changed(1, 3.0, 3.0))
    assert early is not None
    assert early.points == CLEAR + STRONG / 2


def test_half_must_be_gone_in_the_origin_and_nobody_redacted() -> None:
    some = gone(1)
    assert perhaps([*some, row(1)]) is not None
    assert perhaps([*some, row(1), row(2)]) is None
    assert perhaps(gone(2, is_redacted=True)) is None
    assert perhaps([*gone(2), *gone(3, is_redacted=True)[2:]]) is None
    assert perhaps(rows(2, with_pair=replace(pair(), source=None))) is None
