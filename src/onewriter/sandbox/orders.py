"""All orders of a shop, found by their customer as well."""

from bisect import bisect_left, insort
from collections.abc import Callable
from itertools import count
from random import Random

from onewriter.sandbox.held import Held
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.order import Order

# Above 2^31 and, as those of real orders, below 2^53; parts of orders get theirs from far below.
FIRST_IDS = 6_411_000_000_000
FIRST_PARTS = 1_205_000_000_000
ID_STEP = 32_768
FIRST_NUMBER = 1_001


class Orders(Held[Order]):
    """Orders by id. The ids follow from the seed."""

    def __init__(self, seed: int, now: Callable[[], float]) -> None:
        super().__init__((), now)
        rng = Random(f"{seed}/orders")
        self.new_ids = count(FIRST_IDS + rng.randrange(10**9), ID_STEP)
        self.new_parts = count(FIRST_PARTS + rng.randrange(10**9), ID_STEP)
        self.new_numbers = count(FIRST_NUMBER)
        self._by_customer: dict[int, list[int]] = {}

    def known(self, number: int) -> Order:
        record = self._records.get(number)
        if record is None:
            raise Refused(Mistake(("id",), "Order does not exist"))
        return record

    def of(self, customer_id: int) -> list[Order]:
        """A customer's orders, oldest first."""
        return [self._records[number] for number in self._by_customer.get(customer_id, ())]

    def _list(self, record: Order) -> None:
        super()._list(record)
        if record.customer_id is not None:
            insort(self._by_customer.setdefault(record.customer_id, []), record.id)

    def _unlist(self, record: Order) -> None:
        super()._unlist(record)
        if record.customer_id is not None:
            numbers = self._by_customer[record.customer_id]
            del numbers[bisect_left(numbers, record.id)]
