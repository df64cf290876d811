"""Merges as facts, as pure rules."""

import itertools

import pytest

from onewriter.rules.aliasing import Alias, AliasState, hear

T = 1_000_000
EARLY, LATE = Alias(1, 2, T), Alias(1, 3, T + 1)
TWIN = Alias(1, 4, T)


@pytest.mark.req("K46")
def test_of_several_merges_of_one_customer_the_latest_counts_in_any_order() -> None:
    for order in itertools.permutations([EARLY, LATE, TWIN, EARLY]):
        known = None
        for told in order:
            known = hear(known, told)
        assert known == LATE


@pytest.mark.req("K46")
def test_of_two_merges_of_one_instant_the_one_into_the_lower_id_counts() -> None:
    assert hear(EARLY, TWIN) == hear(TWIN, EARLY) == EARLY


@pytest.mark.req("K46")
def test_a_replay_changes_nothing_once_it_is_settled() -> None:
    settled = LATE.settle(T + 9)
    assert hear(settled, LATE) == settled
    assert hear(settled, EARLY) == settled
    assert (settled.state, settled.settled, settled.is_pending) == (AliasState.SETTLED, T + 9, False)


def test_a_later_merge_heard_after_the_settling_says_into_whom_and_stays_settled() -> None:
    known = hear(EARLY.settle(T + 9), LATE)
    assert (known.kept_id, known.heard, known.state, known.settled) == (3, T + 1, AliasState.SETTLED, T + 9)


def test_one_that_a_person_called_failed_yields_to_a_later_one_and_to_no_other() -> None:
    failed = EARLY.fail()
    assert not failed.is_pending
    assert hear(failed, LATE) == LATE
    assert hear(failed, EARLY) == failed
    assert hear(LATE.fail(), EARLY).state is AliasState.FAILED


def test_a_customer_that_is_found_again_is_asked_about_again() -> None:
    doubted = EARLY.settle(T + 9).doubt()
    assert (doubted.is_pending, doubted.settled) == (True, None)
