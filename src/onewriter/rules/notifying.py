"""Notices: what people are told of without looking, when a notice is sent again, and how one proves that it is ours.

A notice says what happened and where to look. It holds sentences and ids of ours alone, never a value of a customer's.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from onewriter.records import DAY, HOUR, SECOND, Instant

TEXT_MAX = 500
"""Letters of a notice; a longer reason is cut."""
MINUTE: Instant = 60 * SECOND
WAITS: Sequence[Instant] = (1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 1 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR)
"""How long after each try that failed the next one comes; together a day."""
NEAR: Instant = 7 * DAY
LAST: Instant = 2 * DAY
"""How long before its deadline a request of privacy is told of, and told of again."""
LOOK_BACK: Instant = 7 * DAY
"""Older things that happened are not told of, however long nobody looked: longer than a machine is away on holidays."""


class Kind(StrEnum):
    """What a notice is about."""

    BEGUN = "notices begin"
    RUN_FAILED = "run failed"
    RUN_PAUSED = "run paused"
    DEADLINE_NEAR = "deadline near"
    DEADLINE_LAST = "deadline in two days"
    CASE_RETURNED = "case returned"
    CASE_ESCALATED = "case escalated"
    QUESTION = "question waits"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people are to be told of. Nobody is told twice of the same kind and subject."""

    kind: Kind
    subject: str
    """By ids of ours; what can happen again to the same thing has the time in it."""
    text: str
    shop_id: int | None = None


def path_of(subject: str, shop: str | None) -> str:
    """The page that shows what a notice is about; cases are counted in each shop, so that one alone is not enough."""
    what, _, rest = subject.partition(" ")
    number = rest.partition(" ")[0].rstrip(",")
    pages = {"run": "/runs/", "case": "/cases/", "question": "/questions/", "request": "/privacy/requests/"}
    of_shop = f"?shop={shop}" if what == "case" and shop is not None else ""
    return f"{pages[what]}{number}{of_shop}" if what in pages else "/"


def cut(text: str) -> str:
    """A text on one line, no longer than a notice may be."""
    line = " ".join(text.split())
    return line if len(line) <= TEXT_MAX else line[: TEXT_MAX - 1] + "…"


def next_try(tries: int, now: Instant) -> Instant | None:
    """When a notice is tried again that failed so often; None once it is given up, after about a day."""
    return now + WAITS[tries - 1] if tries <= len(WAITS) else None


def signature(secret: str, body: bytes, now: Instant) -> str:
    """What proves a body: `t=SECONDS,v1=HEX`, with the HMAC-SHA256 of `SECONDS.BODY` keyed by the secret."""
    stamp = str(now // SECOND)
    proof = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={proof}"
