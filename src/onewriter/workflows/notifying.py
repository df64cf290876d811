"""Telling people what they would otherwise have to look for: found by looking, written down once, sent at least once.

Nothing that goes wrong has to know of notices: whoever looks finds it in the rows that it left, so that a process which
dies between the two loses none. What is sent holds sentences and ids of ours alone.
"""

from collections.abc import Iterator, Sequence

import structlog
from sqlalchemy import Connection

from onewriter.audit import cases
from onewriter.customers import notices, questions, requests, runs, shops
from onewriter.customers.notices import Told
from onewriter.customers.runs import Run
from onewriter.records import DAY, Instant, RunState, iso
from onewriter.rules.notifying import LAST, LOOK_BACK, NEAR, Kind, Notice, cut
from onewriter.runtime import Runtime
from onewriter.workflows.channels import Channel, Outcome

REST_S = 60.0
"""How long after a look the next one comes."""
PAGE = 500
BEGUN = "onewriter tells you here what needs somebody: runs that fail, deadlines, cases that return, and questions."

log = structlog.get_logger(__name__)


def turn(runtime: Runtime, ways: Sequence[Channel]) -> float:
    """Look for what is new, and send what is due over every way; how many seconds to rest."""
    for way in ways:
        try:
            _write_down(runtime, way.name)
            _send(runtime, way)
        except Exception as error:  # noqa: BLE001 - what goes wrong with one way must not silence the others
            log.warning("notices rest", channel=way.name, error=type(error).__name__)
    return REST_S


# ---- Looking --------------------------------------------------------------------------------------------------------


def _write_down(runtime: Runtime, channel: str) -> None:
    moment = runtime.now()
    with runtime.database.read() as db:
        begun = notices.begun_at(db, channel)
        found = [] if begun is not None else [Notice(Kind.BEGUN, Kind.BEGUN, BEGUN)]
        found += look(db, moment if begun is None else begun, moment)
        new = _unknown(db, channel, found) + list(_of_questions(db, channel))
    if new:
        with runtime.database.write() as db:
            notices.write_down(db, channel, new, moment)


def look(db: Connection, begun: Instant, now: Instant) -> Iterator[Notice]:
    """What people are to be told of, but questions: what happened since notices began, and what waits now."""
    since = max(begun, now - LOOK_BACK)
    yield from _of_runs(db, max(begun, since - since % DAY))
    yield from _of_requests(db, now)
    yield from _of_cases(db, since)


def _unknown(db: Connection, channel: str, found: Sequence[Notice]) -> list[Notice]:
    """Those that were not written down for that channel yet."""
    kinds = {each.kind for each in found}
    subjects = {kind: [each.subject for each in found if each.kind is kind] for kind in kinds}
    new = {kind: notices.unknown(db, channel, kind, theirs) for kind, theirs in subjects.items()}
    return [each for each in found if each.subject in new[each.kind]]


def _of_runs(db: Connection, since: Instant) -> Iterator[Notice]:
    """The first of a kind that failed in a shop on a day: with Shopify away the same fails each hour.

    `since` is when notices began, or when a day did, so that the first of a day is the same whenever somebody looks.
    """
    told: set[tuple[int, str, Instant]] = set()
    for run in runs.gone_wrong(db, since):
        if run.state is RunState.PAUSED:
            yield _of_run(Kind.RUN_PAUSED, run, "is paused")
            continue
        day = (run.shop_id, run.kind, (run.finished_at or 0) // DAY)
        if day not in told:
            yield _of_run(Kind.RUN_FAILED, run, "failed")
        told.add(day)


def _of_run(kind: Kind, run: Run, what: str) -> Notice:
    return Notice(kind, f"run {run.id}", cut(f"The run {run.kind} {what}. {run.reason or ''}"), run.shop_id)


def _of_requests(db: Connection, now: Instant) -> Iterator[Notice]:
    """The requests whose deadline is near or over, however many there are."""
    behind: tuple[Instant, int] | None = None
    while some := requests.waiting(db, PAGE, behind):
        for each in some:
            left = each.deadline - now
            if left > NEAR:
                return
            kind = Kind.DEADLINE_LAST if left <= LAST else Kind.DEADLINE_NEAR
            day = (iso(each.deadline) or "")[:10]
            text = f"Request {each.id} ({each.topic}) is to be answered by {day}, and is not done."
            yield Notice(kind, f"request {each.id}", text, each.shop_id)
        behind = (some[-1].deadline, some[-1].id)


def _of_cases(db: Connection, since: Instant) -> Iterator[Notice]:
    for shop_id, case in cases.troubling(db, since):
        named = f"case {case.number} of {shops.by_id(db, shop_id).domain}"
        about = f"{case.field} in {case.system}"
        if (case.returned_at or 0) >= since:
            text = f"Case {case.number} is back: {about} is wrong again after a fix that had seemed to hold."
            yield Notice(Kind.CASE_RETURNED, f"{named}, {iso(case.returned_at)}", text, shop_id)
        if (case.escalated_at or 0) >= since:
            text = f"Case {case.number} needs somebody: {about} is still wrong after a full cycle and a resync by hand."
            yield Notice(Kind.CASE_ESCALATED, f"{named}, {iso(case.escalated_at)}", text, shop_id)


def _of_questions(db: Connection, channel: str) -> Iterator[Notice]:
    """The oldest that wait and were not told of; thousands can wait, so only these are read whole, and some at once."""
    waiting = {_subject(number, asked_at): number for number, asked_at in questions.waiting_since(db)}
    new = notices.unknown(db, channel, Kind.QUESTION, list(waiting))
    numbers = sorted(waiting[subject] for subject in new)[:PAGE]
    for one in questions.some(db, numbers):
        text = cut(f"Question {one.id} waits for you. {one.text}")
        yield Notice(Kind.QUESTION, _subject(one.id, one.asked_at), text, one.shop_id)


def _subject(number: int, asked_at: Instant) -> str:
    """A question that was answered and is asked again waits anew."""
    return f"question {number}, {iso(asked_at)}"


# ---- Sending --------------------------------------------------------------------------------------------------------


def _send(runtime: Runtime, way: Channel) -> None:
    """Send what is due; no transaction is open meanwhile."""
    with runtime.database.read() as db:
        if not notices.due(db, way.name, runtime.now()):
            return
    with runtime.database.write() as db:
        claimed = notices.claim(db, way.name, runtime.now())
    if not claimed:
        return
    came = _try(way, claimed, runtime.now())
    _note(runtime, claimed, came)
    if came.wrong or came.remark:
        log.warning("notices not sent", channel=way.name, notices=len(came.wrong) or len(claimed))


def _try(way: Channel, some: Sequence[Told], now: Instant) -> Outcome:
    """Send, whatever comes of it: what no sender foresaw is noted as well, or it would be tried for ever."""
    try:
        return way.send(some, now)
    except Exception as error:  # noqa: BLE001 - its text may quote what was sent, so only its type is told
        told = f"It could not be sent ({type(error).__name__})."
        return Outcome(dict.fromkeys([one.id for one in some], told))


def _note(runtime: Runtime, claimed: Sequence[Told], came: Outcome) -> None:
    moment = runtime.now()
    arrived = [one.id for one in claimed if one.id not in came.wrong and one.id not in came.left]
    with runtime.database.write() as db:
        notices.sent(db, arrived, moment, came.remark)
        for one in claimed:
            if one.id in came.wrong:
                notices.not_sent(db, one, came.wrong[one.id], moment)
            elif one.id in came.left:
                notices.not_tried(db, one, moment)


def try_out(runtime: Runtime, way: Channel) -> str | None:
    """Send a notice that only says that notices arrive; what went wrong, in a sentence, or None."""
    moment = runtime.now()
    text = "This is a test. Notices of onewriter arrive here."
    one = Told(0, "test", "test", text, None, way.name, notices.WAITING, 1, moment, moment, None, None)
    came = _try(way, [one], moment)
    return came.wrong.get(0) or came.remark
