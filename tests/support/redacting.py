"""Redactions as Shopify sends them, people to be redacted, and what is left of them."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from onewriter.customers import inbox
from onewriter.db.register import REGISTER
from onewriter.db.tables import customers, metadata, tombstones
from onewriter.db.tables import inbox as inbox_table
from onewriter.records import HOUR, SECOND, Change, Delivery, Instant, Path
from tests.support.joined import drain_all, put_in_inbox
from tests.support.shops import DOMAIN, Tea, told

EMAIL = "canary@example.com"
ANN, BEN, CARO = 4_711_000_101, 4_711_000_102, 4_711_000_103
"""Long ids, so that none of them is a part of another number by chance."""


def redaction(number: int | None, *, email: str | None = EMAIL, domain: str = DOMAIN, **more: Any) -> bytes:
    """The body of customers/redact, as Shopify's payload reference has it."""
    body = {"shop_id": 954889, "shop_domain": domain, "customer": {"id": number, "email": email, "phone": None}}
    return json.dumps(body | {"orders_to_redact": [299938]} | more).encode()


def body_of(number: int, now: Instant, **fields: Any) -> bytes:
    moment = datetime.fromtimestamp(now // SECOND, UTC).isoformat()
    return json.dumps({"id": number, "updated_at": moment, "state": "enabled"} | fields).encode()


def deliver(tea: Tea, now: Instant, topic: str, content: bytes, name: str = "w-redact") -> None:
    put_in_inbox(tea.runtime, tea.vault, [Delivery(tea.shop_id, name, topic, content, now, triggered=now - SECOND)])
    drain_all(tea.runtime, now)


def person(number: int, now: Instant, *, email: str = EMAIL, path: Path = Path.WEBHOOK) -> Change:
    return told(number, now - HOUR, {"first_name": "Canary", "email": email, "note": "canary"}, heard=now, path=path)


def outcomes(tea: Tea) -> dict[str, str | None]:
    with tea.runtime.database.read() as db:
        return {row["webhook_id"]: row["outcome"] for row in inbox.listed(db, None, 100)}


def held(tea: Tea) -> list[int]:
    with tea.runtime.database.read() as db:
        return sorted(db.execute(select(customers.c.shopify_id)).scalars())


def id_of(tea: Tea, number: int) -> bytes:
    with tea.runtime.database.read() as db:
        return bytes(db.execute(select(customers.c.id).where(customers.c.shopify_id == number)).scalar_one())


def bodies(tea: Tea) -> set[bytes | None]:
    with tea.runtime.database.read() as db:
        return set(db.execute(select(inbox_table.c.box)).scalars())


def all_values(tea: Tea) -> bytes:
    """Every value of every table of ours."""
    with tea.runtime.database.read() as db:
        rows = [row for entry in REGISTER for row in db.execute(select(metadata.tables[entry.table]))]
    values = (value for row in rows for value in row)
    return b"|".join(bytes(each) if isinstance(each, bytes | memoryview) else str(each).encode() for each in values)


def erased(tea: Tea, *numbers: int) -> bool:
    """True when all these ids say that they were erased."""
    hashes = [tea.vault.key.id_hash(number) for number in numbers]
    query = select(tombstones.c.purged_at).where(tombstones.c.id_hash.in_(hashes))
    with tea.runtime.database.read() as db:
        found = db.execute(query).scalars().all()
    return len(found) == len(numbers) and None not in found
