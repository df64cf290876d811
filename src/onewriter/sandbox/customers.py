"""All customers of a shop, with the indexes over them and what the search index has not seen yet."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

from onewriter.sandbox import normalise
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.seeding import ID_STEP, NEW_IDS, seeded

JOURNAL_MAX = 100_000


class Customers:
    """Customers by id. `put` is the only way in and out; the caller holds the shop's lock."""

    def __init__(self, total: int, seed: int, now: Callable[[], float]) -> None:
        self._now = now
        self._records = {record.id: record for record in seeded(total, seed)}
        self.by_id: Mapping[int, Customer] = MappingProxyType(self._records)
        self.ids = list(self._records)
        self._emails = {normalise.email_key(each.email): each.id for each in self._records.values() if each.email}
        self._phones = {normalise.phone_key(each.phone): each.id for each in self._records.values() if each.phone}
        self._by_update: list[tuple[int, int]] | None = None
        self._journal: deque[tuple[float, int, Customer | None]] = deque(maxlen=JOURNAL_MAX)
        self.new_ids = count(max([NEW_IDS, *self.ids[-1:]]) + ID_STEP, ID_STEP)
        # Parts of customers get ids from below all customers of the newer kind, so that the two never meet.
        self.new_parts = count(NEW_IDS - 10**15, 7)

    def by_update(self) -> list[tuple[int, int]]:
        """(updated_at, id) of every customer in order; made when first asked for and kept up from then on."""
        if self._by_update is None:
            self._by_update = sorted((each.updated_at, each.id) for each in self._records.values())
        return self._by_update

    def known(self, number: int) -> Customer:
        record = self._records.get(number)
        if record is None:
            raise Refused(Mistake(("id",), "Customer does not exist"))
        return record

    def find(self, *, email: str | None = None, phone: str | None = None) -> Customer | None:
        if email:
            number = self._emails.get(normalise.email_key(email))
        else:
            number = self._phones.get(normalise.phone_key(phone or ""))
        return None if number is None else self._records[number]

    def unindexed(self, since: float) -> dict[int, Customer | None]:
        """What the search index still holds of customers that changed since; None for those it has not seen."""
        stale: dict[int, Customer | None] = {}
        for at, number, before in reversed(self._journal):
            if at <= since:
                break
            stale[number] = before
        return stale

    def check_taken(self, number: int | None, cleaned: Mapping[str, Any]) -> None:
        """Refuse an email or a phone that somebody else has."""
        mistakes = []
        email, phone = cleaned.get("email"), cleaned.get("phone")
        if email and self._emails.get(normalise.email_key(email), number) != number:
            mistakes.append(Mistake(("email",), "Email has already been taken"))
        if phone and self._phones.get(normalise.phone_key(phone), number) != number:
            mistakes.append(Mistake(("phone",), "Phone has already been taken"))
        if mistakes:
            raise Refused(*mistakes)

    def put(self, before: Customer | None, after: Customer | None) -> None:
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

    def _list(self, record: Customer) -> None:
        if record.email:
            self._emails[normalise.email_key(record.email)] = record.id
        if record.phone:
            self._phones[normalise.phone_key(record.phone)] = record.id
        if self._by_update is not None:
            insort(self._by_update, (record.updated_at, record.id))

    def _unlist(self, record: Customer) -> None:
        if record.email:
            self._emails.pop(normalise.email_key(record.email), None)
        if record.phone:
            self._phones.pop(normalise.phone_key(record.phone), None)
        if self._by_update is not None:
            del self._by_update[bisect_left(self._by_update, (record.updated_at, record.id))]
