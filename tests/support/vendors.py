"""Servers that behave as vendors' published descriptions say: spec-checked, and not the vendors.

Every request is held against tests/contract/vendors/*.json; what the vendor does not describe is answered 400 and kept
as a complaint, so that a test sees it. What such a description leaves open, these servers leave out.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

DESCRIPTIONS = Path(__file__).resolve().parent.parent / "contract" / "vendors"
SECRET, READER = "s3cret-of-the-owner", "s3cret-of-a-reader"
POISON = "POISON"
"""A value with this in it is refused, as a vendor refuses what its own rules forbid."""


@dataclass
class Asked:
    """One request, taken apart."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Person:
    """What a vendor holds of somebody: fields by the names that the recipe gives them."""

    id: str
    fields: dict[str, Any]
    created: datetime
    updated: datetime


Answer = tuple[int, Any]


class Described(Exception):
    """Something that the vendor's description does not have."""


class Vendor:
    """What all of them do: hold people, check the key, and count what was asked wrongly."""

    name: str
    texts_only = False

    def __init__(self) -> None:
        self.said = self.described()
        self.people: dict[str, Person] = {}
        self.complaints: list[str] = []
        self.asked: list[Asked] = []
        self.instead: list[tuple[int, Any, dict[str, str]]] = []
        """Answers to give before any other, each once."""
        self.fail_after_commit = False
        """Whether a write is carried out and answered 500."""
        self.url = ""
        self._ids = count(1001)

    def described(self) -> dict[str, Any]:
        """What the vendor publishes."""
        said: dict[str, Any] = json.loads((DESCRIPTIONS / f"{self.name}.json").read_text())
        return said

    # ---- What a person does in it -----------------------------------------------------------------------------------

    def add(self, fields: Mapping[str, Any]) -> str:
        """Somebody new."""
        now = self.now()
        number = next(self._ids)
        person = Person(self.id_of(number, fields), {**self.empty(), **fields}, now, now)
        self.people[person.id] = person
        return person.id

    def change(self, record_id: str, fields: Mapping[str, Any]) -> None:
        """Other values, which moves the time of change."""
        self.people[record_id].fields.update(fields)
        self.people[record_id].updated = self.now()

    def now(self) -> datetime:
        """The time by the second, which is all that these vendors tell."""
        return datetime.now(UTC).replace(microsecond=0)

    def id_of(self, number: int, _fields: Mapping[str, Any]) -> str:
        """The id of a new record."""
        return str(number)

    def empty(self) -> dict[str, Any]:
        """What a new record holds where nothing is set."""
        return {}

    # ---- What a client may ask --------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request."""
        raise NotImplementedError

    def secret_of(self, asked: Asked) -> str:
        """The secret in the request."""
        return asked.headers.get("authorization", "").rpartition(" ")[2]

    def refusal(self, status: int, code: str, where: str | None = None) -> Answer:
        """The vendor's form of a refusal."""
        raise NotImplementedError

    def writes(self, asked: Asked) -> bool:
        """Whether a request changes anything."""
        return asked.method in ("PUT", "PATCH")

    def served(self, asked: Asked) -> tuple[int, Any, dict[str, str]]:
        """The answer with its headers, after what every vendor looks at first."""
        self.asked.append(asked)
        if self.instead:
            return self.instead.pop(0)
        if self.secret_of(asked) not in (SECRET, READER):
            return (*self.refusal(401, "not_authenticated"), {})
        if self.writes(asked) and self.secret_of(asked) == READER:
            return (*self.refusal(403, "permission_denied"), {})
        try:
            status, body = self.answer(asked)
        except Described as error:
            self.complaints.append(f"{asked.method} {asked.path}: {error}")
            return (*self.refusal(400, "invalid"), {})
        if self.fail_after_commit and self.writes(asked):
            return 500, {}, {}
        return status, body, {}

    def operation(self, name: str, asked: Asked) -> Mapping[str, Any]:
        """The description of an operation, to which the request must be true."""
        described: Mapping[str, Any] = self.said["operations"][name]
        must(asked.method == described["method"], f"the method of {name}")
        for parameter in asked.query:
            must(parameter in described["query"], f"the query parameter {parameter}")
        return described


def must(holds: object, what: str) -> None:
    """Complain of what the description does not have."""
    if not holds:
        raise Described(what)


def text_time(moment: datetime) -> str:
    """A time as vendors write it."""
    return moment.isoformat()


def md5_of(address: str) -> str:
    """Mailchimp's name for an address."""
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


@contextmanager
def serving(vendor: Vendor) -> Iterator[str]:
    """Serve a vendor on loopback; its address."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(
                self.command,
                unquote(parts.path),
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(content) if content else None,
            )
            with lock:
                status, body, headers = vendor.served(asked)
            packed = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

        do_GET = do_POST = do_PUT = do_PATCH = _serve

        def log_message(self, *_words: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        vendor.url = f"http://127.0.0.1:{server.server_port}"
        yield vendor.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
