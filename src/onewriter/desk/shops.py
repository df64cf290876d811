"""Shops, as people and programs are shown them: since when each is connected, what it granted, and how long it keeps.

Nothing of its credentials is ever told but how many replaced secrets are still accepted.
"""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection
from typing_extensions import TypedDict

from onewriter.customers import find, marks, shops
from onewriter.customers.people import Role
from onewriter.customers.retention import look
from onewriter.customers.shops import ERASED, Shop
from onewriter.desk.caller import About, Caller
from onewriter.desk.choosing import choose_shop
from onewriter.errors import BadInput
from onewriter.records import Instant, iso
from onewriter.rules.retention import DAYS_MAX, DAYS_MIN
from onewriter.runtime import Runtime
from onewriter.shopify import scopes

SETTINGS = "settings"


class ShopDocument(TypedDict):
    """A shop, without its secrets."""

    domain: str
    state: str
    name: str | None
    customers: int
    currency: str | None
    timezone: str | None
    region: str | None
    admin_url: str
    public_url: str
    api_version: str
    scopes: list[str]
    installed_at: str | None
    connected_at: str | None
    disconnected_at: str | None
    retention_days: int
    erased_at: str | None


class WholeShop(ShopDocument):
    """A shop with what it waits for, and with what it lacks."""

    authorize_until: str | None
    old_secrets_accepted: int
    old_secrets_until: str | None
    waiting_to_be_read: int
    scopes_missing: list[str]


class RetentionDocument(TypedDict):
    """For how many days a shop keeps deleted customers; `due` of them fall due at once by the change."""

    shop: str
    retention_days: int
    before: int
    due: int


def document(db: Connection, shop: Shop) -> ShopDocument:
    """A shop as one JSON document."""
    return {
        "domain": shop.domain,
        "state": shop.state,
        "name": shop.name,
        "customers": find.count_active(db, shop.id),
        "currency": shop.currency,
        "timezone": shop.timezone,
        "region": shop.region,
        "admin_url": shop.admin_url,
        "public_url": shop.public_url,
        "api_version": shop.api_version,
        "scopes": list(shop.scopes),
        "installed_at": iso(shop.installed_at),
        "connected_at": iso(shop.connected_at),
        "disconnected_at": iso(shop.disconnected_at),
        "retention_days": shop.retention_days,
        "erased_at": iso(shop.erased_at),
    }


def listed(caller: Caller) -> list[ShopDocument]:
    """Every shop, connected or not."""
    with caller.runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        return [document(db, shop) for shop in shops.every(db)]


def shown(caller: Caller, named: str | None) -> WholeShop:
    """One shop; without a name, the only one there is."""
    runtime, moment = caller.runtime, caller.now
    with runtime.database.read() as db:
        caller.require(db, Role.VIEWER)
        shop = choose_shop(db, named, erased=True)
        many, until = _old_secrets(runtime, shop, moment)
        return {
            **document(db, shop),
            "authorize_until": iso(shop.authorize_until),
            "old_secrets_accepted": many,
            "old_secrets_until": iso(until),
            "waiting_to_be_read": marks.count(db, shop.id),
            "scopes_missing": [one.scope for one in scopes.missing(shop.scopes)],
        }


def _old_secrets(runtime: Runtime, shop: Shop, moment: Instant) -> tuple[int, Instant | None]:
    """How many replaced webhook secrets are still accepted, and until when; never a secret."""
    if shop.state == ERASED:
        return 0, None
    ends = [until for _secret, until in runtime.credentials(shop).retired if moment < until]
    return len(ends), max(ends, default=None)


# ---- For how long it keeps ------------------------------------------------------------------------------------------


def retention_effect(caller: Caller, named: str | None, days: int) -> RetentionDocument:
    """What another number of days would come to: with fewer, some may be due at once."""
    if not DAYS_MIN <= days <= DAYS_MAX:
        raise BadInput(f"Deleted customers are kept for {DAYS_MIN} to {DAYS_MAX:,} days.", "days")
    with caller.runtime.database.read() as db:
        caller.require(db, Role.OWNER)
        shop = choose_shop(db, named)
        changed = replace(shop, retention_days=days)
        due = look(db, changed, caller.now).due if days < shop.retention_days else 0
    return {"shop": shop.domain, "retention_days": days, "before": shop.retention_days, "due": due}


def set_retention(caller: Caller, named: str | None, days: int, why: str | None = None) -> RetentionDocument:
    """Set for how many days a deleted customer is kept before it is purged; it counts from each deletion."""
    effect = retention_effect(caller, named, days)
    with caller.runtime.database.read() as db:
        shop_id = choose_shop(db, named).id
    change = f"retention from {effect['before']} to {days} days"
    caller.permit(Role.OWNER, SETTINGS, [About(subject=change)], shop_id=shop_id, why=why)
    values: dict[str, Any] = {"retention_days": days}
    with caller.runtime.database.write() as db:
        shops.change(db, shop_id, values)
    return effect
