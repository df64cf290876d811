"""Following a run while it goes: server-sent events, for the pages and for programs.

An event is sent when something has changed, and at least every fifteen seconds, so that a connection that is gone is
noticed. The stream ends when the run is over or stands still, with the server, and after an hour whatever happens.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from onewriter.customers.runs import SETTLED_STATES
from onewriter.desk.runs import RunDocument
from onewriter.errors import OnewriterError
from onewriter.web.limits import STREAMS_MAX

LOOK_EACH_S = 0.5
SAY_EACH_S = 15.0
LAST_S = 3_600.0
MEDIA_TYPE = "text/event-stream"

Look = Callable[[], RunDocument]
Write = Callable[[RunDocument], str]


class Streams:
    """The streams that are open; beyond so many, another is refused."""

    def __init__(self) -> None:
        self._open = 0
        self._ended = False

    def end(self) -> None:
        """Let every stream end within a moment, since the server is about to; who watches asks again."""
        self._ended = True

    def follow(self, look: Look, write: Write) -> Response | None:
        """An answer that goes on until the run is over; None where there is no room for another."""
        if self._open >= STREAMS_MAX:
            return None
        self._open += 1
        return StreamingResponse(self._counted(look, write), media_type=MEDIA_TYPE)

    async def _counted(self, look: Look, write: Write) -> AsyncIterator[str]:
        try:
            async for part in _events(look, write, lambda: self._ended):
                yield part
        finally:
            self._open -= 1


async def _events(look: Look, write: Write, is_ended: Callable[[], bool]) -> AsyncIterator[str]:
    began = said_at = time.monotonic()
    before: RunDocument | None = None
    while time.monotonic() - began < LAST_S and not is_ended():
        try:
            run = await run_in_threadpool(look)
        except OnewriterError:
            # The run was dropped meanwhile, or the database is away: who watches asks again.
            return
        if run != before:
            before, said_at = run, time.monotonic()
            yield _message(write(run))
        elif time.monotonic() - said_at > SAY_EACH_S:
            said_at = time.monotonic()
            yield ": still here\n\n"
        if run["state"] in SETTLED_STATES:
            yield "event: over\ndata: over\n\n"
            return
        await asyncio.sleep(LOOK_EACH_S)


def _message(text: str) -> str:
    """One event: each line of its text on a line of its own, as the protocol wants it."""
    return "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
