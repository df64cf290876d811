"""People are told of what needs them: once each, at least once, signed, and never of a customer's values."""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onewriter.audit import cases
from onewriter.customers import notices, questions, requests, runs
from onewriter.customers.notices import CLAIM, Told
from onewriter.customers.questions import Ask
from onewriter.customers.requests import Heard
from onewriter.errors import BadSetting
from onewriter.records import DAY, HOUR, SECOND, Instant, RunState
from onewriter.rules.notifying import WAITS, Kind, Notice
from onewriter.runtime import Runtime, new_run_id
from onewriter.workflows.channels import Outcome, Webhook, channels
from onewriter.workflows.housekeeping import tidy
from onewriter.workflows.notifying import turn
from onewriter.workflows.worker import Worker
from tests.support.mending import mending
from tests.support.raw import ON_SQLITE
from tests.support.receivers import SECRET, Receiver, hook, outbox, telling, webhook
from tests.support.shops import DOMAIN, Tea
from tests.support.tree import ROOT

PAGE = ROOT / "docs" / "notifications.md"
ASK = Ask("test", "one", "Is it so?", {"yes": "it is"}, "nothing happens")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook(Receiver()) as found:
        yield found


def is_ours(secret: str, header: str, body: bytes) -> bool:
    """What the page tells a receiver to do."""
    found: dict[str, Any] = {}
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exec(code, found)
    return bool(found["is_ours"](secret, header, body))


def tell(tea: Tea, moment: Instant, receiver: Receiver) -> list[str]:
    """Look and send once, and what has arrived by then: its kinds."""
    with telling(tea, moment, **hook(receiver)) as runtime:
        assert turn(runtime, channels(runtime)) > 0
    return [each["kind"] for each in receiver.told]


def fail(tea: Tea, moment: Instant, kind: str = runs.RECONCILE, state: RunState = RunState.FAILED) -> str:
    """A run that ended badly, or is paused."""
    run_id = new_run_id(moment)
    with tea.runtime.database.write() as db:
        runs.add(db, run_id, tea.shop_id, kind, "schedule", moment)
        run = runs.begin(db, run_id, moment)
        if state is RunState.PAUSED:
            runs.pause(db, run, "The token lacks read_orders.", moment)
        else:
            runs.finish(db, run, state, "Shopify\nrefused it.", moment)
    return run_id


def ask(tea: Tea, moment: Instant) -> int:
    with tea.runtime.database.write() as db:
        return questions.ask(db, tea.shop_id, ASK, moment)


def test_a_run_that_fails_is_told_of_once_and_signed(tea: Tea, now: Instant, receiver: Receiver) -> None:
    assert tell(tea, now, receiver) == ["notices begin"]
    run_id = fail(tea, now + 1)
    assert tell(tea, now + 2 * SECOND, receiver)[1:] == ["run failed"]
    assert tell(tea, now + 3 * SECOND, receiver)[1:] == ["run failed"], "nobody is told twice"
    headers, body = receiver.got[1]
    assert headers["path"] == "/hooks/onewriter"
    signed = headers["x-onewriter-signature"]
    assert f"t={now // SECOND + 2}," in signed
    assert is_ours(SECRET, signed, body)
    assert not is_ours("guessed", signed, body)
    assert not is_ours(SECRET, signed, body + b" ")
    told = receiver.told[1]
    assert (told["subject"], told["shop"], told["link"]) == (f"run {run_id}", DOMAIN, None)
    assert told["text"] == "The run reconcile failed. Shopify refused it."
    assert [each.state for each in outbox(tea)] == ["sent", "sent"]


def test_what_failed_before_is_past_and_what_waits_now_is_told(tea: Tea, now: Instant, receiver: Receiver) -> None:
    fail(tea, now - HOUR)
    fail(tea, now - HOUR, runs.IMPORT, RunState.PAUSED)
    ask(tea, now - 9 * DAY)
    assert tell(tea, now, receiver) == ["notices begin", "run paused", "question waits"]
    assert receiver.told[2]["text"] == "Question 1 waits for you. Is it so?"


def test_what_fails_every_hour_is_told_of_once_a_day(tea: Tea, now: Instant, receiver: Receiver) -> None:
    day = now - now % DAY + DAY
    tell(tea, day - HOUR, receiver)
    for hour in range(1, 24):
        fail(tea, day + hour * HOUR)
        fail(tea, day + hour * HOUR, runs.IMPORT)
        told = tell(tea, day + hour * HOUR + SECOND, receiver)[1:]
        assert told == ["run failed"] * 2, hour
    fail(tea, day + 25 * HOUR)
    assert len(tell(tea, day + 26 * HOUR, receiver)) == 4


def test_a_run_that_fails_once_notices_began_is_told_of_whatever_failed_on_that_day_before(
    tea: Tea, now: Instant, receiver: Receiver
) -> None:
    day = now - now % DAY + DAY
    fail(tea, day + HOUR)
    tell(tea, day + 2 * HOUR, receiver)
    fail(tea, day + 3 * HOUR)
    assert tell(tea, day + 4 * HOUR, receiver) == ["notices begin", "run failed"]
    fail(tea, day + 5 * HOUR)
    assert tell(tea, day + 6 * HOUR, receiver)[2:] == [], "and the next of that day is none"


def test_what_failed_before_a_long_weekend_without_a_worker_is_told_of(
    tea: Tea, now: Instant, receiver: Receiver
) -> None:
    tell(tea, now, receiver)
    fail(tea, now + SECOND)
    assert tell(tea, now + 5 * DAY, receiver)[1:] == ["run failed"]


def test_a_deadline_is_told_of_a_week_and_two_days_before(tea: Tea, now: Instant, receiver: Receiver) -> None:
    with tea.runtime.database.write() as db:
        number = requests.write(db, Heard(tea.shop_id, "customers/redact", 1, now, now), "asked")
        deadline = requests.get(db, number).deadline
    assert tell(tea, deadline - 8 * DAY, receiver)[1:] == []
    assert tell(tea, deadline - 6 * DAY, receiver)[1:] == ["deadline near"]
    assert tell(tea, deadline - 5 * DAY, receiver)[1:] == ["deadline near"]
    assert tell(tea, deadline - DAY, receiver)[2:] == ["deadline in two days"]
    assert tell(tea, deadline + DAY, receiver)[3:] == []
    assert receiver.told[1]["subject"] == f"request {number}"


@ON_SQLITE
def test_a_case_that_returns_or_needs_more_is_told_of_each_time(runtime: Runtime, tmp_path: Path) -> None:
    with mending(runtime, tmp_path) as both, webhook(Receiver()) as receiver:
        tea = Tea(runtime, both.shop.shop_id)
        for number in both.ids:
            both.crm.edit(both.record(number), remarks="Mallory likes tea")
            both.edit(number, note="Likes green tea a lot")
        case = both.audit()[0]
        moment = runtime.now()
        tell(tea, moment, receiver)
        before = len(receiver.told)
        for seconds, values in ((1, {"returned_at": 1}), (2, {"escalated_at": 2}), (3, {"returned_at": 3})):
            with runtime.database.write() as db:
                told = {name: moment + at * SECOND for name, at in values.items()}
                cases.change(db, cases.get(db, both.shop.shop_id, case.number), told)
            tell(tea, moment + seconds * SECOND + 1, receiver)
        later = receiver.told[before:]
        assert [each["kind"] for each in later] == ["case returned", "case escalated", "case returned"]
        assert all("Mallory" not in each["text"] for each in receiver.told)


def test_a_question_that_is_asked_again_is_told_of_again(tea: Tea, now: Instant, receiver: Receiver) -> None:
    number = ask(tea, now)
    tell(tea, now, receiver)
    with tea.runtime.database.write() as db:
        questions.answer(db, number, "yes", "user:olga", None, now)
    ask(tea, now + HOUR)
    assert tell(tea, now + HOUR, receiver)[1:] == ["question waits"] * 2
    assert receiver.told[1]["id"] != receiver.told[2]["id"]


# ---- What can go wrong while it is sent -----------------------------------------------------------------------------


def test_a_receiver_that_fails_is_tried_again_for_a_day_and_then_by_hand(
    tea: Tea, now: Instant, receiver: Receiver
) -> None:
    receiver.status = 302
    moment = now
    for tries, wait in enumerate(WAITS, 1):
        tell(tea, moment, receiver)
        assert len(receiver.got) == tries
        tell(tea, moment + wait - 1, receiver)
        assert len(receiver.got) == tries, "it is left alone until then"
        [one] = outbox(tea)
        assert (one.state, one.error) == ("waiting", "The receiver answered 302 instead of 2xx.")
        moment += wait
    assert moment - now < DAY
    tell(tea, moment, receiver)
    [one] = outbox(tea)
    assert (one.state, one.tries) == ("failed", len(WAITS) + 1)
    receiver.status = 200
    assert len(tell(tea, moment + DAY, receiver)) == len(WAITS) + 1
    with tea.runtime.database.write() as db:
        notices.retry(db, one.id, moment)
    tell(tea, moment + DAY, receiver)
    assert outbox(tea)[0].state == "sent"
    assert len({each["id"] for each in receiver.told}) == 1, "the receiver knows it by its id"


def test_a_receiver_that_is_away_keeps_all_of_it_waiting(tea: Tea, now: Instant) -> None:
    away = Receiver(url="http://127.0.0.1:9/")
    ask(tea, now)
    with telling(tea, now, **hook(away)) as runtime:
        turn(runtime, channels(runtime))
    assert {(each.state, each.tries, (each.error or "")[:12]) for each in outbox(tea)} == {
        ("waiting", 1, "The receiver")
    }


def test_one_that_gets_no_answer_keeps_no_other_from_its_own(tea: Tea, now: Instant, receiver: Receiver) -> None:
    receiver.hangs_up_on = "question 1,"
    for subject in ("one", "two", "three"):
        with tea.runtime.database.write() as db:
            questions.ask(db, tea.shop_id, replace(ASK, subject=subject), now)
    tell(tea, now, receiver)
    assert [(each.state, each.error) for each in outbox(tea)] == [
        ("sent", None),
        ("waiting", "The receiver did not answer in time, or broke off."),
        ("sent", None),
        ("sent", None),
    ]


def test_a_slow_receiver_holds_nothing_up_for_longer_than_a_turn_may_take(
    tea: Tea, now: Instant, receiver: Receiver
) -> None:
    receiver.delay_s = 0.4
    for subject in ("one", "two", "three"):
        with tea.runtime.database.write() as db:
            questions.ask(db, tea.shop_id, replace(ASK, subject=subject), now)
    with telling(tea, now, **hook(receiver)) as runtime:
        [way] = channels(runtime)
        assert isinstance(way, Webhook)
        turn(runtime, [replace(way, patience_s=0.1, budget_s=0.15)])
        told = [(each.tries, each.error is None) for each in outbox(tea)]
        assert told == [(1, False), (1, False), (0, True), (0, True)], "those without a turn keep their tries"
        receiver.delay_s = 0.0
        turn(runtime, [way])
    assert [each.state for each in outbox(tea)] == ["waiting", "waiting", "sent", "sent"]


def test_a_receiver_whose_answer_never_ends_is_not_waited_for(tea: Tea, now: Instant, receiver: Receiver) -> None:
    """Each line of its head comes in time, so that no wait between two of them would ever be too long."""
    receiver.drips = True
    with tea.runtime.database.write() as db:
        questions.ask(db, tea.shop_id, ASK, now)
    with telling(tea, now, **hook(receiver)) as runtime:
        [way] = channels(runtime)
        assert isinstance(way, Webhook)
        turn(runtime, [replace(way, patience_s=0.3)])
        assert {each.error for each in outbox(tea)} == {"The receiver did not answer in time, or broke off."}


def test_a_worker_that_comes_late_takes_nothing_back(tea: Tea, now: Instant) -> None:
    late = now + CLAIM
    with tea.runtime.database.write() as db:
        notices.write_down(db, "webhook", [Notice(Kind.RUN_FAILED, "run 1", "It failed.")], now)
        [slow] = notices.claim(db, "webhook", now)
        assert notices.claim(db, "webhook", late - 1) == []
        [quick] = notices.claim(db, "webhook", late)
        notices.not_tried(db, slow, late)
        notices.not_sent(db, slow, "The receiver answered 500 instead of 2xx.", late)
        assert notices.claim(db, "webhook", late) == [], "it is still the claim of the other"
        notices.sent(db, [quick.id], late)
        notices.not_sent(db, slow, "The receiver answered 500 instead of 2xx.", late)
    assert [(each.state, each.tries, each.error) for each in outbox(tea)] == [("sent", 2, None)]


def test_a_way_that_breaks_is_noted_and_silences_no_other(tea: Tea, now: Instant, receiver: Receiver) -> None:
    class Broken:
        name = "mail"

        def send(self, _some: Sequence[Told], now: Instant) -> Outcome:
            raise LookupError("ada@example.org")

    with telling(tea, now, **hook(receiver)) as runtime:
        turn(runtime, [Broken(), *channels(runtime)])
    assert [(each.channel, each.state, each.error) for each in outbox(tea)] == [
        ("mail", "waiting", "It could not be sent (LookupError)."),
        ("webhook", "sent", None),
    ]


class Dies:
    """A way whose process dies once all is sent."""

    name = "webhook"

    def __init__(self, receiver: Receiver, runtime: Runtime) -> None:
        [self.way] = channels(runtime)
        self.receiver = receiver

    def send(self, some: Sequence[Told], now: Instant) -> Outcome:
        self.way.send(some, now)
        raise KeyboardInterrupt


def test_who_dies_between_sending_and_noting_sends_it_again(tea: Tea, now: Instant, receiver: Receiver) -> None:
    with telling(tea, now, **hook(receiver)) as runtime, pytest.raises(KeyboardInterrupt):
        turn(runtime, [Dies(receiver, runtime)])
    assert tell(tea, now + CLAIM - 1, receiver) == ["notices begin"]
    assert tell(tea, now + CLAIM, receiver) == ["notices begin"] * 2
    assert len({each["id"] for each in receiver.told}) == 1


def test_two_workers_at_once_tell_of_each_once(tea: Tea, now: Instant, receiver: Receiver) -> None:
    receiver.delay_s = 0.05
    for hour in range(5):
        fail(tea, now, f"cycle system-{hour}", RunState.PAUSED)
    together = threading.Barrier(2)

    def work() -> None:
        with telling(tea, now, **hook(receiver)) as runtime:
            together.wait()
            for _ in range(3):
                turn(runtime, channels(runtime))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    subjects = sorted(each["subject"] for each in receiver.told)
    assert len(subjects) == len(set(subjects)) == 6


def test_nothing_is_locked_while_it_is_sent(tea: Tea, now: Instant, receiver: Receiver) -> None:
    class Free:
        name = "webhook"

        def send(self, _some: Sequence[Told], now: Instant) -> Outcome:
            with tea.runtime.database.write() as db:
                notices.drop_ended(db, now)
            return Outcome()

    with telling(tea, now, **hook(receiver)) as runtime:
        turn(runtime, [Free()])
    assert [each.state for each in outbox(tea)] == ["sent"]


def test_what_was_told_long_ago_is_dropped_but_not_that_it_began(tea: Tea, now: Instant, receiver: Receiver) -> None:
    tell(tea, now, receiver)
    fail(tea, now + 1)
    tell(tea, now + SECOND, receiver)
    with tea.runtime.database.write() as db:
        notices.drop_ended(db, now + 91 * DAY)
    assert [each.kind for each in outbox(tea)] == ["notices begin"]
    assert tell(tea, now + 91 * DAY, receiver) == ["notices begin", "run failed"], "and what is past is not told again"


def test_what_waited_for_a_channel_that_was_switched_off_is_old_news(tea: Tea, now: Instant) -> None:
    with telling(tea, now, **hook(Receiver(url="http://127.0.0.1:9/"))) as runtime:
        fail(tea, now)
        turn(runtime, channels(runtime))
    with tea.runtime.database.write() as db:
        notices.drop_ended(db, now + 91 * DAY)
    assert [each.kind for each in outbox(tea)] == ["notices begin"]


@ON_SQLITE
def test_a_worker_tells_by_itself(tea: Tea, now: Instant, receiver: Receiver) -> None:
    ask(tea, now)
    with telling(tea, now, **hook(receiver)) as runtime:
        worker = Worker(runtime)
        assert worker._tell() > 0
    assert [each["kind"] for each in receiver.told] == ["notices begin", "question waits"]


@ON_SQLITE
def test_a_worker_does_not_start_with_half_of_the_settings(tea: Tea, now: Instant) -> None:
    with (
        telling(tea, now, notify_webhook_url="https://hooks.example/x") as runtime,
        pytest.raises(BadSetting, match="notify_webhook_secret is missing"),
    ):
        Worker(runtime)


@ON_SQLITE
def test_housekeeping_keeps_what_is_new(tea: Tea, now: Instant, receiver: Receiver) -> None:
    tell(tea, now, receiver)
    with telling(tea, now) as runtime:
        tidy(runtime)
    assert len(outbox(tea)) == 1
