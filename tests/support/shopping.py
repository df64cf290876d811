"""A sandbox shop without a server, a client into it, and a connector on that: for tests of writing to Shopify."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from onewriter.connectors.interface import Discovery, FieldPatch, Outcome, RemoteValue, Wanted
from onewriter.connectors.shopify import ShopifyConnector
from onewriter.connectors.workbench import Ground, Workbench
from onewriter.records import SECOND
from onewriter.sandbox import Faults, Shop
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.front import Front
from onewriter.sandbox.transport import Transport
from onewriter.shopify.auth import Credentials
from onewriter.shopify.client import AdminClient
from onewriter.shopify.queries import API_VERSION

START = 1_800_000_000.0
TEXTS = ("first_name", "last_name", "note")
WANTED = (
    *("first_name", "last_name", "email", "phone", "note", "locale", "tags", "tags[vip:*]", "addresses"),
    *("email_consent", "sms_consent", "whatsapp_consent", "custom.shoe_size", "custom.birthday", "points"),
)
YES: dict[str, Any] = {"state": "subscribed", "level": "single_opt_in", "at": round(START - 5000) * SECOND}
NO: dict[str, Any] = {"state": "unsubscribed", "level": "single_opt_in", "at": round(START - 5000) * SECOND}


class Line(httpx2.BaseTransport):
    """The line to a shop, on which answers can be lost and connections refused."""

    def __init__(self, shop: Shop) -> None:
        self._inner = Transport(Front(shop))
        self.seen: list[bytes] = []
        """The bodies that were sent."""
        self.after: Callable[[bytes], object] = lambda body: None
        """What happens when the shop has answered a body, before the answer arrives."""
        self.before: Callable[[bytes], object] = lambda body: None
        self.tampered: Callable[[bytes], httpx2.Response | None] = lambda body: None
        """What to answer in the shop's place."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        self.seen.append(body)
        self.before(body)
        instead = self.tampered(body)
        if instead is not None:
            return instead
        answered = self._inner.handle_request(request)
        answered.read()
        self.after(body)
        return answered

    @property
    def writes(self) -> list[bytes]:
        """The mutations that were sent."""
        return [body for body in self.seen if is_write(body)]


def is_write(body: bytes) -> bool:
    """True for a mutation."""
    return body.startswith(b'{"query":"mutation')


@dataclass
class Stall:
    """A shop with its line and its client, in a time that goes on by the second with each look at it."""

    shop: Shop
    line: Line
    client: AdminClient
    slept: list[float] = field(default_factory=list)

    def connector(self, *wanted: str, namespaces: tuple[str, ...] | None = None) -> ShopifyConnector:
        """A connector that reads and writes these fields."""
        return ShopifyConnector(self.client, Wanted(read=wanted, write=wanted), namespaces=namespaces)


def opened(customers: int = 3, **faults: Any) -> Stall:
    """A shop and all that leads to it. Faults are those of the sandbox."""
    passed = [START]

    def clock() -> float:
        passed[0] += 0.01
        return passed[0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds
        stall.slept.append(seconds)

    shop = Shop(customers, 1, faults=Faults(**faults), clock=clock, courier_schedule=lambda *_each: None)
    line = Line(shop)
    client = AdminClient(
        "https://tea.myshopify.com",
        Credentials("token", access_token=shop.access.token, api_secrets=("shpss_canary",)),
        api_version=API_VERSION,
        clock=lambda: round(clock() * SECOND),
        sleep=sleep,
        transport=line,
    )
    stall = Stall(shop, line, client)
    return stall


def somebody(stall: Stall, **fields: Any) -> str:
    given = {"first_name": "Ann", "email": "ann@example.com", "phone": "+12025550143", "tags": ["new", "vip:old"]}
    return str(stall.shop.create(**given | fields).id)


def held(stall: Stall, key: str) -> Customer:
    return stall.shop.customers[int(key)]


def metafields(stall: Stall, key: str) -> dict[tuple[str, str], tuple[str, str]]:
    return {(each.namespace, each.key): (each.type, each.value) for each in held(stall, key).metafields}


def one(shopify: ShopifyConnector, key: str | None, *, clear: Sequence[str] = (), **given: Any) -> Outcome:
    """Write to one record; a name with a dot or bracket comes as `custom__x` or in `clear`."""
    named = {name.replace("__", "."): value for name, value in given.items()}
    return shopify.write([FieldPatch(key=key, set=named, clear=tuple(clear))])[0]


def patched(shopify: ShopifyConnector, key: str, given: dict[str, Any]) -> Outcome:
    return shopify.write([FieldPatch(key=key, set=given)])[0]


class ShopifyHere:
    """Shopify as a kind, for the conformance suite: the configuration names scopes, a token and whether it answers."""

    name = "shopify"

    def __init__(self, stall: Stall) -> None:
        self.stall = stall

    def spec(self) -> Mapping[str, Any]:
        secret = {"type": "string", "writeOnly": True}
        return {"type": "object", "properties": {"token": secret, "down": {}, "scopes": {}}}

    def open(self, configuration: Mapping[str, Any], wanted: Wanted) -> ShopifyConnector:
        self.stall.shop.set_faults({"scopes": configuration.get("scopes", list(Faults().scopes))})
        client = AdminClient(
            "https://tea.myshopify.com",
            Credentials("token", access_token=configuration["token"], api_secrets=("shpss_canary",)),
            api_version=API_VERSION,
            clock=self.stall.client.now,
            sleep=self.stall.client.sleep,
            transport=httpx2.MockTransport(_nobody) if configuration.get("down") else self.stall.line,
        )
        return ShopifyConnector(client, wanted)


def _nobody(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("canary")


class ShopBench(Workbench):
    """The hand behind the connector's back: the sandbox shop's own verbs."""

    def __init__(self, stall: Stall) -> None:
        self.stall = stall

    def trims(self, field: str) -> bool:
        return True

    def ground(self, discovery: Discovery) -> Ground:
        return Ground(texts=TEXTS, typed="points", limited="note")

    def value(self, field: str, number: int) -> RemoteValue:
        return f"kanarie{number}"

    def insert(self, values: Mapping[str, RemoteValue]) -> str:
        return str(self.stall.shop.create(**values).id)

    def change(self, record_id: str, values: Mapping[str, RemoteValue]) -> None:
        self.stall.shop.update(int(record_id), **values)

    def remove(self, record_id: str) -> None:
        self.stall.shop.delete(int(record_id))

    def held(self, record_id: str) -> Mapping[str, RemoteValue]:
        record = self.stall.shop.customers[int(record_id)]
        points = next((int(each.value) for each in record.metafields if each.key == "points"), None)
        return {name: getattr(record, name) for name in TEXTS} | {"points": points}

    @contextmanager
    def answer_lost(self) -> Iterator[None]:
        def lose(body: bytes) -> None:
            if is_write(body):
                raise httpx2.ReadError("canary")

        self.stall.line.after = lose
        try:
            yield
        finally:
            self.stall.line.after = lambda body: None

    @contextmanager
    def cut_while_reading(self) -> Iterator[None]:
        self.stall.line.tampered = lambda body: httpx2.Response(200, text='{"data": {"customers": {"nodes": [')
        try:
            yield
        finally:
            self.stall.line.tampered = lambda body: None

    def wrong_credentials(self) -> Mapping[str, Any]:
        return {"token": "shpat_wrong"}

    def read_only(self) -> Mapping[str, Any]:
        return {"token": self.stall.shop.access.token, "scopes": ["read_customers"]}

    def unreachable(self) -> Mapping[str, Any]:
        return {"token": self.stall.shop.access.token, "down": True}
