"""Shops: one row a connected Shopify store, with its credentials sealed."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from onewriter.db.systemtables import policies, systems
from onewriter.db.tables import shops
from onewriter.errors import UnknownShop
from onewriter.records import SECOND, SHOPIFY, Instant
from onewriter.rules import policy
from onewriter.rules.retention import DAYS

CONNECTED = "connected"
DISCONNECTED = "disconnected"
AUTHORIZING = "authorizing"
"""Written down and never connected yet: its merchant has been asked. A shop that was connected before keeps its state
while it is authorized again."""

ERASED = "erased"
"""Everything of it was erased, as Shopify asked; the row says only that, and of which shop."""

NOT_AUTHORIZING: dict[str, Any] = {"authorize_hash": None, "authorize_until": None}
"""The columns of a shop whose merchant is not being asked."""

FIRST_INDEX = 1
"""The version of the index key that a shop begins with."""

DATE_EVERY: Instant = 600 * SECOND
"""How often Shopify's clock is written down."""

_BY_DOMAIN = select(shops).where(shops.c.domain == bindparam("domain"))
_BY_ID = select(shops).where(shops.c.id == bindparam("id"))
_STATE = select(shops.c.state).where(shops.c.id == bindparam("id"))
_LOCKED = _BY_ID.with_for_update()
_ALL = select(shops).order_by(shops.c.domain)
_DOMAINS = select(shops.c.domain).where(shops.c.state != ERASED)
_HEAR_DATE = (
    update(shops)
    .where(
        shops.c.id == bindparam("b_id"),
        # A clock that was put back makes what was heard seem to be in the future.
        or_(
            shops.c.shopify_date_heard.is_(None),
            shops.c.shopify_date_heard <= bindparam("b_before"),
            shops.c.shopify_date_heard > bindparam("b_now"),
        ),
    )
    .values(shopify_date=bindparam("b_date"), shopify_date_heard=bindparam("b_now"))
)


@dataclass(frozen=True, slots=True)
class Shop:
    """One connected shop, without its secrets: those stay in `box` until the vault opens them."""

    id: int
    domain: str
    admin_url: str
    public_url: str
    api_version: str
    state: str
    name: str | None
    currency: str | None
    timezone: str | None
    region: str | None
    scopes: tuple[str, ...]
    box: bytes
    installed_at: Instant
    connected_at: Instant
    disconnected_at: Instant | None
    shopify_date: Instant | None
    shopify_date_heard: Instant | None
    checked_at: Instant | None
    recent_to: Instant | None
    full_at: Instant | None
    authorize_hash: bytes | None
    authorize_until: Instant | None
    orders_to: Instant | None
    retention_days: int
    """From the deletion of a customer to its purge."""
    index_version: int
    """Of the key that new tokens are made with."""
    erased_at: Instant | None

    @property
    def never_connected(self) -> bool:
        """True until it is connected for the first time, which is also when its clock is first heard of."""
        return self.state != CONNECTED and self.shopify_date_heard is None


def by_domain(db: Connection, domain: str) -> Shop | None:
    """The shop of that domain, connected or not."""
    return _shop(db.execute(_BY_DOMAIN, {"domain": domain}).first())


def by_id(db: Connection, shop_id: int) -> Shop:
    """The shop of that id; raises UnknownShop."""
    return _found(_shop(db.execute(_BY_ID, {"id": shop_id}).first()), shop_id)


def locked(db: Connection, shop_id: int) -> Shop:
    """The shop of that id, which nobody else changes until the transaction ends; raises UnknownShop."""
    return _found(_shop(db.execute(_LOCKED, {"id": shop_id}).first()), shop_id)


def is_erased(db: Connection, shop_id: int) -> bool:
    """True for a shop of which everything is, or is being, erased."""
    state: str | None = db.execute(_STATE, {"id": shop_id}).scalar()
    return state == ERASED


def every(db: Connection) -> list[Shop]:
    """All shops, by domain."""
    return [shop for row in db.execute(_ALL) if (shop := _shop(row))]


def domains(db: Connection) -> frozenset[str]:
    """The domains of all shops that were not erased."""
    return frozenset(db.execute(_DOMAINS).scalars())


def add(db: Connection, values: dict[str, Any]) -> int:
    """Write a new shop down and record Shopify as the owner of every field it can hold. Returns the shop's id."""
    shop_id: int = db.execute(insert(shops).values(**values).returning(shops.c.id)).scalar_one()
    _own_all(db, shop_id, values["connected_at"])
    return shop_id


def _own_all(db: Connection, shop_id: int, since: Instant) -> None:
    """Record Shopify as the owner of every field it can hold; nothing is written to it by that."""
    row = {"shop_id": shop_id, "version": 1, "at": since, "set_by": "shop connect"}
    db.execute(insert(policies).values(**row, document=policy.to_document(policy.of_shopify())))
    told = {"creates": False, "full_hours": 24, "agreed_version": 1, "allowed": {}}
    known = {"kind": SHOPIFY, "state": "active", "box": b"", "added_at": since, "added_by": "shop connect"}
    db.execute(insert(systems).values(shop_id=shop_id, name=SHOPIFY, changed_at=since, **told, **known))


def empty(db: Connection, shop_id: int) -> None:
    """Take everything from the row of a shop that is erased but which shop it was.

    From now on nothing that is signed for it is believed, nothing is done for it, and it is as one that was never
    connected. `erased_at` is set once all is done.
    """
    values: dict[str, Any] = dict.fromkeys(
        ("name", "currency", "timezone", "region", "shopify_date", "shopify_date_heard", "checked_at", "recent_to",
         "full_at", "orders_to", "erased_at")
    )  # fmt: skip
    values |= NOT_AUTHORIZING | {"retention_days": DAYS, "index_version": FIRST_INDEX}
    change(db, shop_id, values | {"state": ERASED, "box": b"", "scopes": []})


def begin_anew(db: Connection, shop_id: int, now: Instant) -> None:
    """Have an erased shop be as one that is written down for the first time."""
    change(db, shop_id, {"erased_at": None})
    _own_all(db, shop_id, now)


def change(db: Connection, shop_id: int, values: dict[str, Any]) -> None:
    """Change some columns of a shop."""
    db.execute(update(shops).where(shops.c.id == shop_id).values(**values))


def disconnect(db: Connection, shop_id: int, now: Instant) -> None:
    """Stop working for a shop. Its customers stay, and its webhook secrets too, so that its redaction can be heard.

    One that was erased stays so.
    """
    kept = update(shops).where(shops.c.id == shop_id, shops.c.state != ERASED)
    db.execute(kept.values(state=DISCONNECTED, disconnected_at=now))


def use_up_authorization(db: Connection, shop_id: int, authorize_hash: bytes) -> bool:
    """Use up the state of an authorization; False if somebody was first."""
    held = update(shops).where(shops.c.id == shop_id, shops.c.authorize_hash == authorize_hash)
    return db.execute(held.values(**NOT_AUTHORIZING)).rowcount == 1


def hear_date(db: Connection, shop_id: int, date: Instant, now: Instant) -> None:
    """Write Shopify's clock down, unless that was done in the last ten minutes."""
    db.execute(_HEAR_DATE, {"b_id": shop_id, "b_date": date, "b_now": now, "b_before": now - DATE_EVERY})


def _found(shop: Shop | None, shop_id: int) -> Shop:
    if shop is None:
        raise UnknownShop(f"There is no shop {shop_id}; `onewriter shop list` shows those that there are.")
    return shop


def _shop(row: Row[Any] | None) -> Shop | None:
    if row is None:
        return None
    values = dict(row._mapping)
    return Shop(**values | {"scopes": tuple(values["scopes"]), "box": bytes(values["box"])})
