"""`onewriter notify`: a test arrives or says why not, and what was given up is sent again."""

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, FINDINGS
from onewriter.customers import notices
from onewriter.records import DAY
from onewriter.rules.notifying import Kind, Notice
from onewriter.runtime import Runtime, now
from tests.faces.conftest import Onewriter
from tests.support.receivers import Receiver, hook, webhook


def set_up(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    for name, value in hook(receiver).items():
        monkeypatch.setenv(f"ONEWRITER_{name.upper()}", value)


def test_without_a_channel_it_says_what_to_set(installed: Onewriter) -> None:
    assert "set notify_webhook_url or notify_mail_to" in installed("notify", "test", code=FAILED).out
    assert "Nobody was told of anything yet" in installed("notify", "list").out
    assert installed.json("notify", "list") == []


def test_a_test_arrives_or_says_why_not(installed: Onewriter, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook(Receiver()) as receiver:
        set_up(monkeypatch, receiver)
        assert "webhook: arrived" in installed("notify", "test").out
        assert [each["kind"] for each in receiver.told] == ["test"]
        receiver.status = 500
        assert "answered 500 instead of 2xx" in installed("notify", "test", code=FAILED).out
    told = installed("notify", "test", "--json", code=FAILED).document
    assert (told["channels"][0]["channel"], told["channels"][0]["arrived"]) == ("webhook", False)
    assert installed.json("notify", "list") == [], "a test is kept nowhere"


def test_a_notice_that_was_given_up_is_shown_and_sent_again(installed: Onewriter) -> None:
    moment = now()
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        notices.write_down(db, "mail", [Notice(Kind.RUN_FAILED, "run 1", "The run import failed.")], moment)
        [one] = notices.claim(db, "mail", moment)
        for _ in range(9):
            notices.not_sent(db, one, "The mail server did not take it.", moment)
            [one, *_] = notices.claim(db, "mail", moment + DAY) or [one]
    [listed] = installed.json("notify", "list")
    assert (listed["state"], listed["error"]) == ("failed", "The mail server did not take it.")
    assert "1 were given up" in installed("check", code=FINDINGS).out
    installed("notify", "retry", "7", code=FAILED)
    installed("notify", "retry", str(listed["id"]))
    [again] = installed.json("notify", "list")
    assert (again["state"], again["tries"], again["error"]) == ("waiting", 0, None)
