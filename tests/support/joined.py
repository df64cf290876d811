"""A sandbox shop that onewriter is connected to, as a person would connect it, and both sides in the same words."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from onewriter.bench.simulate.truth import fields_of
from onewriter.customers import inbox, marks, profiles, runs
from onewriter.customers.profiles import ACTIVE, Profile
from onewriter.customers.runs import Run
from onewriter.db.tables import customers
from onewriter.intake.connect import Connected, Wish
from onewriter.intake.door import Door
from onewriter.intake.drain import Drain
from onewriter.intake.refetch import Refetch
from onewriter.records import DAY, Delivery, Instant
from onewriter.runtime import Runtime, new_run_id, now
from onewriter.sandbox import Faults, RunningSandbox
from onewriter.shopify.auth import Credentials
from onewriter.shopify.queries import API_VERSION
from onewriter.shopify.webhooks import read_headers
from onewriter.vault.vault import ShopVault
from onewriter.workflows.carrying import carry_out

NOBODY = "http://127.0.0.1:9"
"""Where nobody listens: what the shop sends is put into the inbox by the test itself."""

KEEP_DAYS = 30


@dataclass
class Joined:
    """A connected sandbox shop with its first import queued; nothing is carried out until the test says so."""

    runtime: Runtime
    sandbox: RunningSandbox
    shop_id: int
    run_id: str
    _heard: set[str] = field(default_factory=set)

    @property
    def shop(self) -> Any:
        return self.sandbox.shop

    @property
    def vault(self) -> ShopVault:
        return self.runtime.vault(self.shop_id)

    @property
    def bulk_operations(self) -> list[Any]:
        """Every bulk operation that the shop was ever asked for."""
        operations: list[Any] = self.sandbox._app.state.gateway.operations.all()
        return operations

    def run(self, run_id: str | None = None) -> Run:
        with self.runtime.database.read() as db:
            return runs.get(db, run_id or self.run_id)

    def carry_out(self, run_id: str | None = None) -> Run:
        """Carry a run out, as a worker would; a temporary error is not waited out but fails the test."""
        carry_out(self.runtime, run_id or self.run_id, sleep=_refuse_to_sleep)
        return self.run(run_id)

    def queue(self) -> str:
        """Queue another import; nobody carries it out."""
        run_id = new_run_id(now())
        with self.runtime.database.write() as db:
            runs.add(db, run_id, self.shop_id, runs.IMPORT, "test", now())
        return run_id

    def import_again(self) -> Run:
        return self.carry_out(self.queue())

    def hear(self) -> int:
        """Put into the inbox what the shop has announced since; returns how many deliveries that were."""
        fresh = [sent for sent in self.shop.deliveries if sent.webhook_id not in self._heard]
        self._heard |= {sent.webhook_id for sent in fresh}
        received = now()
        put_in_inbox(self.runtime, self.vault, [self._delivery(sent, received) for sent in fresh])
        return len(fresh)

    def _delivery(self, sent: Any, received: Instant) -> Delivery:
        headers = read_headers(self.shop.courier.headers(sent), received)
        return Delivery(
            self.shop_id,
            headers.webhook_id,
            headers.topic,
            sent.body,
            received,
            triggered=headers.triggered,
            event_id=headers.event_id,
        )

    def drain(self) -> None:
        drain_all(self.runtime, now())

    def refetch(self) -> int:
        """Read what is due once; how many customers were read."""
        return Refetch(self.runtime.database, self.runtime.client, self.runtime.vault, now).once(self.shop_id)

    def follow(self) -> None:
        """Hear, apply and read until nothing is left to do."""
        self.hear()
        self.drain()
        while self.refetch():
            pass

    def marked(self) -> dict[int, frozenset[str]]:
        """The customers that wait to be read again, due or not, and why."""
        with self.runtime.database.read() as db:
            due = marks.due(db, self.shop_id, now() + 365 * DAY, 10_000)
        return {mark.shopify_id: mark.reasons for mark in due}

    def profile(self, shopify_id: int) -> Profile:
        with self.runtime.database.read() as db:
            return profiles.load(db, self.vault, [shopify_id])[shopify_id]

    def held(self) -> dict[int, dict[str, Any]]:
        """Every field of every customer that is not hidden, opened."""
        with self.runtime.database.read() as db:
            active = select(customers.c.shopify_id).where(customers.c.state == ACTIVE)
            known = profiles.load(db, self.vault, list(db.execute(active).scalars()))
        return {number: dict(profile.own) for number, profile in sorted(known.items())}

    def truth(self) -> dict[int, dict[str, Any]]:
        """The same of the shop itself."""
        return {record.id: fields_of(record) for record in sorted(self.shop.snapshot(), key=lambda each: each.id)}


@contextmanager
def joined(
    runtime: Runtime, many: int = 12, *, seed: int = 1, public_url: str = NOBODY, **faults: Any
) -> Iterator[Joined]:
    """A running sandbox shop of so many customers, connected."""
    given = {"bulk_seconds": 0.0, "retry_scale": 0.001} | faults
    with RunningSandbox(many, seed, faults=Faults(**given)) as sandbox:
        connected = connect(runtime, sandbox, public_url=public_url)
        assert connected.run_id is not None
        yield Joined(runtime, sandbox, connected.shop_id, connected.run_id)


def wish_of(sandbox: RunningSandbox, *, public_url: str = NOBODY, **changes: Any) -> Wish:
    """What a person who connects that sandbox asks for."""
    info = sandbox.info
    credentials = Credentials("token", access_token=info.access_token, api_secrets=(info.api_secret,))
    given = {"domain": info.domain, "admin_url": info.admin_url, "public_url": public_url, "api_version": API_VERSION}
    return Wish(**given | {"region": None, "credentials": credentials} | changes)


def connect(runtime: Runtime, sandbox: RunningSandbox, *, at: Instant | None = None, **changes: Any) -> Connected:
    """Connect a sandbox shop; `changes` are to what is asked for."""
    wish = wish_of(sandbox, **changes)
    with runtime.client_for(wish.admin_url, wish.credentials, wish.api_version) as client:
        return runtime.connector().connect(client, wish, "test", now() if at is None else at)


def put_in_inbox(runtime: Runtime, vault: ShopVault, deliveries: Sequence[Delivery]) -> None:
    """Hand deliveries to a door and wait until they are on disk, in the order given."""
    door = Door(runtime.database, None)

    async def receive_all() -> None:
        await asyncio.gather(*(door.receive(delivery, vault) for delivery in deliveries))

    try:
        asyncio.run(receive_all())
    finally:
        door.close()


def drain_all(runtime: Runtime, moment: Instant) -> int:
    """Drain until nothing is due at that moment; how many deliveries were taken up."""
    drain = Drain(runtime.database, runtime.vault, KEEP_DAYS)
    total = 0
    while taken := drain.once(moment):
        total += taken
    return total


def states_of(runtime: Runtime) -> dict[str, list[Mapping[str, Any]]]:
    """The inbox by state, oldest first."""
    with runtime.database.read() as db:
        rows = inbox.listed(db, None, 10_000)
    sorted_rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in reversed(rows):
        sorted_rows.setdefault(row["state"], []).append(row)
    return sorted_rows


def _refuse_to_sleep(seconds: float) -> None:
    raise AssertionError(f"The run met a temporary error and would wait {seconds:.1f} seconds.")
