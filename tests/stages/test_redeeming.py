"""Redeeming under pressure: whoever asks at once, nobody spends a point twice, and a key is used once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from onewriter.loyalty import points
from onewriter.loyalty.points import Done, KeyUsed, NotEnoughPoints
from onewriter.records import Instant
from tests.support.loyal import Loyal

ASKING = 8


def at_once(ask: Callable[[int], Done]) -> list[Done | Exception]:
    """What comes of asking eight times at one moment, each in a thread and a transaction of its own."""
    ready = Barrier(ASKING)

    def one(number: int) -> Done | Exception:
        ready.wait(timeout=30)
        try:
            return ask(number)
        except (NotEnoughPoints, KeyUsed) as refused:
            return refused

    with ThreadPoolExecutor(ASKING) as threads:
        return list(threads.map(one, range(ASKING)))


def done(found: list[Done | Exception]) -> list[Done]:
    return [each for each in found if isinstance(each, Done)]


def test_eight_at_once_spend_only_what_there_is(loyal: Loyal) -> None:
    loyal.customer(101)
    found = at_once(lambda number: loyal.redeem(101, 10, f"k{number}"))
    assert len(done(found)) == 5
    assert sum(isinstance(each, NotEnoughPoints) for each in found) == 3
    assert sorted(each.account.balance for each in done(found)) == [0, 10, 20, 30, 40]
    assert loyal.figures(101) == (0, 0, 50)
    assert [points for _why, points in loyal.lines(101)] == [50, *[-10] * 5]


def test_eight_at_once_with_one_key_spend_once(loyal: Loyal) -> None:
    loyal.customer(101)
    found = done(at_once(lambda number: loyal.redeem(101, 10, "the same")))
    assert len(found) == ASKING
    assert sum(not each.again for each in found) == 1
    assert len({each.entry.id for each in found}) == 1
    assert loyal.figures(101) == (40, 0, 50)


def test_one_key_for_eight_customers_at_once_serves_one(loyal: Loyal) -> None:
    for number in range(ASKING):
        loyal.customer(101 + number)
    found = at_once(lambda number: loyal.redeem(101 + number, 10, "the same"))
    assert len(done(found)) == 1
    assert sum(isinstance(each, KeyUsed) for each in found) == ASKING - 1
    assert sum(loyal.figures(101 + number)[0] for number in range(ASKING)) == 50 * ASKING - 10


def test_eight_at_once_take_by_hand_only_what_there_is(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101)

    def take(number: int) -> Done:
        with loyal.write() as db:
            return points.adjust(db, loyal.tea.vault, loyal.id(101), -20, "misuse", "user:test", now)

    assert len(done(at_once(take))) == 2
    assert loyal.figures(101) == (10, 0, 50)


def test_a_redemption_is_given_back_once_and_its_key_is_not_used_again(loyal: Loyal, now: Instant) -> None:
    loyal.customer(101)
    loyal.redeem(101, 30, "k1")

    def give_back(_number: int) -> Done:
        with loyal.write() as db:
            return points.take_back(db, loyal.tea.vault, "k1", "user:test", now)

    found = done(at_once(give_back))
    assert [each.again for each in found].count(False) == 1
    assert loyal.figures(101) == (50, 0, 50)
    with pytest.raises(KeyUsed, match="given back since"):
        loyal.redeem(101, 30, "k1")
