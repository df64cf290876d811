"""Records of one kind, by id, with what lists and searches go by: the order of updates, and what is not indexed yet."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

JOURNAL_MAX = 100_000


class Record(Protocol):
    """Anything frozen that the shop lists. Times are whole seconds since 1970."""

    @property
    def id(self) -> int: ...
    @property
    def created_at(self) -> int: ...
    @property
    def updated_at(self) -> int: ...


R = TypeVar("R", bound=Record)


class Held(Generic[R]):
    """`put` is the only way in and out, and ids rise with time. The caller holds the shop's lock."""

    def __init__(self, records: Iterable[R], now: Callable[[], float]) -> None:
        self._now = now
        self._records = {record.id: record for record in records}
        self.by_id: Mapping[int, R] = MappingProxyType(self._records)
        self.ids = list(self._records)
        self._by_update: list[tuple[int, int]] | None = None
        self._journal: deque[tuple[float, int, R | None]] = deque(maxlen=JOURNAL_MAX)

    def by_update(self) -> list[tuple[int, int]]:
        """(updated_at, id) of every record in order; made when first asked for and kept up from then on."""
        if self._by_update is None:
            self._by_update = sorted((each.updated_at, each.id) for each in self._records.values())
        return self._by_update

    def unindexed(self, since: float) -> dict[int, R | None]:
        """What the search index still holds of records that changed since; None for those it has not seen."""
        stale: dict[int, R | None] = {}
        for at, number, before in reversed(self._journal):
            if at <= since:
                break
            stale[number] = before
        return stale

    def put(self, before: R | None, after: R | None) -> None:
        """Replace a record, and keep up the indexes and the journal that lagging searches read."""
        number = (before or after).id  # type: ignore[union-attr]
        self._journal.append((self._now(), number, before))
        if before is not None:
            self._unlist(before)
        if after is None:
            del self._records[number]
            del self.ids[bisect_left(self.ids, number)]
            return
        if before is None:
            self.ids.append(number)
        self._records[number] = after
        self._list(after)

    def _list(self, record: R) -> None:
        if self._by_update is not None:
            insort(self._by_update, (record.updated_at, record.id))

    def _unlist(self, record: R) -> None:
        if self._by_update is not None:
            del self._by_update[bisect_left(self._by_update, (record.updated_at, record.id))]
