"""The small CRM that the example of a recipe is for: versions, keys of intent, pages by number, codes of refusal."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tests.support.vendors import POISON, Answer, Asked, Person, Vendor

WORDS = ("new", "good", "best")
LONGEST = 60


class ExampleCrm(Vendor):
    """What docs/systems/rest.md describes."""

    name = "example"
    plain = ("name", "email", "note", "level", "visits", "since")

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, int] = {}
        self.done: dict[str, str] = {}
        """The record that an intent made, by its key."""

    def described(self) -> dict[str, Any]:
        return {}

    def empty(self) -> dict[str, Any]:
        return dict.fromkeys(self.plain)

    def change(self, record_id: str, fields: Mapping[str, Any]) -> None:
        super().change(record_id, fields)
        self.versions[record_id] = self.version(record_id) + 1

    def version(self, record_id: str) -> int:
        """The present version of a record."""
        return self.versions.get(record_id, 1)

    def writes(self, asked: Asked) -> bool:
        return asked.method != "GET" and not asked.path.endswith("/search")

    def refusal(self, status: int, code: str, where: str | None = None) -> Answer:
        return status, {"errors": [{"code": code, "field": where, "message": "in the system's own words"}]}

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/api/contacts/search":
            people = self.people.values()
            return 200, {"contacts": [self._shown(p) for p in people if p.fields["email"] == asked.body["email"]]}
        one = re.fullmatch(r"/api/contacts/(\w+)", asked.path)
        if one is None and asked.method == "GET":
            return self._listed(asked)
        if one is None:
            return self._made(asked)
        person = self.people.get(one[1])
        if person is None:
            return self.refusal(404, "not_found")
        if asked.method == "GET":
            return 200, self._shown(person)
        if asked.headers.get("if-match", str(self.version(person.id))) != str(self.version(person.id)):
            return self.refusal(412, "stale")
        return self._unfit(asked.body["contact"]) or self._changed(person, asked.body["contact"])

    def _listed(self, asked: Asked) -> Answer:
        people = list(self.people.values())
        if "changed_since" in asked.query:
            since = datetime.fromtimestamp(int(asked.query["changed_since"]), UTC)
            people = [each for each in people if each.updated >= since]
        size = int(asked.query["size"])
        start = (int(asked.query["page"]) - 1) * size
        return 200, {"contacts": [self._shown(each) for each in people[start : start + size]]}

    def _made(self, asked: Asked) -> Answer:
        intent = asked.headers.get("idempotency-key", "")
        if intent not in self.done:
            refused = self._unfit(asked.body["contact"])
            if refused is not None:
                return refused
            self.done[intent] = self.add(asked.body["contact"])
        return 201, self._shown(self.people[self.done[intent]])

    def _unfit(self, contact: Mapping[str, Any]) -> Answer | None:
        for name, value in contact.items():
            if name not in self.plain or (isinstance(value, str) and POISON in value):
                return self.refusal(422, "invalid", name)
            if name == "name" and len(value or "") > LONGEST:
                return self.refusal(422, "too_long", name)
        return None

    def _changed(self, person: Person, contact: Mapping[str, Any]) -> Answer:
        self.change(person.id, contact)
        return 200, self._shown(person)

    def _shown(self, person: Person) -> dict[str, Any]:
        fields = {name: person.fields[name] for name in self.plain}
        created = int(person.created.timestamp())
        # Like many systems it has no time of change until somebody changes the record.
        updated = None if person.updated == person.created else int(person.updated.timestamp())
        times = {"created": created, "updated": updated, "version": self.version(person.id)}
        return {"id": person.id, **fields, **times}
