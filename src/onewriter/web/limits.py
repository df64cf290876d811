"""How much the web process takes: sizes and times of a request, and budgets of what costs us more than the asker.

Nothing here counts by address: Shopify's deliveries may all come through one proxy on this machine, and a signed one
is never refused for what others send.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

BODY_MAX = 1024 * 1024
FORM_MAX = 256 * 1024
"""Bytes of what a page or a program sends, but for files."""
FILE_MAX = 64 * 1024 * 1024
"""Bytes of a file of customers; a larger one is for `onewriter csv import`."""
URL_MAX = 8 * 1024
HEADERS_MAX = 100
HEAD_MAX = 32 * 1024
"""Bytes of all headers together."""
RECEIVE_S = 15.0
"""How long a request may take to arrive in full; Shopify itself gives up after five seconds."""
SEND_S = 600.0
"""How long a file may take to arrive from somebody who may send it: the largest, at one megabit a second."""
CONNECTIONS_MAX = 900
"""Connections at a time, below the 1,024 open files that many systems allow; more are answered 503."""
CONNECTIONS_SPARE = 50
"""Connections above the most that are still told so, before more are closed without a word."""
TELL_EACH_S = 60.0

Clock = Callable[[], float]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many a second in the long run, and how many at once."""

    per_second: float
    at_once: int


REFUSED = Rate(10, 100)
"""Deliveries that are answered 401; those beyond are answered 429."""
LOOKS = Rate(5, 50)
"""Looks into the database for shops that nobody knows."""
READY = Rate(10, 50)
METRICS = Rate(2, 20)
CALLBACKS = Rate(2, 20)
CALLS = Rate(20, 200)
"""Calls of the API by one token."""
STRANGERS = Rate(5, 50)
"""Calls of the API and tries to log in by whoever we do not know."""
STREAMS_MAX = 50
"""Browsers and programs that watch runs at a time."""
THREADS_MAX = 2
"""Threads that answer pages and calls; the door has its own. With more of them deliveries wait twice as long."""
TURN_S = 0.0005
"""How long a thread that computes keeps the interpreter; at Python's own 5 ms the door would wait so long each time."""


class TokenBucket:
    """A budget of tokens that fills with time. It has no clock: whoever takes a token says what time it is."""

    __slots__ = ("_at_s", "_rate", "_tokens")

    def __init__(self, rate: Rate, now_s: float) -> None:
        self._rate = rate
        self._tokens = float(rate.at_once)
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Take a token; False when there is none. A clock that goes backwards gives none and takes none away."""
        passed_s = max(0.0, now_s - self._at_s)
        self._at_s = max(self._at_s, now_s)
        self._tokens = min(float(self._rate.at_once), self._tokens + passed_s * self._rate.per_second)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait_s(self) -> int:
        """Whole seconds, at least one, until there is a token again; counted from when one was last asked for."""
        return max(1, math.ceil((1.0 - self._tokens) / self._rate.per_second))


class Refusals:
    """Says what a delivery that is not let in is answered, and tells the log when there are too many of them."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._bucket = TokenBucket(REFUSED, clock())
        self._beyond = 0
        self._tell_at_s = -math.inf

    def status(self) -> int:
        """401, or 429 once too many were refused. Only what was refused anyway is counted."""
        now_s = self._clock()
        if self._bucket.take(now_s):
            return 401
        self._beyond += 1
        if now_s >= self._tell_at_s:
            log.warning("too many deliveries that nobody signed", beyond_the_budget=self._beyond)
            self._tell_at_s = now_s + TELL_EACH_S
        return 429
