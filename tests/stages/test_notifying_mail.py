"""Notices by mail: one mail for all there is, to a server that is trusted, and no header that somebody else writes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onewriter.customers import questions
from onewriter.customers.questions import Ask
from onewriter.errors import BadSetting
from onewriter.records import DAY, HOUR, Instant
from onewriter.workflows.channels import channels
from onewriter.workflows.notifying import turn
from tests.support.raw import ON_SQLITE
from tests.support.receivers import Mailbox, Receiver, certificate, hook, mail_server, outbox, post, telling, webhook
from tests.support.shops import DOMAIN, Tea

pytestmark = ON_SQLITE

ASK = Ask("test", "one", "Is it so?\r\nBcc: mallory@example.org", {"yes": "it is"}, "nothing happens")


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server(Mailbox()) as found:
        yield found


def tell(tea: Tea, now: Instant, settings: dict[str, Any]) -> None:
    with tea.runtime.database.write() as db:
        questions.ask(db, tea.shop_id, ASK, now)
    with telling(tea, now, **settings) as runtime:
        turn(runtime, channels(runtime))


def states(tea: Tea) -> set[tuple[str, str, str | None]]:
    return {(each.channel, each.state, each.error) for each in outbox(tea)}


def test_one_mail_has_all_there_is_to_tell(tea: Tea, now: Instant, mailbox: Mailbox) -> None:
    tell(tea, now, post(mailbox, web_url="https://tea.example/"))
    [mail] = mailbox.got
    assert mailbox.to == [["ops@tea.example", "dpo@tea.example"]]
    assert (mail["From"], mail["Subject"]) == ("onewriter@tea.example", "onewriter: notices begin, and 1 more")
    text = mail.get_content()
    assert f"{DOMAIN}: Question 1 waits for you. Is it so? Bcc: mallory@example.org" in text
    assert "https://tea.example/questions/1" in text
    assert mail["Bcc"] is None
    assert states(tea) == {("mail", "sent", None)}


def test_both_ways_tell_of_the_same(tea: Tea, now: Instant, mailbox: Mailbox) -> None:
    with webhook(Receiver()) as receiver:
        tell(tea, now, post(mailbox, web_url="https://tea.example") | hook(receiver))
    assert len(mailbox.got) == 1
    assert [each["link"] for each in receiver.told] == ["https://tea.example/", "https://tea.example/questions/1"]


def test_a_server_that_wants_a_password_gets_it(tea: Tea, now: Instant) -> None:
    with mail_server(Mailbox(password="open sesame")) as mailbox:
        tell(tea, now, post(mailbox, smtp_user="onewriter", smtp_password="open sesame"))
        assert len(mailbox.got) == 1


def test_a_refused_login_is_told_without_what_the_server_said(tea: Tea, now: Instant) -> None:
    with mail_server(Mailbox(password="open sesame")) as mailbox:
        tell(tea, now, post(mailbox, smtp_user="onewriter", smtp_password="guessed"))
        assert mailbox.got == []
    assert states(tea) == {("mail", "waiting", "The mail server did not take it (SMTPAuthenticationError).")}


def test_a_server_that_cannot_encrypt_is_told_nothing(tea: Tea, now: Instant, mailbox: Mailbox) -> None:
    tell(tea, now, post(mailbox, smtp_security="starttls"))
    tell(tea, now, post(mailbox, smtp_security="tls"))
    assert mailbox.got == []
    assert {state for _, state, _ in states(tea)} == {"waiting"}


@pytest.mark.parametrize("way", ["starttls", "tls"])
def test_a_server_that_proves_who_it_is_gets_it_encrypted(
    tea: Tea, now: Instant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    proof = certificate(tmp_path)
    with mail_server(Mailbox(encrypts=way, proof=proof, password="open sesame")) as mailbox:
        settings = post(mailbox, smtp_security=way, smtp_user="onewriter", smtp_password="open sesame")
        tell(tea, now, settings)
        assert mailbox.got == [], "nobody whom we trust vouches for it"
        assert {error for _, _, error in states(tea)} == {"The mail server did not take it (SSLCertVerificationError)."}
        monkeypatch.setenv("SSL_CERT_FILE", str(proof))
        tell(tea, now + HOUR, settings)
    assert mailbox.got_encrypted == [True]
    assert states(tea) == {("mail", "sent", None)}


def test_an_address_that_the_server_refuses_is_seen(tea: Tea, now: Instant) -> None:
    with mail_server(Mailbox(refuses="dpo@tea.example")) as mailbox:
        tell(tea, now, post(mailbox))
        assert mailbox.to == [["ops@tea.example"]]
    assert states(tea) == {("mail", "sent", "The mail server refused 1 of 2 addresses.")}


def test_an_address_that_the_server_refuses_costs_the_others_no_second_mail(tea: Tea, now: Instant) -> None:
    with mail_server(Mailbox(refuses="dpo@tea.example")) as mailbox:
        settings = post(mailbox)
        tell(tea, now, settings)
        tell(tea, now + DAY, settings)
        assert len(mailbox.got) == 1


def test_nobody_left_to_take_it_is_no_mail(tea: Tea, now: Instant) -> None:
    with mail_server(Mailbox(refuses="ops@tea.example")) as mailbox:
        tell(tea, now, post(mailbox, notify_mail_to="ops@tea.example"))
    assert states(tea) == {("mail", "waiting", "The mail server did not take it (SMTPRecipientsRefused).")}


def test_a_server_that_is_rude_at_parting_has_taken_the_mail(tea: Tea, now: Instant, mailbox: Mailbox) -> None:
    mailbox.rude = True
    tell(tea, now, post(mailbox))
    assert len(mailbox.got) == 1
    assert states(tea) == {("mail", "sent", None)}


def test_a_password_that_the_protocol_cannot_hold_is_seen_and_silences_no_webhook(tea: Tea, now: Instant) -> None:
    with mail_server(Mailbox(password="geheim")) as mailbox, webhook(Receiver()) as receiver:
        tell(tea, now, post(mailbox, smtp_user="onewriter", smtp_password="gehëim") | hook(receiver))
        assert len(receiver.told) == 2
    assert {error for channel, _, error in states(tea) if channel == "mail"} == {
        "The mail server did not take it (UnicodeEncodeError)."
    }


def test_a_server_with_a_number_for_a_name_is_on_this_machine_too(tea: Tea, now: Instant) -> None:
    with telling(tea, now, **post(Mailbox(port=25), smtp_host="::1")) as runtime:
        assert [way.name for way in channels(runtime)] == ["mail"]


def test_nobody_on_holiday_answers_to_it(tea: Tea, now: Instant, mailbox: Mailbox) -> None:
    tell(tea, now, post(mailbox))
    assert mailbox.got[0]["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"notify_mail_from": ""}, "notify_mail_from is missing"),
        ({"smtp_host": ""}, "smtp_host is missing"),
        ({"notify_mail_to": "ops@tea.example,, "}, "notify_mail_to has something"),
        ({"notify_mail_to": "ops@tea.example\r\nBcc: m@x.example"}, "notify_mail_to has something"),
        ({"notify_mail_to": "ops"}, "notify_mail_to has something"),
        ({"notify_mail_to": ",".join(["ops@tea.example"] * 21)}, "more than 20"),
        ({"smtp_user": "onewriter"}, "go together"),
        ({"smtp_host": "mail.tea.example"}, "smtp_security may be none"),
        ({"notify_webhook_url": "https://hooks.example/x"}, "notify_webhook_secret is missing"),
        ({"notify_webhook_url": "http://hooks.example/x", "notify_webhook_secret": "s"}, "must begin with https"),
        ({"notify_webhook_url": "http://10.0.0.5/x", "notify_webhook_secret": "s"}, "unless the receiver is on this"),
        ({"notify_webhook_url": "http://hooks/x", "notify_webhook_secret": "s"}, "unless the receiver is on this"),
        ({"smtp_host": "[::1"}, "smtp_security may be none"),
        ({"notify_webhook_url": "https://a:b@hooks.example", "notify_webhook_secret": "s"}, "name or password"),
    ],
)
def test_what_is_set_by_half_is_refused_in_a_sentence(
    tea: Tea, now: Instant, mailbox: Mailbox, wrong: dict[str, str], told: str
) -> None:
    with telling(tea, now, **post(mailbox) | wrong) as runtime, pytest.raises(BadSetting, match=told):
        channels(runtime)
