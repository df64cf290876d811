"""Connecting a shop: look before anything is written, then write the shop and its one import run in one transaction."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from onewriter.customers import runs, shops
from onewriter.customers.runs import AlreadyRunning
from onewriter.customers.shops import CONNECTED, Shop
from onewriter.db.engine import Database
from onewriter.errors import Permanent
from onewriter.records import Instant
from onewriter.shopify import scopes, subscriptions
from onewriter.shopify.auth import Credentials
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import ShopSurvey, survey
from onewriter.shopify.scopes import MissingScope
from onewriter.shopify.subscriptions import SubscriptionReport
from onewriter.shopify.webhooks import compliance_toml
from onewriter.vault.keystore import KeyStore
from onewriter.vault.seal import ShopKey, bound_to

DOOR_PATH = "/webhooks/shopify"


class WrongShop(Permanent):
    """The address answers for another shop than the one that was named."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked to be connected."""

    domain: str
    admin_url: str
    public_url: str
    api_version: str
    region: str | None
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Connected:
    """What connecting did."""

    shop_id: int
    run_id: str | None
    """The import run that was queued; None when one was active already."""
    missing: list[MissingScope]
    report: SubscriptionReport
    toml: str


@dataclass(frozen=True, slots=True)
class Connector:
    """Connects shops. `enqueue` hands a run to the durable jobs within our transaction."""

    database: Database
    keys: KeyStore
    enqueue: Callable[[Connection, str], None]
    new_run_id: Callable[[Instant], str]

    def connect(self, client: AdminClient, wish: Wish, by: str, now: Instant) -> Connected:
        """Connect the shop, or connect it again with new credentials; its customers and its install date stay.

        Raises ScopeMissing before anything is written when onewriter could do nothing with this token.
        """
        found = survey(client)
        lacking = self._look(found, wish)
        with self.database.write() as db:
            known = shops.by_domain(db, wish.domain)
            shop_id = known.id if known else self._add(db, wish, found, now)
            self._seal(db, shop_id, wish, found, now)
            run_id = self._queue(db, shop_id, by, now)
        # Subscribing comes after the shop is on disk, so that a delivery that comes at once finds it known.
        report = subscriptions.ensure(client, wish.public_url + DOOR_PATH, scopes.topics_allowed(found.scopes))
        return Connected(shop_id, run_id, lacking, report, compliance_toml(wish.public_url + DOOR_PATH))

    def _look(self, found: ShopSurvey, wish: Wish) -> list[MissingScope]:
        if found.domain != wish.domain:
            raise WrongShop(f"The address answers for {found.domain}, not for {wish.domain}; check --admin-url.")
        return scopes.require(found.scopes, "Grant it in the app and connect again.")

    def _add(self, db: Connection, wish: Wish, found: ShopSurvey, now: Instant) -> int:
        installed = found.date if found.date is not None else now
        values = _columns(wish, found, now) | {"domain": wish.domain, "box": b"", "installed_at": installed}
        return shops.add(db, values)

    def _seal(self, db: Connection, shop_id: int, wish: Wish, found: ShopSurvey, now: Instant) -> None:
        key = self.keys.make_shop_key(shop_id, now)
        values = _columns(wish, found, now) | {"box": seal_credentials(key, shop_id, wish.credentials)}
        shops.change(db, shop_id, values | {"disconnected_at": None})

    def _queue(self, db: Connection, shop_id: int, by: str, now: Instant) -> str | None:
        run_id = self.new_run_id(now)
        try:
            runs.add(db, run_id, shop_id, runs.IMPORT, by, now)
        except AlreadyRunning:
            return None
        self.enqueue(db, run_id)
        return run_id


def seal_credentials(key: ShopKey, shop_id: int, credentials: Credentials) -> bytes:
    """The credentials of a shop, sealed under its key."""
    return key.seal(msgspec.json.encode(asdict(credentials)), bound_to("shops", shop_id, "credentials"))


def open_credentials(key: ShopKey, shop: Shop) -> Credentials:
    """The credentials of a shop."""
    values = msgspec.json.decode(key.open(shop.box, bound_to("shops", shop.id, "credentials")))
    return Credentials(**values | {"api_secrets": tuple(values["api_secrets"])})


def _columns(wish: Wish, found: ShopSurvey, now: Instant) -> dict[str, Any]:
    return {
        "admin_url": wish.admin_url,
        "public_url": wish.public_url,
        "api_version": wish.api_version,
        "region": wish.region,
        "state": CONNECTED,
        "name": found.name,
        "currency": found.currency,
        "timezone": found.timezone,
        "scopes": sorted(found.scopes),
        "connected_at": now,
        "shopify_date": found.date,
        "shopify_date_heard": now,
    }
