"""The way of connectors over HTTP: what it keeps to, what it says of a lost request, and what it never says."""

import logging
from collections.abc import Callable, Iterator

import httpx2
import pytest

from onewriter.connectors.http import Credentials, NotSent, Unsendable, Way, checked_base, read_retry_after
from onewriter.errors import BadSetting, SystemRefused, SystemThrottled, SystemUnreachable
from onewriter.records import HOUR, SECOND, Instant, parse_instant

SECRET = "s3cret-token"
NOW: Instant = parse_instant("2026-03-02T10:00:00+00:00")

Handler = Callable[[httpx2.Request], httpx2.Response]


class Watch:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now, self.pauses = NOW, list[float]()

    def clock(self) -> Instant:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += int(seconds * SECOND)


def way(handler: Handler, watch: Watch | None = None, rate_per_s: float | None = None) -> Way:
    """A way to a handler."""
    watch = watch or Watch()
    return Way(
        "https://crm.example.com/api",
        Credentials("bearer", SECRET),
        rate_per_s=rate_per_s,
        clock=watch.clock,
        sleep=watch.sleep,
        transport=httpx2.MockTransport(handler),
    )


def answering(*answers: httpx2.Response | Exception) -> Handler:
    """A handler that gives these answers in turn, and the last one for ever."""
    left = list(answers)

    def handler(_request: httpx2.Request) -> httpx2.Response:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Mon, 02 Mar 2026 10:02:00 GMT", 120.0),
        ("Mon, 02 Mar 2026 09:00:00 GMT", 0.0),
        ("soon", 5.0),
        ("nan", 5.0),
        ("-3", 0.0),
        ("99999999999", 86_400.0),
        (None, 5.0),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float) -> None:
    assert read_retry_after(value, NOW) == seconds


def test_a_short_pause_of_a_reading_is_kept_and_a_long_one_handed_on() -> None:
    watch = Watch()
    asked = way(answering(httpx2.Response(429, headers={"Retry-After": "2"}), httpx2.Response(200)), watch)
    assert asked.read("GET", "people").status == 200
    assert watch.pauses == [2.0]
    with pytest.raises(SystemThrottled) as raised:
        way(answering(httpx2.Response(429, headers={"Retry-After": "600"}))).read("GET", "people")
    assert raised.value.retry_after_s == 600


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, SystemRefused),
        (403, SystemRefused),
        (302, SystemRefused),
        (500, SystemUnreachable),
        (408, SystemUnreachable),
    ],
)
def test_a_status_that_concerns_the_whole_call_is_raised(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        way(answering(httpx2.Response(status))).read("GET", "people")


@pytest.mark.parametrize("status", [404, 410, 400, 409, 422])
def test_a_status_that_concerns_one_record_is_returned(status: int) -> None:
    assert way(answering(httpx2.Response(status))).read("GET", "people").status == status


def test_a_redirect_is_not_followed_so_that_no_other_host_gets_our_credentials() -> None:
    asked: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        return httpx2.Response(307, headers={"Location": "https://elsewhere.example.net/"})

    with pytest.raises(SystemRefused, match="another address"):
        way(handler).read("GET", "people")
    with pytest.raises(SystemRefused, match="another host"):
        way(handler).read("GET", "https://elsewhere.example.net/api/people?page=2")
    assert asked == ["crm.example.com"]


@pytest.mark.parametrize("error", [httpx2.ConnectError("x"), httpx2.ConnectTimeout("x"), httpx2.PoolTimeout("x")])
def test_what_never_left_is_known_not_to_have_left(error: Exception) -> None:
    with pytest.raises(NotSent):
        way(answering(error)).send("PATCH", "people/1", body={})


@pytest.mark.parametrize(
    "error", [httpx2.ReadTimeout("x"), httpx2.ReadError("x"), httpx2.WriteError("x"), httpx2.RemoteProtocolError("x")]
)
def test_what_may_have_arrived_is_never_called_unsent(error: Exception) -> None:
    asked = list[int]()

    def handler(_request: httpx2.Request) -> httpx2.Response:
        asked.append(1)
        raise error

    with pytest.raises(SystemUnreachable) as raised:
        way(handler).send("PATCH", "people/1", body={})
    assert not isinstance(raised.value, NotSent)
    assert asked == [1], "a write is never sent twice"


def test_no_message_holds_an_address_a_secret_or_a_value(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    failing = answering(httpx2.ReadError(f"ann@example.org {SECRET}"))
    asked = way(failing)
    with pytest.raises(SystemUnreachable) as raised:
        asked.read("GET", "people", query={"email": "ann@example.org"})
    fine = way(answering(httpx2.Response(200, content=b"ann@example.org")))
    reply = fine.read("GET", "people", query={"email": "ann@example.org"})
    with pytest.raises(SystemUnreachable) as unread:
        reply.json()
    texts = [str(raised.value), str(unread.value), repr(asked), repr(reply), caplog.text, str(raised.value.__cause__)]
    assert all("ann@" not in text and SECRET not in text for text in texts)


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onewriter.connectors.http.ANSWER_MAX", 1000)
    with pytest.raises(SystemRefused, match="larger"):
        way(answering(httpx2.Response(200, content=b"x" * 1001))).read("GET", "people")
    monkeypatch.setattr("onewriter.connectors.http.BODY_MAX", 10)
    with pytest.raises(SystemRefused, match="larger"):
        way(answering(httpx2.Response(200))).send("POST", "people", body={"name": "longer than ten"})
    with pytest.raises(SystemRefused, match="longer"):
        way(answering(httpx2.Response(200))).read("GET", "people", query={"q": "x" * 9000})


def test_an_answer_that_drips_for_ever_is_cut_off_and_not_asked_for_again() -> None:
    watch, asked = Watch(), list[int]()

    def dripping(_request: httpx2.Request) -> httpx2.Response:
        asked.append(1)

        def drops() -> Iterator[bytes]:
            while True:
                watch.sleep(59)
                yield b" "

        return httpx2.Response(200, content=drops())

    slow = way(dripping, watch)
    slow.elapsed = lambda: watch.now / SECOND
    with pytest.raises(SystemUnreachable, match="did not end"):
        slow.read("GET", "people")
    assert asked == [1]
    assert watch.now <= NOW + 360 * SECOND


def test_what_cannot_be_put_into_a_request_is_told_before_anything_is_sent() -> None:
    def unasked(_request: httpx2.Request) -> httpx2.Response:
        raise AssertionError("nothing may be sent")

    with pytest.raises(Unsendable):
        way(unasked).send("PATCH", "people/1", body={"name": "\ud800"})


@pytest.mark.parametrize("address", ["https://[::1/people", "https://crm.example.com:99999999/people"])
def test_a_next_page_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SystemRefused):
        way(answering(httpx2.Response(200))).read("GET", address)


def test_a_pace_is_kept_even_when_the_clock_is_set_back() -> None:
    watch = Watch()
    asked = way(answering(httpx2.Response(200)), watch, rate_per_s=4)
    for _ in range(3):
        asked.read("GET", "people")
    assert watch.pauses == [0.25, 0.25]
    watch.now -= HOUR
    asked.read("GET", "people")
    assert watch.pauses[2:] == [0.25]


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("Mon, 02 Mar 2026 10:04:00 GMT", None),
        ("Mon, 02 Mar 2026 11:00:00 GMT", "60 minutes ahead of ours"),
        ("Mon, 02 Mar 2026 08:00:00 GMT", "120 minutes behind ours"),
        ("yesterday", None),
    ],
)
def test_a_clock_that_is_off_is_told(date: str, words: str | None) -> None:
    asked = way(answering(httpx2.Response(200, headers={"Date": date})))
    asked.read("GET", "people")
    problem = asked.clock_problem()
    assert (problem is None) if words is None else (problem is not None and words in problem.message)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://crm.example.com",
        "crm.example.com",
        "http://crm.example.com",
        "https://ann:pass@crm.example.com",
        "https://crm.example.com/?key=1",
        "https://",
        "https://[::1/",
        "https://crm.example.com:99999999",
        "http://134744072",
        "http://0x8080808",
        "http://8\uff0e8\uff0e8\uff0e8",
        "http://\uff18\uff18",
        "http://[::ffff:8.8.8.8]",
    ],
)
def test_an_address_that_no_secret_may_go_to_is_refused(url: str) -> None:
    with pytest.raises(BadSetting) as raised:
        checked_base(url)
    assert "pass" not in str(raised.value).replace("password", "")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/x", "http://localhost", "http://10.0.0.7", "http://crm:8069", "http://[::1]:80"]
)
def test_plain_http_is_for_this_machine_and_its_own_network(url: str) -> None:
    assert checked_base(url).endswith("/")


@pytest.mark.parametrize(
    ("credentials", "name", "value"),
    [
        (Credentials("bearer", SECRET), "Authorization", f"Bearer {SECRET}"),
        (Credentials("header", SECRET, "X-Key", "Key "), "X-Key", f"Key {SECRET}"),
        (Credentials("basic", "b", "a"), "Authorization", "Basic YTpi"),
    ],
)
def test_credentials_go_into_a_header(credentials: Credentials, name: str, value: str) -> None:
    assert credentials.header() == {name: value}
    assert SECRET not in repr(credentials)


@pytest.mark.parametrize("secret", ["", "two\nlines", "Ünicode"])
def test_a_secret_that_no_header_can_hold_is_refused(secret: str) -> None:
    with pytest.raises(BadSetting):
        Credentials("bearer", secret).header()
