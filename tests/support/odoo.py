"""A hand in a real Odoo, behind the connector's back: calls of its API, and its own database."""

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import httpx2
import psycopg

from onewriter.connectors.interface import Discovery, RemoteValue
from onewriter.connectors.workbench import Ground, NotApplicable, Workbench

OWN = ("x_first", "x_second")
"""Fields that the suite makes for itself, so that one can be taken away."""


class Server(Protocol):
    """A running Odoo, as tools/odoo_up.py gives one."""

    url: str
    database: str
    login: str
    key: str
    reader_key: str
    database_url: str


class Wire(httpx2.HTTPTransport):
    """The line to Odoo, on which the answer to a write can be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.losing = False
        self.cutting = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        answered = super().handle_request(request)
        answered.read()
        writes = request.url.path.endswith(("/write", "/create")) or b'"write",[[' in body or b'"create",[[' in body
        if self.losing and writes:
            raise httpx2.ReadError("canary")
        if self.cutting and (b"search_read" in body or request.url.path.endswith("search_read")):
            return httpx2.Response(200, text='[{"id": 1, "na')
        return answered


def called(server: Server, model: str, method: str, **given: Any) -> Any:
    """What a method of a model returns."""
    request = urllib.request.Request(
        f"{server.url}/json/2/{model}/{method}",
        json.dumps({"context": {"active_test": False}, **given}).encode(),
        {"Authorization": f"bearer {server.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def make_field(server: Server, name: str, **given: Any) -> int:
    """Make a field of the contacts, as a person does in Odoo's settings."""
    [model] = called(server, "ir.model", "search", domain=[["model", "=", "res.partner"]])
    values = {"name": name, "model_id": model, "ttype": "char", "field_description": name, "state": "manual"} | given
    [made] = called(server, "ir.model.fields", "create", vals_list=[values])
    number: int = made
    return number


class OdooBench(Workbench):
    """The workbench of a real Odoo, which has the fields of OWN made."""

    def __init__(self, server: Server, configuration: Mapping[str, Any], wire: Wire) -> None:
        self.server, self.configuration, self.wire = server, configuration, wire
        self.fields = {name: make_field(server, name) for name in OWN}
        make_field(server, "x_short", size=10)

    def _called(self, method: str, **given: Any) -> Any:
        return called(self.server, "res.partner", method, **given)

    def ground(self, discovery: Discovery) -> Ground:
        return Ground(texts=(*OWN, "street"), lookup="ref", typed="color", limited="x_short", words="type")

    def value(self, field: str, number: int) -> RemoteValue:
        return f"kanarie{number}"

    def required(self, number: int) -> Mapping[str, RemoteValue]:
        return {"name": f"kanarie{number}"}

    def insert(self, values: Mapping[str, RemoteValue]) -> str:
        filled = {"name": "kanarie"} | {name: False if each is None else each for name, each in values.items()}
        return str(self._called("create", vals_list=[filled])[0])

    def change(self, record_id: str, values: Mapping[str, RemoteValue]) -> None:
        self._called("write", ids=[int(record_id)], vals=dict(values))

    def remove(self, record_id: str) -> None:
        self._called("unlink", ids=[int(record_id)])

    def archive(self, record_id: str) -> None:
        self._called("action_archive", ids=[int(record_id)])

    def held(self, record_id: str) -> Mapping[str, RemoteValue]:
        names = [*OWN, "street", "ref", "color", "x_short", "type"]
        [row] = self._called("read", ids=[int(record_id)], fields=names)
        return {name: None if row[name] is False else row[name] for name in names}

    @contextmanager
    def late_commit(self, record_id: str, values: Mapping[str, RemoteValue]) -> Iterator[None]:
        """Odoo dates a change with the start of its transaction; this is such a transaction, that goes on for long."""
        [(name, value)] = values.items()
        with psycopg.connect(self.server.database_url) as connection:
            statement = f"UPDATE res_partner SET {name} = %s, write_date = (now() AT TIME ZONE 'UTC') WHERE id = %s"
            connection.execute(statement.encode(), (value, int(record_id)))
            yield

    @contextmanager
    def answer_lost(self) -> Iterator[None]:
        self.wire.losing = True
        try:
            yield
        finally:
            self.wire.losing = False

    @contextmanager
    def cut_while_reading(self) -> Iterator[None]:
        self.wire.cutting = True
        try:
            yield
        finally:
            self.wire.cutting = False

    @contextmanager
    def field_gone(self, field: str) -> Iterator[None]:
        called(self.server, "ir.model.fields", "unlink", ids=[self.fields.pop(field)])
        try:
            yield
        finally:
            self.fields[field] = make_field(self.server, field)

    def locked(self, record_id: str) -> AbstractContextManager[None]:
        raise NotApplicable("Odoo itself waits for whoever holds a record, for as long as it takes")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {**self.configuration, "key": "0" * 40}

    def read_only(self) -> Mapping[str, Any]:
        return {**self.configuration, "key": self.server.reader_key, "login": "reader"}

    def unreachable(self) -> Mapping[str, Any]:
        return {**self.configuration, "url": "http://127.0.0.1:9"}

    def clear_up(self) -> None:
        """Take away the fields that were made, so that another run can make them."""
        domain = [["name", "in", [*OWN, "x_short"]], ["model", "=", "res.partner"]]
        called(
            self.server,
            "ir.model.fields",
            "unlink",
            ids=called(self.server, "ir.model.fields", "search", domain=domain),
        )
