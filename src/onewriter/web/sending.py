"""Files that are sent: one at a time, whoever sends it and by whichever face, since each is held in memory alone."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from onewriter.web.limits import SEND_S
from onewriter.web.server import ALLOW

BUSY = "Somebody else is sending a file at this moment; send yours in a minute."
RETRY_AFTER_S = 60

_SENDING = asyncio.Lock()


async def alone(request: Request, answer: Callable[[], Awaitable[Response]], busy: Callable[[], Response]) -> Response:
    """What is answered to somebody who sends a file and may; to the second at a time that it is not their turn."""
    # Between this look and the taking nothing else runs, so that nobody ever waits for it.
    if _SENDING.locked():
        return busy()
    async with _SENDING:
        if allow := request.scope.get(ALLOW):
            allow(SEND_S)
        return await answer()
