"""When to try again. Permanence is in the type of the error, and the answer is a value."""

from dataclasses import dataclass

from onewriter.errors import Permanent, Temporary

ATTEMPTS_MAX = 8
WAIT_MAX_S = 900.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again in so many seconds; `counts` says whether this try used one of the attempts up."""

    in_s: float
    counts: bool


def decide(error: Exception, attempts: int) -> Retry | None:
    """When to try again after `attempts` real tries, or None to park the row for a person.

    A temporary error never counts: a database that is down all night must not park a single delivery.
    """
    if isinstance(error, Temporary):
        asked_s = getattr(error, "retry_after_s", None)
        return Retry(in_s=asked_s if asked_s is not None else 5.0, counts=False)
    if isinstance(error, Permanent) or attempts + 1 >= ATTEMPTS_MAX:
        return None
    return Retry(in_s=min(2.0**attempts, WAIT_MAX_S), counts=True)
