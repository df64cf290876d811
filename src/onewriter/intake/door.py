"""The door: a delivery is on disk before it is acknowledged.

Requests that arrive while a commit is under way share the next one (group commit): one thread seals and writes all of
them in one transaction, and each is answered after that commit. So the door is as fast as the disk allows, and nothing
that was answered with 200 can be lost.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection

from onewriter.customers.inbox import PARKED, WAITING
from onewriter.db.bulk import stripe_of
from onewriter.db.engine import Database, DoorBell, Standing
from onewriter.errors import DatabaseBusy, OnewriterError
from onewriter.records import Delivery, Instant
from onewriter.shopify.topics import customer_ids
from onewriter.vault.seal import bound_to
from onewriter.vault.vault import ShopVault, day_of

BATCH_MAX = 256
QUEUE_MAX = 4096

_COLUMNS = (
    "shop_id", "webhook_id", "topic", "event_id", "api_version", "triggered_at", "received_at", "subject_hash",
    "other_hash", "stripe", "day", "box", "state", "attempts", "due_at", "outcome",
)  # fmt: skip
_ARRAYS = (
    "int", "text", "text", "text", "text", "bigint", "bigint", "bytea",
    "bytea", "smallint", "int", "bytea", "text", "smallint", "bigint", "text",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One request that waits for its delivery to be on disk."""

    delivery: Delivery
    vault: ShopVault
    done: Callable[[OnewriterError | None], None]


class Door:
    """Writes deliveries down, many a commit. Use `receive` from the event loop; `close` ends the thread."""

    def __init__(self, database: Database, bell: DoorBell | None) -> None:
        self._standing = Standing(database)
        self._bell = bell
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(QUEUE_MAX)
        self._thread = threading.Thread(target=self._run, name="door", daemon=True)
        self._thread.start()

    async def receive(self, delivery: Delivery, vault: ShopVault) -> None:
        """Return once the delivery is on disk; raises DatabaseBusy when the database cannot take it now."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()

        def done(error: OnewriterError | None) -> None:
            loop.call_soon_threadsafe(_settle, answer, error)

        try:
            self._waiting.put_nowait(_Waiting(delivery, vault, done))
        except queue.Full:
            raise DatabaseBusy("More deliveries wait for the database than the door holds.") from None
        await answer

    def close(self) -> None:
        """Write what waits, then end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            batch, last = self._next_batch()
            if batch:
                self._write(batch)
            if last:
                self._standing.close()
                return

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        """What has arrived since the last commit; waits for the first one. True when the door closes after it."""
        batch: list[_Waiting] = []
        waiting = self._waiting.get()
        while waiting is not None:
            batch.append(waiting)
            if len(batch) >= BATCH_MAX:
                return batch, False
            try:
                waiting = self._waiting.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _write(self, batch: Sequence[_Waiting]) -> None:
        error: OnewriterError | None = None
        try:
            rows = [_row(waiting.delivery, waiting.vault) for waiting in batch]
            if self._bell is None:
                self._commit(rows)
            else:
                with self._bell.held():
                    self._commit(rows)
        except OnewriterError as raised:
            error = raised
        except Exception as raised:  # noqa: BLE001 - whatever it is, no request may wait for ever or be acknowledged
            error = DatabaseBusy(f"The delivery could not be written ({type(raised).__name__}).")
        for waiting in batch:
            waiting.done(error)

    def _commit(self, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._standing.write() as db:
            write_rows(db, rows)


def park(db: Connection, delivery: Delivery, vault: ShopVault, why: str) -> None:
    """Keep something that cannot be read, sealed like a delivery, where people look for such; a repeat is no error."""
    write_rows(db, [_row(delivery, vault, state=PARKED, outcome=why)])


def write_rows(db: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows of the inbox; one that is there already (Shopify repeats itself) is left alone."""
    if db.dialect.name == "sqlite":
        db.exec_driver_sql(_sqlite_insert(), list(rows))
        return
    # One statement with arrays costs half of what executemany costs PostgreSQL.
    db.exec_driver_sql(_postgres_insert(), tuple(list(column) for column in zip(*rows, strict=True)))


def _row(delivery: Delivery, vault: ShopVault, *, state: str = WAITING, outcome: str | None = None) -> tuple[Any, ...]:
    """One value for each of `_COLUMNS`, in order; the body is sealed under the key of the day."""
    day = day_of(delivery.received)
    key = vault.keys.day_key_for_writing(vault.shop_id, day, delivery.received)
    hashes = [vault.key.id_hash(found) for found in customer_ids(delivery.topic, delivery.body)[:2]]
    subject, other = (*hashes, None, None)[:2]
    # A delivery that names no customer still belongs to one stripe, so that its kind keeps its order.
    stripe = stripe_of(subject or vault.key.token("webhook", delivery.topic))
    box = key.seal(delivery.body, inbox_binding(vault.shop_id, delivery.webhook_id))
    head = (delivery.shop_id, delivery.webhook_id, delivery.topic, delivery.event_id, delivery.api_version)
    return (*head, delivery.triggered, delivery.received, subject, other, stripe, day, box, state, 0, 0, outcome)


def inbox_binding(shop_id: int, webhook_id: str) -> bytes:
    """What the sealed body of a delivery is bound to."""
    return bound_to("inbox", shop_id, webhook_id)


def sealed_until(day: int, keep_days: int) -> Instant:
    """When the key of a day ends, and with it every body that it sealed."""
    return (day + 1 + keep_days) * 86_400_000_000


@cache
def _sqlite_insert() -> str:
    marks = ", ".join("?" * len(_COLUMNS))
    return f"INSERT INTO inbox ({', '.join(_COLUMNS)}) VALUES ({marks}) ON CONFLICT (shop_id, webhook_id) DO NOTHING"


@cache
def _postgres_insert() -> str:
    arrays = ", ".join(f"%s::{kind}[]" for kind in _ARRAYS)
    names = ", ".join(_COLUMNS)
    return f"INSERT INTO inbox ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT (shop_id, webhook_id) DO NOTHING"


def _settle(answer: "asyncio.Future[None]", error: OnewriterError | None) -> None:
    if answer.done():
        return  # the client hung up while it waited
    if error is None:
        answer.set_result(None)
    else:
        answer.set_exception(error)
