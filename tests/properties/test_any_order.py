"""Any order, any repetition: the same end. A model shop lives a history and answers the reads that we ask for."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from onewriter.db.tables import aliases, customers, field_log, findings, refetch_marks, sides, tombstones
from onewriter.records import HOUR, SECOND, Change, Instant, Path
from tests.support.shops import Tea, absent, gone, merged, rung, told

NUMBERS = (101, 102, 103)
FIELDS = ("first_name", "email", "note")
READS_MAX = 80


@dataclass
class ModelShop:
    """A shop that remembers what happened, what it told of it, and how it stands."""

    start: Instant
    customers: dict[int, dict[str, Any]] = field(default_factory=dict)
    versions: dict[int, Instant] = field(default_factory=dict)
    unsaid: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Tags and a consent, which no customer delivery tells; a doorbell says that they changed."""
    told: list[Change] = field(default_factory=list)
    ever: set[int] = field(default_factory=set)
    merged: dict[int, int] = field(default_factory=dict)

    def live(self, events: Iterable[tuple[int, str, str | None, int]]) -> None:
        """Live through events: (customer, what, value, seconds since the last event)."""
        at = self.start
        for number, what, value, pause in events:
            at += pause * SECOND + 1000
            self._happen(number, what, value, at)

    def _happen(self, number: int, what: str, value: str | None, at: Instant) -> None:
        if number not in self.customers:
            if number in self.ever:
                return  # Shopify never gives an id twice
            self.ever.add(number)
            self.customers[number] = dict.fromkeys(FIELDS) | {"first_name": value}
            self.unsaid[number] = {"tags": None, "email_consent": None}
        elif what == "delete":
            del self.customers[number]
            self.told.append(gone(number, at))
            return
        elif what == "merge":
            self._merge(number, value, at)
            return
        elif what in ("tags", "email_consent"):
            self.unsaid[number][what] = value and ([value] if what == "tags" else {"state": value.lower()})
            self.told.append(rung(number, at))
            return
        else:
            self.customers[number][what] = value
        self._tell(number, at)

    def _tell(self, number: int, at: Instant) -> None:
        self.versions[number] = at // SECOND * SECOND
        said = {name: self.customers[number][name] for name in FIELDS}
        self.told.append(told(number, self.versions[number], said, heard=at))

    def _merge(self, number: int, value: str | None, at: Instant) -> None:
        """Merge a customer into another one that is there. Whether its deletion is told as well is undocumented."""
        others = [other for other in NUMBERS if other in self.customers and other != number]
        if not others or value == "Bea":
            self.told.append(merged(number, others[0] if others else 999, at, failed=True))
            return
        kept = others[-1] if value is None else others[0]
        del self.customers[number]
        self.merged[number] = kept
        self.told.append(merged(number, kept, at))
        if value is None:
            self.told.append(gone(number, at + 1))
        self.unsaid[kept]["tags"] = ["united"]
        self._tell(kept, at + 2)

    def snapshot(self, began: Instant) -> list[Change]:
        """The rows of a bulk read that began now."""
        return [self._row(number, began, Path.BULK) for number in self.customers]

    def reads(self, began: Instant) -> list[Change]:
        """A direct read of everybody who was ever heard of, that began now."""
        return [self.read(number, began) for number in sorted(self.ever)]

    def read(self, number: int, began: Instant) -> Change:
        """A direct read as the shop stands at its end."""
        if number not in self.customers:
            return absent(number, began)
        return self._row(number, began, Path.READ)

    def _row(self, number: int, began: Instant, path: Path) -> Change:
        fields = self.customers[number] | self.unsaid[number] | {"locale": "en"}
        return told(number, self.versions[number], fields, heard=began, path=path)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(NUMBERS),
        st.sampled_from([*FIELDS, "tags", "email_consent", "delete", "merge"]),
        st.sampled_from(["Ann", "Bea", None]),
        # Seconds that often stay the same, since that is where ties come from.
        st.sampled_from([0, 0, 1, 2]),
    ),
    min_size=1,
    max_size=9,
)


def empty(tea: Tea) -> None:
    with tea.runtime.database.write() as db:
        for table in (field_log, sides, customers, tombstones, refetch_marks, aliases, findings):
            db.execute(delete(table))


def settle(tea: Tea, shop: ModelShop, now: Instant) -> int:
    """Read whatever is marked until nothing is; returns how many reads that took."""
    reads = 0
    while marked := tea.marked(now):
        assert reads < READS_MAX, "reading never ends"
        for number in marked:
            reads += 1
            applied = tea.apply(shop.read(number, now), now=now)
            if number in applied.settled:
                with tea.runtime.database.write() as db:
                    db.execute(delete(refetch_marks).where(refetch_marks.c.shopify_id == number))
        now += SECOND
    return reads


def end_of(tea: Tea, shop: ModelShop, changes: Sequence[Change], now: Instant) -> dict[str, Any]:
    """The canonical end after these changes in this order, each in a transaction of its own."""
    empty(tea)
    for change in changes:
        tea.apply(change, now=now)
    settle(tea, shop, now + SECOND)
    end = tea.dump()
    for customer in end["customers"].values():
        # A confirming read may come once or never once the deletion of an older read is known; the state is the same.
        customer.pop("confirmed")
    end["tombstones"] = [stone[:2] for stone in end["tombstones"]]
    return end


@pytest.mark.req("K12", "K15", "K24", "K46")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(events=EVENTS, data=st.data())
def test_any_order_and_repetition_of_one_history_has_the_same_end(
    tea: Tea, now: Instant, events: list[tuple[int, str, str | None, int]], data: st.DataObject
) -> None:
    shop = ModelShop(now)
    half = len(events) // 2
    shop.live(events[:half])
    rows = [*shop.snapshot(now + HOUR // 2), *shop.reads(now + HOUR // 2 + SECOND)]
    shop.start += HOUR
    shop.live(events[half:])
    heard = [*shop.told, *rows]
    shuffled = data.draw(st.permutations(heard))
    again = data.draw(st.lists(st.sampled_from(heard), max_size=3)) if heard else []
    moment = now + 3 * HOUR
    end = end_of(tea, shop, [*shuffled, *again], moment)
    assert end == end_of(tea, shop, heard, moment)
    assert_as_the_shop(shop, end)


def assert_as_the_shop(shop: ModelShop, end: dict[str, Any]) -> None:
    """Whoever is there is held as the shop has them, and whoever was merged away is known to be."""
    there = {number: each for number, each in end["customers"].items() if each["state"] == "active"}
    assert there.keys() == shop.customers.keys()
    for number, each in there.items():
        wanted = shop.customers[number] | shop.unsaid[number]
        assert {name: each["fields"][name] for name in wanted} == wanted
    assert {number: kept for number, (kept, state) in end["aliases"].items() if state == "settled"} == shop.merged


def a_day(now: Instant, ann: int, bea: int) -> ModelShop:
    """A shop after a day with a tie, a null and a deletion."""
    shop = ModelShop(now)
    shop.live([(ann, "first_name", "Ann", 1), (ann, "email", "ann@example.com", 0), (ann, "email", None, 5)])
    shop.live([(ann, "tags", "vip", 1)])
    shop.live([(bea, "first_name", "Bea", 1), (bea, "delete", None, 3)])
    return shop


@pytest.mark.req("K15", "K22")
def test_every_order_of_a_day_with_a_tie_a_null_and_a_deletion_ends_as_the_shop(tea: Tea, now: Instant) -> None:
    """Each order is lived by two customers of its own, and all of them at once."""
    orders = list(itertools.permutations(range(len(a_day(now, 1, 2).told))))
    days = [a_day(now, 2 * number + 1, 2 * number + 2) for number in range(len(orders))]
    for turn in zip(*orders, strict=True):
        tea.apply(*(shop.told[place] for shop, place in zip(days, turn, strict=True)), now=now + HOUR)
    settle_all(tea, {number: shop for shop in days for number in shop.ever}, now + HOUR + SECOND)
    end = tea.dump()["customers"]
    assert len(end) == 2 * len(orders) == 1440
    for ann, bea in ((end[2 * number + 1], end[2 * number + 2]) for number in range(len(orders))):
        assert ann["state"] == "active"
        assert (ann["fields"]["first_name"], ann["fields"]["email"], ann["fields"]["tags"]) == ("Ann", None, ["vip"])
        assert bea["state"] == "deleted"


def settle_all(tea: Tea, shops: Mapping[int, ModelShop], now: Instant) -> None:
    """Read whoever is marked, all at once, until nobody is."""
    for turn in range(READS_MAX):
        at = now + turn * SECOND
        marked = tea.marked(at)
        if not marked:
            return
        applied = tea.apply(*(shops[number].read(number, at) for number in marked), now=at)
        with tea.runtime.database.write() as db:
            settled = [number for number in marked if number in applied.settled]
            db.execute(delete(refetch_marks).where(refetch_marks.c.shopify_id.in_(settled)))
    raise AssertionError("reading never ends")


@pytest.mark.req("K15")
def test_no_more_is_read_than_ties_nulls_deletions_and_first_deliveries_call_for(tea: Tea, now: Instant) -> None:
    shop = ModelShop(now)
    shop.live([(101, "first_name", "Ann", 1), *((101, "note", f"note {n}", 2) for n in range(5))])
    empty(tea)
    for change in shop.told:
        tea.apply(change, now=now + HOUR)
    assert settle(tea, shop, now + HOUR + SECOND) == 1
