"""A shop in this process whose customers are read by a feed, on a clock that only waiting moves."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import httpx2

from onewriter.records import DAY, SECOND, Change, Instant
from onewriter.sandbox import Faults, Shop
from onewriter.sandbox.front import Front
from onewriter.sandbox.transport import Transport
from onewriter.shopify import queries
from onewriter.shopify.auth import Credentials
from onewriter.shopify.client import AdminClient
from onewriter.shopify.feed import Feed, Piece
from onewriter.shopify.payloads import change_from_bulk_line
from tests.support.rehearsal import START

HOURS, MINUTES = 48, 30
BULK_SECONDS = 20
BEGIN = START + 400 * DAY
"""Later than everything in a seeded shop."""

Asked = dict[str, Any]


class Stage(httpx2.BaseTransport):
    """A shop in this process and a client of it, on a clock that only waiting moves.

    `interfere` may answer a query instead of the shop, and `file` may change a file.
    """

    def __init__(self, customers: int = 40, **faults: Any) -> None:
        self.now: Instant = BEGIN
        switches = Faults(**{"bulk_seconds": float(BULK_SECONDS)} | faults)
        self.shop = Shop(customers, 1, faults=switches, clock=self.seconds, courier_schedule=lambda *_: None)
        self.front = Front(self.shop)
        self.interfere: Callable[[Asked], httpx2.Response | None] = lambda _asked: None
        self.file: Callable[[httpx2.Response], httpx2.Response] = lambda file: file
        self.hours = HOURS
        self.seen: list[Asked] = []
        self.kept: Mapping[str, Any] = {}
        self.writes = 0
        self.client = AdminClient(
            "http://shop.test",
            Credentials("token", access_token=self.shop.access.token),
            api_version=queries.API_VERSION,
            clock=lambda: self.now,
            sleep=self.sleep,
            transport=self,
        )

    def seconds(self) -> float:
        return self.now / SECOND

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            self.seen.append(json.loads(request.read()))
            instead = self.interfere(self.seen[-1])
            return instead or Transport(self.front).handle_request(request)
        return self.file(Transport(self.front).handle_request(request))

    def asked(self, document: str) -> list[Asked]:
        """The variables of each query of that document."""
        return [asked["variables"] for asked in self.seen if asked["query"] == document]

    @property
    def operations(self) -> list[Any]:
        return self.front.gateway.operations.all()

    @property
    def ids(self) -> list[int]:
        return sorted(self.shop.customers)

    def feed(self, since: Instant | None = None, keep: Callable[[Mapping[str, Any]], None] | None = None) -> Feed:
        """A feed that begins with what was kept last."""
        return Feed(
            self.client,
            lambda: self.now,
            self.kept,
            keep or self.keep,
            wait_hours=self.hours,
            stall_minutes=MINUTES,
            since=since,
        )

    def keep(self, state: Mapping[str, Any]) -> None:
        """Keep a state as a database would."""
        self.kept = json.loads(json.dumps(dict(state)))
        self.writes += 1

    def read(self, feed: Feed, at_most: int = 7, pieces: int | None = None) -> list[Piece]:
        """The pieces, as a caller takes them who keeps the state with the rows; `pieces` is after how many it dies."""
        taken = []
        for piece in islice(feed.pieces(lambda: at_most), pieces):
            assert 0 < len(piece.lines) <= at_most
            taken.append(piece)
            self.keep(piece.state)
        return taken


def changes_in(pieces: Sequence[Piece]) -> list[Change]:
    return [
        change_from_bulk_line(line, began=piece.began, position=0, raw_digest=None, denied=piece.denied)
        for piece in pieces
        for line in piece.lines
    ]


def ids_in(pieces: Sequence[Piece]) -> list[int]:
    return [change.record_id for change in changes_in(pieces)]
