"""Checks of what is here: keys, workers, the inbox, questions, and whether our clock is trusted."""

from collections.abc import Iterator

from onewriter.customers import inbox, notices, questions, requests, shops
from onewriter.customers.requests import OpenCount
from onewriter.db import place
from onewriter.desk.checked import Checked, Level
from onewriter.desk.checks_copies import check_copy
from onewriter.desk.choosing import worker_lives
from onewriter.desk.spans import span
from onewriter.runtime import Runtime
from onewriter.vault import master
from onewriter.vault.standing import HERE, MISSING, is_alone, standings
from onewriter.workflows.clock import clock_doubt

BACKLOG_WARNING_S = 60.0
"""A delivery that waits longer than this was not taken up by any worker."""


def check_keys(runtime: Runtime) -> list[Checked]:
    """The master keys and the copies of the key store, once the master key is proven to open it."""
    return [*_master_keys(runtime), check_copy(runtime)]


def check_key_file(runtime: Runtime) -> Iterator[Checked]:
    """Whoever reads the master key opens everything, so nobody but its owner may."""
    settings = runtime.settings
    path = settings.master_key_file
    if settings.text("master_key") or settings.text("master_key_command") or not path.exists():
        return
    if master.readable_by_others(path):
        yield Checked("master key", Level.FAULT, "other users can read its file", f"run: chmod 600 {path}")
    else:
        yield Checked("master key", Level.OK, "only its owner can read its file")


def _master_keys(runtime: Runtime) -> Iterator[Checked]:
    """Each master key that is not the only one: the older one must open what it wraps until nothing is left of that."""
    with runtime.key_database.read() as db:
        # To count a million keys takes a second.
        found = [] if is_alone(db, runtime.keys) else standings(db, runtime.keys)
    for one in found:
        if one.state == MISSING:
            text = f"{one.wraps} keys are wrapped with {one.id}, which is not in the settings"
            yield Checked("master keys", Level.FAULT, text, "put it back below the first one")
        elif one.state == HERE and one.wraps:
            text = f"{one.wraps} keys are still wrapped with {one.id}, which is not the first in the settings"
            yield Checked("master keys", Level.WARNING, text, "run `onewriter keys rotate`")
        elif one.may_go:
            text = f"{one.id} wraps nothing any more; keep it while you keep a backup that was made with it"
            yield Checked("master keys", Level.OK, text)


def check_apart(runtime: Runtime) -> Checked:
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
    moment = runtime.now()
    with runtime.database.read() as db:
        lives = worker_lives(runtime, db)
        states = inbox.open_counts(db)
        waited_s = inbox.backlog_s(db, moment)
        asked = questions.count(db)
        any_shop = bool(shops.every(db))
        in_law = requests.open_count(db, moment)
        troubled = notices.counts(db)
    lines = [_worker(lives), _backlog(states, waited_s), _parked(states), _questions(asked), _requests(in_law)]
    lines += _notices(troubled)
    return [*lines, _housekeeping(runtime)] if any_shop else lines


def _worker(lives: bool) -> Checked:
    if lives:
        return Checked("worker", Level.OK, "a worker is running")
    return Checked("worker", Level.FAULT, "no worker is running", "start `onewriter serve` or `onewriter worker`")


def _notices(troubled: dict[str, int]) -> Iterator[Checked]:
    """What people should have been told and were not; nothing where all arrives, or nobody is to be told."""
    if troubled:
        text = (
            f"{troubled.get(notices.WAITING, 0)} could not be sent yet, {troubled.get(notices.FAILED, 0)} were given up"
        )
        yield Checked("notices", Level.WARNING, text, "`onewriter notify list` says why, `onewriter notify test` tries")


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


def _requests(counted: OpenCount) -> Checked:
    """What is asked of us in law must be done within thirty days of its receipt."""
    step = "`onewriter privacy requests` lists them"
    if counted.overdue:
        return Checked("requests", Level.FAULT, f"{_asked(counted.overdue)} overdue", step)
    if counted.soon:
        return Checked("requests", Level.WARNING, f"{_asked(counted.soon)} due within seven days", step)
    if not counted.open:
        return Checked("requests", Level.OK, "none is open")
    return Checked("requests", Level.OK, f"{_asked(counted.open)} open, none due within seven days")


def _asked(many: int) -> str:
    return "1 privacy request is" if many == 1 else f"{many} privacy requests are"


def _housekeeping(runtime: Runtime) -> Checked:
    """What has had its time is ended by our clock, and nothing is as long as no other clock agrees with it."""
    doubt = clock_doubt(runtime)
    if doubt is None:
        return Checked("housekeeping", Level.OK, "our clock agrees with another one, so what has had its time is ended")
    level = Level.FAULT if doubt.wrong else Level.WARNING
    step = "set this machine's clock" if doubt.wrong else "see that a worker is running and reaches Shopify"
    return Checked("housekeeping", level, f"nothing is ended, since {doubt.reason}", step)
