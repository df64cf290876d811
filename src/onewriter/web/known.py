"""The shops that the door knows: whose secrets sign deliveries, looked at anew every two seconds.

Anybody may send any domain. A made-up one costs no memory, and when many of them come, a look into the database in two
seconds; a shop that was connected a moment ago is found all the same.
"""

import asyncio
import time
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread

from onewriter.customers import shops
from onewriter.runtime import Runtime
from onewriter.vault.vault import ShopVault
from onewriter.web.limits import LOOKS, Clock, TokenBucket

FRESH_S = 2.0


@dataclass(frozen=True, slots=True)
class Known:
    """A shop as the door needs it. Its repr shows no secret."""

    secrets: tuple[str, ...]
    vault: ShopVault
    until_s: float

    def __repr__(self) -> str:
        return f"Known(shop_id={self.vault.shop_id})"


class KnownShops:
    """Finds shops by their domain; lives in the one thread of the web process that asks."""

    def __init__(self, runtime: Runtime, clock: Clock = time.monotonic) -> None:
        self._runtime = runtime
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._domains: frozenset[str] = frozenset()
        self._domains_until_s = clock()
        self._listing: asyncio.Future[frozenset[str]] | None = None
        self._looking: dict[str, asyncio.Future[Known | None]] = {}
        # A delivery never waits for pages, nor for programs, which may take long.
        self._thread = CapacityLimiter(1)
        self._looks = TokenBucket(LOOKS, clock())

    async def find(self, domain: str) -> Known | None:
        """The shop of that domain, as it was at most two seconds ago."""
        known = self._known.get(domain)
        now_s = self._clock()
        if known is not None and now_s < known.until_s:
            return known
        if domain not in self._domains and not await self._is_listed(domain, now_s):
            return None
        looking = self._looking.get(domain)
        if looking is None:
            # Many deliveries come at a time, and one look is enough for all of them.
            looking = self._looking[domain] = asyncio.ensure_future(self._look(domain, now_s + FRESH_S))
            looking.add_done_callback(lambda _over: self._looking.pop(domain, None))
        return await asyncio.shield(looking)

    async def _look(self, domain: str, until_s: float) -> Known | None:
        found = await to_thread.run_sync(self._look_up, domain, until_s, limiter=self._thread)
        if found is None:
            self._known.pop(domain, None)
            self._domains -= {domain}
        else:
            self._known[domain] = found
        return found

    async def _is_listed(self, domain: str, now_s: float) -> bool:
        """Look at the list of all shops, unless that was done a moment ago and too often before.

        All who ask while it is being read wait for it, since the first look of a process finds many deliveries.
        """
        if self._listing is None:
            if not self._looks.take(now_s) and now_s < self._domains_until_s:
                return domain in self._domains
            self._domains_until_s = now_s + FRESH_S
            self._listing = asyncio.ensure_future(to_thread.run_sync(self._list, limiter=self._thread))
        listing = self._listing
        try:
            self._domains = await asyncio.shield(listing)
        finally:
            if self._listing is listing and listing.done():
                self._listing = None
        return domain in self._domains

    def _list(self) -> frozenset[str]:
        with self._runtime.database.read() as db:
            return shops.domains(db)

    def _look_up(self, domain: str, until_s: float) -> Known | None:
        with self._runtime.database.read() as db:
            shop = shops.by_domain(db, domain)
        if shop is None or shop.state == shops.ERASED:
            return None
        secrets = self._runtime.credentials(shop).live_secrets(self._runtime.now())
        return Known(secrets, self._runtime.vault(shop.id), until_s)
