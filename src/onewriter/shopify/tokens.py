"""Access tokens as the client asks for them: kept, renewed by one at a time, and written down before they are used.

Shopify replaces a refresh token each time it is used. Two that renew at once, or one that loses the answer, could lock
the shop out until its owner authorizes it again. So a renewal holds a lock of the shop, across processes; it begins
with what is written down and not with what this process remembers; and what Shopify answers is on disk before the
first call is made with it.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from onewriter.customers import shops
from onewriter.customers.shops import Shop
from onewriter.db.engine import Database
from onewriter.errors import KeyDestroyed, KeyMissing, Temporary
from onewriter.records import SECOND, Instant
from onewriter.shopify import auth
from onewriter.shopify.auth import Credentials, GrantRefused
from onewriter.vault.seal import ShopKey, bound_to

RENEW_PAUSE: Instant = 30 * SECOND
"""How long a token that still works is used without another try, after a renewal that failed for a while."""

Ask = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""Asks Shopify for a token: the grant's body in, the answer out; raises GrantRefused, or something temporary."""


class TokenSource(Protocol):
    """Where the client gets its tokens from."""

    def present(self, ask: Ask) -> str:
        """A token that seems to work."""

    def replace(self, ask: Ask, refused: str) -> tuple[str, bool]:
        """Another token than one that Shopify has refused; True if it was given out this very moment."""


class Kept(Protocol):
    """Where the credentials of a shop are kept, and how only one at a time renews them."""

    def alone(self) -> AbstractContextManager[Any]:
        """Keep everybody else from renewing these credentials while the block lasts."""

    def read(self) -> Credentials:
        """The credentials as they are kept now."""

    def write(self, before: Credentials, after: Credentials) -> Credentials:
        """Keep renewed credentials; what is kept now, should somebody have replaced those that were renewed."""


class Replaced(Temporary):
    """The shop was connected again while its token was being renewed."""


class Tokens:
    """The tokens of one shop. Safe between threads, and as safe between processes as where they are kept."""

    def __init__(self, kept: Kept, clock: Callable[[], Instant]) -> None:
        self._kept = kept
        self._clock = clock
        self._lock = threading.Lock()
        self._held = kept.read()
        self._quiet_until: Instant = 0

    def present(self, ask: Ask) -> str:
        """A token that seems to work, renewed some minutes before its end; a renewal that fails then is no harm yet."""
        held, now = self._held, self._clock()
        if held.access_token and (held.is_fresh(now) or (held.is_usable(now) and now < self._quiet_until)):
            return held.access_token
        try:
            return self._renewed(ask, None)[0]
        except Temporary:
            held = self._held
            if held.access_token is None or not held.is_usable(self._clock()):
                raise
            self._quiet_until = self._clock() + RENEW_PAUSE
            return held.access_token

    def replace(self, ask: Ask, refused: str) -> tuple[str, bool]:
        """Another token than the refused one: what is written down, if somebody renewed it, else a new one."""
        return self._renewed(ask, refused)

    def _renewed(self, ask: Ask, refused: str | None) -> tuple[str, bool]:
        with self._lock, self._kept.alone():
            held = self._kept.read()
            wanted = held.access_token in (None, refused) or not held.is_fresh(self._clock())
            self._held = self._kept.write(held, self._granted(held, ask)) if wanted else held
            if self._held.access_token is None:
                raise Replaced("The shop was connected again at this moment; it will be tried again.")
            return self._held.access_token, wanted

    def _granted(self, held: Credentials, ask: Ask) -> Credentials:
        """The credentials after a renewal. A refused refresh token is followed by the one before it, once."""
        try:
            answer = ask(held.grant())
        except GrantRefused as refused:
            if held.previous_refresh_token is None or not refused.is_of_the_token:
                raise
            held = held.with_previous_token()
            answer = ask(held.grant())
        return auth.renewed(held, answer, self._clock())


class KeptInMemory:
    """Credentials that live as long as their client; `on_renewed` is told of new ones before they are used."""

    def __init__(self, credentials: Credentials, on_renewed: Callable[[Credentials], None] | None = None) -> None:
        self._credentials = credentials
        self._on_renewed = on_renewed
        self._lock = threading.Lock()

    def alone(self) -> AbstractContextManager[Any]:
        """One thread at a time."""
        return self._lock

    def read(self) -> Credentials:
        """The credentials."""
        return self._credentials

    def write(self, before: Credentials, after: Credentials) -> Credentials:
        """Tell of them, then keep them."""
        if self._on_renewed is not None:
            self._on_renewed(after)
        self._credentials = after
        return after


@dataclass(frozen=True, slots=True)
class KeptInDatabase:
    """The credentials of a connected shop, sealed in its row; one process at a time renews them."""

    database: Database
    key: ShopKey
    shop_id: int

    def alone(self) -> AbstractContextManager[Any]:
        """One thread of one process at a time, without a transaction."""
        return self.database.exclusive(f"tokens-{self.shop_id}")

    def read(self) -> Credentials:
        """What is written down."""
        with self.database.read() as db:
            return open_credentials(self.key, shops.by_id(db, self.shop_id))

    def write(self, before: Credentials, after: Credentials) -> Credentials:
        """Write the new tokens down beside whatever else was changed meanwhile, such as a secret."""
        with self.database.write() as db:
            present = open_credentials(self.key, shops.locked(db, self.shop_id))
            if not present.has_tokens_of(before):
                return present
            kept = present.with_tokens_of(after)
            shops.change(db, self.shop_id, {"box": seal_credentials(self.key, self.shop_id, kept)})
        return kept


def seal_credentials(key: ShopKey, shop_id: int, credentials: Credentials) -> bytes:
    """The credentials of a shop, sealed under its key."""
    return key.seal(msgspec.json.encode(credentials), bound_to("shops", shop_id, "credentials"))


def open_credentials(key: ShopKey, shop: Shop) -> Credentials:
    """The credentials of a shop; those that an older release wrote lack what came later."""
    return msgspec.json.decode(key.open(shop.box, bound_to("shops", shop.id, "credentials")), type=Credentials)


def open_replaced(key: ShopKey, shop: Shop) -> Credentials:
    """The credentials that others take the place of; none, where there are none or they cannot be opened any more.

    A lost key must not keep a shop from being connected again.
    """
    try:
        return open_credentials(key, shop)
    except (KeyMissing, KeyDestroyed):
        return Credentials("token")
