"""Those whom notices are sent to: an HTTP server and a mail server, each real and on this machine."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from onewriter.customers import notices
from onewriter.customers.notices import Told
from onewriter.records import Instant
from onewriter.runtime import Runtime
from onewriter.settings import load
from tests.support.shops import Tea

SECRET = "the receiver knows this"


@dataclass
class Receiver:
    """Somebody's webhook, and what arrived there."""

    url: str = ""
    status: int = 200
    delay_s: float = 0.0
    hangs_up_on: str | None = None
    """What must not be in a body, or the connection ends without an answer."""
    drips: bool = False
    """Whether its answer comes a line of the head at a time, for seconds."""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def told(self) -> list[dict[str, Any]]:
        """The notices that arrived, in their order."""
        return [json.loads(body) for _, body in self.got]


@contextmanager
def webhook(receiver: Receiver) -> Iterator[Receiver]:
    """The receiver, listening."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if receiver.hangs_up_on is not None and receiver.hangs_up_on.encode() in body:
                self.close_connection = True
                return
            receiver.got.append(({**headers, "path": self.path}, body))
            time.sleep(receiver.delay_s)
            # Who sent it may have lost patience.
            with suppress(ConnectionError):
                self._answer()

        def _answer(self) -> None:
            if receiver.drips:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                for _ in range(80):
                    if not ended.wait(0.05):
                        self.wfile.write(b"X-Not-Yet: 1\r\n")
                self.wfile.write(b"Content-Length: 0\r\n\r\n")
                return
            self.send_response(receiver.status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/hooks/onewriter"
    try:
        yield receiver
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    """A mail server, and the mail that it took."""

    port: int = 0
    password: str | None = None
    refuses: str | None = None
    """An address that it does not know."""
    encrypts: str = "none"
    """As smtp_security says it."""
    proof: Path | None = None
    """The file with its key and its certificate."""
    rude: bool = False
    """Whether it answers a goodbye with an error."""
    got: list[EmailMessage] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)
    got_encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address == self.refuses:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.got_encrypted.append(session.ssl is not None or self.encrypts == "tls")
        self.got.append(message_from_bytes(envelope.content, _class=EmailMessage, policy=policy.default))
        self.to.append(list(envelope.rcpt_tos))
        return "250 OK"

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        return "421 not now" if self.rude else "221 Bye"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password.decode() == self.password, handled=False)


@contextmanager
def mail_server(mailbox: Mailbox) -> Iterator[Mailbox]:
    """The mail server, listening."""
    locked: dict[str, Any] = {}
    if mailbox.password is not None:
        locked = {"authenticator": mailbox.authenticate, "auth_require_tls": False}
    if mailbox.proof is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(mailbox.proof)
        tls: dict[str, dict[str, Any]] = {
            "starttls": {"tls_context": context, "require_starttls": True},
            "tls": {"ssl_context": context},
        }
        locked |= tls[mailbox.encrypts]
    # The library asks its own port whether it listens, and so cannot be given none.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        mailbox.port = probe.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **locked)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def certificate(folder: Path) -> Path:
    """A key of a server at 127.0.0.1 and its certificate, which it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the mail server of the tests")])
    moment = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(moment - timedelta(days=1)).not_valid_after(moment + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "server.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(key.private_bytes(pem, *plain) + made.sign(key, hashes.SHA256()).public_bytes(pem))
    return file


@contextmanager
def telling(tea: Tea, moment: Instant, **settings: str) -> Iterator[Runtime]:
    """The same installation at a moment, with these settings."""
    same = {name: tea.runtime.settings.text(name) for name in ("database_url", "keystore_url", "data_dir")}
    environment = {f"ONEWRITER_{name.upper()}": value for name, value in (same | settings).items()}
    with Runtime(load(environment, Path(same["data_dir"])), clock=lambda: moment) as runtime:
        yield runtime


def hook(receiver: Receiver) -> dict[str, str]:
    """The settings that name that receiver."""
    return {"notify_webhook_url": receiver.url, "notify_webhook_secret": SECRET}


def post(mailbox: Mailbox, **more: str) -> dict[str, str]:
    """The settings that name that mail server."""
    given = {"notify_mail_to": "ops@tea.example, dpo@tea.example", "notify_mail_from": "onewriter@tea.example"}
    return {**given, "smtp_host": "127.0.0.1", "smtp_port": str(mailbox.port), "smtp_security": "none", **more}


def outbox(tea: Tea) -> list[Told]:
    """Every notice that was written down, the oldest first."""
    with tea.runtime.database.read() as db:
        return notices.listed(db, 1000)[::-1]
