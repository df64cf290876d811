"""The tests themselves: the longest are begun first, by all processes at once, and none is lost by it."""

import pytest

from tests.support.sparing import spread


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize("many", [9, 20, 101])
def test_each_process_begins_with_as_many_of_the_long_ones(processes: int, many: int) -> None:
    items, long = list(range(many)), [2, many - 2, many - 1]
    ordered = spread(items, long, processes)
    assert sorted(ordered) == items
    left, begun = ordered, []
    for place in range(processes):
        size = len(left) // (processes - place)
        begun += [item for item in left[: len(long[place::processes])] if item in long]
        left = left[size:]
    assert sorted(begun) == sorted(long)
    assert [item for item in ordered if item not in long] == [item for item in items if item not in long]
