"""Files that are sent: one at a time, whoever sends it and by whichever face, since each is held in memory alone."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.responses import Response

BUSY = "Somebody else is sending a file at this moment; send yours in a minute."
RETRY_AFTER_S = 60

_SENDING = asyncio.Lock()


async def alone(answer: Callable[[], Awaitable[Response]], busy: Callable[[], Response]) -> Response:
    """What is answered to somebody who sends a file; to the second at a time that it is not their turn."""
    # Between this look and the taking nothing else runs, so that nobody ever waits for it.
    if _SENDING.locked():
        return busy()
    async with _SENDING:
        return await answer()
