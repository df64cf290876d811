"""The conformance suite's hand behind the connector's back, in a real Tryton."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from onewriter.connectors.interface import Discovery, RemoteValue
from onewriter.connectors.workbench import Ground, Workbench
from tests.support.rest_wire import RestStage
from tests.support.tryton import CHILD, DATABASE, OWNER_KEY, PARTY, READER_KEY, Tryton

MECHANISMS = ("email", "phone", "mobile")
ADDRESS = ("city", "postal_code")


def configured(url: str, secret: str = OWNER_KEY, **more: Any) -> dict[str, Any]:
    """The configuration of a system on that server."""
    return {"recipe": "tryton", "base_url": url, "secret": secret, "settings": {"database": DATABASE}, **more}


class TrytonBench(Workbench):
    """Names and cities are texts; e-mail, which is a record of its own there, is what is looked up by."""

    def __init__(self, server: Tryton, stage: RestStage) -> None:
        self._server, self._stage = server, stage

    def ground(self, discovery: Discovery) -> Ground:
        return Ground(texts=("city", "name", "postal_code"), lookup="email", typed="active")

    def trims(self, field: str) -> bool:
        """Tryton itself takes blanks off every short text."""
        return True

    def required(self, number: int) -> Mapping[str, RemoteValue]:
        return {"name": f"Kanarie {number}"}

    def insert(self, values: Mapping[str, RemoteValue]) -> str:
        plain = {name: values[name] for name in ("name",) if values.get(name)}
        children = [{"type": kind, "value": values[kind]} for kind in MECHANISMS if values.get(kind)]
        address = [{name: values[name] for name in ADDRESS if values.get(name)}]
        body = {**plain, "contact_mechanisms": [["create", children]], "addresses": [["create", address]]}
        return str(self._server.asked("POST", PARTY, body)["id"])

    def change(self, record_id: str, values: Mapping[str, RemoteValue]) -> None:
        for name, value in values.items():
            if name in MECHANISMS:
                self._server.asked("PUT", f"{CHILD}/{self._server.mechanisms(record_id)[name][0]}", {"value": value})
            elif name in ADDRESS:
                address = self._server.party(record_id, "addresses.city")["addresses."][0]["id"]
                self._server.asked("PUT", f"/{DATABASE}/rest/model/party.address/{address}", {name: value})
            else:
                self._server.asked("PUT", f"{PARTY}/{record_id}", {name: value})

    def change_child(self, record_id: str) -> None:
        self.change(record_id, {"email": "kanarie-changed@example.org"})

    def remove(self, record_id: str) -> None:
        self._server.asked("DELETE", f"{PARTY}/{record_id}")

    def archive(self, record_id: str) -> None:
        self._server.asked("PUT", f"{PARTY}/{record_id}", {"active": False})

    def held(self, record_id: str) -> Mapping[str, RemoteValue]:
        found = self._server.party(record_id, "name", "active", *(f"addresses.{name}" for name in ADDRESS))
        held = {each["type"]: each["value"] for each in found["contact_mechanisms."]}
        address: Mapping[str, Any] = next(iter(found["addresses."]), {})
        plain = {"name": found["name"], "active": found["active"]}
        return plain | {name: address.get(name) for name in ADDRESS} | {"email": None, **held}

    def page(self) -> int:
        # Its pages of 500 would take long to fill.
        return 20

    def answer_lost(self) -> AbstractContextManager[None]:
        return self._stage.answers_lost()

    def cut_while_reading(self) -> AbstractContextManager[None]:
        return self._stage.reads_cut()

    def clock_off(self) -> AbstractContextManager[None]:
        return self._stage.clock_wrong()

    def field_gone(self, field: str) -> AbstractContextManager[None]:
        return self._stage.renamed(f"addresses.{field}", f"addresses.gone_{field}")

    def wrong_credentials(self) -> Mapping[str, Any]:
        return configured(self._server.url, "w" * 64)

    def read_only(self) -> Mapping[str, Any]:
        return configured(self._server.url, READER_KEY)

    def unreachable(self) -> Mapping[str, Any]:
        return configured("http://127.0.0.1:9")
