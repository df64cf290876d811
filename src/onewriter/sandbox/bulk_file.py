"""The JSONL file of a bulk operation. Lines are written when they are read: only where blocks begin is remembered.

The customers behind it are frozen records, so the same bytes come back at every request.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from onewriter.sandbox.compiled import Compiled
from onewriter.sandbox.customer import Customer, gid

BLOCK = 250


class BulkFile:
    """The lines of some customers. `broken` lines are cut short, `missing` ones are left out; both count from 0.

    Children follow their parents when grouped; else all children of a block come after it, since nobody may rely on
    more.
    """

    def __init__(self, customers: list[Customer], compiled: Compiled, *, grouped: bool = False) -> None:
        self._customers, self._compiled, self._grouped = customers, compiled, grouped
        self._encoder = msgspec.json.Encoder()
        self._broken: frozenset[int] = frozenset()
        self._missing: frozenset[int] = frozenset()
        self._ends: list[int] = []
        self._firsts: list[int] = []
        self.lines = 0
        self.roots = len(customers)
        if compiled.children:
            self.lines = sum(len(self._block(at)) for at in self._starts())
        else:
            self.lines = self.roots

    def disturb(self, broken: frozenset[int], missing: frozenset[int]) -> None:
        """Choose the lines that will be wrong. Only before `measure`."""
        self._broken, self._missing = broken, missing

    def measure(self) -> Iterator[int]:
        """Find out where the blocks lie, yielding the lines so far, so that the caller may stop between blocks."""
        end, lines = 0, 0
        for at in self._starts():
            block = self._block(at)
            self._firsts.append(lines)
            end += sum(map(len, self._spoiled(lines, block)))
            lines += len(block)
            self._ends.append(end)
            yield lines

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from start up to stop, in blocks."""
        place = bisect_right(self._ends, start)
        while start < stop:
            begin = self._ends[place - 1] if place else 0
            data = b"".join(self._spoiled(self._firsts[place], self._block(place * BLOCK)))
            yield data[start - begin : stop - begin]
            start = self._ends[place]
            place += 1

    def _starts(self) -> range:
        return range(0, len(self._customers), BLOCK)

    def _block(self, at: int) -> list[bytes]:
        customers = self._customers[at : at + BLOCK]
        if not self._compiled.children:
            return [self._line(self._compiled.read(customer)) for customer in customers]
        families = [(self._line(self._compiled.read(customer)), self._children(customer)) for customer in customers]
        if self._grouped:
            return [line for parent, children in families for line in (parent, *children)]
        return [parent for parent, _ in families] + list(chain.from_iterable(children for _, children in families))

    def _children(self, customer: Customer) -> list[bytes]:
        parent = gid("Customer", customer.id)
        return [
            self._line(compiled.read(item) | {"__parentId": parent})
            for get, compiled in self._compiled.children
            for item in get(customer)
        ]

    def _line(self, row: dict[str, Any]) -> bytes:
        return self._encoder.encode(row) + b"\n"

    def _spoiled(self, first: int, block: list[bytes]) -> list[bytes]:
        if not (self._broken or self._missing):
            return block
        kept = ((number, line) for number, line in enumerate(block, first) if number not in self._missing)
        return [line[: len(line) // 2] + b"\n" if number in self._broken else line for number, line in kept]
