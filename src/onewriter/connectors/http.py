"""The way to a system that speaks HTTP: times out, keeps to a pace, and says whether a lost request was out already.

Errors of the HTTP library become ours here and leave nothing of theirs behind, since their texts can quote a header or
an address. No address, body or credential is ever in a message of ours.
"""

import base64
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Literal, Self
from urllib.parse import SplitResult, urlencode, urlsplit

import httpx2
import msgspec

from onewriter.connectors.deadline import Deadline, Endless
from onewriter.connectors.interface import Problem
from onewriter.errors import BadSetting, SystemRefused, SystemThrottled, SystemUnreachable
from onewriter.records import SECOND, Instant, instant

TIMEOUT = httpx2.Timeout(connect=5.0, read=60.0, write=60.0, pool=60.0)
ANSWER_MAX = 32 * 1024 * 1024
"""Bytes of one answer, unpacked."""
ANSWER_MAX_S = 300.0
"""Seconds that one exchange may take as a whole: each piece may come in time, and the last one never."""
BODY_MAX = 8 * 1024 * 1024
"""Bytes of what we send at once."""
URL_MAX = 8_000
TRIES_MAX = 4
WAIT_MAX_S = 15.0
"""A longer pause is the caller's to keep, since it holds a run."""
RETRY_AFTER_DEFAULT_S = 5.0
RETRY_AFTER_MAX_S = 86_400.0
SKEW_MAX: Instant = 300 * SECOND
"""How far another clock may be from ours before what changed since a time can be missed."""

# At INFO the library logs every URL, and a lookup can have an address in it.
logging.getLogger("httpx2").setLevel(logging.WARNING)


Transport = httpx2.BaseTransport
"""What carries the requests; tests put their own there."""


class NotSent(SystemUnreachable):
    """No connection was made, so that nothing can have been written."""


class Unsendable(SystemRefused):
    """A request that cannot be put together; nothing was asked of the system, and asking again would not help."""


class Oversized(SystemRefused):
    """An answer that is larger than any should be; what was asked may have been done."""


_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
OURS_AT_FAULT = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.InvalidURL, httpx2.CookieConflict)
LIBRARY = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.CookieConflict, httpx2.StreamError)


@contextmanager
def translated() -> Iterator[None]:
    """The one border where the HTTP library's errors become ours."""
    try:
        yield
    except LIBRARY as error:
        kind = type(error).__name__
        if isinstance(error, NOT_SENT):
            raise NotSent(f"No connection to the system was made ({kind}); check its address and network.") from None
        if isinstance(error, OURS_AT_FAULT):
            raise SystemRefused(f"The system cannot be asked like that ({kind}); check its address.") from None
        raise SystemUnreachable(f"The connection to the system was lost ({kind}); it will be tried again.") from None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What proves who we are; it goes into a header and nowhere else."""

    kind: Literal["bearer", "header", "basic"]
    secret: str = field(repr=False)
    name: str = "Authorization"
    """Of the header, for `header`; of the user, for `basic`."""
    prefix: str = ""
    """What stands before the secret, for `header`."""

    def header(self) -> dict[str, str]:
        """The header that carries them; raises BadSetting for what no header can hold."""
        if not self.secret or not self.secret.isprintable() or not self.secret.isascii():
            raise BadSetting("The secret is empty or has signs that no header can hold; enter it again.")
        if self.kind == "basic":
            packed = base64.b64encode(f"{self.name}:{self.secret}".encode()).decode()
            return {"Authorization": f"Basic {packed}"}
        if self.kind == "bearer":
            return {"Authorization": f"Bearer {self.secret}"}
        return {self.name: f"{self.prefix}{self.secret}"}


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """What came back. Its repr shows no body, which is personal."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""

    @property
    def fine(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The JSON in the body; SystemUnreachable if it is none, which is what a proxy's page is."""
        try:
            return msgspec.json.decode(self.body)
        except (ValueError, RecursionError):
            raise SystemUnreachable(
                "Something other than the system's API answered; check its address and the network."
            ) from None

    def retry_after_s(self, now: Instant) -> float:
        """How long it asks to be left alone: Retry-After in seconds or as a date, else a few seconds."""
        return read_retry_after(self.headers.get("retry-after"), now)

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


def read_retry_after(value: str | None, now: Instant) -> float:
    """The seconds that a Retry-After header asks for, in either of its forms."""
    if value is None:
        return RETRY_AFTER_DEFAULT_S
    try:
        wanted = float(value)
    except ValueError:
        moment = read_date(value)
        wanted = RETRY_AFTER_DEFAULT_S if moment is None else (moment - now) / SECOND
    return min(max(wanted, 0.0), RETRY_AFTER_MAX_S) if wanted == wanted else RETRY_AFTER_DEFAULT_S


def read_date(value: str | None) -> Instant | None:
    """The instant of an HTTP date, or None."""
    try:
        return instant(parsedate_to_datetime(value)) if value else None
    except ValueError:
        return None


def wall_clock() -> Instant:
    """The time now."""
    return time.time_ns() // 1000


@dataclass
class Way:
    """One system's HTTP, for one connector. Not for several threads at once. Close it, or use it in a `with`.

    Clock, sleep and transport are for tests; `rate_per_s` is the most requests that the system takes.
    """

    base_url: str
    credentials: Credentials | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    rate_per_s: float | None = None
    clock: Callable[[], Instant] = wall_clock
    sleep: Callable[[float], None] = time.sleep
    transport: Transport | None = None
    patience_s: float | None = None
    """How long each step may take, and the whole exchange; None is what a system that reads much needs."""
    elapsed: Callable[[], float] = time.monotonic
    """Seconds by a clock that nobody sets, by which an answer's time is taken."""
    skew: Instant | None = None
    """How far ahead of ours the system's clock was, by its last answer."""
    last_reply: Reply | None = None
    """The last answer to `read`, raised or returned: some systems say in a 5xx what is wrong with the question."""

    def __post_init__(self) -> None:
        self.base_url = checked_base(self.base_url)
        proof = {} if self.credentials is None else self.credentials.header()
        self._http = httpx2.Client(
            timeout=TIMEOUT if self.patience_s is None else httpx2.Timeout(self.patience_s),
            follow_redirects=False,
            transport=self.transport,
            headers={"User-Agent": "onewriter", "Accept": "application/json", **self.headers, **proof},
        )
        self._free_at: Instant = 0
        self._deadline = Deadline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def read(self, method: str, path: str, **parts: Any) -> Reply:
        """Ask for something, which may be asked again: short pauses are kept and lost connections tried anew.

        Returned is 2xx and what says something of one record (404, 410, 400, 422 ...). Raised are SystemUnreachable,
        SystemThrottled with a longer pause, and SystemRefused (401, 403, a redirect).
        """
        for tried in range(1, TRIES_MAX + 1):
            last = tried == TRIES_MAX
            try:
                self.last_reply = None
                reply = self.last_reply = self.send(method, path, **parts)
                raise_whole(reply, self.clock())
                return reply
            except SystemThrottled as error:
                if last or error.retry_after_s > WAIT_MAX_S:
                    raise
                self.sleep(error.retry_after_s)
            except Endless:
                raise
            except SystemUnreachable:
                if last:
                    raise
                self.sleep(0.25 * 2.0**tried * random.uniform(0.5, 1.0))  # noqa: S311
        raise AssertionError("The last try returns or raises.")

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask once, whatever comes of it: a reply of any status, NotSent, or SystemUnreachable if it may have arrived.

        Raises Unsendable for what is too large to be asked, and Oversized for too large an answer. `body` is made JSON,
        and `content` goes out as it is. A path is one below the base address, or a whole address on the same host (a
        next page's).
        """
        url = self._address(path, query)
        content = content if body is None else _encoded(body)
        given = {} if content is None else {"Content-Type": self.headers.get("Content-Type", "application/json")}
        self._keep_pace()
        most_s = ANSWER_MAX_S if self.patience_s is None else self.patience_s
        until = self.elapsed() + most_s
        names, heeding = {**given, **(headers or {})}, {"trace": self._deadline.heed}
        with (
            translated(),
            self._deadline.within(most_s),
            self._http.stream(method, url, content=content, headers=names, extensions=heeding) as response,
        ):
            received = bytearray()
            for chunk in response.iter_bytes():
                received += chunk
                if len(received) > ANSWER_MAX:
                    raise Oversized("An answer is larger than 32 MiB; ask for fewer at a time.")
                if self.elapsed() > until:
                    raise Endless
            named = {name.lower(): value for name, value in response.headers.items()}
        self._compare_clocks(named.get("date"))
        return Reply(response.status_code, bytes(received), named)

    def _address(self, path: str, query: Mapping[str, str] | None) -> str:
        if "://" in path:
            parts = split(path)
            if parts is None or parts[:2] != urlsplit(self.base_url)[:2]:
                raise SystemRefused("The system names a next page on another host, which does not get our credentials.")
            url = path
        else:
            url = self.base_url + path.lstrip("/")
        if query:
            url += ("&" if "?" in url else "?") + urlencode(query)
        if len(url) > URL_MAX:
            raise Unsendable("An address would be longer than 8,000 signs; ask for fewer at a time.")
        return url

    def _keep_pace(self) -> None:
        if not self.rate_per_s:
            return
        pause = int(SECOND / self.rate_per_s)
        # A clock that was set back must not make us wait longer than one pause.
        wait = min(self._free_at - self.clock(), pause)
        if wait > 0:
            self.sleep(wait / SECOND)
        self._free_at = self.clock() + pause

    def _compare_clocks(self, date: str | None) -> None:
        theirs = read_date(date)
        if theirs is not None:
            self.skew = theirs - self.clock()

    @property
    def last_status(self) -> int | None:
        """The status of the last answer to `read`."""
        return None if self.last_reply is None else self.last_reply.status

    def clock_problem(self) -> Problem | None:
        """The sentence about a clock that is off, by the last answer."""
        if self.skew is None or abs(self.skew) <= SKEW_MAX:
            return None
        minutes = abs(self.skew) // (60 * SECOND)
        way = "ahead of" if self.skew > 0 else "behind"
        return Problem("clock", f"The system's clock is {minutes} minutes {way} ours; set the one that is wrong.")


def checked_base(url: str) -> str:
    """The base address with a slash at its end; BadSetting for one that no credentials may be sent to."""
    parts = split(url)
    host = None if parts is None else parts.hostname
    if parts is None or parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise BadSetting("The address of the system must be a plain one that begins with https://.")
    if parts.username is not None or parts.password is not None:
        raise BadSetting("The address of the system has a name or password in it; enter them as the credentials.")
    if parts.scheme == "http" and not _is_near(host):
        raise BadSetting("The address of the system must begin with https://, or everybody on the way reads along.")
    return url.rstrip("/") + "/"


def split(url: str) -> SplitResult | None:
    """The parts of an address; None for what is none, such as one with a bracket too few or a port beyond all."""
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _is_near(host: str) -> bool:
    """True for this machine and for private networks, where a till or a CRM often speaks plain HTTP.

    An address can be written as one number or with letters of another script, which then looks like a short name.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host.isascii() and "." not in host and not _NUMBER.fullmatch(host)
    mapped = getattr(address, "ipv4_mapped", None)
    address = address if mapped is None else mapped
    return address.is_loopback or address.is_private


def _encoded(body: Any) -> bytes:
    """A body as JSON; Unsendable for one that is too large, or that has half a sign in it."""
    try:
        content = msgspec.json.encode(body)
    except (UnicodeEncodeError, RecursionError):
        raise Unsendable("The request has signs in it that JSON cannot hold.") from None
    if len(content) > BODY_MAX:
        raise Unsendable("The request is larger than 8 MiB; send fewer at a time.")
    return content


def raise_whole(reply: Reply, now: Instant) -> None:
    """Raise what a status says of the whole call; what it says of one record passes."""
    status = reply.status
    if status == 429 or (status == 503 and "retry-after" in reply.headers):
        raise SystemThrottled("The system asks for a pause; it will be tried again.", reply.retry_after_s(now))
    if status == 401:
        raise SystemRefused("The system refuses the credentials (401); enter valid ones.")
    if status == 403:
        raise SystemRefused("The credentials do not have the right to that (403); grant it in the system.")
    if 300 <= status < 400:
        raise SystemRefused(f"The system sends us to another address ({status}); enter that one, if it is right.")
    if status >= 500 or status == 408:
        raise SystemUnreachable(f"The system could not answer ({status}); it is safe to try again later.")
