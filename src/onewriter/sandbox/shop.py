"""The shop itself: its customers and the verbs that change them. Each takes the one lock and tells the subscribers."""

import threading
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import count
from types import MappingProxyType
from typing import Any

import msgspec

from onewriter.sandbox import normalise, payloads
from onewriter.sandbox.access import Access
from onewriter.sandbox.customer import NEVER_ASKED, UNDECIDED, Consent, Customer, Metafield
from onewriter.sandbox.deliveries import Courier, Delivery
from onewriter.sandbox.faults import Faults
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.seeding import ID_STEP, NEW_IDS, seeded
from onewriter.sandbox.subscriptions import Subscriptions

API_VERSION = "2026-10"
JOURNAL_MAX = 100_000
CONSENT_STATES = ("PENDING", "SUBSCRIBED", "UNSUBSCRIBED")


class Shop:
    """A simulated shop. Safe to use from several threads.

    `customers` is a read-only view by id, in the order of the ids. Verbs return the customer as it then is and raise
    `Refused` for what Shopify answers with user errors.
    """

    def __init__(
        self,
        customers: int,
        seed: int,
        *,
        domain: str = "sandbox-shop.myshopify.com",
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.seed, self.domain, self.clock = seed, domain, clock
        self.id = 60_000_000_000 + seed
        self.name = "Sandbox Shop"
        self.faults = faults or Faults()
        self.access = Access(seed, self.faults, clock)
        self.courier = Courier(domain, self.access.client_secret, API_VERSION, seed, self.faults)
        self.subscriptions = Subscriptions(self.faults, clock)
        self.courier.dropped = self.subscriptions.drop
        self.lock = threading.RLock()
        self._records = {record.id: record for record in seeded(customers, seed)}
        self.customers: Mapping[int, Customer] = MappingProxyType(self._records)
        self.ids = list(self._records)
        self._emails = {normalise.email_key(each.email): each.id for each in self._records.values() if each.email}
        self._phones = {normalise.phone_key(each.phone): each.id for each in self._records.values() if each.phone}
        self._by_update: list[tuple[int, int]] | None = None
        self._journal: deque[tuple[float, int, Customer | None]] = deque(maxlen=JOURNAL_MAX)
        self._next_id = count(max([NEW_IDS, *self.ids[-1:]]) + ID_STEP, ID_STEP)
        # Parts of customers get ids from below all customers of the newer kind, so that the two never meet.
        self._next_part = count(NEW_IDS - 10**15, 7)

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery so far, oldest first."""
        return list(self.courier.log.values())

    # ---- Reading

    def snapshot(self) -> list[Customer]:
        with self.lock:
            return list(self._records.values())

    def by_update(self) -> list[tuple[int, int]]:
        """(updated_at, id) of every customer in order; made when first asked for and kept up from then on."""
        if self._by_update is None:
            self._by_update = sorted((each.updated_at, each.id) for each in self._records.values())
        return self._by_update

    def find(self, *, email: str | None = None, phone: str | None = None) -> Customer | None:
        with self.lock:
            number = (
                self._emails.get(normalise.email_key(email))
                if email
                else self._phones.get(normalise.phone_key(phone or ""))
            )
            return None if number is None else self._records[number]

    def unindexed(self) -> dict[int, Customer | None]:
        """What the search index still holds of customers that changed a moment ago; None for those it has not seen."""
        since = self.clock() - self.faults.search_lag
        stale: dict[int, Customer | None] = {}
        for at, number, before in reversed(self._journal):
            if at <= since:
                break
            stale[number] = before
        return stale

    # ---- Writing

    def create(self, **fields: Any) -> Customer:
        with self.lock:
            email_consent = fields.pop("email_consent", None)
            metafields = fields.pop("metafields", None)
            cleaned = normalise.clean(fields, (), self._next_part)
            if not any(cleaned.get(key) for key in ("first_name", "last_name", "email", "phone")):
                raise Refused(Mistake(None, "A name, phone number, or email address must be present"))
            self._check_taken(None, cleaned)
            now = int(self.clock())
            record = Customer(id=next(self._next_id), created_at=now, updated_at=now, **cleaned)
            record = self._with_channels(record)
            if email_consent is not None:
                record = replace(record, email_consent=email_consent)
            record = replace(record, metafields=self._with_metafields(record, metafields or ()))
            self._put(None, record)
            self._tell(record.id, [("customers/create", self._body(record)), *self._told_of_tags(None, record)])
            return record

    def update(self, number: int, **fields: Any) -> Customer:
        """Change some fields. A write that changes nothing moves no time and tells nobody."""
        with self.lock:
            before = self._known(number)
            metafields = fields.pop("metafields", None)
            cleaned = normalise.clean(fields, before.addresses, self._next_part)
            self._check_taken(number, cleaned)
            after = self._with_channels(replace(before, **cleaned))
            if metafields is not None:
                after = replace(after, metafields=self._with_metafields(before, metafields))
            if after == before:
                return before
            after = replace(after, updated_at=self._moved(before))
            self._put(before, after)
            self._tell(number, self._told_of_update(before, after))
            return after

    def delete(self, number: int) -> Customer:
        with self.lock:
            before = self._known(number)
            if before.orders:
                raise Refused(Mistake(("id",), "Customer can't be deleted because they have associated orders"))
            self._put(before, None)
            self._tell(number, [("customers/delete", payloads.deleted(number))])
            return before

    def add_tags(self, number: int, tags: Iterable[str]) -> Customer:
        with self.lock:
            before = self._known(number)
            return self._retag(before, normalise.tags((*before.tags, *tags)))

    def remove_tags(self, number: int, tags: Iterable[str]) -> Customer:
        with self.lock:
            before = self._known(number)
            gone = {tag.casefold() for tag in normalise.tags(tags)}
            return self._retag(before, tuple(tag for tag in before.tags if tag.casefold() not in gone))

    def consent_to_email(self, number: int, state: str, level: str | None = None, at: int | None = None) -> Customer:
        """Set the email consent. `at` is in seconds; a time to come is refused."""
        with self.lock:
            before = self._known(number)
            self._check_consent(before, state, level, at)
            now = int(self.clock())
            consent = Consent(state, level or before.email_consent.level, now if at is None else at, None)
            if consent == before.email_consent:
                return before
            after = replace(before, email_consent=consent, updated_at=self._touched(before))
            self._put(before, after)
            body = payloads.email_consent(after, denied=self.faults.protected_denied)
            self._tell(number, [("customers_email_marketing_consent/update", body)])
            return after

    def uninstall(self) -> None:
        """The merchant removes the app: the token dies, subscriptions go, and `app/uninstalled` is the last word."""
        with self.lock:
            self._tell(None, [("app/uninstalled", payloads.uninstalled(self.id, self.name))])
            self.access.revoke()
            self.subscriptions.clear()

    def set_faults(self, changes: Mapping[str, Any]) -> None:
        """Set switches by name. `token_revoked: true` kills the tokens given out so far."""
        with self.lock:
            switches = dict(changes)
            revoked = switches.pop("token_revoked", False)
            previous = list(self.faults.scopes)
            self.faults.set(switches)
            if revoked:
                self.access.revoke()
            if previous != self.faults.scopes:
                body = payloads.scopes_changed(self.id, previous, self.faults.scopes, self.clock())
                self._tell(None, [("app/scopes_update", body)])

    def announce(self, topic: str, body: payloads.Body) -> None:
        """Tell the subscribers of something that is not about one customer."""
        with self.lock:
            self._tell(None, [(topic, body)])

    # ---- How a write is made

    def _known(self, number: int) -> Customer:
        record = self._records.get(number)
        if record is None:
            raise Refused(Mistake(("id",), "Customer does not exist"))
        return record

    def _check_taken(self, number: int | None, cleaned: Mapping[str, Any]) -> None:
        mistakes = []
        email, phone = cleaned.get("email"), cleaned.get("phone")
        if email and self._emails.get(normalise.email_key(email), number) != number:
            mistakes.append(Mistake(("email",), "Email has already been taken"))
        if phone and self._phones.get(normalise.phone_key(phone), number) != number:
            mistakes.append(Mistake(("phone",), "Phone has already been taken"))
        if mistakes:
            raise Refused(*mistakes)

    def _check_consent(self, record: Customer, state: str, level: str | None, at: int | None) -> None:
        where = ("input", "emailMarketingConsent")
        if record.email is None:
            raise Refused(Mistake(("input",), "Customer must have an email address", "INVALID"))
        if state not in CONSENT_STATES:
            raise Refused(
                Mistake((*where, "marketingState"), f"Cannot specify {state} as a marketing state input", "INVALID")
            )
        if state == "SUBSCRIBED" and level is None:
            message = "Marketing opt in level must be present"
            raise Refused(Mistake((*where, "marketingOptInLevel"), message, "MISSING_ARGUMENT"))
        if state == "PENDING" and level != "CONFIRMED_OPT_IN":
            message = "Marketing opt in level must be confirmed opt-in for pending consent state"
            raise Refused(Mistake((*where, "marketingOptInLevel"), message, "INVALID"))
        if at is not None and at > self.clock():
            raise Refused(
                Mistake((*where, "consentUpdatedAt"), "Consent updated at must not be in the future", "INVALID")
            )

    def _with_channels(self, record: Customer) -> Customer:
        """A new address or number starts undecided; one that is gone takes its consent with it."""
        email = record.email_consent if record.email else NEVER_ASKED
        sms = record.sms_consent if record.phone else NEVER_ASKED
        return replace(
            record,
            email_consent=UNDECIDED if record.email and email == NEVER_ASKED else email,
            sms_consent=UNDECIDED if record.phone and sms == NEVER_ASKED else sms,
        )

    def _with_metafields(self, record: Customer, given: Iterable[Mapping[str, Any]]) -> tuple[Metafield, ...]:
        """Metafields by name: those given replace or join, the others stay."""
        kept = {(each.namespace, each.key): each for each in record.metafields}
        now = int(self.clock())
        for each in given:
            name = (str(each["namespace"]), str(each["key"]))
            kind = str(each.get("type") or "single_line_text_field")
            old = kept.get(name)
            number, created = (old.id, old.created_at) if old else (next(self._next_part), now)
            kept[name] = Metafield(number, *name, kind, str(each["value"]), created, now)
        return tuple(kept.values())

    def _moved(self, record: Customer) -> int:
        # Never backwards, even if the machine's clock stands before the seeded history.
        return max(int(self.clock()), record.updated_at)

    def _touched(self, record: Customer) -> int:
        return self._moved(record) if self.faults.tags_touch else record.updated_at

    def _retag(self, before: Customer, tags: tuple[str, ...]) -> Customer:
        if tags == before.tags:
            return before
        after = replace(before, tags=tags, updated_at=self._touched(before))
        self._put(before, after)
        self._tell(before.id, self._told_of_tags(before, after))
        return after

    def _put(self, before: Customer | None, after: Customer | None) -> None:
        """The only place where the shop changes: the record, its indexes, the journal that lagging searches read."""
        number = (before or after).id  # type: ignore[union-attr]
        self._journal.append((self.clock(), number, before))
        if before is not None:
            self._unlist(before)
        if after is None:
            del self._records[number]
            del self.ids[bisect_left(self.ids, number)]
            return
        if before is None:
            self.ids.append(number)
        self._records[number] = after
        if after.email:
            self._emails[normalise.email_key(after.email)] = number
        if after.phone:
            self._phones[normalise.phone_key(after.phone)] = number
        if self._by_update is not None:
            insort(self._by_update, (after.updated_at, number))

    def _unlist(self, record: Customer) -> None:
        if record.email:
            self._emails.pop(normalise.email_key(record.email), None)
        if record.phone:
            self._phones.pop(normalise.phone_key(record.phone), None)
        if self._by_update is not None:
            del self._by_update[bisect_left(self._by_update, (record.updated_at, record.id))]

    # ---- Who is told

    def _body(self, record: Customer) -> payloads.Body:
        return payloads.customer(record, denied=self.faults.protected_denied)

    def _told_of_update(self, before: Customer, after: Customer) -> list[tuple[str, payloads.Body]]:
        told = [("customers/update", self._body(after))]
        if before.state != after.state and after.state in ("ENABLED", "DISABLED"):
            told.append((f"customers/{after.state.lower().removesuffix('d')}", self._body(after)))
        return told + self._told_of_tags(before, after)

    def _told_of_tags(self, before: Customer | None, after: Customer) -> list[tuple[str, payloads.Body]]:
        had = before.tags if before else ()
        come = [tag for tag in after.tags if tag not in had]
        gone = [tag for tag in had if tag not in after.tags]
        at = self.clock()
        return [
            (topic, payloads.tags(after.id, changed, at))
            for topic, changed in (("customer.tags_added", come), ("customer.tags_removed", gone))
            if changed
        ]

    def _tell(self, customer_id: int | None, told: list[tuple[str, payloads.Body]]) -> None:
        """One merchant action: all its deliveries share an event id."""
        wanted = [(each, body) for topic, body in told for each in self.subscriptions.of(topic)]
        if not wanted:
            return
        event_id, at = self.courier.event_id(), self.clock()
        for subscription, body in wanted:
            shown = {key: body[key] for key in subscription.include_fields if key in body} or body
            self.courier.announce(subscription, msgspec.json.encode(shown), at, customer_id, event_id)
