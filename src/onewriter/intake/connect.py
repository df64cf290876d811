"""Connecting a shop: look before anything is written, then write the shop and its one import run in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from onewriter.customers import runs, shops
from onewriter.customers.shops import CONNECTED, ERASED, Shop
from onewriter.db.engine import Database
from onewriter.errors import OnewriterError, Permanent
from onewriter.records import Instant
from onewriter.shopify import scopes, subscriptions
from onewriter.shopify.auth import Credentials
from onewriter.shopify.client import AdminClient
from onewriter.shopify.reads import ShopSurvey, survey
from onewriter.shopify.scopes import MissingScope
from onewriter.shopify.subscriptions import SubscriptionReport
from onewriter.shopify.tokens import open_replaced, seal_credentials
from onewriter.shopify.webhooks import compliance_toml
from onewriter.vault.keystore import KeyStore

DOOR_PATH = "/webhooks/shopify"


class WrongShop(Permanent):
    """The address answers for another shop than the one that was named."""


class NotSubscribed(OnewriterError):
    """The shop is connected and its import is queued, but its webhooks could not be looked at."""


class ShopClosed(Permanent):
    """Everything of the shop is being erased; it can be connected once that is done."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked to be connected."""

    domain: str
    admin_url: str
    public_url: str
    api_version: str
    region: str | None
    credentials: Credentials
    drop_old_secrets: bool = False
    """Whether webhook secrets that are replaced now end at once, and those that were replaced before."""

    @property
    def addresses(self) -> dict[str, Any]:
        """Where the shop and we are, and how it is spoken with, as the shop's columns."""
        return {
            "admin_url": self.admin_url,
            "public_url": self.public_url,
            "api_version": self.api_version,
            "region": self.region,
        }


@dataclass(frozen=True, slots=True)
class Connected:
    """What connecting did."""

    shop_id: int
    run_id: str | None
    """The import run that was queued; None when one was active already."""
    resumed: list[str]
    """The runs that had been paused and were queued again."""
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

        Raises ScopeMissing before anything is written when onewriter could do nothing with this token, and
        NotSubscribed when all is written and only the webhooks are lacking.
        """
        found = survey(client)
        lacking = self._look(found, wish)
        with self.database.write() as db:
            shop_id = self._write(db, wish, found, now)
            resumed = runs.resume_paused(db, shop_id, now)
            for paused in resumed:
                self.enqueue(db, paused)
            run_id = runs.queue(db, self.enqueue, self.new_run_id(now), shop_id, runs.IMPORT, by, now)
        # Subscribing comes after the shop is on disk, so that a delivery that comes at once finds it known.
        report = self._subscribe(client, wish, found)
        return Connected(shop_id, run_id, resumed, lacking, report, compliance_toml(wish.public_url + DOOR_PATH))

    def _look(self, found: ShopSurvey, wish: Wish) -> list[MissingScope]:
        if found.domain != wish.domain:
            raise WrongShop(f"The address answers for {found.domain}, not for {wish.domain}; check --admin-url.")
        return scopes.require(found.scopes, "Grant it in the app and connect again.")

    def _write(self, db: Connection, wish: Wish, found: ShopSurvey, now: Instant) -> int:
        """Write the shop down, new or once more; its id."""
        values = _columns(wish, found, now)
        installed = {"installed_at": found.date if found.date is not None else now}
        known = shops.by_domain(db, wish.domain)
        if known is not None:
            known = shops.locked(db, known.id)
            refuse_closed(known)
            if known.erased_at is not None:
                shops.begin_anew(db, known.id, now)
        shop_id = known.id if known else shops.add(db, values | installed | {"domain": wish.domain, "box": b""})
        key = self.keys.make_shop_key(shop_id, now)
        credentials = wish.credentials
        if known is not None:
            values |= installed if known.never_connected else {}
            old = open_replaced(key, known)
            credentials = credentials.after(old, now, drop_old_secrets=wish.drop_old_secrets)
        shops.change(db, shop_id, values | {"box": seal_credentials(key, shop_id, credentials)})
        return shop_id

    def _subscribe(self, client: AdminClient, wish: Wish, found: ShopSurvey) -> SubscriptionReport:
        try:
            return subscriptions.ensure(client, wish.public_url + DOOR_PATH, scopes.topics_allowed(found.scopes))
        except OnewriterError as error:
            raise NotSubscribed(
                f"{wish.domain} is connected and its import is queued, but no webhook could be subscribed to: {error}"
            ) from None


def refuse_closed(shop: Shop) -> None:
    """Raise ShopClosed for a shop that is being erased at this moment."""
    if shop.state == ERASED and shop.erased_at is None:
        raise ShopClosed(
            f"Everything of {shop.domain} is being erased, as Shopify asked; connect it again once "
            "`onewriter privacy requests` does not list that any more."
        )


def _columns(wish: Wish, found: ShopSurvey, now: Instant) -> dict[str, Any]:
    return {
        **wish.addresses,
        "state": CONNECTED,
        "name": found.name,
        "currency": found.currency,
        "timezone": found.timezone,
        "scopes": sorted(found.scopes),
        "connected_at": now,
        "disconnected_at": None,
        "shopify_date": found.date,
        "shopify_date_heard": now,
        "checked_at": None,
        **shops.NOT_AUTHORIZING,
    }
