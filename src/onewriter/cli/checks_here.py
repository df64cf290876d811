"""Checks of what is here: databases, keys, workers, the inbox, questions and whether our clock is trusted."""

from collections.abc import Iterator

from onewriter.cli.checked import Checked, Level
from onewriter.cli.progress import span
from onewriter.cli.session import opening, worker_lives
from onewriter.customers import inbox, questions, shops
from onewriter.db import migrate, place
from onewriter.errors import DatabaseBusy, OnewriterError
from onewriter.runtime import Runtime, now
from onewriter.vault import master
from onewriter.workflows.housekeeping import clock_doubt

BACKLOG_WARNING_S = 60.0
"""A delivery that waits longer than this was not taken up by any worker."""


def check_databases(runtime: Runtime) -> tuple[list[Checked], bool]:
    """The databases, their schema and the keys; False when one of them cannot be reached."""
    named = (("database", runtime.database), ("key store", runtime.key_database))
    lines, reached = [], True
    for name, database in named:
        try:
            lines.append(Checked(name, Level.OK, f"reached, {place.version(database)}"))
        except DatabaseBusy as error:
            lines.append(Checked(name, Level.FAULT, str(error).rstrip("."), "start it, or correct its address"))
            reached = False
    if reached:
        lines += [_schema_and_keys(runtime), *_master_key_file(runtime), _apart(runtime)]
    return lines, reached


def _schema_and_keys(runtime: Runtime) -> Checked:
    """Bring the schema up to date, as every command does, and prove that the master key opens the key store."""
    try:
        with opening():
            runtime.prepare()
    except OnewriterError as error:
        return Checked("keys", Level.FAULT, str(error))
    revision = migrate.revision(runtime.database)
    return Checked("keys", Level.OK, f"the master key opens the key store; schema {revision} is current")


def _master_key_file(runtime: Runtime) -> Iterator[Checked]:
    """Whoever reads the master key opens everything, so nobody but its owner may."""
    settings = runtime.settings
    path = settings.master_key_file
    if settings.text("master_key") or settings.text("master_key_command") or not path.exists():
        return
    if master.readable_by_others(path):
        yield Checked("master key", Level.FAULT, "other users can read its file", f"run: chmod 600 {path}")
    else:
        yield Checked("master key", Level.OK, "only its owner can read its file")


def _apart(runtime: Runtime) -> Checked:
    """A purged value must not come back from a backup that holds both the value and its key."""
    one, other = runtime.database, runtime.key_database
    step = "set ONEWRITER_KEYSTORE_URL to a place that is backed up apart"
    if place.same_cluster(one, other):
        return Checked(
            "keys apart", Level.FAULT, "the key store is on the same PostgreSQL server as the database", step
        )
    if place.same_volume(one, other):
        return Checked("keys apart", Level.WARNING, "the key store is on the database's own disk", step)
    return Checked("keys apart", Level.OK, "the key store is apart from the database")


def check_work(runtime: Runtime) -> list[Checked]:
    """The workers, and what waits for them and for people."""
    moment = now()
    with runtime.database.read() as db:
        lives = worker_lives(runtime, db)
        states = inbox.open_counts(db)
        waited_s = inbox.backlog_s(db, moment)
        asked = questions.count(db)
        any_shop = bool(shops.every(db))
    lines = [_worker(lives), _backlog(states, waited_s), _parked(states), _questions(asked)]
    return [*lines, _housekeeping(runtime)] if any_shop else lines


def _worker(lives: bool) -> Checked:
    if lives:
        return Checked("worker", Level.OK, "a worker is running")
    return Checked("worker", Level.FAULT, "no worker is running", "start `onewriter serve` or `onewriter worker`")


def _backlog(states: dict[str, int], waited_s: float) -> Checked:
    waiting = states.get(inbox.WAITING, 0)
    if waited_s > BACKLOG_WARNING_S:
        text = f"{waiting} deliveries wait, the oldest for {span(waited_s)}"
        return Checked("inbox", Level.WARNING, text, "see that a worker is running and keeps up")
    return Checked("inbox", Level.OK, f"{waiting} deliveries wait")


def _parked(states: dict[str, int]) -> Checked:
    parked = states.get(inbox.PARKED, 0)
    if parked:
        step = "`onewriter inbox list --state parked` shows them"
        return Checked("parked", Level.WARNING, f"{parked} deliveries are parked for a person", step)
    return Checked("parked", Level.OK, "no delivery is parked")


def _questions(asked: int) -> Checked:
    if asked:
        return Checked(
            "questions", Level.WARNING, f"{asked} wait for a person", "`onewriter questions list` shows them"
        )
    return Checked("questions", Level.OK, "none waits")


def _housekeeping(runtime: Runtime) -> Checked:
    """What has had its time is ended by our clock, and nothing is as long as no other clock agrees with it."""
    doubt = clock_doubt(runtime)
    if doubt is None:
        return Checked("housekeeping", Level.OK, "our clock agrees with another one, so what has had its time is ended")
    level = Level.FAULT if doubt.wrong else Level.WARNING
    step = "set this machine's clock" if doubt.wrong else "see that a worker is running and reaches Shopify"
    return Checked("housekeeping", level, f"nothing is ended, since {doubt.reason}", step)
