"""Budgets: what fills them, what empties them, and that no clock can cheat."""

import pytest
from structlog.testing import capture_logs

from onewriter.web.limits import REFUSED, TELL_EACH_S, Rate, Refusals, TokenBucket


def taken(bucket: TokenBucket, now_s: float, tries: int = 100) -> int:
    return sum(bucket.take(now_s) for _ in range(tries))


@pytest.mark.parametrize(
    ("later_s", "more"),
    [(0.0, 0), (0.49, 0), (0.5, 1), (1.0, 2), (2.4, 4), (2.5, 5), (3_600.0, 5)],
)
def test_a_bucket_fills_with_time_and_never_over_its_brim(later_s: float, more: int) -> None:
    bucket = TokenBucket(Rate(2, 5), 10.0)
    assert taken(bucket, 10.0) == 5
    assert taken(bucket, 10.0 + later_s) == more


def test_a_clock_that_goes_backwards_neither_gives_nor_takes() -> None:
    bucket = TokenBucket(Rate(1, 2), 100.0)
    assert taken(bucket, 50.0) == 2
    assert taken(bucket, 100.5) == 0, "only half a second has passed since the latest time that was heard of"
    assert taken(bucket, 101.0) == 1


@pytest.mark.parametrize(("rate", "wait_s"), [(Rate(10, 1), 1), (Rate(0.1, 1), 10), (Rate(0.4, 1), 3)])
def test_who_is_refused_hears_when_to_come_again(rate: Rate, wait_s: int) -> None:
    bucket = TokenBucket(rate, 0.0)
    assert [bucket.take(0.0), bucket.take(0.0)] == [True, False]
    assert bucket.wait_s() == wait_s
    assert bucket.take(float(wait_s))


def test_refusals_beyond_the_budget_are_told_once_a_minute() -> None:
    now = [0.0]
    refusals = Refusals(lambda: now[0])
    with capture_logs() as said:
        assert [refusals.status() for _ in range(REFUSED.at_once)] == [401] * REFUSED.at_once
        assert said == []
        assert [refusals.status() for _ in range(50)] == [429] * 50
        assert len(said) == 1
        now[0] = TELL_EACH_S
        assert refusals.status() == 401, "there is a budget again"
        assert {refusals.status() for _ in range(2 * REFUSED.at_once)} == {401, 429}
    assert [line["log_level"] for line in said] == ["warning"] * 2
    assert said[1]["beyond_the_budget"] == 51
