"""The cost budget of one shop: Shopify fills a bucket of points at a steady rate, and each query takes some out.

A query needs its *requested* cost free in the bucket, and gets back what it did not use. The bucket is known from the
last answer; between answers it is reckoned forward. Shops on dearer plans have larger and faster buckets, so nothing
is assumed before the first answer. A budget is not safe between threads by itself: the client holds its lock around
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from onewriter.records import SECOND, Instant

KNOWN_MAX = 512
"""Costs remembered at a time; there are a dozen documents, and as many sizes as pages are asked for."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What Shopify last said of the bucket: points, points, and points a second."""

    maximum: float
    available: float
    restore_rate: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What one query was to cost at most, and the bucket after it."""

    requested: float
    bucket: Bucket

    def wait_s(self) -> float:
        """Seconds until the bucket holds that cost again."""
        return max(0.0, (self.requested - self.bucket.available) / self.bucket.restore_rate)


def read_cost(extensions: Any) -> Cost | None:
    """The cost in an answer's `extensions`, or None if it is not there in full."""
    try:
        cost = extensions["cost"]
        status = cost["throttleStatus"]
        bucket = Bucket(
            float(status["maximumAvailable"]), float(status["currentlyAvailable"]), float(status["restoreRate"])
        )
        requested = float(cost["requestedQueryCost"])
    except (KeyError, TypeError, ValueError):
        return None
    return Cost(requested, bucket) if bucket.restore_rate > 0 else None


class Budget:
    """What may be sent now without being throttled."""

    def __init__(self) -> None:
        self._bucket: Bucket | None = None
        self._at: Instant = 0
        self._on_the_way = 0.0
        self._costs: dict[Any, float] = {}

    def reserve(self, kind: Any, now: Instant) -> tuple[float, float]:
        """The cost set aside for a query of a kind that was sent before, and the seconds to wait before sending it.

        Every reservation must be released. A kind that was never sent is free: its first answer tells its cost.
        """
        cost = self._costs.get(kind, 0.0)
        self._on_the_way += cost
        return cost, self._wait_s(now) if cost else 0.0

    def release(self, reserved: float) -> None:
        """The query is over, whatever became of it."""
        self._on_the_way -= reserved

    def observe(self, kind: Any, cost: Cost, now: Instant) -> None:
        """An answer has come: what the query costs, and what the bucket holds."""
        if len(self._costs) >= KNOWN_MAX:
            self._costs.clear()
        # A query that costs more than a full bucket would wait for ever, and Shopify says so itself when it is sent.
        self._costs[kind] = min(cost.requested, cost.bucket.maximum)
        self._bucket, self._at = cost.bucket, now

    def _wait_s(self, now: Instant) -> float:
        if self._bucket is None:
            return 0.0
        passed_s = max(0, now - self._at) / SECOND
        filled = min(self._bucket.maximum, self._bucket.available + passed_s * self._bucket.restore_rate)
        return max(0.0, (self._on_the_way - filled) / self._bucket.restore_rate)


def kind_of(document: str, variables: Mapping[str, Any]) -> tuple[str, int]:
    """Queries of one kind cost the same: one document, and as many things in its lists."""
    return document, sum(len(value) for value in variables.values() if isinstance(value, list | tuple))
