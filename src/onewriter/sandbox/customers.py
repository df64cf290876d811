"""All customers of a shop, found by their email and phone as well."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from onewriter.sandbox import normalise
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.held import Held
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.seeding import ID_STEP, NEW_IDS, seeded


class Customers(Held[Customer]):
    """Customers by id."""

    def __init__(self, total: int, seed: int, now: Callable[[], float]) -> None:
        super().__init__(seeded(total, seed), now)
        self._emails = {normalise.email_key(each.email): each.id for each in self._records.values() if each.email}
        self._phones = {normalise.phone_key(each.phone): each.id for each in self._records.values() if each.phone}
        self.new_ids = count(max([NEW_IDS, *self.ids[-1:]]) + ID_STEP, ID_STEP)
        # Parts of customers get ids from below all customers of the newer kind, so that the two never meet.
        self.new_parts = count(NEW_IDS - 10**15, 7)

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

    def _list(self, record: Customer) -> None:
        super()._list(record)
        if record.email:
            self._emails[normalise.email_key(record.email)] = record.id
        if record.phone:
            self._phones[normalise.phone_key(record.phone)] = record.id

    def _unlist(self, record: Customer) -> None:
        super()._unlist(record)
        if record.email:
            self._emails.pop(normalise.email_key(record.email), None)
        if record.phone:
            self._phones.pop(normalise.phone_key(record.phone), None)
