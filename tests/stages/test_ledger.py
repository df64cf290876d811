"""The ledger through the database: what is earned, once, whatever the path and the order, on both databases."""

from dataclasses import replace

import pytest

from onewriter.loyalty.points import KeyUsed, NotEnoughPoints
from onewriter.records import DAY, HOUR, SECOND, Instant, Path
from tests.support.loyal import RULES, Loyal, refunds


@pytest.mark.req("K19", "K20")
def test_a_new_customer_gets_the_signup_points_once_whatever_tells_of_it(loyal: Loyal, now: Instant) -> None:
    for path in (Path.WEBHOOK, Path.READ, Path.BULK):
        loyal.tea.apply(replace(loyal.told(101, now), path=path), now=now)
    assert loyal.lines(101) == [("new customer", 50)]
    assert loyal.figures(101) == (50, 0, 50)


@pytest.mark.req("K19", "K20")
def test_without_a_programme_the_ledger_is_empty(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme('currency = "EUR"', now - HOUR)
    loyal.customer(101, now)
    assert loyal.entries(101) == []
    assert loyal.figures(101) == (0, 0, 0)


@pytest.mark.req("K13", "K23")
@pytest.mark.parametrize("path", Path)
def test_who_was_there_before_the_install_gets_none_by_any_path(loyal: Loyal, now: Instant, path: Path) -> None:
    loyal.tea.apply(replace(loyal.told(101, now - 48 * HOUR - SECOND), path=path), now=now)
    loyal.tea.apply(replace(loyal.told(102, now - 24 * HOUR), path=path), now=now)
    assert loyal.entries(101) == []
    assert loyal.lines(102) == [("new customer", 50)]


@pytest.mark.req("K11", "K20")
def test_a_customer_gets_what_the_programme_gave_when_it_came(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES.replace("points = 50", "points = 70"), now - HOUR)
    loyal.customer(101, now - 2 * HOUR)
    loyal.customer(102, now - HOUR)
    assert [(entry.points, entry.rule_version) for entry in (*loyal.entries(101), *loyal.entries(102))] == [
        (50, 1),
        (70, 2),
    ]


def test_orders_earn_and_refunds_take_back_only_their_own(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    order = loyal.order(7001, 101, 120)
    assert loyal.post(order) == {7001: "posted"}
    assert loyal.post(order) == {7001: "unchanged"}
    refunded = replace(order, version=now + HOUR, refunds=refunds((9001, 40, now + HOUR)))
    loyal.post(refunded, refunded, order, at=now + HOUR)
    assert loyal.lines(101) == [("new customer", 50), ("order 7001", 120), ("refund 9001", -40)]
    assert loyal.figures(101) == (130, 0, 130)


def test_an_order_waits_for_its_customer(loyal: Loyal, now: Instant) -> None:
    assert loyal.post(loyal.order(7001, 101, 10), loyal.order(7002, None, 10)) == {
        7001: "unknown customer",
        7002: "nobody",
    }


def test_points_are_spent_once_for_each_key_and_never_below_nothing(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now)
    assert loyal.redeem(101, 30, "k1").account.balance == 20
    again = loyal.redeem(101, 30, "k1")
    assert (again.again, again.account.balance) == (True, 20)
    with pytest.raises(NotEnoughPoints, match="20 points to spend, and 30"):
        loyal.redeem(101, 30, "k2")
    with pytest.raises(KeyUsed):
        loyal.redeem(101, 10, "k1")
    assert loyal.figures(101) == (20, 0, 50)


@pytest.mark.req("K40", "K41", "K42", "K43", "K44", "K45")
def test_a_hundred_and_a_hundred_with_a_signup_on_each_side_are_a_hundred_and_fifty(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now - HOUR)
    loyal.customer(102, now)
    loyal.post(loyal.order(7001, 101, 50), loyal.order(7002, 102, 50))
    assert loyal.figures(101) == loyal.figures(102) == (100, 0, 100)
    before = {entry.id: entry for number in (101, 102) for entry in loyal.entries(number)}
    loyal.merge(101, 102, now + HOUR)
    assert loyal.figures(102, now + 2 * HOUR) == (150, 0, 150)
    assert loyal.entries(101, dropped=True) == []
    assert loyal.lines(102) == [("new customer", 50), ("order 7001", 50), ("order 7002", 50)]
    assert loyal.entries(102)[0].occurred_at == now - HOUR, "of two the earliest stays"
    for entry in loyal.entries(102, dropped=True):
        assert replace(entry, customer_id=before[entry.id].customer_id, dropped_by=None) == before[entry.id]
    receipt = loyal.receipt(101)
    assert receipt.figures["after"] == {"balance": 150, "pending": 0, "earned": 150}
    assert (receipt.figures["dropped"], receipt.figures["points_dropped"], receipt.figures["floor"]) == (1, 50, 0)
    (dropped,) = [entry for entry in loyal.entries(102, dropped=True) if entry.dropped_by]
    assert (dropped.dropped_by, dropped.points, dropped.once_key) == (receipt.id, 50, "signup")


@pytest.mark.req("K46")
def test_a_merge_that_is_told_again_changes_nothing(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101, now - HOUR)
    loyal.customer(102, now)
    loyal.merge(101, 102, now + HOUR)
    before = loyal.entries(102, dropped=True)
    loyal.merge(101, 102, now + HOUR)
    loyal.merge(101, 102, now + 2 * HOUR)
    assert loyal.entries(102, dropped=True) == before
    assert loyal.figures(102, now + 3 * HOUR) == (50, 0, 50)


@pytest.mark.req("K46")
@pytest.mark.parametrize("first", ["source", "target"])
def test_a_merge_that_is_heard_before_its_customers_is_carried_on_once_both_are_known(
    loyal: Loyal, now: Instant, first: str
) -> None:
    loyal.merge(101, 102, now + HOUR)
    for number in (101, 102) if first == "source" else (102, 101):
        loyal.customer(number, now - HOUR if number == 101 else now)
    assert loyal.lines(102) == [("new customer", 50)]
    assert loyal.entries(102)[0].occurred_at == now - HOUR
    assert loyal.entries(101, dropped=True) == []


@pytest.mark.req("K46")
def test_a_chain_of_merges_ends_at_its_last_customer(loyal: Loyal, now: Instant) -> None:
    for number in (101, 102, 103):
        loyal.customer(number, now - number * SECOND)
    loyal.merge(102, 103, now + 2 * HOUR)
    loyal.merge(101, 102, now + HOUR)
    loyal.post(loyal.order(7001, 101, 10, version=now + 3 * HOUR))
    assert loyal.figures(103, now + 4 * HOUR) == (60, 0, 60)
    assert [loyal.entries(number, dropped=True) for number in (101, 102)] == [[], []]


@pytest.mark.req("K45")
def test_dropped_points_that_were_spent_are_lifted_visibly(loyal: Loyal, now: Instant) -> None:
    for number in (101, 102):
        loyal.customer(number, now - number * SECOND)
        loyal.redeem(number, 50, f"k{number}")
    loyal.merge(101, 102, now + HOUR)
    assert loyal.figures(102, now + 2 * HOUR) == (0, 0, 50)
    assert [entry.points for entry in loyal.entries(102) if entry.kind == "merge_floor"] == [50]
    assert loyal.receipt(101).figures["floor"] == 50


@pytest.mark.req("K48")
def test_points_end_by_age_and_late_news_correct_it(loyal: Loyal, now: Instant) -> None:
    loyal.set_programme(RULES + "[expiry]\nafter_days = 30\n", now - HOUR)
    loyal.customer(101, now)
    assert loyal.figures(101, now + 29 * DAY) == (50, 0, 50)
    assert loyal.figures(101, now + 30 * DAY) == (0, 0, 50)
    with pytest.raises(NotEnoughPoints):
        loyal.redeem(101, 1, "k", at=now + 30 * DAY)
    late = loyal.order(7001, 101, 10, processed=now + DAY, version=now + DAY)
    loyal.post(late, at=now + 40 * DAY)
    assert loyal.figures(101, now + 40 * DAY) == (0, 0, 60)
    assert sum(entry.points for entry in loyal.entries(101)) == 0
