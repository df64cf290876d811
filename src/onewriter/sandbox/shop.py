"""The shop itself: customers, orders, and the verbs for both. Each takes the one lock and tells the subscribers."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from onewriter.sandbox import consents, metafields, news, normalise, payloads
from onewriter.sandbox.access import Access
from onewriter.sandbox.agenda import Agenda
from onewriter.sandbox.consents import Channel, kept_in_step
from onewriter.sandbox.customer import Customer, Metafield
from onewriter.sandbox.customers import Customers
from onewriter.sandbox.deliveries import Courier, Delivery, Schedule
from onewriter.sandbox.faults import Faults
from onewriter.sandbox.held import Held, R
from onewriter.sandbox.merges import Merge, Merges
from onewriter.sandbox.merging import NO_OVERRIDE, Override
from onewriter.sandbox.normalise import Mistake, Refused
from onewriter.sandbox.order import Order
from onewriter.sandbox.orders import Orders
from onewriter.sandbox.subscriptions import Subscriptions
from onewriter.sandbox.till import Till

API_VERSION = "2026-10"


class Shop:
    """A simulated shop. Safe to use from several threads.

    `customers` and `orders` are read-only views by id, in the order of the ids. Verbs return the customer or the order
    as it then is and raise `Refused` for what Shopify answers with user errors.

    With a `courier_schedule` the shop lives by its `clock` alone: it starts no threads, reads no other clock, and
    carries out merges and bulk operations when it is looked at or by `tick`. `next_due` says when there will be some.
    """

    def __init__(
        self,
        customers: int,
        seed: int,
        *,
        domain: str = "sandbox-shop.myshopify.com",
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
        courier_schedule: Schedule | None = None,
    ) -> None:
        self.seed, self.domain, self.clock = seed, domain, clock
        self.id = 60_000_000_000 + seed
        self.name = "Sandbox Shop"
        self.faults = faults or Faults()
        self.has_threads = courier_schedule is None
        self.lock = threading.RLock()
        self.agenda = Agenda(clock, self.lock)
        self.access = Access(seed, self.faults, clock)
        self.courier = Courier(
            domain, lambda: self.access.signing_secret, API_VERSION, seed, self.faults, courier_schedule
        )
        self.subscriptions = Subscriptions(self.faults, clock)
        self.courier.dropped = self.subscriptions.drop
        self._held = Customers(customers, seed, self.agenda.now)
        self._orders = Orders(seed, self.agenda.now)
        self._till = Till(self._held, self._orders, self.agenda, self.faults, self._tell)
        self.merges = Merges(self._held, self._till, self.agenda, self.faults, seed, self._tell)

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery so far, oldest first."""
        self.tick()
        return list(self.courier.log.values())

    # ---- The shop's time

    def tick(self) -> int:
        """Carry out what is due by the clock; how many things that were. Every verb and every read does so first."""
        return self.agenda.carry_out()

    def next_due(self) -> float | None:
        """When `tick` will next have something to do, in the seconds of the clock; None if nothing waits."""
        return self.agenda.next_due()

    # ---- Reading

    @property
    def customers(self) -> Mapping[int, Customer]:
        self.tick()
        return self._held.by_id

    @property
    def ids(self) -> list[int]:
        self.tick()
        return self._held.ids

    @property
    def orders(self) -> Mapping[int, Order]:
        self.tick()
        return self._orders.by_id

    def listed(self, kind: type[R]) -> Held[R]:
        """All customers or all orders, for whoever lists them. The caller holds the lock."""
        self.tick()
        found: Any = self._orders if kind is Order else self._held
        held: Held[R] = found
        return held

    def snapshot(self) -> list[Customer]:
        with self.lock:
            return list(self.customers.values())

    def by_update(self) -> list[tuple[int, int]]:
        """(updated_at, id) of every customer in order."""
        self.tick()
        return self._held.by_update()

    def find(self, *, email: str | None = None, phone: str | None = None) -> Customer | None:
        with self.lock:
            self.tick()
            return self._held.find(email=email, phone=phone)

    # ---- Writing

    def create(self, **fields: Any) -> Customer:
        with self.lock:
            self.tick()
            decided = {channel: fields.pop(channel.field, None) for channel in consents.CHANNELS}
            given = fields.pop("metafields", None)
            cleaned = normalise.clean(fields, (), self._held.new_parts)
            if not any(cleaned.get(key) for key in ("first_name", "last_name", "email", "phone")):
                raise Refused(Mistake(None, "A name, phone number, or email address must be present"))
            self._held.check_taken(None, cleaned)
            now = int(self.clock())
            record = Customer(id=next(self._held.new_ids), created_at=now, updated_at=now, **cleaned)
            record = kept_in_step(record)
            for channel, consent in decided.items():
                if consent is not None and channel.reaches(record):
                    record = channel.put(record, consent)
            record = replace(record, metafields=self._with_metafields(record, given or ()))
            self._held.put(None, record)
            self._tell(news.of_creation(record, self.clock(), denied=self.faults.protected_denied))
            return record

    def update(self, number: int, **fields: Any) -> Customer:
        """Change some fields. A write that changes nothing moves no time and tells nobody."""
        with self.lock:
            self.tick()
            before = self._held.known(number)
            given = fields.pop("metafields", None)
            cleaned = normalise.clean(fields, before.addresses, self._held.new_parts)
            self._held.check_taken(number, cleaned)
            after = kept_in_step(replace(before, **cleaned))
            if given is not None:
                after = replace(after, metafields=self._with_metafields(before, given))
            return self._changed(before, after)

    def set_metafields(self, number: int, given: Sequence[Mapping[str, Any]], *, check: bool = False) -> Customer:
        """Set some metafields of a customer and leave the others; with `check` only see whether they would be taken."""
        with self.lock:
            self.tick()
            before = self._held.known(number)
            after = replace(before, metafields=self._with_metafields(before, given))
            return before if check else self._changed(before, after)

    def delete_metafields(self, number: int, names: Iterable[tuple[str, str]]) -> list[tuple[str, str] | None]:
        """Take metafields off a customer; a name for each that was there, None for each that was not."""
        with self.lock:
            self.tick()
            before, asked = self._held.known(number), list(names)
            there = {(each.namespace, each.key) for each in before.metafields}
            self._changed(before, metafields.without(before, asked))
            return [name if name in there else None for name in asked]

    def _changed(self, before: Customer, after: Customer) -> Customer:
        if after == before:
            return before
        after = replace(after, updated_at=self._moved(before))
        self._held.put(before, after)
        self._tell(news.of_update(before, after, self.clock(), denied=self.faults.protected_denied))
        return after

    def delete(self, number: int) -> Customer:
        with self.lock:
            self.tick()
            before = self._held.known(number)
            if before.orders or self._orders.of(number):
                raise Refused(Mistake(("id",), "Customer can't be deleted because they have associated orders"))
            self._held.put(before, None)
            self._tell(news.of_deletion(before))
            return before

    def redact(self, number: int) -> Customer:
        """Erase a customer: it is deleted, and the compliance delivery `customers/redact` follows.

        Refused while there are orders, for which Shopify waits until they are half a year old.
        """
        with self.lock:
            before = self.delete(number)
            self._demand("customers/redact", payloads.redacted(self.id, self.domain, before), number)
            return before

    def request_data(self, number: int) -> Customer:
        """A customer asks the merchant what is held of them: `customers/data_request` follows."""
        with self.lock:
            record = self._held.known(number)
            self._demand("customers/data_request", payloads.data_requested(self.id, self.domain, record), number)
            return record

    def merge(
        self, one: int, two: int, *, override_email_of: int | None = None, override: Override = NO_OVERRIDE
    ) -> Merge:
        """Merge two customers. It is accepted now, and carried out `merge_seconds` later."""
        with self.lock:
            self.tick()
            if override_email_of is not None:
                override = replace(override, email_of=override_email_of)
            return self.merges.accept(one, two, override)

    def add_tags(self, number: int, tags: Iterable[str]) -> Customer:
        with self.lock:
            self.tick()
            before = self._held.known(number)
            return self._retag(before, normalise.tags((*before.tags, *tags)))

    def remove_tags(self, number: int, tags: Iterable[str]) -> Customer:
        with self.lock:
            self.tick()
            before = self._held.known(number)
            gone = {tag.casefold() for tag in normalise.tags(tags)}
            return self._retag(before, tuple(tag for tag in before.tags if tag.casefold() not in gone))

    def consent_to_email(self, number: int, state: str, level: str | None = None, at: int | None = None) -> Customer:
        """Set the email consent. `at` is in seconds; a time to come is refused."""
        return self.consent(consents.EMAIL, number, state, level, at)

    def consent_to_sms(self, number: int, state: str, level: str | None = None, at: int | None = None) -> Customer:
        return self.consent(consents.SMS, number, state, level, at)

    def consent_to_whatsapp(self, number: int, state: str, level: str | None = None, at: int | None = None) -> Customer:
        return self.consent(consents.WHATSAPP, number, state, level, at)

    def consent(
        self, channel: Channel, number: int, state: str, level: str | None = None, at: int | None = None
    ) -> Customer:
        with self.lock:
            self.tick()
            before = self._held.known(number)
            after = consents.decided(before, channel, state, level, at, self.clock())
            if after == before:
                return before
            after = replace(after, updated_at=self._touched(before))
            self._held.put(before, after)
            self._tell(news.of_consents(before, after, denied=self.faults.protected_denied))
            return after

    # ---- Orders

    def place_order(
        self,
        customer: int | None,
        total_cents: int,
        subtotal_cents: int | None = None,
        paid: bool = True,
        processed_at: int | None = None,
        test: bool = False,
    ) -> Order:
        """Place an order; without a customer it is a guest's. `processed_at` is in seconds and never in the future."""
        with self.lock:
            self.tick()
            buyer = None if customer is None else self._held.known(customer)
            subtotal = total_cents if subtotal_cents is None else subtotal_cents
            return self._till.place(buyer, total_cents, subtotal, paid=paid, processed_at=processed_at, test=test)

    def pay_order(self, number: int) -> Order:
        with self.lock:
            self.tick()
            return self._till.pay(number)

    def fulfil_order(self, number: int, *, partly: bool = False) -> Order:
        with self.lock:
            self.tick()
            return self._till.fulfil(number, partly=partly)

    def edit_order(self, number: int, total_cents: int, subtotal_cents: int | None = None) -> Order:
        """Change what an order costs now. More is to be paid then, or some of what was paid is owed to the buyer."""
        with self.lock:
            self.tick()
            return self._till.edit(number, total_cents, total_cents if subtotal_cents is None else subtotal_cents)

    def refund_order(self, number: int, cents: int) -> Order:
        """Give money back, at most what is left of what was paid."""
        with self.lock:
            self.tick()
            return self._till.refund(number, cents)

    def cancel_order(self, number: int, refund: bool = True, reason: str = "OTHER") -> Order:
        """Cancel an order, and with `refund` give back all that is left. One that is paid and sent cannot be."""
        with self.lock:
            self.tick()
            return self._till.cancel(number, refund=refund, reason=reason)

    # ---- The app

    def uninstall(self) -> None:
        """The merchant removes the app: the token dies, subscriptions go, and `app/uninstalled` is the last word."""
        with self.lock:
            self.tick()
            self.announce("app/uninstalled", payloads.uninstalled(self.id, self.name))
            self.access.revoke(refreshing=True)
            self.subscriptions.clear()

    def redact_shop(self) -> None:
        """What follows two days after the app was removed: `shop/redact`. It is sent at once, whatever is installed."""
        with self.lock:
            self.tick()
            self._demand("shop/redact", payloads.shop_redacted(self.id, self.domain), None)

    def _demand(self, topic: str, body: payloads.Body, number: int | None) -> None:
        """Tell what the law demands, which only the app's configuration can subscribe to."""
        configured = self.subscriptions.configured(topic)
        if configured is not None:
            told = msgspec.json.encode(body)
            self.courier.announce(configured, told, self.agenda.now(), number, self.courier.event_id())

    def set_faults(self, changes: Mapping[str, Any]) -> None:
        """Set switches by name. `token_revoked: true` kills the tokens given out so far."""
        with self.lock:
            self.tick()
            switches = dict(changes)
            revoked = switches.pop("token_revoked", False)
            previous = list(self.faults.scopes)
            self.faults.set(switches)
            if revoked:
                self.access.revoke()
            if previous != self.faults.scopes:
                body = payloads.scopes_changed(self.id, previous, self.faults.scopes, self.clock())
                self.announce("app/scopes_update", body)

    def use_up(self, fault: str) -> bool:
        """Whether a fault that counts down still holds; one of its times is used up by asking."""
        with self.lock:
            left: int = getattr(self.faults, fault)
            if left > 0:
                setattr(self.faults, fault, left - 1)
            return left > 0

    def announce(self, topic: str, body: payloads.Body) -> None:
        """Tell the subscribers of something that is not about one customer."""
        with self.lock:
            self._tell([(None, topic, body)])

    # ---- How a write is made

    def _with_metafields(self, record: Customer, given: Iterable[Mapping[str, Any]]) -> tuple[Metafield, ...]:
        return metafields.merged(record, given, self._held.new_parts, int(self.clock()))

    def _moved(self, record: Customer) -> int:
        # Never backwards, even if the machine's clock stands before the seeded history.
        return max(int(self.clock()), record.updated_at)

    def _touched(self, record: Customer) -> int:
        return self._moved(record) if self.faults.tags_touch else record.updated_at

    def _retag(self, before: Customer, tags: tuple[str, ...]) -> Customer:
        if tags == before.tags:
            return before
        after = replace(before, tags=tags, updated_at=self._touched(before))
        self._held.put(before, after)
        self._tell(news.of_tags(before, after, self.clock()))
        return after

    def _tell(self, told: Iterable[news.Item]) -> None:
        """One merchant action: all its deliveries share an event id."""
        wanted = [(each, number, body) for number, topic, body in told for each in self.subscriptions.of(topic)]
        if not wanted:
            return
        event_id, at = self.courier.event_id(), self.agenda.now()
        for subscription, number, body in wanted:
            shown = {key: body[key] for key in subscription.include_fields if key in body} or body
            self.courier.announce(subscription, msgspec.json.encode(shown), at, number, event_id)
