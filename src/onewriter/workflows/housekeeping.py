"""Housekeeping: what has had its time is ended, as long as our clock can be trusted.

A key that is destroyed never comes back, and a clock that jumps a month ahead would destroy every body there is. So
nothing is ended unless another clock agrees with ours.
"""

from dataclasses import dataclass
from datetime import datetime

import structlog

from onewriter.customers import inbox, runs, shops
from onewriter.customers.shops import CONNECTED, Shop
from onewriter.records import DAY, HOUR, SECOND, Instant
from onewriter.runtime import Runtime
from onewriter.shopify.topics import LINE_TOPIC
from onewriter.vault.vault import day_of
from onewriter.workflows.schedules import REQUESTED_BY

TIDY = "housekeeping"
"""The durable job's name; its rows tell when it ran before."""
APART_MAX: Instant = HOUR
HEARD_WITHIN: Instant = 2 * DAY
TICKS_WITHIN: Instant = DAY
TICKS_MIN = 6
"""Where no shop is connected, in how many hours of the last day our clock must have struck."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why our clock is not trusted: it is wrong, or nothing here can tell."""

    reason: str
    wrong: bool


def tidy(runtime: Runtime) -> bool:
    """End the day keys whose time is over, and drop rows that nobody can open or needs any more.

    False, with nothing changed, when our clock cannot be trusted.
    """
    doubt = clock_doubt(runtime)
    if doubt is not None:
        log.warning("nothing is ended", reason=doubt.reason)
        return False
    moment = runtime.now()
    _end_bodies(runtime, moment)
    _drop_finished(runtime, moment)
    return True


def clock_doubt(runtime: Runtime) -> Doubt | None:
    """Why our clock cannot be trusted to end anything; None when it agrees within an hour with Shopify's.

    Without a connected shop there is no other clock, so ours must have struck evenly for some hours.
    """
    moment = runtime.now()
    with runtime.database.read() as db:
        known = [shop for shop in shops.every(db) if shop.state == CONNECTED]
    if not known:
        return _doubt_by_ticks(runtime, moment)
    return _doubt_by_shopify(known, moment)


def _doubt_by_shopify(known: list[Shop], now: Instant) -> Doubt | None:
    heard = [
        (shop.shopify_date_heard, shop.shopify_date)
        for shop in known
        if shop.shopify_date is not None and shop.shopify_date_heard is not None
    ]
    recent = [(ours, theirs) for ours, theirs in heard if abs(now - ours) <= HEARD_WITHIN]
    if not recent:
        return Doubt("Shopify's clock was not heard for two days, so that ours cannot be compared", wrong=False)
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


def _end_bodies(runtime: Runtime, now: Instant) -> None:
    """Drop what arrived too long ago, and end the keys that sealed it."""
    last_day = day_of(now) - runtime.settings.number("inbox_keep_days")
    # Rows before the key: a row whose key is gone is only clutter, a key without rows is nothing at all.
    with runtime.database.write() as db:
        inbox.drop_expired(db, last_day, given_up=[LINE_TOPIC])
    runtime.keys.end_days(last_day, now)


def _drop_finished(runtime: Runtime, now: Instant) -> None:
    """Drop the hourly comparisons that found nothing, and the durable jobs' own rows, of what ended long ago."""
    kept_since = now - runtime.settings.number("runs_keep_days") * DAY
    with runtime.database.write() as db:
        runs.drop_uneventful(db, REQUESTED_BY, kept_since)
    finished = runtime.jobs.list_workflows(
        status=["SUCCESS", "ERROR", "CANCELLED"],
        completed_before=datetime.fromtimestamp(kept_since / SECOND).astimezone().isoformat(),
        load_input=False,
        load_output=False,
        limit=1000,
    )
    runtime.jobs.delete_workflows([job.workflow_id for job in finished])
