"""The property of order can fail: with one of its rules broken, some order of a small history ends otherwise."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from onewriter.records import HOUR, Change, Instant
from onewriter.rules import ordering
from onewriter.rules.ordering import Held, Verdict
from tests.properties.test_any_order import ModelShop, end_of
from tests.support.shops import Tea

Rules = dict[str, Callable[..., Any]]


def nobody_doubts(held: Held, change: Change, said: Any, won: Any) -> frozenset[str]:
    """An older value that wins is doubted, and the read would mend it: so nothing is doubted here."""
    return frozenset()


BREAKS: dict[str, Rules] = {
    "the last to arrive wins": {
        "_wins": lambda held, stamp, name, value, digest: True,
        "_doubts": nobody_doubts,
    },
    "the first to arrive wins": {
        "_wins": lambda held, stamp, name, value, digest: name not in held.stamps,
        "_doubts": nobody_doubts,
    },
    "a doorbell rings for nothing": {"_decide_doorbell": lambda held, tombstone: Verdict()},
}
RING = (101, "tags", "Ann", 2)


def worst_end(tea: Tea, now: Instant, *later: tuple[int, str, str | None, int]) -> str | None:
    """What is wrong with the ends of one history, heard in any order after a bulk row; None when nothing is.

    Nothing in it asks for a read but a doorbell, so that no read can mend what a broken rule has spoilt.
    """
    shop = ModelShop(now)
    shop.live([(101, "first_name", "Ann", 1)])
    row = shop.snapshot(now + HOUR)
    shop.told.clear()
    shop.start += 2 * HOUR
    shop.live([(101, "note", "Ann", 2), (101, "note", "Bea", 2), (101, "first_name", "Bea", 2), *later])
    wanted = shop.customers[101] | shop.unsaid[101]
    ends = [end_of(tea, shop, [*row, *order], now + 5 * HOUR) for order in itertools.permutations(shop.told)]
    if any(end != ends[0] for end in ends):
        return "another order ends otherwise"
    held = ends[0]["customers"][101]["fields"]
    return None if wanted.items() <= held.items() else "the end is not the shop"


def test_every_order_of_this_history_has_one_end_and_it_is_the_shop(tea: Tea, now: Instant) -> None:
    assert worst_end(tea, now) is None
    assert worst_end(tea, now, RING) is None


@pytest.mark.parametrize("name", BREAKS)
def test_with_one_rule_broken_it_has_not(tea: Tea, now: Instant, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for rule, broken in BREAKS[name].items():
        monkeypatch.setattr(ordering, rule, broken)
    assert worst_end(tea, now, *([RING] if "_decide_doorbell" in BREAKS[name] else [])) is not None
