"""Housekeeping: what has had its time is ended, as long as our clock can be trusted."""

from datetime import datetime

import structlog

from onewriter.customers import inbox, invitations, notices, replies, runs, sessions, shops
from onewriter.customers import log as field_log
from onewriter.db import cleaning
from onewriter.records import DAY, SECOND, Instant
from onewriter.runtime import Runtime
from onewriter.shopify.topics import LINE_TOPIC
from onewriter.vault.vault import day_of
from onewriter.workflows import uploads
from onewriter.workflows.clock import clock_doubt
from onewriter.workflows.schedules import REQUESTED_BY

log = structlog.get_logger(__name__)

LOG_TABLE = "field_log"


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
    _end_values(runtime, moment)
    _drop_finished(runtime, moment)
    uploads.drop_old(runtime)
    return True


def _end_bodies(runtime: Runtime, now: Instant) -> None:
    """Drop what arrived too long ago, and end the keys that sealed it."""
    last_day = day_of(now) - runtime.settings.number("inbox_keep_days")
    # Rows before the key: a row whose key is gone is only clutter, a key without rows is nothing at all.
    with runtime.database.write() as db:
        inbox.drop_expired(db, last_day, given_up=[LINE_TOPIC])
    runtime.keys.end_days(last_day, now)


def _end_values(runtime: Runtime, now: Instant) -> None:
    """Empty the boxes of the field log whose time is over, and clean the database of them.

    The customer's key lives on and would open what is left of a box anywhere in a file; a short file of SQLite is
    written anew, and of a longer one the log is emptied now and the rest goes with the next purge that writes it anew.
    """
    with runtime.database.write() as db:
        emptied = sum(field_log.empty_boxes(db, shop.id, now) for shop in shops.every(db))
    if emptied:
        cleaning.clean(runtime.database, [LOG_TABLE])


def _drop_finished(runtime: Runtime, now: Instant) -> None:
    """Drop what ended long ago: comparisons that found nothing, the durable jobs' own rows, sessions and links."""
    kept_since = now - runtime.settings.number("runs_keep_days") * DAY
    with runtime.database.write() as db:
        runs.drop_uneventful(db, REQUESTED_BY, kept_since)
        for each in (sessions, invitations, replies, notices):
            each.drop_ended(db, now)
    finished = runtime.jobs.list_workflows(
        status=["SUCCESS", "ERROR", "CANCELLED"],
        completed_before=datetime.fromtimestamp(kept_since / SECOND).astimezone().isoformat(),
        load_input=False,
        load_output=False,
        limit=1000,
    )
    runtime.jobs.delete_workflows([job.workflow_id for job in finished])
