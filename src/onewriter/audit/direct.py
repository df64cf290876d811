"""Direct reads of a run: the nominated customers are read by id and settled, and those who are gone are buried last."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from onewriter.audit import absence, merges
from onewriter.audit.account import Account
from onewriter.audit.settle import Settler
from onewriter.customers import find, marks
from onewriter.db.engine import Database, DoorBell
from onewriter.records import Change, Instant, Kind, Path
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import read_customers
from onewriter.vault.vault import ShopVault

READ_AT_ONCE = 250
SETTLED_AT_ONCE = 100
"""Customers in one transaction, so that a door that waits need not wait long."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reconcile works: a shop here, and there."""

    database: Database
    vault: ShopVault
    client: AdminClient
    clock: Callable[[], Instant]
    bell: DoorBell | None = None

    def give_way(self) -> None:
        """Pause between two writes while the door waits for the database."""
        if self.bell is not None:
            self.bell.give_way()


@dataclass(slots=True)
class Direct:
    """Reads customers directly for one run."""

    place: Place
    settler: Settler
    account: Account
    _gone: "array[int]" = field(default_factory=lambda: array("q"))
    _gone_at: "array[int]" = field(default_factory=lambda: array("q"))
    """When the read began that found each of them gone."""
    _addresses: dict[int, int] = field(default_factory=dict)

    def read(self, ids: Sequence[int], *, listed_at: Instant | None = None) -> None:
        """Read and settle these customers; `listed_at` is when the file or page was begun that still named them."""
        for some in parts(ids, READ_AT_ONCE):
            read = read_customers(self.place.client, some, began=self.place.clock(), position=0)
            for changes in parts(read.changes, SETTLED_AT_ONCE):
                self._settle(changes, listed_at)
            if read.unread:
                self._leave_unread(list(read.unread), was_listed=listed_at is not None)

    def remember(self, addresses: dict[int, int]) -> None:
        """Remember who has which address, as long as there is room."""
        if len(self._addresses) < merges.ADDRESSES_MAX:
            self._addresses |= addresses

    def bury(self) -> None:
        """Report and hide those who were found gone; if they are many, only report them, and ask."""
        if not self._gone:
            return
        with self.place.database.read() as db:
            active = find.count_active(db, self.place.vault.shop_id)
        hold = len(self._gone) > absence.limit_of(active)
        for some in parts(range(len(self._gone)), SETTLED_AT_ONCE):
            self._bury([_absent(self._gone[place], self._gone_at[place]) for place in some], active, hold)

    def _settle(self, changes: Sequence[Change], listed_at: Instant | None) -> None:
        self.remember({each["id"]: one.record_id for one in changes for each in one.fields.get("addresses") or ()})
        now = self.place.clock()
        with self.place.database.write() as db:
            settled = self.settler.settle(db, changes, now, listed_at=listed_at)
            self.account.add(db, settled.counts, now)
        self._gone.extend(read.record_id for read in settled.gone)
        self._gone_at.extend(read.heard for read in settled.gone)
        self.place.give_way()

    def _leave_unread(self, ids: Sequence[int], *, was_listed: bool) -> None:
        """Nothing may be concluded of whom Shopify would not show: the marks ask again, and end as a finding.

        Not of those who were missing: a mark deletes whoever is gone, however many that are. The next run asks again.
        """
        now = self.place.clock()
        with self.place.database.write() as db:
            if was_listed and not self.account.is_dry:
                self.settler.mending.lock(db, [_absent(number, now) for number in ids])
                marks.set_marks(db, self.place.vault.shop_id, dict.fromkeys(ids, frozenset({"unread"})), now)
            self.account.add(db, {"unread": len(ids)}, now)

    def _bury(self, reads: Sequence[Change], active: int, hold: bool) -> None:
        vault, run_id, now = self.place.vault, self.account.run.id, self.place.clock()
        with self.place.database.write() as db:
            counts, gone = self.settler.bury(db, reads, now, hold=hold)
            if not self.account.is_dry:
                counts["merges_proposed"] = merges.propose(db, vault, gone, self._addresses, run_id, now)
                if hold:
                    absence.ask(db, vault.shop_id, len(self._gone), active, run_id, now)
            self.account.add(db, counts, now)
        self.place.give_way()


def parts(values: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """The values, so many at a time."""
    for start in range(0, len(values), most):
        yield values[start : start + most]


def _absent(number: int, began: Instant) -> Change:
    return Change(number, Kind.ABSENT, Path.READ, {}, None, began)
