"""The door's route: who may knock, how much may come in, and what is answered.

401 for an unknown shop and for a bad signature alike, so that nobody learns which shops there are; 413 for a body that
is too large; 503 with Retry-After when the database cannot take it; 200 only once the delivery is on disk.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from onewriter.customers import shops
from onewriter.errors import NotUnderstood, OnewriterError
from onewriter.intake.door import Door
from onewriter.records import Delivery
from onewriter.runtime import Runtime
from onewriter.shopify.webhooks import DeliveryHeaders, is_signed, read_headers
from onewriter.vault.vault import ShopVault

BODY_MAX = 1024 * 1024
RETRY_AFTER_S = 5
SHOP_FRESH_S = 2.0
SHOPS_MAX = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Known:
    """A shop as the door needs it. A shop that we do not know has no secrets, and nothing is signed with nothing."""

    secrets: tuple[str, ...]
    vault: ShopVault | None
    until: float


class DoorRoute:
    """Checks a delivery and hands it to the door."""

    def __init__(self, runtime: Runtime, door: Door, count: Callable[[int], None]) -> None:
        self._runtime = runtime
        self._door = door
        self._count = count
        self._shops: dict[str, _Known] = {}

    async def receive(self, request: Request) -> Response:
        """Answer one delivery."""
        status = await self._status(request)
        self._count(status)
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
        return Response(status_code=status, headers=headers)

    async def _status(self, request: Request) -> int:
        received = self._runtime.now()
        try:
            body = await _read_body(request)
            if body is None:
                return 413
            headers = read_headers(request.headers, received)
            known = await self._known(headers.shop_domain)
            if known.vault is None or not is_signed(body, _signature(request), known.secrets):
                return 401
            await self._door.receive(_delivery(known.vault, headers, body, received), known.vault)
        except (NotUnderstood, ClientDisconnect):
            return 401
        except OnewriterError as error:
            log.warning("delivery not taken", error=type(error).__name__)
            return 503
        return 200

    async def _known(self, domain: str) -> _Known:
        known = self._shops.get(domain)
        if known is None or known.until < time.monotonic():
            known = await run_in_threadpool(self._look_up, domain)
            if len(self._shops) >= SHOPS_MAX:
                # Made-up domains must not fill the memory.
                self._shops.clear()
            self._shops[domain] = known
        return known

    def _look_up(self, domain: str) -> _Known:
        until = time.monotonic() + SHOP_FRESH_S
        with self._runtime.database.read() as db:
            shop = shops.by_domain(db, domain)
        if shop is None:
            return _Known((), None, until)
        credentials = self._runtime.credentials(shop)
        return _Known(credentials.live_secrets(self._runtime.now()), self._runtime.vault(shop.id), until)


async def _read_body(request: Request) -> bytes | None:
    """The raw body; None as soon as it is known to be too large."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > BODY_MAX:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX:
            return None
    return bytes(body)


def _signature(request: Request) -> str:
    return request.headers.get("x-shopify-hmac-sha256", "")


def _delivery(vault: ShopVault, headers: DeliveryHeaders, body: bytes, received: int) -> Delivery:
    return Delivery(
        vault.shop_id,
        headers.webhook_id,
        headers.topic,
        body,
        received,
        triggered=headers.triggered,
        event_id=headers.event_id,
        api_version=headers.api_version,
    )
