"""Telling people what they would otherwise have to look for: found by looking, written down once, sent at least once.

Nothing that goes wrong has to know of notices: whoever looks finds it in the rows that it left, so that a process which
dies between the two loses none. What is sent holds sentences and ids of ours alone.
"""

from collections.abc import Iterator, Mapping, Sequence

import structlog
from sqlalchemy import Connection

from onewriter.audit import cases
from onewriter.customers import notices, questions, requests, runs, shops
from onewriter.customers.notices import Told
from onewriter.customers.questions import Question
from onewriter.customers.runs import Run
from onewriter.records import DAY, Instant, RunState, iso
from onewriter.rules.notifying import LAST, LOOK_BACK, NEAR, Kind, Notice, cut
from onewriter.runtime import Runtime
from onewriter.workflows.channels import Channel

REST_S = 60.0
"""How long after a look the next one comes."""
PAGE = 500
BEGUN = "onewriter tells you here what needs somebody: runs that fail, deadlines, cases that return, and questions."

log = structlog.get_logger(__name__)


def turn(runtime: Runtime, ways: Sequence[Channel]) -> float:
    """Look for what is new, and send what is due over every way; how many seconds to rest."""
    for way in ways:
        _write_down(runtime, way.name)
        _send(runtime, way)
    return REST_S


# ---- Looking --------------------------------------------------------------------------------------------------------


def _write_down(runtime: Runtime, channel: str) -> None:
    moment = runtime.now()
    with runtime.database.read() as db:
        begun = notices.begun_at(db, channel)
        found = list(look(db, moment if begun is None else begun, moment))
        if begun is None:
            found.insert(0, Notice(Kind.BEGUN, Kind.BEGUN, BEGUN))
        new = notices.unknown(db, channel, found)
    if new:
        with runtime.database.write() as db:
            notices.write_down(db, channel, new, moment)


def look(db: Connection, begun: Instant, now: Instant) -> Iterator[Notice]:
    """What people are to be told of: what happened since notices began, and what waits for somebody now."""
    since = max(begun, now - LOOK_BACK)
    yield from _of_runs(db, since)
    yield from _of_requests(db, now)
    yield from _of_cases(db, since)
    yield from _of_questions(db)


def _of_runs(db: Connection, since: Instant) -> Iterator[Notice]:
    """The first of a kind that failed in a shop on a day: with Shopify away the same fails each hour."""
    told: set[tuple[int, str, Instant]] = set()
    # From the beginning of the day, so that the first of a day is the same whenever somebody looks.
    for run in runs.gone_wrong(db, since - since % DAY):
        if run.state is RunState.PAUSED:
            yield _of_run(Kind.RUN_PAUSED, run, "is paused")
            continue
        day = (run.shop_id, run.kind, (run.finished_at or 0) // DAY)
        if day not in told and (run.finished_at or 0) >= since:
            yield _of_run(Kind.RUN_FAILED, run, "failed")
        told.add(day)


def _of_run(kind: Kind, run: Run, what: str) -> Notice:
    return Notice(kind, f"run {run.id}", cut(f"The run {run.kind} {what}. {run.reason or ''}"), run.shop_id)


def _of_requests(db: Connection, now: Instant) -> Iterator[Notice]:
    for each in requests.waiting(db, PAGE):
        left = each.deadline - now
        if left > NEAR:
            return
        kind = Kind.DEADLINE_LAST if left <= LAST else Kind.DEADLINE_NEAR
        day = (iso(each.deadline) or "")[:10]
        text = f"Request {each.id} ({each.topic}) is to be answered by {day}, and is not done."
        yield Notice(kind, f"request {each.id}", text, each.shop_id)


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


def _of_questions(db: Connection) -> Iterator[Notice]:
    behind = 0
    while some := questions.waiting(db, PAGE, behind):
        yield from map(_of_question, some)
        behind = some[-1].id


def _of_question(one: Question) -> Notice:
    # A question that was answered and is asked again waits anew.
    subject = f"question {one.id}, {iso(one.asked_at)}"
    return Notice(Kind.QUESTION, subject, cut(f"Question {one.id} waits for you. {one.text}"), one.shop_id)


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
    wrong = way.send(claimed, runtime.now())
    _note(runtime, claimed, wrong)
    if wrong:
        log.warning("notices not sent", channel=way.name, notices=len(wrong))


def _note(runtime: Runtime, claimed: Sequence[Told], wrong: Mapping[int, str]) -> None:
    moment = runtime.now()
    with runtime.database.write() as db:
        notices.sent(db, [one.id for one in claimed if one.id not in wrong], moment)
        for one in claimed:
            if one.id in wrong:
                notices.not_sent(db, one, wrong[one.id], moment)


def try_out(runtime: Runtime, way: Channel) -> str | None:
    """Send a notice that only says that notices arrive; what went wrong, in a sentence, or None."""
    moment = runtime.now()
    text = "This is a test. Notices of onewriter arrive here."
    one = Told(0, "test", "test", text, None, way.name, notices.WAITING, 1, moment, moment, None, None)
    return way.send([one], moment).get(0)
