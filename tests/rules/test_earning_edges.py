"""Earning at its edges: the words and defaults of the rules, edits, and what deliveries told of unreadable orders."""

from dataclasses import replace
from decimal import Decimal

import pytest

from onewriter.records import DAY, Refund
from onewriter.rules.earning import (
    CUSTOM,
    Basis,
    Expiry,
    Gift,
    OrderRule,
    Programme,
    Rounding,
    Version,
    When,
    gift,
    owed,
    signup,
    told_back,
)
from tests.rules.test_earning import T, after, items, order
from tests.support.ledgers import posted
from tests.support.loyal import UNIT


def test_what_a_refund_takes_back_is_its_share_of_what_the_order_last_came_to() -> None:
    entries = after(order(), order(version=T + DAY, total=150 * UNIT))
    (taken,) = told_back(entries, [Refund(1, 50 * UNIT, T + DAY)], None)
    assert (sum(each.points for each in entries), taken.points) == (150, -50)
    entries = after(order(), order(version=T + DAY, total=50 * UNIT))
    (taken,) = told_back(entries, [Refund(1, 50 * UNIT, T + DAY)], None)
    assert (sum(each.points for each in entries), taken.points) == (50, -50)


def test_a_refund_that_is_told_is_rounded_as_its_rule_rounds() -> None:
    (taken,) = told_back(after(order()), [Refund(1, 1, T + DAY)], None)
    assert taken.points == -1
    assert told_back(after(order()), [Refund(1, 1, T + DAY)], None, Rounding.UP) == []


# ---- Words and defaults that a programme's file relies on


def test_the_words_of_the_file_are_those_of_the_rules() -> None:
    words = [[each.value for each in kind] for kind in (When, Basis, Rounding)]
    assert words == [["paid", "fulfilled"], ["total", "subtotal"], ["down", "nearest", "up"]]
    assert CUSTOM == "custom:", "entries have it in the names of their rules"


def test_what_a_rule_does_not_say_makes_nothing_wait_and_excludes_nothing() -> None:
    (version,) = [Version(1, T, Programme("EUR", signup=Gift(50)))]
    item = signup(T, "disabled", T, [version])
    assert item is not None
    assert (item.available_at, item.once_key, item.reference) == (T, "signup", None)
    given = gift(version, "custom:review", Gift(30), T, "a review", reference="r-1")
    assert (given.available_at, given.once_key, given.reference) == (T, None, "r-1")
    plain = OrderRule(Decimal(1), rounding=Rounding.UP)
    (earned,) = items(replace(order(), total=1, subtotal=1), plain)
    assert (earned.points, earned.available_at) == (1, T)


@pytest.mark.parametrize(("total", "subtotal", "points"), [(0, UNIT, 0), (1, UNIT, 1), (UNIT, 0, 0), (-UNIT, UNIT, 0)])
def test_an_order_that_came_to_nothing_gives_no_points(total: int, subtotal: int, points: int) -> None:
    rule = OrderRule(Decimal(1), basis=Basis.SUBTOTAL)
    assert rule.points(replace(order(), total=total, subtotal=subtotal)) == points


def test_a_point_more_has_the_dates_of_the_orders_own_points() -> None:
    rule, keeps = OrderRule(Decimal(1), pending_days=14), Expiry(after_days=9)
    there = posted(items(order(), rule, expiry=keeps))
    more = order(version=T + DAY, total=101 * UNIT)
    (found,) = owed(more, items(more, rule, expiry=keeps), there)
    assert (found.points, found.available_at, found.expires_at) == (1, T + 14 * DAY, T + 23 * DAY)


def test_an_order_that_has_earned_nothing_after_all_is_taken_back_at_its_own_time() -> None:
    entries = after(order(), order(version=T + DAY, refunds=(Refund(1, 40 * UNIT, T + DAY),)))
    (found,) = owed(order(version=T + 2 * DAY), [], entries)
    assert (found.points, found.occurred_at, found.rule_version) == (-60, T, 1)


def test_a_cancellation_that_was_read_is_not_taken_back_once_more_when_it_is_told() -> None:
    entries = after(order(), order(version=T + DAY, cancelled=T + DAY))
    assert told_back(entries, [], T + DAY) == []
    (taken,) = told_back(after(order()), [], T + DAY)
    assert (taken.points, taken.reference, taken.rule_version) == (-100, "cancel 7", 1)
