"""Orders in a shop that onewriter is connected to: placed there, heard of, read, and what they came to here."""

import json
from typing import Any

from sqlalchemy import func, select

from onewriter.customers import findings, order_marks, runs, shops
from onewriter.customers.order_marks import OrderMark
from onewriter.customers.runs import Run
from onewriter.db import pointtables, tables
from onewriter.intake.orders import OrderReads
from onewriter.loyalty import programme
from onewriter.records import DAY, Delivery, Instant
from onewriter.workflows import orders
from tests.support.drifting import LATER_S, Drifting
from tests.support.joined import put_in_inbox

RULES = 'currency = "USD"\n[order]\npoints_per_unit = 1\n'
WHEN_SENT = RULES + 'on = "fulfilled"\n'


def set_rules(stage: Drifting, text: str = RULES) -> None:
    """Set the programme; a second passes, so that what happens then happens under it."""
    with stage.runtime.database.write() as db:
        programme.add(db, shops.by_id(db, stage.shop_id), text, "test", None, stage.clock.now)
    stage.clock.pass_by(1)


def deliver(stage: Drifting, topic: str, body: dict[str, Any], name: str = "made") -> None:
    """Put a delivery of our own making into the inbox."""
    moment = stage.clock.now
    made = Delivery(stage.shop_id, f"{name}-{topic}", topic, json.dumps(body).encode(), moment, triggered=moment)
    put_in_inbox(stage.runtime, stage.vault, [made])


def read_orders(stage: Drifting) -> int:
    """Read the orders that are due once; how many were read."""
    reads = OrderReads(stage.runtime.database, stage.runtime.client, stage.runtime.vault, stage.clock.read)
    return reads.once(stage.shop_id)


def follow(stage: Drifting, *, wait_s: float = LATER_S) -> None:
    """Hear, apply and read customers and orders until nothing is due."""
    stage.clock.pass_by(wait_s)
    stage.hear()
    stage.drain()
    while stage.refetch() + read_orders(stage):
        stage.drain()
    stage.clock.pass_by(wait_s)


def marks(stage: Drifting) -> list[OrderMark]:
    """The orders that wait, due or not."""
    with stage.runtime.database.read() as db:
        return order_marks.due(db, stage.shop_id, stage.clock.now + 365 * DAY, 1_000)


def points(stage: Drifting) -> dict[int, int]:
    """The sum of what was posted for each customer, by Shopify id; nothing for who has no entry."""
    entries, customers = pointtables.entries, tables.customers
    posted = (
        select(customers.c.shopify_id, func.sum(entries.c.points))
        .join(customers, customers.c.id == entries.c.customer_id)
        .group_by(customers.c.shopify_id)
    )
    with stage.runtime.database.read() as db:
        return {number: int(total) for number, total in db.execute(posted)}


def many_entries(stage: Drifting) -> int:
    with stage.runtime.database.read() as db:
        return db.execute(select(func.count()).select_from(pointtables.entries)).scalar_one()


def queue(stage: Drifting) -> str:
    with stage.runtime.database.write() as db:
        return orders.queue(stage.runtime, db, stage.shop_id, "test", stage.clock.now)


def reconcile(stage: Drifting) -> Run:
    """Queue an order reconcile and carry it out, as a worker would."""
    return stage.carry_out(queue(stage))


def found(stage: Drifting, kind: str) -> list[dict[str, Any]]:
    with stage.runtime.database.read() as db:
        rows = db.execute(select(tables.findings).where(tables.findings.c.kind == kind).order_by(tables.findings.c.id))
        return [dict(row._mapping) for row in rows]


def open_findings(stage: Drifting, kind: str) -> list[Any]:
    with stage.runtime.database.read() as db:
        return list(findings.open_of(db, stage.shop_id, kind).values())


def inbox_rows(stage: Drifting, topics: tuple[str, ...]) -> list[Any]:
    """The deliveries of these topics, oldest first, with their sealed bodies."""
    inbox = tables.inbox
    with stage.runtime.database.read() as db:
        return list(db.execute(select(inbox).where(inbox.c.topic.in_(topics)).order_by(inbox.c.position)))


def orders_to(stage: Drifting) -> Instant | None:
    return stage.shop_row().orders_to


def newest_runs(stage: Drifting) -> list[Run]:
    with stage.runtime.database.read() as db:
        return [run for run in runs.newest(db, 50) if run.kind == runs.ORDERS]
