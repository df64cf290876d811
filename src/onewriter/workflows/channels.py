"""The ways by which notices reach people: a signed webhook, and mail. Neither is ever told a value of a customer's."""

import smtplib
import ssl
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from onewriter.connectors.http import NotSent, Way, checked_base
from onewriter.customers.notices import Told
from onewriter.errors import BadSetting, OnewriterError, SystemUnreachable
from onewriter.records import SECOND, Instant, iso
from onewriter.rules.notifying import path_of, signature
from onewriter.runtime import Runtime

SIGNATURE = "X-Onewriter-Signature"
MAIL_TIMEOUT_S = 30.0
MAIL_TO_MAX = 20
PATIENCE_S = 10.0
"""Seconds that a receiver may take for its answer."""
BUDGET_S = 60.0
"""Seconds after which nothing more is posted in one turn: well before a signature is old, or a claim over."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of some notices; those that are not named arrived."""

    wrong: Mapping[int, str] = field(default_factory=dict)
    """What went wrong with those that did not arrive, by their ids, in a sentence of ours."""
    left: Collection[int] = ()
    """Those that were not tried for want of time."""
    remark: str | None = None
    """What is to be said of those that arrived, but not with everybody."""


class Channel(Protocol):
    """One way by which notices reach people."""

    @property
    def name(self) -> str:
        """What it is called: webhook or mail."""

    def send(self, some: Sequence[Told], now: Instant) -> Outcome:
        """Send these, and say what became of them."""


def channels(runtime: Runtime) -> list[Channel]:
    """Every way that is set; raises BadSetting for one that is set by half."""
    settings = runtime.settings
    found: list[Channel] = []
    base = settings.text("web_url").rstrip("/")
    url, secret = settings.text("notify_webhook_url"), settings.text("notify_webhook_secret")
    if url and not secret:
        raise BadSetting("notify_webhook_secret is missing: without it nobody can tell that a notice is from here.")
    if url:
        _check_webhook(url)
        found.append(Webhook(url, secret, base))
    if settings.text("notify_mail_to"):
        found.append(_mail(runtime, base))
    return found


def _link(base: str, one: Told) -> str | None:
    return f"{base}{path_of(one.subject, one.shop)}" if base else None


# ---- Webhook --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address of theirs that takes one notice after the other as JSON, with a proof that it is from here."""

    url: str
    secret: str = field(repr=False)
    base: str
    """Address of our pages."""
    patience_s: float = PATIENCE_S
    budget_s: float = BUDGET_S
    name: str = "webhook"

    def send(self, some: Sequence[Told], now: Instant) -> Outcome:
        """Post each. Where nobody listens the rest are not tried; one that gets no answer keeps no other from it."""
        wrong: dict[int, str] = {}
        until = time.monotonic() + self.budget_s
        with Way(self.url, headers={"Content-Type": "application/json"}, patience_s=self.patience_s) as way:
            for place, one in enumerate(some):
                rest = [each.id for each in some[place:]]
                if time.monotonic() > until:
                    return Outcome(wrong, left=rest)
                try:
                    told = self._post(way, one, now)
                except NotSent:
                    return Outcome(wrong | dict.fromkeys(rest, "The receiver could not be reached."))
                except SystemUnreachable:
                    told = "The receiver did not answer in time, or broke off."
                except OnewriterError as error:
                    told = f"The receiver could not be asked, or answered too much ({type(error).__name__})."
                if told is not None:
                    wrong[one.id] = told
        return Outcome(wrong)

    def _post(self, way: Way, one: Told, now: Instant) -> str | None:
        body = msgspec.json.encode(self.body(one))
        reply = way.send("POST", self.url, content=body, headers={SIGNATURE: signature(self.secret, body, now)})
        return None if reply.fine else f"The receiver answered {reply.status} instead of 2xx."

    def body(self, one: Told) -> dict[str, str | int | None]:
        """A notice as it goes out."""
        return {
            "id": one.id,
            "kind": one.kind,
            "subject": one.subject,
            "shop": one.shop,
            "text": one.text,
            "at": iso(one.made_at),
            "link": _link(self.base, one),
        }


def _check_webhook(url: str) -> None:
    try:
        checked_base(url)
    except BadSetting as error:
        told = str(error).replace("The address of the system", "notify_webhook_url")
        raise BadSetting(told) from None
    # Stricter than for a till or a CRM, which may be in the network of the house.
    parts = urlsplit(url)
    if parts.scheme != "https" and not _is_here(parts.hostname or ""):
        raise BadSetting("notify_webhook_url must begin with https://, unless the receiver is on this machine.")


# ---- Mail -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mail:
    """Somebody's mailbox: one mail for all there is to tell, by a mail server."""

    to: tuple[Address, ...]
    sender: Address
    host: str
    port: int
    security: str
    user: str
    password: str = field(repr=False)
    base: str
    name: str = "mail"

    def send(self, some: Sequence[Told], now: Instant) -> Outcome:
        """Send one mail with all of them; either all of them arrived at the mail server, or none.

        An address that it refuses is told of. The mail is not sent again for that: the others would get it eight times.
        """
        try:
            refused = self._send(self._mail(some, now))
        except (smtplib.SMTPException, OSError, MessageError, ValueError) as error:
            # The texts of these errors quote addresses and what the server said.
            told = f"The mail server did not take it ({type(error).__name__})."
            return Outcome(dict.fromkeys([one.id for one in some], told))
        return Outcome(remark=f"The mail server refused {refused} of {len(self.to)} addresses." if refused else None)

    def _send(self, mail: EmailMessage) -> int:
        """Hand a mail over; how many addresses were refused, which were not all."""
        server = self._connected()
        try:
            if self.user:
                server.login(self.user, self.password)
            refused = server.send_message(mail)
            # It was taken: a server that is rude at parting must not make us send it again.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            server.close()
        return len(refused)

    def _connected(self) -> smtplib.SMTP:
        if self.security == "tls":
            trusted = ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, timeout=MAIL_TIMEOUT_S, context=trusted)
        server = smtplib.SMTP(self.host, self.port, timeout=MAIL_TIMEOUT_S)
        if self.security == "starttls":
            try:
                server.starttls(context=ssl.create_default_context())
            except BaseException:
                server.close()
                raise
        return server

    def _mail(self, some: Sequence[Told], now: Instant) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self.sender, self.to
        message["Subject"] = _headline(some)
        # Nobody's answer that they are on holiday is wanted.
        message["Auto-Submitted"] = "auto-generated"
        message["Date"], message["Message-ID"] = formatdate(now / SECOND), make_msgid(domain=self.sender.domain)
        message.set_content("\n\n".join(self._lines(one) for one in some) + "\n")
        return message

    def _lines(self, one: Told) -> str:
        shop = "" if one.shop is None else f"{one.shop}: "
        return "\n".join(filter(None, (f"{shop}{one.text}", _link(self.base, one), iso(one.made_at))))


def _headline(some: Sequence[Told]) -> str:
    first = f"onewriter: {some[0].kind}"
    return first if len(some) == 1 else f"{first}, and {len(some) - 1} more"


def _mail(runtime: Runtime, base: str) -> Mail:
    settings = runtime.settings
    for name in ("notify_mail_from", "smtp_host"):
        if not settings.text(name):
            raise BadSetting(f"{name} is missing: notices cannot go by mail without it.")
    to = tuple(_address("notify_mail_to", each) for each in settings.text("notify_mail_to").split(","))
    if len(to) > MAIL_TO_MAX:
        raise BadSetting(f"notify_mail_to has more than {MAIL_TO_MAX} addresses; name a mailing list instead.")
    host, security = settings.text("smtp_host"), settings.text("smtp_security")
    user, password = settings.text("smtp_user"), settings.text("smtp_password")
    if bool(user) != bool(password):
        raise BadSetting("smtp_user and smtp_password go together; set both, or neither.")
    if security == "none" and not _is_here(host):
        raise BadSetting("smtp_security may be none for a mail server on this machine alone; use starttls or tls.")
    sender = _address("notify_mail_from", settings.text("notify_mail_from"))
    return Mail(to, sender, host, settings.number("smtp_port"), security, user, password, base)


def _address(name: str, given: str) -> Address:
    try:
        read = Address(addr_spec=given.strip())
    except (MessageError, ValueError, IndexError):
        read = Address()
    if not read.username or not read.domain or not given.isprintable():
        raise BadSetting(f"{name} has something in it that is no mail address; give addresses with commas between.")
    return read


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
