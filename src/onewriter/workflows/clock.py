"""Whether our clock can be trusted: whatever ends something for good asks here first.

A key that is destroyed never comes back, and a clock that jumps a month ahead would destroy every body there is. So
nothing is ended unless another clock agrees with ours.
"""

from dataclasses import dataclass
from datetime import datetime

from onewriter.customers import shops
from onewriter.customers.shops import CONNECTED, Shop
from onewriter.records import DAY, HOUR, SECOND, Instant
from onewriter.runtime import Runtime

TIDY = "housekeeping"
"""The durable job's name; its rows tell when it ran before."""
APART_MAX: Instant = HOUR
HEARD_WITHIN: Instant = 2 * DAY
TICKS_WITHIN: Instant = DAY
TICKS_MIN = 6
"""Where no shop is connected, in how many hours of the last day our clock must have struck."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why our clock is not trusted: it is wrong, or nothing here can tell."""

    reason: str
    wrong: bool


def clock_doubt(runtime: Runtime, within: Instant = HEARD_WITHIN) -> Doubt | None:
    """Why our clock cannot be trusted to end anything; None when it agrees within an hour with Shopify's.

    Without a connected shop there is no other clock, so ours must have struck evenly for some hours.
    """
    moment = runtime.now()
    with runtime.database.read() as db:
        known = [shop for shop in shops.every(db) if shop.state == CONNECTED]
    if not known:
        return _doubt_by_ticks(runtime, moment)
    return _doubt_by_shopify(known, moment, within)


def _doubt_by_shopify(known: list[Shop], now: Instant, within: Instant) -> Doubt | None:
    heard = [
        (shop.shopify_date_heard, shop.shopify_date)
        for shop in known
        if shop.shopify_date is not None and shop.shopify_date_heard is not None
    ]
    recent = [(ours, theirs) for ours, theirs in heard if abs(now - ours) <= within]
    if not recent:
        return Doubt(
            f"Shopify's clock was not heard for {within // HOUR} hours, so that ours cannot be compared", wrong=False
        )
    # The nearest: what was heard before a clock was put back seems to be still to come.
    ours, theirs = min(recent, key=lambda pair: abs(now - pair[0]))
    if abs(ours - theirs) > APART_MAX:
        return Doubt("our clock and Shopify's are more than an hour apart", wrong=True)
    return None


def _doubt_by_ticks(runtime: Runtime, now: Instant) -> Doubt | None:
    since = datetime.fromtimestamp((now - TICKS_WITHIN) / SECOND).astimezone().isoformat()
    ticks = runtime.jobs.list_workflows(name=TIDY, start_time=since, load_input=False, load_output=False)
    # A clock that is put forward strikes all that it passed at once: many ticks, but in one hour.
    hours = {tick.created_at * 1000 // HOUR for tick in ticks if tick.created_at is not None}
    if len({hour for hour in hours if hour <= now // HOUR}) >= TICKS_MIN:
        return None
    reason = f"no shop is connected, and our clock has not struck in {TICKS_MIN} hours of the last day"
    return Doubt(reason, wrong=False)
