"""The conformance suite's hand behind the connector's back, in a server that behaves as a vendor describes."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from onewriter.connectors.interface import Discovery, RemoteValue
from onewriter.connectors.workbench import Ground, NotApplicable, Workbench
from tests.support.rest_wire import RestStage
from tests.support.vendors import SECRET, Vendor


@dataclass(frozen=True)
class Setting:
    """How a vendor is opened, and what of it is tried."""

    recipe: str
    base: str
    settings: Mapping[str, str]
    ground: Ground

    def configured(self, url: str, secret: str = SECRET) -> dict[str, Any]:
        """The configuration."""
        return {
            "recipe": self.recipe,
            "base_url": url + self.base,
            "secret": secret,
            "settings": dict(self.settings),
        }


SETTINGS = {
    "klaviyo": Setting("klaviyo", "", {}, Ground(texts=("first_name", "last_name", "title"), lookup="email")),
    "hubspot": Setting("hubspot", "", {}, Ground(texts=("firstname", "lastname", "city"), lookup="email")),
    "mailchimp": Setting(
        "mailchimp",
        "/3.0",
        {"dc": "us1", "list_id": "abc123"},
        Ground(
            texts=("merge_fields.FNAME", "merge_fields.LNAME", "merge_fields.PHONE"),
            lookup="email_address",
            typed="vip",
            words="status",
        ),
    ),
    "example": Setting(
        "example",
        "/api",
        {},
        Ground(texts=("note", "name"), lookup="email", typed="visits", limited="name", words="level"),
    ),
}


class VendorBench(Workbench):
    """People are made and changed in the server's own memory."""

    def __init__(self, vendor: Vendor, stage: RestStage) -> None:
        self._vendor, self._stage, self._setting = vendor, stage, SETTINGS[vendor.name]

    def ground(self, discovery: Discovery) -> Ground:
        return self._setting.ground

    def insert(self, values: Mapping[str, RemoteValue]) -> str:
        lookup = str(self._setting.ground.lookup)
        if values.get(lookup) in {each.fields.get(lookup) for each in self._vendor.people.values()} - {None}:
            raise NotApplicable("the vendor has one record of an address")
        return self._vendor.add(values)

    def change(self, record_id: str, values: Mapping[str, RemoteValue]) -> None:
        self._vendor.change(record_id, values)

    def remove(self, record_id: str) -> None:
        del self._vendor.people[record_id]

    def held(self, record_id: str) -> Mapping[str, RemoteValue]:
        fields = self._vendor.people[record_id].fields
        return {name: fields.get(name) or None for name in self._setting.ground.all}

    def answer_lost(self) -> AbstractContextManager[None]:
        return self._failing()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        self._vendor.fail_after_commit = True
        try:
            yield
        finally:
            self._vendor.fail_after_commit = False

    def cut_while_reading(self) -> AbstractContextManager[None]:
        return self._stage.reads_cut()

    def clock_off(self) -> AbstractContextManager[None]:
        return self._stage.clock_wrong()

    def wrong_credentials(self) -> Mapping[str, Any]:
        return self._setting.configured(self._vendor.url, "s3cret-of-nobody")

    def unreachable(self) -> Mapping[str, Any]:
        return self._setting.configured("http://127.0.0.1:9")
