"""Connected systems: how each is reached, when its next cycle is due, and what keeps it from its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from onewriter.db.systemtables import systems
from onewriter.errors import UnknownSystem
from onewriter.records import SHOPIFY, Instant
from onewriter.vault.seal import bound_to
from onewriter.vault.vault import ShopVault

ACTIVE = "active"
PAUSED = "paused"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

_OF_SHOP = select(systems).where(systems.c.shop_id == bindparam("shop_id")).order_by(systems.c.name)
_ONE = select(systems).where(systems.c.shop_id == bindparam("shop_id"), systems.c.name == bindparam("name"))
_DUE = (
    select(systems.c.shop_id, systems.c.name)
    .where(systems.c.state == ACTIVE, systems.c.due_at <= bindparam("now"))
    .order_by(systems.c.due_at)
)


@dataclass(frozen=True, slots=True)
class System:
    """One connected system, as it stands."""

    shop_id: int
    name: str
    kind: str
    state: str
    box: bytes
    creates: bool
    cycle_minutes: int | None
    full_hours: int
    cursor_box: bytes | None
    due_at: Instant | None
    cycle_at: Instant | None
    full_at: Instant | None
    agreed_version: int
    allowed: Mapping[str, int]
    retry_at: Instant | None
    trouble: str | None
    trouble_since: Instant | None
    discovered: Mapping[str, Any] | None
    discovered_at: Instant | None
    added_at: Instant
    added_by: str
    changed_at: Instant

    @property
    def is_shopify(self) -> bool:
        """True for the shop's own Shopify, which is read by webhooks and reconciles and by no cycle."""
        return self.kind == SHOPIFY


def every(db: Connection, shop_id: int) -> list[System]:
    """The systems of a shop, Shopify among them, by name."""
    return [_system(row) for row in db.execute(_OF_SHOP, {"shop_id": shop_id})]


def names(db: Connection, shop_id: int) -> list[str]:
    """The names of a shop's systems."""
    return [row.name for row in db.execute(_OF_SHOP, {"shop_id": shop_id})]


def get(db: Connection, shop_id: int, name: str) -> System:
    """The system of that name; raises UnknownSystem."""
    row = db.execute(_ONE, {"shop_id": shop_id, "name": name}).first()
    if row is None:
        raise UnknownSystem("There is no such system; `onewriter systems list` shows those that there are.")
    return _system(row)


def due(db: Connection, now: Instant) -> list[tuple[int, str]]:
    """Whose next cycle is due, by shop and name, the longest due first."""
    return [(row.shop_id, row.name) for row in db.execute(_DUE, {"now": now})]


def add(db: Connection, shop_id: int, name: str, values: Mapping[str, Any]) -> None:
    """Write a new system down."""
    db.execute(insert(systems).values(shop_id=shop_id, name=name, **values))


def change(db: Connection, shop_id: int, name: str, now: Instant, **values: Any) -> None:
    """Change some columns of a system."""
    this = (systems.c.shop_id == shop_id, systems.c.name == name)
    db.execute(update(systems).where(*this).values(changed_at=now, **values))


def remove(db: Connection, shop_id: int, name: str) -> None:
    """Take a system off the list."""
    db.execute(delete(systems).where(systems.c.shop_id == shop_id, systems.c.name == name))


def seal_configuration(vault: ShopVault, name: str, configuration: Mapping[str, Any]) -> bytes:
    """How a system is reached, with its credentials, sealed under the shop's key."""
    return vault.key.seal(_encode(configuration), bound_to("systems", vault.shop_id, name))


def open_configuration(vault: ShopVault, system: System) -> dict[str, Any]:
    """How a system is reached."""
    opened: dict[str, Any] = _decode(vault.key.open(system.box, bound_to("systems", vault.shop_id, system.name)))
    return opened


def seal_cursor(vault: ShopVault, name: str, cursor: Mapping[str, Any]) -> bytes:
    """How far a system was read; it may hold ids, so it is sealed as well."""
    return vault.key.seal(_encode(cursor), bound_to("systems.cursor", vault.shop_id, name))


def open_cursor(vault: ShopVault, system: System) -> dict[str, Any] | None:
    """How far a system was read; None before its first complete reading."""
    if system.cursor_box is None:
        return None
    bound = bound_to("systems.cursor", vault.shop_id, system.name)
    opened: dict[str, Any] = _decode(vault.key.open(system.cursor_box, bound))
    return opened


def _system(row: Row[Any]) -> System:
    values = dict(row._mapping)
    values["box"] = bytes(values["box"])
    values["cursor_box"] = None if values["cursor_box"] is None else bytes(values["cursor_box"])
    return System(**values)
