"""Shops: one row a connected Shopify store, with its credentials sealed."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from onewriter.db.tables import owners, shops
from onewriter.errors import UnknownShop
from onewriter.records import FIELDS, SECOND, SHOPIFY, Instant

CONNECTED = "connected"
DISCONNECTED = "disconnected"
AUTHORIZING = "authorizing"
"""Written down and never connected yet: its merchant has been asked. A shop that was connected before keeps its state
while it is authorized again."""

NOT_AUTHORIZING: dict[str, Any] = {"authorize_hash": None, "authorize_until": None}
"""The columns of a shop whose merchant is not being asked."""

DATE_EVERY: Instant = 600 * SECOND
"""How often Shopify's clock is written down."""

_BY_DOMAIN = select(shops).where(shops.c.domain == bindparam("domain"))
_BY_ID = select(shops).where(shops.c.id == bindparam("id"))
_LOCKED = _BY_ID.with_for_update()
_ALL = select(shops).order_by(shops.c.domain)
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


def every(db: Connection) -> list[Shop]:
    """All shops, by domain."""
    return [shop for row in db.execute(_ALL) if (shop := _shop(row))]


def add(db: Connection, values: dict[str, Any]) -> int:
    """Write a new shop down and record Shopify as the owner of every field it can hold. Returns the shop's id."""
    shop_id: int = db.execute(insert(shops).values(**values).returning(shops.c.id)).scalar_one()
    connected = values["connected_at"]
    row = {"shop_id": shop_id, "system": SHOPIFY, "since": connected, "set_by": "shop connect"}
    db.execute(insert(owners), [row | {"field": name} for name in FIELDS])
    return shop_id


def change(db: Connection, shop_id: int, values: dict[str, Any]) -> None:
    """Change some columns of a shop."""
    db.execute(update(shops).where(shops.c.id == shop_id).values(**values))


def disconnect(db: Connection, shop_id: int, now: Instant) -> None:
    """Stop working for a shop. Its customers stay, and its webhook secrets too, so that its redaction can be heard."""
    change(db, shop_id, {"state": DISCONNECTED, "disconnected_at": now})


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
