"""Webhook deliveries: signed, tried again, given up, and disturbed on request.

Every chance is drawn when the delivery is announced, from the shop's seed, so that the same shop with the same history
loses and repeats the same deliveries however they are carried.
"""

import base64
import hmac
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random

from onewriter.sandbox.faults import Faults
from onewriter.sandbox.lanes import Lanes, Parcel

RETRIES_MAX = 8
# Eight doublings that add up to four hours.
FIRST_RETRY_S = 14_400 / (2**RETRIES_MAX - 1)
REORDER_HOLD_S = 0.3
LOG_MAX = 200_000


@dataclass(slots=True)
class Subscription:
    """One subscription. Times are whole seconds; the body is cut down to `include_fields` where there are any."""

    id: int
    topic: str  # as in the header: customers/update
    uri: str
    created_at: int
    updated_at: int
    name: str | None = None
    include_fields: tuple[str, ...] = ()
    acknowledged: int = 0


@dataclass(slots=True)
class Delivery:
    """One webhook on its way to one subscription. `lost` is never sent; `failed` has used up its retries."""

    webhook_id: str
    event_id: str
    topic: str
    customer_id: int | None
    subscription: Subscription
    uri: str
    body: bytes
    triggered_at: float
    status: str = "pending"
    attempts: int = 0
    acknowledged_before: int = 0
    copies: int = 1


Schedule = Callable[[Delivery, float, int], None]
"""Takes a send that is to be made: the delivery, after how many seconds of the shop's clock, and which retry it is."""


class Courier:
    """Carries deliveries: by threads and over HTTP, or as a `schedule` from outside has it.

    Such a schedule is told of every send (a delivery, the seconds to wait, the number of the retry) and answers each
    with one call of `sent`. Sends of one customer that are due at the same moment belong in the order in which they
    were told. It may be called while the shop is locked, so it takes note and leaves the sending for later. `secret` is
    asked at each send.
    """

    def __init__(
        self,
        domain: str,
        secret: Callable[[], str],
        version: str,
        seed: int,
        faults: Faults,
        schedule: Schedule | None = None,
    ) -> None:
        self.domain, self.secret, self.version, self.faults = domain, secret, version, faults
        self.log: dict[str, Delivery] = {}
        self.dropped: Callable[[Subscription], None] = lambda subscription: None
        self._rng = Random(f"{seed}/deliveries")
        self._changed = threading.Condition()
        self._outstanding = 0
        self._lanes = None if schedule else Lanes(lambda: faults.allow_remote)
        self._hand_over = schedule or self._to_lanes

    # ---- Announcing

    def announce(
        self, subscription: Subscription, body: bytes, at: float, customer_id: int | None, event_id: str
    ) -> Delivery:
        """Take a delivery on. Whether it is lost, late or doubled is decided here and now."""
        with self._changed:
            delivery = Delivery(
                webhook_id=self._uuid(),
                event_id=event_id,
                topic=subscription.topic,
                customer_id=customer_id,
                subscription=subscription,
                uri=subscription.uri,
                body=body,
                triggered_at=at,
            )
            self._write_down(delivery)
            self._schedule_first(delivery)
            return delivery

    def event_id(self) -> str:
        with self._changed:
            return self._uuid()

    def again(self, webhook_id: str) -> bool:
        """Send a known delivery once more, same id and same body. False if nobody knows it."""
        with self._changed:
            delivery = self.log.get(webhook_id)
            if delivery is None:
                return False
            delivery.copies += 1
            self._schedule(delivery, 0.0)
            return True

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def _write_down(self, delivery: Delivery) -> None:
        self.log[delivery.webhook_id] = delivery
        if len(self.log) > LOG_MAX:
            del self.log[next(iter(self.log))]

    def _schedule_first(self, delivery: Delivery) -> None:
        # All four are drawn every time, so that switching one fault does not move the chances of the others.
        lost, doubled, held, late = (self._rng.random() for _ in range(4))
        faults = self.faults
        if lost < faults.lose:
            delivery.status = "lost"
            return
        wait = late * faults.delay + (REORDER_HOLD_S if held < faults.reorder else 0.0)
        self._schedule(delivery, wait)
        if doubled < faults.duplicate:
            delivery.copies += 1
            self._schedule(delivery, wait + late * REORDER_HOLD_S)

    def _schedule(self, delivery: Delivery, wait_s: float, retry: int = 0) -> None:
        self._outstanding += 1
        self._hand_over(delivery, wait_s, retry)

    # ---- Carrying

    def start(self) -> None:
        if self._lanes is not None:
            self._lanes.start()

    def stop(self) -> None:
        if self._lanes is not None:
            self._lanes.stop()

    def settle(self, seconds: float) -> bool:
        """Wait until nothing is on its way, at most so many seconds. False if something still is.

        It never waits for a schedule from outside: that one knows best what it still has.
        """
        with self._changed:
            timeout = 0.0 if self._lanes is None else seconds
            return self._changed.wait_for(lambda: self._outstanding == 0, timeout=timeout)

    @property
    def outstanding(self) -> int:
        return self._outstanding

    def _to_lanes(self, delivery: Delivery, wait_s: float, retry: int) -> None:
        if self._lanes is None:
            raise RuntimeError("This courier has a schedule, and no threads")
        headers, sent = partial(self.headers, delivery), partial(self.sent, delivery, retry)
        self._lanes.add(Parcel(delivery.customer_id or 0, delivery.uri, delivery.body, headers, sent), wait_s)

    def headers(self, delivery: Delivery) -> dict[str, str]:
        """All headers of a delivery; the signature is by the secret of this moment, as at each of Shopify's tries."""
        moment = datetime.fromtimestamp(delivery.triggered_at, UTC).isoformat(timespec="microseconds")
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": delivery.topic,
            "X-Shopify-Hmac-Sha256": signature(self.secret(), delivery.body),
            "X-Shopify-Shop-Domain": self.domain,
            "X-Shopify-API-Version": self.version,
            "X-Shopify-Webhook-Id": delivery.webhook_id,
            "X-Shopify-Triggered-At": moment.replace("+00:00", "Z"),
            "X-Shopify-Event-Id": delivery.event_id,
        }
        return headers | ({"X-Shopify-Name": delivery.subscription.name} if delivery.subscription.name else {})

    def sent(self, delivery: Delivery, retry: int, acknowledged: bool) -> None:
        """One send was made. If nobody acknowledged it, the next retry is scheduled, or the delivery given up."""
        with self._changed:
            self._settle_one(delivery, retry, acknowledged)
            self._outstanding -= 1
            self._changed.notify_all()

    def _settle_one(self, delivery: Delivery, retry: int, acknowledged: bool) -> None:
        subscription = delivery.subscription
        if delivery.attempts == 0:
            delivery.acknowledged_before = subscription.acknowledged
        delivery.attempts += 1
        if acknowledged:
            subscription.acknowledged += 1
            delivery.status = "acknowledged"
        elif retry < RETRIES_MAX:
            self._schedule(delivery, FIRST_RETRY_S * 2**retry * self.faults.retry_scale, retry + 1)
        else:
            self._give_up(delivery)

    def _give_up(self, delivery: Delivery) -> None:
        """After its last retry. A subscription that acknowledged nothing all that time is deleted, as Shopify does."""
        if delivery.status != "acknowledged":
            delivery.status = "failed"
        if delivery.acknowledged_before == delivery.subscription.acknowledged:
            self.dropped(delivery.subscription)


def signature(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
