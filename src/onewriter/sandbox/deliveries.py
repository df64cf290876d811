"""Webhook deliveries: signed, sent by threads of their own, tried again, and disturbed on request.

Every chance is drawn when the delivery is announced, from the shop's seed, so that the same shop with the same history
loses and repeats the same deliveries however the threads run.
"""

import base64
import hmac
import ipaddress
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heappop, heappush
from random import Random
from urllib.parse import urlsplit

import httpx2

from onewriter.sandbox.faults import Faults

RETRIES_MAX = 8
# Eight doublings that add up to four hours.
FIRST_RETRY_S = 14_400 / (2**RETRIES_MAX - 1)
CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 5.0
LANES = 8
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


@dataclass(order=True, slots=True)
class _Send:
    due: float
    sequence: int
    delivery: Delivery = field(compare=False)
    retry: int = field(compare=False, default=0)


class Courier:
    """Carries deliveries. Those of one customer share a lane, so that without a fault they arrive in order."""

    def __init__(self, domain: str, secret: str, version: str, seed: int, faults: Faults) -> None:
        self.domain, self.secret, self.version, self.faults = domain, secret, version, faults
        self.log: dict[str, Delivery] = {}
        self.dropped: Callable[[Subscription], None] = lambda subscription: None
        self._rng = Random(f"{seed}/deliveries")
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._lanes: list[list[_Send]] = [[] for _ in range(LANES)]
        self._outstanding = 0
        self._sequence = 0
        self._stopping = False
        self._threads: list[threading.Thread] = []

    # ---- Announcing

    def announce(
        self, subscription: Subscription, body: bytes, at: float, customer_id: int | None, event_id: str
    ) -> Delivery:
        """Take a delivery on. Whether it is lost, late or doubled is decided here and now."""
        with self._lock:
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
        with self._lock:
            return self._uuid()

    def again(self, webhook_id: str) -> bool:
        """Send a known delivery once more, same id and same body. False if nobody knows it."""
        with self._lock:
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

    def _schedule(self, delivery: Delivery, wait: float, retry: int = 0) -> None:
        self._sequence += 1
        self._outstanding += 1
        lane = self._lanes[(delivery.customer_id or 0) % LANES]
        heappush(lane, _Send(time.monotonic() + wait, self._sequence, delivery, retry))
        self._changed.notify_all()

    # ---- Sending

    def start(self) -> None:
        timeout = httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        # A proxy of the environment must not see what is meant for this machine.
        self._client = httpx2.Client(timeout=timeout, trust_env=False)
        self._threads = [threading.Thread(target=self._run, args=(lane,), daemon=True) for lane in self._lanes]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=ANSWER_TIMEOUT_S + 1)
        self._client.close()

    def settle(self, seconds: float) -> bool:
        """Wait until nothing is on its way, at most so many seconds. False if something still is."""
        with self._lock:
            return self._changed.wait_for(lambda: self._outstanding == 0, timeout=seconds)

    @property
    def outstanding(self) -> int:
        return self._outstanding

    def _run(self, lane: list[_Send]) -> None:
        while (send := self._next(lane)) is not None:
            acknowledged = self._post(send.delivery)
            with self._finishing():
                self._settle_one(send, acknowledged)

    def _next(self, lane: list[_Send]) -> _Send | None:
        with self._lock:
            while not self._stopping:
                wait = lane[0].due - time.monotonic() if lane else None
                if wait is not None and wait <= 0:
                    return heappop(lane)
                self._changed.wait(timeout=wait)
            return None

    @contextmanager
    def _finishing(self) -> Iterator[None]:
        with self._lock:
            yield
            self._outstanding -= 1
            self._changed.notify_all()

    def _post(self, delivery: Delivery) -> bool:
        if not (self.faults.allow_remote or is_loopback(delivery.uri)):
            return False
        try:
            answer = self._client.post(delivery.uri, content=delivery.body, headers=self.headers(delivery))
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return False
        return answer.is_success

    def headers(self, delivery: Delivery) -> dict[str, str]:
        moment = datetime.fromtimestamp(delivery.triggered_at, UTC).isoformat(timespec="microseconds")
        headers = {
            "Content-Type": "application/json",
            "X-Shopify-Topic": delivery.topic,
            "X-Shopify-Hmac-Sha256": signature(self.secret, delivery.body),
            "X-Shopify-Shop-Domain": self.domain,
            "X-Shopify-API-Version": self.version,
            "X-Shopify-Webhook-Id": delivery.webhook_id,
            "X-Shopify-Triggered-At": moment.replace("+00:00", "Z"),
            "X-Shopify-Event-Id": delivery.event_id,
        }
        return headers | ({"X-Shopify-Name": delivery.subscription.name} if delivery.subscription.name else {})

    def _settle_one(self, send: _Send, acknowledged: bool) -> None:
        delivery, subscription = send.delivery, send.delivery.subscription
        if delivery.attempts == 0:
            delivery.acknowledged_before = subscription.acknowledged
        delivery.attempts += 1
        if acknowledged:
            subscription.acknowledged += 1
            delivery.status = "acknowledged"
        elif send.retry < RETRIES_MAX:
            wait = FIRST_RETRY_S * 2**send.retry * self.faults.retry_scale
            self._schedule(delivery, wait, send.retry + 1)
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


def is_loopback(uri: str) -> bool:
    host = urlsplit(uri).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
