"""Housekeeping: what has had its time is ended."""

from datetime import datetime

from onewriter.customers import inbox, questions
from onewriter.intake.drain import PARKED_DELIVERY
from onewriter.records import DAY, SECOND
from onewriter.runtime import Runtime
from onewriter.vault.vault import day_of


def tidy(runtime: Runtime) -> None:
    """End the day keys whose time is over, and drop rows that nobody can open or needs any more."""
    moment = runtime.now()
    last_day = day_of(moment) - runtime.settings.number("inbox_keep_days")
    # Rows before the key: a row whose key is gone is only clutter, a key without rows is nothing at all.
    with runtime.database.write() as db:
        for shop_id, position in inbox.parked_before(db, last_day):
            questions.withdraw(db, shop_id, PARKED_DELIVERY, [str(position)], moment)
        inbox.drop_expired(db, last_day)
    runtime.keys.end_days(last_day, moment)
    kept_since = moment - runtime.settings.number("runs_keep_days") * DAY
    finished = runtime.jobs.list_workflows(
        status=["SUCCESS", "ERROR", "CANCELLED"],
        completed_before=datetime.fromtimestamp(kept_since / SECOND).astimezone().isoformat(),
        load_input=False,
        load_output=False,
        limit=1000,
    )
    runtime.jobs.delete_workflows([job.workflow_id for job in finished])
