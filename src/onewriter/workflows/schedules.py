"""What is done for every connected shop by the clock: looked at and brought up to date each hour, compared each night.

The durable jobs strike every five minutes, and each strike is for a twelfth of the shops, so that they do not all start
at one second. What no strike brought about, because nobody was running or a clock was moved, is made up for.
"""

from contextlib import suppress
from datetime import datetime

import structlog

from onewriter.customers import erasing, runs, shops
from onewriter.customers.runs import AlreadyRunning
from onewriter.customers.shops import CONNECTED, Shop
from onewriter.intake.watch import Watch, Watched
from onewriter.records import HOUR, SECOND, Instant
from onewriter.runtime import Runtime, new_run_id
from onewriter.workflows import auditing, copies, indexing, orders, points
from onewriter.workflows.carrying import resume_if_possible
from onewriter.workflows.reconciling import queue

STRIKE = "*/5 * * * *"
STRIKE_MINUTES = 5
SLOTS = 60 // STRIKE_MINUTES
STALE: Instant = 15 * 60 * SECOND
"""A strike that is carried out later than this is past: a clock that was put forward strikes all it passed at once."""
OVERDUE: Instant = 2 * HOUR
FULL_OVERDUE: Instant = 30 * HOUR
FULL_AGAIN: Instant = 6 * HOUR
"""How long after a full reconcile was asked for, and did not end well, an overdue one is asked for again."""
REQUESTED_BY = "schedule"

log = structlog.get_logger(__name__)


def strike(runtime: Runtime, due: datetime) -> None:
    """Carry one strike out: the hourly work of its twelfth of the shops, and at night the nightly work too."""
    _end_erasures(runtime)
    copies.refresh(runtime)
    if runtime.now() - int(due.timestamp() * SECOND) > STALE:
        log.info("strike is past", due=due.isoformat())
        return
    slot = due.minute // STRIKE_MINUTES
    if due.hour == runtime.settings.number("nightly_hour"):
        nightly(runtime, slot)
    hourly(runtime, slot)
    indexing.tend(runtime, slot, SLOTS)


def _end_erasures(runtime: Runtime) -> None:
    """Destroy the keys that a process left which died in the middle of an erasure; no clock decides it."""
    try:
        erasing.end(runtime.database, runtime.keys, runtime.now())
    except Exception as error:  # noqa: BLE001 - what the shops are due must not wait for it; the next strike tries again
        log.warning("keys are not destroyed yet", error=type(error).__name__)


def hourly(runtime: Runtime, slot: int | None = None) -> None:
    """Watch every connected shop (of one slot), resume its paused runs, and queue what is read of it each hour."""
    for shop in _connected(runtime, slot):
        _settle_points(runtime, shop.id)
        _audit(runtime, shop.id)
        attend(runtime, shop.id)


def _settle_points(runtime: Runtime, shop_id: int) -> None:
    """Post what has fallen due in the accounts of a shop; Shopify need not be reached for it."""
    try:
        points.settle_due(runtime, shop_id)
    except Exception as error:  # noqa: BLE001 - a balance is right without it, and the next hour tries again
        log.warning("points are not settled", shop=shop_id, error=type(error).__name__)


def _audit(runtime: Runtime, shop_id: int) -> None:
    """Queue what is to be audited of a shop; neither Shopify nor any system is asked for it."""
    try:
        auditing.queue_due(runtime, shop_id)
    except Exception as error:  # noqa: BLE001 - one shop must not keep the others waiting
        log.warning("systems are not audited", shop=shop_id, error=type(error).__name__)


def nightly(runtime: Runtime, slot: int | None = None) -> None:
    """Queue the full reconcile of every connected shop (of one slot)."""
    for shop in _connected(runtime, slot):
        try:
            _queue(runtime, shop.id)
        except Exception as error:  # noqa: BLE001 - one shop must not keep the others waiting
            log.warning("shop is not compared", shop=shop.id, error=type(error).__name__)


def attend(runtime: Runtime, shop_id: int) -> bool:
    """Do the hourly work of one shop; False if it cannot be asked now."""
    watched = look(runtime, shop_id)
    if watched is None or not watched.works:
        return watched is not None
    try:
        _queue(runtime, shop_id, recent=True)
        _queue_orders(runtime, shop_id)
        if _full_is_overdue(runtime, shop_id):
            _queue(runtime, shop_id)
    except Exception as error:  # noqa: BLE001 - one shop must not keep the others waiting
        log.warning("shop is not compared", shop=shop_id, error=type(error).__name__)
        return False
    return True


def look(runtime: Runtime, shop_id: int) -> Watched | None:
    """Watch one shop, and resume its paused runs; None, with a line in the log, if it cannot be asked now."""
    watch = Watch(runtime.database, runtime.client, runtime.enqueue, new_run_id, runtime.now)
    try:
        watched = watch.once(shop_id)
        if watched is not None and watched.works:
            resume_if_possible(runtime, shop_id)
    except Exception as error:  # noqa: BLE001 - one shop must not keep the others waiting
        log.warning("shop cannot be watched", shop=shop_id, error=type(error).__name__)
        return None
    return watched


def unwatched(runtime: Runtime) -> list[Shop]:
    """The connected shops that must be looked at now: asked for, or passed over by the strikes for too long."""
    moment = runtime.now()
    return [shop for shop in _connected(runtime, None) if shop.checked_at is None or _is_overdue(shop, moment)]


def catch_up(runtime: Runtime, shop: Shop) -> bool:
    """Do for an unwatched shop what it was left without; False if it cannot be asked now."""
    if shop.checked_at is None:
        return look(runtime, shop.id) is not None
    return attend(runtime, shop.id)


def _is_overdue(shop: Shop, now: Instant) -> bool:
    return shop.checked_at is not None and not _is_within(shop.checked_at, OVERDUE, now)


def _full_is_overdue(runtime: Runtime, shop_id: int) -> bool:
    moment = runtime.now()
    with runtime.database.read() as db:
        shop, asked = shops.by_id(db, shop_id), runs.last_requested(db, shop_id, runs.RECONCILE)
    if asked is not None and _is_within(asked, FULL_AGAIN, moment):
        return False
    return not _is_within(shop.full_at or shop.connected_at, FULL_OVERDUE, moment)


def _is_within(then: Instant, most: Instant, now: Instant) -> bool:
    """True if that is no longer ago. What seems to be still to come met a clock that has been put back since."""
    return now - most < then < now + HOUR


def _connected(runtime: Runtime, slot: int | None) -> list[Shop]:
    with runtime.database.read() as db:
        known = shops.every(db)
    return [shop for shop in known if shop.state == CONNECTED and slot in (None, shop.id % SLOTS)]


def _queue(runtime: Runtime, shop_id: int, *, recent: bool = False) -> None:
    """Queue a reconcile, unless one of its kind is under way, or an import that reads everybody anyway."""
    with suppress(AlreadyRunning), runtime.database.write() as db:
        if not runs.is_importing(db, shop_id):
            queue(runtime, db, shop_id, REQUESTED_BY, runtime.now(), recent=recent)


def _queue_orders(runtime: Runtime, shop_id: int) -> None:
    """Queue the order reconcile where orders can earn; not while an import brings their customers."""
    with suppress(AlreadyRunning), runtime.database.write() as db:
        if orders.are_wanted(db, shop_id) and not runs.is_importing(db, shop_id):
            orders.queue(runtime, db, shop_id, REQUESTED_BY, runtime.now())
