"""Customers as connected systems are compared with them: the owner's value of each field, opened, and nothing else."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from onewriter.customers.profiles import LIVE, customer_binding
from onewriter.db.bulk import in_chunks
from onewriter.db.tables import customers
from onewriter.records import Value
from onewriter.rules.policy import SHOPIFY_ID
from onewriter.rules.tags import resplit
from onewriter.vault.seal import SubjectKey
from onewriter.vault.vault import ShopVault

# Nothing is looked for by the shop: beside many ids it would tempt SQLite to walk every row that the shop has.
_AMONG = (customers.c.shop_id + 0 == bindparam("shop_id"), customers.c.id.in_(bindparam("ids", expanding=True)))
_THESE = select(customers.c.id, customers.c.shopify_id, customers.c.state, customers.c.box).where(*_AMONG)
_NUMBERS = select(customers.c.id, customers.c.shopify_id).where(*_AMONG)


@dataclass(slots=True)
class Owned:
    """One customer: the owner's value of each field."""

    id: bytes
    shopify_id: int
    state: str
    fields: dict[str, Value]
    key: SubjectKey

    @property
    def live(self) -> bool:
        """False for one that was deleted or merged away: hidden from matching and from what is sent."""
        return self.state in LIVE


def load(
    db: Connection, vault: ShopVault, ids: Iterable[bytes], namespaces: Sequence[str] | None = None
) -> dict[bytes, Owned]:
    """These customers, opened, by id; one whose key was destroyed is left out.

    With `namespaces` their tags stand under the names that the policy has for them now, whatever it had then.
    """
    wanted = list(dict.fromkeys(ids))
    rows: list[Any] = []
    for some in in_chunks(wanted):
        rows.extend(db.execute(_THESE, {"shop_id": vault.shop_id, "ids": list(some)}))
    keys = vault.keys.subject_keys((bytes(row.id) for row in rows), leave_destroyed=True) if rows else {}
    found = {}
    for row in rows:
        identity = bytes(row.id)
        key = keys.get(identity)
        if key is None or row.shopify_id is None:
            continue
        fields = key.open_fields(bytes(row.box), customer_binding(vault.shop_id, identity))
        if namespaces is not None:
            resplit(fields, namespaces)
        fields[SHOPIFY_ID] = str(row.shopify_id)
        found[identity] = Owned(identity, row.shopify_id, row.state, fields, key)
    return found


def numbers(db: Connection, shop_id: int, ids: Collection[bytes]) -> dict[bytes, int]:
    """The Shopify ids of these customers; who was erased has none."""
    found = {}
    for some in in_chunks(list(ids)):
        for row in db.execute(_NUMBERS, {"shop_id": shop_id, "ids": list(some)}):
            if row.shopify_id is not None:
                found[bytes(row.id)] = row.shopify_id
    return found


def live_ids(db: Connection, shop_id: int, after: bytes, most: int) -> list[bytes]:
    """The next customers behind that one who are not hidden, in order."""
    live = (customers.c.shop_id == shop_id, customers.c.state.in_(sorted(LIVE)), customers.c.id > after)
    found = db.execute(select(customers.c.id).where(*live).order_by(customers.c.id).limit(most)).scalars()
    return [bytes(each) for each in found]


def count(db: Connection, shop_id: int) -> int:
    """How many customers the shop has that are not hidden."""
    live = (customers.c.shop_id == shop_id, customers.c.state.in_(sorted(LIVE)))
    return db.execute(select(func.count()).select_from(customers).where(*live)).scalar_one()
