"""A fake Odoo, for `make test`: it answers as the real Odoo 19 of the lane `make test-odoo` was seen to answer.

It is a fake and proves nothing of Odoo by itself: what is found with it holds as far as it is like the real one, on
which the lane runs the same suite.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx2

from onewriter.connectors.interface import Discovery, RemoteValue
from onewriter.connectors.workbench import Ground, NotApplicable, Workbench

KEY, READER_KEY = "of-the-admin-0123456789", "of-a-reader-0123456789"
START = 1_800_000_000.0
TYPES: dict[str, dict[str, Any]] = {
    **{name: {"type": "char", "store": True} for name in ("name", "ref", "email", "phone", "street", "x_first")},
    "x_short": {"type": "char", "store": True, "size": 10},
    "comment": {"type": "html", "store": True},
    "color": {"type": "integer", "store": True},
    "credit_limit": {"type": "float", "store": True},
    "active": {"type": "boolean", "store": True},
    "birthday": {"type": "date", "store": True},
    "seen_at": {"type": "datetime", "store": True},
    "type": {"type": "selection", "store": True, "selection": [["contact", "Contact"], ["other", "Other"]]},
    "country_id": {"type": "many2one", "store": True},
    "category_id": {"type": "many2many", "store": True},
    "display_name": {"type": "char", "store": False, "readonly": True},
    **{name: {"type": "datetime", "store": True, "readonly": True} for name in ("write_date", "create_date")},
    "id": {"type": "integer", "store": True, "readonly": True},
}


class Raised(Exception):
    """An exception inside Odoo, with the status that JSON-2 gives it."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status, self.name, self.message = status, name, message

    def told(self) -> dict[str, Any]:
        return {"name": self.name, "message": self.message, "arguments": [self.message], "debug": "Traceback canary"}


class FakeOdoo(httpx2.BaseTransport):
    """One database with contacts. `version` decides which protocols it answers."""

    def __init__(self, version: int = 19) -> None:
        self.version, self.now = version, START
        self.types = {name: {"readonly": False, "required": False} | each for name, each in TYPES.items()}
        self.rows: dict[int, dict[str, Any]] = {}
        self.seen: list[tuple[str, Any]] = []
        """The paths and bodies that were asked."""
        self.instead: Callable[[str, bytes], httpx2.Response | None] = lambda path, body: None
        self.afterwards: Callable[[str, bytes], object] = lambda path, body: None
        self._last = 0

    # ---- HTTP

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        path, body = request.url.path, request.read()
        self.now += 0.05
        self.seen.append((path, json.loads(body) if body else None))
        answered = self.instead(path, body) or self._answered(path, body, request.headers.get("authorization", ""))
        self.afterwards(path, body)
        answered.headers["date"] = datetime.fromtimestamp(self.now, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return answered

    def _answered(self, path: str, body: bytes, proof: str) -> httpx2.Response:
        if path == "/web/version" and self.version >= 19:
            return httpx2.Response(200, json={"version_info": [self.version, 0, 0], "version": f"{self.version}.0"})
        if path == "/jsonrpc":
            return self._rpc(json.loads(body)["params"])
        if path.startswith("/json/2/") and self.version >= 19:
            _empty, _json, _two, model, method = path.split("/")
            try:
                given = json.loads(body)
                return httpx2.Response(200, json=self._called(proof.removeprefix("Bearer "), model, method, given))
            except Raised as raised:
                return httpx2.Response(raised.status, json=raised.told())
        return httpx2.Response(404, text="<html>Not Found</html>")

    def _rpc(self, asked: dict[str, Any]) -> httpx2.Response:
        """Everything is status 200 there, also what went wrong."""
        arguments = asked["args"]
        try:
            if asked["service"] == "common":
                result: Any = 2 if arguments[2] in (KEY, READER_KEY) else False
            else:
                _database, _user, key, model, method, placed, named = arguments
                given = dict(named)
                if placed:
                    given["vals_list" if method == "create" else "ids"] = placed[0]
                result = self._called(key, model, method, given)
        except Raised as raised:
            told = {"code": 200, "message": "Odoo Server Error", "data": raised.told()}
            return httpx2.Response(200, json={"jsonrpc": "2.0", "id": 1, "error": told})
        return httpx2.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": result})

    # ---- The methods

    def _called(self, key: str, model: str, method: str, given: dict[str, Any]) -> Any:
        if key not in (KEY, READER_KEY):
            raise Raised(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")
        if model != "res.partner":
            raise Raised(404, "werkzeug.exceptions.NotFound", f"the model '{model}' does not exist")
        if method in ("write", "create") and key == READER_KEY:
            raise Raised(403, "odoo.exceptions.AccessError", "You are not allowed to modify 'Contact' records.")
        if method in ("has_access", "check_access_rights"):
            return key == KEY
        if method == "fields_get":
            return self.types
        if method == "search_read":
            return self._searched(given)
        if method == "create":
            return [self.make(values) for values in given["vals_list"]]
        return self.change(given["ids"], given["vals"])

    def _searched(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        for name in given["fields"]:
            self._known(name, f"Invalid field '{name}' on 'res.partner'")
        for name, _operator, _value in given["domain"]:
            self._known(name, f"Invalid field res.partner.{name} in condition {name}")
        hidden = given.get("context", {}).get("active_test", True)
        found = [row for number, row in sorted(self.rows.items()) if row["active"] or not hidden]
        found = [row for row in found if all(_holds(row, *each) for each in given["domain"])]
        return [{name: row[name] for name in ("id", *given["fields"])} for row in found[: given["limit"]]]

    def _known(self, name: str, message: str) -> None:
        if name not in self.types:
            raise Raised(500, "builtins.ValueError", message)

    def make(self, values: Mapping[str, Any]) -> int:
        self._last += 1
        empty = {name: 0 if each["type"] in ("integer", "float") else False for name, each in self.types.items()}
        made = {"id": self._last, "active": True, "type": "contact", "create_date": self.stamp()}
        self.rows[self._last] = empty | made
        try:
            self.change([self._last], {"name": False, **values})
        except Raised:
            del self.rows[self._last]
            raise
        return self._last

    def change(self, ids: list[int], values: Mapping[str, Any]) -> bool:
        kept = {name: self._kept(name, value) for name, value in values.items()}
        for number in ids:
            if number not in self.rows:
                raise Raised(404, "odoo.exceptions.MissingError", "Record does not exist or has been deleted.")
            if not {**self.rows[number], **kept}["name"]:
                raise Raised(422, "odoo.exceptions.ValidationError", "Contacts require a name")
            self.rows[number] |= kept | {"write_date": self.stamp()}
        return True

    def _kept(self, name: str, value: Any) -> Any:
        """What Odoo makes of a value: a text of a number, and of a wrong word that word."""
        if name not in self.types:
            raise Raised(500, "builtins.KeyError", name)
        if self.types[name]["type"] == "integer" and value is not False:
            return int(value)
        return str(value) if self.types[name]["type"] == "char" and value not in (False, None) else value

    def stamp(self) -> str:
        return datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _holds(row: dict[str, Any], name: str, operator: str, value: Any) -> bool:
    held = row[name]
    if operator == "in":
        return held in value
    if operator == "=":
        return bool(held == value)
    return bool(held) and bool(held >= value if operator == ">=" else held > value)


class FakeBench(Workbench):
    """A hand behind the connector's back, in the fake."""

    def __init__(self, odoo: FakeOdoo, configuration: Mapping[str, Any]) -> None:
        self.odoo, self.configuration = odoo, configuration

    def ground(self, discovery: Discovery) -> Ground:
        texts = ("x_first", "email", "street")
        return Ground(texts=texts, lookup="ref", typed="color", limited="x_short", words="type")

    def value(self, field: str, number: int) -> RemoteValue:
        return f"kanarie{number}"

    def required(self, number: int) -> Mapping[str, RemoteValue]:
        return {"name": f"kanarie{number}"}

    def insert(self, values: Mapping[str, RemoteValue]) -> str:
        filled = {name: False if each is None else each for name, each in values.items()}
        return str(self.odoo.make({"name": "kanarie"} | filled))

    def change(self, record_id: str, values: Mapping[str, RemoteValue]) -> None:
        self.odoo.change([int(record_id)], values)

    def remove(self, record_id: str) -> None:
        del self.odoo.rows[int(record_id)]

    def archive(self, record_id: str) -> None:
        self.odoo.change([int(record_id)], {"active": False})

    def held(self, record_id: str) -> Mapping[str, RemoteValue]:
        row = self.odoo.rows[int(record_id)]
        names = ("x_first", "email", "street", "ref", "color", "x_short", "type")
        return {name: None if row[name] is False else row[name] for name in names}

    @contextmanager
    def late_commit(self, record_id: str, values: Mapping[str, RemoteValue]) -> Iterator[None]:
        began = self.odoo.stamp()
        yield
        self.odoo.rows[int(record_id)] |= {**values, "write_date": began}

    @contextmanager
    def answer_lost(self) -> Iterator[None]:
        def lose(path: str, body: bytes) -> None:
            if b'"vals' in body or b'"create"' in body:
                raise httpx2.ReadError("canary")

        self.odoo.afterwards = lose
        yield
        self.odoo.afterwards = lambda path, body: None

    @contextmanager
    def cut_while_reading(self) -> Iterator[None]:
        half = httpx2.Response(200, text='[{"id": 1, "na')
        self.odoo.instead = lambda path, body: half if b"domain" in body else None
        yield
        self.odoo.instead = lambda path, body: None

    @contextmanager
    def field_gone(self, field: str) -> Iterator[None]:
        taken = self.odoo.types.pop(field)
        yield
        self.odoo.types[field] = taken

    def locked(self, record_id: str) -> AbstractContextManager[None]:
        raise NotApplicable("Odoo itself waits for whoever holds a record, for as long as it takes")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {**self.configuration, "key": "wrong-0123456789"}

    def read_only(self) -> Mapping[str, Any]:
        return {**self.configuration, "key": READER_KEY}

    @contextmanager
    def clock_off(self) -> Iterator[None]:
        self.odoo.now += 7200
        yield
        self.odoo.now -= 7200
