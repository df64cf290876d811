"""What deliveries told of an order that cannot be read any more, after it was edited."""

from onewriter.records import DAY, Refund
from onewriter.rules.earning import Rounding, told_back
from tests.rules.test_earning import T, after, order
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
