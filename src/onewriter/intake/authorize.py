"""Connecting a shop by its merchant's agreement: an address to open, and the answer that Shopify sends back.

The answer comes to the web process from anybody's browser. It counts only if it brings back the state that was made up
for this shop, within fifteen minutes and once, and if Shopify signed it with the app's secret. Until then what was
asked for lies sealed beside the shop's credentials, and a shop that is connected already goes on with those it has.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from onewriter.customers import shops
from onewriter.customers.shops import AUTHORIZING, Shop
from onewriter.intake.connect import Connected, Connector, Wish, refuse_closed
from onewriter.records import SECOND, Instant
from onewriter.shopify import auth, scopes
from onewriter.shopify.auth import Asked, Callback, CallbackRefused, Credentials
from onewriter.shopify.client import AdminClient
from onewriter.shopify.tokens import open_credentials, open_replaced, seal_credentials
from onewriter.vault.seal import ShopKey

CALLBACK_PATH = "/auth/shopify/callback"
AUTHORIZE_FOR: Instant = 15 * 60 * SECOND

NOT_OURS = "Nobody is asked to authorize this shop with this address; begin again with the address that you were given."
TOO_LATE = "The fifteen minutes for this authorization are over; ask for a new address."

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Authorizer:
    """Begins authorizations, and connects the shops whose merchants have agreed."""

    connector: Connector
    open_client: Callable[[str, Credentials, str], AdminClient]

    def begin(self, wish: Wish, state: str, by: str, now: Instant) -> str:
        """Write down what is asked for and return the address that the merchant opens within fifteen minutes.

        `state` is made up by chance, and never used before. An authorization that was under way is given up.
        """
        with self.connector.database.write() as db:
            known = shops.by_domain(db, wish.domain)
            if known is not None:
                refuse_closed(shops.locked(db, known.id))
            shop_id = known.id if known else shops.add(db, _first_columns(wish, now))
            key = self.connector.keys.make_shop_key(shop_id, now)
            shop = shops.locked(db, shop_id)
            held = replace(open_replaced(key, shop), asked=_asked(wish, by))
            values = _first_addresses(shop, wish) | {"box": seal_credentials(key, shop_id, held)}
            values |= {"authorize_hash": _hash(key, state), "authorize_until": now + AUTHORIZE_FOR}
            shops.change(db, shop_id, values)
        wanted = (*scopes.REQUIRED, *scopes.OPTIONAL)
        client_id = str(wish.credentials.client_id)
        return auth.authorize_url(wish.admin_url, client_id, wanted, wish.public_url + CALLBACK_PATH, state)

    def finish(self, query: Query, now: Instant) -> tuple[Wish, Connected]:
        """Connect the shop that a callback speaks of. Raises CallbackRefused, having changed nothing, if it may not.

        The state is used up before Shopify is asked for the token, so that one callback makes one token whoever
        repeats it. What fails afterwards is begun again with a new address.
        """
        shop, asked, callback = self._checked(query, now)
        with self.connector.database.write() as db:
            if not shops.use_up_authorization(db, shop.id, shop.authorize_hash or b""):
                raise CallbackRefused(NOT_OURS, 401)
        wish = _wish(shop.domain, asked, self._exchange(asked, callback.code))
        with self.open_client(wish.admin_url, wish.credentials, wish.api_version) as client:
            return wish, self.connector.connect(client, wish, asked.by, now)

    def _checked(self, query: Query, now: Instant) -> tuple[Shop, Asked, Callback]:
        callback = auth.read_callback(query)
        with self.connector.database.read() as db:
            shop = shops.by_domain(db, callback.shop)
        if shop is None or shop.authorize_hash is None or shop.authorize_until is None:
            raise CallbackRefused(NOT_OURS, 401)
        key = self.connector.keys.shop_key(shop.id)
        held = open_credentials(key, shop)
        asked = held.asked
        if asked is None or not hmac.compare_digest(_hash(key, callback.state), shop.authorize_hash):
            raise CallbackRefused(NOT_OURS, 401)
        if not auth.is_signed_query(query, _signers(held, asked, now)):
            raise CallbackRefused("Shopify did not sign this address with the app's secret.", 401)
        if now >= shop.authorize_until:
            raise CallbackRefused(TOO_LATE, 401)
        return shop, asked, callback

    def _exchange(self, asked: Asked, code: str) -> Credentials:
        """The credentials that the merchant's agreement is worth; they end and can be renewed."""
        credentials = Credentials(
            "authorization_code",
            client_id=asked.client_id,
            client_secret=asked.client_secret,
            api_secrets=asked.api_secrets,
        )
        with self.open_client(asked.admin_url, credentials, asked.api_version) as client:
            return auth.renewed(credentials, client.grant(auth.code_grant(asked, code)), client.now())


def _signers(held: Credentials, asked: Asked, now: Instant) -> tuple[str, ...]:
    """The secrets that may have signed the answer: those that were given now, and those that are being replaced."""
    old = () if asked.drop_old_secrets else held.live_secrets(now)
    return (asked.client_secret, *asked.api_secrets, *old)


def _hash(key: ShopKey, state: str) -> bytes:
    return key.token("authorize", state)


def _asked(wish: Wish, by: str) -> Asked:
    given = wish.credentials
    return Asked(
        client_id=given.client_id or "",
        client_secret=given.client_secret or "",
        api_secrets=given.api_secrets,
        admin_url=wish.admin_url,
        public_url=wish.public_url,
        api_version=wish.api_version,
        region=wish.region,
        by=by,
        drop_old_secrets=wish.drop_old_secrets,
    )


def _wish(domain: str, asked: Asked, credentials: Credentials) -> Wish:
    addresses = (asked.admin_url, asked.public_url, asked.api_version, asked.region)
    return Wish(domain, *addresses, credentials, drop_old_secrets=asked.drop_old_secrets)


def _first_addresses(shop: Shop, wish: Wish) -> dict[str, Any]:
    """What a shop that was never connected is written down with; another keeps what it has, since it may be at work."""
    if not shop.never_connected:
        return {}
    return wish.addresses | {"state": AUTHORIZING, "disconnected_at": None}


def _first_columns(wish: Wish, now: Instant) -> dict[str, Any]:
    """A shop that was never connected. Both times are those of the question; the first connection sets them right."""
    times = {"installed_at": now, "connected_at": now}
    return wish.addresses | times | {"domain": wish.domain, "state": AUTHORIZING, "scopes": [], "box": b""}
