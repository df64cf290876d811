"""A seeded day in the shop: customers come, change, order and go, at times twice in the same second."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

from onewriter.sandbox import acts
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.names import COUNTRIES, MAIL_DOMAINS, NOTES, TAGS
from onewriter.sandbox.normalise import Refused
from onewriter.sandbox.order import CANCEL_REASONS, Order
from onewriter.sandbox.seeding import fictional_phone
from onewriter.sandbox.shop import Shop

# Played phones begin where no seeded shop reaches, so that the two never meet.
FIRST_PLAYED = 4_000_000
STATES = ("DISABLED", "ENABLED", "INVITED")

# How often each kind of event happens, out of all of them.
WEIGHTS = {
    "create": 14,
    "update_name": 12,
    "update_email": 8,
    "update_phone": 8,
    "update_note": 8,
    "update_address": 10,
    "update_state": 6,
    "empty_field": 6,
    "twice_in_a_second": 8,
    "delete": 4,
    "tags_add": 7,
    "tags_remove": 4,
    "email_consent": 5,
    "sms_consent": 3,
    "whatsapp_consent": 2,
    "merge": 2,
}
# The same of what happens to orders. Nothing does where nobody asks for orders.
ORDER_WEIGHTS = {
    "order": 12,
    "pay": 4,
    "fulfil": 6,
    "edit_order": 3,
    "refund": 4,
    "cancel": 2,
}
CONSENTS = ("email_consent", "sms_consent", "whatsapp_consent")

# Orders change while they are young: so many of the last ones are looked at.
RECENT = 60

# Updates within one second are at most so many.
ACTS_MAX = 3

Act = tuple[str, int | None, dict[str, Any]]


class Player:
    """Plays events on one shop. The same seed, shop and calls give the same events.

    `orders` is how often something happens to orders: 0 never, 1 about every fifth event.
    """

    def __init__(self, shop: Shop, orders: float = 0.0) -> None:
        self._shop = shop
        self._orders = orders
        self._rng = Random(f"{shop.seed}/play")
        self._numbers = count(1)
        # Two calls at a time would draw from one sequence in an order that no seed decides.
        self._lock = threading.Lock()

    def play(self, events: int, seconds: float, orders: float | None = None) -> dict[str, int]:
        """Play so many events over about so many seconds; how many of each action were done.

        `orders`, if given, counts from now on.
        """
        done: Counter[str] = Counter()
        with self._lock:
            self._orders = self._orders if orders is None else orders
            start = time.monotonic()
            while (played := done.total()) < events:
                wait = start + seconds * played / events - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                done.update(self.event(events - played))
        return dict(sorted(done.items()))

    def event(self, acts_max: int = ACTS_MAX) -> list[str]:
        """Let one thing happen now: the actions that it took, in their order; `refused` for what could not be."""
        weights: dict[str, float] = {**WEIGHTS}
        if self._orders:
            weights |= {kind: weight * self._orders for kind, weight in ORDER_WEIGHTS.items()}
        kind = self._rng.choices(list(weights), list(weights.values()))[0]
        return [self._do(act) for act in self._planned(kind)[:acts_max]]

    def _do(self, act: Act) -> str:
        action, number, given = act
        try:
            acts.act(self._shop, action, number, given)
        except Refused:
            return "refused"
        return action

    def _planned(self, kind: str) -> list[Act]:
        """One event as acts; updates within a second are two or three of them."""
        if kind in ORDER_WEIGHTS:
            return [self._with_order(kind)]
        someone = None if kind == "create" else self._someone()
        if someone is None:
            return [("create", None, self._newcomer())]
        if kind == "twice_in_a_second":
            steps = self._rng.choices(list(_UPDATES), k=self._rng.randint(2, 3))
            return [("update", someone.id, _UPDATES[step](self, someone)) for step in steps]
        if kind in _UPDATES:
            return [("update", someone.id, _UPDATES[kind](self, someone))]
        return [(kind, someone.id, self._given(kind, someone))]

    def _someone(self) -> Customer | None:
        with self._shop.lock:
            ids = self._shop.ids
            return self._shop.customers[ids[int(self._rng.random() * len(ids))]] if ids else None

    def _given(self, kind: str, someone: Customer) -> dict[str, Any]:
        if kind == "tags_add":
            return {"tags": self._rng.sample(TAGS, 2)}
        if kind == "tags_remove":
            return {"tags": [self._rng.choice(someone.tags or TAGS)]}
        if kind in CONSENTS:
            return {"state": self._rng.choice(("SUBSCRIBED", "UNSUBSCRIBED"))}
        if kind == "merge":
            # At times with themselves, which the shop refuses.
            return {"with": (self._someone() or someone).id}
        return {}

    # ---- Orders

    def _with_order(self, kind: str) -> Act:
        """Something done to a recent order; a new one where there is none."""
        with self._shop.lock:
            recent = list(self._shop.orders.values())[-RECENT:]
        if kind == "order" or not recent:
            guest = self._rng.random() < 0.1
            someone = None if guest else self._someone()
            return ("order", None if someone is None else someone.id, self._new_order())
        order = self._rng.choice(recent)
        return (kind, order.id, self._order_change(kind, order))

    def _new_order(self) -> dict[str, Any]:
        subtotal, shipping = self._rng.randint(500, 30_000), self._rng.choice((0, 490, 990))
        made: dict[str, Any] = {"total_cents": subtotal + shipping, "subtotal_cents": subtotal}
        made["paid"] = self._rng.random() < 0.7
        made["test"] = self._rng.random() < 0.02
        if self._rng.random() < 0.1:
            made["processed_at"] = int(self._shop.clock()) - self._rng.randint(1, 86_400)
        return made

    def _order_change(self, kind: str, order: Order) -> dict[str, Any]:
        if kind == "refund":
            # At times of an order of which nothing is left, which the shop refuses.
            left = order.kept_cents
            return {"cents": left if self._rng.random() < 0.3 else self._rng.randint(1, max(1, left))}
        if kind == "edit_order":
            return {name: made for name, made in self._new_order().items() if name.endswith("_cents")}
        if kind == "cancel":
            return {"refund": self._rng.random() < 0.8, "reason": self._rng.choice(CANCEL_REASONS)}
        return {"partly": self._rng.random() < 0.2} if kind == "fulfil" else {}

    # ---- What changes

    def _email(self) -> str:
        return f"visitor{next(self._numbers)}.{self._rng.getrandbits(20)}@{self._rng.choice(MAIL_DOMAINS)}"

    def _phone(self) -> str:
        return "+1" + "".join(fictional_phone(FIRST_PLAYED + next(self._numbers)))

    def _newcomer(self) -> dict[str, Any]:
        country = self._rng.choice(COUNTRIES)
        made: dict[str, Any] = {
            "first_name": self._rng.choice(country.given)[0],
            "last_name": self._rng.choice(country.surnames)[0],
            "email": self._email(),
            "locale": country.locale,
        }
        if self._rng.random() < 0.5:
            made["phone"] = self._phone()
        if self._rng.random() < 0.3:
            made["tags"] = self._rng.sample(TAGS, 2)
        return made

    def _update_name(self, someone: Customer) -> dict[str, Any]:
        country = self._rng.choice(COUNTRIES)
        return {"first_name": self._rng.choice(country.given)[0], "last_name": self._rng.choice(country.surnames)[0]}

    def _update_email(self, someone: Customer) -> dict[str, Any]:
        return {"email": self._email()}

    def _update_phone(self, someone: Customer) -> dict[str, Any]:
        return {"phone": self._phone()}

    def _update_note(self, someone: Customer) -> dict[str, Any]:
        return {"note": f"{self._rng.choice(NOTES)} ({next(self._numbers)})"}

    def _update_state(self, someone: Customer) -> dict[str, Any]:
        return {"state": self._rng.choice([state for state in STATES if state != someone.state])}

    def _update_address(self, someone: Customer) -> dict[str, Any]:
        country = self._rng.choice(COUNTRIES)
        city, province, province_code = self._rng.choice(country.cities)
        street = f"{self._rng.randint(1, 180)} {self._rng.choice(country.streets)}"
        made = {"address1": street, "city": city, "province": province, "province_code": province_code}
        return {"addresses": [made | {"country_code": country.code, "zip": f"{self._rng.randint(10_000, 99_999)}"}]}

    def _empty_field(self, someone: Customer) -> dict[str, Any]:
        filled = [name for name in ("note", "phone", "last_name", "first_name") if getattr(someone, name)]
        return {self._rng.choice(filled or ["note"]): None}


_UPDATES: dict[str, Callable[[Player, Customer], dict[str, Any]]] = {
    "update_name": Player._update_name,
    "update_email": Player._update_email,
    "update_phone": Player._update_phone,
    "update_note": Player._update_note,
    "update_address": Player._update_address,
    "update_state": Player._update_state,
    "empty_field": Player._empty_field,
}
