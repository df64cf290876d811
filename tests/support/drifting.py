"""A shop in this process that onewriter is connected to, on one clock for both, and deliveries that a test may lose."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from sqlalchemy import func, select

from onewriter.bench.simulate.truth import fields_of
from onewriter.customers import findings, marks, profiles, runs, shops
from onewriter.customers.profiles import ACTIVE, Profile
from onewriter.customers.runs import Run
from onewriter.db import tables
from onewriter.intake.connect import Wish
from onewriter.intake.drain import Drain
from onewriter.intake.refetch import Refetch
from onewriter.records import DAY, SECOND, Delivery, Instant, id_text
from onewriter.runtime import Runtime
from onewriter.sandbox import Faults, Shop
from onewriter.sandbox.deliveries import Delivery as Sent
from onewriter.sandbox.front import Front
from onewriter.sandbox.transport import Transport
from onewriter.shopify.auth import Credentials
from onewriter.shopify.queries import API_VERSION
from onewriter.shopify.webhooks import read_headers
from onewriter.vault.vault import ShopVault
from onewriter.workflows import reconciling
from onewriter.workflows.carrying import carry_out
from tests.support.joined import KEEP_DAYS, NOBODY, put_in_inbox
from tests.support.rehearsal import START

NEVER, LATE, REFUSED = "never delivered", "delivered late", "refused"

BEGIN = START + 400 * DAY
"""Later than everything in a seeded shop."""
LATER_S = 600.0
"""Longer than anything is given to arrive."""


@dataclass
class Clock:
    """A clock that moves when somebody waits; what is planned happens as it passes."""

    now: Instant = BEGIN
    plans: list[tuple[Instant, Callable[[], object]]] = field(default_factory=list)

    def read(self) -> Instant:
        return self.now

    def seconds(self) -> float:
        return self.now / SECOND

    def plan(self, seconds: float, action: Callable[[], object]) -> None:
        self.plans.append((self.now + round(seconds * SECOND), action))

    def pass_by(self, seconds: float) -> None:
        until = self.now + round(seconds * SECOND)
        due = sorted((plan for plan in self.plans if plan[0] <= until), key=lambda plan: plan[0])
        self.plans = [plan for plan in self.plans if plan[0] > until]
        for at, action in due:
            self.now = at
            action()
        self.now = until


class Interfering(Transport):
    """The wire to the shop. `after_read` is called once, when customers were read by id, before the answer arrives;
    `refused` are ids that such an answer hides with an error.
    """

    def __init__(self, front: Front) -> None:
        super().__init__(front)
        self.after_read: Callable[[], object] | None = None
        self.refused: set[int] = set()
        self.reads = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answered = super().handle_request(request)
        asked = json.loads(request.read()) if request.method == "POST" else {}
        if not str(asked.get("query")).startswith("query Customers("):
            return answered
        self.reads += 1
        happening, self.after_read = self.after_read, None
        if happening is not None:
            happening()
        return self._without(asked["variables"]["ids"], answered) if self.refused else answered

    def _without(self, ids: Sequence[str], answered: httpx2.Response) -> httpx2.Response:
        answer = json.loads(answered.read())
        for place, name in enumerate(ids):
            if int(name.rpartition("/")[2]) in self.refused:
                answer["data"]["nodes"][place] = None
                error = {"message": "Internal error", "path": ["nodes", place], "extensions": {"code": "INTERNAL"}}
                answer.setdefault("errors", []).append(error)
        return httpx2.Response(200, json=answer)


@dataclass
class Drifting:
    """A connected shop whose customers were imported ten minutes ago, and nothing has happened since."""

    runtime: Runtime
    shop: Shop
    clock: Clock
    wire: Interfering
    waiting: list[Sent]
    """What the shop has announced and nobody has received yet."""
    shop_id: int
    patient: bool = False
    """Whether a run waits temporary errors out; else they fail the test."""

    @property
    def vault(self) -> ShopVault:
        return self.runtime.vault(self.shop_id)

    # ---- What reaches us

    @contextmanager
    def losing(self) -> Iterator[None]:
        """Whatever the shop announces meanwhile is lost on its way; ten minutes pass before and after."""
        self.clock.pass_by(LATER_S)
        before, self.shop.faults.lose = self.shop.faults.lose, 1.0
        yield
        self.shop.faults.lose = before
        self.clock.pass_by(LATER_S)

    def hear(self) -> list[Sent]:
        """Put into the inbox what the shop has announced."""
        heard, self.waiting[:] = list(self.waiting), []
        received = self.clock.now
        put_in_inbox(self.runtime, self.vault, [self._delivery(sent, received) for sent in heard])
        for sent in heard:
            self.shop.courier.sent(sent, 0, acknowledged=True)
        return heard

    def _delivery(self, sent: Sent, received: Instant) -> Delivery:
        headers = read_headers(self.shop.courier.headers(sent), received)
        times = {"triggered": headers.triggered, "event_id": headers.event_id}
        return Delivery(self.shop_id, headers.webhook_id, headers.topic, sent.body, received, **times)  # type: ignore[arg-type]

    def drain(self) -> None:
        drain = Drain(self.runtime.database, self.runtime.vault, KEEP_DAYS)
        while drain.once(self.clock.now):
            pass

    def refetch(self) -> int:
        """Read what is due once; how many customers were read."""
        refetch = Refetch(self.runtime.database, self.runtime.client, self.runtime.vault, self.clock.read)
        return refetch.once(self.shop_id)

    def follow(self) -> None:
        """Hear, apply and read until nothing is left to do; ten minutes pass before and after."""
        self.clock.pass_by(LATER_S)
        self.hear()
        self.drain()
        while self.refetch():
            self.drain()
        self.clock.pass_by(LATER_S)

    # ---- Runs

    def queue(self, kind: str = runs.RECONCILE, *, dry: bool = False) -> str:
        with self.runtime.database.write() as db:
            return reconciling.queue(
                self.runtime, db, self.shop_id, "test", self.clock.now, recent=kind == runs.RECENT, dry=dry
            )

    def reconcile(self, kind: str = runs.RECONCILE, *, dry: bool = False) -> Run:
        """Queue a reconcile and carry it out, as a worker would."""
        return self.carry_out(self.queue(kind, dry=dry))

    def begin(self, run_id: str) -> Run:
        """Take a run up, as a worker does first."""
        with self.runtime.database.write() as db:
            return runs.begin(db, run_id, self.clock.now)

    def carry_out(self, run_id: str) -> Run:
        carry_out(self.runtime, run_id, sleep=self.clock.pass_by if self.patient else _refuse_to_sleep)
        return self.run(run_id)

    def run(self, run_id: str) -> Run:
        with self.runtime.database.read() as db:
            return runs.get(db, run_id)

    def found(self, run: Run) -> list[tuple[int | None, str, str | None, str, bool]]:
        """What a run found: the customer's Shopify id, the kind, the field, the reason, and whether it is healed."""
        names = self.names()
        with self.runtime.database.read() as db:
            rows = findings.of_run(db, run.id)
        return sorted(
            (
                (names.get(row["customer_id"]), row["kind"], row["field"], row["reason"], row["healed_at"] is not None)
                for row in rows
                if row["kind"] != "deletion refused"
            ),
            key=str,
        )

    # ---- Both sides

    def names(self) -> dict[bytes, int]:
        """The Shopify id of each of our customers."""
        known = select(tables.customers.c.id, tables.customers.c.shopify_id)
        with self.runtime.database.read() as db:
            return {bytes(row.id): row.shopify_id for row in db.execute(known)}

    def own_id(self, shopify_id: int) -> str:
        return next(id_text(name) for name, number in self.names().items() if number == shopify_id)

    def profile(self, shopify_id: int) -> Profile:
        with self.runtime.database.read() as db:
            return profiles.load(db, self.vault, [shopify_id])[shopify_id]

    def held(self) -> dict[int, dict[str, Any]]:
        """Every field of every customer that is not hidden, opened."""
        with self.runtime.database.read() as db:
            active = select(tables.customers.c.shopify_id).where(tables.customers.c.state == ACTIVE)
            known = profiles.load(db, self.vault, list(db.execute(active).scalars()))
        return {number: dict(profile.own) for number, profile in sorted(known.items())}

    def truth(self) -> dict[int, dict[str, Any]]:
        """The same of the shop itself."""
        return {record.id: fields_of(record) for record in sorted(self.shop.snapshot(), key=lambda each: each.id)}

    def free(self, many: int) -> Sequence[int]:
        """Customers that may be deleted, since they never ordered."""
        return [record.id for record in self.shop.snapshot() if not record.orders][:many]

    def rows(self) -> dict[str, list[Any]]:
        """Every row of every table but those that tell of runs, and of when the shop was asked."""
        left_out = ("runs", "workers", "shops", "systems")
        with self.runtime.database.read() as db:
            return {
                name: [tuple(row) for row in db.execute(select(table).order_by(*table.primary_key.columns))]
                for name, table in tables.metadata.tables.items()
                if name not in left_out
            }

    def shop_row(self) -> shops.Shop:
        with self.runtime.database.read() as db:
            return shops.by_id(db, self.shop_id)

    def held_back(self) -> int:
        held = select(func.count()).select_from(tables.refetch_marks)
        with self.runtime.database.read() as db:
            return db.execute(held.where(tables.refetch_marks.c.due_at == marks.HELD)).scalar_one()


@contextmanager
def drifting(runtime: Runtime, many: int = 12, *, seed: int = 1, **faults: Any) -> Iterator[Drifting]:
    """A connected shop of so many customers, imported."""
    clock = Clock()
    waiting: list[Sent] = []
    shop = Shop(
        many, seed, faults=Faults(**{"bulk_seconds": 4.0} | faults), clock=clock.seconds,
        courier_schedule=lambda sent, _wait, _retry: waiting.append(sent),
    )  # fmt: skip
    runtime.now = clock.read
    wire = Interfering(Front(shop))
    runtime.client_options = {"transport": wire, "sleep": clock.pass_by}
    credentials = Credentials("token", access_token=shop.access.token, api_secrets=(shop.access.signing_secret,))
    wish = Wish(shop.domain, "http://shop.test", NOBODY, API_VERSION, None, credentials)
    with runtime.client_for(wish.admin_url, credentials, API_VERSION) as client:
        connected = runtime.connector().connect(client, wish, "test", clock.now)
    assert connected.run_id is not None
    stage = Drifting(runtime, shop, clock, wire, waiting, connected.shop_id)
    assert stage.carry_out(connected.run_id).reason is None
    clock.pass_by(LATER_S)
    yield stage


def lose_create(stage: Drifting) -> tuple[int, str, str | None]:
    return stage.shop.create(first_name="New", email="new@example.com", tags=["x"]).id, "missing here", None


def lose_update(stage: Drifting) -> tuple[int, str, str | None]:
    number = stage.shop.ids[2]
    stage.shop.update(number, first_name="Renamed")
    return number, "drift", "first_name"


def lose_tags(stage: Drifting) -> tuple[int, str, str | None]:
    number = stage.shop.ids[2]
    stage.shop.add_tags(number, ["gold"])
    return number, "drift", "tags"


def lose_delete(stage: Drifting) -> tuple[int, str, str | None]:
    number = stage.free(1)[0]
    stage.shop.delete(number)
    return number, "not deleted here", None


def _refuse_to_sleep(seconds: float) -> None:
    raise AssertionError(f"The run met a temporary error and would wait {seconds:.1f} seconds.")
