"""The simulated web process: the real door and its route, called here with the headers that Shopify sends."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from onewriter.bench.simulate.asking import Heard, ask
from onewriter.bench.simulate.crashes import Crash
from onewriter.bench.simulate.processes import Process
from onewriter.db.engine import Database, DoorBell
from onewriter.intake.connect import DOOR_PATH
from onewriter.intake.door import Door, _Waiting
from onewriter.records import Delivery
from onewriter.vault.vault import ShopVault
from onewriter.web.door import DoorRoute

if TYPE_CHECKING:
    from onewriter.bench.simulate.world import World

Knock = tuple[bytes, Mapping[str, str]]
"""A body and its headers."""


class MortalDoor(Door):
    """The door, whose thread writes when it is let in, so that which deliveries share a commit follows from the seed.

    A crash at its commit ends its thread, as it would end the process: nobody is answered any more.
    """

    def __init__(self, database: Database, bell: DoorBell | None, loop: asyncio.AbstractEventLoop) -> None:
        self.knocks = 0
        self.heard = asyncio.Event()
        self.died = asyncio.Event()
        self._loop = loop
        self._gate = threading.Semaphore(0)
        super().__init__(database, bell)

    async def receive(self, delivery: Delivery, vault: ShopVault) -> None:
        """As ever; whoever counts the knocks is told first."""
        self.knocks += 1
        self.heard.set()
        await super().receive(delivery, vault)

    def let_in(self) -> None:
        """Write what has been received."""
        self._gate.release()

    def close(self) -> None:
        """End the thread, if a crash has not."""
        self.let_in()
        super().close()

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        self._gate.acquire()
        return super()._next_batch()

    def _run(self) -> None:
        try:
            super()._run()
        except Crash:
            self._standing.close()
            self._loop.call_soon_threadsafe(self.died.set)


class Web(Process):
    """One life of the web process."""

    def __init__(self, world: "World") -> None:
        super().__init__(world, "door", door=True)
        self._loop = asyncio.new_event_loop()
        self._bell = self.runtime.open_bell()
        self._door = MortalDoor(self.runtime.database, self._bell, self._loop)
        self._route = self._new_route()

    def _new_route(self) -> DoorRoute:
        return DoorRoute(self.runtime, self._door, self._count)

    def _count(self, status: int) -> None:
        self.world.tally.answers[status] += 1

    def knock(self, knocks: Sequence[Knock]) -> list[bool]:
        """Bring deliveries that arrive together; which of them were acknowledged. Raises nothing when we crash."""
        # A route remembers shops for two seconds of the machine's own time, of which no seed knows.
        self._route = self._new_route()
        answers = self._loop.run_until_complete(self._answers(knocks))
        return [heard is not None and 200 <= heard.status < 300 for heard in answers]

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._route.receive(Request(scope, receive))
        await response(scope, receive, send)

    async def _answers(self, knocks: Sequence[Knock]) -> list[Heard | None]:
        before = self._door.knocks
        tasks = [await self._begin(body, headers) for body, headers in knocks]
        if self._door.knocks > before:
            self._door.let_in()
        died = asyncio.ensure_future(self._door.died.wait())
        answered = asyncio.gather(*tasks, return_exceptions=True)
        ending: set[asyncio.Future[Any]] = {answered, died}
        await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        # Whoever was answered before the crash has heard it; the others hear nothing.
        heard = [task.result() if task.done() and task.exception() is None else None for task in tasks]
        for waiting in (answered, died):
            waiting.cancel()
        await asyncio.gather(answered, died, return_exceptions=True)
        return heard

    async def _begin(self, body: bytes, headers: Mapping[str, str]) -> "asyncio.Task[Heard]":
        """Send one request, and wait until the door has received it or refused it."""
        self._door.heard.clear()
        task = asyncio.ensure_future(ask(self._app, DOOR_PATH, list(headers.items()), body))
        heard = asyncio.ensure_future(self._door.heard.wait())
        await asyncio.wait({task, heard}, return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()
        return task

    def bury(self) -> None:
        """End the door's thread and everything else."""
        self._door.close()
        super().bury()
        self._loop.close()
        if self._bell is not None:
            self._bell.close()
