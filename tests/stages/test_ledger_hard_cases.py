"""Ledgers that are merged, undone, merged again and told of late: nothing is given twice, and nothing is lost."""

from dataclasses import replace

import pytest

from onewriter.loyalty import audit, merges, points, upkeep
from onewriter.records import DAY, HOUR, SECOND, Instant
from tests.support.loyal import RULES, Loyal, refunds
from tests.support.shops import gone as deleted


def undo(loyal: Loyal, deleted: int, at: Instant) -> None:
    with loyal.write() as db:
        merges.undo(db, loyal.tea.vault, loyal.receipt(deleted), "user:test", "they are two", at)


def come_back(loyal: Loyal, number: int, created: Instant, at: Instant) -> None:
    """A direct read finds a customer that was merged away."""
    loyal.tea.apply(replace(loyal.told(number, created), heard=at), now=at)


def sound(loyal: Loyal) -> bool:
    with loyal.tea.runtime.database.read() as db:
        return audit.audit(db, loyal.tea.shop_id).differences == []


def exclude(loyal: Loyal, number: int, why: str | None, at: Instant) -> None:
    with loyal.write() as db:
        points.exclude(db, loyal.tea.vault, loyal.id(number), why, at)


# ---- Undone, and merged again


@pytest.mark.req("K46")
def test_the_second_merge_of_a_chain_is_undone_and_the_first_one_stands(loyal: Loyal, now: Instant) -> None:
    for number, created in ((101, now - HOUR), (102, now), (103, now - 2 * HOUR)):
        loyal.customer(number, created)
    loyal.merge(101, 102, now + HOUR)
    loyal.merge(102, 103, now + 2 * HOUR)
    undo(loyal, 102, now + 3 * HOUR)
    assert (loyal.figures(102), loyal.figures(103)) == ((50, 0, 50), (50, 0, 50))
    assert loyal.entries(102)[0].occurred_at == now - HOUR
    assert sound(loyal)


@pytest.mark.req("K46")
def test_late_news_of_a_merged_away_customer_go_back_with_it(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now - HOUR)
    loyal.customer(102, now, email_consent={"state": "subscribed", "at": now - 60 * SECOND})
    loyal.merge(101, 102, now + HOUR)
    earlier = loyal.told(101, now - HOUR, email_consent={"state": "subscribed", "at": now - HOUR})
    loyal.tea.apply(replace(earlier, heard=now + 1, version=now + 1), now=now + 2 * HOUR)
    undo(loyal, 101, now + 3 * HOUR)
    assert loyal.figures(102) == (70, 0, 70)
    assert sound(loyal)


@pytest.mark.req("K42", "K46")
def test_points_that_ended_since_the_merge_end_once_through_return_and_merge(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + "[expiry]\nafter_days = 30\n", now - HOUR)
    loyal.customer(101, now)
    loyal.customer(102, now)
    loyal.post(loyal.order(7001, 101, 50), loyal.order(7002, 102, 50))
    loyal.merge(101, 102, now + HOUR)
    upkeep.settle_due(loyal.tea.runtime.database, loyal.tea.vault, now + 31 * DAY)
    come_back(loyal, 101, now, now + 32 * DAY)
    assert (loyal.figures(101), loyal.figures(102)) == ((0, 0, 100), (0, 0, 100))
    loyal.merge(101, 102, now + 33 * DAY)
    assert loyal.figures(102, now + 34 * DAY) == (0, 0, 150)
    assert sound(loyal)


@pytest.mark.req("K43", "K46")
def test_a_refund_heard_after_the_merge_goes_where_its_order_goes(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now - HOUR)
    loyal.customer(102, now)
    order = loyal.order(7001, 101, 50)
    loyal.post(order)
    loyal.merge(101, 102, now + HOUR)
    refunded = replace(order, customer=102, version=now + 2 * HOUR, refunds=refunds((9001, 20, now + 2 * HOUR)))
    loyal.post(refunded, at=now + 2 * HOUR)
    come_back(loyal, 101, now - HOUR, now + 3 * HOUR)
    assert (loyal.figures(101), loyal.figures(102)) == ((80, 0, 80), (50, 0, 50))
    loyal.post(replace(refunded, customer=101, version=now + 3 * HOUR), at=now + 3 * HOUR)
    loyal.merge(101, 102, now + 4 * HOUR)
    assert loyal.figures(102, now + 5 * HOUR) == (80, 0, 80)
    assert sound(loyal)


@pytest.mark.req("K46")
def test_after_an_undoing_the_orders_of_the_merged_away_one_stay_with_it(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now - HOUR)
    loyal.customer(102, now)
    order = loyal.order(7001, 101, 50)
    loyal.post(order)
    loyal.merge(101, 102, now + HOUR)
    undo(loyal, 101, now + 2 * HOUR)
    refunded = replace(order, customer=102, version=now + 3 * HOUR, refunds=refunds((9001, 20, now + 3 * HOUR)))
    for _ in range(2):
        loyal.post(refunded, at=now + 3 * HOUR, insist=True)
    assert (loyal.figures(101), loyal.figures(102)) == ((80, 0, 80), (50, 0, 50))


@pytest.mark.req("K46")
def test_a_redemption_given_back_after_the_merge_is_given_back_to_whoever_made_it(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now - HOUR)
    loyal.customer(102, now)
    loyal.redeem(101, 30, "k")
    loyal.merge(101, 102, now + HOUR)
    with loyal.write() as db:
        points.take_back(db, loyal.tea.vault, "k", "user:test", now + 2 * HOUR)
    undo(loyal, 101, now + 3 * HOUR)
    assert (loyal.figures(101), loyal.figures(102)) == ((50, 0, 50), (50, 0, 50))
    assert sound(loyal)


def test_an_order_of_one_who_was_merged_by_way_of_another_goes_back_by_that_way(loyal: Loyal, now: Instant) -> None:
    for number in (101, 102, 103):
        loyal.customer(number, now - number * SECOND)
    loyal.merge(102, 103, now + HOUR)
    loyal.post(loyal.order(7001, 101, 40), at=now + 2 * HOUR)
    loyal.merge(101, 102, now + 3 * HOUR)
    undo(loyal, 102, now + 4 * HOUR)
    assert ("order 7001", 40) in loyal.lines(102)
    assert sound(loyal)


# ---- When points end


@pytest.mark.req("K48")
def test_giving_a_redemption_back_ends_no_points(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + "[expiry]\ninactivity_days = 30\n", now - HOUR)
    loyal.customer(101, now)
    loyal.redeem(101, 10, "k", at=now + 20 * DAY)
    with loyal.write() as db:
        points.take_back(db, loyal.tea.vault, "k", "user:test", now + 45 * DAY)
    assert loyal.figures(101, now + 45 * DAY)[0] == 50


@pytest.mark.req("K48")
def test_a_rule_that_was_removed_and_put_back_ends_nothing_in_hindsight(loyal: Loyal, now: Instant) -> None:
    expiring = RULES + "[expiry]\ninactivity_days = 30\n"
    loyal.set_programme(expiring, now - HOUR)
    loyal.customer(101, now)
    loyal.set_programme(RULES, now + 10 * DAY)
    assert loyal.figures(101, now + 99 * DAY)[0] == 50
    loyal.set_programme(expiring, now + 100 * DAY)
    assert [loyal.figures(101, now + days * DAY)[0] for days in (101, 129, 131)] == [50, 50, 0]


@pytest.mark.req("K48")
def test_a_new_rule_of_inactivity_is_kept_by_the_hourly_posting_too(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    loyal.set_programme(RULES + "[expiry]\ninactivity_days = 30\n", now + HOUR)
    upkeep.settle_due(loyal.tea.runtime.database, loyal.tea.vault, now + 40 * DAY)
    assert [entry.points for entry in loyal.entries(101)] == [50, -50]
    loyal.set_programme(RULES, now + 41 * DAY)
    assert loyal.figures(101, now + 42 * DAY) == (0, 0, 50), "what has ended stays so"


# ---- Who earns


def test_who_is_included_again_earns_nothing_for_the_time_between(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    exclude(loyal, 101, "staff", now)
    order = loyal.order(7001, 101, 10, processed=now + HOUR)
    assert loyal.post(order, at=now + HOUR) == {7001: "unchanged"}
    exclude(loyal, 101, None, now + 2 * HOUR)
    assert loyal.post(replace(order, version=now + 3 * HOUR), at=now + 3 * HOUR) == {7001: "unchanged"}
    assert loyal.post(loyal.order(7002, 101, 10, processed=now + 2 * HOUR)) == {7002: "posted"}


@pytest.mark.req("K47")
@pytest.mark.parametrize("is_late", [False, True])
def test_what_the_kept_customer_did_before_the_merge_earns_however_late(
    loyal: Loyal, now: Instant, is_late: bool
) -> None:
    loyal.customer(101, now - HOUR)
    loyal.customer(102, now)
    exclude(loyal, 101, "staff", now)
    order = loyal.order(7001, 102, 10, processed=now + 1800 * SECOND)
    if not is_late:
        loyal.post(order, at=now + 1900 * SECOND)
    loyal.merge(101, 102, now + HOUR)
    loyal.post(order, at=now + 2 * HOUR)
    assert loyal.figures(102)[0] == 60
    late = loyal.order(7002, 101, 10, processed=now + 1800 * SECOND)
    assert loyal.post(late, at=now + 2 * HOUR) == {7002: "unchanged"}, "it was excluded itself then"


@pytest.mark.req("K47")
def test_what_was_decided_for_a_customer_is_there_again_when_it_comes_back(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now - HOUR)
    loyal.customer(102, now)
    exclude(loyal, 101, "staff", now)
    with loyal.write() as db:
        points.set_days(db, loyal.tea.vault, loyal.id(101), 0, now)
    loyal.merge(101, 102, now + HOUR)
    come_back(loyal, 101, now - HOUR, now + 2 * HOUR)
    kept = loyal.kept_account(101)
    assert kept is not None
    assert (kept.excluded_at, kept.own_days, kept.balance) == (now, 0, 50)


# ---- Orders that have lost their customer


def test_an_order_that_loses_its_customer_is_taken_back_from_whoever_had_it(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    order = loyal.order(7001, 101, 10)
    loyal.post(order)
    cancelled = replace(order, customer=None, version=now + HOUR, cancelled=now + HOUR)
    assert loyal.post(cancelled, at=now + HOUR) == {7001: "posted"}
    assert loyal.figures(101) == (50, 0, 50)


def test_an_order_that_is_newer_than_a_deletion_waits_until_one_of_the_two_is_no_more(
    loyal: Loyal, now: Instant
) -> None:
    loyal.customer(101, now)
    loyal.tea.apply(deleted(101, now + HOUR), now=now + HOUR)
    order = loyal.order(7001, 101, 10, processed=now + 2 * HOUR, version=now + 2 * HOUR)
    assert loyal.post(order, at=now + 2 * HOUR) == {7001: "newer than the deletion of its customer"}
    come_back(loyal, 101, now, now + 3 * HOUR)
    assert loyal.post(order, at=now + 3 * HOUR) == {7001: "posted"}
