"""Merged ledgers through the database: what goes over, what is undone, and what comes late."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from onewriter.customers import erasing, order_marks
from onewriter.customers.erasing import Asked
from onewriter.db.pointtables import accounts, entries, receipts
from onewriter.intake.redact import erase_all
from onewriter.loyalty import audit, merges, points
from onewriter.loyalty.merges import CannotUndo
from onewriter.records import DAY, HOUR, SECOND, Instant
from tests.support.loyal import RULES, Loyal, refunds
from tests.support.shops import gone


def undo(loyal: Loyal, deleted: int, at: Instant) -> None:
    with loyal.write() as db:
        merges.undo(db, loyal.tea.vault, loyal.receipt(deleted), "user:test", "they are two", at)


def two(loyal: Loyal, now: Instant) -> None:
    """Two customers with a signup and an order each, 100 points on either side."""
    loyal.customer(101, now - HOUR)
    loyal.customer(102, now)
    loyal.post(loyal.order(7001, 101, 50), loyal.order(7002, 102, 50))


def sound(loyal: Loyal) -> bool:
    with loyal.tea.runtime.database.read() as db:
        return audit.audit(db, loyal.tea.shop_id).differences == []


@pytest.mark.req("K46")
def test_undoing_a_merge_is_exact_when_nothing_was_posted_since(loyal: Loyal, now: Instant) -> None:
    two(loyal, now)
    loyal.redeem(101, 80, "k1")
    before = {number: (loyal.figures(number), loyal.entries(number)) for number in (101, 102)}
    loyal.merge(101, 102, now + HOUR)
    undo(loyal, 101, now + 2 * HOUR)
    assert {number: (loyal.figures(number), loyal.entries(number)) for number in (101, 102)} == before
    assert sound(loyal)
    loyal.merge(101, 102, now + HOUR)
    assert loyal.figures(102) == (100, 0, 100), "a replay sees that it was undone"
    loyal.merge(101, 102, now + 5 * HOUR)
    assert loyal.figures(102) == (100, 0, 100), "and so does who tells of it again, later"
    with pytest.raises(CannotUndo, match="undone already"):
        undo(loyal, 101, now + 3 * HOUR)


def test_what_was_posted_since_stays_with_the_kept_customer(loyal: Loyal, now: Instant) -> None:
    two(loyal, now)
    loyal.merge(101, 102, now + HOUR)
    loyal.post(loyal.order(7003, 102, 5, processed=now + 2 * HOUR), at=now + 2 * HOUR)
    undo(loyal, 101, now + 3 * HOUR)
    assert (loyal.figures(101), loyal.figures(102)) == ((100, 0, 100), (105, 0, 105))


@pytest.mark.req("K46")
def test_a_merge_is_not_undone_where_a_balance_would_fall_below_zero(loyal: Loyal, now: Instant) -> None:
    two(loyal, now)
    loyal.merge(101, 102, now + HOUR)
    loyal.redeem(102, 140, "k", at=now + 2 * HOUR)
    before = loyal.entries(102, dropped=True)
    with pytest.raises(CannotUndo, match="would fall to -40"):
        undo(loyal, 101, now + 3 * HOUR)
    assert loyal.entries(102, dropped=True) == before
    assert loyal.receipt(101).undone_at is None


@pytest.mark.req("K46")
def test_a_merge_is_not_undone_once_the_kept_one_was_merged_on(loyal: Loyal, now: Instant) -> None:
    two(loyal, now)
    loyal.customer(103, now)
    loyal.merge(101, 102, now + HOUR)
    loyal.merge(102, 103, now + 2 * HOUR)
    with pytest.raises(CannotUndo, match="merged on"):
        undo(loyal, 101, now + 3 * HOUR)


@pytest.mark.req("K33", "K46")
def test_an_erasure_takes_the_whole_ledger_and_no_merge_is_undone_after_it(loyal: Loyal, now: Instant) -> None:
    two(loyal, now)
    loyal.merge(101, 102, now + HOUR)
    loyal.customer(103, now)
    receipt = loyal.receipt(101)
    with loyal.write() as db:
        erase_all(db, loyal.tea.vault, 102, Asked("test", now), now + 2 * HOUR)
    erasing.end(loyal.tea.runtime.database, loyal.tea.runtime.keys, now + 2 * HOUR)
    with loyal.tea.runtime.database.read() as db:
        left = {bytes(each) for each in db.execute(select(entries.c.customer_id)).scalars()}
        assert left == {loyal.id(103)}
        assert {bytes(each) for each in db.execute(select(accounts.c.customer_id)).scalars()} == {loyal.id(103)}
        assert db.execute(select(receipts.c.id)).scalars().all() != [], "the proof stays"
    with loyal.write() as db, pytest.raises(CannotUndo, match="erased"):
        merges.undo(db, loyal.tea.vault, receipt, "user:test", "why", now + 3 * HOUR)
    assert loyal.post(loyal.order(7009, 102, 5)) == {7009: "refused: erased"}


@pytest.mark.req("K43")
def test_an_order_on_both_sides_counts_once_and_is_read_again(loyal: Loyal, now: Instant) -> None:
    two(loyal, now)
    shared = loyal.order(7005, 101, 30)
    loyal.post(shared)
    moved = replace(shared, customer=102, version=now + HOUR, refunds=refunds((9001, 10, now + HOUR)))
    assert loyal.post(moved, at=now + HOUR) == {7005: "another customer has earned by it"}
    assert loyal.figures(102, now + HOUR) == (100, 0, 100), "nobody may spend it twice until a merge is heard of"
    assert loyal.post(moved, at=now + HOUR, insist=True) == {7005: "posted"}
    assert len(loyal.findings(merges.AT_TWO)) == 1
    loyal.merge(101, 102, now + HOUR)
    assert loyal.figures(102, now + 2 * HOUR) == (170, 0, 170)
    assert loyal.findings(merges.AT_TWO) == {}
    with loyal.tea.runtime.database.read() as db:
        assert order_marks.standing(db, loyal.tea.shop_id, [7005]) == {7005}
    assert sound(loyal)


@pytest.mark.req("K43")
def test_a_refund_that_only_the_deleted_side_heard_of_is_kept(loyal: Loyal, now: Instant) -> None:
    two(loyal, now)
    shared = loyal.order(7005, 101, 30)
    loyal.post(replace(shared, refunds=refunds((9001, 10, now))))
    loyal.post(replace(shared, customer=102), insist=True)
    loyal.merge(101, 102, now + HOUR)
    assert loyal.figures(102, now + 2 * HOUR) == (170, 0, 170)


@pytest.mark.req("K47")
def test_pending_points_and_their_dates_come_over_unchanged(loyal: Loyal, now: Instant) -> None:
    rules = RULES.replace("points_per_unit = 1", "points_per_unit = 1\npending_days = 14")
    loyal.set_programme(rules + "[expiry]\nafter_days = 100\n", now - HOUR)
    two(loyal, now)
    before = {entry.id: (entry.available_at, entry.expires_at) for entry in loyal.entries(101)}
    loyal.merge(101, 102, now + HOUR)
    after = {entry.id: (entry.available_at, entry.expires_at) for entry in loyal.entries(102) if entry.id in before}
    assert after == before
    assert loyal.figures(102, now + 2 * HOUR) == (50, 100, 150)
    assert loyal.figures(102, now + 14 * DAY) == (150, 0, 150)
    assert loyal.figures(102, now + 114 * DAY) == (0, 0, 150)


@pytest.mark.req("K47")
def test_excluded_on_one_side_is_excluded_after_the_merge(loyal: Loyal, now: Instant) -> None:
    two(loyal, now)
    with loyal.write() as db:
        points.exclude(db, loyal.tea.vault, loyal.id(101), "staff", now)
    loyal.merge(101, 102, now + HOUR)
    late = loyal.order(7003, 102, 5, processed=now + 2 * HOUR)
    assert loyal.post(late, at=now + 2 * HOUR) == {7003: "unchanged"}
    kept = loyal.kept_account(102)
    assert kept is not None
    assert (kept.excluded_at, kept.excluded_why) == (now + HOUR, "staff"), "of its own facts from the merge on"


@pytest.mark.req("K47", "K48")
def test_the_later_activity_of_both_counts(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + "[expiry]\ninactivity_days = 30\n", now - HOUR)
    loyal.customer(101, now)
    loyal.customer(102, now)
    loyal.post(loyal.order(7001, 101, 5, processed=now + 20 * DAY), at=now + 20 * DAY)
    loyal.merge(101, 102, now + 21 * DAY)
    assert loyal.figures(102, now + 49 * DAY) == (55, 0, 55)
    assert loyal.figures(102, now + 50 * DAY) == (0, 0, 55)


def test_a_customer_that_shopify_has_after_all_gets_its_points_back(loyal: Loyal, now: Instant) -> None:
    two(loyal, now)
    loyal.merge(101, 102, now + HOUR)
    loyal.tea.apply(replace(loyal.told(101, now - HOUR), heard=now + 2 * HOUR), now=now + 2 * HOUR)
    assert (loyal.figures(101), loyal.figures(102)) == ((100, 0, 100), (100, 0, 100))
    assert loyal.receipt(101).undone_by == "shopify"
    loyal.merge(101, 102, now + 3 * HOUR)
    assert loyal.figures(102, now + 4 * HOUR) == (150, 0, 150)
    assert sound(loyal)


@pytest.mark.req("K46")
def test_late_news_of_a_merged_away_customer_count_for_the_kept_one(loyal: Loyal, now: Instant) -> None:
    loyal.customer(102, now)
    loyal.merge(101, 102, now + HOUR)
    assert loyal.figures(102) == (50, 0, 50)
    loyal.customer(101, now - HOUR)
    (entry,) = loyal.entries(102)
    assert (entry.points, entry.occurred_at) == (50, now - HOUR), "the earliest of both stays"
    assert sound(loyal)


def test_time_stands_still_for_who_was_deleted(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + "[expiry]\nafter_days = 30\n", now - HOUR)
    loyal.customer(101, now)
    loyal.tea.apply(gone(101, now + DAY), now=now + DAY)
    assert loyal.figures(101, now + 60 * DAY) == (50, 0, 50)
    late = loyal.order(7001, 101, 5, processed=now + HOUR)
    after = loyal.order(7002, 101, 5, processed=now + DAY + SECOND)
    assert loyal.post(late, after, at=now + 2 * DAY) == {
        7001: "posted",
        7002: "newer than the deletion of its customer",
    }
    with loyal.write() as db, pytest.raises(points.NoAccount):
        points.redeem(db, loyal.tea.vault, loyal.id(101), 1, "k", "user:test", now + 2 * DAY)
    assert sound(loyal)
