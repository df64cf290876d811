"""The door's route: who may knock, how much may come in, and what is answered.

401 for an unknown shop and for a bad signature alike, so that nobody learns which shops there are, and 429 once there
were too many of either; 413 for a body that is too large; 503 with Retry-After when the database cannot take it; 200
only once the delivery is on disk. What is signed is never refused for what others send.
"""

import os
import time
from collections.abc import Callable

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from onewriter.errors import NotUnderstood, OnewriterError
from onewriter.intake.door import Door
from onewriter.records import Delivery
from onewriter.runtime import Runtime
from onewriter.shopify.webhooks import DeliveryHeaders, is_signed, read_headers
from onewriter.vault.vault import ShopVault
from onewriter.web.known import KnownShops
from onewriter.web.limits import BODY_MAX, Clock, Refusals

RETRY_AFTER_S = 5
RETRY_LATER = (429, 503)

log = structlog.get_logger(__name__)


class DoorRoute:
    """Checks a delivery and hands it to the door."""

    def __init__(
        self, runtime: Runtime, door: Door, count: Callable[[int], None], clock: Clock = time.monotonic
    ) -> None:
        self._runtime = runtime
        self._door = door
        self._count = count
        self._shops = KnownShops(runtime, clock)
        self._refusals = Refusals(clock)
        # Checked for a shop that we do not know, so that its answer takes as long as another's.
        self._nobodys = (os.urandom(32).hex(),)

    async def receive(self, request: Request) -> Response:
        """Answer one delivery."""
        status = await self._status(request)
        self._count(status)
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status in RETRY_LATER else None
        return Response(status_code=status, headers=headers)

    async def _status(self, request: Request) -> int:
        received = self._runtime.now()
        try:
            body = await _read_body(request)
            if body is None:
                return 413
            headers = read_headers(request.headers, received)
            known = await self._shops.find(headers.shop_domain)
            signed = is_signed(body, _signature(request), known.secrets if known is not None else self._nobodys)
            if known is None or not signed:
                return self._refusals.status()
            await self._door.receive(_delivery(known.vault, headers, body, received), known.vault)
        except ClientDisconnect:
            # Nobody hears this: the sender hung up, or took too long and was told so by the server.
            return 408
        except NotUnderstood:
            return self._refusals.status()
        except OnewriterError as error:
            log.warning("delivery not taken", error=type(error).__name__)
            return 503
        return 200


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
