"""Awards to customers who were there before a rule: dry run, run, repeat, take back; killed anywhere they go on."""

from typing import Any

import pytest

from onewriter.customers import runs
from onewriter.customers.runs import Run
from onewriter.loyalty import audit, awards, points
from onewriter.loyalty.awards import Awarding, NotAnAward
from onewriter.loyalty.points import NoRule
from onewriter.records import DAY, HOUR, Instant
from onewriter.runtime import new_run_id
from onewriter.workflows import points as moving
from tests.support.loyal import RULES, Loyal
from tests.support.shops import gone


class Killed(Exception):
    """The process died."""


def carry_out(loyal: Loyal, at: Instant, *, dying_after: int | None = None, **what: Any) -> Run:
    """Queue a run and carry it out, or die once so many pieces are on disk."""
    run_id = new_run_id(at)
    with loyal.write() as db:
        runs.add(db, run_id, loyal.tea.shop_id, awards.RUN, "user:test", at, checkpoint=what)
    return go_on(loyal, run_id, at, dying_after)


def go_on(loyal: Loyal, run_id: str, at: Instant, dying_after: int | None = None) -> Run:
    pieces = iter(range(1_000))

    def clock() -> Instant:
        if next(pieces) == dying_after:
            raise Killed
        return at

    with loyal.write() as db:
        run = runs.begin(db, run_id, at)
    try:
        return Awarding(loyal.tea.runtime.database, loyal.tea.vault, clock).run(run)
    except Killed:
        with loyal.tea.runtime.database.read() as db:
            return runs.get(db, run_id)


def old_customers(loyal: Loyal, many: int) -> None:
    loyal.tea.apply(*(loyal.told(1000 + n, loyal.now - 50 * DAY) for n in range(many)), now=loyal.now)


@pytest.mark.req("K13")
def test_old_customers_get_a_rule_only_by_an_award_and_only_once(loyal: Loyal, now: Instant) -> None:
    old_customers(loyal, 3)
    loyal.customer(101, now)
    loyal.customer(102, now)
    loyal.tea.apply(gone(102, now + HOUR), now=now + HOUR)
    dry = carry_out(loyal, now + HOUR, rule="signup", dry_run=True)
    assert (dry.counts["awarded"], dry.counts["points"], dry.counts["had_it"]) == (3, 150, 1)
    assert len(dry.checkpoint["first"]) == 3
    assert loyal.entries(1000) == []
    done = carry_out(loyal, now + HOUR, rule="signup")
    assert done.counts == dry.counts
    (entry,) = loyal.entries(1000)
    assert (entry.points, entry.once_key, entry.run_id, entry.occurred_at) == (50, "signup", done.id, now + HOUR)
    again = carry_out(loyal, now + 2 * HOUR, rule="signup")
    assert (again.counts.get("awarded", 0), again.counts["had_it"]) == (0, 4)
    assert loyal.figures(1000, now + 3 * HOUR) == (50, 0, 50)


def test_an_award_is_taken_back_and_can_be_given_again(loyal: Loyal, now: Instant) -> None:
    old_customers(loyal, 2)
    given = carry_out(loyal, now, rule="signup")
    loyal.redeem(1000, 20, "k")
    back = carry_out(loyal, now + HOUR, reverses=given.id, why="by mistake")
    assert (back.counts["taken_back"], back.counts["points"], back.counts["below_zero"]) == (2, -100, 1)
    assert (loyal.figures(1000), loyal.figures(1001)) == ((-20, 0, 0), (0, 0, 0))
    repeated = carry_out(loyal, now + 2 * HOUR, reverses=given.id, why="again")
    assert repeated.counts.get("taken_back", 0) == 0
    loyal.set_programme(RULES.replace("points = 50", "points = 10"), now + 3 * HOUR)
    carry_out(loyal, now + 4 * HOUR, rule="signup")
    assert loyal.figures(1000, now + 5 * HOUR) == (-10, 0, 10)
    with loyal.tea.runtime.database.read() as db:
        assert audit.audit(db, loyal.tea.shop_id).differences == []


@pytest.mark.parametrize("pieces", [1, 2])
def test_an_award_that_dies_in_the_middle_goes_on_and_doubles_nothing(
    loyal: Loyal, now: Instant, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    monkeypatch.setattr(awards, "_NEXT", awards._NEXT.limit(2))
    old_customers(loyal, 5)
    died = carry_out(loyal, now, dying_after=pieces, rule="signup")
    assert (died.over, died.counts["awarded"]) == (False, 2 * pieces)
    ended = go_on(loyal, died.id, now)
    assert (ended.over, ended.counts["awarded"], ended.counts["points"]) == (True, 5, 250)
    assert [loyal.figures(1000 + n) for n in range(5)] == [(50, 0, 50)] * 5


def test_what_cannot_be_awarded_or_taken_back_says_so(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme('currency = "EUR"', now)
    old_customers(loyal, 1)
    with loyal.write() as db, pytest.raises(NoRule, match="signup"):
        moving.queue_award(loyal.tea.runtime, db, loyal.tea.shop_id, "signup", "user:test", now)
    run_id = new_run_id(now)
    with loyal.write() as db:
        runs.add(db, run_id, loyal.tea.shop_id, runs.IMPORT, "user:test", now)
    with loyal.write() as db, pytest.raises(NotAnAward):
        moving.queue_taking_back(loyal.tea.runtime, db, loyal.tea.shop_id, run_id, "why", "user:test", now)


def test_who_is_excluded_is_not_awarded(loyal: Loyal, now: Instant) -> None:
    old_customers(loyal, 1)
    with loyal.write() as db:
        points.exclude(db, loyal.tea.vault, loyal.id(1000), "staff", now - HOUR)
    assert carry_out(loyal, now, rule="signup").counts == {"excluded": 1}
